//! Ziplists: entries one behind the other, each with the length of the one before it.

use crate::node::number;

/// Bytes of a ziplist without entries: its size, the place of its last entry, their count, the end.
pub(super) const FRAME_BYTES: usize = 11;
const HEAD_BYTES: usize = 10;
const END: u8 = 0xff;
/// Strings of this length and more are never taken for numbers.
const NUMBER_BYTES: usize = 32;

/// Writes a ziplist.
pub(super) fn write<'a>(entries: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut out = vec![0; HEAD_BYTES];
    let (mut previous, mut tail, mut count) = (0, HEAD_BYTES, 0_usize);
    for entry in entries {
        tail = out.len();
        match u8::try_from(previous).ok().filter(|&previous| previous < 254) {
            Some(previous) => out.push(previous),
            None => {
                out.push(254);
                out.extend((previous as u32).to_le_bytes());
            }
        }
        content(&mut out, entry);
        previous = out.len() - tail;
        count += 1;
    }
    out.push(END);
    let size = out.len() as u32;
    out[0..4].copy_from_slice(&size.to_le_bytes());
    out[4..8].copy_from_slice(&(tail as u32).to_le_bytes());
    // A count that does not fit is found out by walking.
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    out[8..10].copy_from_slice(&count.to_le_bytes());
    out
}

/// How many bytes an entry takes at most.
pub(super) fn entry_bytes(entry: &[u8]) -> usize {
    let mut out = Vec::new();
    content(&mut out, entry);
    out.len() + if out.len() < 254 { 1 } else { 5 }
}

/// An entry without the length of the one before it.
fn content(out: &mut Vec<u8>, entry: &[u8]) {
    let number = if entry.len() < NUMBER_BYTES { number::parse(entry) } else { None };
    match number {
        Some(number) => integer(out, number),
        None => {
            match entry.len() {
                len @ 0..0x40 => out.push(len as u8),
                len @ 0x40..0x4000 => out.extend((0x4000 | len as u16).to_be_bytes()),
                len => {
                    out.push(0x80);
                    out.extend((len as u32).to_be_bytes());
                }
            }
            out.extend_from_slice(entry);
        }
    }
}

/// A number: its width and as many bytes.
fn integer(out: &mut Vec<u8>, number: i64) {
    const I24: std::ops::Range<i64> = -(1 << 23)..1 << 23;
    let (code, width) = match number {
        0..=12 => return out.push(0xf1 + number as u8),
        _ if i8::try_from(number).is_ok() => (0xfe, 1),
        _ if i16::try_from(number).is_ok() => (0xc0, 2),
        _ if I24.contains(&number) => (0xf0, 3),
        _ if i32::try_from(number).is_ok() => (0xd0, 4),
        _ => (0xe0, 8),
    };
    out.push(code);
    out.extend(&number.to_le_bytes()[..width]);
}

/// Reads a ziplist.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let size = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    if size as usize != bytes.len() || bytes.len() < FRAME_BYTES || *bytes.last()? != END {
        return None;
    }
    let mut rest = &bytes[HEAD_BYTES..bytes.len() - 1];
    let mut entries = Vec::new();
    while let Some((&previous, after)) = rest.split_first() {
        rest = if previous < 254 { after } else { after.get(4..)? };
        let (entry, after) = read_content(rest)?;
        entries.push(entry);
        rest = after;
    }
    Some(entries)
}

fn read_content(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (&code, rest) = bytes.split_first()?;
    let (length, rest) = match code {
        0x00..0x40 => (usize::from(code), rest),
        0x40..0x80 => {
            let (&low, rest) = rest.split_first()?;
            (usize::from(u16::from_be_bytes([code & 0x3f, low])), rest)
        }
        0x80 => {
            let (length, rest) = rest.split_at_checked(4)?;
            (u32::from_be_bytes(length.try_into().ok()?) as usize, rest)
        }
        0xf1..=0xfd => return Some(((code - 0xf1).to_string().into_bytes(), rest)),
        _ => {
            let width = match code {
                0xfe => 1,
                0xc0 => 2,
                0xf0 => 3,
                0xd0 => 4,
                0xe0 => 8,
                _ => return None,
            };
            let (number, rest) = rest.split_at_checked(width)?;
            return Some((signed(number).to_string().into_bytes(), rest));
        }
    };
    let (entry, rest) = rest.split_at_checked(length)?;
    Some((entry.to_vec(), rest))
}

/// A signed number of one to eight bytes, lowest first.
fn signed(bytes: &[u8]) -> i64 {
    let sign = if bytes.last().is_some_and(|last| last & 0x80 != 0) { 0xff } else { 0 };
    let mut wide = [sign; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}
