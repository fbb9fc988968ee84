//! The cluster cron, ten times a second (§7).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::MessageType;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// Every so many crons somebody is pinged at random (§1.1).
const RANDOM_PING_CRONS: u64 = 10;
/// Of so many draws the one that was silent for longest is pinged (§1.1).
const RANDOM_PING_DRAWS: u32 = 5;

impl Node {
    /// One run of the cluster cron (§7).
    pub(crate) fn cluster_cron(&mut self, ctx: &mut Ctx<'_>) {
        self.bus.cron_iteration += 1;
        self.sync_announced_ip(ctx);
        self.sync_nofailover();
        self.bus.pfail_nodes = self.bus.table.census().pfail;
        self.expire_handshakes(ctx);
        self.connect_missing(ctx);
        if self.bus.cron_iteration.is_multiple_of(RANDOM_PING_CRONS) {
            self.ping_at_random(ctx);
        }
        let suspects = self.check_peers(ctx);
        self.follow_known_master(ctx);
        self.time_out_manual_failover(ctx);
        if !self.bus.is_master() {
            self.manual_failover_step(ctx);
            self.failover_step(ctx);
            self.consider_migration(ctx);
        }
        if suspects || !self.bus.state_ok {
            self.update_state(ctx);
        }
    }

    /// Makes my NOFAILOVER flag what the configuration says (§7.1).
    pub(crate) fn sync_nofailover(&mut self) {
        let me = self.bus.myself;
        let wanted = self.config.replica_no_failover;
        if self.bus.table.flags(me).any(Flags::NOFAILOVER) == wanted {
            return;
        }
        if wanted {
            self.bus.table.set_flags(me, Flags::NOFAILOVER);
        } else {
            self.bus.table.clear_flags(me, Flags::NOFAILOVER);
        }
        self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
    }

    /// Pings the node that was silent for longest among a few drawn ones (§7.3).
    fn ping_at_random(&mut self, ctx: &mut Ctx<'_>) {
        let Some(ix) = self.bus.draw_silent() else { return };
        let Some(link) = self.bus.table.link(ix) else { return };
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Debug, format_args!("Pinging node {id}"));
        self.send_ping(ctx, link, Some(ix), MessageType::Ping);
    }

    /// Looks at every peer that may need a ping, a new link, or PFAIL, in table order (§7.4): who is
    /// silent for half a timeout, and who has a ping pending or is anything else than well. Returns
    /// whether PFAIL was set.
    fn check_peers(&mut self, ctx: &mut Ctx<'_>) -> bool {
        #[cfg(test)]
        if self.bus.naive {
            return tests::check_peers_naively(self, ctx);
        }
        let now = ctx.now.millis();
        let mut silent = std::mem::take(&mut ctx.out.silent);
        let since = now - self.config.node_timeout.half() - Millis(1);
        self.bus.table.silent_since(since, &mut silent);
        if let Some(successor) = self.bus.successor() {
            let rank = self.bus.table.rank(successor);
            let at = silent.partition_point(|&ix| self.bus.table.rank(ix) < rank);
            let known = self.bus.table.order().get(rank) == Some(&successor);
            if known && silent.get(at) != Some(&successor) {
                silent.insert(at, successor);
            }
        }
        let mut suspects = false;
        for &ix in &silent {
            suspects |= self.check_peer(ctx, ix, now);
        }
        ctx.out.silent = silent;
        suspects
    }

    /// Looks at one peer (§7.4.2-§7.4.6). Returns whether PFAIL was set.
    fn check_peer(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx, now: Millis) -> bool {
        let timeout = self.config.node_timeout;
        let table = &self.bus.table;
        let flags = table.flags(ix);
        if flags.any(Flags::MYSELF | Flags::NOADDR | Flags::HANDSHAKE) {
            return false;
        }
        let ping_sent = table.ping_sent(ix);
        let idle = ping_sent.is_never();
        let silence = (now - ping_sent).min(now - table.peer(ix).data_received);
        if !idle && silence > timeout.half() && now - table.history(ix).link_ctime > timeout {
            self.bus.close_link(ctx, ix);
        }
        let overdue = idle && now - self.bus.table.pong_received(ix) > timeout.half();
        if let Some(link) = self.bus.table.link(ix)
            && (overdue || self.bus.successor() == Some(ix))
        {
            self.send_ping(ctx, link, Some(ix), MessageType::Ping);
            return false;
        }
        !idle && silence > timeout && !flags.is_failing() && self.set_pfail(ctx, ix)
    }

    /// I think that this node fails (§6.1).
    fn set_pfail(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) -> bool {
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Debug, format_args!("*** NODE {id} possibly failing"));
        self.bus.table.set_flags(ix, Flags::PFAIL);
        ctx.out.notice(Notice::Pfail(self.bus.table.node(ix)));
        true
    }

    /// A replica that does not replicate yet begins as soon as it knows its master's address: this is
    /// how replication starts after a restart (§7.5).
    fn follow_known_master(&mut self, ctx: &mut Ctx<'_>) {
        if self.bus.is_master() || self.replication.master.is_some() {
            return;
        }
        if let Some(master) = self.bus.my_master()
            && !self.bus.table.flags(master).any(Flags::NOADDR)
        {
            let endpoint = ctx.ids.endpoint(self.bus.table.endpoint(master));
            self.follow(ctx, endpoint);
        }
    }
}

