//! The table of known nodes (§2.1, §0.6), and the hash table order in which Redis walks them and
//! draws from them.
//!
//! Everything is indexed by [`PeerIx`], which stays the same for as long as the node is known, also
//! when a handshake gives it its real id. What gossip touches for every node it speaks of takes two
//! bytes each (`vital`). What a packet touches once is in [`Peer`]; the rest is in [`History`].
//!
//! Pings, pongs, flags, links and failure reports change only through the table. It keeps count of
//! the nodes that make the cron look closer, and marks those that gossip need not look at closely:
//! the *calm*, of whom only the time of the last pong can change, and the *fit*, who can be
//! spoken of.

mod marks;
mod order;
mod peer;
mod vital;

use std::sync::Arc;

use crate::id::{EndpointIx, Ids, NodeId, NodeIx};
use crate::node::effect::LinkId;
use crate::node::flags::Flags;
use crate::node::section::{Gossip, Section};
use crate::rng::Stream;
use crate::slot::SlotSet;
use crate::time::Millis;

pub use crate::node::names::{Names, PeerIx};
pub use marks::Marks;
use order::Order;
use peer::NO_LINK;
pub use peer::{FailReport, History, Peer};
use vital::{Left, Vitals};
pub use vital::{Lottery, Quota};

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

/// The table of known nodes of one process, itself included.
#[derive(Debug)]
pub struct Table {
    vitals: Vitals,
    names: Arc<Names>,
    peers: Vec<Peer>,
    history: Vec<History>,
    free: Vec<PeerIx>,
    order: Order,
    census: Census,
    /// How many entries the lists of replicas have together.
    replicas: u32,
    /// Counts the changes of roles, failures, lists of replicas, and of who serves slots at all.
    topology: u64,
}

/// Whole seconds as they travel in 32 bits (§0.3.3).
#[inline]
fn whole_seconds(time: Millis) -> u32 {
    (time.0 as u64 / 1_000) as u32
}

impl Census {
    fn of(flags: Flags, linked: bool) -> Census {
        let hidden = flags.any(Flags::MYSELF | Flags::NOADDR);
        Census {
            unlinked: u32::from(!hidden && !linked),
            handshakes: u32::from(flags.any(Flags::HANDSHAKE)),
            pfail: u32::from(!hidden && flags.any(Flags::PFAIL)),
        }
    }

    fn replace(&mut self, old: Census, new: Census) {
        self.unlinked = self.unlinked - old.unlinked + new.unlinked;
        self.handshakes = self.handshakes - old.handshakes + new.handshakes;
        self.pfail = self.pfail - old.pfail + new.pfail;
    }
}

impl Table {
    /// An empty table whose order derives from `seed`, fresh for each process (§0.6).
    #[must_use]
    pub fn new(seed: u64) -> Table {
        Table {
            vitals: Vitals::default(),
            names: Arc::default(),
            peers: Vec::new(),
            history: Vec::new(),
            free: Vec::new(),
            order: Order::new(seed),
            census: Census::default(),
            replicas: 0,
            topology: 0,
        }
    }

