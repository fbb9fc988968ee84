//! Names in braces that stand for something which is known only when the step is done:
//! `{7000.id}`, `{victim}`, `{victim.id}`, `{round}`.
//!
//! What stands in other braces is left alone: keys have hash tags, and `{n}` counts repetitions of a
//! command.

use crate::network::NodeNo;
use crate::scenario::roster::Roster;

/// What a pair of braces can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// What a node is called.
    Name(NodeNo),
    /// A node's id.
    Id(NodeNo),
    /// A node's port.
    Port(NodeNo),
    /// Which round of a repetition it is.
    Round,
}

/// What the text in a pair of braces stands for, if anything. `named` knows the names that steps
/// have given.
pub fn meaning(
    text: &str,
    roster: &Roster,
    named: impl Fn(&str) -> Option<NodeNo>,
) -> Option<Meaning> {
    if text == "round" {
        return Some(Meaning::Round);
    }
    match text.rsplit_once('.') {
        None => named(text).map(Meaning::Name),
        Some((name, what)) => {
            let node = named(name).or_else(|| roster.find(name).ok())?;
            match what {
                "id" => Some(Meaning::Id(node)),
                "port" => Some(Meaning::Port(node)),
                _ => None,
            }
        }
    }
}

/// Replaces every pair of braces for which `value` knows something.
pub fn expand(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let found = inner.find('}').and_then(|close| Some((close, value(&inner[..close])?)));
        expanded.push_str(&rest[..open]);
        rest = match found {
            Some((close, value)) => {
                expanded.push_str(&value);
                &inner[close + 1..]
            }
            None => {
                expanded.push('{');
                inner
            }
        };
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_replaced() {
        let value = |text: &str| (text == "a").then(|| "1".to_owned());
        assert_eq!(expand("{a} {b} {{a}} {a", value), "1 {b} {1} {a");
        assert_eq!(expand("set {06S}x {a}{a}", value), "set {06S}x 11");
    }

    #[test]
    fn braces_stand_for_nodes_that_have_a_name_and_for_parts_of_them() {
        let mut roster = Roster::default();
        let node = roster.add("127.0.0.1:7000".parse().unwrap()).unwrap();
        let named = |name: &str| (name == "victim").then_some(node);
        let meaning = |text: &str| meaning(text, &roster, named);
        assert_eq!(meaning("victim"), Some(Meaning::Name(node)));
        assert_eq!(meaning("victim.id"), Some(Meaning::Id(node)));
        assert_eq!(meaning("7000.port"), Some(Meaning::Port(node)));
        assert_eq!(meaning("round"), Some(Meaning::Round));
        for text in ["7000", "7001.id", "victim.size", "06S", "n", ""] {
            assert_eq!(meaning(text), None, "{text}");
        }
    }
}
