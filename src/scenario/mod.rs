//! Scenarios: files that read like the terminal sessions they replay.
//!
//! The loader ([`load`]) turns text into a [`Plan`]:
//! checked, resolved, plain data made before anything runs. Every mistake it finds is a
//! [`Diagnostic`] that points at words. The runner then carries out the plan's
//! steps and says what happened as a stream of records.
//!
//! *Architecture invariant:* nothing here knows of terminals, colours or output formats; records are
//! data, and who prints them is not known.
//!
//! The language is described in `docs/scenario.md`.

pub mod condition;
pub mod diagnostic;
pub mod file;
pub mod inquiry;
pub mod located;
pub mod plan;
pub mod record;
pub mod roster;
pub mod runner;
pub mod schema;
mod shape;
pub mod source;
pub mod step;
pub(crate) mod suggest;
pub mod template;
mod tree;
pub mod units;
pub mod words;

use serde::Deserialize as _;
use toml::Spanned;

use crate::scenario::diagnostic::{Diagnostic, Rejected};
use crate::scenario::file::ScenarioFile;
use crate::scenario::plan::Plan;
use crate::scenario::source::Source;
use crate::scenario::tree::Table;

/// Reads a scenario. `name` is what messages call it; `overrides` are `key=value` pairs that go over
/// the file's own values.
///
/// # Errors
/// If anything is wrong with it: everything that is, as far as one mistake does not hide another.
pub fn load(name: &str, bytes: &[u8], overrides: &[String]) -> Result<Plan, Box<Rejected>> {
    let mut source = Source::new(name, String::from_utf8_lossy(bytes));
    let reject = |source, mut diagnostics: Vec<Diagnostic>| {
        diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
        Err(Box::new(Rejected { source, diagnostics }))
    };
    if let Some(mistake) = not_text(bytes).or_else(|| empty(&source)) {
        return reject(source, vec![mistake]);
    }
    let pairs: Result<Vec<String>, _> =
        overrides.iter().map(|pair| tree::read_pair(&mut source, pair)).collect();
    let pairs = match pairs {
        Ok(pairs) => pairs,
        Err(mistake) => return reject(source, vec![mistake]),
    };
    let text = source.file().text.clone();
    let (mut table, mut mistakes) = tree::parse(&text);
    for pair in &pairs {
        mistakes.extend(tree::put_over(&mut table, pair).err());
    }
    if !mistakes.is_empty() {
        return reject(source, mistakes);
    }
    let end = text.trim_end().len();
    let mistakes = shape::check(&mut table, &schema::schema(), end..end);
    tree::dates_to_strings(&mut table);
    let file = match deserialize(table) {
        Ok(file) => file,
        Err(mistake) if mistakes.is_empty() => return reject(source, vec![mistake]),
        Err(_) => return reject(source, mistakes),
    };
    plan::build(file, source, mistakes).or_else(|(source, mistakes)| reject(source, mistakes))
}

/// What the shape's check has let through fits the types; should it not, the complaint is shown all
/// the same.
fn deserialize(table: Table<'_>) -> Result<ScenarioFile, Diagnostic> {
    let root = toml::de::Deserializer::from(Spanned::new(0..0, table));
    ScenarioFile::deserialize(root).map_err(|error| {
        Diagnostic::new(error.message(), error.span().unwrap_or(0..0), "this does not fit")
    })
}

fn not_text(bytes: &[u8]) -> Option<Diagnostic> {
    let error = std::str::from_utf8(bytes).err()?;
    let at = error.valid_up_to();
    let message = "a scenario is text in UTF-8";
    let label = format!("byte {:#04x} does not belong here", bytes[at]);
    Some(Diagnostic::new(message, at..at + char::REPLACEMENT_CHARACTER.len_utf8(), label))
}

