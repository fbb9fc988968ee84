//! Sets of peers as bits: small enough to stay in the nearest cache.

use crate::node::table::PeerIx;

/// A set of peers.
#[derive(Debug, Default)]
pub struct PeerSet(Vec<u64>);

impl PeerSet {
    /// Makes room for this many peers and empties the set.
    pub fn reset(&mut self, peers: usize) {
        self.0.clear();
        self.0.resize(peers.div_ceil(64), 0);
    }

    /// Puts a peer in or takes it out, making room if need be.
    pub fn set(&mut self, ix: PeerIx, present: bool) {
        let (word, bit) = place(ix);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if present {
            self.0[word] |= bit;
        } else {
            self.0[word] &= !bit;
        }
    }

    /// Whether a peer is in the set.
    #[must_use]
    #[inline]
    pub fn contains(&self, ix: PeerIx) -> bool {
        let (word, bit) = place(ix);
        self.0[word] & bit != 0
    }

    /// Puts in a peer that there is room for, if `wanted`; returns whether it was and is new.
    #[inline]
    pub fn insert_if(&mut self, wanted: bool, ix: PeerIx) -> bool {
        let word = &mut self.0[ix.index() / 64];
        let bit = u64::from(wanted) << (ix.0 % 64);
        let new = bit & !*word != 0;
        *word |= bit;
        new
    }
}

#[inline]
const fn place(ix: PeerIx) -> (usize, u64) {
    (ix.index() / 64, 1 << (ix.0 % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_peer_set_behaves_like_a_set(
            steps in prop::collection::vec((0..200_u16, any::<bool>()), 0..300)
        ) {
            let (mut set, mut model) = (PeerSet::default(), BTreeSet::new());
            set.reset(200);
            for (number, present) in steps {
                let ix = PeerIx(number);
                if present {
                    prop_assert!(!set.insert_if(false, ix));
                    prop_assert_eq!(set.insert_if(true, ix), model.insert(ix));
                } else {
                    set.set(ix, false);
                    model.remove(&ix);
                }
            }
            for number in 0..200 {
                prop_assert_eq!(set.contains(PeerIx(number)), model.contains(&PeerIx(number)));
            }
        }
    }
}
