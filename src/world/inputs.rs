//! Handing to a process what comes in, or keeping it until the process can take it.

use crate::network::NodeNo;
use crate::network::message::{Kind, Message};
use crate::node::effect::{Ctx, Input, LinkId, Loss};
use crate::node::packet::Packet;
use crate::node::replication::message::ReplMessage;
use crate::time::Span;
use crate::world::event::{Due, Incarnation};
use crate::world::fingerprint::EventTag;
use crate::world::machine::{Arrived, Busy, Pending};
use crate::world::queue::Key;
use crate::world::{NextTick, Program, What, World};

/// How much longer than its period a pass of the event loop takes (§0.1.3).
const TICK_EXTRA_LOW: Span = Span::micros(300);
const TICK_EXTRA_HIGH: Span = Span::micros(800);

impl<P: Program> World<P> {
    /// Something comes in to a node. A process that is busy or stopped finds it later.
    #[inline]
    pub(super) fn take_in(&mut self, node: NodeNo, arrived: Arrived) {
        let Some(running) = &mut self.machines[node.index()].running else { return };
        if running.is_blocked() {
            if running.takes(&arrived) {
                return self.take_at_once(node, arrived);
            }
            let link = arrived.link();
            running.inbox.push_back(Pending { id: self.current, cause: self.cause, arrived });
            if let Some(link) = link {
                self.network.connection_mut(link).references += 1;
            }
            return;
        }
        self.hand_over(node, arrived);
    }

    /// Lets a process go on that may have been blocked: it finishes what it was doing, then runs a
    /// cron that is overdue, and what has come in meanwhile it reads in its next pass (§0.1.1). A
    /// stopped process does the same: the signal ends its poll without an event.
    pub(super) fn wake(&mut self, node: NodeNo) {
        loop {
            let Some(running) = &mut self.machines[node.index()].running else { return };
            let next = running.next_to_read(&self.network);
            if running.is_blocked() && next.is_none() {
                return;
            }
            if !running.is_blocked() && !running.deferred.is_empty() {
                self.out.effects = std::mem::take(&mut running.deferred);
                self.carry_out(node);
            } else if running.runs_overdue_cron() {
                self.tick(node);
            } else if let Some(pending) = next.and_then(|at| running.inbox.remove(at)) {
                running.stop_reading();
                self.current = pending.id;
                self.cause = pending.cause;
                let link = pending.arrived.link();
                self.hand_over(node, pending.arrived);
                if let Some(link) = link {
                    self.drop_reference(link);
                }
            } else if std::mem::take(&mut running.load_step_due) {
                self.fingerprint.absorb_event(EventTag::LoadStep, node.0);
                self.handle(node, Input::LoadStep);
            } else {
                return;
            }
        }
    }

    #[inline]
    pub(super) fn hand_over(&mut self, node: NodeNo, arrived: Arrived) {
        match arrived {
            Arrived::Message(link, message) => self.read(node, link, message),
            Arrived::Connected(link) => self.connected(node, link),
            Arrived::Lost(link, loss) => self.lost(node, link, loss),
            Arrived::BootStep => {
                self.fingerprint.absorb_event(EventTag::BootStep, node.0);
                self.handle(node, Input::BootStep);
            }
            Arrived::CallDone(result) => {
                self.fingerprint.absorb_event(EventTag::CallDone, node.0);
                self.handle(node, Input::CallDone(result));
            }
            Arrived::ChildExit(pid) => {
                self.fingerprint.absorb_event(EventTag::ChildExit, node.0);
                self.handle(node, Input::ChildExit(pid));
            }
            Arrived::TransferDone(number) => {
                self.fingerprint.absorb_event(EventTag::TransferDone, node.0);
                self.handle(node, Input::TransferDone(number));
            }
            Arrived::ReadTimeout(_) => {
                self.fingerprint.absorb_event(EventTag::ReadTimeout, node.0);
                self.handle(node, Input::ReadTimeout);
            }
            Arrived::Terminate => {
                self.fingerprint.absorb_event(EventTag::Terminate, node.0);
                self.handle(node, Input::Terminate);
            }
        }
    }

    fn connected(&mut self, node: NodeNo, link: LinkId) {
        if !self.network.is_open(link) {
            return;
        }
        let end = self.network.link_end(link);
        if self.network.connection(link).kind == Kind::Replication {
            self.send_held(link);
            self.handle(node, Input::ReplUp(end));
            return;
        }
        if self.observers.wants.links {
            let to = self.network.connection(link).end(link.other()).site();
            self.record(What::LinkUp { link, from: node, to });
        }
        self.send_held(link);
        self.handle(node, Input::LinkUp(end));
    }

    fn lost(&mut self, node: NodeNo, link: LinkId, loss: Loss) {
        if !self.network.connection(link).end(link).state.is_in_use() {
            return;
        }
        self.forget_end(link);
        match self.network.connection(link).kind {
            Kind::Bus => {}
            Kind::Replication => {
                return self.handle(node, Input::ReplLost(self.network.link_end(link), loss));
            }
            Kind::Client | Kind::Call => return self.handle(node, Input::ClientGone(link)),
        }
        if self.observers.wants.links {
            self.record(What::LinkDown { link, node, loss: Some(loss) });
        }
        self.handle(node, Input::LinkLost(self.network.link_end(link), loss));
    }

