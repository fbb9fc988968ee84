//! The keys of a node, grouped by slot.
//!
//! Keys are kept in the order of (slot, bytes): CLUSTER GETKEYSINSLOT answers in that order in Redis,
//! too; KEYS and SCAN, which answer in the random order of a hash table there, follow it here.

mod journal;
mod key;
mod shelves;
mod slot_keys;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::node::keyspace::journal::Journal;
use crate::node::keyspace::shelves::Shelves;
use crate::node::keyspace::slot_keys::SlotKeys;
use crate::node::replication::message::Position;
use crate::slot::Slot;
use crate::time::Millis;

pub use crate::node::keyspace::key::Key;
pub use crate::node::value::Value;

/// A key's value and its time to die.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The value.
    pub value: Value,
    /// When it expires, on the wall clock.
    pub expires: Option<Millis>,
    /// Whether it is a string that was changed in place, which Redis then keeps as raw bytes.
    pub raw: bool,
}

impl Entry {
    /// The name that OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        if self.raw { "raw" } else { self.value.encoding() }
    }
}

/// All keys of database 0, the only one of a cluster node.
#[derive(Debug, Clone, Default)]
pub struct Keyspace {
    shelves: Shelves,
    len: usize,
    deadlines: BTreeSet<(Millis, Vec<u8>)>,
    /// The sum of all deadlines.
    deadline_sum: i128,
    /// When this copy was written to disk, in Unix seconds, if it is one.
    pub saved_at: Option<i64>,
    /// Where in which replication history this copy was made, if it is one and that is known.
    pub position: Option<Position>,
    /// What was changed since the append-only file was last synced.
    journal: Journal,
}

impl PartialEq for Keyspace {
    fn eq(&self, other: &Keyspace) -> bool {
        (self.saved_at, self.position) == (other.saved_at, other.position)
            && self.len == other.len
            && self.iter().eq(other.iter())
    }
}

impl Eq for Keyspace {}

