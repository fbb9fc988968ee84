//! Hash slots: which slot a key belongs to, and sets of slots.

use std::fmt;

/// How many hash slots a cluster has (§1.1).
pub const SLOTS: u16 = 16_384;

/// A hash slot, `0..16384`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot with this number, or `None` if there is no such slot.
    #[must_use]
    pub const fn new(number: u16) -> Option<Slot> {
        if number < SLOTS { Some(Slot(number)) } else { None }
    }

    /// The slot of a key: CRC16 (XMODEM) of its hash tag, or of the whole key if it has none
    /// (§9.12).
    #[must_use]
    pub fn of_key(key: &[u8]) -> Slot {
        Slot(crc16::State::<crc16::XMODEM>::calculate(hash_tag(key)) % SLOTS)
    }

    /// The slot's number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The slot's number as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Every slot from this one to another, both included, ascending.
    pub fn up_to(self, last: Slot) -> impl ExactSizeIterator<Item = Slot> {
        (self.0..=last.0).map(Slot)
    }

    /// Every slot, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Slot> + ExactSizeIterator {
        (0..SLOTS).map(Slot)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The part of a key that is hashed: what stands between the first `{` and the first `}` after it,
/// if that is not empty (§9.12).
fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|&b| b == b'{') else { return key };
    let rest = &key[open + 1..];
    match rest.iter().position(|&b| b == b'}') {
        None | Some(0) => key,
        Some(close) => &rest[..close],
    }
}

/// A set of slots, laid out as in the bus header: slot `s` is bit `s & 7` of byte `s / 8` (§4.2).
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet {
    words: [u64; SLOTS as usize / 64],
}

impl Default for SlotSet {
    fn default() -> SlotSet {
        SlotSet { words: [0; SLOTS as usize / 64] }
    }
}

