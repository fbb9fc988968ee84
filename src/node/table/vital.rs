//! What gossip looks at and changes, for every peer, in three bytes.
//!
//! A thousand nodes with a thousand peers each look at a hundred peers for every packet that they
//! build or read, in no order that a cache could foresee. How fast they run is decided by how little
//! memory that is, and by how few instructions a peer takes.

use std::ops::Range;

use crate::node::flags::Flags;
use crate::node::section::{Brief, Briefs, Gossip, common_number};
use crate::node::table::PeerIx;
use crate::rng::SmallStream;

/// How many peers stand in a peer's bucket of the hash table (4 bits), the number of its flags if
/// they are common ones (2), whether it is fit (see [`Table`](super::Table)), and whether it is
/// *plain*: fit, calm, with common flags and a pulse, in a table that can speak of it briefly. Who
/// has got a pulse may be called plain a little later.
#[derive(Debug, Clone, Copy, Default)]
struct Trait(u8);

const CROWD_MAX: u8 = (1 << 4) - 1;
const COMMON_SHIFT: u32 = 4;
const COMMON_MAX: u8 = 3;
const COMMON_MASK: u8 = COMMON_MAX << COMMON_SHIFT;
const FIT: u8 = 1 << 6;
const PLAIN: u8 = 1 << 7;

/// Pulses move to a new base when one is further than a byte from it: to the last multiple of this
/// before, less this. So all nodes whose clocks agree have the same base nearly always.
const BASE_STEP: u32 = 128;

const CALM: u8 = u8::MAX;

impl Trait {
    #[inline]
    const fn crowd(self) -> u8 {
        self.0 & CROWD_MAX
    }

    #[inline]
    const fn common(self) -> u8 {
        (self.0 & COMMON_MASK) >> COMMON_SHIFT
    }

    #[inline]
    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    const fn set(&mut self, bit: u8, set: bool) {
        self.0 = if set { self.0 | bit } else { self.0 & !bit };
    }
}

/// The vitals of all peers of a table.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    traits: Vec<Trait>,
    /// All bits set for who is calm (see [`Table`](super::Table)), none for others.
    calm: Vec<u8>,
    /// When a peer last answered: whole seconds after the base, or 0 if that was before the base.
    pulses: Vec<u8>,
    /// The second that pulses count from.
    base: u32,
    flags: Vec<Flags>,
    /// Last pongs from before the base, in whole seconds.
    old: Vec<u32>,
    /// Whether anybody can be spoken of briefly.
    concise: bool,
}

impl Vitals {
    /// Begins a record: nothing is known yet.
    pub(super) fn reset(&mut self, ix: PeerIx, flags: Flags) {
        if ix.index() == self.traits.len() {
            self.traits.push(Trait::default());
            self.calm.push(0);
            self.pulses.push(0);
            self.flags.push(flags);
            self.old.push(0);
        }
        self.traits[ix.index()] = Trait::default();
        self.calm[ix.index()] = 0;
        self.pulses[ix.index()] = 0;
        self.old[ix.index()] = 0;
        self.set_flags(ix, flags);
    }

    /// Notes whether peers can be spoken of briefly.
    pub(super) fn set_concise(&mut self, concise: bool) {
        if self.concise != concise {
            self.concise = concise;
            (0..self.traits.len()).for_each(|at| self.refresh_plain(PeerIx(at as u16)));
        }
    }

    /// The second that pulses count from.
    #[inline]
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// The latest pulse of all.
    #[inline]
    pub(super) fn newest(&self) -> u8 {
        self.pulses.iter().fold(0, |newest, &pulse| newest.max(pulse))
    }

    #[inline]
    fn refresh_plain(&mut self, ix: PeerIx) {
        let brief = self.concise && self.is_calm(ix) && self.pulses[ix.index()] != 0;
        let own = &mut self.traits[ix.index()];
        own.set(PLAIN, brief && own.has(FIT) && own.common() != 0);
    }

    #[inline]
    pub(super) fn flags(&self, ix: PeerIx) -> Flags {
        self.flags[ix.index()]
    }

