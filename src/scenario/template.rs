//! Names in braces that stand for something which is known only when the step is done:
//! `{7000.id}`, `{victim}`, `{victim.id}`, `{epoch}`, `{round}`.
//!
//! What stands in other braces is left alone in commands: keys have hash tags, and `{n}` counts
//! repetitions of a command. A doubled pair, `{{tag}}`, stands for a plain one in any case.

use crate::network::NodeNo;
use crate::scenario::roster::Roster;

/// What a name of `let` can be given to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A node.
    Node(NodeNo),
    /// A number.
    Number(u64),
}

/// What a pair of braces can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// What a node is called.
    Name(NodeNo),
    /// A node's id.
    Id(NodeNo),
    /// A node's port.
    Port(NodeNo),
    /// A number that was given a name.
    Number(u64),
    /// Which round of a repetition it is.
    Round,
}

/// What the text in a pair of braces stands for, if anything. `named` knows the names that steps
/// have given.
pub fn meaning(
    text: &str,
    roster: &Roster,
    named: impl Fn(&str) -> Option<Named>,
) -> Option<Meaning> {
    if text == "round" {
        return Some(Meaning::Round);
    }
    match text.rsplit_once('.') {
        None => named(text).map(|named| match named {
            Named::Node(node) => Meaning::Name(node),
            Named::Number(number) => Meaning::Number(number),
        }),
        Some((name, what)) => {
            let node = match named(name) {
                Some(Named::Node(node)) => node,
                Some(Named::Number(_)) => return None,
                None => roster.find(name).ok()?,
            };
            match what {
                "id" => Some(Meaning::Id(node)),
                "port" => Some(Meaning::Port(node)),
                _ => None,
            }
        }
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    /// It stands for itself.
    Plain(&'t str),
    /// A pair of braces that begins at this byte, and what is in it. It could stand for something.
    Pair(usize, &'t str),
    /// What is in a doubled pair, which stands for a plain one.
    Doubled(&'t str),
}

/// Cuts a text into its pieces.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|open| at + open) {
        pieces.push(Piece::Plain(&text[at..open]));
        if let Some(inner) = inside(&text[open..], "{{{", "}}}") {
            at = open + inner.len() + 6;
            pieces.extend([Piece::Plain("{"), Piece::Pair(open + 2, inner), Piece::Plain("}")]);
        } else if let Some(inner) = inside(&text[open..], "{{", "}}") {
            at = open + inner.len() + 4;
            pieces.push(Piece::Doubled(inner));
        } else if let Some(inner) = inside(&text[open..], "{", "}") {
            at = open + inner.len() + 2;
            pieces.push(Piece::Pair(open, inner));
        } else {
            at = open + 1;
            pieces.push(Piece::Plain("{"));
        }
    }
    pieces.push(Piece::Plain(&text[at..]));
    pieces
}

/// What stands at the beginning of a text between an opening and a closing, if no brace is in it.
fn inside<'t>(text: &'t str, opening: &str, closing: &str) -> Option<&'t str> {
    let inner = text.strip_prefix(opening)?;
    let end = inner.find(['{', '}'])?;
    inner[end..].starts_with(closing).then_some(&inner[..end])
}

/// A text in which braces were replaced by what they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expanded {
    /// The text.
    pub text: String,
    /// Where braces open in it that stand for themselves, because they were doubled.
    pub meant: Vec<usize>,
}

/// Replaces every pair of braces for which `value` knows something, and each doubled pair by a plain
/// one.
pub fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> Expanded {
    let mut expanded = String::with_capacity(text.len());
    let mut meant = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => expanded.push_str(text),
            Piece::Doubled(inner) => {
                meant.push(expanded.len());
                expanded.extend(["{", inner, "}"]);
            }
            Piece::Pair(_, inner) => match value(inner) {
                Some(value) => expanded.push_str(&value),
                None => expanded.extend(["{", inner, "}"]),
            },
        }
    }
    Expanded { text: expanded, meant }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_replaced() {
        let value = |text: &str| (text == "a").then(|| "1".to_owned());
        let expand = |text| super::expand(text, value).text;
        assert_eq!(expand("{a} {b} {a"), "1 {b} {a");
        assert_eq!(expand("set {06S}x {a}{a}"), "set {06S}x 11");
    }

    #[test]
    fn a_doubled_pair_stands_for_a_plain_one() {
        let value = |text: &str| (text == "a").then(|| "1".to_owned());
        let expand = |text| super::expand(text, value);
        let expanded = expand("{{a}} {{b}} {{a} {a}}");
        assert_eq!(expanded.text, "{a} {b} {1 1}");
        assert_eq!(expanded.meant, [0, 4]);
        assert_eq!(expand("{{{a}}}"), Expanded { text: "{1}".into(), meant: vec![] }, "a hash tag");
        let json = r#"{"x":{"y":{}}} {{}}"#;
        assert_eq!(expand(json).text, r#"{"x":{"y":{}}} {}"#);
        let is_pair = |piece: &Piece<'_>| matches!(piece, Piece::Pair(..));
        let pairs: Vec<Piece<'_>> =
            pieces("{{a}} {b} {{c} {").into_iter().filter(is_pair).collect();
        assert_eq!(pairs, [Piece::Pair(6, "b"), Piece::Pair(11, "c")]);
    }

    #[test]
    fn braces_stand_for_nodes_that_have_a_name_and_for_parts_of_them() {
        let mut roster = Roster::default();
        let node = roster.add("127.0.0.1:7000".parse().unwrap()).unwrap();
        let named = |name: &str| match name {
            "victim" => Some(Named::Node(node)),
            "epoch" => Some(Named::Number(7)),
            _ => None,
        };
        let meaning = |text: &str| meaning(text, &roster, named);
        assert_eq!(meaning("victim"), Some(Meaning::Name(node)));
        assert_eq!(meaning("victim.id"), Some(Meaning::Id(node)));
        assert_eq!(meaning("7000.port"), Some(Meaning::Port(node)));
        assert_eq!(meaning("epoch"), Some(Meaning::Number(7)));
        assert_eq!(meaning("round"), Some(Meaning::Round));
        for text in ["7000", "7001.id", "victim.size", "epoch.id", "06S", "n", ""] {
            assert_eq!(meaning(text), None, "{text}");
        }
    }
}
