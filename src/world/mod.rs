//! The engine: nodes, their disks and clocks, the network between them, clients, and time.
//!
//! This is the only place where time advances. [`World::step_until`] takes the earliest event, hands it to
//! the process that it concerns, and carries out what that process does: mostly by putting further
//! events into the queue. Nothing else happens, so a run is decided by its [`Setup`] and by what is
//! done to the world from outside, and by nothing else.
//!
//! *Architecture invariant:* the world never formats anything and knows nothing of scenarios. What it
//! did can be seen through [`observe`], [`stats`] and the [`fingerprint`] only.

mod calls;
pub mod clients;
pub mod disk;
mod effects;
pub mod error;
mod event;
mod faults;
pub mod fingerprint;
pub mod formation;
mod inputs;
pub mod lane;
mod lifecycle;
mod links;
mod loading;
pub mod machine;
pub mod observe;
pub mod points;
pub mod program;
pub mod queue;
pub mod setup;
mod spare;
pub mod stats;
mod storage;
pub mod traps;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use crate::network::graph;
pub use crate::network::{NodeNo, Site};
pub use crate::world::clients::{Addressee, ClientEvent, ClientNo, News};
pub use crate::world::error::{BudgetSpent, FaultError};
pub use crate::world::formation::Formation;
pub use crate::world::machine::ProcessStatus;
pub use crate::world::observe::{Observer, Record, Wants, What};
pub use crate::world::program::Program;
pub use crate::world::setup::{NodeSetup, Setup};
pub use crate::world::stats::Stats;

use crate::id::{Endpoint, Ids, NodeId};
use crate::network::Network;
use crate::network::graph::Paths;
use crate::node::Node;
use crate::node::effect::{LinkId, Outbox};
use crate::node::process::Disk;
use crate::node::replication::message::ReplMessage;
use crate::resp::Reply;
use crate::rng::{Purpose, Seed};
use crate::time::{Span, Time, Wall};
use crate::world::clients::Clients;
use crate::world::disk::DiskConfig;
use crate::world::event::{Event, Happening, Incarnation, LinkEvent};
use crate::world::fingerprint::{Fingerprint, OutsideTag};
use crate::world::lane::Lane;
use crate::world::machine::Machine;
use crate::world::observe::Observers;
use crate::world::points::Armed;
use crate::world::queue::{EventId, Key, Queue};
use crate::world::spare::Spare;
use crate::world::storage::{SlowDisk, Snapshot};
use crate::world::traps::Traps;

/// A running simulation.
#[derive(Debug)]
pub struct World<P: Program = Node> {
    seed: Seed,
    start: Wall,
    crash_report: Span,
    event_budget: u64,
    now: Time,
    last_id: EventId,
    /// The event that is being processed, and its cause.
    current: EventId,
    cause: EventId,
    queue: Queue<Event>,
    ticks: Lane<NextTick>,
    network: Network,
    machines: Vec<Machine<P>>,
    clients: Clients,
    ids: Ids,
    out: Outbox,
    spare_messages: Spare<ReplMessage>,
    spare_replies: Spare<Reply>,
    traps: Traps,
    /// Where nodes are to die.
    armed: BTreeMap<NodeNo, Armed>,
    disk_config: DiskConfig,
    slow_disks: BTreeMap<NodeNo, SlowDisk>,
    /// What disks held when somebody copied them.
    snapshots: BTreeMap<NodeNo, Snapshot>,
    observers: Observers,
    stats: Stats,
    fingerprint: Fingerprint,
    /// How many notices nodes have given.
    notices: u64,
}

/// The next tick of a process.
#[derive(Debug, Clone, Copy)]
struct NextTick {
    node: NodeNo,
    incarnation: Incarnation,
    cause: EventId,
}

