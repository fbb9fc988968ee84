//! Random draws from a table, as real nodes make them (§0.6.4): for the random ping, and for whom a
//! packet speaks of.

use std::ops::Range;

use wide::{i8x16, i16x8, i16x16, u8x16};

use crate::node::section::{Briefs, NEVER_SEEN, NOT_TOLD};
use crate::node::table::PeerIx;
use crate::node::table::chance::Chance;
use crate::node::table::traits::{CROWD_MAX, Trait};
use crate::node::table::vital::Vitals;
use crate::rng::{Dice, SmallStream};

/// How many draws are made at once, at most.
const BLOCK: usize = 64;

/// How many are drawn at once when they are asked for one by one.
const FEW: usize = 5;

/// Below which fraction of 2^32 a node is drawn, by its crowd: who stands in no bucket never is.
const SHARES: [u64; 1 + CROWD_MAX as usize] = {
    let mut shares = [0; 1 + CROWD_MAX as usize];
    let mut crowd = 1;
    while crowd < shares.len() {
        shares[crowd] = u32::MAX as u64 / crowd as u64 + 1;
        crowd += 1;
    }
    shares
};

/// Random draws from a table (§0.6.4).
#[derive(Debug)]
pub struct Lottery<'a> {
    vitals: &'a Vitals,
    traits: &'a [Trait],
    pulses: &'a [u8],
    burst: SmallStream,
    /// Who was drawn.
    drawn: [PeerIx; BLOCK],
    /// Those that nobody has asked for yet.
    left: Range<usize>,
}

/// How many may be drawn (§4.4).
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// How many draws are left.
    pub draws: usize,
    /// How many different nodes are wanted.
    pub wanted: usize,
}

/// Tries to draw a node as `dictGetRandomKey` does: a non-empty bucket, then one of its chain
/// (§0.6.4). A node alone in its bucket is then twice as likely as one of a pair. So a node is picked
/// evenly, and drawn with a probability that its crowd divides: who is picked, and whether it is drawn.
#[inline]
pub(super) fn pick(traits: &[Trait], chance: u32) -> (usize, bool) {
    // The number before the binary point picks a node; the fraction is as random.
    let product = u64::from(chance).wrapping_mul(traits.len() as u64);
    let (picked, fraction) = ((product >> 32) as usize, product & u64::from(u32::MAX));
    (picked, fraction < SHARES[usize::from(traits[picked].crowd())])
}