    /// How many nodes are known, of every kind (the protocol's N).
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nobody is known; never so once nodes.conf was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more than the greatest index of a node.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.peers.len()
    }

    /// The record of a node.
    #[must_use]
    #[inline]
    pub fn peer(&self, ix: PeerIx) -> &Peer {
        &self.peers[ix.index()]
    }

    /// The record of a node, to be changed.
    #[inline]
    pub fn peer_mut(&mut self, ix: PeerIx) -> &mut Peer {
        &mut self.peers[ix.index()]
    }

    /// What is seldom needed of a node.
    #[must_use]
    pub fn history(&self, ix: PeerIx) -> &History {
        &self.history[ix.index()]
    }

    /// What is seldom needed of a node, to be changed.
    pub fn history_mut(&mut self, ix: PeerIx) -> &mut History {
        &mut self.history[ix.index()]
    }

    /// A node's interned id; a random one during the handshake.
    #[must_use]
    #[inline]
    pub fn node(&self, ix: PeerIx) -> NodeIx {
        self.names.node(ix)
    }

    /// A node's address.
    #[must_use]
    #[inline]
    pub fn endpoint(&self, ix: PeerIx) -> EndpointIx {
        self.names.endpoint(ix)
    }

    /// The names, to be changed: from here on they are mine alone, and mean nothing to others.
    fn names_mut(&mut self) -> &mut Names {
        self.vitals.set_concise(false);
        Arc::make_mut(&mut self.names)
    }

    /// Changes a node's address.
    pub fn set_endpoint(&mut self, ix: PeerIx, endpoint: EndpointIx) {
        if self.endpoint(ix) != endpoint {
            self.names_mut().set_endpoint(ix, endpoint);
        }
    }

    /// A node's flags.
    #[must_use]
    #[inline]
    pub fn flags(&self, ix: PeerIx) -> Flags {
        self.vitals.flags(ix)
    }

    /// My outbound link to a node, also while it is still connecting (§3.1.3).
    #[must_use]
    #[inline]
    pub fn link(&self, ix: PeerIx) -> Option<LinkId> {
        let link = self.peer(ix).link;
        (link != NO_LINK).then_some(LinkId(link))
    }

    /// When the oldest unanswered ping left; never = none is pending.
    #[must_use]
    #[inline]
    pub fn ping_sent(&self, ix: PeerIx) -> Millis {
        self.peer(ix).ping_sent
    }

    /// When a node last answered me, or when somebody else said that it answered (§5.9.2), which is
    /// known to the second only.
    #[must_use]
    #[inline]
    pub fn pong_received(&self, ix: PeerIx) -> Millis {
        let (pulse, answered) = (self.pulse(ix), self.peer(ix).answered);
        if whole_seconds(answered) == pulse { answered } else { Millis(i64::from(pulse) * 1_000) }
    }

    /// Whole seconds of the last pong (§0.3.3).
    #[must_use]
    #[inline]
    pub fn pulse(&self, ix: PeerIx) -> u32 {
        self.vitals.pulse(ix)
    }

    /// Whether nothing of a node can change by gossip that does not call it failing, but the time
    /// of its last pong: no ping is pending, nobody reports it, and I do not think that it fails.
    #[must_use]
    #[inline]
    pub fn is_calm(&self, ix: PeerIx) -> bool {
        self.vitals.is_calm(ix)
    }

    /// Whether a node can be spoken of (§4.4): it has a link or slots, and is neither myself, nor in
    /// PFAIL, nor a stranger, nor without address.
    #[must_use]
    #[inline]
    pub fn is_fit(&self, ix: PeerIx) -> bool {
        self.vitals.is_fit(ix)
    }

    /// How many nodes there are of each kind that the cron cares for.
    #[must_use]
    #[inline]
    pub fn census(&self) -> Census {
        self.census
    }

    /// Sets flags of a node.
    pub fn set_flags(&mut self, ix: PeerIx, flags: Flags) {
        let flags = self.flags(ix) | flags;
        self.change(ix, |table| table.vitals.set_flags(ix, flags));
    }

    /// Clears flags of a node.
    pub fn clear_flags(&mut self, ix: PeerIx, flags: Flags) {
        let flags = self.flags(ix).without(flags);
        self.change(ix, |table| table.vitals.set_flags(ix, flags));
    }

    /// Notes my outbound link to a node, or that there is none any more.
    pub fn set_link(&mut self, ix: PeerIx, link: Option<LinkId>) {
        self.change(ix, |table| table.peer_mut(ix).link = link.map_or(NO_LINK, |link| link.0));
    }

    fn change(&mut self, ix: PeerIx, change: impl FnOnce(&mut Table)) {
        let before = self.flags(ix);
        let old = Census::of(before, self.link(ix).is_some());
        change(self);
        let (flags, linked) = (self.flags(ix), self.link(ix).is_some());
        self.census.replace(old, Census::of(flags, linked));
        self.topology += u64::from(before != flags);
        self.refresh_fit(ix);
        self.refresh_calm(ix);
    }

    fn refresh_fit(&mut self, ix: PeerIx) {
        let unfit = Flags::MYSELF | Flags::PFAIL | Flags::HANDSHAKE | Flags::NOADDR;
        let worth_it = self.link(ix).is_some() || self.peer(ix).slot_count > 0;
        self.vitals.set_fit(ix, worth_it && !self.flags(ix).any(unfit));
    }

    fn refresh_calm(&mut self, ix: PeerIx) {
        let calm =
            self.ping_sent(ix).is_never() && !self.is_reported(ix) && !self.flags(ix).is_failing();
        self.vitals.set_calm(ix, calm);
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

    /// A node's replicas, in the order in which they were added (§2.4).
    #[must_use]
    pub fn replicas(&self, ix: PeerIx) -> &[PeerIx] {
        &self.history(ix).replicas
    }

    /// Counts the changes of who is there and in which role, who fails, who replicates whom, and who
    /// serves slots at all: whatever follows from these is the same for as long as this is.
    #[must_use]
    pub fn topology(&self) -> u64 {
        self.topology
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
            self.refresh_fit(ix);
        }
    }

    /// Appends to a master's list of replicas; returns whether it was not there yet (§2.4).
    pub fn add_replica(&mut self, master: PeerIx, replica: PeerIx) -> bool {
        let replicas = &mut self.history_mut(master).replicas;
        if replicas.contains(&replica) {
            return false;
        }
        replicas.push(replica);
        self.replicas += 1;
        self.topology += 1;
        true
    }

    /// Takes a replica from a master's list; returns whether it was there (§2.4).
    pub fn remove_replica(&mut self, master: PeerIx, replica: PeerIx) -> bool {
        let replicas = &mut self.history_mut(master).replicas;
        let Some(at) = replicas.iter().position(|&other| other == replica) else { return false };
        replicas.remove(at);
        self.replicas -= 1;
        self.topology += 1;
        true
    }

    /// Takes away a node's list of replicas.
    pub fn take_replicas(&mut self, master: PeerIx) -> Vec<PeerIx> {
        let replicas = std::mem::take(&mut self.history_mut(master).replicas);
        self.replicas -= replicas.len() as u32;
        self.topology += 1;
        replicas
    }

    /// Whether a node that is not a replica has replicas (§2.3).
    #[must_use]
    pub fn masters_have_replicas(&self) -> bool {
        let mut nodes = self.order().iter();
        self.replicas > 0
            && nodes.any(|&ix| !self.flags(ix).is_replica() && !self.replicas(ix).is_empty())
    }

    /// Looks a node up by its interned id.
    #[must_use]
    #[inline]
    pub fn find(&self, node: NodeIx) -> Option<PeerIx> {
        self.names.find(node)
    }

    /// Looks a node up by its id.
    #[must_use]
    pub fn find_id(&self, ids: &Ids, id: NodeId) -> Option<PeerIx> {
        self.find(ids.find(id)?)
    }

    /// Adds a node that is not in the table yet (§2.1).
    ///
    /// # Panics
    /// If a node with this id is already there.
    pub fn insert(
        &mut self,
        ids: &Ids,
        node: NodeIx,
        flags: Flags,
        endpoint: EndpointIx,
        now: Millis,
        no_slots: Arc<SlotSet>,
    ) -> PeerIx {
        let ix = self.free.pop().unwrap_or_else(|| PeerIx::nth(self.peers.len()));
        self.names_mut().put(ix, node, endpoint);
        self.place(ids, ix, flags, now, no_slots);
        ix
    }

    /// Fills an empty table with named nodes that nothing is known of yet.
    ///
    /// # Panics
    /// If the table is not empty.
    pub fn fill(&mut self, ids: &Ids, names: &Arc<Names>, now: Millis, no_slots: &Arc<SlotSet>) {
        assert!(self.is_empty() && self.free.is_empty(), "only an empty table can be filled");
        self.names = Arc::clone(names);
        self.vitals.set_concise(true);
        for at in 0..names.len() {
            self.place(ids, PeerIx::nth(at), Flags::NONE, now, Arc::clone(no_slots));
        }
    }

    /// Puts a named node in its place.
    fn place(&mut self, ids: &Ids, ix: PeerIx, flags: Flags, now: Millis, no_slots: Arc<SlotSet>) {
        let at = ix.index();
        let (peer, history) = (Peer::new(no_slots), History::new(now));
        if at == self.peers.len() {
            self.peers.push(peer);
            self.history.push(history);
        } else {
            self.peers[at] = peer;
            self.history[at] = history;
        }
        self.vitals.reset(ix, flags);
        self.census.replace(Census::default(), Census::of(flags, false));
        self.topology += 1;
        self.refresh_calm(ix);
        self.put_in_order(ids, ix);
    }

    fn put_in_order(&mut self, ids: &Ids, ix: PeerIx) {
        if self.order.insert(ix, ids.id(self.node(ix))) {
            for &other in self.order.sequence() {
                self.vitals.set_crowd(other, self.order.bucket(other).count());
            }
        } else {
            self.refresh_crowd(ix);
        }
    }

    fn take_out_of_order(&mut self, ix: PeerIx) {
        self.order.remove(ix);
        self.vitals.set_crowd(ix, 0);
        self.refresh_crowd(ix);
    }

    /// Counts who stands in a bucket, for everybody who stands there.
    fn refresh_crowd(&mut self, bucket_of: PeerIx) {
        let crowd = self.order.bucket(bucket_of).count();
        for ix in self.order.bucket(bucket_of) {
            self.vitals.set_crowd(ix, crowd);
        }
    }

    /// Takes a node out of the table. What points to it is the caller's business (§2.5).
    pub fn remove(&mut self, ix: PeerIx) {
        let census = Census::of(self.flags(ix), self.link(ix).is_some());
        self.census.replace(census, Census::default());
        self.topology += 1;
        self.names_mut().forget(ix);
        self.take_out_of_order(ix);
        self.free.push(ix);
    }

    /// Gives a node its real id (§3.8.4): it is taken out and put in again (§0.6.2).
    ///
    /// # Panics
    /// If a node with the new id is already there.
    pub fn rename(&mut self, ids: &Ids, ix: PeerIx, node: NodeIx) {
        let endpoint = self.endpoint(ix);
        let names = self.names_mut();
        names.forget(ix);
        names.put(ix, node, endpoint);
        self.take_out_of_order(ix);
        self.put_in_order(ids, ix);
    }

    /// All nodes in table order (§0.6.2).
    #[must_use]
    #[inline]
    pub fn order(&self) -> &[PeerIx] {
        self.order.sequence()
    }

    /// The node at a place of the table order.
    #[must_use]
    #[inline]
    pub fn at(&self, place: usize) -> PeerIx {
        self.order()[place]
    }

    /// Counts the changes of the table order.
    #[must_use]
    #[inline]
    pub fn order_version(&self) -> u64 {
        self.order.version()
    }

    /// Random draws that take one word of a stream.
    #[inline]
    pub fn lottery(&self, stream: &mut Stream) -> Lottery<'_> {
        self.vitals.lottery(stream.burst())
    }

    /// Begins a gossip section.
    #[inline]
    pub(crate) fn open_section(&self, section: &mut Section) {
        let (base, newest) = (self.vitals.base(), self.vitals.newest());
        section.brief.open(&self.names, base, newest, self.capacity());
    }

    /// Says what I know of a node (§4.2.1).
    #[inline]
    pub fn describe(&self, ix: PeerIx) -> Gossip {
        Gossip {
            node: self.node(ix),
            endpoint: self.endpoint(ix),
            ping_sent: whole_seconds(self.ping_sent(ix)),
            pong_received: self.pulse(ix),
            flags: self.flags(ix),
        }
    }

    /// Merges gossip about calm peers until an entry that takes more than that: about somebody
    /// unknown, or whom anybody thinks to fail. Returns how many entries were merged. Pongs after
    /// the second `limit` do not count (§5.9.2).
    #[inline]
    pub fn merge(&mut self, gossip: &[Gossip], limit: u32) -> usize {
        self.vitals.merge(self.names.by_node(), gossip, limit)
    }

    /// Merges what a section says briefly, likewise; what takes more than that is added to `rest`.
    #[inline]
    pub(crate) fn merge_briefs(&mut self, section: &Section, limit: u32, rest: &mut Vec<Gossip>) {
        let briefs = &section.brief;
        if briefs.who.is_empty() {
            return;
        }
        let left = match briefs.speaks_of(&self.names) {
            true => self.vitals.merge_briefs(briefs, limit),
            false => Left::All,
        };
        match left {
            Left::Nothing => {}
            Left::WhoIsNotCalm => {
                let restless = briefs.iter().filter(|(ix, _)| !self.is_calm(*ix));
                rest.extend(restless.map(|(_, entry)| entry));
            }
            Left::All => rest.extend(briefs.iter().map(|(_, entry)| entry)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};
    use std::collections::BTreeSet;

    fn filled(count: u64, seed: u64) -> (Table, Ids, Vec<PeerIx>) {
        let mut ids = Ids::new();
        let mut table = Table::new(seed);
        let mut stream = Seed(count).stream(Purpose::Identity, 0, 0);
        let peers = (0..count)
            .map(|_| {
                let node = ids.intern(NodeId::random(&mut stream));
                table.insert(&ids, node, Flags::MASTER, Ids::NOWHERE, Millis(1), Arc::default())
            })
            .collect();
        (table, ids, peers)
    }

    #[test]
    fn the_order_holds_every_node_once_0_6_2() {
        let (table, _, peers) = filled(100, 1);
        let all: BTreeSet<PeerIx> = table.order().iter().copied().collect();
        assert_eq!(all, peers.into_iter().collect());
        assert_eq!(table.order().len(), 100);
    }

    #[test]
    fn a_removed_node_is_gone_and_its_place_is_used_again() {
        let (mut table, mut ids, peers) = filled(5, 1);
        let node = table.node(peers[2]);
        table.remove(peers[2]);
        assert_eq!(table.find(node), None);
        assert_eq!(table.len(), 4);
        let fresh = ids.intern(NodeId::random(&mut Seed(99).stream(Purpose::Identity, 0, 0)));
        let again = table.insert(&ids, fresh, Flags::NONE, Ids::NOWHERE, Millis(2), Arc::default());
        assert_eq!(again, peers[2]);
        assert_eq!(table.find(fresh), Some(again));
    }

    #[test]
    fn a_renamed_node_keeps_its_index_3_8_4() {
        let (mut table, mut ids, peers) = filled(3, 1);
        let old = table.node(peers[1]);
        let real = ids.intern(NodeId::random(&mut Seed(99).stream(Purpose::Identity, 0, 0)));
        table.rename(&ids, peers[1], real);
        assert_eq!(table.find(old), None);
        assert_eq!(table.find(real), Some(peers[1]));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_draw_favours_nodes_alone_in_their_bucket_0_6_4() {
        let (mut table, _, peers) = filled(7, 5);
        table.remove(peers[3]);
        let mut stream = Seed(1).stream(Purpose::Gossip, 0, 0);
        let mut lottery = table.lottery(&mut stream);
        let mut counts = [0_u32; 7];
        while counts.iter().sum::<u32>() < 30_000 {
            counts[lottery.draw().index()] += 1;
        }
        let crowds: Vec<u32> = table.order().iter().map(|&ix| crowd(&table, ix)).collect();
        assert!(crowds.iter().any(|&crowd| crowd > 1), "the sample must show a collision");
        let buckets: f64 = crowds.iter().map(|&crowd| 1.0 / f64::from(crowd)).sum();
        for &ix in table.order() {
            let expected = (30_000.0 / buckets) as u32 / crowd(&table, ix);
            let count = counts[ix.index()];
            assert!(count.abs_diff(expected) < 400, "{count} of {expected}");
        }
        assert_eq!(counts[3], 0, "who was removed is not drawn");
    }

    fn crowd(table: &Table, ix: PeerIx) -> u32 {
        table.order.bucket(ix).count() as u32
    }

    #[test]
    fn names_are_shared_until_somebody_learns_something_new() {
        let (table, mut ids, peers) = filled(3, 1);
        let names = Arc::clone(&table.names);
        let none = Arc::default();
        let mut copies = [Table::new(7), Table::new(8)];
        copies.iter_mut().for_each(|copy| copy.fill(&ids, &names, Millis(1), &none));
        assert!(Arc::ptr_eq(&copies[0].names, &copies[1].names));
        let elsewhere = ids.intern_endpoint(crate::id::Endpoint { port: 7, ..Default::default() });
        copies[0].set_endpoint(peers[1], elsewhere);
        assert_eq!(copies[0].endpoint(peers[1]), elsewhere);
        assert_eq!(copies[1].endpoint(peers[1]), Ids::NOWHERE);
        assert_eq!(copies[1].find(table.node(peers[2])), Some(peers[2]));
    }

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
        assert!(!table.is_fit(ix));
        table.set_link(ix, Some(LinkId(2)));
        assert!(table.is_fit(ix));
        table.set_link(ix, None);
        table.set_slot_count(ix, 1);
        assert!(table.is_fit(ix));
        table.set_slot_count(ix, 0);
        assert!(!table.is_fit(ix));
        table.set_link(ix, Some(LinkId(2)));
        for flag in [Flags::MYSELF, Flags::PFAIL, Flags::HANDSHAKE, Flags::NOADDR] {
            table.set_flags(ix, flag);
            assert!(!table.is_fit(ix));
            table.clear_flags(ix, flag);
        }
        table.set_flags(ix, Flags::FAIL);
        assert!(table.is_fit(ix), "nodes in FAIL are spoken of");
    }
}
