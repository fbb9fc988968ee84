//! The fingerprint of a run: one number that every processed event goes into.
//!
//! Two runs that did the same have the same fingerprint; two runs that differ anywhere almost
//! certainly do not. Observers do not touch it.

/// A running hash of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Fingerprint {
        Fingerprint(0x243f_6a88_85a3_08d3)
    }
}

impl Fingerprint {
    /// Takes in a word. The order of words matters.
    #[inline]
    pub fn absorb(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }

    /// Takes in some bytes and how many they are.
    pub fn absorb_bytes(&mut self, bytes: &[u8]) {
        self.absorb(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.absorb(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.absorb(rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)));
        }
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64]) -> u64 {
        let mut fingerprint = Fingerprint::default();
        words.iter().for_each(|&word| fingerprint.absorb(word));
        fingerprint.value()
    }

    #[test]
    fn order_and_number_of_words_matter() {
        assert_eq!(of(&[1, 2, 3]), of(&[1, 2, 3]));
        assert_ne!(of(&[1, 2, 3]), of(&[1, 3, 2]));
        assert_ne!(of(&[1, 2]), of(&[1, 2, 0]));
        assert_ne!(of(&[]), of(&[0]));
    }

    #[test]
    fn bytes_are_told_apart_by_length_too() {
        let of = |bytes: &[u8]| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.absorb_bytes(bytes);
            fingerprint.value()
        };
        assert_ne!(of(b"a"), of(b"a\0"));
        assert_ne!(of(b"12345678"), of(b"123456789"));
    }
}