impl<'a> Lottery<'a> {
    /// Draws from a table with these vitals.
    #[inline]
    pub(super) fn new(vitals: &'a Vitals, burst: SmallStream) -> Lottery<'a> {
        let (traits, pulses) = vitals.lots();
        Lottery { vitals, traits, pulses, burst, drawn: [PeerIx(0); BLOCK], left: 0..0 }
    }

    /// Draws most of the quota in one pass over all peers (see [`chance`](super::chance)): speaks of
    /// those who are plain and lists the others. Draws nobody if that were too many.
    #[inline]
    pub(crate) fn draw_early(
        &mut self,
        briefs: &mut Briefs,
        quota: &mut Quota,
        odd: &mut Vec<PeerIx>,
    ) {
        let mut dice = Dice::new(&mut self.burst);
        let (count, newest) =
            early(&mut dice, self.vitals.chances(), self.pulses, &mut briefs.pulses);
        for (ix, chance) in self.vitals.odd_chances() {
            if (self.burst.bits() as Chance) < chance {
                odd.push(ix);
            }
        }
        if count + odd.len() > quota.wanted {
            briefs.close();
            odd.clear();
            return;
        }
        (briefs.count, briefs.newest) = (count, newest);
        quota.draws -= count + odd.len();
        quota.wanted -= count;
    }

    /// Draws about this many nodes. Nothing is branched upon and no try depends on the one before, so
    /// that tries need not wait for each other.
    #[inline]
    fn draw_block(&mut self, wanted: usize) {
        let mut drawn = 0;
        for _ in 0..(wanted / 2 + 1).min(BLOCK / 2) {
            let word = self.burst.bits();
            for half in [word as u32, (word >> 32) as u32] {
                let (picked, lucky) = pick(self.traits, half);
                self.drawn[drawn % BLOCK] = PeerIx(picked as u16);
                drawn += usize::from(lucky);
            }
        }
        self.left = 0..drawn;
    }

    /// Draws somebody.
    ///
    /// # Panics
    /// If the table never held anybody.
    #[inline]
    pub fn draw(&mut self) -> PeerIx {
        self.draw_of(FEW)
    }

    /// Draws somebody, of so many at once if nobody is left of those who were drawn.
    #[inline]
    fn draw_of(&mut self, block: usize) -> PeerIx {
        loop {
            match self.left.next() {
                None => self.draw_block(block),
                Some(at) => return self.drawn[at],
            }
        }
    }

    /// Draws somebody, up to the quota.
    ///
    /// # Panics
    /// If the table never held anybody.
    #[inline]
    pub(crate) fn draw_any(&mut self, quota: &mut Quota) -> Option<PeerIx> {
        if quota.wanted == 0 || quota.draws == 0 {
            return None;
        }
        quota.draws -= 1;
        Some(self.draw_of(quota.wanted))
    }

    /// Draws plain peers and speaks of them, up to the quota; gives back anybody else who is drawn.
    /// Nothing is branched upon whether somebody is spoken of already: the draws of a large table
    /// would otherwise wait for each other.
    ///
    /// # Panics
    /// If the table never held anybody.
    #[inline]
    pub(crate) fn draw_plain(&mut self, briefs: &mut Briefs, quota: &mut Quota) -> Option<PeerIx> {
        while quota.wanted > 0 && quota.draws > 0 {
            quota.draws -= 1;
            let ix = self.draw_of(quota.wanted);
            if !self.traits[ix.index()].is_plain() {
                return Some(ix);
            }
            let pulse = self.pulses[ix.index()].max(NEVER_SEEN);
            let told = std::mem::replace(&mut briefs.pulses[ix.index()], pulse);
            let news = usize::from(told == NOT_TOLD);
            briefs.newest = briefs.newest.max(pulse);
            briefs.count += news;
            quota.wanted -= news;
        }
        None
    }
}

/// Throws dice for everybody and speaks of those who win. Says how many they are, and the latest of
/// their pulses.
#[inline]
fn early(dice: &mut Dice, chances: &[Chance], pulses: &[u8], told: &mut [u8]) -> (usize, u8) {
    let (chances, few_chances) = chances.as_chunks();
    let (pulses, few_pulses) = pulses.as_chunks();
    let (told, few_told) = told.as_chunks_mut();
    let (mut count, mut newest) = (0, u8x16::ZERO);
    let runs = chances.chunks(RUN).zip(pulses.chunks(RUN)).zip(told.chunks_mut(RUN));
    for ((chances, pulses), told) in runs {
        let mut counts = u8x16::ZERO;
        for ((chances, pulses), told) in chances.iter().zip(pulses).zip(told) {
            let said = winners(dice.throw(), chances, pulses);
            counts += said.min(u8x16::ONE);
            newest = newest.max(said);
            *told = said.to_array();
        }
        count += counts.to_array().iter().map(|&count| usize::from(count)).sum::<usize>();
    }
    let (mut chances, mut pulses) = ([Chance::MIN; 16], [0; 16]);
    chances[..few_chances.len()].copy_from_slice(few_chances);
    pulses[..few_pulses.len()].copy_from_slice(few_pulses);
    let said = winners(dice.throw(), &chances, &pulses);
    few_told.copy_from_slice(&said.to_array()[..few_told.len()]);
    count += few_told.iter().filter(|&&pulse| pulse != NOT_TOLD).count();
    (count, newest.max(said).to_array().into_iter().fold(0, u8::max))
}

/// What is said of sixteen peers: the pulses of those who threw less than their chance.
#[inline]
fn winners(thrown: [i16x8; 2], chances: &[Chance; 16], pulses: &[u8; 16]) -> u8x16 {
    let [low, high]: [i16x8; 2] = bytemuck::must_cast(*chances);
    let wins: i16x16 = bytemuck::must_cast([low.simd_gt(thrown[0]), high.simd_gt(thrown[1])]);
    let wins: u8x16 = bytemuck::must_cast(i8x16::from_i16x16_saturate(wins));
    u8x16::new(*pulses).max(u8x16::splat(NEVER_SEEN)) & wins
}

/// So many groups are counted in a byte each.
const RUN: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EndpointIx, NodeIx};
    use crate::node::flags::Flags;
    use crate::node::names::Names;
    use std::sync::Arc;

    /// Peers of whom every third shares its bucket with another one, and every seventh is odd.
    fn vitals(peers: u16) -> Vitals {
        let mut vitals = Vitals::default();
        for at in 0..peers {
            let ix = PeerIx(at);
            vitals.reset(ix);
            vitals.set_flags(ix, Flags::MASTER, true);
            vitals.set_crowd(ix, if at % 3 == 0 { 2 } else { 1 });
            vitals.set_fit(ix, true);
            vitals.set_calm(ix, at % 7 != 0);
            vitals.set_pulse(ix, 100);
        }
        vitals
    }

    fn names(peers: usize) -> Arc<Names> {
        Names::of((0..peers as u32).map(|at| (NodeIx(at), EndpointIx(at), Flags::MASTER)))
    }

    fn burst(seed: u64) -> SmallStream {
        crate::rng::Seed(seed).small_stream(crate::rng::Purpose::Gossip, 0, 0)
    }

    /// How whom a packet speaks of is drawn.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Way {
        OneByOne,
        Plain,
        Early,
    }

    /// Whom a packet speaks of, and how many draws were left.
    fn told(vitals: &mut Vitals, seed: u64, wanted: usize, way: Way) -> (Vec<PeerIx>, usize) {
        let mut briefs = Briefs::default();
        vitals.weigh(wanted);
        briefs.open(&names(vitals.chances().len()), vitals.base());
        let mut quota = Quota { draws: 3 * wanted, wanted };
        let mut lottery = Lottery::new(vitals, burst(seed));
        let mut all: Vec<PeerIx> = Vec::new();
        if way == Way::Early {
            lottery.draw_early(&mut briefs, &mut quota, &mut all);
            quota.wanted -= all.len();
        }
        while let Some(ix) = match way {
            Way::OneByOne => lottery.draw_any(&mut quota),
            _ => lottery.draw_plain(&mut briefs, &mut quota),
        } {
            if !all.contains(&ix) {
                all.push(ix);
                quota.wanted -= 1;
            }
        }
        let plain = (0..briefs.pulses.len()).filter(|&at| briefs.pulses[at] != NOT_TOLD);
        let plain: Vec<PeerIx> = plain.map(|at| PeerIx(at as u16)).collect();
        assert_eq!(plain.len(), briefs.count);
        all.extend(plain);
        all.sort_unstable();
        (all, quota.draws)
    }

    #[test]
    fn whether_nodes_are_spoken_of_briefly_changes_nothing_4_4() {
        for seed in 0..200 {
            for wanted in [1, 3, 12, 39] {
                let mut vitals = vitals(40);
                let plain = told(&mut vitals, seed, wanted, Way::Plain);
                assert_eq!(plain, told(&mut vitals, seed, wanted, Way::OneByOne));
            }
        }
    }

    #[test]
    fn hardly_ever_too_many_are_drawn_early() {
        let mut vitals = vitals(301);
        vitals.weigh(30);
        let early = (0..1_000).filter(|&seed| {
            let (mut briefs, mut quota) = (Briefs::default(), Quota { draws: 90, wanted: 30 });
            briefs.open(&names(301), vitals.base());
            let mut lottery = Lottery::new(&vitals, burst(seed));
            lottery.draw_early(&mut briefs, &mut quota, &mut Vec::new());
            briefs.count >= 8
        });
        assert!(early.count() > 900);
    }

    #[test]
    fn drawing_early_favours_the_same_nodes_4_4() {
        const PACKETS: u64 = 3_000;
        let mut vitals = vitals(301);
        let mut shares = |way| {
            let mut kinds = [0; 4];
            for seed in 0..PACKETS {
                let (all, _) = told(&mut vitals, seed, 30, way);
                assert_eq!(all.len(), 30);
                assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "nobody twice");
                for ix in all {
                    kinds[usize::from(ix.0 % 3 == 0) + 2 * usize::from(ix.0 % 7 == 0)] += 1;
                }
            }
            kinds
        };
        let (early, one_by_one) = (shares(Way::Early), shares(Way::OneByOne));
        // Four standard deviations of the rarest kind, and less than one in a hundred of the others.
        for (early, one_by_one) in early.into_iter().zip(one_by_one) {
            assert!(u32::abs_diff(early, one_by_one) < 260, "{early} and {one_by_one}");
        }
    }

    #[test]
    fn draws_come_to_an_end_4_4() {
        let (all, draws) = told(&mut vitals(2), 1, 30, Way::Plain);
        assert_eq!((all.len(), draws), (2, 0));
    }

    #[test]
    fn who_stands_in_no_bucket_is_not_drawn_0_6_4() {
        let mut vitals = vitals(5);
        vitals.set_crowd(PeerIx(3), 0);
        let mut lottery = Lottery::new(&vitals, burst(1));
        assert!((0..500).all(|_| lottery.draw() != PeerIx(3)));
    }
}
