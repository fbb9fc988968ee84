//! Failure detection: what others report, PFAIL, FAIL, and back (§6).
//!
//! PFAIL is my own opinion and is set by the cron's clock (§6.1). FAIL is the majority's and is only
//! ever decided when gossip from a master arrives (§6.3).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Body, MessageType, Packet};
use crate::node::table::{FailReport, PeerIx};
use crate::time::Millis;

/// A report is valid for this many node timeouts (§1.1).
const REPORT_VALIDITY_TIMEOUTS: i64 = 2;
/// FAIL of a master with slots may be cleared after this many node timeouts (§1.1).
const FAIL_UNDO_TIMEOUTS: i64 = 2;

impl Bus {
    /// Adds or renews a report; returns whether it is new (§6.4).
    fn add_report(&mut self, about: PeerIx, reporter: PeerIx, now: Millis) -> bool {
        self.table.change_reports(about, |reports| {
            match reports.iter_mut().find(|report| report.reporter == reporter) {
                Some(report) => report.time = now,
                None => {
                    reports.push(FailReport { reporter, time: now });
                    return true;
                }
            }
            false
        })
    }

    /// Drops reports about a node that are too old (§6.4).
    fn purge_reports(&mut self, about: PeerIx, now: Millis, node_timeout: Millis) {
        let valid = node_timeout.times(REPORT_VALIDITY_TIMEOUTS);
        self.table.change_reports(about, |reports| reports.retain(|r| now - r.time <= valid));
    }

    /// Takes back what `reporter` said about a node; returns whether it had said anything (§6.4).
    pub(crate) fn remove_report(&mut self, about: PeerIx, reporter: PeerIx) -> bool {
        if !self.table.is_reported(about) {
            return false;
        }
        self.table.change_reports(about, |reports| {
            let before = reports.len();
            reports.retain(|report| report.reporter != reporter);
            reports.len() < before
        })
    }

    /// Puts a node into FAIL (§6.3, §5.10).
    fn set_fail(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        self.table.clear_flags(ix, Flags::PFAIL);
        self.table.set_flags(ix, Flags::FAIL);
        self.table.history_mut(ix).fail_time = ctx.now.millis();
        self.todo.add(Todo::UPDATE | Todo::SAVE);
        ctx.out.notice(Notice::Fail(self.table.node(ix)));
    }
}

impl Node {
    /// How many masters say that a node fails (§6.4).
    pub(crate) fn failure_report_count(&mut self, ctx: &mut Ctx<'_>, about: PeerIx) -> u32 {
        if !self.bus.table.is_reported(about) {
            return 0;
        }
        self.bus.purge_reports(about, ctx.now.millis(), self.config.node_timeout);
        self.bus.table.fail_reports(about).len() as u32
    }

    /// A master says that a node fails, or that it does not (§5.9.2).
    pub(crate) fn hear_report(
        &mut self,
        ctx: &mut Ctx<'_>,
        reporter: PeerIx,
        about: PeerIx,
        failing: bool,
    ) {
        let now = ctx.now.millis();
        let news = if failing {
            self.bus.add_report(about, reporter, now).then_some("as not reachable.")
        } else if self.bus.remove_report(about, reporter) {
            self.bus.purge_reports(about, now, self.config.node_timeout);
            Some("is back online.")
        } else {
            None
        };
        if let Some(news) = news {
            let (by, id) = (self.bus.id_of(ctx.ids, reporter), self.bus.id_of(ctx.ids, about));
            self.log(ctx, Level::Verbose, format_args!("Node {by} reported node {id} {news}"));
        }
        if failing {
            self.mark_failing_if_needed(ctx, about);
        }
    }

    /// Puts a node into FAIL if I think that it fails and the majority of masters does (§6.3).
    fn mark_failing_if_needed(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let flags = self.bus.table.flags(ix);
        if !flags.any(Flags::PFAIL) || flags.any(Flags::FAIL) {
            return;
        }
        let votes = self.failure_report_count(ctx, ix) + u32::from(self.bus.is_master());
        if votes < self.bus.quorum() {
            return;
        }
        let id = self.bus.id_of(ctx.ids, ix);
        let text = format_args!("Marking node {id} as failing (quorum reached).");
        self.log(ctx, Level::Notice, text);
        self.bus.set_fail(ctx, ix);
        let body = Body::Fail(self.bus.table.node(ix));
        self.broadcast(ctx, MessageType::Fail, &body);
    }

