//! What a key can hold, in the order in which Redis would show it.
//!
//! The small encodings of Redis keep an order that clients can see: an intset is sorted by number, a
//! ziplist hash keeps the order of insertion. The large ones (hash tables) have a random order; here
//! they keep the order of bytes and of insertion instead, so that a run repeats itself.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};

use indexmap::IndexMap;

use crate::node::number;
use crate::node::stream::Stream;

/// A set of at most this many integers is an intset (`set-max-intset-entries`).
pub const INTSET_ENTRIES: usize = 512;
/// A hash of at most this many fields is a ziplist (`hash-max-ziplist-entries`).
pub const ZIPLIST_ENTRIES: usize = 512;
/// … if no field and no value is longer than this (`hash-max-ziplist-value`).
pub const ZIPLIST_VALUE: usize = 64;

/// The fields of a hash. The hasher has fixed keys: nothing here depends on the machine's entropy.
pub type Fields = IndexMap<Vec<u8>, Vec<u8>, BuildHasherDefault<DefaultHasher>>;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    String(Vec<u8>),
    /// A list, head first.
    List(VecDeque<Vec<u8>>),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Stream),
}

/// A set; once it holds anything but integers, or too many, it stays a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Set {
    /// An intset.
    Integers(BTreeSet<i64>),
    /// A hash table.
    Members(BTreeSet<Vec<u8>>),
}

/// A hash; once it is too large for a ziplist it stays a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hash {
    /// The fields in order of insertion.
    pub fields: Fields,
    /// Whether it has outgrown the ziplist.
    pub table: bool,
}

impl Value {
    /// The name that TYPE gives it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Set(_) => "set",
            Value::Hash(_) => "hash",
            Value::Stream(_) => "stream",
        }
    }

    /// The name that OBJECT ENCODING gives it.
    #[must_use]
    pub fn encoding(&self) -> &'static str {
        /// The longest string that Redis keeps in one piece with its header.
        const EMBEDDED: usize = 44;
        match self {
            Value::String(bytes) if number::parse(bytes).is_some() => "int",
            Value::String(bytes) if bytes.len() <= EMBEDDED => "embstr",
            Value::String(_) => "raw",
            Value::List(_) => "quicklist",
            Value::Stream(_) => "stream",
            Value::Set(Set::Integers(_)) => "intset",
            Value::Hash(hash) if !hash.table => "ziplist",
            Value::Set(Set::Members(_)) | Value::Hash(_) => "hashtable",
        }
    }
}

impl Default for Set {
    fn default() -> Set {
        Set::Integers(BTreeSet::new())
    }
}

impl Set {
    /// How many members it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Set::Integers(integers) => integers.len(),
            Set::Members(members) => members.len(),
        }
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has this member.
    #[must_use]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Integers(integers) => number::parse(member).is_some_and(|n| integers.contains(&n)),
            Set::Members(members) => members.contains(member),
        }
    }

    /// Adds a member; says whether it is new.
    pub fn insert(&mut self, member: &[u8]) -> bool {
        if let Set::Integers(integers) = self {
            if let Some(integer) = number::parse(member) {
                let new = integers.insert(integer);
                if integers.len() > INTSET_ENTRIES {
                    self.become_table();
                }
                return new;
            }
            self.become_table();
        }
        match self {
            Set::Members(members) => members.insert(member.to_vec()),
            Set::Integers(_) => false,
        }
    }

    /// Removes a member; says whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Integers(integers) => number::parse(member).is_some_and(|n| integers.remove(&n)),
            Set::Members(members) => members.remove(member),
        }
    }

    /// The members in order.
    #[must_use]
    pub fn members(&self) -> Vec<Vec<u8>> {
        match self {
            Set::Integers(integers) => {
                integers.iter().map(|integer| integer.to_string().into_bytes()).collect()
            }
            Set::Members(members) => members.iter().cloned().collect(),
        }
    }

    fn become_table(&mut self) {
        *self = Set::Members(self.members().into_iter().collect());
    }
}

impl Hash {
    /// Sets a field; says whether it is new.
    pub fn insert(&mut self, field: &[u8], value: &[u8]) -> bool {
        let new = match self.fields.get_mut(field) {
            Some(old) => {
                value.clone_into(old);
                false
            }
            None => self.fields.insert(field.to_vec(), value.to_vec()).is_none(),
        };
        let long = field.len() > ZIPLIST_VALUE || value.len() > ZIPLIST_VALUE;
        self.table |= long || self.fields.len() > ZIPLIST_ENTRIES;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(members: &[&str]) -> Set {
        let mut set = Set::default();
        for member in members {
            set.insert(member.as_bytes());
        }
        set
    }

    #[test]
    fn an_intset_is_sorted_by_number() {
        assert_eq!(
            set(&["10", "9", "-1"]).members(),
            [b"-1".to_vec(), b"9".to_vec(), b"10".to_vec()]
        );
    }

    #[test]
    fn a_set_with_a_word_is_a_table_and_stays_one() {
        let mut words = set(&["1", "a", "2"]);
        assert_eq!(words.members(), [b"1".to_vec(), b"2".to_vec(), b"a".to_vec()]);
        assert!(words.remove(b"a"));
        assert_eq!(Value::Set(words).encoding(), "hashtable");
        assert_eq!(Value::Set(set(&["1"])).encoding(), "intset");
    }

    #[test]
    fn a_number_with_a_leading_zero_is_a_word() {
        assert_eq!(Value::Set(set(&["01"])).encoding(), "hashtable");
        assert!(!set(&["1"]).contains(b"01"));
    }

    #[test]
    fn a_hash_keeps_the_order_of_insertion_and_outgrows_its_ziplist() {
        let mut hash = Hash::default();
        assert!(hash.insert(b"b", b"1"));
        assert!(hash.insert(b"a", b"2"));
        assert!(!hash.insert(b"b", b"3"));
        assert_eq!(hash.fields.keys().collect::<Vec<_>>(), [&b"b".to_vec(), &b"a".to_vec()]);
        assert!(!hash.table);
        hash.insert(b"a", &[b'x'; 65]);
        assert!(hash.table);
    }
}
