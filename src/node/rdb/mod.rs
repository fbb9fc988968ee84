//! Values as DUMP writes them and RESTORE reads them, and whole files: the RDB format, version 9.
//!
//! What is written is what a real 6.2 node writes with `rdbcompression no`; what is read may be
//! compressed. Only the types that a virtual node knows can be read.

mod file;
mod intset;
mod listpack;
mod lzf;
mod read;
mod stream;
mod write;
mod ziplist;

use crc::{CRC_64_REDIS, Crc};

use crate::node::keyspace::Value;

pub use file::file;
pub use write::{length_bytes, string_bytes, value as encode_value, value_bytes};

/// The RDB version of 6.2.
const VERSION: u16 = 9;
/// Version and checksum behind a dumped value.
const FOOTER_BYTES: usize = 10;

static CHECKSUM: Crc<u64> = Crc::<u64>::new(&CRC_64_REDIS);

/// The numbers of the types of values.
mod kind {
    pub(super) const STRING: u8 = 0;
    pub(super) const LIST: u8 = 1;
    pub(super) const SET: u8 = 2;
    pub(super) const HASH: u8 = 4;
    pub(super) const LIST_ZIPLIST: u8 = 10;
    pub(super) const SET_INTSET: u8 = 11;
    pub(super) const HASH_ZIPLIST: u8 = 13;
    pub(super) const LIST_QUICKLIST: u8 = 14;
    pub(super) const STREAM_LISTPACKS: u8 = 15;
}

/// Why something cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It comes from a newer version, or was damaged.
    Footer,
    /// It is not a value that a node knows.
    Value,
}

/// A value with its footer, as DUMP answers.
#[must_use]
pub fn dump(value: &Value) -> Vec<u8> {
    let mut bytes = encode_value(value);
    bytes.extend(VERSION.to_le_bytes());
    let checksum = CHECKSUM.checksum(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Reads what DUMP has written.
///
/// # Errors
/// If it comes from a newer version, was damaged, or holds something unknown.
pub fn restore(bytes: &[u8]) -> Result<Value, Unreadable> {
    let body = bytes.len().checked_sub(FOOTER_BYTES).ok_or(Unreadable::Footer)?;
    let (body, footer) = bytes.split_at(body);
    let (version, checksum) = footer.split_at(2);
    let version = u16::from_le_bytes([version[0], version[1]]);
    let expected = CHECKSUM.checksum(&bytes[..body.len() + 2]).to_le_bytes();
    if version > VERSION || checksum != expected {
        return Err(Unreadable::Footer);
    }
    read::value(body).ok_or(Unreadable::Value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::stream::{Stream, StreamId};
    use crate::node::value::{Hash, Set};
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..80),
            any::<i64>().prop_map(|number| number.to_string().into_bytes()),
            (-200_i64..200).prop_map(|number| number.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 60..300),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let words = || prop::collection::vec(word(), 1..60);
        prop_oneof![
            word().prop_map(Value::String),
            words().prop_map(|words| Value::List(words.into())),
            words().prop_map(|words| {
                let mut set = Set::default();
                for word in words {
                    set.insert(&word);
                }
                Value::Set(set)
            }),
            words().prop_map(|words| {
                let mut hash = Hash::default();
                for word in words {
                    hash.insert(&word, &word);
                }
                Value::Hash(hash)
            }),
            prop::collection::vec((words(), 1..3_000_u64), 1..12).prop_map(|items| {
                let mut stream = Stream::default();
                for (words, later) in items {
                    let words = words.iter().chain(&words).take(2 * words.len()).cloned();
                    let ms = stream.last_id.ms + later - 1;
                    let seq = stream.last_id.seq + later;
                    stream.add(StreamId { ms, seq }, words.collect());
                }
                Value::Stream(stream)
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_dumped_can_be_restored(value in value()) {
            prop_assert_eq!(restore(&dump(&value)), Ok(value));
        }

        #[test]
        fn no_damage_goes_unnoticed(value in value(), at in any::<usize>(), flip in 1..=255_u8) {
            let mut bytes = dump(&value);
            let at = at % bytes.len();
            bytes[at] ^= flip;
            prop_assert_eq!(restore(&bytes), Err(Unreadable::Footer));
        }

        #[test]
        fn nonsense_is_refused_not_believed(body in prop::collection::vec(any::<u8>(), 0..60)) {
            // Whatever comes out: reading it must not panic.
            let _ = read::value(&body);
        }
    }
}
