//! A run as JSON: one object for each record, one line for each object.
//!
//! The form is described in `docs/json.md`. [`VERSION`] changes when a reader of the old form would
//! be misled; a new field or type of record does not change it.

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::Serialize;

use crate::node::packet::MessageType;
use crate::report::keep_error;
use crate::report::stats::fingerprint;
use crate::report::workload_json::{self, LostWrite, Workload};
use crate::scenario::plan::Plan;
use crate::scenario::record::{Channel, Job, Record, Sink, Summary, What};
use crate::time::Wall;
use crate::world::Stats;

/// The version of the form.
pub const VERSION: u32 = 1;

/// Prints a run as JSON.
#[derive(Debug)]
pub struct JsonLines<'a, W> {
    out: W,
    plan: &'a Plan,
    error: Option<io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    at_us: u64,
    clock: String,
    #[serde(flatten)]
    what: Kind<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Kind<'a> {
    Begin {
        title: &'a str,
        seed: u64,
        nodes: usize,
    },
    Note {
        text: &'a str,
    },
    Command {
        text: &'a str,
    },
    Output {
        channel: &'static str,
        text: &'a str,
        #[serde(skip_serializing_if = "is_false")]
        background: bool,
    },
    Typed {
        text: &'a str,
    },
    Exited {
        code: u8,
        #[serde(skip_serializing_if = "is_false")]
        background: bool,
    },
    Aborted {
        requests: u32,
        last: &'a str,
    },
    Step {
        text: &'a str,
        took_us: u64,
    },
    Met {
        text: &'a str,
    },
    Log(Log<'a>),
    LostWrite(LostWrite),
    Workload(Box<Workload>),
    End(End<'a>),
}

#[derive(Serialize)]
struct Log<'a> {
    node: String,
    pid: u32,
    role: char,
    node_clock: String,
    level: char,
    text: &'a str,
}

#[derive(Serialize)]
struct End<'a> {
    ending: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure<'a>>,
    fingerprint: String,
    stats: Counters,
}

#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    file: &'a str,
    line: usize,
    column: usize,
}

#[derive(Serialize)]
struct Counters {
    events: u64,
    ticks: u64,
    packets: u64,
    packets_by_type: serde_json::Map<String, serde_json::Value>,
    delivered: u64,
    lost: u64,
    bytes: u64,
    gossip_entries: u64,
    connections: u64,
    commands: u64,
}

impl<'a, W: Write> JsonLines<'a, W> {
    /// Prints to `out` the run of a plan.
    pub fn new(out: W, plan: &'a Plan) -> JsonLines<'a, W> {
        JsonLines { out, plan, error: None }
    }

    /// Ends the output.
    ///
    /// # Errors
    /// With the first error that printing met.
    pub fn finish(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }

    fn print(&mut self, record: &Record) -> io::Result<()> {
        let line = Line {
            v: VERSION,
            at_us: record.at.0,
            clock: clock(record.wall),
            what: kind(&record.what, self.plan),
        };
        serde_json::to_writer(&mut self.out, &line)?;
        writeln!(self.out)
    }
}

impl<W: Write> Sink for JsonLines<'_, W> {
    fn record(&mut self, record: &Record) -> ControlFlow<()> {
        let result = self.print(record);
        keep_error(result, &mut self.error)
    }
}

// The shape that serde asks for.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn kind<'a>(what: &'a What, plan: &'a Plan) -> Kind<'a> {
    match what {
        What::Begin { title, seed, nodes } => Kind::Begin { title, seed: seed.0, nodes: *nodes },
        What::Note(text) => Kind::Note { text },
        What::Command(text) => Kind::Command { text },
        What::Output(job, channel, text) => Kind::Output {
            channel: match channel {
                Channel::Stdout => "stdout",
                Channel::Stderr => "stderr",
            },
            text,
            background: *job == Job::Background,
        },
        What::Typed(text) => Kind::Typed { text },
        What::Exited(job, code) => {
            Kind::Exited { code: *code, background: *job == Job::Background }
        }
        What::Aborted { requests, last } => Kind::Aborted { requests: *requests, last },
        What::Step(text, took) => Kind::Step { text, took_us: took.as_micros() },
        What::Met(text) => Kind::Met { text },
        What::Log(line) => Kind::Log(Log {
            node: plan.name(line.node),
            pid: line.pid,
            role: line.role.letter(),
            node_clock: clock(line.wall),
            level: line.level.mark(),
            text: &line.text,
        }),
        What::Lost(lost) => Kind::LostWrite(workload_json::lost(lost, plan)),
        What::Workload(outcome) => {
            Kind::Workload(Box::new(workload_json::outcome(&outcome.summary, plan)))
        }
        What::End(summary) => Kind::End(end(summary, plan)),
    }
}

fn end<'a>(summary: &'a Summary, plan: &'a Plan) -> End<'a> {
    let failure = summary.failure.as_ref().map(|failure| {
        let place = plan.source.place(failure.span.start);
        Failure {
            message: &failure.message,
            label: &failure.label,
            hint: failure.hint.as_deref(),
            file: place.name,
            line: place.line,
            column: place.column,
        }
    });
    End {
        ending: summary.ending.word(),
        failure,
        fingerprint: fingerprint(summary.fingerprint),
        stats: counters(&summary.stats),
    }
}

fn counters(stats: &Stats) -> Counters {
    let by_type = MessageType::ALL.iter().zip(stats.sent).filter(|(_, count)| *count > 0);
    Counters {
        events: stats.events,
        ticks: stats.ticks,
        packets: stats.packets(),
        packets_by_type: by_type
            .map(|(kind, count)| (kind.counter_name().to_owned(), count.into()))
            .collect(),
        delivered: stats.delivered,
        lost: stats.lost,
        bytes: stats.bytes,
        gossip_entries: stats.gossip_entries,
        connections: stats.dialled,
        commands: stats.commands,
    }
}

/// A date of ISO 8601, in UTC.
fn clock(wall: Wall) -> String {
    jiff::Timestamp::from_microsecond(wall.0 as i64)
        .map(|stamp| stamp.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
        .unwrap_or_default()
}
