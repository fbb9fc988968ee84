//! Texts that are put together piece by piece.

use std::fmt;

/// What `write` writes.
pub(crate) fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    // A write fails only if what is written into refuses it, and a string takes any text.
    write(&mut text).expect("a string takes any text");
    text
}
