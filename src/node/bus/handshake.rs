//! How strangers become members, and how an impostor is found out (§3.8, §5.5).

use crate::id::{Endpoint, Ids, NodeId};
use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, LinkEnd, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::Packet;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// A handshake lasts a node timeout, but not less than this (§1.1).
const MIN_HANDSHAKE_TIMEOUT: Millis = Millis(1_000);

impl Bus {
    /// Begins to meet whoever listens at an address, unless that is under way already. Returns
    /// whether it began (§3.8.1). The plaintext port does not count for the comparison.
    pub fn start_handshake(&mut self, ctx: &mut Ctx<'_>, to: Endpoint) -> bool {
        let under_way = self.table.census().handshakes > 0
            && self.table.order().iter().any(|&ix| {
                let known = ctx.ids.endpoint(self.table.endpoint(ix));
                self.table.flags(ix).any(Flags::HANDSHAKE)
                    && (known.ip, known.port, known.cport) == (to.ip, to.port, to.cport)
            });
        if !under_way {
            self.add_stranger(ctx, Flags::HANDSHAKE | Flags::MEET, to);
        }
        !under_way
    }

    /// Somebody unknown wants to meet me: I shall call it in turn (§5.3.2).
    pub(crate) fn meet_back(&mut self, ctx: &mut Ctx<'_>, at: Endpoint) {
        self.add_stranger(ctx, Flags::HANDSHAKE, at);
        self.todo.add(Todo::SAVE);
    }

    /// Adds a node whose id is not known yet under a temporary one.
    fn add_stranger(&mut self, ctx: &mut Ctx<'_>, flags: Flags, at: Endpoint) {
        let temporary = NodeId::random(&mut self.identity_draws);
        let node = ctx.ids.intern(temporary);
        let endpoint = ctx.ids.intern_endpoint(at);
        let ix = self.table.insert(ctx.ids, node, flags, endpoint, ctx.now.millis());
        self.announce(ctx, ix);
    }
}

impl Node {
    /// Deletes nodes whose handshake takes too long (§3.8.7).
    pub(crate) fn expire_handshakes(&mut self, ctx: &mut Ctx<'_>) {
        if self.bus.table.census().handshakes == 0 {
            return;
        }
        let timeout = self.config.node_timeout.max(MIN_HANDSHAKE_TIMEOUT);
        let now = ctx.now.millis();
        let expired = |&ix: &PeerIx| {
            let table = &self.bus.table;
            table.flags(ix).any(Flags::HANDSHAKE)
                && !table.flags(ix).any(Flags::NOADDR)
                && now - table.history(ix).ctime > timeout
        };
        let expired: Vec<PeerIx> = self.bus.table.order().iter().copied().filter(expired).collect();
        for ix in expired {
            self.bus.remove_node(ctx, ix);
        }
    }

    /// Checks who answers on a link of mine. Returns whether the packet is to be processed further
    /// (§5.5).
    pub(crate) fn identify(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        peer: PeerIx,
        sender: Option<PeerIx>,
        packet: &Packet,
    ) -> bool {
        if !self.bus.table.flags(peer).any(Flags::HANDSHAKE) {
            let genuine = self.bus.table.node(peer) == packet.sender;
            if !genuine {
                self.lose_address(ctx, peer);
            }
            return genuine;
        }
        match sender {
            None => self.complete_handshake(ctx, peer, packet),
            Some(known) => self.drop_duplicate(ctx, end, peer, known, packet),
        }
        sender.is_none()
    }

    /// A stranger has told its id (§3.8.4).
    fn complete_handshake(&mut self, ctx: &mut Ctx<'_>, peer: PeerIx, packet: &Packet) {
        let (old, new) = (self.bus.id_of(ctx.ids, peer), ctx.ids.id(packet.sender));
        self.log(ctx, Level::Debug, format_args!("Renaming node {old} into {new}"));
        ctx.out.notice(Notice::Forgotten(self.bus.table.node(peer)));
        self.bus.table.rename(ctx.ids, peer, packet.sender);
        let text = format_args!("Handshake with node {new} completed.");
        self.log(ctx, Level::Debug, text);
        let role = packet.flags.intersection(Flags::MASTER | Flags::REPLICA);
        self.bus.table.clear_flags(peer, Flags::HANDSHAKE);
        self.bus.table.set_flags(peer, role);
        self.bus.announce(ctx, peer);
        self.bus.todo.add(Todo::SAVE);
    }

    /// The stranger turns out to be a node that I know (§3.8.6).
    fn drop_duplicate(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        stranger: PeerIx,
        known: PeerIx,
        packet: &Packet,
    ) {
        let id = ctx.ids.id(packet.sender);
        let text =
            format_args!("Handshake: we already know node {id}, updating the address if needed.");
        self.log(ctx, Level::Verbose, text);
        if self.update_address(ctx, known, end, packet) {
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
        }
        self.bus.remove_node(ctx, stranger);
    }

