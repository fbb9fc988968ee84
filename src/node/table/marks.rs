//! A set of peers that is emptied in no time, for a loop that fills one for every packet.

use crate::node::table::PeerIx;

/// A set of peers.
#[derive(Debug, Default)]
pub struct Marks {
    /// The round in which a peer was last put in.
    rounds: Vec<u16>,
    round: u16,
}

impl Marks {
    /// Makes room for this many peers and empties the set.
    #[inline]
    pub fn reset(&mut self, peers: usize) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 || self.rounds.len() < peers {
            self.start_over(peers);
        }
    }

    #[cold]
    fn start_over(&mut self, peers: usize) {
        self.rounds.clear();
        self.rounds.resize(peers, 0);
        self.round = 1;
    }

    /// Puts in a peer that there is room for, if `wanted`; returns whether it was and is new.
    /// Nothing is branched upon.
    #[inline]
    pub fn insert_if(&mut self, wanted: bool, ix: PeerIx) -> bool {
        let round = &mut self.rounds[ix.index()];
        let new = wanted & (*round != self.round);
        *round = if wanted { self.round } else { *round };
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn marks_behave_like_a_set(
            rounds in prop::collection::vec(prop::collection::vec((0..40_u16, any::<bool>()), 0..60), 1..9),
            start: u16,
        ) {
            let mut marks = Marks { round: start, ..Marks::default() };
            for round in rounds {
                marks.reset(40);
                let mut model = BTreeSet::new();
                for (number, wanted) in round {
                    let new = wanted && model.insert(number);
                    prop_assert_eq!(marks.insert_if(wanted, PeerIx(number)), new);
                }
            }
        }
    }

    #[test]
    fn nothing_is_left_of_a_round_with_the_same_number() {
        let mut marks = Marks::default();
        marks.reset(1);
        assert!(marks.insert_if(true, PeerIx(0)));
        for _ in 0..=u16::MAX {
            marks.reset(1);
        }
        assert!(marks.insert_if(true, PeerIx(0)));
    }
}
