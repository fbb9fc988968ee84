//! A key that knows its slot, so that the slot is computed once however often the key is looked up.

use std::ops::Deref;

use crate::slot::Slot;

/// The bytes of a key, and the slot that they are in.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// The slot.
    pub slot: Slot,
}

impl Deref for Key<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(bytes: &'a [u8]) -> Key<'a> {
        Key { bytes, slot: Slot::of_key(bytes) }
    }
}

impl<'a> From<&'a Vec<u8>> for Key<'a> {
    fn from(bytes: &'a Vec<u8>) -> Key<'a> {
        Key::from(bytes.as_slice())
    }
}

impl<'a, const LENGTH: usize> From<&'a [u8; LENGTH]> for Key<'a> {
    fn from(bytes: &'a [u8; LENGTH]) -> Key<'a> {
        Key::from(bytes.as_slice())
    }
}
