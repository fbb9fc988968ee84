//! How likely it is that a packet speaks of a peer before peers are drawn one by one.
//!
//! A large table would take hundreds of draws for each packet (§4.4). Draws without return from
//! buckets of equal weight come in the order of independent exponential clocks, one for each bucket
//! and shared by its chain. So all clocks can be asked at once which of them have rung by an early
//! moment, each with a chance of its own: the moment is such that hardly ever too many have. Clocks
//! have no memory; who is still missing is then drawn one by one as if nothing had happened.

use crate::node::table::PeerIx;
use crate::node::table::traits::{CROWD_MAX, Trait};

/// A chance in parts of 2^16, less 2^15, so that numbers with a sign can be compared with it.
pub(super) type Chance = i16;

/// What never happens.
const NONE: Chance = Chance::MIN;

/// The chances of all peers to be drawn early.
#[derive(Debug, Default)]
pub(super) struct Chances {
    all: Vec<Chance>,
    /// By how many peers share a bucket.
    by_crowd: [Chance; 1 + CROWD_MAX as usize],
    /// For how many peers that are wanted; 0 = nothing is worked out.
    wanted: usize,
}

/// Divisible by every crowd.
const WHOLE: u64 = 360_360;

/// One, with 32 digits after the binary point.
const ONE: u64 = 1 << 32;

impl Chances {
    /// Makes room for another peer.
    pub(super) fn push(&mut self) {
        self.all.push(NONE);
    }

    /// Notes that a peer is plain and how many share its bucket, or that it is not plain.
    #[inline]
    pub(super) fn set(&mut self, ix: PeerIx, crowd: Option<u8>) {
        self.all[ix.index()] = crowd.map_or(NONE, |crowd| self.of_crowd(crowd));
    }

    /// The chance of who shares a bucket with so many, itself included.
    #[inline]
    pub(super) fn of_crowd(&self, crowd: u8) -> Chance {
        self.by_crowd[usize::from(crowd)]
    }

    /// The chances of all; none for who is not plain.
    #[inline]
    pub(super) fn all(&self) -> &[Chance] {
        &self.all
    }

    /// Whether chances are worked out for so many that are wanted.
    #[inline]
    pub(super) fn are_for(&self, wanted: usize) -> bool {
        self.wanted == wanted
    }

    /// Forgets what was worked out.
    pub(super) fn start_over(&mut self) {
        self.wanted = 0;
    }

    /// Works out the chances by which rather less than `wanted` peers are drawn.
    #[cold]
    pub(super) fn work_out(&mut self, wanted: usize, traits: &[Trait]) {
        let present = traits.iter().filter(|own| own.crowd() > 0);
        let buckets: u64 = present.map(|own| WHOLE / u64::from(own.crowd())).sum();
        let early = (wanted as u64).saturating_sub(wanted.isqrt() as u64 * 3 / 2);
        // Until a moment at which each clock would have rung so often.
        let moment = (u128::from(early * WHOLE) * u128::from(ONE) / u128::from(buckets.max(1)))
            .min(u128::from(ONE)) as u64;
        for crowd in 1..=CROWD_MAX {
            self.by_crowd[usize::from(crowd)] = chance(rings_by(moment / u64::from(crowd)));
        }
        self.by_crowd[0] = NONE;
        self.wanted = wanted;
        for (at, own) in traits.iter().enumerate() {
            let plain = own.is_plain().then_some(own.crowd());
            self.set(PeerIx(at as u16), plain);
        }
    }
}

/// How likely a clock has rung that would ring so often on average: 1 - exp(-x), as its series. All
/// numbers are in parts of 2^32; there are no floats, so it is the same on every machine.
fn rings_by(times: u64) -> u64 {
    let (mut sum, mut term, mut divisor) = (0_i64, times, 1);
    while term > 0 {
        sum += if divisor % 2 == 1 { term as i64 } else { -(term as i64) };
        divisor += 1;
        term = (u128::from(term) * u128::from(times) / u128::from(ONE)) as u64 / divisor;
    }
    sum.unsigned_abs()
}

fn chance(of_one: u64) -> Chance {
    let rounded = ((of_one + (1 << 15)) >> 16).min(u64::from(u16::MAX)) as i32;
    (rounded + i32::from(Chance::MIN)) as Chance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_has_rung_with_one_less_the_exponential() {
        for (times, wanted) in
            [(0.0, 0.0), (0.01, 0.009_950_17), (0.5, 0.393_469_3), (1.0, 0.632_120_6)]
        {
            let found = rings_by((times * ONE as f64) as u64) as f64 / ONE as f64;
            assert!((found - wanted).abs() < 1e-6, "{times}: {found}");
        }
    }

    #[test]
    fn chances_are_parts_of_65536() {
        assert_eq!(chance(0), NONE);
        assert_eq!(chance(ONE / 2), 0);
        assert_eq!(chance(ONE), Chance::MAX);
    }
}