impl<P: Program> World<P> {
    /// A world at time zero. No process runs yet; those of a formed cluster start by themselves.
    #[must_use]
    pub fn new(mut setup: Setup) -> World<P> {
        let seed = setup.seed;
        let formed = setup.formed.take();
        let mut ids = Ids::new();
        if let Some(formation) = &formed {
            formation.write_disks(seed, &mut ids, &mut setup.nodes);
        }
        let count = u32::try_from(setup.nodes.len()).unwrap_or(u32::MAX);
        let ips = setup.nodes.iter().map(|its| its.ip);
        let mut network = Network::new(setup.network, seed, ips);
        for (node, its) in (0..count).map(NodeNo).zip(&setup.nodes) {
            for port in [its.config.port, its.config.port.saturating_add(Endpoint::BUS_PORT_OFFSET)]
            {
                network.ports_mut().claim(its.ip, port, node);
            }
        }
        let disk_config = setup.disks;
        let machines = (0..).zip(setup.nodes);
        let machines = machines.map(|(node, its)| Machine::new(seed, node, its, disk_config));
        let mut world = World {
            seed,
            start: setup.start,
            crash_report: setup.crash_report,
            event_budget: setup.event_budget,
            now: Time::ZERO,
            last_id: EventId(0),
            current: EventId(0),
            cause: EventId(0),
            queue: Queue::default(),
            ticks: Lane::default(),
            network,
            machines: machines.collect(),
            clients: Clients::default(),
            ids,
            out: Outbox::default(),
            spare_messages: Spare::default(),
            spare_replies: Spare::default(),
            traps: Traps::new(),
            armed: BTreeMap::new(),
            disk_config,
            slow_disks: SlowDisk::all(disk_config.sync_takes, count),
            snapshots: BTreeMap::new(),
            observers: Observers::default(),
            stats: Stats::default(),
            fingerprint: Fingerprint::default(),
            notices: 0,
        };
        if let Some(formation) = formed {
            world.schedule_starts(&formation);
        }
        world
    }

    fn schedule_starts(&mut self, formation: &Formation) {
        for node in formation.members() {
            let mut draws = self.seed.stream(Purpose::Loop, u64::from(node.0), u64::MAX);
            let at = self.now + draws.span(Span::ZERO, formation.spread);
            self.schedule(at, Happening::Start(node));
        }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What a clock shows that is right.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.start + Span(self.now.0)
    }

    /// What the clock of a node shows.
    #[must_use]
    pub fn clock(&self, node: NodeNo) -> Wall {
        self.machines[node.index()].clock(self.start, self.now)
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.machines.len()
    }

    /// The program of a node's process, if one runs.
    #[must_use]
    pub fn node(&self, node: NodeNo) -> Option<&P> {
        let running = self.machines.get(node.index())?.running.as_ref()?;
        Some(&running.program)
    }

    /// Where a node's process stands.
    #[must_use]
    pub fn status(&self, node: NodeNo) -> ProcessStatus {
        self.machines.get(node.index()).map_or(ProcessStatus::Down, Machine::status)
    }

    /// The process id of a node's process, if one runs.
    #[must_use]
    pub fn pid(&self, node: NodeNo) -> Option<u32> {
        Some(self.machines.get(node.index())?.running.as_ref()?.pid)
    }

    /// What a node was set up with.
    #[must_use]
    pub fn node_setup(&self, node: NodeNo) -> Option<&NodeSetup> {
        self.machines.get(node.index()).map(|machine| &*machine.setup)
    }

    /// What the next process of a node would find on its disk.
    #[must_use]
    pub fn disk(&self, node: NodeNo) -> Option<&Disk> {
        self.machines.get(node.index()).map(|machine| machine.disk.files())
    }

    /// The lines of a node's configuration file.
    #[must_use]
    pub fn config_lines(&self, node: NodeNo) -> &[String] {
        let Some(machine) = self.machines.get(node.index()) else { return &[] };
        let running = machine.running.as_ref();
        let written = running.and_then(|running| running.program.config_file());
        &written.unwrap_or(&machine.setup.config).lines
    }

    /// The id with which a node began, if that was not left to its first process.
    #[must_use]
    pub fn first_id(&self, node: NodeNo) -> Option<NodeId> {
        self.machines.get(node.index()).and_then(|machine| machine.setup.id)
    }

    /// The table of ids and addresses.
    #[must_use]
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The graph of the network: who can reach whom, and what is wrong with the paths.
    #[must_use]
    pub fn graph(&self) -> &Paths {
        self.network.paths()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { time: self.now, ..self.stats }
    }