impl Keyspace {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Looks a key up, expired or not.
    #[must_use]
    pub fn get<'k>(&self, key: impl Into<Key<'k>>) -> Option<&Entry> {
        let key = key.into();
        self.shelves.slot(key.slot)?.get(&key)
    }

    /// A key's entry, to be changed in place. Its time to die is changed by
    /// [`Keyspace::set_expiry`] only.
    pub(crate) fn entry_mut<'k>(&mut self, key: impl Into<Key<'k>>) -> Option<&mut Entry> {
        let key = key.into();
        let has_journal = self.has_journal();
        let keys = self.shelves.place_mut(key.slot)?.as_mut()?;
        // What copies share is copied to be changed, and not for a key that is not there.
        if has_journal || Arc::strong_count(keys) > 1 {
            let before = keys.get(&key)?;
            if self.journal.lacks(&key) {
                self.journal.note(&key, Some(before));
            }
        }
        Arc::make_mut(keys).get_mut(&key)
    }

    /// Notes how a key is before it is changed.
    fn note(&mut self, key: Key<'_>) {
        if self.journal.lacks(&key) {
            let before = self.get(key).cloned();
            self.journal.note(&key, before.as_ref());
        }
    }

    /// A key's value, to be changed in place.
    pub fn value_mut<'k>(&mut self, key: impl Into<Key<'k>>) -> Option<&mut Value> {
        self.entry_mut(key).map(|entry| &mut entry.value)
    }

    /// Gives a key a new value. A key that was there keeps its time to die.
    pub fn insert<'k>(&mut self, key: impl Into<Key<'k>>, value: Value) {
        let key = key.into();
        self.note(key);
        let keys = self.shelves.slot_or_new(key.slot);
        match keys.get_mut(&key) {
            Some(entry) => {
                entry.value = value;
                entry.raw = false;
            }
            None => {
                keys.insert(&key, Entry { value, expires: None, raw: false });
                self.len += 1;
            }
        }
    }

    /// Gives a key a string, into the memory of the string that was there.
    pub fn insert_string<'k>(&mut self, key: impl Into<Key<'k>>, string: &[u8]) {
        let key = key.into();
        match self.entry_mut(key) {
            Some(Entry { value: Value::String(old), raw, .. }) => {
                string.clone_into(old);
                *raw = false;
            }
            _ => self.insert(key, Value::String(string.to_vec())),
        }
    }

    /// A string was changed in place.
    pub fn make_raw<'k>(&mut self, key: impl Into<Key<'k>>) {
        if let Some(entry) = self.entry_mut(key) {
            entry.raw = true;
        }
    }

    /// The keys as a process has them that loads this copy: each value anew.
    #[must_use]
    pub fn loaded(&self) -> Keyspace {
        let mut keys = self.replayed();
        let is_raw = |keys: &&mut Arc<SlotKeys>| keys.iter().any(|(_, entry)| entry.raw);
        for keys in keys.shelves.occupied_mut().filter(is_raw) {
            Arc::make_mut(keys).values_mut().for_each(|entry| entry.raw = false);
        }
        keys
    }

    /// The keys as a process has them that makes all changes again of which this copy came.
    #[must_use]
    pub fn replayed(&self) -> Keyspace {
        Keyspace { saved_at: None, position: None, ..self.clone() }
    }

    /// Takes over some keys of another copy, from this one on in its order, each value anew.
    pub fn load_part(&mut self, copy: &Keyspace, from: usize, count: usize) {
        for (key, entry) in copy.iter().skip(from).take(count) {
            self.insert(key, entry.value.clone());
            self.set_expiry(key, entry.expires);
        }
    }

    /// Deletes a key.
    pub fn remove<'k>(&mut self, key: impl Into<Key<'k>>) -> Option<Entry> {
        let key = key.into();
        self.shelves.slot(key.slot)?.get(&key)?;
        let place = self.shelves.place_mut(key.slot)?;
        let keys = Arc::make_mut(place.as_mut()?);
        let entry = keys.remove(&key)?;
        if keys.len() == 0 {
            *place = None;
        }
        self.journal.note(&key, Some(&entry));
        self.len -= 1;
        if let Some(deadline) = entry.expires {
            self.drop_deadline(deadline, key.to_vec());
        }
        Some(entry)
    }

    /// Sets or takes away a key's time to die; returns the one it had.
    pub fn set_expiry<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        expires: Option<Millis>,
    ) -> Option<Millis> {
        let key = key.into();
        let entry = self.entry_mut(key)?;
        let before = std::mem::replace(&mut entry.expires, expires);
        if before != expires {
            if let Some(before) = before {
                self.drop_deadline(before, key.to_vec());
            }
            if let Some(expires) = expires {
                self.deadlines.insert((expires, key.to_vec()));
                self.deadline_sum += i128::from(expires.0);
            }
        }
        before
    }

    /// Deletes everything; returns how many keys there were.
    pub fn clear(&mut self) -> usize {
        let before = self.len;
        let mut journal = std::mem::take(&mut self.journal);
        self.iter().for_each(|(key, entry)| journal.note(key, Some(entry)));
        *self = Keyspace { journal, ..Keyspace::default() };
        before
    }

    /// All keys in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        self.shelves.occupied().flat_map(|(_, keys)| keys.iter())
    }

    /// The slots that hold keys, ascending.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.shelves.occupied().map(|(slot, _)| slot)
    }

    /// How many keys have a time to die.
    #[must_use]
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// The times to die and their keys, earliest first.
    pub fn deadlines(&self) -> impl Iterator<Item = (Millis, &[u8])> {
        self.deadlines.iter().map(|(deadline, key)| (*deadline, key.as_slice()))
    }

    fn drop_deadline(&mut self, deadline: Millis, key: Vec<u8>) {
        self.deadlines.remove(&(deadline, key));
        self.deadline_sum -= i128::from(deadline.0);
    }

    /// The mean of all times to die, if there are any.
    #[must_use]
    pub fn mean_deadline(&self) -> Option<Millis> {
        let mean = self.deadline_sum.checked_div(self.deadlines.len() as i128)?;
        i64::try_from(mean).ok().map(Millis)
    }

    /// The keys of a slot in byte order (§9.14).
    pub fn keys_in_slot(&self, slot: Slot) -> impl Iterator<Item = &[u8]> {
        self.shelves.slot(slot).into_iter().flat_map(SlotKeys::iter).map(|(key, _)| key)
    }

    /// How many keys a slot holds (§9.13).
    #[must_use]
    pub fn count_in_slot(&self, slot: Slot) -> usize {
        self.shelves.slot(slot).map_or(0, SlotKeys::len)
    }

    /// Deletes all keys of a slot (§5.8.6); returns how many they were.
    pub fn delete_slot(&mut self, slot: Slot) -> usize {
        let Some(keys) = self.shelves.place_mut(slot).and_then(Option::take) else { return 0 };
        self.len -= keys.len();
        for (key, entry) in keys.iter() {
            self.journal.note(key, Some(entry));
            if let Some(deadline) = entry.expires {
                self.drop_deadline(deadline, key.to_vec());
            }
        }
        keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u8, u8),
        Remove(u8),
        Expire(u8, Option<i64>),
        DeleteSlot(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..20_u8, any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
            (0..20_u8).prop_map(Step::Remove),
            (0..20_u8, prop::option::of(0..5_i64)).prop_map(|(key, at)| Step::Expire(key, at)),
            (0..20_u8).prop_map(Step::DeleteSlot),
        ]
    }

    fn key(number: u8) -> Vec<u8> {
        format!("{{{}}}{number}", number / 3).into_bytes()
    }

    proptest! {
        #[test]
        fn counts_and_deadlines_follow_the_keys(steps in prop::collection::vec(step(), 0..80)) {
            let mut keys = Keyspace::default();
            let mut model: BTreeMap<Vec<u8>, (u8, Option<i64>)> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Insert(number, value) => {
                        keys.insert_string(&key(number), &[value]);
                        model.entry(key(number)).or_default().0 = value;
                    }
                    Step::Remove(number) => {
                        let removed = keys.remove(&key(number)).is_some();
                        prop_assert_eq!(removed, model.remove(&key(number)).is_some());
                    }
                    Step::Expire(number, at) => {
                        keys.set_expiry(&key(number), at.map(Millis));
                        if let Some((_, expires)) = model.get_mut(&key(number)) {
                            *expires = at;
                        }
                    }
                    Step::DeleteSlot(number) => {
                        let slot = Slot::of_key(&key(number));
                        let before = model.len();
                        model.retain(|key, _| Slot::of_key(key) != slot);
                        prop_assert_eq!(keys.delete_slot(slot), before - model.len());
                    }
                }
            }
            prop_assert_eq!(keys.len(), model.len());
            let shown: BTreeMap<Vec<u8>, (u8, Option<i64>)> = keys
                .iter()
                .map(|(key, entry)| {
                    let Value::String(bytes) = &entry.value else { unreachable!() };
                    (key.to_vec(), (bytes[0], entry.expires.map(|at| at.0)))
                })
                .collect();
            prop_assert_eq!(&shown, &model);
            let expiring = model.values().filter(|(_, expires)| expires.is_some()).count();
            prop_assert_eq!(keys.expiring(), expiring);
            prop_assert_eq!(keys.deadlines().count(), expiring);
            let sum: i64 = keys.deadlines().map(|(deadline, _)| deadline.0).sum();
            prop_assert_eq!(keys.mean_deadline(), sum.checked_div(expiring as i64).map(Millis));
            let counted: usize = keys.slots().map(|slot| keys.count_in_slot(slot)).sum();
            prop_assert_eq!(counted, model.len());
        }
    }

    #[test]
    fn a_copy_stays_as_it_is_when_the_original_changes() {
        let mut keys = Keyspace::default();
        keys.insert_string(b"{t}a", b"1");
        keys.insert_string(b"{t}b", b"1");
        let copy = keys.clone();
        keys.insert_string(b"{t}a", b"2");
        keys.remove(b"{t}b");
        keys.insert_string(b"other", b"3");
        let shown = |keys: &Keyspace| {
            let entries = keys.iter().map(|(key, entry)| (key.to_vec(), entry.value.clone()));
            entries.collect::<Vec<_>>()
        };
        let one = |key: &str, value: &str| (key.into(), Value::String(value.into()));
        assert_eq!(shown(&copy), [one("{t}a", "1"), one("{t}b", "1")]);
        assert_eq!((copy.len(), keys.len()), (2, 2));
        assert!(keys != copy);
        keys.remove(b"other");
        keys.insert_string(b"{t}b", b"1");
        keys.insert_string(b"{t}a", b"1");
        assert!(keys == copy);
    }

    #[test]
    fn the_keys_of_a_slot_come_in_byte_order_9_14() {
        let mut keys = Keyspace::default();
        for key in ["{t}b", "{t}a", "{t}", "other"] {
            keys.insert_string(key.as_bytes(), b"");
        }
        let slot = Slot::of_key(b"{t}");
        let shown: Vec<&[u8]> = keys.keys_in_slot(slot).collect();
        assert_eq!(shown, [b"{t}".as_slice(), b"{t}a", b"{t}b"]);
    }
}
