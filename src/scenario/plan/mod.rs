//! A scenario that can be run: every value read, every name resolved, every step checked.
//!
//! A plan is plain data. It is made before anything runs and does not depend on how anything runs.

mod braces;
mod header;
mod nodes;
mod script;
mod validate;
mod workloads;

use std::net::SocketAddr;

use crate::id::NodeId;
use crate::network::{NetworkConfig, NodeNo};
use crate::node::config::Config;
use crate::node::process::Host;
use crate::rng::Seed;
use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::file::ScenarioFile;
use crate::scenario::located::Located;
use crate::scenario::roster::Roster;
use crate::scenario::source::{Bytes, Source};
use crate::scenario::step::Step;
use crate::scenario::units::BadUnit;
use crate::scenario::words::bad_unit;
use crate::time::{Span, Time, Wall};
use crate::workload::Settings;
use crate::world::disk::DiskConfig;

/// A scenario, ready to run.
#[derive(Debug)]
pub struct Plan {
    /// The text that it was read from, to point at.
    pub source: Source,
    /// What stands above its steps.
    pub header: Header,
    /// What its nodes are called.
    pub roster: Roster,
    /// Its nodes.
    pub nodes: Vec<NodePlan>,
    /// The cluster that runs from the beginning, if one does.
    pub formation: Option<Formation>,
    /// Its virtual clients.
    pub workloads: Vec<WorkloadPlan>,
    /// What is done.
    pub steps: Vec<PlannedStep>,
}

/// What stands above the steps.
#[derive(Debug, Clone)]
pub struct Header {
    /// What the scenario shows; empty if it does not say.
    pub title: String,
    /// The seed of everything random.
    pub seed: Seed,
    /// The date at which the run starts.
    pub start: Wall,
    /// The virtual time after which the run is stopped.
    pub limit: Span,
    /// How the network behaves.
    pub network: NetworkConfig,
    /// How disks behave.
    pub disks: DiskConfig,
    /// The machine that the nodes run on.
    pub host: Host,
    /// How long a crashing server writes its report.
    pub crash_report: Span,
    /// How long a program takes to start.
    pub start_up: Span,
    /// How long it takes to type a line.
    pub typing: Span,
}

/// A node, before it runs.
#[derive(Debug, Clone)]
pub struct NodePlan {
    /// Its address and its port for clients.
    pub address: SocketAddr,
    /// Its configuration.
    pub config: Config,
    /// Its id, unless that is random.
    pub id: Option<NodeId>,
    /// The process ids of its first starts.
    pub pids: Vec<u32>,
    /// The text of its nodes.conf, if there is one already.
    pub nodes_conf: Option<String>,
    /// How many microseconds its clock is ahead.
    pub clock_offset: i64,
}

/// Virtual clients, before they begin.
#[derive(Debug, Clone)]
pub struct WorkloadPlan {
    /// What they do.
    pub settings: Settings,
    /// Whether they begin with the script.
    pub started: bool,
    /// Where it stands in the file.
    pub span: Bytes,
}

/// A cluster that is complete when the run begins: the first nodes of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formation {
    /// How many masters, which share the slots.
    pub masters: u32,
    /// How many replicas each of them has.
    pub replicas_per_master: u32,
    /// The span within which its nodes are started.
    pub spread: Span,
}

impl Formation {
    /// How many nodes it has.
    #[must_use]
    pub fn nodes(self) -> u64 {
        u64::from(self.masters) * (1 + u64::from(self.replicas_per_master))
    }
}

/// A step and where it stands.
#[derive(Debug, Clone)]
pub struct PlannedStep {
    /// Its text, without the time at which it is due.
    pub text: String,
    /// Where it stands in the file.
    pub span: Bytes,
    /// When it is due, if it says so.
    pub at: Option<Time>,
    /// Which round of a repetition it belongs to, counted from 1.
    pub round: Option<u64>,
    /// Whether it names something in braces that is known only when it is done. What it does is then
    /// an example.
    pub has_names: bool,
    /// What it does.
    pub step: Step,
}

/// Makes a plan of what a file says. `mistakes` are those that were found in it before.
///
/// # Errors
/// With the mistakes, if there are any.
pub fn build(
    file: ScenarioFile,
    source: Source,
    mistakes: Vec<Diagnostic>,
) -> Result<Plan, (Source, Vec<Diagnostic>)> {
    let mut reader = Reader { source: &source, mistakes };
    let header = header::read(&file, &mut reader);
    let (roster, nodes, formation) = nodes::read(&file, &header, &mut reader);
    let before = reader.mistakes.len();
    let workloads = workloads::read(&file, &roster, &mut reader);
    let steps = script::read(&file.script, &source, &roster, header.start, &mut reader);
    let mut mistakes = reader.mistakes;
    if before > 0 {
        // Not all nodes are known, so that a name which is none may well be one.
        let behind = mistakes.split_off(before);
        mistakes.extend(behind.into_iter().filter(|at| at.topic != Topic::UnknownNode));
    }
    if mistakes.is_empty() {
        mistakes = validate::check(&steps, &roster, formation, header.limit, &workloads);
    }
    match mistakes.is_empty() {
        true => Ok(Plan { source, header, roster, nodes, formation, workloads, steps }),
        false => Err((source, mistakes)),
    }
}

impl Plan {
    /// What a node is called.
    #[must_use]
    pub fn name(&self, node: NodeNo) -> String {
        self.roster.name(node)
    }
}

/// Reads values and collects what is wrong with them.
#[derive(Debug)]
struct Reader<'a> {
    source: &'a Source,
    mistakes: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// The value of a text with a unit; `default` if it is not given, or is wrong.
    fn unit<T>(
        &mut self,
        what: &str,
        text: Option<&Located<String>>,
        default: T,
        read: impl FnOnce(&str) -> Result<T, BadUnit>,
    ) -> T {
        let Some(text) = text else { return default };
        read(&text.value).unwrap_or_else(|error| {
            self.mistakes.push(bad_unit(what, self.inside_quotes(&text.span), error));
            default
        })
    }

    /// The text of a TOML string without its quotes.
    fn inside_quotes(&self, span: &Bytes) -> Bytes {
        let quoted = self.source.text(span).starts_with(['"', '\'']);
        if quoted && span.len() > 2 { span.start + 1..span.end - 1 } else { span.clone() }
    }

    fn complain(&mut self, mistake: Diagnostic) {
        self.mistakes.push(mistake);
    }
}
