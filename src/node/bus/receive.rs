//! What a packet does to its receiver (§5).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, LinkEnd};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Body, MessageType, Packet};
use crate::node::table::PeerIx;

impl Node {
    /// Handles a packet that came in on a link (§5.1).
    pub(crate) fn receive(&mut self, ctx: &mut Ctx<'_>, end: &LinkEnd, packet: &Packet) {
        self.bus.received[packet.kind as usize] += 1;
        if self.logs(ctx, Level::Debug) {
            let (kind, bytes) = (packet.kind as u8, packet.wire_bytes());
            let text = format_args!("--- Processing packet of type {kind}, {bytes} bytes");
            self.log(ctx, Level::Debug, text);
        }
        let sender = self.bus.table.find(packet.sender);
        if let Some(sender) = sender {
            self.hear_of_sender(ctx, sender, packet);
        }
        match packet.kind {
            MessageType::Ping | MessageType::Meet => {
                self.answer(ctx, end, sender, packet);
                self.heartbeat(ctx, end, sender, packet);
            }
            MessageType::Pong => self.heartbeat(ctx, end, sender, packet),
            MessageType::Fail => self.hear_fail(ctx, sender, packet),
            MessageType::Update if sender.is_some() => self.hear_update(ctx, packet),
            MessageType::Publish => {
                if let Body::Publish { channel, message } = &packet.body {
                    self.deliver(ctx, channel, message);
                }
            }
            // There are no modules.
            MessageType::Update | MessageType::Module => {}
            MessageType::AuthRequest | MessageType::AuthAck | MessageType::MfStart => {
                if let Some(sender) = sender {
                    self.hear_of_election(ctx, end, sender, packet);
                }
            }
        }
    }

    /// What every packet tells of a known sender (§5.1.4, §5.1.5).
    fn hear_of_sender(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, packet: &Packet) {
        let bus = &mut self.bus;
        let peer = bus.table.peer_mut(sender);
        peer.data_received = ctx.now.millis();
        if bus.table.flags(sender).any(Flags::HANDSHAKE) {
            return;
        }
        bus.current_epoch = bus.current_epoch.max(packet.current_epoch);
        let peer = bus.table.peer_mut(sender);
        if packet.config_epoch > peer.config_epoch {
            peer.config_epoch = packet.config_epoch;
            bus.todo.add(Todo::SAVE | Todo::FSYNC);
        }
        peer.repl_offset = packet.offset;
        self.note_paused_offset(ctx, sender, packet);
    }

    /// Somebody wants a vote, gives one, or wants my place (§5.10).
    fn hear_of_election(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        sender: PeerIx,
        packet: &Packet,
    ) {
        match packet.kind {
            MessageType::AuthRequest => self.vote(ctx, sender, packet),
            MessageType::AuthAck => self.vote_received(sender, packet),
            _ => self.manual_failover_asked(ctx, end.id, sender),
        }
    }

    /// The first part of PING and MEET: my own address, a new node, the PONG. It is built before
    /// anything else of the packet is applied (§5.2, §5.3).
    fn answer(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        sender: Option<PeerIx>,
        packet: &Packet,
    ) {
        self.log(ctx, Level::Debug, format_args!("Ping packet received: {}", Pointer(end.peer)));
        self.learn_my_address(ctx, end, packet.kind);
        if sender.is_none() && packet.kind == MessageType::Meet {
            self.bus.meet_back(ctx, Bus::sender_endpoint(ctx.ids, end, packet));
            self.merge_gossip(ctx, None, packet);
        }
        self.send_ping(ctx, end.id, end.peer, MessageType::Pong);
    }

    /// The second part, of PING, MEET and PONG alike (§5.5, §5.6).
    fn heartbeat(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        sender: Option<PeerIx>,
        packet: &Packet,
    ) {
        let word = if packet.kind == MessageType::Ping { "ping" } else { "pong" };
        let text = format_args!("{word} packet received: {}", Pointer(end.peer));
        self.log(ctx, Level::Debug, text);
        if let Some(peer) = end.peer
            && !self.identify(ctx, end, peer, sender, packet)
        {
            return;
        }
        if let Some(sender) = sender {
            self.hear_flags_and_address(ctx, end, sender, packet);
        }
        if let (Some(peer), MessageType::Pong) = (end.peer, packet.kind) {
            self.hear_pong(ctx, peer);
        }
        if let Some(sender) = sender {
            self.bus.hear_role(sender, packet);
            self.hear_claim(ctx, sender, packet);
            self.merge_gossip(ctx, Some(sender), packet);
        }
    }

