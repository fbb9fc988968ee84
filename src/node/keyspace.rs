//! The keys of a node, grouped by slot.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::slot::Slot;
use crate::time::Millis;

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    String(Vec<u8>),
}

/// A key's value and its time to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// When it expires, on the wall clock.
    pub expires: Option<Millis>,
}

/// All keys of database 0, the only one of a cluster node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyspace {
    entries: BTreeMap<(Slot, Vec<u8>), Entry>,
}

impl Keyspace {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys of a slot in byte order (§9.14).
    pub fn keys_in_slot(&self, slot: Slot) -> impl Iterator<Item = &[u8]> {
        self.entries
            .range((Bound::Included((slot, Vec::new())), Bound::Unbounded))
            .take_while(move |((of, _), _)| *of == slot)
            .map(|((_, key), _)| key.as_slice())
    }

    /// How many keys a slot holds (§9.13).
    #[must_use]
    pub fn count_in_slot(&self, slot: Slot) -> usize {
        self.keys_in_slot(slot).count()
    }

    /// Deletes all keys of a slot (§5.8.6); returns how many they were.
    pub fn delete_slot(&mut self, slot: Slot) -> usize {
        let keys: Vec<Vec<u8>> = self.keys_in_slot(slot).map(<[u8]>::to_vec).collect();
        for key in &keys {
            self.entries.remove(&(slot, key.clone()));
        }
        keys.len()
    }
}