impl Bus {
    /// Draws a few nodes; of those that could be pinged, the one whose last pong is oldest (§7.3).
    fn draw_silent(&mut self) -> Option<PeerIx> {
        let mut lottery = self.table.lottery(&mut self.gossip_draws);
        let mut silent: Option<(Millis, PeerIx)> = None;
        for _ in 0..RANDOM_PING_DRAWS {
            let ix = lottery.draw();
            let idle = self.table.link(ix).is_some() && self.table.ping_sent(ix).is_never();
            if !idle || self.table.flags(ix).any(Flags::MYSELF | Flags::HANDSHAKE) {
                continue;
            }
            let pong = self.table.pong_received(ix);
            if silent.is_none_or(|(oldest, _)| oldest > pong) {
                silent = Some((pong, ix));
            }
        }
        silent.map(|(_, ix)| ix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, endpoint, id, ip};
    use proptest::prelude::*;

    /// §7.4 to the letter: every peer, every time.
    pub(super) fn check_peers_naively(node: &mut Node, ctx: &mut Ctx<'_>) -> bool {
        let mut suspects = false;
        for ix in node.bus.table.order().to_vec() {
            let now = ctx.now.millis();
            let timeout = node.config.node_timeout;
            let ping_sent = node.bus.table.ping_sent(ix);
            if node.bus.table.flags(ix).any(Flags::MYSELF | Flags::NOADDR | Flags::HANDSHAKE) {
                continue;
            }
            let ping_delay = now - ping_sent;
            let data_delay = now - node.bus.table.peer(ix).data_received;
            if node.bus.table.link(ix).is_some()
                && now - node.bus.table.history(ix).link_ctime > timeout
                && ping_sent.0 != 0
                && ping_delay > timeout.half()
                && data_delay > timeout.half()
            {
                node.bus.close_link(ctx, ix);
            }
            if let Some(link) = node.bus.table.link(ix)
                && ping_sent.0 == 0
                && now - node.bus.table.pong_received(ix) > timeout.half()
            {
                node.send_ping(ctx, link, Some(ix), MessageType::Ping);
                continue;
            }
            if node.bus.manual_failover.runs()
                && node.bus.is_master()
                && node.bus.manual_failover.replica == Some(ix)
                && let Some(link) = node.bus.table.link(ix)
            {
                node.send_ping(ctx, link, Some(ix), MessageType::Ping);
                continue;
            }
            if ping_sent.0 == 0 {
                continue;
            }
            if ping_delay.min(data_delay) > timeout
                && !node.bus.table.flags(ix).any(Flags::PFAIL | Flags::FAIL)
            {
                suspects |= node.set_pfail(ctx, ix);
            }
        }
        suspects
    }

    /// A run of a small cluster through faults; everything that left a process, and when.
    fn story(naive: bool, timeout: i64, faults: &[(usize, u8, u64)]) -> Vec<String> {
        let mut lab = Lab::formed(4, 1, timeout);
        for node in 0..5 {
            lab.node(node).bus.naive = naive;
        }
        let mut told = Vec::new();
        for &(node, fault, then) in faults {
            match fault {
                0 => lab.kill(node),
                1 if lab.nodes[node].is_none() => {
                    lab.boot(node);
                    lab.node(node).bus.naive = naive;
                }
                2 => lab.isolate(node),
                3 => lab.cut.clear(),
                4 => {
                    if let Some(node) = &mut lab.nodes[node] {
                        node.config.node_timeout = Millis(timeout / 2 + 100);
                    }
                }
                5 => {
                    lab.cut.insert((node, (node + 1) % 5));
                }
                6 if lab.nodes[4].is_some() => {
                    lab.ask(4, "CLUSTER FAILOVER");
                }
                _ => {}
            }
            lab.run(then);
            let sent = lab.sent.iter().map(|s| {
                let gossip: Vec<_> = s.packet.gossip.iter().map(|g| (g.node, g.flags)).collect();
                format!("{} -> {}: {:?} {gossip:?}", s.from, s.to, s.packet.kind)
            });
            told.extend(sent);
            told.extend(lab.lines.iter().map(|line| format!("{line:?}")));
            lab.forget_records();
        }
        told
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn looking_only_at_who_is_due_changes_nothing_7_4(
            timeout in prop::sample::select(vec![300_i64, 1_000, 2_001, 5_000]),
            faults in prop::collection::vec((0..5_usize, 0..7_u8, 100..6_000_u64), 1..6),
        ) {
            let lazy = story(false, timeout, &faults);
            prop_assert!(!lazy.is_empty());
            prop_assert_eq!(lazy, story(true, timeout, &faults));
        }
    }

    #[test]
    fn a_silent_link_is_recycled_and_reopened_one_cron_later_3_7() {
        let mut lab = Lab::formed(2, 0, 1_000);
        lab.run(3_000);
        lab.isolate(1);
        let peer = lab.peer(0, 1);
        let link = lab.node(0).bus.table.link(peer);
        let waited = lab.run_until(5_000, |lab| lab.node(0).bus.table.link(peer).is_none());
        let age = lab.now.millis() - lab.node(0).bus.table.ping_sent(peer);
        assert!((501..=601).contains(&age.0), "{age} ms after the ping, {waited} after the cut");
        lab.run(100);
        assert!(lab.node(0).bus.table.link(peer).is_some_and(|new| Some(new) != link));
        let waited = lab.run_until(5_000, |lab| lab.node(0).bus.table.link(peer).is_none());
        assert!((1_000..1_102).contains(&waited), "once per timeout at most, {waited}");
    }

    #[test]
    fn a_node_is_pinged_half_a_timeout_after_its_last_answer_7_4_3() {
        let mut lab = Lab::formed(2, 0, 4_000);
        lab.run(3_000);
        let peer = lab.peer(0, 1);
        for _ in 0..20 {
            lab.run(100);
            let silence = lab.now.millis() - lab.node(0).bus.table.pong_received(peer);
            assert!(silence <= Millis(2_101), "{silence}");
        }
    }

    #[test]
    fn a_fresh_link_carries_two_pings_15_3() {
        let mut lab = Lab::alone(3);
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1)));
        lab.act(1, |node, ctx| node.bus.start_handshake(ctx, endpoint(2)));
        let met = lab.run_until(5_000, |lab| lab.find(0, 2).is_some());
        lab.forget_records();
        lab.run(101);
        assert_eq!(lab.count(0, 2, MessageType::Ping), 2, "met after {met} ms");
    }

    #[test]
    fn the_successor_is_pinged_at_every_cron_7_4_4() {
        let mut lab = Lab::formed(3, 1, 4_000);
        lab.run(6_000);
        lab.cut.insert((0, 3));
        lab.ask(3, "CLUSTER FAILOVER");
        assert!(lab.node(0).bus.manual_failover.runs());
        let successor = lab.peer(0, 3);
        for pinged_just_now in [false, true, false] {
            lab.forget_records();
            lab.now = lab.now + crate::time::Span::millis(100);
            let now = lab.now.millis();
            lab.act(0, |node, ctx| {
                if pinged_just_now {
                    node.bus.table.set_ping_sent(successor, now);
                }
                node.bus.cron_iteration = 1;
                node.cluster_cron(ctx);
            });
            assert_eq!(lab.count(0, 3, MessageType::Ping), 1);
        }
    }

    #[test]
    fn the_state_is_looked_at_after_a_new_pfail_and_while_it_is_fail_7_8() {
        let mut lab = Lab::formed(3, 0, 1_000);
        lab.run(4_000);
        lab.isolate(0);
        // Whom nobody hears has lost the majority as soon as it suspects the others.
        lab.run_until(3_000, |lab| !lab.node(0).bus.state_ok);
        let (one, other) = (lab.peer(0, 1), lab.peer(0, 2));
        let table = &lab.node(0).bus.table;
        assert!([one, other].iter().all(|&ix| table.flags(ix).any(Flags::PFAIL)));
        // Nothing new happens but that time goes by: only the cron can find the state ok again.
        lab.act(0, |node, _| {
            node.bus.table.clear_flags(one, Flags::PFAIL);
            node.bus.table.clear_flags(other, Flags::PFAIL);
            let now = node.process.cached_time;
            for ix in [one, other] {
                node.bus.table.set_ping_sent(ix, Millis::NEVER);
                node.bus.table.set_pong_received(ix, now + Millis(60_000));
            }
        });
        lab.run_until(6_000, |lab| lab.node(0).bus.state_ok);
    }

    #[test]
    fn somebody_is_pinged_every_tenth_cron_7_3() {
        let mut lab = Lab::formed(6, 0, 1_000_000);
        lab.run(901);
        lab.forget_records();
        lab.run(10_000);
        let pings = lab.sent.iter().filter(|s| s.from == 0 && s.packet.kind == MessageType::Ping);
        assert_eq!(pings.count(), 10);
        let pinging = lab.lines.iter().filter(|line| line.text.starts_with("Pinging node"));
        assert_eq!(pinging.filter(|line| line.node == 0).count(), 10);
    }

    #[test]
    fn the_longest_silent_of_five_draws_is_pinged_7_3() {
        let mut lab = Lab::formed(3, 0, 1_000_000);
        lab.run(300);
        let (old, young) = (lab.peer(0, 1), lab.peer(0, 2));
        let bus = &mut lab.node(0).bus;
        bus.table.set_pong_received(old, Millis(1_000));
        bus.table.set_pong_received(young, Millis(2_000));
        let picks: Vec<Option<PeerIx>> = (0..500).map(|_| bus.draw_silent()).collect();
        let count = |who| picks.iter().filter(|&&pick| pick == who).count();
        assert!(count(Some(old)) > 3 * count(Some(young)), "it is usually among the five");
        bus.table.set_ping_sent(old, Millis(5));
        let picks: Vec<Option<PeerIx>> = (0..500).map(|_| bus.draw_silent()).collect();
        assert!(!picks.contains(&Some(old)), "who is being pinged is left out");
        assert!(picks.contains(&None), "five draws may all be useless (15.35)");
    }

    #[test]
    fn who_is_suspected_is_counted_by_the_next_cron_7_2() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(3_000);
        let peer = lab.peer(0, 1);
        lab.node(0).bus.table.set_flags(peer, Flags::PFAIL);
        assert_eq!(lab.node(0).bus.pfail_nodes, 0);
        lab.isolate(0);
        lab.run(100);
        assert_eq!(lab.node(0).bus.pfail_nodes, 1);
    }

    #[test]
    fn the_flag_against_failovers_follows_the_configuration_7_1() {
        let mut lab = Lab::formed(1, 1, 15_000);
        lab.run(300);
        lab.forget_records();
        lab.node(1).config.replica_no_failover = true;
        lab.run(100);
        assert!(lab.line(1, 1).contains(" myself,slave,nofailover "));
        assert!(lab.saves.contains(&(1, false)));
        let ping = lab.message(1, MessageType::Ping);
        lab.hear(0, 1, &ping);
        assert!(lab.line(0, 1).contains(" slave,nofailover "), "and others copy it (§5.6.1)");
        lab.node(1).config.replica_no_failover = false;
        lab.run(100);
        let ping = lab.message(1, MessageType::Ping);
        lab.hear(0, 1, &ping);
        assert!(lab.line(0, 1).contains(" slave "));
    }

    #[test]
    fn a_changed_announced_address_is_taken_over_7_1() {
        let mut lab = Lab::formed(2, 0, 15_000);
        lab.run(300);
        lab.node(0).config.announce_ip = Some(ip(30));
        lab.run(100);
        assert!(lab.line(0, 0).contains(" 10.0.0.31:7000@17000 "));
        let ping = lab.message(0, MessageType::Ping);
        lab.hear(1, 0, &ping);
        let text = format!("Address updated for node {}, now 10.0.0.31:7000", id(0));
        assert!(lab.logged(1, &text));
    }

    #[test]
    fn a_restarted_replica_begins_to_replicate_at_its_first_cron_7_5() {
        let mut lab = Lab::formed(1, 1, 15_000);
        assert_eq!(lab.node(1).replication.master, None);
        lab.run(110);
        assert!(lab.node(1).replication.master.is_some());
    }
}
