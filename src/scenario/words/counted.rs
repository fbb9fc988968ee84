//! Words in which `{n}` counts how often a command was sent before.

use crate::scenario::words::Word;

/// A word of a command that may be sent several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// What stands around the numbers.
    parts: Vec<String>,
}

impl Counted {
    /// A text without numbers.
    #[must_use]
    pub fn plain(text: String) -> Counted {
        Counted { parts: vec![text] }
    }

    /// A word in which each `{n}` stands for a number, unless its braces were doubled.
    #[must_use]
    pub fn new(word: &Word) -> Counted {
        const NUMBER: &str = "{n}";
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, _) in word.text.match_indices(NUMBER) {
            if !word.meant.contains(&at) {
                parts.push(word.text[begin..at].to_owned());
                begin = at + NUMBER.len();
            }
        }
        parts.push(word.text[begin..].to_owned());
        Counted { parts }
    }

    /// The word when it was sent `n` times before.
    #[must_use]
    pub fn at(&self, n: u64) -> String {
        self.parts.join(&n.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_where_braces_were_not_doubled() {
        let text = "{n}:{n}{n}{m}".to_owned();
        let mut word = Word { text, span: 0..0, at: 0, quoted: true, meant: vec![4] };
        assert_eq!(Counted::new(&word).at(7), "7:{n}7{m}");
        word.meant.clear();
        assert_eq!(Counted::new(&word).at(12), "12:1212{m}");
        assert_eq!(Counted::plain(word.text).at(7), "{n}:{n}{n}{m}");
    }
}
