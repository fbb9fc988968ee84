//! The table of known nodes (§2.1, §0.6): dense records indexed by [`PeerIx`], and the hash table
//! order in which Redis walks them and draws from them.
//!
//! What the inner loop touches for every peer lies in [`Hot`], small and contiguous; the rest is in
//! [`Peer`]. Both are indexed by the same [`PeerIx`], which stays the same for as long as the node is
//! known, also when a handshake gives it its real id.

use std::sync::Arc;

use crate::id::{EndpointIx, Ids, NodeId, NodeIx};
use crate::node::effect::LinkId;
use crate::node::flags::Flags;
use crate::node::packet::Epoch;
use crate::rng::Stream;
use crate::slot::SlotSet;
use crate::time::Millis;

/// A node's index in one process's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIx(pub u32);

/// What the cron and the gossip merge look at for every peer.
#[derive(Debug, Clone, Copy)]
pub struct Hot {
    /// When the oldest unanswered ping left; never = none is pending.
    pub ping_sent: Millis,
    /// When it last answered me, or when somebody else said it answered (§5.9.2).
    pub pong_received: Millis,
    /// My outbound link to it, also while it is still connecting (§3.1.3).
    pub link: Option<LinkId>,
    /// Its flags as I see them.
    pub flags: Flags,
    /// How many failure reports I hold about it (expired ones included until they are purged).
    pub reports: u16,
}

/// The rest of what a process knows of a node (§2.1).
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its id; a random one during the handshake.
    pub node: NodeIx,
    /// Its address.
    pub endpoint: EndpointIx,
    /// When this record was made.
    pub ctime: Millis,
    /// When anything last came from it, on any link (§5.1.4).
    pub data_received: Millis,
    /// When the current outbound link was made.
    pub link_ctime: Millis,
    /// When it was marked FAIL.
    pub fail_time: Millis,
    /// When I last voted for a replica of it.
    pub voted_time: Millis,
    /// Since when it has no working replica (§8.7).
    pub orphaned_time: Millis,
    /// The replication offset it last announced, and when.
    pub repl_offset: u64,
    /// When it announced that offset.
    pub repl_offset_time: Millis,
    /// Its configEpoch.
    pub config_epoch: Epoch,
    /// The slots I assign to it.
    pub slots: Arc<SlotSet>,
    /// How many they are.
    pub slot_count: u16,
    /// Its master, if it is a replica and its master is known.
    pub replica_of: Option<PeerIx>,
    /// Its replicas, in the order in which they were added (§2.4).
    pub replicas: Vec<PeerIx>,
    /// Who says that it fails, in order of arrival (§6.4).
    pub fail_reports: Vec<FailReport>,
}

/// A master's word that a node fails (§6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailReport {
    /// Who says so.
    pub reporter: PeerIx,
    /// When it last said so.
    pub time: Millis,
}

/// The table of known nodes of one process, itself included.
#[derive(Debug)]
pub struct Table {
    hot: Vec<Hot>,
    peers: Vec<Peer>,
    free: Vec<PeerIx>,
    by_node: Vec<Option<PeerIx>>,
    order: Order,
}

impl Peer {
    fn new(node: NodeIx, endpoint: EndpointIx, now: Millis, no_slots: Arc<SlotSet>) -> Peer {
        Peer {
            node,
            endpoint,
            ctime: now,
            data_received: Millis::NEVER,
            link_ctime: Millis::NEVER,
            fail_time: Millis::NEVER,
            voted_time: Millis::NEVER,
            orphaned_time: Millis::NEVER,
            repl_offset: 0,
            repl_offset_time: Millis::NEVER,
            config_epoch: Epoch(0),
            slots: no_slots,
            slot_count: 0,
            replica_of: None,
            replicas: Vec::new(),
            fail_reports: Vec::new(),
        }
    }
}

impl Table {
    /// An empty table whose order derives from `seed`, fresh for each process (§0.6).
    #[must_use]
    pub fn new(seed: u64) -> Table {
        Table {
            hot: Vec::new(),
            peers: Vec::new(),
            free: Vec::new(),
            by_node: Vec::new(),
            order: Order::new(seed),
        }
    }

