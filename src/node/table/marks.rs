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

    /// Puts in a peer that there is room for; returns whether it is new.
    #[inline]
    pub fn insert(&mut self, ix: PeerIx) -> bool {
        std::mem::replace(&mut self.rounds[ix.index()], self.round) != self.round
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
            rounds in prop::collection::vec(prop::collection::vec(0..40_u16, 0..60), 1..9),
            start: u16,
        ) {
            let mut marks = Marks { round: start, ..Marks::default() };
            for round in rounds {
                marks.reset(40);
                let mut model = BTreeSet::new();
                for number in round {
                    prop_assert_eq!(marks.insert(PeerIx(number)), model.insert(number));
                }
            }
        }
    }

    #[test]
    fn nothing_is_left_of_a_round_with_the_same_number() {
        let mut marks = Marks::default();
        marks.reset(1);
        assert!(marks.insert(PeerIx(0)));
        for _ in 0..=u16::MAX {
            marks.reset(1);
        }
        assert!(marks.insert(PeerIx(0)));
    }
}
