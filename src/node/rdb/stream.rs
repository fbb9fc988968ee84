//! Streams in RDB: items in listpacks, each of which tells ids and fields once and for the items only
//! what is different.

use crate::node::number;
use crate::node::rdb::listpack;
use crate::node::stream::{Item, Stream, StreamId};

/// A node has no more items than this (`stream-node-max-entries`), …
const NODE_ITEMS: usize = 100;
/// … and gets no more once it has this many bytes (`stream-node-max-bytes`).
const NODE_BYTES: usize = 4_096;
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// The id that stands for a node, and its listpack.
pub(super) type Node = ([u8; 16], Vec<u8>);

fn fields(item: &Item) -> impl Iterator<Item = &Vec<u8>> {
    item.words.iter().step_by(2)
}

/// The nodes of a stream to which its items were added one by one.
pub(super) fn nodes(stream: &Stream) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = stream.items.as_slice();
    while !rest.is_empty() {
        let (node, count) = node(rest);
        nodes.push(node);
        rest = &rest[count..];
    }
    nodes
}

/// A node of the first items, and of how many.
fn node(items: &[Item]) -> (Node, usize) {
    let master = &items[0];
    let mut count = 0;
    // The number of items, which stands in front, is small enough to take the same place always.
    let mut size = written(&items[..1], 0).bytes() - item_bytes(master, master);
    for item in items.iter().take(NODE_ITEMS) {
        if count > 0 && size >= NODE_BYTES {
            break;
        }
        size += item_bytes(master, item);
        count += 1;
    }
    let mut key = [0; 16];
    key[..8].copy_from_slice(&master.id.ms.to_be_bytes());
    key[8..].copy_from_slice(&master.id.seq.to_be_bytes());
    ((key, written(&items[..count], count).finish()), count)
}

fn item_bytes(master: &Item, item: &Item) -> usize {
    let mut alone = listpack::Writer::default();
    let empty = alone.bytes();
    write_item(&mut alone, master, item);
    alone.bytes() - empty
}

fn written(items: &[Item], count: usize) -> listpack::Writer {
    let mut out = listpack::Writer::default();
    let master = &items[0];
    out.number(count as i64);
    out.number(0);
    out.number(fields(master).count() as i64);
    fields(master).for_each(|field| out.word(field));
    out.number(0);
    items.iter().for_each(|item| write_item(&mut out, master, item));
    out
}

fn write_item(out: &mut listpack::Writer, master: &Item, item: &Item) {
    let same = fields(item).eq(fields(master));
    let pairs = (item.words.len() / 2) as i64;
    out.number(if same { SAME_FIELDS } else { 0 });
    out.number(item.id.ms.wrapping_sub(master.id.ms) as i64);
    out.number(item.id.seq.wrapping_sub(master.id.seq) as i64);
    if same {
        item.words.iter().skip(1).step_by(2).for_each(|value| out.word(value));
        out.number(3 + pairs);
    } else {
        out.number(pairs);
        item.words.iter().for_each(|word| out.word(word));
        out.number(4 + 2 * pairs);
    }
}

/// Reads the items of a node.
pub(super) fn read_node(key: &[u8], bytes: &[u8], items: &mut Vec<Item>) -> Option<()> {
    let master = StreamId {
        ms: u64::from_be_bytes(key.get(..8)?.try_into().ok()?),
        seq: u64::from_be_bytes(key.get(8..)?.try_into().ok()?),
    };
    let mut elements = listpack::read(bytes)?.into_iter();
    let count = integer(&mut elements)?.checked_add(integer(&mut elements)?)?;
    let named = integer_of(&mut elements)?;
    let names = words(&mut elements, named)?;
    integer(&mut elements)?;
    for _ in 0..count {
        let flags = integer(&mut elements)?;
        let id = StreamId {
            ms: master.ms.wrapping_add(integer(&mut elements)? as u64),
            seq: master.seq.wrapping_add(integer(&mut elements)? as u64),
        };
        let all = if flags & SAME_FIELDS != 0 {
            let values = words(&mut elements, names.len())?;
            names.iter().cloned().zip(values).flat_map(|(name, value)| [name, value]).collect()
        } else {
            let pairs = integer_of(&mut elements)?;
            words(&mut elements, pairs.checked_mul(2)?)?
        };
        integer(&mut elements)?;
        if flags & DELETED == 0 {
            items.push(Item { id, words: all });
        }
    }
    elements.next().is_none().then_some(())
}

fn integer(elements: &mut impl Iterator<Item = Vec<u8>>) -> Option<i64> {
    number::parse(&elements.next()?)
}

fn integer_of(elements: &mut impl Iterator<Item = Vec<u8>>) -> Option<usize> {
    usize::try_from(integer(elements)?).ok()
}

fn words(elements: &mut impl Iterator<Item = Vec<u8>>, count: usize) -> Option<Vec<Vec<u8>>> {
    let words: Vec<Vec<u8>> = elements.take(count).collect();
    (words.len() == count).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of so many items with one value each.
    fn stream(count: u64, value: &[u8]) -> Stream {
        let mut stream = Stream::default();
        for seq in 1..=count {
            stream.add(StreamId { ms: 7, seq }, vec![b"f".to_vec(), value.to_vec()]);
        }
        stream
    }

    #[test]
    fn a_node_is_full_with_a_hundred_items_or_four_thousand_bytes() {
        for (count, value, expected) in [
            (100, &b"1"[..], vec![100]),
            (101, b"1", vec![100, 1]),
            (7, &[b'x'; 1_000], vec![5, 2]),
        ] {
            let stream = stream(count, value);
            let sizes: Vec<usize> = nodes(&stream)
                .iter()
                .map(|(key, node)| {
                    let mut items = Vec::new();
                    read_node(key, node, &mut items).unwrap();
                    items.len()
                })
                .collect();
            assert_eq!(sizes, expected, "{count}");
        }
    }
}
