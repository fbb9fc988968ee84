//! An RDB file: all keys as of one moment, as they lie on a disk or travel from a master to a replica
//! that starts anew (A.9).
//!
//! A file is written, sent and loaded in parts. Where they end is where a process that loads it looks
//! at what has come in meanwhile.

use crate::node::Node;
use crate::node::effect::Ctx;
use crate::node::keyspace::{Entry, Keyspace};
use crate::node::rdb;
use crate::time::Span;

/// The keys of one moment and the size of their file.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The keys. They know when they were saved, and where in which replication history.
    pub keys: Keyspace,
    marks: Vec<Mark>,
}

/// A place in a file, between two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// How many bytes are before it.
    pub bytes: u64,
    /// How many keys are before it.
    pub keys: usize,
}

/// How many bytes a child collects before it hands them on.
const BLOCK_BYTES: u64 = 16 << 10;
/// How many bytes a part has: so often a process that is loading serves its clients
/// (`loading-process-events-interval-bytes`).
const PART_BYTES: u64 = 2 << 20;
/// How many bytes of a file are written, sent or loaded in a microsecond.
const BYTES_PER_MICRO: u64 = 100;
/// What takes less is done at once: it is not worth an event.
pub(crate) const NOTICEABLE: Span = Span::millis(1);

/// What a file says about the memory that it needed: 2.58 Mb.
pub(crate) const MEMORY_WHEN_CREATED: u64 = 2_705_326;

/// The file of 6.2.3 without keys and without a word about replication: header, six facts about the
/// server, end mark, checksum.
const EMPTY_BYTES: u64 = 92;
/// What it says about replication, apart from the offset: together 175 bytes at offset 0 (A.9).
const REPLICATION_BYTES: u64 = 81;
/// A type before a time to die, and the time.
const EXPIRY_BYTES: u64 = 9;

/// How long it takes to write, send or load so many bytes of a file.
pub(crate) const fn handling_time(bytes: u64) -> Span {
    Span::micros(bytes / BYTES_PER_MICRO)
}

impl Dump {
    /// The file of these keys.
    #[must_use]
    pub fn new(keys: Keyspace) -> Dump {
        let replication = keys.position.map_or(0, |position| {
            REPLICATION_BYTES + rdb::string_bytes(position.offset.to_string().as_bytes())
        });
        let head = EMPTY_BYTES + replication + head_bytes(&keys);
        let marks = marks(&keys, head);
        Dump { keys, marks }
    }

    /// The file, byte by byte.
    #[must_use]
    pub fn file(&self) -> Vec<u8> {
        rdb::file(&self.keys)
    }

    /// The size of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end().bytes
    }

    /// Where the parts of the file end. The last one is the end of the file.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// What a child writes before it hands anything on: a block, or all if that is less.
    #[must_use]
    pub fn first_block(&self) -> Mark {
        let mut block = Mark { bytes: self.end().bytes.min(EMPTY_BYTES), keys: 0 };
        for (key, entry) in self.keys.iter().take(self.part(0).keys) {
            if block.bytes >= BLOCK_BYTES {
                break;
            }
            block = Mark { bytes: block.bytes + entry_bytes(key, entry), keys: block.keys + 1 };
        }
        block
    }

    fn end(&self) -> Mark {
        self.marks.last().copied().unwrap_or(Mark { bytes: EMPTY_BYTES, keys: 0 })
    }

    /// Where a part begins.
    #[must_use]
    pub fn part_begins(&self, part: usize) -> Mark {
        let before = part.checked_sub(1).and_then(|before| self.marks.get(before));
        before.copied().unwrap_or(Mark { bytes: 0, keys: 0 })
    }

    /// How many bytes and keys are in a part.
    #[must_use]
    pub fn part(&self, part: usize) -> Mark {
        let (begin, end) = (self.part_begins(part), self.marks[part]);
        Mark { bytes: end.bytes - begin.bytes, keys: end.keys - begin.keys }
    }

    /// Whether this part is the last one.
    #[must_use]
    pub fn is_last(&self, part: usize) -> bool {
        part + 1 == self.marks.len()
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

/// What stands before the keys, if there are any: a database number and two counts.
fn head_bytes(keys: &Keyspace) -> u64 {
    if keys.is_empty() {
        return 0;
    }
    2 + 1 + rdb::length_bytes(keys.len()) + rdb::length_bytes(keys.expiring())
}

/// The ends of the parts of a file with so many bytes beside its keys. Long strings are counted
/// uncompressed.
fn marks(keys: &Keyspace, head: u64) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut at = Mark { bytes: head, keys: 0 };
    for (key, entry) in keys.iter() {
        let bytes = at.bytes + entry_bytes(key, entry);
        if bytes / PART_BYTES > at.bytes / PART_BYTES && at.keys > 0 {
            marks.push(at);
        }
        at = Mark { bytes, keys: at.keys + 1 };
    }
    marks.push(at);
    marks
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

    #[test]
    fn a_file_is_as_long_as_it_is_said_to_be() {
        let mut keys = at(541);
        keys.saved_at = Some(1_622_073_600);
        assert_eq!(Dump::new(keys.clone()).file().len(), 176);
        keys.insert(b"mortal", Value::String(b"12".to_vec()));
        keys.set_expiry(b"mortal", Some(crate::time::Millis(1_622_073_700_000)));
        keys.insert(b"long", Value::String(vec![b'x'; 70_000]));
        keys.insert(b"list", Value::List([b"one".to_vec(), b"2".to_vec()].into()));
        let dump = Dump::new(keys);
        assert_eq!(dump.file().len() as u64, dump.bytes());
    }
}
