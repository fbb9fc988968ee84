//! An RDB file: all keys as of one moment, as they lie on a disk or travel from a master to a replica
//! that starts anew (A.9).

use crate::node::Node;
use crate::node::effect::Ctx;
use crate::node::keyspace::{Entry, Keyspace};
use crate::node::rdb;

/// The keys of one moment and the size of their file.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The keys. They know when they were saved, and where in which replication history.
    pub keys: Keyspace,
    bytes: u64,
}

/// The file of 6.2.3 without keys and without a word about replication: header, six facts about the
/// server, end mark, checksum.
const EMPTY_BYTES: u64 = 92;
/// What it says about replication, apart from the offset: together 175 bytes at offset 0 (A.9).
const REPLICATION_BYTES: u64 = 81;
/// A type before a time to die, and the time.
const EXPIRY_BYTES: u64 = 9;

impl Dump {
    /// The file of these keys.
    #[must_use]
    pub fn new(keys: Keyspace) -> Dump {
        let replication = keys.position.map_or(0, |position| {
            REPLICATION_BYTES + rdb::string_bytes(position.offset.to_string().as_bytes())
        });
        let bytes = EMPTY_BYTES + replication + keys_bytes(&keys);
        Dump { keys, bytes }
    }

    /// The size of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Node {
    /// My keys as an RDB file.
    pub(crate) fn dump(&self, ctx: &Ctx<'_>) -> Dump {
        let mut keys = self.keys.clone();
        keys.saved_at = Some(ctx.now.secs());
        keys.position = self.replication.position_to_save();
        Dump::new(keys)
    }
}

/// The part of the file that holds the keys: a database number, two counts, and each key with its
/// value. Long strings are counted uncompressed.
fn keys_bytes(keys: &Keyspace) -> u64 {
    if keys.is_empty() {
        return 0;
    }
    let counts = rdb::length_bytes(keys.len()) + rdb::length_bytes(keys.expiring());
    let entries = keys.iter().map(|(key, entry)| entry_bytes(key, entry));
    2 + 1 + counts + entries.sum::<u64>()
}

fn entry_bytes(key: &[u8], entry: &Entry) -> u64 {
    let expiry = if entry.expires.is_some() { EXPIRY_BYTES } else { 0 };
    expiry + rdb::string_bytes(key) + rdb::value_bytes(&entry.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::keyspace::Value;
    use crate::node::replication::message::Position;

    fn at(offset: u64) -> Keyspace {
        let id = "84609572bdf7fb686177b648515ed3b9103ad7df".parse().unwrap();
        let mut keys = Keyspace::default();
        keys.position = Some(Position { id, offset });
        keys
    }

    #[test]
    fn an_empty_data_set_has_175_bytes_a9() {
        assert_eq!(Dump::new(at(0)).bytes(), 175);
        assert_eq!(Dump::new(at(541)).bytes(), 176);
    }

    #[test]
    fn a_data_set_is_as_long_as_the_real_one_was() {
        // Recorded: 304 bytes for 18 keys such as `k7` and `k42` with the value `v` at offset 541,
        // 50 bytes of key names in all, by a server whose version text is one byte longer.
        let mut keys = at(541);
        for number in (2..6).chain(10..24) {
            keys.insert(format!("k{number}").as_bytes(), Value::String(b"v".to_vec()));
        }
        assert_eq!(Dump::new(keys).bytes() + 1, 304);
    }
}