fn empty(source: &Source) -> Option<Diagnostic> {
    source.file().text.trim().is_empty().then(|| {
        Diagnostic::new("this scenario is empty", 0..0, "expected `[script]`, at least")
            .hint("a scenario needs nodes (`[cluster]` or `[[node]]`) and a `[script]` of steps")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A scenario with something of everything.
    const RICH: &str = include_str!("../../tests/data/rich.toml");

    /// Pieces that a mutation puts in.
    const TOKENS: [&str; 28] = [
        "\"",
        "'",
        "\n",
        "[",
        "]",
        "[[node]]\n",
        "=",
        "{",
        "}",
        "> ",
        " -> ",
        " | ",
        "\\",
        "\u{0}",
        "ü",
        "7000",
        "99999999999999999999",
        "-1",
        "at ",
        "+1h ",
        "wait until ",
        "not ",
        "rest",
        "9e9",
        "ms",
        "..",
        "%",
        "#",
    ];

    /// Loads the text, and shows what is wrong with it.
    fn exercise(bytes: &[u8]) {
        if let Err(rejected) = load("a.toml", bytes, &[]) {
            assert!(!rejected.diagnostics.is_empty());
            assert!(rejected.render().contains("error"));
        }
    }

    #[test]
    fn a_rich_scenario_is_accepted() {
        let plan = load("rich.toml", RICH.as_bytes(), &[]);
        assert!(plan.is_ok(), "{}", plan.unwrap_err().render());
    }

    #[test]
    fn deep_nesting_never_panics() {
        for (open, close) in [("[", "]"), ("{a=", "}"), ("a.", "")] {
            let text = format!("a={}1{}", open.repeat(100_000), close.repeat(100_000));
            exercise(text.as_bytes());
        }
        exercise(format!("{}a=1", "a.".repeat(100_000)).as_bytes());
        exercise(format!("[{}a]", "a.".repeat(100_000)).as_bytes());
    }

    proptest! {
        #[test]
        fn reading_arbitrary_bytes_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            exercise(&bytes);
        }

        #[test]
        fn a_mutated_scenario_never_panics(
            edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..30, 0..TOKENS.len()), 1..6)
        ) {
            let mut bytes = RICH.as_bytes().to_vec();
            for (at, cut, token) in edits {
                let at = at.index(bytes.len());
                let end = (at + cut).min(bytes.len());
                bytes.splice(at..end, TOKENS[token].bytes());
            }
            exercise(&bytes);
        }

        #[test]
        fn a_step_of_random_words_never_panics(
            words in prop::collection::vec(
                prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned).boxed()
                    .prop_union("\\PC{0,6}".boxed()),
                0..8,
            )
        ) {
            let step = toml::Value::String(words.join(" "));
            exercise(format!("[cluster]\nmasters=3\n[script]\nsteps=[{step}]\n").as_bytes());
        }

        #[test]
        fn an_override_never_panics(pair in "\\PC{0,20}") {
            let _ = load("a.toml", RICH.as_bytes(), &[pair]).map_err(|rejected| rejected.render());
        }
    }

    const WORDS: [&str; 62] = [
        "redis-cli",
        "abort",
        "after",
        "3:",
        "in",
        "background:",
        "for",
        "redis-server",
        "--cluster",
        "create",
        "reshard",
        "-p",
        "7000",
        "7001",
        "7002",
        "7000/redis.conf",
        "cat",
        "start",
        "kill",
        "restart",
        "resume",
        "partition",
        "|",
        "->",
        "cut",
        "delay",
        "5ms",
        "1s..2s",
        "drop",
        "10%",
        "FAIL",
        "hold",
        "release",
        "crash",
        "before",
        "after",
        "fsync",
        "send",
        "slow",
        "disk",
        "lose",
        "nodes.conf",
        "move",
        "swizzle",
        "flap",
        "every",
        "wait",
        "until",
        "within",
        "cluster",
        "ok",
        "not",
        "sees",
        "fail",
        "knows",
        "3",
        "slot",
        "owner",
        "expect",
        "key",
        "=",
        "at",
    ];
}
