//! The order of a process's node table: a chained hash table that grows by doubling (§0.6.1).
//!
//! Everything that walks over nodes walks in this order, and random picks follow its shape
//! (§0.6.4). Redis moves its buckets to a grown table one by one while it works; here all move at
//! once. The order afterwards is the same.
//!
//! Insertions and removals only touch the chains. The sequence that walks and draws need is laid out
//! when it is asked for, so that loading a thousand nodes costs one layout and not a thousand.

use std::cell::OnceCell;

use crate::id::NodeId;
use crate::node::table::PeerIx;
use crate::rng::Stream;

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
    layout: OnceCell<Layout>,
    /// Counts the changes of the order.
    version: u64,
}

/// The order, ready to be walked and drawn from.
#[derive(Debug)]
pub struct Layout {
    /// Bucket after bucket, head to tail: the iteration order.
    sequence: Vec<PeerIx>,
    /// The chain of each non-empty bucket: where it starts in `sequence`, and its length.
    chains: Vec<(u16, u16)>,
}

impl Order {
    pub(super) fn new(seed: u64) -> Order {
        Order {
            seed,
            heads: vec![END; 4],
            next: Vec::new(),
            hashes: Vec::new(),
            len: 0,
            layout: OnceCell::new(),
            version: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    fn bucket_of(&self, hash: u16) -> usize {
        usize::from(hash) & (self.heads.len() - 1)
    }

    pub(super) fn insert(&mut self, ix: PeerIx, id: NodeId) {
        if self.len >= self.heads.len() {
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
        self.layout.take();
        self.version += 1;
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

    #[inline]
    pub(super) fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| {
            let mut chains = Vec::new();
            let mut start = 0;
            for &head in &self.heads {
                let length = self.chain(head).count() as u16;
                if length > 0 {
                    chains.push((start, length));
                    start += length;
                }
            }
            Layout { sequence: self.walk(), chains }
        })
    }
}

impl Layout {
    /// All nodes in table order (§0.6.2).
    #[must_use]
    #[inline]
    pub fn sequence(&self) -> &[PeerIx] {
        &self.sequence
    }

    /// Draws a node as `dictGetRandomKey` does: a non-empty bucket, then one of its chain. Not
    /// uniform over nodes (§0.6.4). Both draws come from one word and nothing depends on a
    /// comparison, so that a processor can work on many draws at once.
    ///
    /// # Panics
    /// If the table is empty.
    #[inline]
    pub fn random(&self, stream: &mut Stream) -> PeerIx {
        let word = stream.bits();
        let (start, length) = self.chains[scale(word >> 32, self.chains.len() as u64) as usize];
        let offset = scale(word & u64::from(u32::MAX), u64::from(length)) as u16;
        self.sequence[usize::from(start + offset)]
    }
}

/// Maps 32 random bits to `0..bound`.
#[inline]
const fn scale(bits: u64, bound: u64) -> u64 {
    (bits * bound) >> 32
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
                prop_assert_eq!(order.layout().sequence(), naive.sequence());
                prop_assert_eq!(order.len(), present.len());
            }
        }
    }

    #[test]
    fn a_draw_favours_nodes_alone_in_their_bucket_0_6_4() {
        let mut order = Order::new(5);
        for (number, id) in ids(5).into_iter().enumerate() {
            order.insert(PeerIx(number as u16), id);
        }
        let mut stream = Seed(1).stream(Purpose::Gossip, 0, 0);
        let mut counts = [0_u32; 5];
        for _ in 0..30_000 {
            counts[order.layout().random(&mut stream).0 as usize] += 1;
        }
        let chains: Vec<Vec<PeerIx>> = order
            .heads
            .iter()
            .map(|&head| order.chain(head).collect::<Vec<_>>())
            .filter(|chain| !chain.is_empty())
            .collect();
        assert!(chains.iter().any(|chain| chain.len() > 1), "the sample must show a collision");
        for chain in &chains {
            let expected = 30_000 / (chains.len() * chain.len()) as u32;
            for ix in chain {
                let count = counts[ix.index()];
                assert!(count.abs_diff(expected) < 600, "{count} of {expected}");
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
        assert_ne!(a.layout().sequence(), b.layout().sequence());
    }
}
