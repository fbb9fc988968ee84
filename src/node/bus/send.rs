//! Building and sending messages (§4). Which nodes a PING speaks of is decided in
//! [`gossip`](super::gossip).
//!
//! A message that is "sent" is queued on a link and counted, whether or not it ever arrives (§4.3).

use std::sync::Arc;

use crate::node::Node;
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::node::flags::Flags;
use crate::node::packet::{Body, MessageType, Packet};
use crate::node::table::PeerIx;

/// Who gets a PONG that nobody asked for (§4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PongTo {
    /// Everybody.
    All,
    /// My replicas, or my master's other replicas.
    LocalReplicas,
}

impl Node {
    /// A message with its header filled in (§4.2).
    pub(crate) fn message(&mut self, ctx: &mut Ctx<'_>, kind: MessageType) -> Box<Packet> {
        let bus = &mut self.bus;
        let mut packet = ctx.out.packets.take(kind, bus.table.node(bus.myself));
        let me = bus.table.peer(bus.myself);
        let flags = bus.table.flags(bus.myself);
        let owner = bus.slot_speaker(bus.myself).unwrap_or(bus.myself);
        packet.replica_of = me.replica_of().map(|master| bus.table.node(master));
        packet.flags = flags;
        packet.current_epoch = bus.current_epoch;
        let owner = bus.table.peer(owner);
        packet.config_epoch = owner.config_epoch;
        if !Arc::ptr_eq(&packet.slots, &owner.slots) {
            packet.slots = Arc::clone(&owner.slots);
        }
        packet.offset = match flags.is_replica() {
            true => self.replication.processed_offset(),
            false => self.replication.history.offset,
        };
        packet.state_ok = bus.state_ok;
        packet.paused = flags.is_master() && bus.manual_failover.runs();
        packet.force_ack = kind == MessageType::AuthRequest && bus.manual_failover.runs();
        packet.endpoint = bus.announced(ctx.ids, &self.config);
        packet
    }

    /// Queues a message on a link (§4.3).
    pub(crate) fn queue(&mut self, ctx: &mut Ctx<'_>, link: LinkId, packet: Box<Packet>) {
        self.bus.sent[packet.kind as usize] += 1;
        self.bus.queued += 1;
        ctx.out.effects.push(Effect::Send(link, packet));
    }

    /// Sends a PING, PONG or MEET with gossip. `to` is whose link it is, if it is one of mine (§4.4).
    pub(crate) fn send_ping(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        to: Option<PeerIx>,
        kind: MessageType,
    ) {
        if let (Some(peer), MessageType::Ping) = (to, kind) {
            self.bus.table.set_ping_sent(peer, ctx.now.millis());
        }
        let mut packet = self.message(ctx, kind);
        self.bus.select_gossip(&mut ctx.out.drawn, &mut packet.gossip);
        self.queue(ctx, link, packet);
    }

    /// Sends a PONG to everybody concerned, each with gossip of its own (§4.5).
    pub(crate) fn broadcast_pong(&mut self, ctx: &mut Ctx<'_>, to: PongTo) {
        for place in 0..self.bus.table.len() {
            let ix = self.bus.table.at(place);
            let Some(link) = self.broadcast_link(ix) else { continue };
            if to == PongTo::LocalReplicas && !self.is_local_replica(ix) {
                continue;
            }
            self.send_ping(ctx, link, Some(ix), MessageType::Pong);
        }
    }

    /// Whether a node replicates me or my master (§4.5).
    fn is_local_replica(&self, ix: PeerIx) -> bool {
        let master = self.bus.table.peer(ix).replica_of();
        self.bus.table.flags(ix).is_replica()
            && master.is_some()
            && (master == Some(self.bus.myself) || master == self.bus.my_master())
    }

    /// My link to a node, if broadcasts reach it (§4.5, §4.6).
    fn broadcast_link(&self, ix: PeerIx) -> Option<LinkId> {
        let left_out = self.bus.table.flags(ix).any(Flags::MYSELF | Flags::HANDSHAKE);
        self.bus.table.link(ix).filter(|_| !left_out)
    }

    /// Sends the same message to everybody (§4.6).
    pub(crate) fn broadcast(&mut self, ctx: &mut Ctx<'_>, kind: MessageType, body: &Body) {
        for place in 0..self.bus.table.len() {
            let ix = self.bus.table.at(place);
            if let Some(link) = self.broadcast_link(ix) {
                let mut packet = self.message(ctx, kind);
                packet.body = body.clone();
                self.queue(ctx, link, packet);
            }
        }
    }