    /// Somebody else answers at a node's address: the node is not there any more (§5.5.4).
    fn lose_address(&mut self, ctx: &mut Ctx<'_>, peer: PeerIx) {
        let id = self.bus.id_of(ctx.ids, peer);
        let age = ctx.now.millis() - self.bus.table.history(peer).ctime;
        let flags = self.bus.table.flags(peer).0;
        let text = format_args!(
            "PONG contains mismatching sender ID. About node {id} added {age} ms ago, having flags \
             {flags}"
        );
        self.log(ctx, Level::Debug, text);
        self.bus.table.set_flags(peer, Flags::NOADDR);
        self.bus.table.set_endpoint(peer, Ids::NOWHERE);
        self.bus.close_link(ctx, peer);
        self.bus.todo.add(Todo::SAVE);
    }
}

#[cfg(test)]
mod tests {
    use crate::id::Endpoint;
    use crate::node::effect::{Input, Loss};
    use crate::node::flags::Flags;
    use crate::node::lab::{Lab, endpoint, id};
    use crate::node::packet::{Epoch, MessageType};

    fn meet(lab: &mut Lab, from: usize, to: usize) {
        lab.act(from, |node, ctx| node.bus.start_handshake(ctx, endpoint(to)));
    }

    #[test]
    fn two_nodes_meet_and_know_each_other_3_8() {
        let mut lab = Lab::alone(2);
        meet(&mut lab, 0, 1);
        assert_eq!(lab.find(0, 1), None, "the id is not known yet");
        lab.run(250);
        for (node, other) in [(0, 1), (1, 0)] {
            let peer = lab.peer(node, other);
            let table = &lab.node(node).bus.table;
            assert_eq!(table.flags(peer), Flags::MASTER);
            assert_eq!(table.len(), 2);
        }
        assert!(lab.logged(0, &format!("Handshake with node {} completed.", id(1))));
        assert!(lab.logged(1, "IP address for this node updated to 10.0.0.2"));
        assert_eq!(lab.count(0, 1, MessageType::Meet), 1);
        assert_eq!(lab.count(1, 0, MessageType::Meet), 0, "only who was asked to sends MEET");
        let saved = lab.saved[0].clone().unwrap();
        assert!(saved.contains(&id(1).to_string()));
    }

