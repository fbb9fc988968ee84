//! What gossip looks at and changes, for every peer, in three bytes.
//!
//! A thousand nodes with a thousand peers each look at a hundred peers for every packet that they
//! build or read, in no order that a cache could foresee. How fast they run is decided by how little
//! memory that is, and by how few instructions a peer takes.

use crate::node::flags::Flags;
use crate::node::section::{Briefs, Gossip, common_number};
use crate::node::table::PeerIx;

/// How many peers stand in a peer's bucket of the hash table (4 bits), the number of its flags if
/// they are common ones (2), whether it is fit (see [`Table`](super::Table)), and whether it is
/// *plain*: fit, calm, with common flags and a pulse, in a table that can speak of it briefly. Who
/// has got a pulse may be called plain a little later.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trait(u8);

pub(super) const CROWD_MAX: u8 = (1 << 4) - 1;
const COMMON_SHIFT: u32 = 4;
const COMMON_MAX: u8 = 3;
const COMMON_MASK: u8 = COMMON_MAX << COMMON_SHIFT;
const FIT: u8 = 1 << 6;
pub(super) const PLAIN: u8 = 1 << 7;

/// Pulses move to a new base when one is further than a byte from it: to the last multiple of this
/// before, less this. So all nodes whose clocks agree have the same base nearly always.
const BASE_STEP: u32 = 128;

const CALM: u8 = u8::MAX;

impl Trait {
    #[inline]
    pub(super) const fn crowd(self) -> u8 {
        self.0 & CROWD_MAX
    }

    #[inline]
    pub(super) const fn common(self) -> u8 {
        (self.0 & COMMON_MASK) >> COMMON_SHIFT
    }

    #[inline]
    pub(super) const fn has(self, bit: u8) -> bool {
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

    /// What a draw looks at: the traits and the pulses of all.
    #[inline]
    pub(super) fn lots(&self) -> (&[Trait], &[u8]) {
        (&self.traits, &self.pulses)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EndpointIx, NodeIx};
    use crate::node::names::Names;
    use crate::node::section::Brief;
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
