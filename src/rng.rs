//! Randomness: one ChaCha8 stream for each purpose, subject and incarnation.
//!
//! A stream's key *is* its address (seed, purpose, subject, incarnation), so a draw added in one
//! place, or a fault removed from a plan, shifts no other stream. Shrinking rests on this.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};
use wide::{i16x8, u64x2};

use crate::time::Span;

/// What a stream of random numbers is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Node ids and replication ids (§0.5, `/dev/urandom` there).
    Identity = 1,
    /// The seed that orders a process's node table (§0.6).
    TableOrder = 2,
    /// Random picks of nodes for pings and gossip (§0.6.4).
    Gossip = 3,
    /// The random part of an election's delay (§8.2).
    Election = 4,
    /// How long a pass of the event loop really takes (§0.1.3).
    Loop = 5,
    /// Latency of one direction of one connection.
    Latency = 6,
    /// Message loss and other faults of the network.
    Fault = 7,
    /// What `redis-cli` draws (anti-affinity, random master).
    Admin = 8,
    /// Process ids.
    Pid = 9,
    /// Virtual clients.
    Workload = 10,
    /// Generated fault schedules.
    Schedule = 11,
    /// Commands that pick something at random (RANDOMKEY, SPOP, …).
    Command = 12,
    /// Names of replication histories.
    Replication = 13,
    /// What a script leaves to chance.
    Script = 14,
}

/// A stream of random numbers that is only eight bytes large, for subjects of which there are
/// millions (the directions of connections). It is SplitMix64, whose whole state is a counter.
#[derive(Debug, Clone)]
pub struct SmallStream(u64);

/// The seed of a run, from which every stream is derived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub struct Stream(ChaCha8Rng);

