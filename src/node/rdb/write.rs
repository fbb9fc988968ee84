//! Writing values.

use crate::node::keyspace::Value;
use crate::node::number;
use crate::node::rdb::{intset, kind, stream, ziplist};
use crate::node::stream::Stream;
use crate::node::value::{Hash, Set};

/// A node of a quicklist is a ziplist of at most this many bytes (`list-max-ziplist-size -2`).
const QUICKLIST_NODE_BYTES: usize = 8_192;

/// A value with its type, without a footer.
#[must_use]
pub fn value(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Value::String(bytes) => {
            out.push(kind::STRING);
            string(&mut out, bytes);
        }
        Value::List(elements) => {
            out.push(kind::LIST_QUICKLIST);
            let nodes = quicklist(elements.iter());
            length(&mut out, nodes.len());
            for node in nodes {
                string(&mut out, &node);
            }
        }
        Value::Set(set) => write_set(&mut out, set),
        Value::Hash(hash) => write_hash(&mut out, hash),
        Value::Stream(stream) => write_stream(&mut out, stream),
    }
    out
}

fn write_set(out: &mut Vec<u8>, set: &Set) {
    match set {
        Set::Integers(integers) => {
            out.push(kind::SET_INTSET);
            string(out, &intset::write(integers));
        }
        Set::Members(members) => {
            out.push(kind::SET);
            length(out, members.len());
            for member in members {
                string(out, member);
            }
        }
    }
}

fn write_hash(out: &mut Vec<u8>, hash: &Hash) {
    let words = hash.fields.iter().flat_map(|(field, value)| [field, value]);
    if hash.table {
        out.push(kind::HASH);
        length(out, hash.fields.len());
        words.for_each(|word| string(out, word));
    } else {
        out.push(kind::HASH_ZIPLIST);
        string(out, &ziplist::write(words));
    }
}

fn write_stream(out: &mut Vec<u8>, stream: &Stream) {
    out.push(kind::STREAM_LISTPACKS);
    let nodes = stream::nodes(stream);
    length(out, nodes.len());
    for (key, node) in nodes {
        string(out, &key);
        string(out, &node);
    }
    let last = stream.last_id;
    for number in [stream.items.len() as u64, last.ms, last.seq, 0] {
        length(out, number as usize);
    }
}

/// The nodes of a list that was filled from its head.
fn quicklist<'a>(elements: impl Iterator<Item = &'a Vec<u8>>) -> Vec<Vec<u8>> {
    let mut nodes: Vec<Vec<&Vec<u8>>> = Vec::new();
    let mut size = 0;
    for element in elements {
        let more = ziplist::entry_bytes(element);
        match nodes.last_mut() {
            Some(node) if size + more <= QUICKLIST_NODE_BYTES => node.push(element),
            _ => {
                nodes.push(vec![element]);
                size = ziplist::FRAME_BYTES;
            }
        }
        size += more;
    }
    nodes.into_iter().map(ziplist::write).collect()
}

/// How many bytes [`value`] takes.
#[must_use]
pub fn value_bytes(value: &Value) -> u64 {
    match value {
        Value::String(bytes) => 1 + string_bytes(bytes),
        _ => self::value(value).len() as u64,
    }
}

/// How many bytes a length takes.
#[must_use]
pub const fn length_bytes(length: usize) -> u64 {
    match length {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..=0xffff_ffff => 5,
        _ => 9,
    }
}

/// How many bytes a string takes.
#[must_use]
pub fn string_bytes(bytes: &[u8]) -> u64 {
    match number::parse(bytes) {
        Some(-0x80..0x80) => 2,
        Some(-0x8000..0x8000) => 3,
        Some(-0x8000_0000..0x8000_0000) => 5,
        _ => length_bytes(bytes.len()) + bytes.len() as u64,
    }
}

/// A length, in as few bytes as it needs.
pub(super) fn length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend((0x4000 | length as u16).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend((length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// A string, or the number that it spells.
pub(super) fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    let number = number::parse(bytes);
    if let Some(small) = number.and_then(|number| i8::try_from(number).ok()) {
        out.push(0xc0);
        out.extend(small.to_le_bytes());
    } else if let Some(middle) = number.and_then(|number| i16::try_from(number).ok()) {
        out.push(0xc1);
        out.extend(middle.to_le_bytes());
    } else if let Some(large) = number.and_then(|number| i32::try_from(number).ok()) {
        out.push(0xc2);
        out.extend(large.to_le_bytes());
    } else {
        length(out, bytes.len());
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bytes: &[u8]) -> u64 {
        let mut out = Vec::new();
        string(&mut out, bytes);
        out.len() as u64
    }

    proptest! {
        #[test]
        fn a_string_is_as_long_as_it_is_said_to_be(
            bytes in prop::collection::vec(any::<u8>(), 0..20_000),
            number in any::<i64>(),
            shift in 0..64_u32,
        ) {
            prop_assert_eq!(string_bytes(&bytes), written(&bytes));
            let spelt = (number >> shift).to_string().into_bytes();
            prop_assert_eq!(string_bytes(&spelt), written(&spelt));
            let value = Value::String(spelt);
            prop_assert_eq!(value_bytes(&value), self::value(&value).len() as u64);
        }
    }

    #[test]
    fn lengths_take_as_many_bytes_as_they_are_said_to() {
        for bits in 0..33 {
            for number in [(1_usize << bits) - 1, 1 << bits] {
                let mut out = Vec::new();
                length(&mut out, number);
                assert_eq!(length_bytes(number), out.len() as u64, "{number}");
            }
        }
    }
}
