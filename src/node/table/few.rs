//! Whom a packet speaks of in a small cluster (§4.4): a bit for each peer, and all draws in one go.
//!
//! Whether somebody who is picked is drawn, can be spoken of, or is spoken of already is up to chance,
//! and a processor that guesses at it is often wrong. So nothing is branched upon here but whether
//! anybody else is wanted.

use crate::node::flags::Flags;
use crate::node::table::PeerIx;
use crate::node::table::lottery::{Quota, pick};
use crate::node::table::traits::FIT;
use crate::node::table::vital::Vitals;
use crate::rng::SmallStream;

/// No small table has more places for peers.
pub(super) const PLACES: usize = u64::BITS as usize;

/// A packet speaks of fewer peers than this when the table is small.
const ROOM: usize = (PLACES / 10).next_power_of_two();

/// Whom a packet speaks of, in the order in which they were drawn.
#[derive(Debug)]
pub(crate) struct Few {
    drawn: [PeerIx; ROOM],
    count: usize,
}

impl Few {
    /// Draws up to the quota from a small table, while there is anybody to be hoped for.
    #[inline]
    pub(super) fn draw(
        vitals: &Vitals,
        mut burst: SmallStream,
        quota: Quota,
        mut hoped_for: usize,
    ) -> Few {
        let (traits, _) = vitals.lots();
        let fit = bits(traits, |own| own.has(FIT));
        let hopeless = !fit & !bits(vitals.all_flags(), |flags| flags.any(Flags::PASSED_OVER));
        let mut few = Few { drawn: [PeerIx(0); ROOM], count: 0 };
        let (mut draws, mut told) = (quota.draws, 0);
        let mut open = quota.wanted.min(hoped_for) > 0;
        while open {
            let word = burst.bits();
            for half in [word as u32, (word >> 32) as u32] {
                let (at, lucky) = pick(traits, half);
                let drawn = u64::from(lucky & open) << (at % PLACES);
                few.drawn[few.count % ROOM] = PeerIx(at as u16);
                few.count += usize::from(drawn & fit & !told != 0);
                told |= drawn;
                hoped_for -= usize::from(drawn & hopeless != 0);
                draws -= usize::from(drawn != 0);
                open = (few.count < quota.wanted.min(hoped_for)) & (draws > 0);
            }
        }
        few
    }

    /// Who was drawn.
    #[inline]
    pub(crate) fn drawn(&self) -> &[PeerIx] {
        &self.drawn[..self.count]
    }
}

/// A bit for each item, whether it has something.
#[inline]
fn bits<T: Copy>(items: &[T], has: impl Fn(T) -> bool) -> u64 {
    items.iter().rev().fold(0, |bits, &item| bits << 1 | u64::from(has(item)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::table::Lottery;
    use crate::rng::{Purpose, Seed};
    use proptest::prelude::*;

    /// How a peer is: its crowd, whether it is fit, and its flags.
    type Kind = (usize, bool, Flags);

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            4 => Just((1, true, Flags::MASTER)),
            2 => Just((2, true, Flags::REPLICA)),
            1 => Just((1, true, Flags::MASTER | Flags::FAIL)),
            1 => Just((2, false, Flags::MASTER | Flags::PFAIL)),
            1 => Just((1, false, Flags::MASTER)),
            1 => Just((0, false, Flags::MASTER)),
        ]
    }

    fn vitals(kinds: &[Kind]) -> Vitals {
        let mut vitals = Vitals::default();
        for (at, &(crowd, fit, flags)) in (0..).zip(kinds) {
            vitals.reset(PeerIx(at));
            vitals.set_flags(PeerIx(at), flags, true);
            vitals.set_crowd(PeerIx(at), crowd);
            vitals.set_fit(PeerIx(at), fit);
        }
        vitals
    }

    proptest! {
        #[test]
        fn all_at_once_are_those_who_are_drawn_one_by_one_4_4(
            mut kinds in prop::collection::vec(kind(), 1..=PLACES - 1),
            seed: u64,
        ) {
            kinds.push((1, false, Flags::MASTER | Flags::MYSELF));
            let vitals = vitals(&kinds);
            let burst = Seed(seed).small_stream(Purpose::Gossip, 0, 0);
            let mut hoped_for = kinds.len().saturating_sub(2);
            let wanted = (kinds.len() / 10).max(3).min(hoped_for);
            let quota = Quota { draws: 3 * wanted, wanted };
            let few = Few::draw(&vitals, burst.clone(), quota, hoped_for);
            let (mut lottery, mut all) = (Lottery::new(&vitals, burst), Vec::new());
            for _ in 0..quota.draws {
                if all.len() >= wanted.min(hoped_for) {
                    break;
                }
                let ix = lottery.draw();
                let (_, fit, flags) = kinds[ix.index()];
                if fit && !all.contains(&ix) {
                    all.push(ix);
                } else if !fit && !flags.any(Flags::PASSED_OVER) {
                    hoped_for -= 1;
                }
            }
            prop_assert_eq!(few.drawn(), all);
        }
    }
}
