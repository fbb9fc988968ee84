//! What gossip looks at and changes, for every peer, in two bytes.
//!
//! A thousand nodes with a thousand peers each look at a hundred peers for every packet that they
//! build or read, in no order that a cache could foresee. How fast they run is decided by how little
//! memory that is.

use crate::node::flags::Flags;
use crate::node::packet::Gossip;
use crate::node::table::PeerIx;
use crate::rng::SmallStream;

/// How many peers stand in a peer's bucket of the hash table (4 bits), whether it is calm and fit (1
/// each, see [`Table`](super::Table)), its flags if they are common ones (2), and when it last
/// answered (8): whole seconds after a base, or 0 if that was before the base.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Vital(u16);

const CROWD_MAX: u16 = (1 << 4) - 1;
const CALM: u16 = 1 << 4;
const FIT: u16 = 1 << 5;
const COMMON_SHIFT: u32 = 6;
const COMMON_MASK: u16 = 3 << COMMON_SHIFT;
const PULSE_SHIFT: u32 = 8;
const PULSE_MAX: u32 = (1 << 8) - 1;

/// The flags that nearly all nodes have, by their number; 0 stands for all others.
const COMMON: [Flags; 4] =
    [Flags::NONE, Flags::MASTER, Flags::REPLICA, Flags(Flags::MASTER.0 | Flags::MIGRATE_TO.0)];

impl Vital {
    #[inline]
    const fn crowd(self) -> u16 {
        self.0 & CROWD_MAX
    }

    /// Its flags, if they are common ones.
    #[inline]
    const fn common_flags(self) -> Option<Flags> {
        match (self.0 & COMMON_MASK) >> COMMON_SHIFT {
            0 => None,
            number => Some(COMMON[number as usize]),
        }
    }

    fn set_flags(&mut self, flags: Flags) {
        let number = COMMON.iter().skip(1).position(|&common| common == flags);
        let number = number.map_or(0, |at| at as u16 + 1);
        self.0 = self.0 & !COMMON_MASK | number << COMMON_SHIFT;
    }

    #[inline]
    pub(super) const fn is_calm(self) -> bool {
        self.0 & CALM != 0
    }

    #[inline]
    const fn pulse(self) -> u32 {
        (self.0 >> PULSE_SHIFT) as u32
    }

    #[inline]
    const fn set_pulse(&mut self, pulse: u32) {
        self.0 = self.0 & ((1 << PULSE_SHIFT) - 1) | (pulse as u16) << PULSE_SHIFT;
    }

    const fn set_bit(&mut self, bit: u16, set: bool) {
        self.0 = if set { self.0 | bit } else { self.0 & !bit };
    }
}

/// The vitals of all peers of a table.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    all: Vec<Vital>,
    /// The flags of all, common or not.
    flags: Vec<Flags>,
    /// The second that pulses count from.
    base: u32,
    /// Last pongs from before the base, in whole seconds.
    old: Vec<u32>,
}

impl Vitals {
    /// Begins a record: nothing is known yet.
    pub(super) fn reset(&mut self, ix: PeerIx, flags: Flags) {
        if ix.index() == self.all.len() {
            self.all.push(Vital::default());
            self.flags.push(flags);
            self.old.push(0);
        }
        self.all[ix.index()] = Vital::default();
        self.set_flags(ix, flags);
        self.old[ix.index()] = 0;
    }

    #[inline]
    pub(super) fn at(&self, ix: PeerIx) -> Vital {
        self.all[ix.index()]
    }

    #[inline]
    pub(super) fn flags(&self, ix: PeerIx) -> Flags {
        self.flags_of(ix, self.at(ix))
    }

    /// The flags of a peer with this vital.
    #[inline]
    pub(super) fn flags_of(&self, ix: PeerIx, vital: Vital) -> Flags {
        vital.common_flags().unwrap_or_else(|| self.flags[ix.index()])
    }

    pub(super) fn set_flags(&mut self, ix: PeerIx, flags: Flags) {
        self.all[ix.index()].set_flags(flags);
        self.flags[ix.index()] = flags;
    }

    #[inline]
    pub(super) fn is_calm(&self, ix: PeerIx) -> bool {
        self.at(ix).is_calm()
    }

    pub(super) fn set_calm(&mut self, ix: PeerIx, calm: bool) {
        self.all[ix.index()].set_bit(CALM, calm);
    }

    #[inline]
    pub(super) fn is_fit(&self, ix: PeerIx) -> bool {
        self.at(ix).0 & FIT != 0
    }

    pub(super) fn set_fit(&mut self, ix: PeerIx, fit: bool) {
        self.all[ix.index()].set_bit(FIT, fit);
    }

    /// Notes how many nodes stand in a peer's bucket; 0 = it stands in none. With as many buckets as
    /// nodes there are never so many that it matters where the count ends.
    pub(super) fn set_crowd(&mut self, ix: PeerIx, crowd: usize) {
        let vital = &mut self.all[ix.index()];
        debug_assert!(crowd <= usize::from(CROWD_MAX), "a bucket is never so full");
        let crowd = u16::try_from(crowd).unwrap_or(CROWD_MAX).min(CROWD_MAX);
        vital.0 = vital.0 & !CROWD_MAX | crowd;
    }

    /// When a peer last answered, in whole seconds.
    #[inline]
    pub(super) fn pulse(&self, ix: PeerIx) -> u32 {
        self.seconds(ix, self.at(ix))
    }

