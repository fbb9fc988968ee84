//! What changes in the table, and what is kept count of: the nodes that make the cron look closer
//! ([`Census`]), those of whom gossip need not look at more than the last pong (the calm), and those
//! who can be spoken of (the fit).

use std::sync::Arc;

use crate::node::effect::LinkId;
use crate::node::flags::Flags;
use crate::node::table::peer::{FailReport, NO_LINK};
use crate::node::table::{PeerIx, Table, whole_seconds};
use crate::slot::SlotSet;
use crate::time::Millis;

/// How many nodes there are of the kinds that make the cron look closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Nodes that should have an outbound link and have none (§3.1).
    pub unlinked: u32,
    /// Nodes in handshake.
    pub handshakes: u32,
    /// Nodes in PFAIL with a known address (§7.2).
    pub pfail: u32,
}

/// Nodes with one of these are never dialled (§3.1).
const HIDDEN: Flags = Flags(Flags::MYSELF.0 | Flags::NOADDR.0);

impl Census {
    pub(super) fn of(flags: Flags, linked: bool) -> Census {
        let hidden = flags.any(HIDDEN);
        Census {
            unlinked: u32::from(!hidden && !linked),
            handshakes: u32::from(flags.any(Flags::HANDSHAKE)),
            pfail: u32::from(!hidden && flags.any(Flags::PFAIL)),
        }
    }

    pub(super) fn replace(&mut self, old: Census, new: Census) {
        self.unlinked = self.unlinked - old.unlinked + new.unlinked;
        self.handshakes = self.handshakes - old.handshakes + new.handshakes;
        self.pfail = self.pfail - old.pfail + new.pfail;
    }
}

impl Table {
    /// How many nodes there are of each kind that the cron cares for.
    #[must_use]
    #[inline]
    pub fn census(&self) -> Census {
        self.census
    }

    /// Sets flags of a node.
    pub fn set_flags(&mut self, ix: PeerIx, flags: Flags) {
        self.change_flags(ix, self.flags(ix) | flags);
    }

    /// Clears flags of a node.
    pub fn clear_flags(&mut self, ix: PeerIx, flags: Flags) {
        self.change_flags(ix, self.flags(ix).without(flags));
    }

    /// Notes my outbound link to a node, or that there is none any more.
    pub fn set_link(&mut self, ix: PeerIx, link: Option<LinkId>) {
        let before = self.link(ix);
        self.peer_mut(ix).link = link.map_or(NO_LINK, |link| link.0);
        if !self.flags(ix).any(HIDDEN) {
            let unlinked = &mut self.census.unlinked;
            *unlinked = *unlinked - u32::from(before.is_none()) + u32::from(link.is_none());
        }
        self.vitals.set_fit(ix, self.may_be_told(ix));
    }

    /// The first place of the table order, from this one on, whose node should have an outbound link
    /// and has none (§3.1).
    #[must_use]
    pub fn next_unlinked(&self, from: usize) -> Option<usize> {
        let unlinked = |&ix: &PeerIx| self.link(ix).is_none() && !self.flags(ix).any(HIDDEN);
        self.order()[from..].iter().position(unlinked).map(|at| from + at)
    }

    pub(super) fn put_flags(&mut self, ix: PeerIx, flags: Flags) {
        let usual = !self.concise || self.names.first_flags(ix) == Some(flags);
        self.vitals.set_flags(ix, flags, usual);
    }

    fn change_flags(&mut self, ix: PeerIx, flags: Flags) {
        let (before, linked) = (self.flags(ix), self.link(ix).is_some());
        self.put_flags(ix, flags);
        self.census.replace(Census::of(before, linked), Census::of(flags, linked));
        self.topology += u64::from(before != flags);
        self.vitals.settle(ix, self.may_be_told(ix), self.seems_well(ix));
    }

    /// Whether it is fit (see [`Table`]).
    #[inline]
    fn may_be_told(&self, ix: PeerIx) -> bool {
        let unfit = Flags::MYSELF | Flags::PFAIL | Flags::HANDSHAKE | Flags::NOADDR;
        let worth_it = self.link(ix).is_some() || self.peer(ix).slot_count > 0;
        worth_it && !self.flags(ix).any(unfit)
    }

    /// Whether it is calm (see [`Table::is_calm`]).
    #[inline]
    fn seems_well(&self, ix: PeerIx) -> bool {
        self.ping_sent(ix).is_never() && !self.is_reported(ix) && !self.flags(ix).is_failing()
    }

    #[inline]
    pub(super) fn refresh_calm(&mut self, ix: PeerIx) {
        self.vitals.set_calm(ix, self.seems_well(ix));
    }

    /// Notes when the oldest unanswered ping left, or that none is pending.
    #[inline]
    pub fn set_ping_sent(&mut self, ix: PeerIx, time: Millis) {
        self.peer_mut(ix).ping_sent = time;
        self.refresh_calm(ix);
    }

    /// Notes that a node answered me.
    #[inline]
    pub fn set_pong_received(&mut self, ix: PeerIx, time: Millis) {
        self.peer_mut(ix).answered = time;
        self.vitals.set_pulse(ix, whole_seconds(time));
    }

