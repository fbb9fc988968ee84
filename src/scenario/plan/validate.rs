//! What can be told of a script before it runs: steps that are too late, conditions that can never
//! come true, answers that nobody asks for.
//!
//! Everything here is certain. What depends on how the run goes is left to the run.

mod faults;
mod prompts;
mod workloads;

use crate::admin::split_args;
use crate::network::NodeNo;
use crate::scenario::condition::{Condition, Sight};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::inquiry::{Asked, Inquiry};
use crate::scenario::plan::validate::faults::Broken;
use crate::scenario::plan::{Formation, PlannedStep, WorkloadPlan};
use crate::scenario::roster::Roster;
use crate::scenario::source::Bytes;
use crate::scenario::step::{Command, Manner, Nameable, ProcessAction, RedisCli, Step, check_name};
use crate::scenario::units::human;
use crate::time::{Span, Time};

/// The mistakes in a script whose every line is right by itself.
pub(super) fn check(
    steps: &[PlannedStep],
    roster: &Roster,
    formation: Option<Formation>,
    limit: Span,
    workloads: &[WorkloadPlan],
) -> Vec<Diagnostic> {
    let formed = formation.map_or(0, Formation::nodes);
    let status = |node: NodeNo| {
        if u64::from(node.0) < formed { Status::Runs(None) } else { Status::NeverStarted }
    };
    let mut check = Check {
        roster,
        limit,
        earliest: Time::ZERO,
        status: roster.all().map(status).collect(),
        workloads: workloads::Workloads::new(workloads),
        somebody_listens: false,
        background: None,
        broken: Broken::default(),
        mistakes: Vec::new(),
    };
    check.workloads_begin();
    for step in steps {
        check.time(step);
        check.step(step);
    }
    check.workloads_have_begun();
    check.nothing_is_left_behind();
    check.mistakes
}

/// What is certain of a process at some step.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    NeverStarted,
    /// It runs since this step, or since the beginning.
    Runs(Option<Bytes>),
    /// It is stopped by SIGSTOP since this step.
    Paused(Bytes),
    /// It was ended by this step.
    Ended(Bytes),
    /// A command may have ended it.
    Unclear,
}

struct Check<'a> {
    roster: &'a Roster,
    limit: Span,
    /// The earliest time at which the step can begin.
    earliest: Time,
    status: Vec<Status>,
    workloads: workloads::Workloads<'a>,
    somebody_listens: bool,
    /// The redis-cli that works in the background, or was not waited for.
    background: Option<Bytes>,
    broken: Broken,
    mistakes: Vec<Diagnostic>,
}

