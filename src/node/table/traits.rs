//! What a draw and a merge must know of a peer at a glance, in one byte.

/// How many peers stand in a peer's bucket of the hash table (4 bits), whether it is calm and
/// fit (see [`Table`](super::Table)), has the flags it began with, and is odd.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trait(u8);

pub(super) const CROWD_MAX: u8 = (1 << 4) - 1;
pub(super) const CALM: u8 = 1 << 4;
pub(super) const FIT: u8 = 1 << 5;
pub(super) const USUAL: u8 = 1 << 6;
pub(super) const ODD: u8 = 1 << 7;

/// All that a plain peer must be.
pub(super) const SETTLED: u8 = CALM | FIT | USUAL;

impl Trait {
    #[inline]
    pub(super) const fn crowd(self) -> u8 {
        self.0 & CROWD_MAX
    }

    pub(super) const fn set_crowd(&mut self, crowd: u8) {
        self.0 = self.0 & !CROWD_MAX | crowd;
    }

    #[inline]
    pub(super) const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    #[inline]
    pub(super) const fn is_settled(self) -> bool {
        self.0 & SETTLED == SETTLED
    }

    /// Whether the peer is plain; one that is in the table and not odd is.
    #[inline]
    pub(super) const fn is_plain(self) -> bool {
        self.crowd() > 0 && !self.has(ODD)
    }

    #[inline]
    pub(super) const fn set(&mut self, bits: u8, set: bool) {
        self.0 = if set { self.0 | bits } else { self.0 & !bits };
    }
}
