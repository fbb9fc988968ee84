//! A step's line, cut into words as a shell would, and a cursor to read them one after another.

mod counted;
mod groups;
mod ranges;

pub use counted::Counted;
pub use ranges::expand;

use std::iter::Peekable;
use std::str::CharIndices;

use crate::network::NodeNo;
use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::roster::{NoNode, Roster};
use crate::scenario::source::{Bytes, Source};
use crate::scenario::suggest;
use crate::scenario::template::Expanded;
use crate::scenario::units::BadUnit;

/// The text of a step and where each of its bytes stands in the file.
#[derive(Debug, Clone)]
pub struct Line {
    /// The text, escape sequences of TOML resolved.
    pub text: String,
    /// The whole string in the file, with its quotes.
    pub span: Bytes,
    /// Where each byte of `text` stands in the file, and where its end does.
    places: Vec<usize>,
    /// Where braces open in `text` that stand for themselves.
    meant: Vec<usize>,
    /// Whether names in it were replaced by examples, as long as nobody knows what they stand for.
    is_example: bool,
}

/// A word and its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The word, without the quotes of the shell.
    pub text: String,
    /// Its bytes in the file.
    pub span: Bytes,
    /// Where it begins in its line's text.
    pub at: usize,
    /// Whether any of it was quoted.
    pub quoted: bool,
    /// Where braces open in it that stand for themselves.
    pub meant: Vec<usize>,
}

impl Line {
    /// The line that a TOML string at `span` holds.
    #[must_use]
    pub fn new(text: String, span: Bytes, source: &Source) -> Line {
        let places = places(&text, source.text(&span), span.start);
        // Should the text not be found back in the file, every word points at the whole string.
        let places = places.unwrap_or_else(|| vec![span.start; text.len() + 1]);
        Line { text, span, places, meant: Vec::new(), is_example: false }
    }

    /// The line that is left of a TOML string at `span` when its braces are replaced.
    #[must_use]
    pub fn expanded(expanded: Expanded, span: Bytes, source: &Source) -> Line {
        let Expanded { text, meant } = expanded;
        Line { meant, ..Line::new(text, span, source) }
    }

    /// The same for a line in which names stand for nodes that are not known yet: two of them may have been
    /// replaced by one node.
    #[must_use]
    pub fn example(expanded: Expanded, span: Bytes, source: &Source) -> Line {
        Line { is_example: true, ..Line::expanded(expanded, span, source) }
    }

    /// The place in the file of a range of the text.
    #[must_use]
    pub fn place(&self, range: Bytes) -> Bytes {
        let (start, end) = (self.places[range.start], self.places[range.end]);
        if start == end && !range.is_empty() { self.span.clone() } else { start..end }
    }

    /// The place of the whole text.
    #[must_use]
    pub fn whole(&self) -> Bytes {
        self.place(0..self.text.len())
    }

    /// Cuts the line into words: `"…"` with backslash escapes, `'…'` as it is, as in a shell.
    ///
    /// # Errors
    /// If a quote is not closed.
    pub fn words(&self) -> Result<Vec<Word>, Diagnostic> {
        let mut words: Vec<Word> = Vec::new();
        let mut current: Option<Word> = None;
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c.is_whitespace() {
                words.extend(current.take().map(|word| self.end_word(word, at)));
                continue;
            }
            let word = current.get_or_insert_with(|| Word {
                text: String::new(),
                span: 0..0,
                at,
                quoted: false,
                meant: Vec::new(),
            });
            match c {
                '"' | '\'' => {
                    word.quoted = true;
                    if !self.unquote(c, &mut chars, word) {
                        let span = self.place(at..self.text.len());
                        return Err(Diagnostic::new(
                            "this quote is not closed",
                            span,
                            "opened here",
                        ));
                    }
                }
                '\\' => word.text.extend(chars.next().map(|(_, c)| c)),
                other => self.push(word, at, other),
            }
        }
        words.extend(current.take().map(|word| self.end_word(word, self.text.len())));
        Ok(words)
    }

    fn end_word(&self, word: Word, end: usize) -> Word {
        Word { span: self.place(word.at..end), ..word }
    }

    /// Reads up to the closing quote; false if there is none.
    fn unquote(&self, quote: char, chars: &mut Peekable<CharIndices<'_>>, word: &mut Word) -> bool {
        while let Some((at, c)) = chars.next() {
            match c {
                c if c == quote => return true,
                '\\' if quote == '"' => match chars.next() {
                    Some((_, 'n')) => word.text.push('\n'),
                    Some((_, 't')) => word.text.push('\t'),
                    Some((_, 'r')) => word.text.push('\r'),
                    Some((_, c)) => word.text.push(c),
                    None => return false,
                },
                c => self.push(word, at, c),
            }
        }
        false
    }

    /// Adds a letter of the line to a word.
    fn push(&self, word: &mut Word, at: usize, letter: char) {
        if self.meant.contains(&at) {
            word.meant.push(word.text.len());
        }
        word.text.push(letter);
    }
}