    #[test]
    fn meeting_twice_at_once_begins_one_handshake_3_8_1() {
        let mut lab = Lab::alone(2);
        assert!(lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1))));
        assert!(!lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1))));
        assert_eq!(lab.node(0).bus.table.len(), 2);
    }

    #[test]
    fn a_known_node_that_is_met_again_is_not_added_twice_3_8_6() {
        let mut lab = Lab::alone(2);
        meet(&mut lab, 0, 1);
        lab.run(250);
        meet(&mut lab, 0, 1);
        lab.run(250);
        assert_eq!(lab.node(0).bus.table.len(), 2);
        assert_eq!(lab.node(0).bus.table.census().handshakes, 0);
        let text =
            format!("Handshake: we already know node {}, updating the address if needed.", id(1));
        assert!(lab.logged(0, &text));
    }

    #[test]
    fn meeting_myself_comes_to_nothing_9_2_4() {
        let mut lab = Lab::alone(1);
        meet(&mut lab, 0, 0);
        lab.run(250);
        assert_eq!(lab.node(0).bus.table.len(), 1);
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(0), "I do not collide with myself");
    }

    #[test]
    fn a_handshake_that_nobody_answers_ends_silently_3_8_7() {
        let mut lab = Lab::alone(1);
        let nowhere = Endpoint { cport: 9, ..endpoint(7) };
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, nowhere));
        lab.node(0).config.node_timeout = crate::time::Millis(300);
        lab.run(1_000);
        assert_eq!(lab.node(0).bus.table.len(), 2, "a second is the least");
        lab.run(200);
        assert_eq!(lab.node(0).bus.table.len(), 1);
    }

    #[test]
    fn the_rest_of_the_pong_that_ends_a_handshake_is_ignored_3_8_4() {
        let mut lab = Lab::alone(2);
        lab.node(1).bus.current_epoch = Epoch(9);
        meet(&mut lab, 0, 1);
        lab.run_until(200, |lab| lab.find(0, 1).is_some());
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(0));
        let peer = lab.peer(0, 1);
        assert_ne!(lab.node(0).bus.table.pong_received(peer).0, 0);
        assert_eq!(lab.node(0).bus.table.ping_sent(peer).0, 0);
    }

    #[test]
    fn a_lost_meet_is_not_sent_again_3_8_9() {
        let mut lab = Lab::alone(2);
        lab.isolate(0);
        meet(&mut lab, 0, 1);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            lab.run(100);
            let stranger = lab.handshakes(0)[0];
            let end = lab.outbound(0, stranger, 1);
            lab.sent.clear();
            lab.input(0, Input::LinkUp(end));
            kinds.extend(lab.sent.iter().map(|sent| sent.packet.kind));
            lab.input(0, Input::LinkLost(end, Loss::Closed));
        }
        assert_eq!(kinds, [MessageType::Meet, MessageType::Ping]);
    }

    #[test]
    fn an_impostor_makes_a_node_lose_its_address_5_5_4() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(2_000);
        let peer = lab.peer(0, 1);
        lab.act(1, |node, ctx| node.reset_cluster(ctx, true));
        lab.run(4_000);
        let node = lab.nodes[0].as_ref().unwrap();
        let line = node.bus.node_line(&lab.ids, peer);
        assert!(line.starts_with(&format!("{} :0@0 master,noaddr - ", id(1))), "{line}");
        assert!(line.contains(" disconnected"), "{line}");
    }

    #[test]
    fn who_lost_its_address_is_found_again_when_it_pings_5_6_2() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(2_000);
        let peer = lab.peer(0, 1);
        lab.act(0, |node, ctx| node.lose_address(ctx, peer));
        lab.run(3_000);
        let node = lab.nodes[0].as_ref().unwrap();
        assert!(node.bus.node_line(&lab.ids, peer).contains(" 10.0.0.2:7000@17000 master - "));
        assert!(lab.logged(0, &format!("Address updated for node {}, now 10.0.0.2:7000", id(1))));
    }

    #[test]
    fn a_new_record_knows_nothing_but_flags_and_address_2_1() {
        let mut lab = Lab::alone(1);
        let now = lab.now.millis();
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1)));
        let stranger = lab.handshakes(0)[0];
        let table = &lab.node(0).bus.table;
        assert_eq!(table.flags(stranger), Flags::HANDSHAKE | Flags::MEET);
        let peer = table.peer(stranger);
        assert_eq!((peer.config_epoch, peer.repl_offset), (Epoch(0), 0));
        assert_eq!((peer.slot_count, peer.replica_of()), (0, None));
        assert!(table.ping_sent(stranger).is_never() && peer.data_received.is_never());
        assert!(table.pong_received(stranger).is_never());
        assert_eq!(table.link(stranger), None);
        let history = table.history(stranger);
        assert_eq!(history.ctime, now);
        for time in [history.fail_time, history.voted_time, history.orphaned_time] {
            assert!(time.is_never());
        }
        assert!(table.replicas(stranger).is_empty() && table.fail_reports(stranger).is_empty());
    }

    #[test]
    fn the_next_cron_dials_whom_i_shall_meet_and_says_so_first_3_8_2() {
        let mut lab = Lab::alone(2);
        lab.run(50);
        lab.forget_records();
        meet(&mut lab, 0, 1);
        assert_eq!(lab.count(0, 1, MessageType::Meet), 0, "not before the cron");
        lab.run(101);
        let first = lab.sent.iter().find(|sent| (sent.from, sent.to) == (0, 1)).unwrap();
        assert_eq!(first.packet.kind, MessageType::Meet);
    }

    #[test]
    fn who_was_met_dials_back_and_learns_the_name_by_the_answer_to_its_ping_3_8_5() {
        let mut lab = Lab::alone(2);
        meet(&mut lab, 0, 1);
        lab.run_until(200, |lab| lab.count(0, 1, MessageType::Meet) == 1);
        assert_eq!(lab.find(1, 0), None, "it has a temporary name");
        assert_eq!(lab.handshakes(1).len(), 1);
        lab.run_until(101, |lab| lab.find(1, 0).is_some());
        let said = lab.sent.iter().filter(|sent| (sent.from, sent.to) == (1, 0));
        let kinds: Vec<MessageType> = said.map(|sent| sent.packet.kind).collect();
        assert_eq!(kinds[..2], [MessageType::Pong, MessageType::Ping]);
        assert!(lab.logged(1, &format!("Handshake with node {} completed.", id(0))));
    }

    #[test]
    fn who_is_learned_by_gossip_is_pinged_under_its_own_name_3_8_8() {
        let mut lab = Lab::alone(3);
        meet(&mut lab, 0, 1);
        meet(&mut lab, 1, 2);
        lab.run_until(5_000, |lab| lab.find(0, 2).is_some() && lab.find(2, 0).is_some());
        lab.run(200);
        for (one, other) in [(0, 2), (2, 0)] {
            let said = lab.sent.iter().filter(|sent| (sent.from, sent.to) == (one, other));
            let kinds: Vec<MessageType> = said.map(|sent| sent.packet.kind).collect();
            assert!(kinds.contains(&MessageType::Ping) && !kinds.contains(&MessageType::Meet));
            let completed = format!("Handshake with node {} completed.", id(other));
            assert!(!lab.logged(one, &completed));
        }
    }
}
