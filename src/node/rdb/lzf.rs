//! Unpacking LZF, which real nodes use for strings of more than 20 bytes.

/// Unpacks to exactly `length` bytes.
pub(super) fn unpack(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = packed.iter().copied();
    while let Some(control) = rest.next() {
        if control < 0x20 {
            for _ in 0..=control {
                out.push(rest.next()?);
            }
        } else {
            let short = usize::from(control >> 5);
            let count = if short == 7 { short + usize::from(rest.next()?) } else { short } + 2;
            let back = usize::from(control & 0x1f) << 8 | usize::from(rest.next()?);
            let from = out.len().checked_sub(back + 1)?;
            // The copy may reach into what it writes.
            for at in from..from + count {
                out.push(*out.get(at)?);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_copies_are_unpacked() {
        assert_eq!(unpack(b"\x01ab\x20\x01", 5).as_deref(), Some(b"ababa".as_slice()));
        assert_eq!(unpack(b"\x00a\xe0\x0b\x00", 21).as_deref(), Some([b'a'; 21].as_slice()));
    }

    #[test]
    fn what_points_before_the_beginning_or_is_cut_off_is_refused() {
        assert_eq!(unpack(b"\x00a\x20\x05", 4), None);
        assert_eq!(unpack(b"\x05abc", 6), None);
        assert_eq!(unpack(b"\x00a", 2), None);
    }
}
