//! The workloads of a plan: `[[workload]]`.

use std::collections::BTreeMap;

use crate::network::Site;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::{ScenarioFile, WorkloadTable};
use crate::scenario::located::Located;
use crate::scenario::plan::{Reader, WorkloadPlan};
use crate::scenario::roster::Roster;
use crate::scenario::source::Bytes;
use crate::scenario::units;
use crate::scenario::words::{Word, node};
use crate::time::Span;
use crate::workload::{Library, Pace, Quorum, Settings, Write};

/// A client's clock counts microseconds.
const RATE_MAX: u32 = 1_000_000;
/// More pages than this fill the memory of the machine.
const KEYS_MAX: u64 = 10_000_000;
const PIPELINE_MAX: u32 = 10_000;
/// How long a node waits for replicas if nothing is said.
const WAIT_LIMIT: Span = Span::millis(100);

pub(super) fn read(
    file: &ScenarioFile,
    roster: &Roster,
    reader: &mut Reader<'_>,
) -> Vec<WorkloadPlan> {
    let mut names = BTreeMap::new();
    let mut prefixes = BTreeMap::new();
    let mut workloads = Vec::new();
    for table in &file.workload {
        let table = &table.value;
        let settings = settings(table, roster, reader);
        let started = table.started.as_ref().is_some_and(|started| started.value);
        let span = reader.inside_quotes(&table.name.span);
        once(&mut names, &settings.name, &span, "two workloads have this name", reader);
        let prefix = table.prefix.as_ref().unwrap_or(&table.name);
        let place = reader.inside_quotes(&prefix.span);
        if !workloads.iter().any(|other: &WorkloadPlan| other.settings.name == settings.name) {
            let message = "two workloads write to the same keys";
            once(&mut prefixes, &settings.prefix, &place, message, reader);
        }
        workloads.push(WorkloadPlan { settings, started, span });
    }
    workloads
}

fn once(
    known: &mut BTreeMap<String, Bytes>,
    text: &str,
    span: &Bytes,
    message: &str,
    reader: &mut Reader<'_>,
) {
    if let Some(before) = known.insert(text.to_owned(), span.clone()) {
        let mistake = Diagnostic::new(message, span.clone(), "again here");
        reader.complain(mistake.see(before, "first here"));
    }
}

fn settings(table: &WorkloadTable, roster: &Roster, reader: &mut Reader<'_>) -> Settings {
    let default = Settings::new(name(&table.name, reader));
    let clients = at_least_one(table.clients.as_ref(), default.clients, "clients", reader);
    let keys = at_least_one(table.keys.as_ref(), default.keys, "keys", reader);
    if u64::from(clients) * u64::from(keys) > KEYS_MAX {
        let span =
            table.keys.as_ref().or(table.clients.as_ref()).map_or(0..0, |at| at.span.clone());
        let label = format!("{clients} clients with {keys} keys each");
        reader.complain(Diagnostic::new(format!("more than {KEYS_MAX} keys"), span, label));
    }
    let mut settings = Settings {
        clients,
        keys,
        pipeline: at_least_one(table.pipeline.as_ref(), default.pipeline, "commands", reader),
        pace: pace(table, default.pace, reader),
        redirections: table.redirections.as_ref().map_or(default.redirections, |at| at.value),
        retries: table.retries.as_ref().map_or(default.retries, |at| at.value),
        command: command(table, reader),
        checks: table.checks.as_ref().is_some_and(|checks| checks.value),
        library: library(table, reader),
        site: site(table.beside.as_ref(), roster, reader),
        quorum: quorum(table, reader),
        ..default
    };
    if let Some(prefix) = &table.prefix {
        settings.prefix.clone_from(&prefix.value);
    }
    settings.reads_per_mille =
        reader.unit("a share, such as `10%`", table.reads.as_ref(), 0, units::per_mille);
    if let (Some(reads), Some(checks)) = (&table.reads, &table.checks)
        && settings.checks
        && settings.reads_per_mille > 0
    {
        let message = "a workload that checks decides by itself when it reads";
        let mistake = Diagnostic::new(message, reads.span.clone(), "this cannot be chosen");
        let mistake = mistake.see(checks.span.clone(), "it reads each key before it writes to it");
        reader.complain(mistake);
    }
    let back_off = table.back_off.as_ref();
    settings.back_off = reader.unit("a duration", back_off, settings.back_off, units::duration);
    let timeout = table.timeout.as_ref();
    settings.timeout = reader.unit("a duration", timeout, settings.timeout, units::duration);
    if settings.timeout == Span::ZERO {
        let span = timeout.map_or(0..0, |at| reader.inside_quotes(&at.span));
        let message = "nobody answers in no time";
        reader.complain(Diagnostic::new(message, span, "expected some time to wait"));
    }
    if let Some(pipeline) = &table.pipeline
        && pipeline.value > keys.min(PIPELINE_MAX)
    {
        let message = "more commands under way than keys";
        let label = format!("at most {}", keys.min(PIPELINE_MAX));
        let mistake = Diagnostic::new(message, pipeline.span.clone(), label);
        reader.complain(mistake.hint("a key has one command under way at a time"));
    }
    settings
}

