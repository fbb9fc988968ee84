//! The order of a process's node table: a chained hash table that grows by doubling (§0.6.1).
//!
//! Everything that walks over nodes walks in this order, and random picks follow its shape: who
//! shares a bucket with others is drawn less often (§0.6.4). Redis moves its buckets to a grown table
//! one by one while it works; here all move at once. The order afterwards is the same.
//!
//! Insertions and removals only touch the chains. The sequence that walks need is laid out when it
//! is asked for, so that loading a thousand nodes costs one layout and not a thousand.

use std::cell::OnceCell;

use crate::id::NodeId;
use crate::node::table::PeerIx;

const END: u16 = u16::MAX;

/// Buckets of chains.
#[derive(Debug)]
pub(super) struct Order {
    seed: u64,
    /// The head of each bucket's chain; the number of buckets is a power of two.
    heads: Vec<u16>,
    /// The next entry of the chain, by peer.
    next: Vec<u16>,
    /// As much of the hash of each peer's id as the greatest table needs, so that growing needs no
    /// ids.
    hashes: Vec<u16>,
    len: usize,
    /// Bucket after bucket, head to tail: the iteration order, once somebody has asked for it.
    sequence: OnceCell<Vec<PeerIx>>,
    /// Where each peer stands in the sequence, by index, once somebody has asked for it.
    ranks: OnceCell<Vec<u16>>,
}

impl Order {
    pub(super) fn new(seed: u64) -> Order {
        Order {
            seed,
            heads: vec![END; 4],
            next: Vec::new(),
            hashes: Vec::new(),
            len: 0,
            sequence: OnceCell::new(),
            ranks: OnceCell::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn bucket_of(&self, hash: u16) -> usize {
        usize::from(hash) & (self.heads.len() - 1)
    }

    /// Puts a node in; returns whether the table has grown.
    pub(super) fn insert(&mut self, ix: PeerIx, id: NodeId) -> bool {
        let grows = self.len >= self.heads.len();
        if grows {
            self.grow();
        }
        let at = ix.index();
        if self.next.len() <= at {
            self.next.resize(at + 1, END);
            self.hashes.resize(at + 1, 0);
        }
        self.hashes[at] = id.hash64(self.seed) as u16;
        self.push(ix.0);
        self.len += 1;
        self.changed();
        grows
    }

    /// Puts an entry at the head of its chain.
    fn push(&mut self, entry: u16) {
        let bucket = self.bucket_of(self.hashes[usize::from(entry)]);
        self.next[usize::from(entry)] = std::mem::replace(&mut self.heads[bucket], entry);
    }

    pub(super) fn remove(&mut self, ix: PeerIx) {
        let bucket = self.bucket_of(self.hashes[ix.index()]);
        let after = self.next[ix.index()];
        if self.heads[bucket] == ix.0 {
            self.heads[bucket] = after;
        } else {
            let mut entry = self.heads[bucket];
            while self.next[usize::from(entry)] != ix.0 {
                entry = self.next[usize::from(entry)];
            }
            self.next[usize::from(entry)] = after;
        }
        self.len -= 1;
        self.changed();
    }

    fn changed(&mut self) {
        self.sequence.take();
        self.ranks.take();
    }

    /// Doubles the table. Entries go one by one to the head of their new chain.
    fn grow(&mut self) {
        let size = (self.len + 1).next_power_of_two();
        let entries = self.walk();
        self.heads = vec![END; size];
        for ix in entries {
            self.push(ix.0);
        }
    }

    fn chain(&self, head: u16) -> impl Iterator<Item = PeerIx> + '_ {
        let start = (head != END).then_some(head);
        std::iter::successors(start, |&entry| {
            let next = self.next[usize::from(entry)];
            (next != END).then_some(next)
        })
        .map(PeerIx)
    }

    fn walk(&self) -> Vec<PeerIx> {
        let mut sequence = Vec::with_capacity(self.len);
        sequence.extend(self.heads.iter().flat_map(|&head| self.chain(head)));
        sequence
    }

    /// All nodes in table order (§0.6.2).
    #[inline]
    pub(super) fn sequence(&self) -> &[PeerIx] {
        self.sequence.get_or_init(|| self.walk())
    }

    /// Where a peer stands in the sequence.
    #[inline]
    pub(super) fn rank(&self, ix: PeerIx) -> usize {
        let ranks = self.ranks.get_or_init(|| {
            let mut ranks = vec![0; self.next.len()];
            for (rank, ix) in self.sequence().iter().enumerate() {
                ranks[ix.index()] = rank as u16;
            }
            ranks
        });
        usize::from(ranks[ix.index()])
    }

    /// Everybody in the same bucket as this node, itself included.
    pub(super) fn bucket(&self, ix: PeerIx) -> impl Iterator<Item = PeerIx> + '_ {
        self.chain(self.heads[self.bucket_of(self.hashes[ix.index()])])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};
    use proptest::prelude::*;

    fn ids(count: u64) -> Vec<NodeId> {
        let mut stream = Seed(count).stream(Purpose::Identity, 0, 0);
        (0..count).map(|_| NodeId::random(&mut stream)).collect()
    }

    /// The hash table as §0.6.1 describes it, with nothing clever.
    struct Naive {
        seed: u64,
        buckets: Vec<Vec<(PeerIx, NodeId)>>,
    }

    impl Naive {
        fn push(buckets: &mut [Vec<(PeerIx, NodeId)>], seed: u64, entry: (PeerIx, NodeId)) {
            let bucket = entry.1.hash64(seed) as usize % buckets.len();
            buckets[bucket].insert(0, entry);
        }

        fn insert(&mut self, entry: (PeerIx, NodeId)) {
            let used = self.sequence().len();
            if used >= self.buckets.len() {
                let mut grown = vec![Vec::new(); (used + 1).next_power_of_two()];
                for old in self.buckets.drain(..).flatten() {
                    Naive::push(&mut grown, self.seed, old);
                }
                self.buckets = grown;
            }
            Naive::push(&mut self.buckets, self.seed, entry);
        }

        fn sequence(&self) -> Vec<PeerIx> {
            self.buckets.iter().flatten().map(|entry| entry.0).collect()
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_a_chained_hash_table_0_6_1(
            seed: u64,
            steps in prop::collection::vec((0..60_u16, any::<bool>()), 1..200),
        ) {
            let ids = ids(60);
            let mut order = Order::new(seed);
            let mut naive = Naive { seed, buckets: vec![Vec::new(); 4] };
            let mut present = std::collections::BTreeSet::new();
            for (number, add) in steps {
                let ix = PeerIx(number);
                if add && present.insert(ix) {
                    order.insert(ix, ids[usize::from(number)]);
                    naive.insert((ix, ids[usize::from(number)]));
                } else if !add && present.remove(&ix) {
                    order.remove(ix);
                    naive.buckets.iter_mut().for_each(|chain| chain.retain(|e| e.0 != ix));
                }
                prop_assert_eq!(order.sequence(), naive.sequence());
                let mut ranks = order.sequence().iter().map(|&ix| order.rank(ix)).enumerate();
                prop_assert!(ranks.all(|(at, rank)| at == rank));
                prop_assert_eq!(order.len(), present.len());
            }
        }
    }

    #[test]
    fn the_order_depends_on_the_process_0_6_3() {
        let (mut a, mut b) = (Order::new(1), Order::new(2));
        for (number, id) in ids(100).into_iter().enumerate() {
            a.insert(PeerIx(number as u16), id);
            b.insert(PeerIx(number as u16), id);
        }
        assert_ne!(a.sequence(), b.sequence());
    }
}
