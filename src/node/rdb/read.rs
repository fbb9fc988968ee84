//! Reading values. Nothing that is read is trusted: what makes no sense is no value.

use std::collections::VecDeque;

use crate::node::keyspace::Value;
use crate::node::rdb::{intset, kind, lzf, stream, ziplist};
use crate::node::stream::{Stream, StreamId};
use crate::node::value::{Hash, Set};

/// A value with its type, without a footer.
pub(super) fn value(bytes: &[u8]) -> Option<Value> {
    let (&kind, rest) = bytes.split_first()?;
    let mut reader = Reader { rest };
    match kind {
        kind::STRING => reader.string().map(Value::String),
        kind::LIST => list(reader.strings(1)?),
        kind::LIST_ZIPLIST => list(ziplist::read(&reader.string()?)?),
        kind::LIST_QUICKLIST => {
            let nodes = reader.strings(1)?;
            let elements: Option<Vec<_>> = nodes.iter().map(|node| ziplist::read(node)).collect();
            list(elements?.concat())
        }
        kind::SET => set(reader.strings(1)?, true),
        kind::SET_INTSET => {
            let integers = intset::read(&reader.string()?)?;
            set(integers.iter().map(|integer| integer.to_string().into_bytes()).collect(), false)
        }
        kind::HASH => hash(&reader.strings(2)?, true),
        kind::HASH_ZIPLIST => hash(&ziplist::read(&reader.string()?)?, false),
        kind::STREAM_LISTPACKS => stream(&mut reader),
        _ => None,
    }
}

fn list(elements: Vec<Vec<u8>>) -> Option<Value> {
    (!elements.is_empty()).then(|| Value::List(VecDeque::from(elements)))
}

/// A set as it was encoded: a table stays one, also if it holds nothing but integers.
fn set(members: Vec<Vec<u8>>, table: bool) -> Option<Value> {
    let count = members.len();
    let mut set = if table { Set::Members(Default::default()) } else { Set::default() };
    for member in members {
        set.insert(&member);
    }
    (count > 0 && set.len() == count).then_some(Value::Set(set))
}

fn hash(words: &[Vec<u8>], table: bool) -> Option<Value> {
    let mut hash = Hash { table, ..Hash::default() };
    for pair in words.chunks(2) {
        let [field, value] = pair else { return None };
        if !hash.insert(field, value) {
            return None;
        }
    }
    (!hash.fields.is_empty()).then_some(Value::Hash(hash))
}

/// A stream that nobody reads in groups.
fn stream(reader: &mut Reader<'_>) -> Option<Value> {
    let mut stream = Stream::default();
    for _ in 0..reader.plain_length()? {
        let (key, node) = (reader.string()?, reader.string()?);
        stream::read_node(&key, &node, &mut stream.items)?;
    }
    let count = reader.plain_length()?;
    let (ms, seq) = (reader.plain_length()? as u64, reader.plain_length()? as u64);
    stream.last_id = StreamId { ms, seq };
    let ordered = stream.items.is_sorted_by(|one, next| one.id < next.id)
        && stream.items.last().is_none_or(|last| last.id <= stream.last_id);
    let known = stream.items.len() == count && reader.plain_length()? == 0;
    (ordered && known).then_some(Value::Stream(stream))
}

/// What a length stands for.
enum Length {
    /// So many of what follows.
    Plain(usize),
    /// A string in a special encoding.
    Special(u8),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn length(&mut self) -> Option<Length> {
        let [first] = self.array()?;
        let plain = match (first >> 6, first) {
            (0, _) => usize::from(first),
            (1, _) => {
                let [second] = self.array()?;
                usize::from(u16::from_be_bytes([first & 0x3f, second]))
            }
            (2, 0x80) => u32::from_be_bytes(self.array()?) as usize,
            (2, 0x81) => usize::try_from(u64::from_be_bytes(self.array()?)).ok()?,
            (3, _) => return Some(Length::Special(first & 0x3f)),
            _ => return None,
        };
        Some(Length::Plain(plain))
    }

    fn plain_length(&mut self) -> Option<usize> {
        match self.length()? {
            Length::Plain(length) => Some(length),
            Length::Special(_) => None,
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let number = match self.length()? {
            Length::Plain(length) => return Some(self.take(length)?.to_vec()),
            Length::Special(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Special(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Special(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => {
                let (packed, length) = (self.plain_length()?, self.plain_length()?);
                return lzf::unpack(self.take(packed)?, length);
            }
            Length::Special(_) => return None,
        };
        Some(number.to_string().into_bytes())
    }

    /// A counted sequence of groups of strings.
    fn strings(&mut self, group: usize) -> Option<Vec<Vec<u8>>> {
        let count = self.plain_length()?.checked_mul(group)?;
        (0..count).map(|_| self.string()).collect()
    }
}