    /// Somebody says that a node is in FAIL (§5.10).
    pub(crate) fn hear_fail(&mut self, ctx: &mut Ctx<'_>, sender: Option<PeerIx>, packet: &Packet) {
        let Body::Fail(about) = packet.body else { return };
        let (by, id) = (ctx.ids.id(packet.sender), ctx.ids.id(about));
        if sender.is_none() {
            let text = format_args!("Ignoring FAIL message from unknown node {by} about {id}");
            self.log(ctx, Level::Notice, text);
            return;
        }
        let Some(ix) = self.bus.table.find(about) else { return };
        if !self.bus.table.flags(ix).any(Flags::FAIL | Flags::MYSELF) {
            let text = format_args!("FAIL message received from {by} about {id}");
            self.log(ctx, Level::Notice, text);
            self.bus.set_fail(ctx, ix);
        }
    }

    /// A node answered on my own link: what I held against it is over, or nearly (§5.6.3).
    pub(crate) fn hear_pong(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        self.bus.table.set_pong_received(ix, ctx.now.millis());
        self.bus.table.set_ping_sent(ix, Millis::NEVER);
        let flags = self.bus.table.flags(ix);
        if flags.any(Flags::PFAIL) {
            self.bus.table.clear_flags(ix, Flags::PFAIL);
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
            ctx.out.notice(Notice::PfailCleared(self.bus.table.node(ix)));
        } else if flags.any(Flags::FAIL) {
            self.clear_fail_if_needed(ctx, ix);
        }
    }

    /// Takes a node that answers out of FAIL, unless somebody may still take its place (§6.5).
    fn clear_fail_if_needed(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let flags = self.bus.table.flags(ix);
        let slots = self.bus.table.peer(ix).slot_count;
        let failed = self.bus.table.history(ix).fail_time;
        let undo_after = self.config.node_timeout.times(FAIL_UNDO_TIMEOUTS);
        let why = if flags.is_replica() {
            "replica is reachable again."
        } else if slots == 0 {
            "master without slots is reachable again."
        } else if flags.is_master() && ctx.now.millis() - failed > undo_after {
            "is reachable again and nobody is serving its slots after some time."
        } else {
            return;
        };
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Notice, format_args!("Clear FAIL state for node {id}: {why}"));
        self.bus.table.clear_flags(ix, Flags::FAIL);
        self.bus.todo.add(Todo::UPDATE | Todo::SAVE);
        ctx.out.notice(Notice::FailCleared(self.bus.table.node(ix)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id};
    use crate::node::packet::Packet;

    /// A PING of a node that calls another one failing.
    fn accusation(lab: &mut Lab, by: usize, about: usize) -> Box<Packet> {
        let mut ping = lab.message(by, MessageType::Ping);
        let entry = lab.gossip(about, Flags::MASTER | Flags::PFAIL);
        ping.gossip.push(entry);
        ping
    }

    fn suspect(lab: &mut Lab, at: usize, about: usize) -> PeerIx {
        let peer = lab.peer(at, about);
        lab.node(at).bus.table.set_flags(peer, Flags::PFAIL);
        peer
    }

    #[test]
    fn a_silent_node_is_suspected_after_a_timeout_6_1() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(2_000);
        lab.isolate(2);
        let pinged = lab.run_until(3_000, |lab| {
            let peer = lab.peer(0, 2);
            !lab.node(0).bus.table.ping_sent(peer).is_never()
        });
        let waited = lab.run_until(4_000, |lab| {
            let peer = lab.peer(0, 2);
            lab.node(0).bus.table.flags(peer).any(Flags::PFAIL)
        });
        assert!((3_000..=3_101).contains(&waited), "pinged at {pinged}, suspected {waited} later");
        assert!(lab.logged(0, &format!("*** NODE {} possibly failing", id(2))));
    }

    #[test]
    fn a_peer_that_can_reach_me_is_never_pfail_6_1() {
        let mut lab = Lab::formed(3, 0, 1_000);
        lab.run(2_000);
        let peer = lab.peer(0, 2);
        // What 0 sends to 2 is lost, but not the other way round.
        lab.cut.insert((0, 2));
        for _ in 0..100 {
            let pong = lab.message(2, MessageType::Pong);
            lab.hear(0, 1, &pong);
            lab.run(100);
            assert!(!lab.node(0).bus.table.flags(peer).is_failing());
        }
        assert!(!lab.node(0).bus.table.ping_sent(peer).is_never(), "its answers never come");
    }