    /// How many nodes are known, of every kind (the protocol's N).
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether nobody is known; never so once the process has started.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hot record of a node.
    #[must_use]
    #[inline]
    pub fn hot(&self, ix: PeerIx) -> &Hot {
        &self.hot[ix.0 as usize]
    }

    /// The hot record of a node, to be changed.
    #[inline]
    pub fn hot_mut(&mut self, ix: PeerIx) -> &mut Hot {
        &mut self.hot[ix.0 as usize]
    }

    /// The record of a node.
    #[must_use]
    #[inline]
    pub fn peer(&self, ix: PeerIx) -> &Peer {
        &self.peers[ix.0 as usize]
    }

    /// The record of a node, to be changed.
    #[inline]
    pub fn peer_mut(&mut self, ix: PeerIx) -> &mut Peer {
        &mut self.peers[ix.0 as usize]
    }

    /// A node's flags.
    #[must_use]
    #[inline]
    pub fn flags(&self, ix: PeerIx) -> Flags {
        self.hot(ix).flags
    }

    /// Looks a node up by its interned id.
    #[must_use]
    #[inline]
    pub fn find(&self, node: NodeIx) -> Option<PeerIx> {
        self.by_node.get(node.0 as usize).copied().flatten()
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
        let hot = Hot {
            ping_sent: Millis::NEVER,
            pong_received: Millis::NEVER,
            link: None,
            flags,
            reports: 0,
        };
        let peer = Peer::new(node, endpoint, now, no_slots);
        let ix = match self.free.pop() {
            Some(ix) => {
                self.hot[ix.0 as usize] = hot;
                self.peers[ix.0 as usize] = peer;
                ix
            }
            None => {
                self.hot.push(hot);
                self.peers.push(peer);
                PeerIx(self.peers.len() as u32 - 1)
            }
        };
        self.name(node, ix);
        self.order.insert(ix, ids.id(node));
        ix
    }

    /// Takes a node out of the table. What points to it is the caller's business (§2.5).
    pub fn remove(&mut self, ids: &Ids, ix: PeerIx) {
        let node = self.peer(ix).node;
        self.by_node[node.0 as usize] = None;
        self.order.remove(ix, ids.id(node));
        self.free.push(ix);
    }

    /// Gives a node its real id (§3.8.4): it is taken out and put in again (§0.6.2).
    ///
    /// # Panics
    /// If a node with the new id is already there.
    pub fn rename(&mut self, ids: &Ids, ix: PeerIx, node: NodeIx) {
        let old = self.peer(ix).node;
        self.by_node[old.0 as usize] = None;
        self.order.remove(ix, ids.id(old));
        self.peer_mut(ix).node = node;
        self.name(node, ix);
        self.order.insert(ix, ids.id(node));
    }

    fn name(&mut self, node: NodeIx, ix: PeerIx) {
        let at = node.0 as usize;
        if self.by_node.len() <= at {
            self.by_node.resize(at + 1, None);
        }
        assert!(self.by_node[at].is_none(), "a node is in the table once");
        self.by_node[at] = Some(ix);
    }

    /// All nodes in table order (§0.6.2).
    #[must_use]
    #[inline]
    pub fn order(&self) -> &[PeerIx] {
        self.order.sequence()
    }

    /// Draws a node as `dictGetRandomKey` does: a non-empty bucket, then one of its chain. Not
    /// uniform over nodes (§0.6.4).
    ///
    /// # Panics
    /// If the table is empty.
    #[inline]
    pub fn random(&self, stream: &mut Stream) -> PeerIx {
        self.order.random(stream)
    }
}

/// The hash table's order: buckets of chains, grown by doubling (§0.6.1).
///
/// Redis moves its buckets to a grown table one by one while it works; here all move at once. The
/// order afterwards is the same.
#[derive(Debug)]
struct Order {
    seed: u64,
    /// Chains, head first; the number of buckets is a power of two.
    buckets: Vec<Vec<PeerIx>>,
    /// Hash of each node, by its index, so that growing needs no ids.
    hashes: Vec<u64>,
    /// Bucket after bucket, head to tail: the iteration order.
    sequence: Vec<PeerIx>,
    /// Where the chain of each non-empty bucket starts in `sequence`, and how long it is.
    chains: Vec<(u32, u32)>,
}

