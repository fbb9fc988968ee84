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
//! spoken of (§4.4): they have a link or slots, and are neither myself, nor in PFAIL, nor strangers,
//! nor without address.

mod census;
mod chance;
mod few;
mod lottery;
mod marks;
mod members;
mod order;
mod peer;
mod traits;
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
pub use census::Census;
pub(crate) use few::Few;
pub use lottery::{Lottery, Quota};
pub use marks::Marks;
use order::Order;
use peer::NO_LINK;
pub use peer::{FailReport, History, Peer};
use vital::{RUN, Vitals};

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
    /// What all who own nothing share.
    no_slots: Arc<SlotSet>,
    /// How many entries the lists of replicas have together.
    replicas: u32,
    /// Whether nodes can be spoken of briefly: the names are those of other nodes, too.
    concise: bool,
    /// Counts the changes of roles, failures, lists of replicas, and of who serves slots at all.
    topology: u64,
}

/// Whole seconds as they travel in 32 bits (§0.3.3).
#[inline]
fn whole_seconds(time: Millis) -> u32 {
    (time.0 as u64 / 1_000) as u32
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
            no_slots: Arc::default(),
            replicas: 0,
            concise: false,
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
        self.concise = false;
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

    /// Where a node stands in the table order.
    #[must_use]
    #[inline]
    pub fn rank(&self, ix: PeerIx) -> usize {
        self.order.rank(ix)
    }

    /// Random draws that take one word of a stream.
    #[inline]
    pub fn lottery(&self, stream: &mut Stream) -> Lottery<'_> {
        Lottery::new(&self.vitals, stream.burst())
    }

    /// Draws all whom a packet speaks of, if the table is small.
    #[inline]
    pub(crate) fn draw_few(
        &self,
        stream: &mut Stream,
        quota: Quota,
        hoped_for: usize,
    ) -> Option<Few> {
        let is_small = self.capacity() <= few::PLACES;
        is_small.then(|| Few::draw(&self.vitals, stream.burst(), quota, hoped_for))
    }

    /// Speaks of a node, briefly if nothing but the time of its last pong is news.
    #[inline]
    pub(crate) fn tell(&self, ix: PeerIx, section: &mut Section) {
        match self.concise.then(|| self.vitals.plain_pulse(ix)).flatten() {
            Some(pulse) => section.brief.tell(ix, pulse),
            None => section.push(self.describe(ix)),
        }
    }

    /// Begins a gossip section about so many nodes. Returns whether nodes can be spoken of briefly.
    #[inline]
    pub(crate) fn open_section(&mut self, section: &mut Section, wanted: usize) -> bool {
        if self.concise {
            self.vitals.weigh(wanted);
            section.brief.open(&self.names, self.vitals.base());
        }
        self.concise
    }

    /// Everybody whose last pong may have come at this moment or before, and everybody of whom more
    /// than that matters, in table order.
    #[inline]
    pub fn silent_since(&mut self, moment: Millis, silent: &mut Vec<PeerIx>) {
        let second = whole_seconds(moment);
        if self.len() <= RUN {
            // A walk in order over so few is cheaper than a sort of what is found out of order.
            let latest = self.vitals.latest_pulse(second);
            let all = self.order.sequence().iter().copied();
            silent.clear();
            silent.extend(all.filter(|&ix| self.vitals.is_silent(ix, latest)));
            return;
        }
        self.vitals.silent_since(second, silent);
        silent.sort_unstable_by_key(|&ix| self.order.rank(ix));
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
        if briefs.count == 0 {
            return;
        }
        match briefs.speaks_of(&self.names) {
            true => self.vitals.merge_briefs(briefs, limit, rest),
            false => rest.extend(briefs.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};
    use std::collections::BTreeSet;

    pub(super) fn filled(count: u64, seed: u64) -> (Table, Ids, Vec<PeerIx>) {
        let mut ids = Ids::new();
        let mut table = Table::new(seed);
        let mut stream = Seed(count).stream(Purpose::Identity, 0, 0);
        let peers = (0..count)
            .map(|_| {
                let node = ids.intern(NodeId::random(&mut stream));
                table.insert(&ids, node, Flags::MASTER, Ids::NOWHERE, Millis(1))
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
        let again = table.insert(&ids, fresh, Flags::NONE, Ids::NOWHERE, Millis(2));
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
        let mut copies = [Table::new(7), Table::new(8)];
        copies.iter_mut().for_each(|copy| copy.fill(&ids, &names, Millis(1)));
        assert!(Arc::ptr_eq(&copies[0].names, &copies[1].names));
        let elsewhere = ids.intern_endpoint(crate::id::Endpoint { port: 7, ..Default::default() });
        copies[0].set_endpoint(peers[1], elsewhere);
        assert_eq!(copies[0].endpoint(peers[1]), elsewhere);
        assert_eq!(copies[1].endpoint(peers[1]), Ids::NOWHERE);
        assert_eq!(copies[1].find(table.node(peers[2])), Some(peers[2]));
    }
}