/// Where each byte of a TOML string's text stands in the file, or `None` if `raw` is not how the
/// text is spelled.
fn places(text: &str, raw: &str, start: usize) -> Option<Vec<usize>> {
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| raw.starts_with(quote))?;
    let escapes = quote.starts_with('"');
    let mut at = quote.len();
    if quote.len() == 3 {
        at += raw[at..].chars().take_while(|c| matches!(c, '\r' | '\n')).take(1).count();
    }
    let mut places = Vec::with_capacity(text.len() + 1);
    for c in text.chars() {
        let rest = raw.get(at..)?;
        let spelled = match rest.strip_prefix('\\') {
            Some(escape) if escapes => 1 + escape_len(escape)?,
            _ if rest.starts_with(c) => c.len_utf8(),
            _ => return None,
        };
        places.extend(std::iter::repeat_n(start + at, c.len_utf8()));
        at += spelled;
    }
    places.push(start + at);
    Some(places)
}

/// The length of an escape sequence behind its backslash.
fn escape_len(escape: &str) -> Option<usize> {
    Some(match escape.chars().next()? {
        'x' => 3,
        'u' => 5,
        'U' => 9,
        c if c.is_whitespace() => return None,
        c => c.len_utf8(),
    })
}

/// Reads the words of a line one after another. Every complaint points at a place.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    line: &'a Line,
    words: &'a [Word],
    next: usize,
    roster: &'a Roster,
}

impl<'a> Cursor<'a> {
    /// A cursor in front of the first word.
    #[must_use]
    pub fn new(line: &'a Line, words: &'a [Word], roster: &'a Roster) -> Cursor<'a> {
        Cursor { line, words, next: 0, roster }
    }

    /// The nodes that words can name.
    #[must_use]
    pub fn roster(&self) -> &'a Roster {
        self.roster
    }

    /// Whether the nodes that the words name are only examples of those that will be meant.
    #[must_use]
    pub fn is_example(&self) -> bool {
        self.line.is_example
    }

    /// The next word, without taking it.
    #[must_use]
    pub fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.next)
    }

    /// The words that were not taken yet, without taking them.
    #[must_use]
    pub fn ahead(&self) -> &'a [Word] {
        &self.words[self.next..]
    }

    /// Whether the next word is this one.
    #[must_use]
    pub fn peek_is(&self, text: &str) -> bool {
        self.peek().is_some_and(|word| word.text == text && !word.quoted)
    }

    /// Takes the next word if it is this one.
    pub fn take_if(&mut self, text: &str) -> Option<&'a Word> {
        let word = self.peek().filter(|word| word.text == text && !word.quoted);
        self.next += usize::from(word.is_some());
        word
    }

    /// Takes the next word.
    ///
    /// # Errors
    /// If there is none: `expected` says what should stand there.
    pub fn take(&mut self, expected: &str) -> Result<&'a Word, Diagnostic> {
        match self.peek() {
            Some(word) => {
                self.next += 1;
                Ok(word)
            }
            None => Err(self.missing(expected)),
        }
    }

    /// The complaint that the line ends too early.
    #[must_use]
    pub fn missing(&self, expected: &str) -> Diagnostic {
        let span = self.line.whole();
        Diagnostic::new(
            "this step is not complete",
            span.end..span.end,
            format!("expected {expected}"),
        )
    }

    /// Takes the next word, which must be this one.
    ///
    /// # Errors
    /// If it is another, or none.
    pub fn keyword(&mut self, text: &str) -> Result<&'a Word, Diagnostic> {
        let word = self.take(&format!("`{text}`"))?;
        if word.text == text {
            return Ok(word);
        }
        let label = format!("expected `{text}`");
        Err(Diagnostic::new(format!("unexpected `{}`", word.text), word.span.clone(), label))
    }

    /// Takes the next word, which must be one of these; `what` says what they are.
    ///
    /// # Errors
    /// If it is another, or none.
    pub fn one_of<T: Copy>(&mut self, what: &str, choices: &[(&str, T)]) -> Result<T, Diagnostic> {
        let word = self.take(what)?;
        let found = choices.iter().find(|(name, _)| *name == word.text);
        found.map(|(_, value)| *value).ok_or_else(|| unknown(word, what, choices))
    }

    /// Takes the next word, which must name a node.
    ///
    /// # Errors
    /// If it names none.
    pub fn node(&mut self) -> Result<NodeNo, Diagnostic> {
        let word = self.take("a node, called by its port")?;
        node(word, self.roster)
    }

    /// Takes the next word, which must be a value that `read` understands.
    ///
    /// # Errors
    /// If it is none.
    pub fn value<T>(
        &mut self,
        what: &str,
        read: impl FnOnce(&str) -> Result<T, BadUnit>,
    ) -> Result<T, Diagnostic> {
        let word = self.take(what)?;
        read(&word.text).map_err(|error| bad_unit(what, word.span.clone(), error))
    }

    /// The text from a word of the line to the end of the line, as it stands there.
    #[must_use]
    pub fn text_from(&self, word: &Word) -> &'a str {
        self.line.text[word.at..].trim_end()
    }

    /// The text from the next word to the end of the line, as it stands there.
    #[must_use]
    pub fn rest(&mut self) -> &'a str {
        let text = self.peek().map_or("", |word| &self.line.text[word.at..]);
        self.next = self.words.len();
        text.trim_end()
    }

    /// Takes the words that were not taken yet.
    pub fn rest_words(&mut self) -> &'a [Word] {
        let rest = &self.words[self.next..];
        self.next = self.words.len();
        rest
    }

    /// The place of the word that was taken last.
    #[must_use]
    pub fn last_span(&self) -> Bytes {
        let word = self.next.checked_sub(1).and_then(|last| self.words.get(last));
        word.map_or_else(|| self.line.whole(), |word| word.span.clone())
    }

    /// Makes sure that nothing is left.
    ///
    /// # Errors
    /// If a word is.
    pub fn finish(&self) -> Result<(), Diagnostic> {
        match self.peek() {
            None => Ok(()),
            Some(word) => {
                let message = format!("unexpected `{}`", word.text);
                Err(Diagnostic::new(message, word.span.clone(), "the step should end here"))
            }
        }
    }
}