    /// Notes that a node answered somebody else, if that is news (§5.9.2).
    #[inline]
    pub fn advance_pulse(&mut self, ix: PeerIx, seconds: u32) {
        self.vitals.advance_pulse(ix, seconds);
    }

    /// Whether anybody says that a node fails, as far as reports were purged (§6.4).
    #[must_use]
    #[inline]
    pub fn is_reported(&self, ix: PeerIx) -> bool {
        self.peer(ix).reported
    }

    /// Who says that a node fails, in order of arrival; expired reports included until they are
    /// purged (§6.4).
    #[must_use]
    pub fn fail_reports(&self, ix: PeerIx) -> &[FailReport] {
        &self.history(ix).fail_reports
    }

    /// Changes who says that a node fails.
    pub fn change_reports<T>(
        &mut self,
        ix: PeerIx,
        change: impl FnOnce(&mut Vec<FailReport>) -> T,
    ) -> T {
        let reports = &mut self.history[ix.index()].fail_reports;
        let result = change(reports);
        self.peers[ix.index()].reported = !reports.is_empty();
        self.refresh_calm(ix);
        result
    }

    /// Notes which slots I assign to a node, and how many they are.
    pub fn set_slots(&mut self, ix: PeerIx, slots: Arc<SlotSet>, count: u16) {
        self.peer_mut(ix).slots = slots;
        self.set_slot_count(ix, count);
    }

    /// Notes how many slots I assign to a node.
    pub fn set_slot_count(&mut self, ix: PeerIx, count: u16) {
        let old = std::mem::replace(&mut self.peer_mut(ix).slot_count, count);
        if (old == 0) != (count == 0) {
            self.topology += 1;
            self.vitals.set_fit(ix, self.may_be_told(ix));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::table::tests::filled;

    #[test]
    fn the_census_follows_flags_and_links() {
        let (mut table, _, peers) = filled(3, 1);
        assert_eq!(table.census(), Census { unlinked: 3, handshakes: 0, pfail: 0 });
        table.set_flags(peers[0], Flags::MYSELF);
        table.set_link(peers[1], Some(LinkId(4)));
        table.set_flags(peers[1], Flags::PFAIL | Flags::HANDSHAKE);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 1, pfail: 1 });
        table.set_flags(peers[1], Flags::NOADDR);
        table.set_link(peers[1], None);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 1, pfail: 0 });
        table.remove(peers[2]);
        table.clear_flags(peers[1], Flags::NOADDR | Flags::HANDSHAKE);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 0, pfail: 1 });
    }

    #[test]
    fn a_pong_is_known_to_the_millisecond_until_gossip_knows_a_later_second_5_9_2() {
        let (mut table, _, peers) = filled(1, 1);
        table.set_pong_received(peers[0], Millis(7_654));
        table.advance_pulse(peers[0], 7);
        assert_eq!(table.pong_received(peers[0]), Millis(7_654));
        table.advance_pulse(peers[0], 8);
        assert_eq!(table.pong_received(peers[0]), Millis(8_000));
        table.set_pong_received(peers[0], Millis(7_700));
        assert_eq!(table.pong_received(peers[0]), Millis(7_700), "my own eyes count most");
    }

    #[test]
    fn who_is_pinged_reported_or_failing_is_not_calm() {
        let (mut table, _, peers) = filled(1, 1);
        let ix = peers[0];
        assert!(table.is_calm(ix));
        table.set_ping_sent(ix, Millis(5));
        assert!(!table.is_calm(ix));
        table.set_ping_sent(ix, Millis::NEVER);
        table.set_flags(ix, Flags::FAIL);
        assert!(!table.is_calm(ix));
        table.clear_flags(ix, Flags::FAIL);
        table.change_reports(ix, |all| all.push(FailReport { reporter: ix, time: Millis(1) }));
        assert!(!table.is_calm(ix));
        table.change_reports(ix, Vec::clear);
        assert!(table.is_calm(ix));
    }

    #[test]
    fn who_has_a_link_or_slots_and_an_address_is_fit_to_be_spoken_of_4_4() {
        let (mut table, _, peers) = filled(1, 1);
        let ix = peers[0];
        assert!(!table.vitals.is_fit(ix));
        table.set_link(ix, Some(LinkId(2)));
        assert!(table.vitals.is_fit(ix));
        table.set_link(ix, None);
        table.set_slot_count(ix, 1);
        assert!(table.vitals.is_fit(ix));
        table.set_slot_count(ix, 0);
        assert!(!table.vitals.is_fit(ix));
        table.set_link(ix, Some(LinkId(2)));
        for flag in [Flags::MYSELF, Flags::PFAIL, Flags::HANDSHAKE, Flags::NOADDR] {
            table.set_flags(ix, flag);
            assert!(!table.vitals.is_fit(ix));
            table.clear_flags(ix, flag);
        }
        table.set_flags(ix, Flags::FAIL);
        assert!(table.vitals.is_fit(ix), "nodes in FAIL are spoken of");
    }
}