    pub(super) fn set_flags(&mut self, ix: PeerIx, flags: Flags) {
        let own = &mut self.traits[ix.index()];
        own.0 = own.0 & !COMMON_MASK | common_number(flags) << COMMON_SHIFT;
        self.flags[ix.index()] = flags;
        self.refresh_plain(ix);
    }

    #[inline]
    pub(super) fn is_calm(&self, ix: PeerIx) -> bool {
        self.calm[ix.index()] == CALM
    }

    #[inline]
    pub(super) fn set_calm(&mut self, ix: PeerIx, calm: bool) {
        self.calm[ix.index()] = if calm { CALM } else { 0 };
        self.refresh_plain(ix);
    }

    #[inline]
    pub(super) fn is_fit(&self, ix: PeerIx) -> bool {
        self.traits[ix.index()].has(FIT)
    }

    pub(super) fn set_fit(&mut self, ix: PeerIx, fit: bool) {
        self.traits[ix.index()].set(FIT, fit);
        self.refresh_plain(ix);
    }

    /// Notes how many nodes stand in a peer's bucket; 0 = it stands in none. With as many buckets as
    /// nodes there are never so many that it matters where the count ends.
    pub(super) fn set_crowd(&mut self, ix: PeerIx, crowd: usize) {
        let own = &mut self.traits[ix.index()];
        debug_assert!(crowd <= usize::from(CROWD_MAX), "a bucket is never so full");
        let crowd = u8::try_from(crowd).unwrap_or(CROWD_MAX).min(CROWD_MAX);
        own.0 = own.0 & !CROWD_MAX | crowd;
    }

    /// When a peer last answered, in whole seconds.
    #[inline]
    pub(super) fn pulse(&self, ix: PeerIx) -> u32 {
        match self.pulses[ix.index()] {
            0 => self.old[ix.index()],
            pulse => self.base + u32::from(pulse),
        }
    }

    /// A second as a pulse, if it is one after the base.
    #[inline]
    fn after_base(&self, seconds: u32) -> Option<u8> {
        u8::try_from(seconds.wrapping_sub(self.base)).ok().filter(|&pulse| pulse != 0)
    }

    pub(super) fn set_pulse(&mut self, ix: PeerIx, seconds: u32) {
        if seconds > self.base.saturating_add(u32::from(u8::MAX)) {
            self.move_base((seconds & !(BASE_STEP - 1)).saturating_sub(BASE_STEP));
        }
        self.put_pulse(ix, seconds);
    }

    fn put_pulse(&mut self, ix: PeerIx, seconds: u32) {
        let pulse = self.after_base(seconds);
        self.pulses[ix.index()] = pulse.unwrap_or(0);
        self.old[ix.index()] = if pulse.is_none() { seconds } else { 0 };
        self.refresh_plain(ix);
    }

    /// Makes a pulse later, but never earlier.
    #[inline]
    pub(super) fn advance_pulse(&mut self, ix: PeerIx, seconds: u32) {
        if let Some(pulse) = self.after_base(seconds) {
            let own = &mut self.pulses[ix.index()];
            *own = pulse.max(*own);
        } else if seconds > self.pulse(ix) {
            self.set_pulse(ix, seconds);
        }
    }

    #[cold]
    fn move_base(&mut self, base: u32) {
        let before = std::mem::replace(&mut self.base, base);
        for at in 0..self.pulses.len() {
            let seconds = match self.pulses[at] {
                0 => self.old[at],
                pulse => before + u32::from(pulse),
            };
            self.put_pulse(PeerIx(at as u16), seconds);
        }
    }