    /// The fingerprint of everything that has happened so far.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.value()
    }

    /// Lets somebody watch from now on.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.observers.add(observer);
        self.out.log_level = self.observers.wants.log;
        self.out.notices = self.observers.wants.notices;
    }

    /// When the next event is due.
    #[must_use]
    #[inline]
    pub fn next_event(&self) -> Option<Time> {
        let next = self.queue.peek().min(self.ticks.peek());
        (next != Key::NEVER).then_some(next.at)
    }

    /// Processes the next event, if it happens at this time at the latest. Says whether there was one.
    ///
    /// # Errors
    /// When the budget of events is used up.
    #[inline]
    pub fn step_until(&mut self, limit: Time) -> Result<bool, BudgetSpent> {
        let (event, tick) = (self.queue.peek(), self.ticks.peek());
        let tick_is_first = tick < event;
        let next = if tick_is_first { tick } else { event };
        if next.at > limit || next == Key::NEVER {
            return Ok(false);
        }
        if self.stats.events >= self.event_budget {
            return Err(BudgetSpent { budget: self.event_budget });
        }
        if tick_is_first {
            if let Some((key, tick)) = self.ticks.pop() {
                self.begin(key, tick.cause);
                self.tick_due(tick);
            }
        } else if let Some((key, event)) = self.queue.pop() {
            self.begin(key, event.cause);
            self.happen(event.what);
        }
        Ok(true)
    }

    /// Processes everything that happens until `time`, which it is afterwards.
    ///
    /// # Errors
    /// When the budget of events is used up.
    pub fn run_until(&mut self, time: Time) -> Result<(), BudgetSpent> {
        while self.step_until(time)? {}
        self.now = self.now.max(time);
        Ok(())
    }

    #[inline]
    fn begin(&mut self, key: Key, cause: EventId) {
        assert!(key.at >= self.now, "time never goes back");
        self.now = key.at;
        self.current = key.id;
        self.cause = cause;
        self.stats.events += 1;
        self.fingerprint.absorb(key.at.0);
    }

    /// Begins something that comes from outside and that nothing in the run has caused.
    fn begin_outside(&mut self, tag: OutsideTag, subject: u32) {
        self.current = self.fresh_id();
        self.cause = EventId(0);
        self.fingerprint.absorb(self.now.0);
        self.fingerprint.absorb_outside(tag, subject);
    }

    #[inline]
    fn fresh_id(&mut self) -> EventId {
        self.last_id.0 += 1;
        self.last_id
    }

    /// Schedules what happens to an end of a connection.
    #[inline]
    fn schedule_at(&mut self, link: LinkId, at: Time, what: LinkEvent) {
        self.network.connection_mut(link).references += 1;
        self.schedule(at, Happening::At(link, what));
    }

    fn schedule(&mut self, at: Time, what: Happening) {
        assert!(at >= self.now, "what is scheduled lies in the future");
        let id = self.fresh_id();
        self.queue.push(Key { at, id }, Event { cause: self.current, what });
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::At(link, what) => {
                self.happen_at(link, what);
                self.drop_reference(link);
            }
            Happening::Start(node) => self.start_formed(node),
            Happening::Due(node, incarnation, due) => self.due(node, incarnation, due),
        }
    }

    #[inline]
    fn happen_at(&mut self, link: LinkId, what: LinkEvent) {
        match what {
            LinkEvent::Syn => self.syn(link),
            LinkEvent::SynAck => self.syn_ack(link),
            LinkEvent::Unheard => self.unheard(link),
            LinkEvent::Refused => self.refused(link),
            LinkEvent::Retry(attempt) => self.retry(link, attempt),
            LinkEvent::Arrival(message) => self.arrival(link, message),
            LinkEvent::Resend(since) => self.resend(link, since),
            LinkEvent::Orphan => self.orphan(link),
        }
    }

    #[inline]
    fn drop_reference(&mut self, link: LinkId) {
        self.network.connection_mut(link).references -= 1;
        self.reuse_if_over(link);
    }

    /// Tells the observers, if any of them might want to know.
    #[inline]
    fn record(&mut self, what: What<'_>) {
        let record = Record {
            at: self.now,
            wall: self.wall(),
            event: self.current,
            cause: self.cause,
            what,
        };
        self.observers.record(&record, &self.ids);
    }
}
