//! A whole data set, as it travels from a master to a replica that starts anew (A.9).

use crate::node::keyspace::{Entry, Keyspace, Value};
use crate::node::number;

/// A data set as of one moment, and how large its RDB file is.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The keys; they know when they were saved.
    pub keys: Keyspace,
    bytes: u64,
}

impl Dump {
    /// The data set of a master whose stream is at `offset`.
    #[must_use]
    pub fn new(keys: Keyspace, offset: u64) -> Dump {
        let bytes = EMPTY_BYTES + integer_bytes(offset as i64) - 2 + keys_bytes(&keys);
        Dump { keys, bytes }
    }

    /// The size of the RDB file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The RDB file of 6.2.3 without keys, at an offset below 128: header, nine facts about the server
/// and its replication, end mark, checksum (A.9).
const EMPTY_BYTES: u64 = 175;

/// The part of an RDB file that holds the keys. Long strings are counted uncompressed.
fn keys_bytes(keys: &Keyspace) -> u64 {
    if keys.is_empty() {
        return 0;
    }
    let sizes = 1 + length_bytes(keys.len()) + length_bytes(keys.expiring());
    let entries = keys.iter().map(|(key, entry)| entry_bytes(key, entry));
    2 + sizes + entries.sum::<u64>()
}

fn entry_bytes(key: &[u8], entry: &Entry) -> u64 {
    let expiry = if entry.expires.is_some() { 9 } else { 0 };
    expiry + 1 + string_bytes(key) + value_bytes(&entry.value)
}

fn value_bytes(value: &Value) -> u64 {
    let Value::String(bytes) = value else { return members_bytes(value) };
    string_bytes(bytes)
}

/// A length and the members, each as a string of its own; the compact encodings of small lists, sets
/// and hashes take about as much.
fn members_bytes(value: &Value) -> u64 {
    let (count, sum) = match value {
        Value::String(_) => (0, 0),
        Value::List(list) => (list.len(), list.iter().map(|member| string_bytes(member)).sum()),
        Value::Set(set) => {
            (set.len(), set.members().iter().map(|member| string_bytes(member)).sum())
        }
        Value::Hash(hash) => (
            hash.fields.len(),
            hash.fields.iter().map(|(field, it)| string_bytes(field) + string_bytes(it)).sum(),
        ),
    };
    length_bytes(count) + sum
}

/// A string, or the number that it spells if that is shorter.
fn string_bytes(bytes: &[u8]) -> u64 {
    const LONGEST_NUMBER: usize = 11;
    let number = (bytes.len() <= LONGEST_NUMBER).then(|| number::parse(bytes)).flatten();
    match number.filter(|number| i32::try_from(*number).is_ok()) {
        Some(number) => integer_bytes(number),
        None => length_bytes(bytes.len()) + bytes.len() as u64,
    }
}

/// A number: one byte says how many follow. Larger ones are spelled out.
fn integer_bytes(number: i64) -> u64 {
    if i8::try_from(number).is_ok() {
        2
    } else if i16::try_from(number).is_ok() {
        3
    } else if i32::try_from(number).is_ok() {
        5
    } else {
        1 + number.to_string().len() as u64
    }
}

fn length_bytes(length: usize) -> u64 {
    match length {
        0..64 => 1,
        64..16_384 => 2,
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_data_set_has_175_bytes_a9() {
        assert_eq!(Dump::new(Keyspace::default(), 0).bytes(), 175);
        assert_eq!(Dump::new(Keyspace::default(), 541).bytes(), 176);
    }

    #[test]
    fn a_data_set_is_as_long_as_the_real_one_was() {
        // Recorded: 304 bytes for 18 keys such as `k7` and `k42` with the value `v` at offset 541,
        // 50 bytes of key names in all, by a server whose version text is one byte longer.
        let mut keys = Keyspace::default();
        for number in (2..6).chain(10..24) {
            keys.insert(format!("k{number}").as_bytes(), Value::String(b"v".to_vec()));
        }
        assert_eq!(Dump::new(keys, 541).bytes() + 1, 304);
    }
}