impl SlotSet {
    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        self.words[slot.index() / 64] |= 1 << (slot.index() % 64);
    }

    /// Adds every slot of a run, its last one included.
    pub fn insert_run(&mut self, first: Slot, last: Slot) {
        let (low, high) = (first.index() / 64, last.index() / 64);
        for at in low..=high {
            let from = if at == low { first.index() % 64 } else { 0 };
            let to = if at == high { last.index() % 64 } else { 63 };
            self.words[at] |= u64::MAX >> (63 - to) & u64::MAX << from;
        }
    }

    /// Removes a slot.
    pub fn remove(&mut self, slot: Slot) {
        self.words[slot.index() / 64] &= !(1 << (slot.index() % 64));
    }

    /// Whether a slot is in the set.
    #[must_use]
    pub fn contains(&self, slot: Slot) -> bool {
        self.words[slot.index() / 64] >> (slot.index() % 64) & 1 == 1
    }

    /// How many slots are in the set.
    #[must_use]
    pub fn len(&self) -> u16 {
        self.runs().map(|(first, last)| first.up_to(last).len() as u16).sum()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The slots of the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest = rest.checked_sub(1)? & rest;
                Some(Slot((index as u16) * 64 + bit as u16))
            })
        })
    }

    /// The maximal runs of slots of the set, ascending, as (first, last).
    pub fn runs(&self) -> impl Iterator<Item = (Slot, Slot)> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let first = self.next_boundary(from, 0)?;
            from = self.next_boundary(first, u64::MAX).unwrap_or(SLOTS);
            Some((Slot(first), Slot(from - 1)))
        })
    }

    /// The first slot from here on whose bit is not as in `pattern`.
    fn next_boundary(&self, from: u16, pattern: u64) -> Option<u16> {
        let (first, mut ahead) = self.words.get(usize::from(from) / 64..)?.split_first()?;
        let mut differing = (first ^ pattern) & u64::MAX << (from % 64);
        if differing == 0 {
            // Most runs are long.
            while let Some(rest) = ahead.strip_prefix(&[pattern; 16]) {
                ahead = rest;
            }
            let mut words = ahead.iter();
            differing = words.find(|&&word| word != pattern)? ^ pattern;
            ahead = words.as_slice();
        }
        let at = self.words.len() - ahead.len() - 1;
        Some((at * 64) as u16 + differing.trailing_zeros() as u16)
    }

    /// Adds every slot of another set.
    pub fn unite(&mut self, other: &SlotSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Removes every slot of another set.
    pub fn subtract(&mut self, other: &SlotSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// The slots of this set that are not in the other.
    #[must_use]
    pub fn without(&self, other: &SlotSet) -> SlotSet {
        let mut rest = self.clone();
        rest.subtract(other);
        rest
    }

    /// The 2048 bytes of the bus header's slot bitmap (§4.2).
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.words.iter().flat_map(|word| word.to_le_bytes())
    }

    /// The set that the bus header's slot bitmap stands for (§4.2).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; SLOTS as usize / 8]) -> SlotSet {
        let mut set = SlotSet::default();
        for (word, chunk) in set.words.iter_mut().zip(bytes.chunks_exact(8)) {
            for (shift, byte) in chunk.iter().enumerate() {
                *word |= u64::from(*byte) << (8 * shift);
            }
        }
        set
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> SlotSet {
        let mut set = SlotSet::default();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.runs().map(|(a, b)| (a.0, b.0))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_hash_as_redis_hashes_them_9_12() {
        assert_eq!(Slot::of_key(b"foo").number(), 12_182);
        assert_eq!(Slot::of_key(b"key").number(), 12_539);
        assert_eq!(Slot::of_key(b"{06S}").number(), 0);
        assert_eq!(Slot::of_key(b"123456789").number(), 0x31C3);
    }

    #[test]
    fn only_a_closed_and_filled_tag_is_hashed_alone_9_12() {
        assert_eq!(hash_tag(b"{user}.name"), b"user");
        assert_eq!(hash_tag(b"a{b}{c}"), b"b");
        assert_eq!(hash_tag(b"{}x"), b"{}x");
        assert_eq!(hash_tag(b"{x"), b"{x");
        assert_eq!(hash_tag(b"a{{b}"), b"{b");
    }

    #[test]
    fn runs_go_across_words_and_to_both_ends() {
        let runs = |numbers: &[std::ops::RangeInclusive<u16>]| {
            let set: SlotSet = numbers.iter().cloned().flatten().filter_map(Slot::new).collect();
            set.runs().map(|(first, last)| first.0..=last.0).collect::<Vec<_>>()
        };
        for expected in
            [vec![], vec![0..=SLOTS - 1], vec![0..=0, 63..=64, 128..=300, SLOTS - 1..=SLOTS - 1]]
        {
            assert_eq!(runs(&expected), expected);
        }
    }

    proptest! {
        #[test]
        fn a_run_is_added_whole(first in 0..SLOTS, more in 0..300_u16) {
            let last = (first + more).min(SLOTS - 1);
            let mut set = SlotSet::default();
            set.insert_run(Slot(first), Slot(last));
            prop_assert!(set.runs().eq([(Slot(first), Slot(last))]));
        }
    }

    proptest! {
        #[test]
        fn sets_are_united_and_subtracted(
            one in prop::collection::btree_set(0..SLOTS, 0..200),
            other in prop::collection::btree_set(0..SLOTS, 0..200),
        ) {
            let set = |numbers: &BTreeSet<u16>| numbers.iter().filter_map(|&n| Slot::new(n)).collect::<SlotSet>();
            let (mut both, mut rest) = (set(&one), set(&one));
            both.unite(&set(&other));
            rest.subtract(&set(&other));
            prop_assert!(both == set(&(&one | &other)));
            prop_assert!(rest == set(&(&one - &other)));
            prop_assert!(set(&one).without(&set(&other)) == rest);
        }

        #[test]
        fn a_slot_set_behaves_like_a_set(numbers in prop::collection::btree_set(0..SLOTS, 0..200)) {
            let slots: BTreeSet<Slot> = numbers.iter().filter_map(|&n| Slot::new(n)).collect();
            let set: SlotSet = slots.iter().copied().collect();
            prop_assert!(set.iter().eq(slots.iter().copied()));
            prop_assert_eq!(usize::from(set.len()), slots.len());
            let runs = set.runs().flat_map(|(first, last)| first.0..=last.0);
            prop_assert!(runs.eq(numbers.iter().copied()));
            prop_assert!(set.runs().zip(set.runs().skip(1)).all(|(one, next)| one.1.0 + 1 < next.0.0));
            prop_assert_eq!(set.is_empty(), slots.is_empty());
            let unrolled: Vec<u16> = set.runs().flat_map(|(a, b)| a.0..=b.0).collect();
            prop_assert!(unrolled.iter().copied().eq(numbers.iter().copied()));
            let runs: Vec<(Slot, Slot)> = set.runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].1.0 + 1 < pair[1].0.0), "runs are maximal");
            let bytes: Vec<u8> = set.bytes().collect();
            let back = SlotSet::from_bytes(bytes.as_slice().try_into().unwrap());
            prop_assert_eq!(back, set);
        }
    }
}
