//! Carrying out what processes do.

use std::net::IpAddr;

use crate::id::Endpoint;
use crate::network::message::{Kind, Message};
use crate::network::{Dial, NodeNo, Site};
use crate::node::effect::{Effect, Exit, LinkId};
use crate::node::packet::Packet;
use crate::node::table::PeerIx;
use crate::resp::Reply;
use crate::time::Span;
use crate::world::event::{Due, Happening};
use crate::world::machine::Busy;
use crate::world::points::{Blow, write_before_sending};
use crate::world::{Program, What, World};

/// When the first tick comes after the ports were opened (§0.1.3).
const FIRST_TICK: Span = Span::millis(1);

/// Whether a process goes on to its next effect.
enum Then {
    GoOn,
    /// The rest waits until it is no longer busy.
    Defer,
    /// There is no process any more, or it will do nothing ever again.
    Stop,
}

impl<P: Program> World<P> {
    /// Carries out everything that is in the outbox, which is the work of one node, in its order.
    pub(super) fn carry_out(&mut self, node: NodeNo) {
        let mut effects = std::mem::take(&mut self.out.effects);
        let blow = self.look_at_pass(node, &mut effects);
        let mut rest = effects.drain(..);
        while let Some(effect) = rest.next() {
            match self.carry_out_one(node, effect) {
                Then::GoOn => {}
                Then::Defer => {
                    let deferred = rest.by_ref().collect();
                    if let Some(running) = &mut self.machines[node.index()].running {
                        running.deferred = deferred;
                    }
                    break;
                }
                Then::Stop => break,
            }
        }
        drop(rest);
        self.out.effects = effects;
        if let Some(blow) = blow {
            self.strike(node, blow);
        }
    }

    /// Where it matters, puts what a pass does into its order, and finds out whether the process dies
    /// on the way.
    #[inline]
    fn look_at_pass(&mut self, node: NodeNo, effects: &mut Vec<Effect>) -> Option<Blow> {
        if self.armed.is_empty() && self.slow_disks.is_empty() {
            return None;
        }
        write_before_sending(effects, self.disk_config.save_first);
        self.cut_short(node, effects)
    }

    #[inline]
    fn carry_out_one(&mut self, node: NodeNo, effect: Effect) -> Then {
        match effect {
            Effect::Send(link, packet) => self.send_packet(node, link, packet),
            Effect::Connect { link, peer, to } => self.connect(node, link, peer, to),
            Effect::Close(link) => self.close_bus_link(node, link),
            Effect::ReplConnect { link, to } => {
                let to_ip = to.ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
                let (kind, from) = (Kind::Replication, Site::Node(node));
                self.dial(Dial { link, kind, tag: 0, from, to_ip, to_port: to.port });
            }
            Effect::ReplSend(link, message) => {
                self.stats.replication += 1;
                let message = self.spare_messages.pack(message);
                self.transmit(link, Message::Replication(message));
            }
            Effect::ReplClose(link) => self.close(link),
            Effect::Transfer { number, takes } => {
                self.due_in(node, takes, Due::TransferDone(number));
            }
            Effect::Fork { pid, runs } => self.due_in(node, runs, Due::ChildExit(pid)),
            Effect::Reply(link, reply) => self.reply(node, link, reply),
            Effect::CloseClient(link) => self.close(link),
            Effect::BootStepIn(span) => self.due_in(node, span, Due::BootStep),
            Effect::Listen => self.listen(node),
            Effect::SaveConfig { text, fsync } => {
                let takes = fsync.then(|| self.sync_takes(node).unwrap_or(Span::ZERO));
                self.machines[node.index()].disk.write_config(text.into(), takes, self.now);
                if self.observers.wants.disk {
                    self.record(What::Saved { node, fsync });
                }
                if let Some(takes) = takes.filter(|&takes| takes > Span::ZERO) {
                    return self.sleep(node, takes);
                }
            }
            Effect::SyncKeys => {
                if let Some(takes) = self.sync_takes(node) {
                    return self.sleep(node, takes);
                }
            }
            Effect::Log { level, role, text } => {
                let pid = role.own_pid().or(self.pid(node)).unwrap_or_default();
                let wall = self.clock(node);
                self.record(What::Log { node, pid, wall, level, role, text: &text });
            }
            Effect::Notice(notice) => {
                self.notices += 1;
                self.record(What::Notice { node, notice });
            }
            Effect::Sleep(span) => return self.sleep(node, span),
            Effect::LoadFor(span) => {
                self.load_for(node, span);
                return Then::Defer;
            }
            Effect::ReadFrom(link, limit) => {
                self.read_from(node, link, limit);
                return Then::Defer;
            }
            Effect::Call { to, requests, timeout } => {
                self.call(node, to, requests, timeout);
                return Then::Defer;
            }
            Effect::Exit(exit) => {
                self.exit(node, exit);
                return Then::Stop;
            }
        }
        Then::GoOn
    }