impl Seed {
    /// The stream for `purpose` about `subject` (a node, a pair of nodes, …) in its `incarnation`
    /// (how many times the subject was started before).
    #[must_use]
    pub fn stream(self, purpose: Purpose, subject: u64, incarnation: u64) -> Stream {
        let mut key = [0; 32];
        for (chunk, word) in
            key.chunks_exact_mut(8).zip([self.0, purpose as u64, subject, incarnation])
        {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// The small stream with this address.
    #[must_use]
    pub fn small_stream(self, purpose: Purpose, subject: u64, incarnation: u64) -> SmallStream {
        let mut state = self.0;
        for word in [purpose as u64, subject, incarnation] {
            state = mix(state ^ mix(word.wrapping_add(GOLDEN)));
        }
        SmallStream(state)
    }
}

/// The odd number next to 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64: each bit of the result depends on every bit of the word.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl SmallStream {
    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        assert_ne!(bound, 0, "a draw needs at least one outcome");
        (((self.bits() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// A span between `low` and `high`, both included.
    #[inline]
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        let width = high.0.saturating_sub(low.0);
        if width == 0 {
            // A word is used even where nothing is left to chance.
            self.0 = self.0.wrapping_add(GOLDEN);
            return low;
        }
        let word = self.bits();
        match width < u64::from(u32::MAX) {
            true => Span(low.0 + (((word >> 32) * (width + 1)) >> 32)),
            false => Span(low.0 + word % width),
        }
    }
}

/// Many small random numbers at once: four xorshift128+ generators side by side.
#[derive(Debug, Clone)]
pub struct Dice {
    older: [u64x2; 2],
    newer: [u64x2; 2],
}

impl Dice {
    /// Dice whose throws follow from the next words of a stream.
    #[inline]
    pub fn new(stream: &mut SmallStream) -> Dice {
        // A generator must not begin with all bits unset.
        let mut words = || u64x2::new([stream.bits() | 1, stream.bits() | 1]);
        Dice { older: [words(), words()], newer: [words(), words()] }
    }

    /// Sixteen numbers of 16 random bits, with a sign.
    #[inline]
    pub fn throw(&mut self) -> [i16x8; 2] {
        [0, 1].map(|at| {
            let (mut old, new) = (self.older[at], self.newer[at]);
            old ^= old << 23_u64;
            old ^= old >> 18_u64 ^ new ^ new >> 5_u64;
            (self.older[at], self.newer[at]) = (new, old);
            // The same numbers on machines that store words the other way round.
            let words = (old + new).to_array().map(u64::to_le);
            i16x8::new(bytemuck::must_cast::<_, [i16; 8]>(words).map(i16::from_le))
        })
    }
}

impl Stream {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`. The bias of the multiply-shift method is below `bound / 2^32`, far
    /// under anything a simulation of less than billions of draws can see.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert_ne!(bound, 0, "a draw needs at least one outcome");
        ((u64::from(self.0.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A span between `low` and `high`, both included.
    pub fn span(&mut self, low: Span, high: Span) -> Span {
        match high.0.saturating_sub(low.0) {
            0 => low,
            width => match u32::try_from(width + 1) {
                Ok(width) => Span(low.0 + u64::from(self.below(width))),
                Err(_) => Span(low.0 + self.bits() % (width + 1)),
            },
        }
    }

    /// A small stream that derives from one word of this one, for a loop of draws: no word of it
    /// depends on the one before but for a counter, so that a processor works on several at once.
    pub fn burst(&mut self) -> SmallStream {
        SmallStream(self.bits())
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_with_another_address_are_independent() {
        let seed = Seed(7);
        let mut first: Vec<u64> = [
            seed.stream(Purpose::Gossip, 1, 0),
            seed.stream(Purpose::Gossip, 2, 0),
            seed.stream(Purpose::Gossip, 1, 1),
            seed.stream(Purpose::Election, 1, 0),
            Seed(8).stream(Purpose::Gossip, 1, 0),
        ]
        .iter_mut()
        .map(Stream::bits)
        .collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 5);
    }

    #[test]
    fn a_stream_repeats_itself() {
        let mut a = Seed(7).stream(Purpose::Loop, 3, 2);
        let mut b = Seed(7).stream(Purpose::Loop, 3, 2);
        assert!((0..100).all(|_| a.bits() == b.bits()));
    }

    #[test]
    fn a_burst_takes_one_word_of_its_stream() {
        let (mut a, mut b) =
            (Seed(7).stream(Purpose::Loop, 3, 2), Seed(7).stream(Purpose::Loop, 3, 2));
        let (mut burst, word) = (a.burst(), b.bits());
        assert_eq!(a.bits(), b.bits());
        assert_ne!(burst.bits(), word);
    }

    #[test]
    fn small_streams_are_independent_and_fair() {
        let mut sums = Vec::new();
        for (subject, incarnation) in [(0, 0), (1, 0), (0, 1), (1 << 32, 0)] {
            let mut stream = Seed(7).small_stream(Purpose::Latency, subject, incarnation);
            let sum: u64 = (0..10_000).map(|_| stream.span(Span(200), Span(1_000)).0).sum();
            assert!(sum.abs_diff(600 * 10_000) < 50_000, "{sum}");
            sums.push(sum);
        }
        sums.dedup();
        assert_eq!(sums.len(), 4);
        let mut stream = Seed(7).small_stream(Purpose::Latency, 0, 0);
        assert_eq!(stream.span(Span(9), Span(9)), Span(9));
        assert!(stream.span(Span(0), Span(u64::MAX)).0 < u64::MAX);
    }

    #[test]
    fn dice_fall_evenly_and_each_for_itself() {
        let mut dice = Dice::new(&mut Seed(7).small_stream(Purpose::Gossip, 0, 0));
        let throws: Vec<[i16; 8]> =
            (0..4_000).flat_map(|_| dice.throw()).map(|half| half.to_array()).collect();
        for bound in [-30_000_i16, 0, 20_000] {
            let expected = (i32::from(bound) + 32_768) as usize * 8_000 / 65_536;
            for at in 0..8 {
                let below = throws.iter().filter(|throw| throw[at] < bound).count();
                assert!(below.abs_diff(expected) < 250, "{below} instead of {expected}");
            }
        }
        let alike = |left: usize, right: usize| {
            throws.iter().filter(|throw| (throw[left] < 0) == (throw[right] < 0)).count()
        };
        for (left, right) in [(0, 1), (0, 4), (3, 7), (5, 6)] {
            assert!(alike(left, right).abs_diff(4_000) < 250);
        }
    }

    #[test]
    fn bounds_are_kept() {
        let mut stream = Seed(1).stream(Purpose::Latency, 0, 0);
        for _ in 0..1_000 {
            assert!(stream.below(5) < 5);
            let span = stream.span(Span(200), Span(1_000));
            assert!((200..=1_000).contains(&span.0));
        }
        assert_eq!(stream.span(Span(9), Span(9)), Span(9));
        assert!(stream.span(Span(0), Span(u64::MAX - 1)).0 < u64::MAX);
    }
}
