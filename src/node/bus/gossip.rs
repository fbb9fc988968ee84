//! Gossip: whom a PING speaks of, and what its receiver makes of it (§4.4, §5.9).
//!
//! This is the loop that a large cluster spends its time in: each packet of a thousand nodes carries
//! a hundred entries. Drawing and merging touch nothing but the small arrays of the
//! [table](crate::node::table).

use crate::id::Ids;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::Packet;
use crate::node::section::{Gossip, Section};
use crate::node::table::{Marks, PeerIx, Quota, Table};
use crate::time::Millis;

/// A pong may be this far in the future of my cached clock (§5.9.2).
const PONG_TOLERANCE: Millis = Millis(500);

/// With so many entries it is faster to draw most of them in one pass over all nodes.
const MANY: usize = 20;

/// Working memory for gossip: it holds nothing in between.
#[derive(Debug, Default)]
pub struct Drawn {
    /// Of whom a packet speaks in full already.
    seen: Marks,
    /// Who was drawn early and takes a closer look.
    odd: Vec<PeerIx>,
    /// Nodes in PFAIL.
    failing: Vec<PeerIx>,
    /// Entries that take a closer look.
    rest: Vec<Gossip>,
}

impl Bus {
    /// Chooses whom a message speaks of (§4.4).
    pub(crate) fn select_gossip(&mut self, drawn: &mut Drawn, section: &mut Section) {
        self.draw_gossip(drawn, section);
        if self.pfail_nodes > 0 {
            self.append_pfail(&mut drawn.failing);
            drawn.failing.iter().for_each(|&ix| section.push(self.table.describe(ix)));
        }
    }

    /// Draws nodes at random (§4.4).
    fn draw_gossip(&mut self, memory: &mut Drawn, section: &mut Section) {
        let known = self.table.len();
        let mut hoped_for = known.saturating_sub(2);
        let most = (known / 10).max(3).min(hoped_for);
        let mut quota = Quota { draws: 3 * most, wanted: most };
        section.reserve(most);
        let brief = self.table.open_section(section, most);
        if let Some(few) = self.table.draw_few(&mut self.gossip_draws, quota, hoped_for) {
            few.drawn().iter().for_each(|&ix| self.table.tell(ix, section));
            return;
        }
        memory.seen.reset(self.table.capacity());
        memory.odd.clear();
        let mut lottery = self.table.lottery(&mut self.gossip_draws);
        if brief && most >= MANY {
            lottery.draw_early(&mut section.brief, &mut quota, &mut memory.odd);
        }
        loop {
            let drawn = match memory.odd.pop() {
                Some(ix) => Some(ix),
                None if brief => lottery.draw_plain(&mut section.brief, &mut quota),
                None => lottery.draw_any(&mut quota),
            };
            let Some(ix) = drawn else { return };
            match self.table.suitability(ix) {
                Suitability::Skipped => {}
                Suitability::Useless => {
                    hoped_for = hoped_for.saturating_sub(1);
                    quota.wanted = most.min(hoped_for).saturating_sub(section.len());
                }
                Suitability::Usable if memory.seen.insert(ix) => {
                    section.push(self.table.describe(ix));
                    quota.wanted = quota.wanted.saturating_sub(1);
                }
                Suitability::Usable => {}
            }
        }
    }

    /// Nodes in PFAIL are always spoken of, as far as the last cron counted them (§4.4).
    fn append_pfail(&self, chosen: &mut Vec<PeerIx>) {
        let hidden = Flags::HANDSHAKE | Flags::NOADDR;
        let failing = self.table.order().iter().copied().filter(|&ix| {
            let flags = self.table.flags(ix);
            flags.any(Flags::PFAIL) && !flags.any(hidden)
        });
        chosen.clear();
        chosen.extend(failing.take(self.pfail_nodes as usize));
    }
}

/// What becomes of a draw (§4.4).
enum Suitability {
    /// It is lost.
    Skipped,
    /// It is lost, and there is one node less to be hoped for.
    Useless,
    /// The node can be spoken of.
    Usable,
}