    /// A process does nothing for some time.
    fn sleep(&mut self, node: NodeNo, span: Span) -> Then {
        self.make_busy(node, Busy::Sleeping);
        self.due_in(node, span, Due::Awake);
        Then::Defer
    }

    #[inline]
    fn send_packet(&mut self, node: NodeNo, link: LinkId, packet: Box<Packet>) {
        self.stats.sent[packet.kind as usize] += 1;
        self.stats.bytes += u64::from(packet.wire_bytes());
        self.stats.gossip_entries += packet.gossip.len() as u64;
        if self.observers.wants.packets {
            let to = self.network.connection(link).end(link.other()).site();
            self.record(What::Sent { link, from: node, to, packet: &packet });
        }
        let packet =
            if self.traps.is_empty() { Some(packet) } else { self.trapped(node, link, packet) };
        if let Some(packet) = packet {
            self.transmit(link, Message::Packet(packet));
        }
    }

    fn connect(&mut self, node: NodeNo, link: LinkId, peer: PeerIx, to: Endpoint) {
        let to_ip = to.ip.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let (kind, from) = (Kind::Bus, Site::Node(node));
        self.dial(Dial { link, kind, tag: peer.0.into(), from, to_ip, to_port: to.cport });
        if self.observers.wants.links {
            let to = self.network.connection(link).end(link.other()).site();
            self.record(What::Connecting { link, from: node, to });
        }
    }

    fn close_bus_link(&mut self, node: NodeNo, link: LinkId) {
        if self.observers.wants.links {
            self.record(What::LinkDown { link, node, loss: None });
        }
        self.close(link);
    }

    fn reply(&mut self, node: NodeNo, link: LinkId, reply: Reply) {
        if !self.network.is_open(link) {
            return;
        }
        if self.observers.wants.commands {
            self.record(What::Reply { node, client: link, reply: &reply });
        }
        let reply = self.spare_replies.pack(reply);
        self.transmit(link, Message::Reply(reply));
    }

    pub(super) fn due_in(&mut self, node: NodeNo, span: Span, due: Due) {
        let Some(running) = &self.machines[node.index()].running else { return };
        let what = Happening::Due(node, running.incarnation, due);
        self.schedule(self.now + span, what);
    }

    pub(super) fn make_busy(&mut self, node: NodeNo, busy: Busy) {
        if let Some(running) = &mut self.machines[node.index()].running {
            running.busy = busy;
        }
    }

    fn listen(&mut self, node: NodeNo) {
        self.open_ports(node);
        let Some(running) = &self.machines[node.index()].running else { return };
        self.next_tick(node, running.incarnation, FIRST_TICK);
    }

    fn exit(&mut self, node: NodeNo, exit: Exit) {
        match exit {
            Exit::Crash => self.begin_crash(node),
            Exit::Shutdown | Exit::Fatal => self.end_process(node, Some(exit)),
        }
    }
}
