//! The steps of a script: what each line means.
//!
//! One file for each family of steps. A family is a list of verbs and a function that reads the words
//! behind one of them; nothing else has to know it. A step only *says* what is to be done:
//! whether it can be is checked in [`plan`](crate::scenario::plan), and the
//! [`runner`](crate::scenario::runner) does it.

mod client;
mod name;
mod network;
mod process;
mod sabotage;
mod show;
mod typed;
mod wait;
mod weather;
mod workload;

pub use name::{Nameable, Selector};
pub use network::{ClockChange, Fault};
pub use process::ProcessAction;
pub use typed::{Command, DocumentFile, Manner, RedisCli, TypedLine};
pub(crate) use typed::{check_name, not_modelled};
pub use weather::Weather;
pub use workload::{Operand as WorkloadOperand, Question as WorkloadQuestion};

use crate::network::NodeNo;
use crate::scenario::condition::Condition;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::inquiry::Inquiry;
use crate::scenario::roster::Roster;
use crate::scenario::suggest;
use crate::scenario::units::{self, SpanRange};
use crate::scenario::words::{Cursor, Line, Word};
use crate::time::{Span, Time, Wall};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Runs a program at the terminal.
    Command(Command),
    /// Does something to processes.
    Process(ProcessAction, Vec<NodeNo>),
    /// Changes the network.
    Network(Fault),
    /// Lets time pass: so long, or as long as chance has it between two spans.
    Wait(SpanRange),
    /// Lets time pass until something is so, but not longer than a limit.
    WaitUntil(Condition, Option<Span>),
    /// Lets time pass until redis-cli in the background has ended, but not longer than a limit.
    WaitForTool(Option<Span>),
    /// Ends the run unless something is so.
    Expect(Condition),
    /// Sends a command; the run ends if the reply is an error.
    Send(Inquiry),
    /// Ends the run unless the reply to a command is as it should be.
    ExpectReply(Inquiry),
    /// Asks again and again until the reply is as it should be, but not longer than a limit.
    WaitReply(Inquiry, Option<Span>),
    /// Clients send a command and stay to hear what comes.
    Listen(Inquiry),
    /// Ends the run unless all who listen have heard a text.
    ExpectHeard(String),
    /// Lets time pass until they have, but not longer than a limit.
    WaitHeard(String, Option<Span>),
    /// The clients of a workload begin.
    StartWorkload(String),
    /// They stop, and what became of their writes is said.
    StopWorkload(String),
    /// Ends the run unless a number of a workload is as it should be.
    ExpectWorkload(String, WorkloadQuestion),
    /// Nodes block others by chance, until it is over.
    Weather(Weather),
    /// Gives a name to a node or a number.
    Let(String, Nameable),
    /// Prints what a node has written to its log since the last time.
    Log(Vec<NodeNo>),
    /// Prints a remark.
    Note(String),
}

/// A line of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A step.
    Step {
        /// When it is due, if it says so.
        at: Option<Time>,
        /// Where it begins in the line, behind that time.
        begin: usize,
        /// What it does.
        step: Step,
    },
    /// What is typed into the program of the step before.
    Typed(String),
}

/// Reads the words behind a verb.
type Parse = fn(&mut Cursor<'_>, &Word) -> Result<Step, Diagnostic>;

/// Every verb and who understands it.
const VERBS: [(&str, Parse); 43] = [
    ("redis-cli", typed::redis_cli),
    ("abort", typed::abort),
    ("in", typed::background),
    ("redis-server", typed::redis_server),
    ("cat", typed::show_file),
    ("vi", typed::show_file),
    ("mkdir", typed::nothing),
    ("cd", typed::nothing),
    ("start", process::parse),
    ("stop", process::parse),
    ("kill", process::parse),
    ("segfault", process::parse),
    ("restart", process::parse),
    ("pause", process::parse),
    ("resume", process::parse),
    ("power-off", process::power_off),
    ("crash", sabotage::crash),
    ("slow", sabotage::slow),
    ("lose", sabotage::lose),
    ("tear", sabotage::tear),
    ("snapshot", sabotage::snapshot),
    ("restore", sabotage::restore),
    ("move", sabotage::relocate),
    ("clock", network::clock),
    ("partition", network::partition),
    ("cut", network::cut),
    ("heal", network::heal),
    ("random", weather::parse),
    ("delay", network::delay),
    ("drop", network::drop),
    ("hold", sabotage::hold),
    ("release", sabotage::release),
    ("flap", sabotage::flap),
    ("swizzle", sabotage::swizzle),
    ("wait", wait::wait),
    ("expect", wait::expect),
    ("send", client::send),
    ("listen", client::listen),
    ("let", name::parse),
    ("log", show::log),
    ("note", show::note),
    ("#", show::note),
    ("at", nested_at),
];

/// The words that a step can begin with.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    VERBS.iter().map(|(verb, _)| *verb)
}