impl Table {
    /// Looks closer at a node that cannot be spoken of briefly (§4.4).
    fn suitability(&self, ix: PeerIx) -> Suitability {
        let flags = self.flags(ix);
        if flags.any(Flags::PASSED_OVER) {
            return Suitability::Skipped;
        }
        let isolated = self.link(ix).is_none() && self.peer(ix).slot_count == 0;
        match isolated || flags.any(Flags::HANDSHAKE | Flags::NOADDR) {
            true => Suitability::Useless,
            false => Suitability::Usable,
        }
    }
}

impl Node {
    /// Merges what a sender says of others (§5.9). A stranger is believed as to whom I know already
    /// (§5.3.2).
    pub(crate) fn merge_gossip(
        &mut self,
        ctx: &mut Ctx<'_>,
        sender: Option<PeerIx>,
        packet: &Packet,
    ) {
        self.log_gossip(ctx, packet);
        let limit = ((self.process.cached_time + PONG_TOLERANCE).0 as u64 / 1_000) as u32;
        let mut rest = std::mem::take(&mut ctx.out.drawn.rest);
        rest.reserve(packet.gossip.len());
        self.bus.table.merge_briefs(&packet.gossip, limit, &mut rest);
        self.merge_entries(ctx, sender, &rest, limit);
        rest.clear();
        ctx.out.drawn.rest = rest;
        self.merge_entries(ctx, sender, packet.gossip.full(), limit);
    }

    fn merge_entries(
        &mut self,
        ctx: &mut Ctx<'_>,
        sender: Option<PeerIx>,
        mut entries: &[Gossip],
        limit: u32,
    ) {
        loop {
            entries = &entries[self.bus.table.merge(entries, limit)..];
            let Some((gossip, behind)) = entries.split_first() else { return };
            entries = behind;
            match self.bus.table.find(gossip.node) {
                Some(ix) => self.merge_doubtful(ctx, sender, ix, gossip, limit),
                None if sender.is_some() => self.add_gossiped(ctx, gossip),
                None => {}
            }
        }
    }

    /// Merges an entry when somebody thinks that the node fails (§5.9.2).
    #[cold]
    fn merge_doubtful(
        &mut self,
        ctx: &mut Ctx<'_>,
        sender: Option<PeerIx>,
        ix: PeerIx,
        gossip: &Gossip,
        limit: u32,
    ) {
        if let Some(sender) = sender
            && self.bus.table.flags(sender).is_master()
            && ix != self.bus.myself
        {
            self.hear_report(ctx, sender, ix, gossip.flags.is_failing());
        }
        if gossip.flags.is_failing() {
            return;
        }
        let idle = self.bus.table.ping_sent(ix).is_never();
        if idle && self.failure_report_count(ctx, ix) == 0 && gossip.pong_received <= limit {
            self.bus.table.advance_pulse(ix, gossip.pong_received);
        }
        if self.bus.table.flags(ix).is_failing() && !gossip.flags.any(Flags::NOADDR) {
            self.try_other_address(ctx, ix, gossip);
        }
    }

    /// A failing node that others reach at another address is tried there (§5.9.2).
    fn try_other_address(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx, gossip: &Gossip) {
        let mine = ctx.ids.endpoint(self.bus.table.endpoint(ix));
        let theirs = ctx.ids.endpoint(gossip.endpoint);
        if (mine.ip, mine.port, mine.cport) != (theirs.ip, theirs.port, theirs.cport) {
            self.bus.close_link(ctx, ix);
            self.bus.table.set_endpoint(ix, gossip.endpoint);
            self.bus.table.clear_flags(ix, Flags::NOADDR);
        }
    }

