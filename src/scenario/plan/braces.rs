//! Braces in steps that stand for nothing. In a remark each of them is a mistake; in a command it may be
//! a hash tag, so that only what was certainly meant otherwise is.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::roster::Roster;
use crate::scenario::step;
use crate::scenario::suggest;
use crate::scenario::template::{self, Named, Piece};
use crate::scenario::words::Line;

/// A shorter hash tag is like many names by accident.
const ALIKE_MIN: usize = 4;

/// What is known about what can stand in braces.
pub(super) struct Braces<'a> {
    pub(super) roster: &'a Roster,
    /// The names that steps before have given, each with an example of what it was given to.
    pub(super) names: &'a BTreeMap<String, Named>,
    /// The names that any step of the script gives.
    pub(super) all_names: &'a BTreeSet<String>,
    /// Whether the step is done again and again.
    pub(super) repeated: bool,
}

impl Braces<'_> {
    /// The first pair of braces in a remark that stands for nothing.
    pub(super) fn in_remark(&self, line: &Line) -> Option<Diagnostic> {
        self.find(line, |inner| {
            let known = self.known();
            let near = suggest::nearest(inner, known.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("`{{{near}}}` would be something"),
                None => format!("known are: {}", known.join(", ")),
            };
            (!self.is_known(inner)).then(|| ("nothing has this name here".to_owned(), hint))
        })
    }

    /// The first pair of braces in any other step that was certainly meant for something which it is not.
    pub(super) fn in_step(&self, line: &Line) -> Option<Diagnostic> {
        self.find(line, |inner| {
            let said = |label: &str, hint: String| Some((label.to_owned(), hint));
            if self.is_known(inner) || inner == "n" {
                return None;
            }
            if inner == "round" {
                let hint = "`{ repeat = 3, steps = […] }` repeats steps";
                return said("no `repeat` is around it", hint.to_owned());
            }
            let name = inner.strip_suffix(".id").or(inner.strip_suffix(".port"));
            let of = name.unwrap_or(inner);
            if self.all_names.contains(of) && !self.names.contains_key(of) {
                let hint = format!("`let {of} = …` has to come before");
                return said("it has no name yet", hint);
            }
            if name.is_some() {
                let nodes = self.roster.names();
                let known = nodes.iter().chain(self.nodes_named()).map(String::as_str);
                let near = suggest::nearest(of, known);
                let hint = match near {
                    Some(near) => format!("`{near}` is one"),
                    None => "nodes are called by their ports and by names of `let`".to_owned(),
                };
                return said("no node is called this", hint);
            }
            let known = self.names.keys().map(String::as_str).chain(["round"]);
            let near = suggest::nearest(inner, known).filter(|_| inner.len() >= ALIKE_MIN)?;
            said("nothing has this name", format!("`{{{near}}}` would be something"))
        })
    }

    fn find(
        &self,
        line: &Line,
        is_wrong: impl Fn(&str) -> Option<(String, String)>,
    ) -> Option<Diagnostic> {
        template::pieces(&line.text).into_iter().find_map(|piece| {
            let Piece::Pair(at, inner) = piece else { return None };
            let (label, hint) = is_wrong(inner)?;
            let message = format!("`{{{inner}}}` stands for nothing");
            let span = line.place(at..at + inner.len() + 2);
            let hint = format!("{hint}; double the braces, `{{{{{inner}}}}}`, if they are meant");
            Some(Diagnostic::new(message, span, label).hint(hint).about(Topic::UnknownNode))
        })
    }

    fn is_known(&self, inner: &str) -> bool {
        let named = |name: &str| self.names.get(name).copied();
        match template::meaning(inner, self.roster, named) {
            Some(template::Meaning::Round) => self.repeated,
            meaning => meaning.is_some(),
        }
    }

    /// The names that were given to nodes.
    fn nodes_named(&self) -> impl Iterator<Item = &String> {
        let is_node = |(_, named): &(&String, &Named)| matches!(named, Named::Node(_));
        self.names.iter().filter(is_node).map(|(name, _)| name)
    }

    /// Everything that can stand in braces here.
    fn known(&self) -> Vec<String> {
        let round = self.repeated.then(|| "round".to_owned());
        let names = self.names.keys().cloned();
        let nodes = self.nodes_named();
        let parts = nodes.flat_map(|name| [format!("{name}.id"), format!("{name}.port")]);
        let mut known: Vec<String> = round.into_iter().chain(names).chain(parts).collect();
        let first = self.roster.all().next().map(|node| self.roster.name(node));
        known.extend(
            first.into_iter().flat_map(|name| [format!("{name}.id"), format!("{name}.port")]),
        );
        known
    }
}

/// The names that the lines of a script give: `let NAME = …`, maybe with a time before.
pub(super) fn names_given<'t>(lines: impl Iterator<Item = &'t str>) -> BTreeSet<String> {
    let name = |line: &'t str| {
        let mut words = step::from_verb(line);
        words.next().filter(|&verb| verb == "let")?;
        words.next().map(str::to_owned)
    };
    lines.filter_map(name).collect()
}
