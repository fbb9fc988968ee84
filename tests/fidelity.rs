//! Keeps `docs/fidelity.md` honest: each rule is listed once, what it points to exists, and each
//! rule that the code cites is listed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const TABLE: &str = "docs/fidelity.md";

/// A row of one of the tables of rules.
struct Row {
    rule: String,
    text: String,
    places: Vec<String>,
    tests: Vec<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows whose first cell is a rule: `| §6.3 | … | `file`, … | `test`, … |`. Rules of `redis-cli`
/// have numbers of their own: `cli §3.4`.
fn rows() -> Vec<Row> {
    read(&root().join(TABLE))
        .replace("| cli §", "| §cli:")
        .lines()
        .filter_map(|line| line.strip_prefix("| §"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_end_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 4, "a row has four cells: {line}");
            Row {
                rule: cells[0].to_owned(),
                text: cells[1].to_owned(),
                places: quoted(cells[2]),
                tests: quoted(cells[3]),
            }
        })
        .collect()
}

/// The words between back quotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn sources() -> Vec<String> {
    ["src", "tests"]
        .iter()
        .flat_map(|top| rust_files(&root().join(top)))
        .map(|f| read(&f))
        .collect()
}

/// The number behind a `§`, without a trailing letter (`§5.9.2b` belongs to rule 5.9.2).
fn cited(source: &str) -> Vec<String> {
    let marked = source.replace("cli §", "§cli:");
    let rests = marked.split('§').skip(1);
    rests
        .filter_map(|rest| {
            let (tool, rest) = match rest.strip_prefix("cli:") {
                Some(rest) => ("cli:", rest),
                None => ("", rest),
            };
            let end = rest
                .find(|c: char| !(c.is_ascii_digit() || c == '.' || c.is_ascii_uppercase()))
                .unwrap_or(rest.len());
            let number = rest[..end].trim_end_matches('.');
            number.contains('.').then(|| format!("{tool}{number}"))
        })
        .collect()
}

#[test]
fn each_rule_is_listed_once_and_says_something() {
    let rows = rows();
    assert!(rows.len() > 200, "the table has {} rows", rows.len());
    let mut seen = BTreeSet::new();
    for row in &rows {
        assert!(seen.insert(row.rule.as_str()), "§{} is listed twice", row.rule);
        assert!(row.text.len() >= 10, "§{} says nothing", row.rule);
    }
}

#[test]
fn each_recorded_session_is_replayed_or_excused() {
    let document = read(&root().join(TABLE));
    let tests: String =
        rust_files(&root().join("tests/transcripts")).iter().map(|f| read(f)).collect();
    let folder = fs::read_dir(root().join("tests/data/transcripts")).expect("the recordings");
    let mut excused = 0;
    for entry in folder {
        let name = entry.expect("a readable entry").file_name().into_string().expect("a name");
        let Some(name) = name.strip_suffix(".txt") else { continue };
        let is_replayed = tests.contains(&format!("\"{name}\""));
        let is_excused = document.contains(&format!("| `{name}` | "));
        assert!(is_replayed != is_excused, "{name}: replayed {is_replayed}, excused {is_excused}");
        excused += usize::from(is_excused);
    }
    let listed = document.split("## Recorded sessions").nth(1).expect("a list of what is excused");
    let listed = listed.split("\n## ").next().unwrap_or_default().matches("\n| `").count();
    assert_eq!(listed, excused, "each recording that is excused exists");
}

#[test]
fn what_the_table_points_to_exists() {
    let sources = sources();
    for row in rows() {
        for place in &row.places {
            assert!(root().join(place).exists(), "§{}: there is no {place}", row.rule);
        }
        for test in &row.tests {
            let function = format!("fn {test}(");
            assert!(
                sources.iter().any(|source| source.contains(&function)),
                "§{}: there is no test {test}",
                row.rule
            );
        }
    }
}

#[test]
fn each_rule_that_the_code_cites_is_listed() {
    let listed: BTreeSet<String> = rows().into_iter().map(|row| row.rule).collect();
    let missing: BTreeSet<String> = sources()
        .iter()
        .flat_map(|source| cited(source))
        .filter(|number| {
            // A citation may be of a whole group of rules (§5.6) or of a step of one (§8.2.4).
            !listed.iter().any(|rule| {
                rule == number
                    || rule.starts_with(&format!("{number}."))
                    || number.starts_with(&format!("{rule}."))
            })
        })
        .collect();
    assert!(missing.is_empty(), "cited but not listed: {missing:?}");
}