    #[inline]
    pub(super) fn lottery(&self, burst: SmallStream) -> Lottery<'_> {
        Lottery {
            traits: &self.traits,
            pulses: &self.pulses,
            burst,
            drawn: [PeerIx(0); BLOCK],
            left: 0..0,
        }
    }

    /// Merges gossip about calm peers until an entry that takes more than that; returns how many
    /// entries were merged. Pongs after `limit` do not count.
    #[inline]
    pub(super) fn merge(&mut self, by_node: &[u16], gossip: &[Gossip], limit: u32) -> usize {
        for (merged, entry) in gossip.iter().enumerate() {
            let Some(&at) = by_node.get(entry.node.0 as usize) else { return merged };
            let Some(pulse) = self.after_base(entry.pong_received) else { return merged };
            let calm = self.calm.get(usize::from(at)).is_some_and(|&calm| calm == CALM);
            if !calm || entry.flags.is_failing() {
                return merged;
            }
            let own = &mut self.pulses[usize::from(at)];
            *own = if entry.pong_received <= limit { pulse.max(*own) } else { *own };
        }
        gossip.len()
    }

    /// Merges brief gossip with indices of this table, as far as it is about calm peers; returns
    /// what is left to be done. Pongs after `limit` do not count.
    #[inline]
    pub(super) fn merge_briefs(&mut self, briefs: &Briefs, limit: u32) -> Left {
        if briefs.base != self.base || briefs.base + u32::from(briefs.newest) > limit {
            return Left::All;
        }
        let mut left_out = 0;
        for ((own, calm), told) in self.pulses.iter_mut().zip(&self.calm).zip(&briefs.pulses) {
            let counts = told & calm;
            left_out |= told ^ counts;
            *own = counts.max(*own);
        }
        if left_out == 0 { Left::Nothing } else { Left::WhoIsNotCalm }
    }
}

/// What is left of gossip after a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// The entries about peers that are not calm.
    WhoIsNotCalm,
    All,
}

/// How many draws are made at once, at most.
const BLOCK: usize = 64;

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