    /// Sends a published message to everybody (§4.7).
    pub(crate) fn broadcast_publish(&mut self, ctx: &mut Ctx<'_>, channel: &[u8], message: &[u8]) {
        let body = Body::Publish { channel: channel.to_vec(), message: message.to_vec() };
        self.broadcast(ctx, MessageType::Publish, &body);
    }

    /// Tells a node what another one owns, if I have a link to it (§5.6.7).
    pub(crate) fn send_update(&mut self, ctx: &mut Ctx<'_>, to: PeerIx, about: PeerIx) {
        let Some(link) = self.bus.table.link(to) else { return };
        let mut packet = self.message(ctx, MessageType::Update);
        let owner = self.bus.table.peer(about);
        packet.body = Body::Update {
            node: self.bus.table.node(about),
            config_epoch: owner.config_epoch,
            slots: Arc::clone(&owner.slots),
        };
        self.queue(ctx, link, packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::effect::{Effect, Input, LinkEnd, Outbox};
    use crate::node::lab::{Lab, endpoint, id, share};
    use crate::node::packet::Epoch;

    #[test]
    fn a_replica_speaks_for_its_master_4_2() {
        let mut lab = Lab::formed(2, 2, 15_000);
        lab.run(300);
        let ping = lab.message(3, MessageType::Ping);
        assert_eq!(*ping.slots, *share(1, 2));
        assert_eq!(ping.config_epoch, Epoch(2));
        assert_eq!(ping.replica_of, lab.ids.find(id(1)));
        assert_eq!(ping.flags, Flags::REPLICA | Flags::MYSELF);
        assert_eq!(ping.current_epoch, Epoch(2));
    }

    #[test]
    fn a_broadcast_counts_once_for_each_link_4_3() {
        let mut lab = Lab::formed(4, 0, 15_000);
        lab.run(300);
        let unlinked = lab.peer(0, 3);
        lab.act(0, |node, ctx| {
            node.bus.close_link(ctx, unlinked);
            let before = node.bus.sent;
            node.broadcast_publish(ctx, b"channel", b"message");
            node.broadcast_pong(ctx, PongTo::All);
            assert_eq!(node.bus.sent[MessageType::Publish as usize] - before[4], 2);
            assert_eq!(node.bus.sent[MessageType::Pong as usize] - before[1], 2);
        });
    }

    #[test]
    fn a_message_into_a_link_that_nobody_answers_counts_4_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.isolate(2);
        let peer = lab.peer(0, 2);
        let link = lab.node(0).bus.table.link(peer).unwrap();
        let before = lab.node(0).bus.sent[0];
        lab.act(0, |node, ctx| node.send_ping(ctx, link, Some(peer), MessageType::Ping));
        assert_eq!(lab.node(0).bus.sent[0], before + 1);
    }

    #[test]
    fn local_replicas_are_mine_or_my_masters_4_5() {
        let mut lab = Lab::formed(2, 4, 15_000);
        lab.run(500);
        for (from, to) in [(0, vec![2, 4]), (2, vec![4]), (1, vec![3, 5])] {
            lab.forget_records();
            lab.act(from, |node, ctx| node.broadcast_pong(ctx, PongTo::LocalReplicas));
            let pongs = lab.sent.iter().filter(|sent| sent.from == from);
            let mut reached: Vec<usize> = pongs.map(|sent| sent.to).collect();
            reached.sort_unstable();
            assert_eq!(reached, to);
        }
    }

    #[test]
    fn a_ping_on_my_link_is_noted_and_a_pong_is_not_4_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        lab.isolate(0);
        let peer = lab.peer(0, 1);
        let link = lab.node(0).bus.table.link(peer).unwrap();
        lab.act(0, |node, ctx| node.send_ping(ctx, link, Some(peer), MessageType::Pong));
        assert!(lab.node(0).bus.table.ping_sent(peer).is_never());
        lab.act(0, |node, ctx| node.send_ping(ctx, link, Some(peer), MessageType::Ping));
        assert_eq!(lab.node(0).bus.table.ping_sent(peer), lab.now.millis());
        lab.run(5);
        lab.act(0, |node, ctx| node.send_ping(ctx, link, Some(peer), MessageType::Ping));
        assert_eq!(lab.node(0).bus.table.ping_sent(peer), lab.now.millis(), "written over");
    }