    /// When a peer with this vital last answered, in whole seconds.
    #[inline]
    pub(super) fn seconds(&self, ix: PeerIx, vital: Vital) -> u32 {
        match vital.pulse() {
            0 => self.old[ix.index()],
            pulse => self.base.wrapping_add(pulse),
        }
    }

    pub(super) fn set_pulse(&mut self, ix: PeerIx, seconds: u32) {
        if seconds > self.base.saturating_add(PULSE_MAX) {
            self.move_base(seconds - PULSE_MAX / 2);
        }
        let pulse = seconds.saturating_sub(self.base);
        self.all[ix.index()].set_pulse(pulse);
        self.old[ix.index()] = if pulse == 0 { seconds } else { 0 };
    }

    /// Makes a pulse later, but never earlier.
    #[inline]
    pub(super) fn advance_pulse(&mut self, ix: PeerIx, seconds: u32) {
        let vital = &mut self.all[ix.index()];
        let pulse = seconds.wrapping_sub(self.base);
        if pulse.wrapping_sub(1) < PULSE_MAX {
            vital.set_pulse(vital.pulse().max(pulse));
        } else if seconds > self.pulse(ix) {
            self.set_pulse(ix, seconds);
        }
    }

    #[cold]
    fn move_base(&mut self, base: u32) {
        for at in 0..self.all.len() {
            let seconds = self.pulse(PeerIx(at as u16));
            let pulse = seconds.saturating_sub(base);
            self.all[at].set_pulse(pulse);
            self.old[at] = if pulse == 0 { seconds } else { 0 };
        }
        self.base = base;
    }

    #[inline]
    pub(super) fn lottery(&self, burst: SmallStream) -> Lottery<'_> {
        Lottery { all: &self.all, burst, word: 0, half_left: false }
    }

    /// Merges gossip about calm peers until an entry that takes more than that; returns how many
    /// entries were merged. Pongs after `limit` do not count.
    #[inline]
    pub(super) fn merge(&mut self, by_node: &[u16], gossip: &[Gossip], limit: u32) -> usize {
        let (all, base) = (&mut self.all[..], self.base);
        for (merged, entry) in gossip.iter().enumerate() {
            let Some(&at) = by_node.get(entry.node.0 as usize) else { return merged };
            let Some(vital) = all.get_mut(usize::from(at)) else { return merged };
            let pulse = entry.pong_received.wrapping_sub(base);
            let known_second = pulse.wrapping_sub(1) < PULSE_MAX;
            if vital.0 & CALM == 0 || !known_second || entry.flags.is_failing() {
                return merged;
            }
            let pulse = if entry.pong_received <= limit { pulse } else { 0 };
            // The pulse stands in the highest bits: the greater number is the later one.
            vital.0 =
                vital.0.max(vital.0 & ((1 << PULSE_SHIFT) - 1) | (pulse as u16) << PULSE_SHIFT);
        }
        gossip.len()
    }
}

/// Random draws from a table (§0.6.4).
#[derive(Debug)]
pub struct Lottery<'a> {
    all: &'a [Vital],
    burst: SmallStream,
    /// Random bits, half of which make a ticket.
    word: u64,
    half_left: bool,
}

/// A try to draw somebody.
#[derive(Debug, Clone, Copy)]
pub struct Ticket {
    /// Who is on it.
    pub peer: PeerIx,
    /// Whether it was drawn; who was not drawn does not count.
    pub drawn: bool,
    /// Whether this peer is fit to be spoken of.
    pub fit: bool,
}

impl Lottery<'_> {
    /// Tries to draw a node as `dictGetRandomKey` does: a non-empty bucket, then one of its chain
    /// (§0.6.4). A node alone in its bucket is then twice as likely as one of a pair. So a node is
    /// picked evenly, and drawn with a probability that its crowd divides. Nothing depends on the
    /// try before, so that tries need not wait for each other.
    ///
    /// # Panics
    /// If the table never held anybody.
    #[inline]
    pub fn ticket(&mut self) -> Ticket {
        self.word = if self.half_left { self.word >> 32 } else { self.burst.bits() };
        self.half_left = !self.half_left;
        // The number before the binary point picks a node; the fraction behind it is as random.
        let product = (self.word & u64::from(u32::MAX)) * self.all.len() as u64;
        let (picked, fraction) = (product >> 32, product & u64::from(u32::MAX));
        let vital = self.all[picked as usize];
        let crowd = u64::from(vital.crowd());
        Ticket {
            peer: PeerIx(picked as u16),
            drawn: (crowd != 0) & ((fraction * crowd) >> 32 == 0),
            fit: vital.0 & FIT != 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        vitals.set_pulse(ix, PULSE_MAX);
        vitals.set_crowd(ix, 3);
        vitals.set_flags(ix, Flags::REPLICA);
        vitals.set_calm(ix, true);
        vitals.set_fit(ix, true);
        assert_eq!(vitals.pulse(ix), PULSE_MAX);
        assert_eq!(vitals.at(ix).crowd(), 3);
        assert_eq!(vitals.flags(ix), Flags::REPLICA);
        vitals.set_flags(ix, Flags::NONE);
        assert_eq!(vitals.flags(ix), Flags::NONE);
        vitals.set_crowd(ix, 0);
        assert!(vitals.is_calm(ix) && vitals.is_fit(ix));
        assert_eq!((vitals.pulse(ix), vitals.at(ix).crowd()), (PULSE_MAX, 0));
    }
}