fn command(table: &WorkloadTable, reader: &mut Reader<'_>) -> Write {
    let Some(given) = &table.command else { return Write::default() };
    match Write::NAMED.iter().find(|(name, _)| given.value.eq_ignore_ascii_case(name)) {
        Some((_, write)) => *write,
        None => {
            let message = format!("no workload writes with `{}`", given.value);
            let names = Write::NAMED.map(|(name, _)| format!("`{name}`")).join(" or ");
            let span = reader.inside_quotes(&given.span);
            reader.complain(Diagnostic::new(message, span, format!("expected {names}")));
            Write::default()
        }
    }
}

fn library(table: &WorkloadTable, reader: &mut Reader<'_>) -> Library {
    let Some(given) = &table.library else { return Library::Usual };
    let span = reader.inside_quotes(&given.span);
    let Some((_, library)) = Library::NAMED.iter().find(|(name, _)| *name == given.value) else {
        let message = format!("no client library is known as `{}`", given.value);
        let names = Library::NAMED.map(|(name, _)| format!("`{name}`")).join(", ");
        reader.complain(Diagnostic::new(message, span, format!("expected {names}")));
        return Library::Usual;
    };
    let numbers =
        [&table.redirections, &table.retries].map(|given| given.as_ref().map(|at| &at.span));
    let back_off = table.back_off.as_ref().map(|at| &at.span);
    if let Some(other) = numbers.into_iter().chain([back_off]).flatten().next() {
        let message = format!("`{}` decides by itself when to try again", given.value);
        let mistake = Diagnostic::new(message, other.clone(), "this cannot be chosen");
        reader.complain(mistake.see(span, "the library"));
    }
    *library
}

/// A word that steps can say.
fn name(name: &Located<String>, reader: &mut Reader<'_>) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.value.is_empty() || !name.value.chars().all(is_name) {
        let message = format!("`{}` cannot be a name", name.value);
        let label = "expected a word of letters and digits";
        reader.complain(Diagnostic::new(message, reader.inside_quotes(&name.span), label));
    }
    name.value.clone()
}

fn at_least_one(
    given: Option<&Located<u32>>,
    default: u32,
    what: &str,
    reader: &mut Reader<'_>,
) -> u32 {
    let Some(given) = given else { return default };
    if given.value == 0 {
        let message = format!("a workload needs {what}");
        reader.complain(Diagnostic::new(message, given.span.clone(), "at least 1"));
    }
    given.value.max(1)
}

fn pace(table: &WorkloadTable, default: Pace, reader: &mut Reader<'_>) -> Pace {
    let unbounded = table.unbounded.as_ref().filter(|unbounded| unbounded.value);
    match (&table.rate, unbounded) {
        (None, None) => default,
        (None, Some(_)) => Pace::Unbounded,
        (Some(rate), Some(unbounded)) => {
            let message = "a workload has a rate or is unbounded";
            let mistake = Diagnostic::new(message, unbounded.span.clone(), "not both");
            reader.complain(mistake.see(rate.span.clone(), "its rate"));
            default
        }
        (Some(rate), None) if (1..=RATE_MAX).contains(&rate.value) => {
            Pace::Every(Span(u64::from(RATE_MAX / rate.value)))
        }
        (Some(rate), None) => {
            let message = "a workload needs a rate at which it does something";
            let label = format!("not between 1 and {RATE_MAX} per second");
            let mistake = Diagnostic::new(message, rate.span.clone(), label);
            reader.complain(mistake.hint("`unbounded = true` is as fast as replies come"));
            default
        }
    }
}

fn site(beside: Option<&Located<String>>, roster: &Roster, reader: &mut Reader<'_>) -> Site {
    let Some(beside) = beside else { return Site::Clients };
    let span = reader.inside_quotes(&beside.span);
    let word = Word { text: beside.value.clone(), span, at: 0, quoted: false, meant: Vec::new() };
    match node(&word, roster) {
        Ok(node) => Site::Beside(node),
        Err(mistake) => {
            reader.complain(mistake);
            Site::Clients
        }
    }
}

fn quorum(table: &WorkloadTable, reader: &mut Reader<'_>) -> Option<Quorum> {
    let limit = table.wait_limit.as_ref();
    let span = reader.unit("a duration", limit, WAIT_LIMIT, units::duration);
    let Some(wait) = &table.wait else {
        if let Some(limit) = limit {
            let message = "nothing is waited for";
            let mistake = Diagnostic::new(message, limit.span.clone(), "a limit without `wait`");
            reader.complain(mistake.hint("`wait = 1` waits for one replica"));
        }
        return None;
    };
    if wait.value == 0 {
        let message = "to wait for no replica is not to wait";
        reader.complain(Diagnostic::new(message, wait.span.clone(), "at least 1"));
    }
    // WAIT counts milliseconds, and takes none for ever.
    if span.as_millis() == 0 {
        let at = limit.map_or(0..0, |at| reader.inside_quotes(&at.span));
        let message = "WAIT counts whole milliseconds";
        reader.complain(Diagnostic::new(message, at, "at least `1ms`"));
    }
    Some(Quorum { replicas: wait.value, limit: span })
}