impl Lottery<'_> {
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
                None => self.draw_block(BLOCK / 4),
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
    use crate::id::{EndpointIx, NodeIx};
    use crate::node::names::Names;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pulses_are_exact_wherever_the_base_is(
            steps in prop::collection::vec((0..3_u16, prop_oneof![
                0..100_000_u32,
                1_700_000_000..1_700_100_000_u32,
                any::<u32>(),
            ], any::<bool>()), 1..60),
        ) {
            let (mut vitals, mut model) = (Vitals::default(), [0_u32; 3]);
            (0..3).for_each(|at| vitals.reset(PeerIx(at), Flags::MASTER));
            for (at, seconds, advance) in steps {
                let ix = PeerIx(at);
                if advance {
                    vitals.advance_pulse(ix, seconds);
                    model[ix.index()] = model[ix.index()].max(seconds);
                } else {
                    vitals.set_pulse(ix, seconds);
                    model[ix.index()] = seconds;
                }
                for at in 0..3 {
                    prop_assert_eq!(vitals.pulse(PeerIx(at)), model[PeerIx(at).index()]);
                    prop_assert_eq!(vitals.flags(PeerIx(at)), Flags::MASTER);
                }
            }
        }
    }

    #[test]
    fn the_second_of_the_base_is_exact_too() {
        let mut vitals = Vitals::default();
        (0..2).for_each(|at| vitals.reset(PeerIx(at), Flags::NONE));
        vitals.set_pulse(PeerIx(0), 100_000);
        let base = vitals.base;
        vitals.advance_pulse(PeerIx(1), base - 1);
        vitals.advance_pulse(PeerIx(1), base);
        assert_eq!(vitals.pulse(PeerIx(1)), base);
        vitals.advance_pulse(PeerIx(1), base + 1);
        assert_eq!(vitals.pulse(PeerIx(1)), base + 1);
    }

    #[test]
    fn fields_do_not_touch_each_other() {
        let mut vitals = Vitals::default();
        let ix = PeerIx(0);
        vitals.reset(ix, Flags::NONE);
        vitals.set_pulse(ix, 255);
        vitals.set_crowd(ix, 3);
        vitals.set_flags(ix, Flags::REPLICA);
        vitals.set_calm(ix, true);
        vitals.set_fit(ix, true);
        assert_eq!(vitals.pulse(ix), 255);
        assert_eq!(vitals.traits[0].crowd(), 3);
        assert!(!vitals.traits[0].has(PLAIN), "nobody can be spoken of briefly");
        vitals.set_concise(true);
        assert!(vitals.traits[0].has(PLAIN));
        vitals.set_pulse(ix, 0);
        assert!(!vitals.traits[0].has(PLAIN), "there is no pulse");
        vitals.set_pulse(ix, 255);
        vitals.set_flags(ix, Flags::REPLICA | Flags::FAIL);
        vitals.set_crowd(ix, 0);
        assert!(vitals.is_calm(ix) && vitals.is_fit(ix) && !vitals.traits[0].has(PLAIN));
        assert_eq!((vitals.pulse(ix), vitals.traits[0].crowd()), (255, 0));
    }

    #[test]
    fn clocks_that_agree_have_the_same_base() {
        let (mut early, mut late) = (Vitals::default(), Vitals::default());
        for vitals in [&mut early, &mut late] {
            (0..2).for_each(|at| vitals.reset(PeerIx(at), Flags::MASTER));
        }
        early.set_pulse(PeerIx(0), 1_700_000_100);
        late.set_pulse(PeerIx(0), 1_700_000_110);
        assert_eq!(early.base, late.base);
        early.set_pulse(PeerIx(1), 1_700_000_400);
        late.advance_pulse(PeerIx(1), 1_700_000_402);
        assert_eq!(early.base, late.base);
        assert_eq!(early.pulse(PeerIx(0)), 1_700_000_100);
    }

    fn pulses(vitals: &Vitals, peers: u16) -> Vec<u32> {
        (0..peers).map(|at| vitals.pulse(PeerIx(at))).collect()
    }

    proptest! {
        #[test]
        fn brief_gossip_is_merged_as_other_gossip_is_5_9_2(
            sent in prop::collection::vec((0..300_u32, any::<bool>()), 40),
            known in prop::collection::vec((0..300_u32, prop::bool::weighted(0.9)), 40),
            limit in 0..400_u32,
        ) {
            const START: u32 = 1_700_000_000;
            let mut briefs = Briefs::default();
            let names = (0..40).map(|at| (NodeIx(at), EndpointIx(at)));
            let by_node: Vec<u16> = (0..40).collect();
            let load = |all: &[(u32, bool)]| {
                let mut vitals = Vitals::default();
                for (at, &(seconds, calm)) in all.iter().enumerate() {
                    let ix = PeerIx(at as u16);
                    vitals.reset(ix, Flags::MASTER);
                    vitals.set_calm(ix, calm);
                    vitals.set_pulse(ix, START + seconds);
                }
                vitals
            };
            let sender = load(&sent);
            briefs.open(&Names::of(names), sender.base, sender.newest(), 40);
            for (at, &(_, told)) in sent.iter().enumerate() {
                let pulse = sender.pulses[at];
                if told && pulse != 0 {
                    briefs.who.push(Brief::new(PeerIx(at as u16), 1));
                    briefs.pulses[at] = pulse;
                }
            }
            let (mut one_by_one, mut at_once) = (load(&known), load(&known));
            let limit = START + limit;
            for (ix, entry) in briefs.iter() {
                if one_by_one.is_calm(ix) && entry.pong_received <= limit {
                    one_by_one.advance_pulse(ix, entry.pong_received);
                }
            }
            let left = at_once.merge_briefs(&briefs, limit);
            if left == Left::All {
                for (_, entry) in briefs.iter() {
                    if at_once.merge(&by_node, &[entry], limit) == 0
                        && at_once.is_calm(PeerIx(entry.node.0 as u16)) && entry.pong_received <= limit
                    {
                        at_once.advance_pulse(PeerIx(entry.node.0 as u16), entry.pong_received);
                    }
                }
            }
            prop_assert_eq!(pulses(&at_once, 40), pulses(&one_by_one, 40));
            let restless = briefs.iter().any(|(ix, _)| !at_once.is_calm(ix));
            prop_assert!(left == Left::All || (left == Left::WhoIsNotCalm) == restless);
        }
    }
}
