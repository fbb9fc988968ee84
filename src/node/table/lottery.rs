//! Random draws from a table, as real nodes make them (§0.6.4): for the random ping, and for whom a
//! packet speaks of.

use std::ops::Range;

use crate::node::section::{Brief, Briefs};
use crate::node::table::PeerIx;
use crate::node::table::vital::{CROWD_MAX, PLAIN, Trait, Vitals};
use crate::rng::SmallStream;

/// How many draws are made at once, at most.
const BLOCK: usize = 64;

/// How many are drawn at once when they are asked for one by one.
const FEW: usize = 5;

/// Up to which fraction a node is drawn, by its crowd.
const SHARES: [u32; 1 + CROWD_MAX as usize] = {
    let mut shares = [u32::MAX; 1 + CROWD_MAX as usize];
    let mut crowd = 1;
    while crowd < shares.len() {
        shares[crowd] = u32::MAX / crowd as u32;
        crowd += 1;
    }
    shares
};

/// Random draws from a table (§0.6.4).
#[derive(Debug)]
pub struct Lottery<'a> {
    traits: &'a [Trait],
    pulses: &'a [u8],
    burst: SmallStream,
    /// Who was drawn. Who is not in the table any more may be among them.
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

impl<'a> Lottery<'a> {
    /// Draws from a table with these vitals.
    #[inline]
    pub(super) fn new(vitals: &'a Vitals, burst: SmallStream) -> Lottery<'a> {
        let (traits, pulses) = vitals.lots();
        Lottery { traits, pulses, burst, drawn: [PeerIx(0); BLOCK], left: 0..0 }
    }

    /// Draws about this many nodes as `dictGetRandomKey` does: a non-empty bucket, then one of its
    /// chain (§0.6.4). A node alone in its bucket is then twice as likely as one of a pair. So a node
    /// is picked evenly, and drawn with a probability that its crowd divides. Nothing is branched
    /// upon and no try depends on the one before, so that tries need not wait for each other.
    #[inline]
    fn draw_block(&mut self, wanted: usize) {
        let mut drawn = 0;
        for _ in 0..(wanted / 2 + 1).min(BLOCK / 2) {
            let word = self.burst.bits();
            for half in [word & u64::from(u32::MAX), word >> 32] {
                // The number before the binary point picks a node; the fraction is as random.
                let product = half.wrapping_mul(self.traits.len() as u64);
                let (picked, fraction) = ((product >> 32) as usize, product as u32);
                let crowd = usize::from(self.traits[picked].crowd());
                self.drawn[drawn % BLOCK] = PeerIx(picked as u16);
                drawn += usize::from(fraction <= SHARES[crowd]);
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
        loop {
            match self.left.next() {
                None => self.draw_block(FEW),
                Some(at) if self.is_gone(self.drawn[at]) => {}
                Some(at) => return self.drawn[at],
            }
        }
    }

    /// Whether a peer stands in no bucket any more.
    fn is_gone(&self, ix: PeerIx) -> bool {
        self.traits[ix.index()].crowd() == 0
    }

    /// Draws plain peers and speaks of them, up to the quota; gives back anybody else who is drawn.
    ///
    /// # Panics
    /// If the table never held anybody.
    #[inline]
    pub(crate) fn draw_plain(&mut self, briefs: &mut Briefs, quota: &mut Quota) -> Option<PeerIx> {
        while quota.wanted > 0 && quota.draws > 0 {
            if self.left.is_empty() {
                self.draw_block(quota.wanted);
            }
            let batch = self.left.len().min(quota.wanted).min(quota.draws);
            let drawn = &self.drawn[self.left.start..][..batch];
            let (used, added) = self.tell(drawn, briefs);
            self.left.start += used;
            quota.draws -= used;
            quota.wanted -= added;
            if used < batch {
                let stranger = self.drawn[self.left.start];
                self.left.start += 1;
                if !self.is_gone(stranger) {
                    quota.draws -= 1;
                    return Some(stranger);
                }
            }
        }
        None
    }

    /// Speaks of those who were drawn until one comes up who is not plain. Says how many that were,
    /// and how many of them for the first time. Who is spoken of already is written over by the
    /// next one rather than branched upon: the draws of a large table would otherwise wait for each
    /// other.
    #[inline]
    fn tell(&self, drawn: &[PeerIx], briefs: &mut Briefs) -> (usize, usize) {
        let nodes = self.traits.len();
        let (traits, pulses) = (&self.traits[..nodes], &self.pulses[..nodes]);
        let told = &mut briefs.pulses[..nodes];
        let before = briefs.who.len();
        briefs.who.resize(before + drawn.len() + 1, Brief::NOBODY);
        let who = &mut briefs.who[before..];
        let (mut used, mut added) = (0, 0);
        for &ix in drawn {
            let own = traits[ix.index()];
            if !own.has(PLAIN) {
                break;
            }
            used += 1;
            who[added] = Brief::new(ix, own.common());
            added += usize::from(told[ix.index()] == 0);
            told[ix.index()] = pulses[ix.index()];
        }
        briefs.who.truncate(before + added);
        (used, added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::flags::Flags;
    use std::sync::Arc;

    /// Peers of whom every third shares its bucket with another one.
    fn vitals(peers: u16, concise: bool) -> Vitals {
        let mut vitals = Vitals::default();
        for at in 0..peers {
            let ix = PeerIx(at);
            vitals.reset(ix, Flags::MASTER);
            vitals.set_crowd(ix, if at % 3 == 0 { 2 } else { 1 });
            vitals.set_fit(ix, true);
            vitals.set_calm(ix, at % 7 != 0);
            vitals.set_pulse(ix, 100);
        }
        vitals.set_concise(concise);
        vitals
    }

    fn burst(seed: u64) -> SmallStream {
        crate::rng::Seed(seed).small_stream(crate::rng::Purpose::Gossip, 0, 0)
    }

    /// Whom a packet speaks of, and how many draws that took.
    fn told(vitals: &Vitals, seed: u64, wanted: usize) -> (Vec<PeerIx>, usize) {
        let mut briefs = Briefs::default();
        briefs.open(&Arc::default(), vitals.base(), vitals.newest(), 40);
        let mut quota = Quota { draws: 3 * wanted, wanted };
        let mut lottery = Lottery::new(vitals, burst(seed));
        let mut all: Vec<PeerIx> = Vec::new();
        while let Some(ix) = lottery.draw_plain(&mut briefs, &mut quota) {
            if !all.contains(&ix) {
                all.push(ix);
                quota.wanted -= 1;
            }
        }
        all.extend(briefs.who.iter().map(|brief| brief.ix()));
        all.sort_unstable();
        (all, quota.draws)
    }

    #[test]
    fn whether_nodes_are_spoken_of_briefly_changes_nothing_4_4() {
        for seed in 0..200 {
            for wanted in [1, 3, 12, 39] {
                let (brief, full) = (vitals(40, true), vitals(40, false));
                assert_eq!(told(&brief, seed, wanted), told(&full, seed, wanted));
            }
        }
    }

    #[test]
    fn draws_come_to_an_end_4_4() {
        let (all, draws) = told(&vitals(2, true), 1, 30);
        assert_eq!((all.len(), draws), (2, 0));
    }

    #[test]
    fn who_stands_in_no_bucket_is_not_drawn_0_6_4() {
        let mut vitals = vitals(5, true);
        vitals.set_crowd(PeerIx(3), 0);
        let mut lottery = Lottery::new(&vitals, burst(1));
        assert!((0..500).all(|_| lottery.draw() != PeerIx(3)));
    }
}
