//! The fingerprint of a run: one number that every processed event goes into.
//!
//! Two runs that did the same have the same fingerprint; two runs that differ anywhere almost
//! certainly do not. Observers do not touch it.

/// What happens within a run, as a fingerprint tells it apart. The numbers are part of every
/// fingerprint that was ever noted down: they stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventTag {
    SynRetry = 1,
    Syn = 2,
    SynAck = 3,
    Refused = 4,
    Resend = 5,
    OrphanGivenUp = 6,
    BootStep = 16,
    CallDone = 17,
    Terminate = 18,
    Established = 19,
    Request = 20,
    /// Closed or reset.
    ConnectionOver = 21,
    Tick = 22,
    Awake = 23,
    ChildExit = 24,
    Replication = 25,
    TransferDone = 26,
    LoadStep = 27,
    ReadTimeout = 28,
    FormedStart = 32,
    CrashEnd = 33,
    CallAnswer = 48,
    CallTimeout = 49,
    Client = 50,
}

/// What is done to a run from outside, as a fingerprint tells it apart. The numbers stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutsideTag {
    ClientConnect = 1,
    ClientSend = 2,
    ClientClose = 3,
    Start = 4,
    Kill = 5,
    Crash = 6,
    Terminate = 7,
    Pause = 8,
    Resume = 9,
    Clock = 10,
    /// Any change of the paths but that of many cuts at once.
    Paths = 11,
    PowerOff = 12,
    Drift = 13,
    Cuts = 14,
    Trap = 15,
    Release = 16,
    Arm = 17,
    SlowDisk = 18,
    LoseConfig = 19,
    TearConfig = 20,
    Move = 21,
    Snapshot = 22,
    Restore = 23,
    LoseDisk = 24,
}

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

    /// Takes in what happens, and the number of the node, connection or client that it happens to.
    #[inline]
    pub(crate) fn absorb_event(&mut self, tag: EventTag, subject: u32) {
        self.absorb(u64::from(subject) << 8 | tag as u64);
    }

    /// Takes in what is done from outside, and the number of the node or client that it is done to.
    pub(crate) fn absorb_outside(&mut self, tag: OutsideTag, subject: u32) {
        self.absorb((tag as u64) << 32 ^ u64::from(subject));
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