    /// Adds a node that I hear of for the first time (§5.9.3).
    #[cold]
    fn add_gossiped(&mut self, ctx: &mut Ctx<'_>, gossip: &Gossip) {
        let cached_seconds = self.process.cached_time.0 / 1_000;
        if gossip.flags.any(Flags::NOADDR) || self.bus.blacklisted(gossip.node, cached_seconds) {
            return;
        }
        let now = ctx.now.millis();
        let ix = self.bus.table.insert(ctx.ids, gossip.node, gossip.flags, gossip.endpoint, now);
        self.bus.announce(ctx, ix);
    }

    fn log_gossip(&self, ctx: &mut Ctx<'_>, packet: &Packet) {
        if !self.logs(ctx, Level::Debug) {
            return;
        }
        for gossip in packet.gossip.iter() {
            let id = ctx.ids.id(gossip.node);
            let at = address(ctx.ids, &gossip);
            let flags = gossip.flags;
            self.log(ctx, Level::Debug, format_args!("GOSSIP {id} {at} {flags}"));
        }
    }
}

fn address(ids: &Ids, gossip: &Gossip) -> String {
    let endpoint = ids.endpoint(gossip.endpoint);
    format!("{}:{}@{}", endpoint.ip_text(), endpoint.port, endpoint.cport)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, endpoint, id};
    use crate::node::packet::MessageType;
    use crate::time::Wall;
    use std::collections::BTreeSet;

    fn chosen(lab: &mut Lab, at: usize) -> Vec<PeerIx> {
        let mut gossip = Section::default();
        lab.act(at, |node, ctx| node.bus.select_gossip(&mut ctx.out.drawn, &mut gossip));
        let table = &lab.node(at).bus.table;
        gossip.iter().filter_map(|entry| table.find(entry.node)).collect()
    }

    #[test]
    fn two_nodes_have_nobody_to_speak_of_4_4() {
        let mut lab = Lab::formed(2, 0, 15_000);
        lab.run(300);
        assert!((0..50).all(|_| chosen(&mut lab, 0).is_empty()));
    }

    #[test]
    fn three_nodes_speak_of_one_at_most_4_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let me = lab.node(0).bus.myself;
        let counts: Vec<usize> = (0..200).map(|_| chosen(&mut lab, 0).len()).collect();
        assert_eq!(counts.iter().max(), Some(&1));
        assert!(counts.contains(&0), "all three draws may fall on myself");
        assert!((0..50).all(|_| !chosen(&mut lab, 0).contains(&me)));
    }

    #[test]
    fn a_tenth_is_spoken_of_but_three_at_least_4_4() {
        for (nodes, wanted) in [(6, 3), (29, 3), (40, 4)] {
            let mut lab = Lab::formed(nodes, 0, 15_000);
            lab.run(300);
            let mut most = 0;
            for _ in 0..50 {
                let chosen = chosen(&mut lab, 0);
                let distinct: BTreeSet<PeerIx> = chosen.iter().copied().collect();
                assert_eq!(distinct.len(), chosen.len(), "nobody twice");
                most = most.max(chosen.len());
            }
            assert_eq!(most, wanted);
        }
    }

    #[test]
    fn there_are_three_draws_for_each_wanted_entry_4_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let me = lab.node(0).bus.myself;
        let misses = (0..4_000).filter(|_| chosen(&mut lab, 0).is_empty()).count();
        let table = &lab.node(0).bus.table;
        let mut stream = crate::rng::Seed(1).stream(crate::rng::Purpose::Gossip, 9, 9);
        let mut lottery = table.lottery(&mut stream);
        let draws = 40_000_u64;
        let mine = (0..draws).filter(|_| lottery.draw() == me).count() as u64;
        let expected = (4_000 * mine.pow(3) / draws.pow(3)) as usize;
        assert!(misses.abs_diff(expected) < 60, "{misses} of {expected}");
    }

    #[test]
    fn who_is_unreachable_and_serves_nothing_is_not_spoken_of_4_4() {
        let mut lab = Lab::formed(4, 0, 15_000);
        lab.run(300);
        let (gone, lost, isolated) = (lab.peer(0, 1), lab.peer(0, 2), lab.peer(0, 3));
        lab.act(0, |node, ctx| {
            node.bus.table.set_flags(gone, Flags::NOADDR);
            node.bus.close_link(ctx, isolated);
        });
        let spoken_of: BTreeSet<PeerIx> = (0..100).flat_map(|_| chosen(&mut lab, 0)).collect();
        assert_eq!(spoken_of, [lost, isolated].into(), "slots make up for a link");
        lab.node(0).bus.del_node_slots(isolated);
        let spoken_of: BTreeSet<PeerIx> = (0..100).flat_map(|_| chosen(&mut lab, 0)).collect();
        assert_eq!(spoken_of, [lost].into());
    }

    #[test]
    fn who_fails_is_spoken_of_by_chance_and_who_is_suspected_always_4_4() {
        let mut lab = Lab::formed(8, 0, 15_000);
        lab.run(300);
        let (failing, suspected) = (lab.peer(0, 1), lab.peer(0, 2));
        lab.node(0).bus.table.set_flags(failing, Flags::FAIL);
        lab.node(0).bus.table.set_flags(suspected, Flags::PFAIL);
        let before: Vec<Vec<PeerIx>> = (0..50).map(|_| chosen(&mut lab, 0)).collect();
        assert!(before.iter().all(|all| !all.contains(&suspected)), "not before the next cron");
        assert!(before.iter().any(|all| all.contains(&failing)));
        assert!(before.iter().any(|all| !all.contains(&failing)));
        lab.node(0).bus.pfail_nodes = 1;
        let after: Vec<Vec<PeerIx>> = (0..50).map(|_| chosen(&mut lab, 0)).collect();
        assert!(after.iter().all(|all| all.last() == Some(&suspected)));
    }

    #[test]
    fn times_are_told_in_whole_seconds_0_3_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(300);
        let peer = lab.peer(0, 1);
        let table = &mut lab.node(0).bus.table;
        table.set_ping_sent(peer, Millis(7_999));
        table.set_pong_received(peer, Millis(5_001));
        let gossip = table.describe(peer);
        assert_eq!((gossip.ping_sent, gossip.pong_received), (7, 5));
        assert_eq!(gossip.flags, Flags::MASTER);
    }

    /// Lets 0 hear from 1 that 2 has answered in a certain second.
    fn tell(lab: &mut Lab, flags: Flags, second: i64) -> Millis {
        let mut ping = lab.message(1, MessageType::Ping);
        let entry = lab.gossip(2, flags);
        ping.gossip.push(Gossip { pong_received: second as u32, ..entry });
        lab.hear(0, 1, &ping);
        let peer = lab.peer(0, 2);
        lab.node(0).bus.table.pong_received(peer)
    }

    /// Three quiet nodes, and the present second.
    fn quiet() -> (Lab, PeerIx, i64) {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(400);
        lab.isolate(2);
        let second = lab.now.secs() + 60;
        lab.now = Wall(second as u64 * 1_000_000);
        lab.node(0).process.cached_time = lab.now.millis();
        let peer = lab.peer(0, 2);
        (lab, peer, second)
    }

    #[test]
    fn a_later_pong_counts_whoever_has_seen_it_5_9_2() {
        let (mut lab, _, now) = quiet();
        assert_eq!(tell(&mut lab, Flags::MASTER, now - 5), Millis((now - 5) * 1_000));
        assert_eq!(tell(&mut lab, Flags::MASTER, now - 9), Millis((now - 5) * 1_000), "not older");
        assert_eq!(tell(&mut lab, Flags::MASTER, now), Millis(now * 1_000));
    }

    #[test]
    fn a_pong_from_the_future_does_not_count_5_9_2() {
        let (mut lab, _, now) = quiet();
        let before = tell(&mut lab, Flags::MASTER, 0);
        assert_eq!(tell(&mut lab, Flags::MASTER, now + 1), before);
        lab.node(0).process.cached_time = Millis(now * 1_000 + 500);
        assert_eq!(tell(&mut lab, Flags::MASTER, now + 1), Millis((now + 1) * 1_000));
    }

    #[test]
    fn a_pong_does_not_count_while_a_ping_is_pending_or_somebody_doubts_5_9_2() {
        let (mut lab, peer, now) = quiet();
        let before = tell(&mut lab, Flags::MASTER, 0);
        assert_eq!(tell(&mut lab, Flags::MASTER | Flags::FAIL, now), before);
        let third = lab.node(0).bus.myself;
        lab.act(0, |node, ctx| node.hear_report(ctx, third, peer, true));
        assert_eq!(tell(&mut lab, Flags::MASTER, now), before);
        lab.act(0, |node, ctx| node.hear_report(ctx, third, peer, false));
        lab.node(0).bus.table.set_ping_sent(peer, Millis(1));
        assert_eq!(tell(&mut lab, Flags::MASTER, now), before);
    }

    #[test]
    fn even_my_own_pong_comes_from_gossip_5_9_2() {
        let mut lab = Lab::formed(4, 0, 3_000);
        lab.run(6_000);
        let me = lab.node(0).bus.myself;
        let pong = lab.node(0).bus.table.pong_received(me);
        assert!(pong.0 > 0 && pong.0 % 1_000 == 0, "{pong}");
    }

    #[test]
    fn an_unknown_node_is_added_as_it_is_described_5_9_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(400);
        lab.forget_records();
        let mut ping = lab.message(1, MessageType::Ping);
        let entry = lab.gossip(9, Flags::REPLICA | Flags::FAIL);
        ping.gossip.push(entry);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.find(0, 9).map(|ix| lab.node(0).bus.table.flags(ix)), Some(entry.flags));
        assert!(lab.line(0, 9).contains(" 10.0.0.10:7000@17000 slave,fail - 0 0 0 disconnected"));
        assert!(lab.saves.is_empty(), "and nothing is saved");
    }

    #[test]
    fn nobody_is_added_on_a_strangers_word_or_without_address_or_if_forgotten_5_9_3() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(400);
        let mut ping = lab.message(1, MessageType::Ping);
        let entry = lab.gossip(9, Flags::MASTER | Flags::NOADDR);
        ping.gossip.push(entry);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.find(0, 9), None);
        ping.gossip = [Gossip { flags: Flags::MASTER, ..entry }].into_iter().collect();
        ping.sender = lab.ids.intern(id(8));
        lab.hear(0, 1, &ping);
        assert_eq!(lab.find(0, 9), None);
        ping.sender = lab.ids.intern(id(1));
        lab.hear(0, 1, &ping);
        let added = lab.peer(0, 9);
        lab.act(0, |node, ctx| node.forget(ctx, added));
        lab.hear(0, 1, &ping);
        assert_eq!(lab.find(0, 9), None);
    }

    #[test]
    fn a_failing_node_is_tried_where_others_reach_it_5_9_2() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(400);
        let peer = lab.peer(0, 2);
        for (flags, moves) in [(Flags::NONE, false), (Flags::PFAIL, true)] {
            lab.node(0).bus.table.set_flags(peer, flags);
            let mut ping = lab.message(1, MessageType::Ping);
            let mut entry = lab.gossip(2, Flags::MASTER);
            entry.endpoint =
                lab.ids.intern_endpoint(crate::id::Endpoint { port: 9_000, ..endpoint(2) });
            ping.gossip.push(entry);
            lab.hear(0, 1, &ping);
            assert_eq!(lab.line(0, 2).contains(":9000@17000 "), moves);
            assert_eq!(lab.node(0).bus.table.link(peer).is_none(), moves);
        }
    }

    #[test]
    fn gossip_is_told_in_debug_lines_5_9_1() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(400);
        let mut ping = lab.message(1, MessageType::Ping);
        let entry = lab.gossip(2, Flags::MASTER);
        ping.gossip.push(entry);
        lab.hear(0, 1, &ping);
        assert!(lab.logged(0, &format!("GOSSIP {} 10.0.0.3:7000@17000 master", id(2))));
    }
}
