//! A master's vote: one in each epoch, and not twice about the same master within two node timeouts
//! (§8.4, §5.10).

use crate::node::Node;
use crate::node::bus::Todo;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Epoch, MessageType, Packet};
use crate::node::table::PeerIx;
use crate::slot::Slot;
use crate::time::Millis;

/// Two votes about the same master are this many node timeouts apart.
const VOTE_SPACING_TIMEOUTS: i64 = 2;

/// Why a vote is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    OldRequest(Epoch),
    AlreadyVoted,
    IsMaster,
    MasterUnknown,
    MasterUp,
    TooSoon(Millis),
    OldSlot(Slot, Epoch),
}

impl Node {
    /// Gives a replica my vote, or says why not (§8.4). Who has no vote says nothing.
    pub(crate) fn vote(&mut self, ctx: &mut Ctx<'_>, from: PeerIx, request: &Packet) {
        let replica = ctx.ids.id(self.bus.table.node(from));
        if !self.bus.is_master() || self.bus.table.peer(self.bus.myself).slot_count == 0 {
            return;
        }
        let master = match self.may_vote(ctx, from, request) {
            Ok(master) => master,
            Err(denial) => return self.deny(ctx, replica, request, denial),
        };
        let bus = &mut self.bus;
        bus.last_vote_epoch = bus.current_epoch;
        bus.table.history_mut(master).voted_time = ctx.now.millis();
        bus.todo.add(Todo::SAVE | Todo::FSYNC);
        if let Some(link) = bus.table.link(from) {
            let ack = self.message(ctx, MessageType::AuthAck);
            self.queue(ctx, link, ack);
        }
        let epoch = self.bus.current_epoch;
        self.log(
            ctx,
            Level::Warning,
            format_args!("Failover auth granted to {replica} for epoch {epoch}"),
        );
    }

    /// The master that the requester would replace, if it may have my vote. The order of the tests
    /// shows in the log (§8.4).
    fn may_vote(&self, ctx: &Ctx<'_>, from: PeerIx, request: &Packet) -> Result<PeerIx, Denial> {
        let bus = &self.bus;
        let table = &bus.table;
        if request.current_epoch < bus.current_epoch {
            return Err(Denial::OldRequest(request.current_epoch));
        }
        if bus.last_vote_epoch == bus.current_epoch {
            return Err(Denial::AlreadyVoted);
        }
        if table.flags(from).is_master() {
            return Err(Denial::IsMaster);
        }
        let master = table.peer(from).replica_of().ok_or(Denial::MasterUnknown)?;
        if !table.flags(master).any(Flags::FAIL) && !request.force_ack {
            return Err(Denial::MasterUp);
        }
        let spacing = Millis(self.config.node_timeout.0.saturating_mul(VOTE_SPACING_TIMEOUTS));
        let since = ctx.now.millis() - table.history(master).voted_time;
        if since < spacing {
            return Err(Denial::TooSoon(spacing - since));
        }
        match bus.newer_owner(&request.slots, request.config_epoch) {
            Some((slot, owner)) => Err(Denial::OldSlot(slot, table.peer(owner).config_epoch)),
            None => Ok(master),
        }
    }

    fn deny(
        &self,
        ctx: &mut Ctx<'_>,
        replica: crate::id::NodeId,
        request: &Packet,
        denial: Denial,
    ) {
        let current = self.bus.current_epoch;
        let why = match denial {
            Denial::OldRequest(epoch) => format!("reqEpoch ({epoch}) < curEpoch({current})"),
            Denial::AlreadyVoted => format!("already voted for epoch {current}"),
            Denial::IsMaster => "it is a master node".to_owned(),
            Denial::MasterUnknown => "I don't know its master".to_owned(),
            Denial::MasterUp => "its master is up".to_owned(),
            Denial::TooSoon(rest) => {
                format!("can't vote about this master before {rest} milliseconds")
            }
            Denial::OldSlot(slot, epoch) => {
                format!("slot {slot} epoch ({epoch}) > reqEpoch ({})", request.config_epoch)
            }
        };
        self.log(ctx, Level::Warning, format_args!("Failover auth denied to {replica}: {why}"));
    }

