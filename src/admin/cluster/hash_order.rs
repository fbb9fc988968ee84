//! The order in which the tool's hash tables give back their keys.
//!
//! `redis-cli` prints open slots, covers slots and looks for offending replicas in the order of a
//! hash table that grows step by step. The hash is SipHash-1-2 with a key of zeros, so the order
//! depends on nothing but the keys and when they came (Appendix B of the reference).

use std::collections::{BTreeMap, VecDeque};

/// The most buckets of the old table that one step of moving may find empty.
const EMPTY_VISITS: usize = 10;

/// A hash table from text to values that iterates as the tool's tables do.
#[derive(Debug)]
pub(super) struct HashOrdered<V> {
    entries: Vec<(String, V)>,
    index: BTreeMap<String, usize>,
    table: Table,
    /// The bigger table that entries are being moved to, and the next bucket to move.
    growing: Option<(Table, usize)>,
}

/// Buckets of indices into the entries, newest first.
#[derive(Debug, Default)]
struct Table {
    buckets: Vec<VecDeque<usize>>,
    used: usize,
}

impl Table {
    fn with_buckets(count: usize) -> Table {
        Table { buckets: vec![VecDeque::new(); count], used: 0 }
    }

    fn bucket(&mut self, key: &str) -> &mut VecDeque<usize> {
        let mask = self.buckets.len() as u64 - 1;
        &mut self.buckets[(siphash_1_2(key.as_bytes()) & mask) as usize]
    }

    fn push(&mut self, key: &str, entry: usize) {
        self.bucket(key).push_front(entry);
        self.used += 1;
    }
}

impl<V> HashOrdered<V> {
    /// An empty table.
    pub(super) fn new() -> HashOrdered<V> {
        HashOrdered {
            entries: Vec::new(),
            index: BTreeMap::new(),
            table: Table::default(),
            growing: None,
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Looks a key up. Even that moves the table on while it grows.
    pub(super) fn find(&mut self, key: &str) -> Option<&mut V> {
        if self.entries.is_empty() {
            return None;
        }
        self.move_step();
        self.index.get(key).map(|&index| &mut self.entries[index].1)
    }

    /// Adds a key, or gives a key that is there another value.
    pub(super) fn insert(&mut self, key: &str, value: V) {
        self.move_step();
        self.grow_if_full();
        if let Some(&index) = self.index.get(key) {
            self.entries[index].1 = value;
            return;
        }
        let index = self.entries.len();
        self.entries.push((key.to_owned(), value));
        self.index.insert(key.to_owned(), index);
        match &mut self.growing {
            Some((bigger, _)) => bigger.push(key, index),
            None => self.table.push(key, index),
        }
    }

    /// Keys and values in the order of the table.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        let bigger = self.growing.iter().flat_map(|(table, _)| &table.buckets);
        self.table.buckets.iter().chain(bigger).flatten().map(|&index| {
            let (key, value) = &self.entries[index];
            (key.as_str(), value)
        })
    }

    fn grow_if_full(&mut self) {
        if self.growing.is_some() {
            return;
        }
        if self.table.buckets.is_empty() {
            self.table = Table::with_buckets(4);
        } else if self.table.used >= self.table.buckets.len() {
            let count = (self.table.used + 1).next_power_of_two().max(4);
            self.growing = Some((Table::with_buckets(count), 0));
        }
    }

    /// Moves one bucket to the bigger table, if there is one.
    fn move_step(&mut self) {
        let Some((bigger, next)) = &mut self.growing else { return };
        let mut empty_visits = 0;
        while self.table.buckets[*next].is_empty() {
            *next += 1;
            empty_visits += 1;
            if empty_visits == EMPTY_VISITS {
                return;
            }
        }
        for index in std::mem::take(&mut self.table.buckets[*next]) {
            bigger.push(&self.entries[index].0, index);
            self.table.used -= 1;
        }
        *next += 1;
        if self.table.used == 0 {
            self.table = std::mem::take(bigger);
            self.growing = None;
        }
    }
}

/// SipHash with one compression round, two finalisation rounds and a key of zeros.
fn siphash_1_2(bytes: &[u8]) -> u64 {
    let mut state = [
        0x736f_6d65_7073_6575_u64,
        0x646f_7261_6e64_6f6d,
        0x6c79_6765_6e65_7261,
        0x7465_6462_7974_6573,
    ];
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        compress(&mut state, u64::from_le_bytes(word));
    }
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    last[7] = bytes.len() as u8;
    compress(&mut state, u64::from_le_bytes(last));
    state[2] ^= 0xff;
    round(&mut state);
    round(&mut state);
    state[0] ^ state[1] ^ state[2] ^ state[3]
}

fn compress(state: &mut [u64; 4], word: u64) {
    state[3] ^= word;
    round(state);
    state[0] ^= word;
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *c = c.wrapping_add(*d);
    *b = b.rotate_left(13) ^ *a;
    *d = d.rotate_left(16) ^ *c;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*b);
    *a = a.wrapping_add(*d);
    *b = b.rotate_left(17) ^ *c;
    *d = d.rotate_left(21) ^ *a;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(keys: &[u16]) -> Vec<u16> {
        let mut table = HashOrdered::new();
        for key in keys {
            table.insert(&key.to_string(), ());
        }
        table.iter().map(|(key, ())| key.parse().unwrap()).collect()
    }

    #[test]
    fn keys_come_in_the_order_of_the_real_table_appendix_b() {
        let open = [7, 9, 10, 12, 55, 300, 1234, 4000];
        assert_eq!(order(&[open, open].concat()), [10, 1234, 12, 55, 4000, 7, 300, 9]);
        assert_eq!(order(&[500, 501, 502, 3000, 15000]), [501, 500, 3000, 502, 15000]);
        assert_eq!(order(&[600, 601, 602, 603, 604, 605]), [603, 601, 600, 602, 604, 605]);
        assert_eq!(order(&[5, 6, 5]), [6, 5]);
    }

    #[test]
    fn a_key_that_comes_again_only_gets_a_new_value() {
        let mut table = HashOrdered::new();
        table.insert("a", 1);
        table.insert("a", 2);
        assert_eq!(table.len(), 1);
        assert_eq!(table.find("a"), Some(&mut 2));
        assert_eq!(table.find("b"), None);
    }
}