/// The complaint about a word that is none of some choices.
pub fn unknown<T>(word: &Word, what: &str, choices: &[(&str, T)]) -> Diagnostic {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    Diagnostic::new(
        format!("unexpected `{}`", word.text),
        word.span.clone(),
        format!("expected {what}"),
    )
    .maybe_hint(suggest::hint(&word.text, names))
}

/// The complaint about a value with a unit.
pub fn bad_unit(what: &str, span: Bytes, error: BadUnit) -> Diagnostic {
    Diagnostic::new(format!("expected {what}"), span, error.problem).maybe_hint(error.hint)
}

/// The node that a word names.
///
/// # Errors
/// If it names none.
pub fn node(word: &Word, roster: &Roster) -> Result<NodeNo, Diagnostic> {
    roster.find(&word.text).map_err(|why| {
        let names = roster.names();
        let hint = match word.text.starts_with('{') {
            true if word.text.contains("..") => {
                Some("ranges are for commands; here nodes are named one by one".into())
            }
            true => Some("names come from steps before, such as `let victim = any master`".into()),
            false => {
                suggest::hint(&word.text, names.iter().map(String::as_str).collect::<Vec<_>>())
            }
        };
        let (message, label) = match why {
            NoNode::Unknown => (format!("unknown node `{}`", word.text), "no node is called this"),
            NoNode::Ambiguous => {
                (format!("more than one node has port {}", word.text), "say ADDRESS:PORT")
            }
        };
        Diagnostic::new(message, word.span.clone(), label)
            .maybe_hint(hint)
            .about(Topic::UnknownNode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a TOML string, and the file's text under each of them.
    fn words(raw: &str) -> (Vec<String>, Vec<String>) {
        let source = Source::new("a.toml", format!("x = {raw}"));
        let table: toml::Table = source.file().text.parse().unwrap();
        let text = table["x"].as_str().unwrap().to_owned();
        let line = Line::new(text, 4..4 + raw.len(), &source);
        let words = line.words().unwrap();
        let places = words.iter().map(|word| source.text(&word.span).to_owned()).collect();
        (words.into_iter().map(|word| word.text).collect(), places)
    }

    #[test]
    fn words_are_cut_as_a_shell_does() {
        assert_eq!(words("'a  b\tc'").0, ["a", "b", "c"]);
        assert_eq!(words(r#"'set k "a b" e"x"f'"#).0, ["set", "k", "a b", "exf"]);
        assert_eq!(words(r#""'a \\b' a\\ b""#).0, [r"a \b", "a b"]);
        assert_eq!(words(r#"'"a\nb" ""'"#).0, ["a\nb", ""]);
        assert_eq!(words("'  '").0, Vec::<String>::new());
    }

    #[test]
    fn every_word_knows_its_place_in_the_file() {
        assert_eq!(words("'kill 7000'").1, ["kill", "7000"]);
        assert_eq!(words(r#""say \"ü b\" c""#).1, ["say", r#"\"ü b\""#, "c"]);
        assert_eq!(words("\"\"\"\nkill 7000\"\"\"").1, ["kill", "7000"]);
        assert_eq!(words("'''kill 7000'''").1, ["kill", "7000"]);
        assert_eq!(
            words(r#""a\u0062 c""#),
            (vec!["ab".into(), "c".into()], vec![r"a\u0062".into(), "c".into()])
        );
    }

    #[test]
    fn a_string_that_cannot_be_mapped_points_at_itself_as_a_whole() {
        let raw = "\"\"\"a \\\n  b\"\"\"";
        let (text, places) = words(raw);
        assert_eq!(text, ["a", "b"]);
        assert_eq!(places, [raw, raw]);
    }

    #[test]
    fn an_open_quote_is_an_error() {
        let source = Source::new("a.toml", r#"x = 'a "b'"#);
        let line = Line::new(r#"a "b"#.into(), 4..10, &source);
        let error = line.words().unwrap_err();
        assert_eq!(source.text(&error.span), "\"b");
    }
}
