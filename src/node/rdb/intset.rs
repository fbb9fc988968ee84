//! Intsets: sorted integers, all as wide as the widest needs.

use std::collections::BTreeSet;

/// Writes a set of integers.
pub(super) fn write(integers: &BTreeSet<i64>) -> Vec<u8> {
    let fits = |low: i64, high: i64| integers.iter().all(|it| (low..=high).contains(it));
    let width: u32 = if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    let mut out = Vec::new();
    out.extend(width.to_le_bytes());
    out.extend((integers.len() as u32).to_le_bytes());
    for integer in integers {
        out.extend(&integer.to_le_bytes()[..width as usize]);
    }
    out
}

/// Reads a set of integers.
pub(super) fn read(bytes: &[u8]) -> Option<BTreeSet<i64>> {
    let (head, content) = bytes.split_at_checked(8)?;
    let word = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).ok();
    let (width, count) = (word(0)? as usize, word(4)? as usize);
    if ![2, 4, 8].contains(&width) || content.len() != count.checked_mul(width)? {
        return None;
    }
    let integers = content.chunks_exact(width).map(|chunk| {
        // Signed: the last byte's highest bit goes on to the left.
        let sign = if chunk[width - 1] & 0x80 == 0 { 0 } else { 0xff };
        let mut wide = [sign; 8];
        wide[..width].copy_from_slice(chunk);
        i64::from_le_bytes(wide)
    });
    Some(integers.collect())
}
