//! Starting and ending processes.

use std::collections::BTreeSet;

use crate::id::Endpoint;
use crate::network::message::Message;
use crate::network::ports::Service;
use crate::network::{NodeNo, Site};
use crate::node::config::Mode;
use crate::node::effect::{Ctx, Exit};
use crate::node::process::{Boot, Death};
use crate::rng::{Purpose, Seed};
use crate::time::Time;
use crate::world::disk::{DiskConfig, VirtualDisk};
use crate::world::event::Due;
use crate::world::fingerprint::EventTag;
use crate::world::machine::{Arrived, Busy, Machine, Running};
use crate::world::setup::NodeSetup;
use crate::world::{Program, What, World};

/// Sets the stream that ticks are drawn from apart from the one of starting up.
const TICKS: u64 = 1 << 32;

impl<P: Program> Machine<P> {
    pub(super) fn new(
        seed: Seed,
        node: u32,
        setup: NodeSetup,
        disk_config: DiskConfig,
    ) -> Machine<P> {
        Machine {
            disk: VirtualDisk::new(setup.disk.clone(), disk_config),
            clock_offset: setup.clock_offset,
            drift: 0,
            drifts_since: Time::ZERO,
            incarnations: 0,
            pid_draws: Box::new(seed.stream(Purpose::Pid, u64::from(node), 0)),
            running: None,
            setup: Box::new(setup),
        }
    }
}

impl<P: Program> World<P> {
    /// Executes a program on a machine that runs none.
    pub(super) fn execute(&mut self, node: NodeNo) {
        let subject = u64::from(node.0);
        self.network.set_power(node, true);
        self.claim_address(node);
        let machine = &mut self.machines[node.index()];
        let pid = machine.next_pid();
        let incarnation = machine.incarnations;
        machine.incarnations += 1;
        let boot = Boot {
            config: machine.setup.config.clone(),
            ip: machine.setup.ip,
            pid,
            id: machine.setup.id,
            seed: self.seed,
            subject,
            incarnation: u64::from(incarnation),
            disk: machine.disk.files().clone(),
            host: machine.setup.host.clone(),
        };
        let now = machine.clock(self.start, self.now);
        let mut ctx = Ctx { now, ids: &mut self.ids, out: &mut self.out };
        let program = P::start(boot, &mut ctx);
        machine.running = Some(Box::new(Running {
            program,
            pid,
            incarnation,
            listening: false,
            paused: false,
            busy: Busy::No,
            deferred: Vec::new(),
            inbox: Default::default(),
            tick_overdue: false,
            loop_draws: self.seed.stream(Purpose::Loop, subject | TICKS, u64::from(incarnation)),
            call_timeouts: 0,
            load_step_due: false,
            read_timeouts: 0,
        }));
        if self.observers.wants.faults {
            let mode = self.machines[node.index()].setup.config.mode;
            self.record(What::Started { node, mode, pid, incarnation });
        }
        self.carry_out(node);
    }

    /// A node of a formed cluster starts by itself, unless somebody was faster.
    pub(super) fn start_formed(&mut self, node: NodeNo) {
        self.fingerprint.absorb_event(EventTag::FormedStart, node.0);
        if self.machines[node.index()].running.is_none() {
            self.execute(node);
        }
    }

    pub(super) fn open_ports(&mut self, node: NodeNo) {
        let Machine { setup, running: Some(running), .. } = &mut self.machines[node.index()] else {
            return;
        };
        running.listening = true;
        let (ip, port) = (setup.ip, setup.config.port);
        let ports = self.network.ports_mut();
        ports.listen(self.now, ip, port, node, Service::Clients);
        if setup.config.mode == Mode::Cluster {
            let bus_port = port.saturating_add(Endpoint::BUS_PORT_OFFSET);
            ports.listen(self.now, ip, bus_port, node, Service::Bus);
        }
    }

    /// The process begins to write its crash report. It does nothing else any more.
    pub(super) fn begin_crash(&mut self, node: NodeNo) {
        if self.observers.wants.faults {
            self.record(What::Crashed { node });
        }
        self.make_busy(node, Busy::Crashing);
        self.due_in(node, self.crash_report, Due::Death);
    }

    pub(super) fn end_crash(&mut self, node: NodeNo) {
        self.fingerprint.absorb_event(EventTag::CrashEnd, node.0);
        self.end_process(node, Some(Exit::Crash));
    }

    /// A process is gone: its kernel closes its sockets, and what it had not read is lost.
    pub(super) fn end_process(&mut self, node: NodeNo, exit: Option<Exit>) {
        let death = match exit {
            Some(Exit::Shutdown) => Death::Shutdown,
            Some(Exit::Crash | Exit::Fatal) | None => Death::Killed,
        };
        self.bury(node, exit, death);
    }

    /// A process is gone; what is on its disk now depends on how it died.
    pub(super) fn bury(&mut self, node: NodeNo, exit: Option<Exit>, death: Death) {
        let machine = &mut self.machines[node.index()];
        let Some(running) = machine.running.take() else { return };
        if let Some(config) = running.program.config_file() {
            machine.setup.config.clone_from(config);
        }
        machine.disk.write_keys(running.program.surviving_keys(death));
        self.network.ports_mut().stop_listening(node);
        let mut unread = BTreeSet::new();
        for pending in running.inbox {
            if let Some(link) = pending.arrived.link() {
                if let Arrived::Message(link, message) = pending.arrived {
                    if !matches!(message, Message::Close | Message::Reset) {
                        unread.insert(link);
                    }
                    self.lose(link.other(), message);
                }
                self.drop_reference(link);
            }
        }
        for link in self.network.ends_at(Site::Node(node)) {
            let last = if unread.contains(&link) { Message::Reset } else { Message::Close };
            self.close_with(link, last);
        }
        if self.observers.wants.faults {
            self.record(What::Ended { node, pid: running.pid, exit });
        }
    }
}