    #[test]
    fn an_update_to_who_has_no_link_is_not_sent_3_5() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let (to, about) = (lab.peer(0, 1), lab.peer(0, 2));
        lab.act(0, |node, ctx| {
            node.bus.close_link(ctx, to);
            node.send_update(ctx, to, about);
            assert_eq!(node.bus.sent[MessageType::Update as usize], 0);
        });
    }

    #[test]
    fn messages_carry_flags_that_are_never_printed_2_2_3() {
        let mut lab = Lab::formed(3, 3, 15_000);
        lab.run(300);
        let ping = lab.message(0, MessageType::Ping);
        assert_eq!(ping.flags, Flags::MYSELF | Flags::MASTER | Flags::MIGRATE_TO);
        let peer = lab.peer(0, 1);
        lab.node(0).bus.table.set_flags(peer, Flags::MEET);
        let told = lab.node(0).bus.table.describe(peer).flags;
        assert_eq!(told, Flags::MASTER | Flags::MIGRATE_TO | Flags::MEET, "and not MYSELF");
    }

    #[test]
    fn an_answer_goes_back_on_the_link_of_the_question_and_the_rest_on_my_own_3_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let (peer, me) = (lab.peer(0, 1), lab.peer(1, 0));
        let theirs = lab.outbound(1, me, 0);
        let question = LinkEnd {
            id: theirs.id.other(),
            peer: None,
            local_ip: theirs.remote_ip,
            remote_ip: theirs.local_ip,
            remote_port: 40_000,
        };
        let mine = lab.outbound(0, peer, 1).id;
        let ping = lab.message(1, MessageType::Ping);
        let Lab { ids, out, nodes, now, .. } = &mut lab;
        let node = nodes[0].as_mut().unwrap();
        let mut ctx = Ctx { now: *now, ids, out };
        node.handle(Input::Packet(question, &ping), &mut ctx);
        assert_eq!(links(ctx.out, MessageType::Pong), [question.id]);
        node.broadcast_pong(&mut ctx, PongTo::All);
        node.broadcast_publish(&mut ctx, b"channel", b"message");
        for kind in [MessageType::Pong, MessageType::Publish] {
            let all = links(ctx.out, kind);
            let own = all.iter().filter(|link| link.is_opener()).count();
            assert!(all.contains(&mine), "{kind:?}");
            assert_eq!(own, 2, "{kind:?}: to each of the others");
        }
        node.send_update(&mut ctx, peer, peer);
        assert_eq!(links(ctx.out, MessageType::Update), [mine]);
    }

    /// On which links messages of a type were sent.
    fn links(out: &Outbox, kind: MessageType) -> Vec<LinkId> {
        let sent = |effect: &Effect| match effect {
            Effect::Send(link, packet) if packet.kind == kind => Some(*link),
            _ => None,
        };
        out.effects.iter().filter_map(sent).collect()
    }

    #[test]
    fn what_everybody_must_know_goes_to_all_with_a_link_but_not_to_strangers_4_6() {
        let mut lab = Lab::formed(3, 2, 15_000);
        lab.run(300);
        let unlinked = lab.peer(0, 2);
        // Nobody answers there, so the link stays as it is: dialled.
        lab.cut.insert((0, 0));
        lab.act(0, |node, ctx| {
            node.bus.start_handshake(ctx, endpoint(9));
            node.connect_missing(ctx);
            node.bus.close_link(ctx, unlinked);
        });
        let stranger = lab.handshakes(0)[0];
        assert!(lab.node(0).bus.table.link(stranger).is_some());
        lab.forget_records();
        lab.act(0, |node, ctx| {
            let failed = Body::Fail(node.bus.table.node(unlinked));
            node.broadcast(ctx, MessageType::Fail, &failed);
            node.broadcast(ctx, MessageType::AuthRequest, &Body::Empty);
        });
        for kind in [MessageType::Fail, MessageType::AuthRequest] {
            let receivers: Vec<usize> = (1..5).filter(|&to| lab.count(0, to, kind) == 1).collect();
            assert_eq!(receivers, [1, 3, 4], "{kind:?} goes to masters and replicas alike");
            assert_eq!(lab.sent.iter().filter(|sent| sent.packet.kind == kind).count(), 3);
        }
    }
}