impl Order {
    fn new(seed: u64) -> Order {
        Order {
            seed,
            buckets: vec![Vec::new(); 4],
            hashes: Vec::new(),
            sequence: Vec::new(),
            chains: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.sequence.len()
    }

    fn sequence(&self) -> &[PeerIx] {
        &self.sequence
    }

    fn hash(&self, id: NodeId) -> u64 {
        id.hash64(self.seed)
    }

    fn bucket_of(&self, hash: u64) -> usize {
        (hash & (self.buckets.len() as u64 - 1)) as usize
    }

    fn insert(&mut self, ix: PeerIx, id: NodeId) {
        if self.len() >= self.buckets.len() {
            self.grow();
        }
        let hash = self.hash(id);
        let at = ix.0 as usize;
        if self.hashes.len() <= at {
            self.hashes.resize(at + 1, 0);
        }
        self.hashes[at] = hash;
        let bucket = self.bucket_of(hash);
        self.buckets[bucket].insert(0, ix);
        self.lay_out();
    }

    fn remove(&mut self, ix: PeerIx, id: NodeId) {
        let bucket = self.bucket_of(self.hash(id));
        self.buckets[bucket].retain(|&other| other != ix);
        self.lay_out();
    }

    /// Doubles the table. Entries go one by one to the head of their new chain.
    fn grow(&mut self) {
        let size = (self.len() + 1).next_power_of_two();
        let old = std::mem::replace(&mut self.buckets, vec![Vec::new(); size]);
        for ix in old.into_iter().flatten() {
            let bucket = self.bucket_of(self.hashes[ix.0 as usize]);
            self.buckets[bucket].insert(0, ix);
        }
    }

    fn lay_out(&mut self) {
        self.sequence.clear();
        self.chains.clear();
        for chain in self.buckets.iter().filter(|chain| !chain.is_empty()) {
            self.chains.push((self.sequence.len() as u32, chain.len() as u32));
            self.sequence.extend_from_slice(chain);
        }
    }

    #[inline]
    fn random(&self, stream: &mut Stream) -> PeerIx {
        let (start, len) = self.chains[stream.below(self.chains.len() as u32) as usize];
        let offset = if len == 1 { 0 } else { stream.below(len) };
        self.sequence[(start + offset) as usize]
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
    fn the_order_is_a_permutation_that_depends_on_the_process_0_6_3() {
        let (a, _, peers) = filled(100, 1);
        let (b, _, _) = filled(100, 2);
        assert_ne!(a.order(), b.order());
        let all: BTreeSet<PeerIx> = a.order().iter().copied().collect();
        assert_eq!(all, peers.into_iter().collect());
        assert_eq!(a.order().len(), 100);
    }

    #[test]
    fn a_removed_node_is_gone_and_its_place_is_used_again() {
        let (mut table, mut ids, peers) = filled(5, 1);
        let node = table.peer(peers[2]).node;
        table.remove(&ids, peers[2]);
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
        let old = table.peer(peers[1]).node;
        let real = ids.intern(NodeId::random(&mut Seed(99).stream(Purpose::Identity, 0, 0)));
        table.rename(&ids, peers[1], real);
        assert_eq!(table.find(old), None);
        assert_eq!(table.find(real), Some(peers[1]));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn a_draw_favours_nodes_alone_in_their_bucket_0_6_4() {
        let (table, _, _) = filled(3, 5);
        let mut stream = Seed(1).stream(Purpose::Gossip, 0, 0);
        let mut counts = [0_u32; 3];
        for _ in 0..30_000 {
            counts[table.random(&mut stream).0 as usize] += 1;
        }
        for (ix, &count) in counts.iter().enumerate() {
            let chain = table
                .order
                .buckets
                .iter()
                .find(|chain| chain.contains(&PeerIx(ix as u32)))
                .map_or(0, Vec::len) as u32;
            let expected = 30_000 / (table.order.chains.len() as u32 * chain);
            assert!(count.abs_diff(expected) < 600, "{count} of {expected}");
        }
    }
}
