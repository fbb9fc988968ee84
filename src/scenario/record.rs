//! What a run says of itself: a stream of records.
//!
//! The runner puts records out, somebody takes them ([`Sink`]) and prints them in whatever form. A
//! record says what happened and when; how it looks is none of its business.

use std::ops::ControlFlow;

use crate::network::NodeNo;
use crate::node::log::{Level, Role};
use crate::rng::Seed;
use crate::scenario::diagnostic::Diagnostic;
use crate::time::{Span, Time, Wall};
use crate::workload::{self, Cause, Loss};
use crate::world::Stats;

/// Takes records.
pub trait Sink {
    /// Something happened. To break off means that nobody listens any more: the run ends.
    fn record(&mut self, record: &Record) -> ControlFlow<()>;

    /// Time passes. Called now and then, whether anything happens or not.
    fn progress(&mut self, _now: Time) {}
}

/// Takes records and drops them.
#[derive(Debug)]
pub struct Silence;

impl Sink for Silence {
    fn record(&mut self, _: &Record) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Record {
    /// When.
    pub at: Time,
    /// What a clock showed that is right.
    pub wall: Wall,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum What {
    /// The run begins.
    Begin {
        /// What the scenario shows.
        title: String,
        /// The seed.
        seed: Seed,
        /// How many nodes there are.
        nodes: usize,
    },
    /// A remark.
    Note(String),
    /// A command was typed at the terminal.
    Command(String),
    /// A program printed something, not always whole lines.
    Output(Job, Channel, String),
    /// Something was typed into a program, which the terminal shows.
    Typed(String),
    /// redis-cli has ended.
    Exited(Job, u8),
    /// The redis-cli that was run last was killed.
    Aborted {
        /// How many requests it had sent.
        requests: u32,
        /// The last of them.
        last: String,
    },
    /// A step that is no command was done. It took so long.
    Step(String, Span),
    /// An expectation was met.
    Met(String),
    /// A workload has lost an acknowledged write, by this cause.
    Lost(Box<(String, Loss, Cause)>),
    /// What became of everything that a workload wrote.
    Workload(Box<Outcome>),
    /// A process wrote a line to its log; now it is shown.
    Log(LogLine),
    /// The run is over.
    End(Box<Summary>),
}

/// What became of everything that a workload wrote.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The numbers.
    pub summary: workload::Summary,
    /// What the nodes are called, by their numbers.
    pub nodes: Vec<String>,
}

/// Which of the programs at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// The one that was run last, which the script waits for.
    Foreground,
    /// The redis-cli beside which the script goes on.
    Background,
}

/// Where a program prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of a process's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose.
    pub node: NodeNo,
    /// The process id.
    pub pid: u32,
    /// The letter behind it.
    pub role: Role,
    /// What the node's own clock showed.
    pub wall: Wall,
    /// How important it is.
    pub level: Level,
    /// The message.
    pub text: String,
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Summary {
    /// How it ended.
    pub ending: Ending,
    /// What was wrong, if anything was.
    pub failure: Option<Diagnostic>,
    /// Counters.
    pub stats: Stats,
    /// The fingerprint of everything that happened.
    pub fingerprint: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps were done.
    Done,
    /// The time was reached until which it was to run.
    Stopped,
    /// An expectation was not met.
    Unexpected,
    /// Something was waited for in vain.
    InVain,
    /// The limit was reached.
    Limit,
    /// A step could not be done.
    Impossible,
    /// Nobody listened any more.
    Unheard,
}

impl Ending {
    /// The ending in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Ending::Done => "done",
            Ending::Stopped => "stopped",
            Ending::Unexpected => "unexpected",
            Ending::InVain => "in-vain",
            Ending::Limit => "limit",
            Ending::Impossible => "impossible",
            Ending::Unheard => "unheard",
        }
    }
}

impl std::fmt::Display for LogLine {
    /// As it stands in the log file (§13.1).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let LogLine { pid, role, wall, level, text, .. } = self;
        let date = crate::node::log::LogDate(*wall);
        write!(f, "{pid}:{} {date} {} {text}", role.letter(), level.mark())
    }
}
