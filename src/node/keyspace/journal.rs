//! How keys were before they were changed since the append-only file was last synced.
//!
//! Only a key's first change since then is noted, so a journal is never larger than what was changed.

use std::collections::BTreeMap;

use crate::node::keyspace::{Entry, Keyspace};

/// The keys that were changed, and how each was before: `None` if it was not there. Without a journal
/// nothing is noted. A copy of a data set begins without one.
#[derive(Debug, Default)]
pub(super) struct Journal {
    noted: Option<BTreeMap<Vec<u8>, Option<Entry>>>,
    /// Whether a key was changed since that was last asked for.
    touched: bool,
}

impl Clone for Journal {
    fn clone(&self) -> Journal {
        Journal::default()
    }
}

impl Journal {
    /// Whether changes are noted, and that of this key is not yet.
    #[inline]
    pub(super) fn lacks(&mut self, key: &[u8]) -> bool {
        let Some(noted) = &self.noted else { return false };
        self.touched = true;
        !noted.contains_key(key)
    }

    /// Notes how a key is before it is changed.
    #[inline]
    pub(super) fn note(&mut self, key: &[u8], before: Option<&Entry>) {
        let Some(noted) = &mut self.noted else { return };
        self.touched = true;
        if !noted.contains_key(key) {
            noted.insert(key.to_vec(), before.cloned());
        }
    }
}

impl Keyspace {
    /// Notes from now on how keys were before they were changed.
    pub(crate) fn begin_journal(&mut self) {
        self.journal = Journal { noted: Some(BTreeMap::new()), touched: false };
    }

    /// Notes nothing any more.
    pub(crate) fn end_journal(&mut self) {
        self.journal = Journal::default();
    }

    /// Whether changes are noted.
    pub(crate) fn has_journal(&self) -> bool {
        self.journal.noted.is_some()
    }

    /// Whether anything was changed that is noted.
    pub(crate) fn is_changed(&self) -> bool {
        self.journal.noted.as_ref().is_some_and(|noted| !noted.is_empty())
    }

    /// Whether a key was given for changing since this was last asked.
    pub(crate) fn take_touched(&mut self) -> bool {
        std::mem::take(&mut self.journal.touched)
    }

    /// The keys as they were when the journal began.
    #[must_use]
    pub(crate) fn rolled_back(mut self) -> Keyspace {
        for (key, before) in self.journal.noted.take().unwrap_or_default() {
            self.remove(&key);
            if let Some(Entry { value, expires, raw }) = before {
                self.insert(&key, value);
                self.set_expiry(&key, expires);
                if raw {
                    self.make_raw(&key);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::value::Value;
    use crate::slot::Slot;
    use crate::time::Millis;

    fn some_keys() -> Keyspace {
        let mut keys = Keyspace::default();
        for key in ["a", "b", "c", "d"] {
            keys.insert_string(key.as_bytes(), b"1");
        }
        keys.set_expiry(b"b", Some(Millis(7)));
        keys
    }

    #[test]
    fn every_kind_of_change_is_taken_back_also_if_another_follows() {
        let changes: [fn(&mut Keyspace); 9] = [
            |keys| keys.insert(b"a", Value::String(b"2".to_vec())),
            |keys| keys.insert_string(b"a", b"3"),
            |keys| keys.insert_string(b"new", b"2"),
            |keys| keys.remove(b"b").map_or((), drop),
            |keys| assert!(keys.set_expiry(b"b", Some(Millis(9))).is_none_or(|was| was.0 > 6)),
            |keys| assert!(keys.clear() > 0),
            |keys| assert!(keys.delete_slot(Slot::of_key(b"c")) < 2),
            |keys| keys.make_raw(b"d"),
            |keys| keys.value_mut(b"d").into_iter().for_each(|v| *v = Value::String(vec![4])),
        ];
        for (number, first) in changes.iter().enumerate() {
            for second in &changes {
                let mut keys = some_keys();
                keys.begin_journal();
                first(&mut keys);
                assert!(keys != some_keys() && keys.is_changed(), "change {number}");
                keys.insert_string(b"z", b"so that there are keys");
                second(&mut keys);
                assert_eq!(keys.rolled_back(), some_keys(), "change {number}");
            }
        }
    }

    #[test]
    fn what_was_changed_before_the_journal_stays() {
        let mut keys = some_keys();
        keys.begin_journal();
        keys.insert_string(b"a", b"2");
        keys.begin_journal();
        assert!(!keys.is_changed());
        keys.insert_string(b"b", b"2");
        let back = keys.rolled_back();
        assert_eq!(back.get(b"a").unwrap().value, Value::String(b"2".to_vec()));
        assert_eq!(back.get(b"b").unwrap().value, Value::String(b"1".to_vec()));
        assert_eq!((back.len(), back.expiring()), (4, 1));
    }
}