impl Check<'_> {
    fn complain(
        &mut self,
        message: impl Into<String>,
        step: &PlannedStep,
        label: impl Into<String>,
    ) {
        self.mistakes.push(Diagnostic::new(message, step.span.clone(), label));
    }

    fn time(&mut self, step: &PlannedStep) {
        let end = Time::ZERO + self.limit;
        let was_in_time = self.earliest <= end;
        if let Some(at) = step.at {
            if at < self.earliest && was_in_time {
                let late = human(Span(self.earliest.0));
                self.complain(
                    "this step is due in the past",
                    step,
                    format!("it cannot begin before +{late}"),
                );
            }
            self.earliest = self.earliest.max(at);
        }
        if let Step::Wait(range) = step.step {
            self.earliest += range.low;
        }
        if let Step::Weather(weather) = step.step {
            if weather.until <= self.earliest && was_in_time {
                let label = format!("it is +{} by then", human(Span(self.earliest.0)));
                self.complain("these partitions end before they begin", step, label);
            }
            self.earliest = self.earliest.max(weather.until);
        }
        if was_in_time && self.earliest > end {
            let label = format!(
                "not before +{}, but the limit is {}",
                human(Span(self.earliest.0)),
                human(self.limit)
            );
            let mistake =
                Diagnostic::new("this step lies behind the limit", step.span.clone(), label);
            self.mistakes.push(mistake.hint("set a later `limit` at the top of the file"));
        }
    }

    fn step(&mut self, step: &PlannedStep) {
        match &step.step {
            // Whom these are about is not known yet.
            Step::Process(..) | Step::Command(Command::Server(_)) if step.has_names => {
                self.status.fill(Status::Unclear);
            }
            Step::Expect(_) | Step::WaitUntil(..) | Step::Log(_) if step.has_names => {}
            Step::Send(inquiry)
            | Step::Listen(inquiry)
            | Step::ExpectReply(inquiry)
            | Step::WaitReply(inquiry, _)
                if step.has_names =>
            {
                self.mind(inquiry.command_at(0));
            }
            Step::Process(action, nodes) => {
                for &node in nodes {
                    self.process(*action, node, step);
                }
            }
            Step::Command(Command::Server(node)) => self.process(ProcessAction::Start, *node, step),
            Step::Command(Command::RedisCli(cli)) => self.redis_cli(cli, step),
            Step::WaitUntil(condition, _) | Step::Expect(condition) => {
                self.condition(condition, step)
            }
            Step::Send(inquiry) | Step::ExpectReply(inquiry) | Step::WaitReply(inquiry, _) => {
                self.inquiry(inquiry, step);
            }
            Step::Listen(inquiry) => {
                self.inquiry(inquiry, step);
                self.somebody_listens = true;
            }
            Step::ExpectHeard(_) | Step::WaitHeard(..) => {
                if !self.somebody_listens {
                    self.complain("nobody listens here", step, "no `listen` before it");
                }
            }
            Step::StartWorkload(name) => self.start_workload(name, step),
            Step::StopWorkload(name) => self.stop_workload(name, step),
            Step::ExpectWorkload(name, asked) => self.expect_workload(name, *asked, step),
            Step::Weather(_) => {
                if self.roster.len() < 2 {
                    let label = "there is nobody to be parted from";
                    self.complain("these partitions change nothing", step, label);
                }
            }
            Step::Log(nodes) => {
                for &node in nodes {
                    self.must_have_run(node, step);
                }
            }
            Step::WaitForTool(_) => {
                if self.background.take().is_none() {
                    let message = "no redis-cli works in the background";
                    let label = "there is nothing to wait for";
                    let mistake = Diagnostic::new(message, step.span.clone(), label);
                    self.mistakes.push(mistake.hint("start one: `in background: redis-cli …`"));
                }
            }
            Step::Network(fault) => self.fault(fault, step),
            Step::Let(_, Nameable::Number(node, _)) => {
                self.must_be_member(*node, "it knows of no cluster", step);
            }
            Step::Command(_) | Step::Wait(_) | Step::Let(..) | Step::Note(_) => {}
        }
    }

    fn nothing_is_left_behind(&mut self) {
        if let Some(span) = self.background.take() {
            let message = "nobody waits for this redis-cli";
            let mistake = Diagnostic::new(message, span, "the script may end before it does");
            self.mistakes.push(mistake.hint("wait for it: `wait for redis-cli`"));
        }
    }

    fn process(&mut self, action: ProcessAction, node: NodeNo, step: &PlannedStep) {
        let here = step.span.clone();
        if let Some((problem, because)) = impossible(action, &self.status[node.index()]) {
            let message = format!("node {} {problem}", self.roster.name(node));
            let mut mistake = Diagnostic::new(message, here.clone(), "this cannot be done");
            mistake.context.extend(because.map(|span| (span, "because of this step".to_owned())));
            self.mistakes.push(mistake);
        }
        let is_paused = matches!(self.status[node.index()], Status::Paused(_));
        self.status[node.index()] = match action {
            // It takes the signal when it goes on.
            ProcessAction::Stop if is_paused => Status::Unclear,
            ProcessAction::Start | ProcessAction::Restart => Status::Runs(Some(here)),
            ProcessAction::Resume => Status::Runs(Some(here)),
            ProcessAction::Pause => Status::Paused(here),
            ProcessAction::Stop
            | ProcessAction::Kill
            | ProcessAction::Segfault
            | ProcessAction::PowerOff => Status::Ended(here),
        };
    }

    fn redis_cli(&mut self, cli: &RedisCli, step: &PlannedStep) {
        if let Err(mistake) = prompts::check(cli, step) {
            self.mistakes.push(mistake);
        }
        for line in cli.typed.iter().filter(|_| cli.is_session()) {
            let words = split_args(line.text.as_bytes()).unwrap_or_default();
            let is_number = |word: &Vec<u8>| word.iter().all(u8::is_ascii_digit);
            let command = words.iter().find(|word| !is_number(word));
            let name = command.map(|word| String::from_utf8_lossy(word));
            let checked = name.map_or(Ok(()), |name| check_name(&name, line.span.clone()));
            self.mistakes.extend(checked.err());
        }
        if cli.manner == Manner::Background
            && let Some(other) = self.background.replace(step.span.clone())
        {
            let message = "a redis-cli works in the background already";
            let mistake = Diagnostic::new(message, step.span.clone(), "this is the second");
            let mistake = mistake.see(other, "this is the first");
            self.mistakes.push(mistake.hint("wait for the first: `wait for redis-cli`"));
        }
        let typed = cli.typed.iter().map(|line| &line.text);
        self.mind(cli.words.iter().chain(typed));
    }

    /// Commands may end processes.
    fn mind(&mut self, mut words: impl Iterator<Item = impl AsRef<str>>) {
        let fatal = |text: &dyn AsRef<str>| {
            let text = text.as_ref().to_ascii_lowercase();
            text.contains("shutdown") || text.contains("debug")
        };
        if words.any(|text| fatal(&text)) {
            for status in &mut self.status {
                if matches!(status, Status::Runs(_)) {
                    *status = Status::Unclear;
                }
            }
        }
    }

    /// Complains about a condition that is about a process which nothing has started.
    fn condition(&mut self, condition: &Condition, step: &PlannedStep) {
        match condition {
            Condition::Not(inner) => self.condition(inner, step),
            Condition::Cluster(_)
            | Condition::NodesAgree
            | Condition::EpochsDiffer
            | Condition::Every(_)
            | Condition::SlotOwner(_, None) => self.somebody_must_have_run(step),
            Condition::SlotOwner(_, Some(owner)) => {
                self.must_be_member(*owner, "it owns no slots", step);
                self.somebody_must_have_run(step);
            }
            Condition::Running(_, false) | Condition::Output(_) => {}
            Condition::Sees(node, other, sight) => {
                self.must_be_member(*node, "it knows of no cluster", step);
                if *sight != Sight::Unknown {
                    self.must_be_member(*other, "no node of the cluster knows of it", step);
                }
                self.must_have_run(*node, step);
            }
            Condition::State(node, _) | Condition::Knows(node, _) | Condition::Field(node, ..) => {
                self.must_be_member(*node, "it knows of no cluster", step);
                self.must_have_run(*node, step);
            }
            Condition::Running(node, true) | Condition::Key(node, ..) => {
                self.must_have_run(*node, step);
            }
        }
    }

    /// Complains about commands for processes that nothing has started, and takes into account that
    /// they may end processes.
    fn inquiry(&mut self, inquiry: &Inquiry, step: &PlannedStep) {
        match &inquiry.asked {
            Asked::Running => self.somebody_must_have_run(step),
            Asked::Cluster(node) => self.must_have_run(*node, step),
            Asked::Nodes(nodes) => nodes.iter().for_each(|&node| self.must_have_run(node, step)),
        }
        self.mind(inquiry.command_at(0));
    }

    fn must_be_member(&mut self, node: NodeNo, label: &str, step: &PlannedStep) {
        if !self.roster.is_member(node) {
            let message = format!("{} is not in cluster mode", self.roster.name(node));
            self.complain(message, step, label);
        }
    }

    fn somebody_must_have_run(&mut self, step: &PlannedStep) {
        if self.status.iter().all(|status| *status == Status::NeverStarted) {
            let message = "no node was started yet";
            let mistake = Diagnostic::new(message, step.span.clone(), "nobody can answer");
            self.mistakes.push(mistake.hint("start nodes first: `start all`"));
        }
    }

    fn must_have_run(&mut self, node: NodeNo, step: &PlannedStep) {
        if self.status[node.index()] == Status::NeverStarted {
            let name = self.roster.name(node);
            let message = format!("node {name} was never started");
            let mistake = Diagnostic::new(message, step.span.clone(), "it cannot answer");
            self.mistakes.push(mistake.hint(format!("start it first: `start {name}`")));
        }
    }
}

/// Why something cannot be done to a process, and the step that it is because of.
fn impossible(action: ProcessAction, status: &Status) -> Option<(&'static str, Option<Bytes>)> {
    match (action, status) {
        (ProcessAction::Restart, _) | (_, Status::Unclear) => None,
        (ProcessAction::Start, Status::Runs(since)) => Some(("runs already", since.clone())),
        (ProcessAction::Start, Status::Paused(since)) => {
            Some(("runs already", Some(since.clone())))
        }
        (ProcessAction::Start, _) => None,
        (_, Status::NeverStarted) => Some(("was never started", None)),
        (_, Status::Ended(by)) => Some(("does not run any more", Some(by.clone()))),
        (ProcessAction::Pause, Status::Paused(by)) => Some(("is paused already", Some(by.clone()))),
        (ProcessAction::Resume, Status::Runs(since)) => Some(("is not paused", since.clone())),
        _ => None,
    }
}