/// What a reader of steps has to know of the scenario.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The nodes.
    pub roster: &'a Roster,
    /// When the run starts.
    pub start: Wall,
}

/// Reads a line of the script.
///
/// # Errors
/// If it means nothing.
pub fn parse(line: &Line, context: Context<'_>) -> Result<Entry, Diagnostic> {
    if let Some(newline) = line.text.find(['\n', '\r']) {
        let span = line.place(newline..newline + 1);
        return Err(Diagnostic::new("a step is one line", span, "a new line begins here"));
    }
    if line.text == ">" {
        return Ok(Entry::Typed(String::new()));
    }
    if let Some(typed) = line.text.strip_prefix("> ") {
        return Ok(Entry::Typed(typed.to_owned()));
    }
    let words = remark(line).map_or_else(|| line.words(), Ok)?;
    let mut cursor = Cursor::new(line, &words, context.roster);
    let at = match cursor.take_if("at") {
        None => None,
        Some(_) => {
            Some(cursor.value("a point in time", |text| units::instant(text, context.start))?)
        }
    };
    let begin = cursor.peek().map_or(0, |word| word.at);
    let step = parse_step(&mut cursor)?;
    Ok(Entry::Step { at, begin, step })
}

/// Whether a line is a remark, maybe one that is due at some time.
#[must_use]
pub fn is_remark(line: &Line) -> bool {
    let verb = from_verb(&line.text).next();
    verb.is_some_and(|verb| verb == "note" || verb.starts_with('#'))
}

/// The words of a line from its verb on, which may stand behind the time at which the step is due.
pub fn from_verb(line: &str) -> impl Iterator<Item = &str> {
    let mut words = line.split_whitespace().peekable();
    if words.next_if(|&word| word == "at").is_some() {
        words.next();
    }
    words
}

/// A remark is one word and its text: quotes mean nothing in it.
fn remark(line: &Line) -> Option<Vec<Word>> {
    let text = line.text.trim_start();
    let at = line.text.len() - text.len();
    let verb = if text.starts_with('#') {
        "#"
    } else {
        text.split_whitespace().next().filter(|&verb| verb == "note")?
    };
    let word = |text: &str, at: usize| Word {
        text: text.to_owned(),
        span: line.place(at..at + text.len()),
        at,
        quoted: false,
        meant: Vec::new(),
    };
    let rest = &text[verb.len()..];
    let rest_at = at + verb.len() + (rest.len() - rest.trim_start().len());
    let mut words = vec![word(verb, at)];
    words.extend((!rest.trim().is_empty()).then(|| word(rest.trim(), rest_at)));
    Some(words)
}

fn parse_step(cursor: &mut Cursor<'_>) -> Result<Step, Diagnostic> {
    let verb = cursor.take("a step")?;
    let Some((_, parse)) = VERBS.iter().find(|(name, _)| *name == verb.text) else {
        return Err(unknown_verb(verb));
    };
    let step = parse(cursor, verb)?;
    cursor.finish()?;
    Ok(step)
}

fn unknown_verb(verb: &Word) -> Diagnostic {
    let message = format!("unknown step `{}`", verb.text);
    let hint = match verb.text.as_str() {
        text if text.starts_with('>') => Some("a typed line begins with `> `".to_owned()),
        text => suggest::hint(text, verbs().collect::<Vec<_>>()),
    };
    Diagnostic::new(message, verb.span.clone(), "no step begins with this word").maybe_hint(hint)
}

fn nested_at(_: &mut Cursor<'_>, verb: &Word) -> Result<Step, Diagnostic> {
    Err(Diagnostic::new("a step is due once", verb.span.clone(), "a second `at`"))
}