    #[test]
    fn a_majority_of_masters_makes_it_fail_6_3() {
        let mut lab = Lab::formed(5, 0, 15_000);
        lab.run(3_000);
        let peer = suspect(&mut lab, 0, 4);
        lab.forget_records();
        let ping = accusation(&mut lab, 1, 4);
        lab.hear(0, 1, &ping);
        assert!(lab.node(0).bus.table.flags(peer).any(Flags::PFAIL), "two of five");
        let ping = accusation(&mut lab, 2, 4);
        lab.hear(0, 2, &ping);
        let flags = lab.node(0).bus.table.flags(peer);
        assert!(flags.any(Flags::FAIL) && !flags.any(Flags::PFAIL));
        assert!(lab.logged(0, &format!("Marking node {} as failing (quorum reached).", id(4))));
        for other in 1..5 {
            assert_eq!(lab.count(0, other, MessageType::Fail), 1, "everybody is told");
        }
        let text = format!("FAIL message received from {} about {}", id(0), id(4));
        assert!(lab.logged(3, &text));
    }

    #[test]
    fn who_is_not_suspected_by_me_does_not_fail_6_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(3_000);
        for by in [0, 1] {
            let ping = accusation(&mut lab, by, 2);
            if by == 1 {
                lab.hear(0, by, &ping);
            }
        }
        let peer = lab.peer(0, 2);
        assert!(!lab.node(0).bus.table.flags(peer).is_failing());
    }

    #[test]
    fn a_replica_can_count_the_votes_but_has_none_6_3() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.run(3_000);
        let peer = suspect(&mut lab, 3, 2);
        let ping = accusation(&mut lab, 0, 2);
        lab.hear(3, 0, &ping);
        assert!(lab.node(3).bus.table.flags(peer).any(Flags::PFAIL), "one of three");
        let ping = accusation(&mut lab, 1, 2);
        lab.hear(3, 1, &ping);
        assert!(lab.node(3).bus.table.flags(peer).any(Flags::FAIL));
    }

    #[test]
    fn the_word_of_a_replica_does_not_count_5_9_2() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.run(3_000);
        let peer = suspect(&mut lab, 0, 2);
        let ping = accusation(&mut lab, 3, 2);
        lab.hear(0, 3, &ping);
        assert!(lab.node(0).bus.table.fail_reports(peer).is_empty());
    }

    #[test]
    fn a_report_is_renewed_taken_back_or_expires_6_4() {
        let mut lab = Lab::formed(5, 0, 3_000);
        lab.run(3_000);
        let (peer, a, b) = (lab.peer(0, 4), lab.peer(0, 1), lab.peer(0, 2));
        lab.forget_records();
        let reports = |lab: &mut Lab| lab.act(0, |node, ctx| node.failure_report_count(ctx, peer));
        lab.act(0, |node, ctx| node.hear_report(ctx, a, peer, true));
        lab.act(0, |node, ctx| node.hear_report(ctx, b, peer, true));
        let text = format!("Node {} reported node {} as not reachable.", id(1), id(4));
        assert!(lab.logged(0, &text));
        lab.isolate(0);
        lab.now = crate::time::Wall(lab.now.0 + 6_000_000);
        lab.act(0, |node, ctx| node.hear_report(ctx, a, peer, true));
        assert_eq!(reports(&mut lab), 2, "two timeouts old is not too old");
        lab.now = crate::time::Wall(lab.now.0 + 1_000);
        assert_eq!(reports(&mut lab), 1);
        lab.act(0, |node, ctx| node.hear_report(ctx, a, peer, false));
        assert_eq!(reports(&mut lab), 0);
        assert!(lab.logged(0, &format!("Node {} reported node {} is back online.", id(1), id(4))));
    }

    #[test]
    fn a_fail_message_is_believed_at_once_5_10() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(3_000);
        lab.forget_records();
        let mut fail = lab.message(1, MessageType::Fail);
        fail.body = Body::Fail(lab.ids.intern(id(2)));
        lab.hear(0, 1, &fail);
        let peer = lab.peer(0, 2);
        assert!(lab.node(0).bus.table.flags(peer).any(Flags::FAIL));
        let noticed = lab.notices.iter().filter(|(node, _)| *node == 0);
        assert!(noticed.clone().any(|(_, notice)| matches!(notice, Notice::Fail(_))));
        lab.forget_records();
        lab.hear(0, 1, &fail);
        assert!(lab.lines.iter().all(|line| line.level < Level::Notice), "once is enough");
    }

    #[test]
    fn nobody_believes_that_he_fails_himself_5_10() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(3_000);
        let mut fail = lab.message(1, MessageType::Fail);
        fail.body = Body::Fail(lab.ids.intern(id(0)));
        lab.hear(0, 1, &fail);
        let me = lab.peer(0, 0);
        assert!(!lab.node(0).bus.table.flags(me).is_failing());
    }

    #[test]
    fn a_fail_message_of_a_stranger_is_ignored_5_10() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(3_000);
        let mut fail = lab.message(1, MessageType::Fail);
        fail.sender = lab.ids.intern(id(77));
        fail.body = Body::Fail(lab.ids.intern(id(2)));
        lab.hear(0, 1, &fail);
        let text = format!("Ignoring FAIL message from unknown node {} about {}", id(77), id(2));
        assert!(lab.logged(0, &text));
        let peer = lab.peer(0, 2);
        assert!(!lab.node(0).bus.table.flags(peer).is_failing());
    }

    #[test]
    fn suspicion_ends_with_an_answer_without_a_word_5_6_3() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(3_000);
        let peer = suspect(&mut lab, 0, 2);
        lab.forget_records();
        let pong = lab.message(2, MessageType::Pong);
        lab.hear(0, 2, &pong);
        assert!(lab.node(0).bus.table.flags(peer).any(Flags::PFAIL), "only on my own link");
        lab.hear_on_own_link(0, 2, &pong);
        assert!(!lab.node(0).bus.table.flags(peer).is_failing());
        assert!(lab.lines.iter().all(|line| line.level < Level::Verbose));
        assert_eq!(lab.saves, [(0, false)]);
    }

    #[test]
    fn fail_is_cleared_at_once_for_who_serves_nothing_6_5_1() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.run(3_000);
        let replica = lab.peer(0, 3);
        let slotless = lab.peer(0, 1);
        lab.node(0).bus.del_node_slots(slotless);
        for (ix, node, word) in [(replica, 3, "replica"), (slotless, 1, "master without slots")] {
            lab.node(0).bus.table.set_flags(ix, Flags::FAIL);
            let pong = lab.message(node, MessageType::Pong);
            lab.hear_on_own_link(0, node, &pong);
            let text =
                format!("Clear FAIL state for node {}: {word} is reachable again.", id(node));
            assert!(lab.logged(0, &text));
            assert!(!lab.node(0).bus.table.flags(ix).is_failing());
        }
    }

    #[test]
    fn fail_of_a_master_with_slots_lasts_two_timeouts_6_5_2() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(3_000);
        let peer = lab.peer(0, 2);
        let fail_time = lab.now.millis();
        lab.act(0, |node, ctx| node.bus.set_fail(ctx, peer));
        let cleared =
            lab.run_until(20_000, |lab| !lab.node(0).bus.table.flags(peer).any(Flags::FAIL));
        assert!((6_001..9_000).contains(&cleared), "{cleared} ms after {fail_time}");
        let text = format!(
            "Clear FAIL state for node {}: is reachable again and nobody is serving its slots \
             after some time.",
            id(2)
        );
        assert!(lab.logged(0, &text));
    }

    #[test]
    fn a_single_master_never_marks_its_replica_6_3_1() {
        let mut lab = Lab::formed(1, 1, 1_000);
        lab.run(3_000);
        lab.kill(1);
        lab.run(10_000);
        let peer = lab.peer(0, 1);
        assert!(lab.node(0).bus.table.flags(peer).any(Flags::PFAIL), "for ever");
    }

    #[test]
    fn a_surviving_replica_marks_its_sibling_6_3_1() {
        let mut lab = Lab::formed(1, 2, 1_000);
        lab.run(3_000);
        lab.kill(2);
        lab.run(5_000);
        assert!(lab.logged(1, &format!("Marking node {} as failing (quorum reached).", id(2))));
        let text = format!("FAIL message received from {} about {}", id(1), id(2));
        assert!(lab.logged(0, &text));
    }

    #[test]
    fn replicas_of_the_only_master_never_mark_it_6_3_1() {
        let mut lab = Lab::formed(1, 2, 1_000);
        lab.run(3_000);
        lab.kill(0);
        lab.run(8_000);
        for replica in [1, 2] {
            let peer = lab.peer(replica, 0);
            assert!(lab.node(replica).bus.table.flags(peer).any(Flags::PFAIL));
            assert!(lab.logged(replica, "Cluster state changed: fail"));
        }
    }

    #[test]
    fn fail_takes_the_place_of_suspicion_which_does_not_come_back_2_2_4() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.run(3_000);
        let replica = lab.peer(0, 3);
        lab.node(0).bus.table.set_flags(replica, Flags::PFAIL);
        lab.act(0, |node, ctx| node.bus.set_fail(ctx, replica));
        assert_eq!(lab.node(0).bus.table.flags(replica), Flags::REPLICA | Flags::FAIL);
        let pong = lab.message(3, MessageType::Pong);
        lab.hear_on_own_link(0, 3, &pong);
        assert_eq!(lab.node(0).bus.table.flags(replica), Flags::REPLICA);
    }
}
