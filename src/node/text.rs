//! Texts that are put together piece by piece.

use std::fmt;

/// What `write` writes.
pub(crate) fn written(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    written_behind(String::new(), write)
}

/// A text with what `write` writes behind it.
pub(crate) fn written_behind(
    mut text: String,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> String {
    // A write fails only if what is written into refuses it, and a string takes any text.
    write(&mut text).expect("a string takes any text");
    text
}

/// Writes an integer behind what is there.
pub(crate) fn push_number(out: &mut String, number: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(number));
}
