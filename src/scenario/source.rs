//! The text that a scenario was read from, and where in it a byte lies.
//!
//! The overrides of a command line (`--set network.latency=5ms`) are text like the file's own. They
//! lie behind it in one space of byte offsets, so that a span alone says what to underline, wherever
//! the text came from.

use std::ops::Range;

/// A range of bytes in the text of a [`Source`].
pub type Bytes = Range<usize>;

/// A scenario's text: the file and what the command line put over it.
#[derive(Debug, Clone)]
pub struct Source {
    pieces: Vec<Piece>,
}

/// One piece of text with a name of its own.
#[derive(Debug, Clone)]
pub struct Piece {
    /// What it is called in messages: a path, or the words of an option.
    pub name: String,
    /// The text.
    pub text: String,
    /// The offset of its first byte.
    pub start: usize,
}

/// A place for a person: line and column count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place<'a> {
    /// The name of the piece of text.
    pub name: &'a str,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Source {
    /// The text of a file.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Source {
        Source { pieces: vec![Piece { name: name.into(), text: text.into(), start: 0 }] }
    }

    /// Adds a piece of text; returns the offset of its first byte.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> usize {
        let start = self.end();
        self.pieces.push(Piece { name: name.into(), text: text.into(), start });
        start
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &Piece {
        &self.pieces[0]
    }

    /// One behind the last byte, with a gap so that no two pieces touch.
    #[must_use]
    pub fn end(&self) -> usize {
        self.pieces.last().map_or(0, |last| last.start + last.text.len() + 1)
    }

    /// The piece that holds an offset.
    #[must_use]
    pub fn piece(&self, offset: usize) -> &Piece {
        let after = self.pieces.partition_point(|piece| piece.start <= offset);
        &self.pieces[after.saturating_sub(1)]
    }

    /// The text of a range; empty if the range does not lie in one piece.
    #[must_use]
    pub fn text(&self, range: &Bytes) -> &str {
        let piece = self.piece(range.start);
        piece
            .text
            .get(range.start - piece.start..range.end.saturating_sub(piece.start))
            .unwrap_or("")
    }

    /// The place of an offset.
    #[must_use]
    pub fn place(&self, offset: usize) -> Place<'_> {
        let piece = self.piece(offset);
        let within = char_start(&piece.text, offset - piece.start);
        let before = &piece.text[..within];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place {
            name: &piece.name,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The start of the character that a byte belongs to, or the end of the text.
pub(super) fn char_start(text: &str, offset: usize) -> usize {
    let near = offset.min(text.len());
    (0..=near).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let source = Source::new("a.toml", "eins\nzwölf = 1\n");
        assert_eq!(source.place(0), Place { name: "a.toml", line: 1, column: 1 });
        let equals = source.file().text.find('=').unwrap();
        assert_eq!(source.place(equals), Place { name: "a.toml", line: 2, column: 7 });
    }

    #[test]
    fn an_offset_belongs_to_the_piece_it_lies_in() {
        let mut source = Source::new("a.toml", "seed = 1");
        let start = source.add("--set seed=2", "seed = 2");
        assert_eq!(source.place(start).name, "--set seed=2");
        assert_eq!(source.place(start + 7).column, 8);
        assert_eq!(source.text(&(start..start + 4)), "seed");
        assert_eq!(source.place(8).name, "a.toml");
    }

    #[test]
    fn an_offset_beyond_the_end_is_the_end() {
        assert_eq!(Source::new("a", "xy").place(99).column, 3);
        assert_eq!(Source::new("a", "").place(0).line, 1);
    }
}