    /// What the sender says of itself, other than its role and slots (§5.6.1, §5.6.2).
    fn hear_flags_and_address(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        sender: PeerIx,
        packet: &Packet,
    ) {
        let flags = self.bus.table.flags(sender);
        if flags.any(Flags::NOFAILOVER) != packet.flags.any(Flags::NOFAILOVER) {
            if packet.flags.any(Flags::NOFAILOVER) {
                self.bus.table.set_flags(sender, Flags::NOFAILOVER);
            } else {
                self.bus.table.clear_flags(sender, Flags::NOFAILOVER);
            }
        }
        if packet.kind == MessageType::Ping
            && !flags.any(Flags::HANDSHAKE)
            && self.update_address(ctx, sender, end, packet)
        {
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
        }
    }
}

/// The address that a debug line prints for the node of a link: a number that tells nodes apart.
struct Pointer(Option<PeerIx>);

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            None => f.write_str("(nil)"),
            Some(ix) => write!(f, "{:#x}", 0x7f00_0000_0000_u64 + u64::from(ix.0) * 0x1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Endpoint;
    use crate::node::flags::Flags;
    use crate::node::lab::{Lab, endpoint, id};
    use crate::node::packet::{Epoch, MessageType};
    use crate::node::section::Gossip;
    use crate::time::Millis;

    #[test]
    fn a_known_sender_raises_my_epoch_without_a_save_5_1_5() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.forget_records();
        let mut ping = lab.message(1, MessageType::Ping);
        ping.current_epoch = Epoch(40);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(40));
        assert!(lab.saves.iter().all(|(node, _)| *node != 0));
        ping.current_epoch = Epoch(5);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(40), "never lowered");
    }

    #[test]
    fn a_greater_config_epoch_is_saved_at_once_5_1_5() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.forget_records();
        let peer = lab.peer(0, 1);
        let mut ping = lab.message(1, MessageType::Ping);
        ping.config_epoch = Epoch(40);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.table.peer(peer).config_epoch, Epoch(40));
        assert_eq!(lab.saves, [(0, true)]);
        ping.config_epoch = Epoch(3);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.table.peer(peer).config_epoch, Epoch(40), "never lowered");
    }

    #[test]
    fn a_stranger_raises_nothing_but_gets_its_answer_5_3_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.forget_records();
        let before = lab.node(0).bus.received;
        let mut ping = lab.message(1, MessageType::Ping);
        ping.sender = lab.ids.intern(id(77));
        ping.current_epoch = Epoch(40);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(3));
        assert_eq!(lab.count(0, 1, MessageType::Pong), 1);
        assert_eq!(lab.node(0).bus.received[0], before[0] + 1, "it is counted (§5.1.1)");
    }

    #[test]
    fn any_packet_is_a_sign_of_life_5_1_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.isolate(0);
        let peer = lab.peer(0, 2);
        for kind in [MessageType::Pong, MessageType::Publish, MessageType::Update] {
            lab.run(50);
            let packet = lab.message(2, kind);
            lab.hear(0, 1, &packet);
            let now = lab.now.millis();
            assert_eq!(lab.node(0).bus.table.peer(peer).data_received, now);
        }
    }

    #[test]
    fn the_answer_is_built_before_the_packet_is_applied_5_2() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.forget_records();
        let mut ping = lab.message(1, MessageType::Ping);
        ping.config_epoch = Epoch(9);
        ping.slots = crate::node::lab::share(0, 3);
        lab.hear(0, 1, &ping);
        assert!(!lab.node(0).bus.is_master(), "it took all my slots");
        let pong = lab.sent.iter().find(|sent| sent.from == 0 && sent.to == 1).unwrap();
        assert_eq!(pong.packet.kind, MessageType::Pong);
        assert!(pong.packet.flags.is_master());
        assert_eq!(pong.packet.slots, crate::node::lab::share(0, 3));
        assert_eq!(pong.packet.current_epoch, Epoch(3), "epochs come first (§5.1.5)");
    }

    #[test]
    fn only_an_answer_on_my_own_link_counts_as_pong_15_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.isolate(0);
        let peer = lab.peer(0, 1);
        let now = lab.now.millis();
        lab.node(0).bus.table.set_ping_sent(peer, now);
        lab.run(50);
        let pong = lab.message(1, MessageType::Pong);
        lab.hear(0, 1, &pong);
        assert_eq!(lab.node(0).bus.table.ping_sent(peer), now);
        lab.hear_on_own_link(0, 1, &pong);
        assert!(lab.node(0).bus.table.ping_sent(peer).is_never());
        let now = lab.now.millis();
        assert_eq!(lab.node(0).bus.table.pong_received(peer), now);
    }

    #[test]
    fn an_unknown_sender_of_meet_is_met_in_turn_but_its_gossip_adds_nobody_3_8_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let mut meet = lab.message(1, MessageType::Meet);
        meet.sender = lab.ids.intern(id(77));
        let entry = lab.gossip(78, Flags::MASTER);
        meet.gossip.push(Gossip { pong_received: 1, ..entry });
        lab.hear(0, 1, &meet);
        assert_eq!(lab.node(0).bus.table.len(), 4);
        let stranger = lab.handshakes(0)[0];
        let node = lab.nodes[0].as_ref().unwrap();
        let line = node.bus.node_line(&lab.ids, stranger);
        assert!(line.contains(" 10.0.0.2:7000@17000 handshake - 0 0 0 disconnected"), "{line}");
    }

    #[test]
    fn a_stranger_that_meets_me_is_believed_about_whom_i_know_5_3_2() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.isolate(0);
        let (calm, failing) = (lab.peer(0, 1), lab.peer(0, 2));
        let second = lab.now.secs() as u32;
        let now = lab.now.millis();
        let table = &mut lab.node(0).bus.table;
        table.set_pong_received(calm, Millis(now.0 - 9_000));
        table.set_ping_sent(calm, Millis::NEVER);
        table.set_flags(failing, Flags::PFAIL);
        let mut meet = lab.message(1, MessageType::Meet);
        meet.sender = lab.ids.intern(id(77));
        let known = lab.gossip(1, Flags::MASTER);
        let mut moved = lab.gossip(2, Flags::MASTER);
        moved.endpoint = lab.ids.intern_endpoint(Endpoint { port: 7_777, ..endpoint(2) });
        meet.gossip.clear();
        meet.gossip.push(Gossip { pong_received: second, ..known });
        meet.gossip.push(moved);
        lab.hear(0, 1, &meet);
        let pong = lab.node(0).bus.table.pong_received(calm);
        assert_eq!(pong, Millis(i64::from(second) * 1_000));
        assert!(lab.line(0, 2).contains(" 10.0.0.3:7777@17000 "), "{}", lab.line(0, 2));
    }

    #[test]
    fn the_flag_against_failovers_is_copied_either_way_5_6_1() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let peer = lab.peer(0, 1);
        for flag in [true, false] {
            let mut ping = lab.message(1, MessageType::Ping);
            if flag {
                ping.flags |= Flags::NOFAILOVER;
            }
            lab.hear(0, 1, &ping);
            assert_eq!(lab.node(0).bus.table.flags(peer).any(Flags::NOFAILOVER), flag);
        }
    }

    #[test]
    fn gossip_is_heard_after_the_senders_role_5_6_9() {
        for (role, counts) in [(Flags::MASTER, true), (Flags::REPLICA, false)] {
            let mut lab = Lab::formed(3, 0, 15_000);
            lab.run(300);
            let about = lab.peer(0, 2);
            let mut ping = lab.message(1, MessageType::Ping);
            ping.flags = role;
            if role == Flags::REPLICA {
                ping.replica_of = Some(lab.ids.intern(id(0)));
            }
            let entry = lab.gossip(2, Flags::MASTER | Flags::PFAIL);
            ping.gossip.push(entry);
            lab.hear(0, 1, &ping);
            assert_eq!(lab.node(0).bus.table.is_reported(about), counts, "{role}");
        }
    }

    #[test]
    fn packets_are_told_in_debug_lines_13_2() {
        let mut lab = Lab::formed(2, 0, 15_000);
        lab.run(300);
        lab.forget_records();
        let ping = lab.message(1, MessageType::Ping);
        lab.hear(0, 1, &ping);
        let told: Vec<&str> =
            lab.lines.iter().filter(|l| l.node == 0).map(|l| l.text.as_str()).collect();
        assert_eq!(
            told,
            [
                "--- Processing packet of type 0, 2256 bytes",
                "Ping packet received: (nil)",
                "ping packet received: (nil)",
            ]
        );
    }
}
