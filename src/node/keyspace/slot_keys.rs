//! The keys of one slot, in byte order.

use std::collections::BTreeMap;

use crate::node::keyspace::Entry;

/// So many keys are kept side by side. Most slots have one or two.
const FEW: usize = 32;

type Key = Box<[u8]>;

/// The keys of one slot. What once had many stays as it is.
#[derive(Debug, Clone)]
pub(super) enum SlotKeys {
    /// Sorted.
    Few(Vec<(Key, Entry)>),
    Many(BTreeMap<Key, Entry>),
}

impl Default for SlotKeys {
    fn default() -> SlotKeys {
        SlotKeys::Few(Vec::new())
    }
}

/// Where a key is, or where it belongs.
#[inline]
fn place(keys: &[(Key, Entry)], key: &[u8]) -> Result<usize, usize> {
    match keys {
        [(only, _)] if **only == *key => Ok(0),
        _ => keys.binary_search_by(|(other, _)| (**other).cmp(key)),
    }
}

impl SlotKeys {
    pub(super) fn len(&self) -> usize {
        match self {
            SlotKeys::Few(keys) => keys.len(),
            SlotKeys::Many(keys) => keys.len(),
        }
    }

    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        match self {
            SlotKeys::Few(keys) => place(keys, key).ok().map(|at| &keys[at].1),
            SlotKeys::Many(keys) => keys.get(key),
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        match self {
            SlotKeys::Few(keys) => place(keys, key).ok().map(|at| &mut keys[at].1),
            SlotKeys::Many(keys) => keys.get_mut(key),
        }
    }

    /// Puts a key in that is not there.
    pub(super) fn insert(&mut self, key: &[u8], entry: Entry) {
        if let SlotKeys::Few(keys) = self
            && keys.len() == FEW
        {
            *self = SlotKeys::Many(std::mem::take(keys).into_iter().collect());
        }
        match self {
            SlotKeys::Few(keys) => {
                let at = place(keys, key).unwrap_or_else(|at| at);
                keys.insert(at, (key.into(), entry));
            }
            SlotKeys::Many(keys) => {
                keys.insert(key.into(), entry);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        match self {
            SlotKeys::Few(keys) => place(keys, key).ok().map(|at| keys.remove(at).1),
            SlotKeys::Many(keys) => keys.remove(key),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let (few, many) = match self {
            SlotKeys::Few(keys) => (Some(keys), None),
            SlotKeys::Many(keys) => (None, Some(keys)),
        };
        let few = few.into_iter().flatten().map(|(key, entry)| (&**key, entry));
        let many = many.into_iter().flatten().map(|(key, entry)| (&**key, entry));
        few.chain(many)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let (few, many) = match self {
            SlotKeys::Few(keys) => (Some(keys), None),
            SlotKeys::Many(keys) => (None, Some(keys)),
        };
        let few = few.into_iter().flatten().map(|(_, entry)| entry);
        few.chain(many.into_iter().flat_map(BTreeMap::values_mut))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::keyspace::Value;
    use proptest::prelude::*;

    fn entry(value: u8) -> Entry {
        Entry { value: Value::String(vec![value]), expires: None, raw: false }
    }

    proptest! {
        #[test]
        fn few_and_many_keys_are_kept_in_byte_order(
            steps in prop::collection::vec((any::<bool>(), prop::collection::vec(0..6_u8, 0..4), any::<u8>()), 0..300)
        ) {
            let mut keys = SlotKeys::default();
            let mut model = BTreeMap::new();
            for (puts, key, value) in steps {
                if !puts {
                    prop_assert_eq!(keys.remove(&key), model.remove(&key));
                } else if let Some(there) = keys.get_mut(&key) {
                    *there = entry(value);
                    model.insert(key, entry(value));
                } else {
                    keys.insert(&key, entry(value));
                    prop_assert_eq!(model.insert(key, entry(value)), None);
                }
            }
            prop_assert_eq!(keys.len(), model.len());
            prop_assert!(model.iter().all(|(key, entry)| keys.get(key) == Some(entry)));
            prop_assert!(keys.iter().eq(model.iter().map(|(key, entry)| (key.as_slice(), entry))));
            prop_assert!(keys.values_mut().map(|entry| &*entry).eq(model.values()));
        }
    }
}