    /// Somebody voted for me, or for who I was when I last asked: nobody checks (§5.10, 15.11).
    pub(crate) fn vote_received(&mut self, from: PeerIx, ack: &Packet) {
        let table = &self.bus.table;
        let has_vote = table.flags(from).is_master() && table.peer(from).slot_count > 0;
        if has_vote && ack.current_epoch >= self.bus.election.epoch {
            self.bus.election.votes += 1;
            self.bus.todo.add(Todo::FAILOVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id};
    use crate::node::packet::Epoch;

    /// A cluster in which master 0 is in FAIL for everybody, and the request that its replica 3
    /// would send.
    fn ballot() -> (Lab, Packet) {
        let mut lab = Lab::formed(3, 3, 1_000);
        lab.run(4_000);
        for node in 1..6 {
            let master = lab.peer(node, 0);
            lab.node(node).bus.table.set_flags(master, Flags::FAIL);
        }
        let mut packet = *lab.act(3, |node, ctx| node.message(ctx, MessageType::AuthRequest));
        packet.current_epoch = Epoch(9);
        (lab, packet)
    }

    fn ask(lab: &mut Lab, request: &Packet) -> String {
        let from = lab.peer(1, 3);
        lab.node(1).bus.current_epoch = lab.node(1).bus.current_epoch.max(request.current_epoch);
        let lines = lab.lines.len();
        lab.act(1, |node, ctx| node.vote(ctx, from, request));
        lab.lines[lines..]
            .iter()
            .filter(|line| line.node == 1)
            .map(|line| line.text.clone())
            .collect()
    }

    fn denied(why: &str) -> String {
        format!("Failover auth denied to {}: {why}", id(3))
    }

    #[test]
    fn a_vote_is_saved_before_it_is_sent_and_noted_8_4_7() {
        let (mut lab, request) = ballot();
        let (saves, master) = (lab.saves.len(), lab.peer(1, 0));
        assert_eq!(
            ask(&mut lab, &request),
            format!("Failover auth granted to {} for epoch 9", id(3))
        );
        assert_eq!(lab.count(1, 3, MessageType::AuthAck), 1);
        assert!(lab.saves[saves..].contains(&(1, true)), "with fsync");
        assert!(lab.saved[1].as_ref().unwrap().ends_with("lastVoteEpoch 9\n"));
        let now = lab.now.millis();
        assert_eq!(lab.node(1).bus.table.history(master).voted_time, now);
    }

    #[test]
    fn the_tests_before_a_vote_come_in_this_order_8_4() {
        let (mut lab, request) = ballot();
        let (replica, master) = (lab.peer(1, 3), lab.peer(1, 0));
        let now = lab.now.millis();
        // Everything is wrong at once; each repair brings up the next reason.
        let node = lab.node(1);
        node.bus.current_epoch = Epoch(10);
        node.bus.last_vote_epoch = Epoch(9);
        node.bus.table.set_flags(replica, Flags::MASTER);
        node.bus.table.clear_flags(master, Flags::FAIL);
        node.bus.table.peer_mut(master).config_epoch = Epoch(5);
        node.bus.table.history_mut(master).voted_time = now - Millis(500);
        node.bus.table.peer_mut(replica).set_replica_of(None);
        assert_eq!(ask(&mut lab, &request), denied("reqEpoch (9) < curEpoch(10)"));
        lab.node(1).bus.current_epoch = Epoch(9);
        assert_eq!(ask(&mut lab, &request), denied("already voted for epoch 9"));
        lab.node(1).bus.last_vote_epoch = Epoch(8);
        assert_eq!(ask(&mut lab, &request), denied("it is a master node"));
        lab.node(1).bus.table.clear_flags(replica, Flags::MASTER);
        assert_eq!(ask(&mut lab, &request), denied("I don't know its master"));
        lab.node(1).bus.table.peer_mut(replica).set_replica_of(Some(master));
        assert_eq!(ask(&mut lab, &request), denied("its master is up"));
        lab.node(1).bus.table.set_flags(master, Flags::FAIL);
        assert_eq!(
            ask(&mut lab, &request),
            denied("can't vote about this master before 1500 milliseconds")
        );
        lab.node(1).bus.table.history_mut(master).voted_time = Millis::NEVER;
        assert_eq!(ask(&mut lab, &request), denied("slot 0 epoch (5) > reqEpoch (1)"));
        lab.node(1).bus.table.peer_mut(master).config_epoch = Epoch(1);
        assert!(ask(&mut lab, &request).starts_with("Failover auth granted"));
    }

    #[test]
    fn who_has_no_vote_keeps_silent_8_4_1() {
        let (mut lab, request) = ballot();
        lab.act(1, |node, _| node.bus.del_node_slots(node.bus.myself));
        assert_eq!(ask(&mut lab, &request), "");
        let from = lab.peer(4, 3);
        let lines = lab.lines.len();
        lab.act(4, |node, ctx| node.vote(ctx, from, &request));
        assert_eq!(lab.lines.len(), lines, "replicas have no vote either");
        assert_eq!(lab.count(4, 3, MessageType::AuthAck), 0);
    }

    #[test]
    fn a_forced_request_gets_a_vote_although_the_master_is_up_8_4_4() {
        let (mut lab, mut request) = ballot();
        let master = lab.peer(1, 0);
        lab.node(1).bus.table.clear_flags(master, Flags::FAIL);
        request.force_ack = true;
        assert!(ask(&mut lab, &request).starts_with("Failover auth granted"));
    }

    #[test]
    fn two_votes_about_one_master_are_two_timeouts_apart_but_a_restart_forgets_that_15_38() {
        let (mut lab, mut request) = ballot();
        assert!(ask(&mut lab, &request).starts_with("Failover auth granted"));
        request.current_epoch = Epoch(10);
        let wait = "can't vote about this master before 2000 milliseconds";
        assert_eq!(ask(&mut lab, &request), denied(wait));
        lab.kill(1);
        lab.boot(1);
        let master = lab.peer(1, 0);
        assert_eq!(lab.node(1).bus.last_vote_epoch, Epoch(9), "this is remembered");
        assert_eq!(lab.node(1).bus.table.history(master).voted_time, Millis::NEVER, "this is not");
        request.current_epoch = Epoch(9);
        lab.node(1).bus.current_epoch = Epoch(9);
        assert_eq!(ask(&mut lab, &request), denied("already voted for epoch 9"));
    }

    #[test]
    fn votes_are_counted_without_asking_who_gave_one_before_5_10() {
        let (mut lab, _) = ballot();
        let voter = lab.peer(3, 1);
        let mut ack = *lab.act(1, |node, ctx| node.message(ctx, MessageType::AuthAck));
        lab.node(3).bus.election.epoch = Epoch(9);
        ack.current_epoch = Epoch(8);
        lab.node(3).vote_received(voter, &ack);
        assert_eq!(lab.node(3).bus.election.votes, 0, "a vote of an earlier epoch does not count");
        ack.current_epoch = Epoch(9);
        lab.node(3).vote_received(voter, &ack);
        lab.node(3).vote_received(voter, &ack);
        assert_eq!(lab.node(3).bus.election.votes, 2);
        let replica = lab.peer(3, 4);
        lab.node(3).vote_received(replica, &ack);
        assert_eq!(lab.node(3).bus.election.votes, 2, "replicas have no vote");
        assert!(lab.node(3).bus.todo.any(Todo::FAILOVER));
    }
}