    /// A process reads a message.
    #[inline]
    fn read(&mut self, node: NodeNo, link: LinkId, message: Message) {
        if !self.network.is_open(link) {
            self.lose(link.other(), message);
            return;
        }
        match message {
            Message::Packet(packet) => {
                self.absorb_packet(link, &packet);
                self.stats.delivered += 1;
                if self.observers.wants.packets {
                    let from = self.network.connection(link).end(link.other()).site();
                    self.record(What::Delivered { link, from, to: node, packet: &packet });
                }
                self.handle(node, Input::Packet(self.network.link_end(link), &packet));
                self.out.packets.give(packet);
            }
            Message::Established => {
                self.fingerprint.absorb_event(EventTag::Established, link.0);
                let end = self.network.link_end(link);
                match self.network.connection(link).kind {
                    Kind::Bus => self.handle(node, Input::Accepted(end)),
                    Kind::Replication => self.handle(node, Input::ReplAccepted(end)),
                    Kind::Client | Kind::Call => self.handle(node, Input::ClientAccepted(link)),
                }
            }
            Message::Replication(message) => {
                self.fingerprint.absorb_event(EventTag::Replication, link.0);
                self.fingerprint.absorb(message.wire_bytes());
                let content = self.spare_messages.unpack(message, ReplMessage::Newline);
                let end = self.network.link_end(link);
                self.handle(node, Input::ReplMessage(end, content));
            }
            Message::Request(args) => {
                self.fingerprint.absorb_event(EventTag::Request, link.0);
                args.iter().for_each(|word| self.fingerprint.absorb_bytes(word));
                self.stats.commands += 1;
                if self.observers.wants.commands {
                    let kind = self.network.connection(link).kind;
                    self.record(What::Command { node, client: link, kind, args: &args });
                }
                self.handle(node, Input::Command(link, args));
            }
            Message::Reply(_) => {}
            Message::Close => {
                self.fingerprint.absorb_event(EventTag::ConnectionOver, link.0);
                self.lost(node, link, Loss::Closed);
            }
            Message::Reset => {
                self.fingerprint.absorb_event(EventTag::ConnectionOver, link.0);
                self.lost(node, link, Loss::Reset);
            }
        }
    }

    #[inline]
    fn absorb_packet(&mut self, link: LinkId, packet: &Packet) {
        let length = u64::from(packet.wire_bytes());
        self.fingerprint.absorb(u64::from(link.0) << 32 | length << 4 | packet.kind as u64);
        let epochs = packet.current_epoch.0 << 32 ^ packet.config_epoch.0;
        self.fingerprint.absorb(epochs ^ u64::from(packet.flags.0) << 48);
    }

    /// The cron of a process is due.
    #[inline]
    pub(super) fn tick_due(&mut self, tick: NextTick) {
        let Some(running) = &mut self.machines[tick.node.index()].running else { return };
        if running.incarnation != tick.incarnation {
            return;
        }
        if running.is_blocked() {
            running.tick_overdue = true;
            return;
        }
        self.tick(tick.node);
    }

    #[inline]
    fn tick(&mut self, node: NodeNo) {
        self.stats.ticks += 1;
        self.fingerprint.absorb_event(EventTag::Tick, node.0);
        self.handle(node, Input::Tick);
        let Some(running) = &mut self.machines[node.index()].running else { return };
        let extra = running.loop_draws.span(TICK_EXTRA_LOW, TICK_EXTRA_HIGH);
        let (period, incarnation) = (running.program.tick_period() + extra, running.incarnation);
        self.next_tick(node, incarnation, period);
    }

    #[inline]
    pub(super) fn next_tick(&mut self, node: NodeNo, incarnation: Incarnation, after: Span) {
        let tick = NextTick { node, incarnation, cause: self.current };
        let key = Key { at: self.now + after, id: self.fresh_id() };
        self.ticks.push(key, tick);
    }

    /// Something is due in a process.
    pub(super) fn due(&mut self, node: NodeNo, incarnation: Incarnation, due: Due) {
        let Some(running) = &mut self.machines[node.index()].running else { return };
        if running.incarnation != incarnation {
            return;
        }
        match due {
            Due::BootStep => self.take_in(node, Arrived::BootStep),
            Due::ChildExit(pid) => self.take_in(node, Arrived::ChildExit(pid)),
            Due::TransferDone(number) => self.take_in(node, Arrived::TransferDone(number)),
            Due::Awake => {
                self.fingerprint.absorb_event(EventTag::Awake, node.0);
                running.busy = Busy::No;
                self.wake(node);
            }
            Due::ReadTimeout(number) => self.read_timeout(node, number),
            Due::Death => self.end_crash(node),
            Due::CallTimeout(limit) => self.call_timeout(node, limit),
        }
    }

    /// Gives an input to a process and carries out what it does.
    #[inline]
    pub(super) fn handle(&mut self, node: NodeNo, input: Input<'_>) {
        let machine = &mut self.machines[node.index()];
        let now = machine.clock(self.start, self.now);
        let Some(running) = &mut machine.running else { return };
        let mut ctx = Ctx { now, ids: &mut self.ids, out: &mut self.out };
        running.program.handle(input, &mut ctx);
        if !self.out.effects.is_empty() {
            self.carry_out(node);
        }
    }
}
