//! Carries out a plan: turns steps into commands, faults and waits, and says what happened.
//!
//! Steps are done one after another. Virtual time passes only while a step takes time: while a
//! program runs, somebody types, a process starts or something is waited for.

mod ask;
mod client;
mod commands;
mod faults;
mod listeners;
mod logs;
mod names;
mod processes;
mod question;
mod redis_cli;
mod sabotage;
mod setup;
mod waits;
mod weather;
mod workloads;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::rc::Rc;

use crate::admin::tools::Tools;
use crate::network::NodeNo;
use crate::rng::{Purpose, Seed, SmallStream};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::{Plan, PlannedStep};
use crate::scenario::record::{Ending, Record, Sink, Summary, What};
use crate::scenario::runner::faults::InForce;
use crate::scenario::runner::listeners::Listener;
use crate::scenario::runner::logs::{LogBook, Scribe, SharedLogBook};
use crate::scenario::runner::question::Question;
use crate::scenario::runner::redis_cli::Terminal;
use crate::scenario::runner::sabotage::Waiting;
use crate::scenario::source::Bytes;
use crate::scenario::step::{Command, DocumentFile, Step};
use crate::scenario::template::Named;
use crate::scenario::units::{SpanRange, human};
use crate::time::{Span, Time};
use crate::workload::Crew;
use crate::world::{Observer, World};

/// How often progress is reported, in virtual time.
const PROGRESS: Span = Span::millis(500);

/// A time that never comes: the run is over before.
const FOREVER: Time = Time(u64::MAX);

/// How a plan is run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Stop at this time, if not before.
    pub until: Option<Time>,
    /// Show these nodes' log lines as they are written.
    pub live_logs: LiveLogs,
    /// The seed, if it is to be another one than the plan's.
    pub seed: Option<Seed>,
    /// Nobody reads logs: what nodes would write is not even put together, unless a step shows a log
    /// file.
    pub without_logs: bool,
}

/// Whose log lines are shown as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LiveLogs {
    /// Nobody's.
    #[default]
    None,
    /// These nodes'.
    Of(Vec<NodeNo>),
    /// Everybody's.
    All,
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// How it went.
    pub summary: Summary,
    /// The world as it was left.
    pub world: World,
}

/// Carries out a plan.
pub fn run(plan: &Plan, options: &Options, sink: &mut dyn Sink) -> Finished {
    run_watched(plan, options, sink, None)
}

/// Carries out a plan while somebody watches the world.
pub fn run_watched(
    plan: &Plan,
    options: &Options,
    sink: &mut dyn Sink,
    observer: Option<Box<dyn Observer>>,
) -> Finished {
    let mut runner = Runner::new(plan, options, sink);
    if let Some(observer) = observer {
        runner.world.observe(observer);
    }
    let result = runner.run();
    runner.finish(result)
}

/// Whether a step prints what a node has logged, so that a later one may expect something of it.
fn shows_a_log_file(plan: &Plan) -> bool {
    let log = |step: &PlannedStep| {
        matches!(step.step, Step::Command(Command::Show(_, DocumentFile::Log)))
    };
    plan.steps.iter().any(log)
}

/// Why the run does not go on.
enum Halt {
    /// Something is wrong with a step.
    Failed(Ending, Diagnostic),
    /// The time is up.
    TimeUp,
    /// Nobody listens any more.
    Unheard,
}

type Outcome<T = ()> = Result<T, Halt>;

struct Runner<'a> {
    plan: &'a Plan,
    options: &'a Options,
    sink: &'a mut dyn Sink,
    seed: Seed,
    world: World,
    tools: Tools,
    /// The clients that keep books.
    crew: Crew,
    listeners: Vec<Listener>,
    /// The names that were given.
    names: BTreeMap<String, Named>,
    /// What decides where a step leaves it to chance.
    lots: SmallStream,
    logs: SharedLogBook,
    /// When the run is over at the latest.
    horizon: Time,
    /// What the last command printed.
    output: String,
    /// The redis-cli that works while the script goes on.
    background: Option<Terminal>,
    /// What it prints is held back while another command has the terminal.
    terminal_is_taken: bool,
    /// Where the step stands that is being done.
    span: Bytes,
    progress: Time,
    /// Faults that have yet to show that they do anything.
    in_force: Vec<InForce>,
    /// Faults that wait for what they are to hit.
    waiting: Vec<Waiting>,
}

impl<'a> Runner<'a> {
    fn new(plan: &'a Plan, options: &'a Options, sink: &'a mut dyn Sink) -> Runner<'a> {
        let seed = options.seed.unwrap_or(plan.header.seed);
        let mut world = World::new(setup::of(plan, seed));
        let logs = Rc::new(RefCell::new(LogBook::new(plan.nodes.len())));
        if !options.without_logs || shows_a_log_file(plan) {
            world.observe(Box::new(Scribe(Rc::clone(&logs))));
        }
        let crew = workloads::of(plan, seed, &mut world);
        let limit = Time::ZERO + plan.header.limit;
        let horizon = options.until.map_or(limit, |until| until.min(limit));
        Runner {
            plan,
            options,
            sink,
            world,
            seed,
            tools: Tools::new(seed),
            crew,
            listeners: Vec::new(),
            names: BTreeMap::new(),
            lots: seed.small_stream(Purpose::Workload, 0, 0),
            logs,
            horizon,
            output: String::new(),
            background: None,
            terminal_is_taken: false,
            span: 0..0,
            progress: Time::ZERO,
            in_force: Vec::new(),
            waiting: Vec::new(),
        }
    }

    fn run(&mut self) -> Outcome {
        self.say(What::Begin {
            title: self.plan.header.title.clone(),
            seed: self.seed,
            nodes: self.plan.nodes.len(),
        })?;
        self.settle()?;
        self.begin_workloads();
        for (number, step) in (0..).zip(&self.plan.steps) {
            self.span = step.span.clone();
            if let Some(at) = step.at {
                self.wait_for_date(at)?;
            }
            if step.has_names {
                let step = self.resolved(step)?;
                self.step(number, &step)?;
            } else {
                self.step(number, step)?;
            }
        }
        self.end_workloads()?;
        self.every_fault_has_done_something()?;
        // What happens at the very end of the last step still belongs to the run.
        self.show_fresh_logs()
    }

    fn finish(mut self, result: Outcome) -> Finished {
        let (ending, failure) = match result {
            Ok(()) => (Ending::Done, None),
            Err(Halt::Failed(ending, diagnostic)) => (ending, Some(diagnostic)),
            Err(Halt::Unheard) => (Ending::Unheard, None),
            Err(Halt::TimeUp) if self.options.until == Some(self.horizon) => {
                (Ending::Stopped, None)
            }
            Err(Halt::TimeUp) => (Ending::Limit, Some(self.limit_reached())),
        };
        let summary = Summary {
            ending,
            failure,
            stats: self.world.stats(),
            fingerprint: self.world.fingerprint(),
        };
        // A listener who is gone needs no farewell.
        let _ = self.say(What::End(Box::new(summary.clone())));
        Finished { summary, world: self.world }
    }

    fn limit_reached(&self) -> Diagnostic {
        let limit = human(self.plan.header.limit);
        let message = format!("the run has reached its limit of {limit}");
        let (span, label) = match (self.span.is_empty(), self.plan.steps.first()) {
            (true, Some(first)) => {
                (first.span.clone(), "before this step: the cluster still forms")
            }
            _ => (self.span.clone(), "during this step"),
        };
        Diagnostic::new(message, span, label).hint("set a later `limit` at the top of the file")
    }

    fn wait_for_date(&mut self, at: Time) -> Outcome {
        if at < self.world.now() {
            let now = human(Span(self.world.now().0));
            let label = format!("it is +{now} already");
            return self.fail(Ending::Impossible, "this step is due in the past", label);
        }
        self.advance(at)
    }

    fn step(&mut self, number: u64, step: &PlannedStep) -> Outcome {
        self.show_background()?;
        let begin = self.world.now();
        match &step.step {
            Step::Command(command) => {
                self.terminal_is_taken = true;
                let outcome = self.command(command, &step.text);
                self.terminal_is_taken = false;
                return outcome;
            }
            Step::Note(text) => return self.say(What::Note(text.clone())),
            Step::Expect(condition) => {
                return self.hold_to(condition, &step.text);
            }
            Step::ExpectReply(inquiry) => return self.expect_reply(inquiry, &step.text),
            Step::ExpectHeard(heard) => return self.expect_heard(heard, &step.text),
            Step::Listen(inquiry) => self.listen(inquiry),
            Step::WaitHeard(heard, within) => self.wait_heard(heard, *within)?,
            Step::Send(inquiry) => self.send(inquiry)?,
            Step::WaitReply(inquiry, within) => self.wait_reply(inquiry, *within)?,
            Step::Let(name, what) => return self.name(name, what, &step.text),
            Step::StartWorkload(name) => self.start_workload(name),
            Step::StopWorkload(name) => return self.stop_workload(name, &step.text),
            Step::ExpectWorkload(name, question) => {
                return self.expect_workload(name, *question, &step.text);
            }
            Step::Weather(weather) => self.weather(number, *weather)?,
            Step::Process(action, nodes) => self.process(*action, nodes)?,
            Step::Network(fault) => self.disturb(fault)?,
            Step::Wait(range) => self.advance(begin + self.chance(number, *range))?,
            Step::WaitUntil(condition, within) => self.wait_until(condition, *within)?,
            Step::WaitForTool(within) => self.wait_for_tool(*within)?,
            Step::Log(_) => {}
        }
        let took = self.world.now().since(begin);
        self.say(What::Step(step.text.clone(), took))?;
        if let Step::Log(nodes) = &step.step {
            self.show_logs(nodes)?;
        }
        Ok(())
    }

    /// A length of time that a step leaves to chance.
    fn chance(&self, step: u64, SpanRange { low, high }: SpanRange) -> Span {
        self.seed.stream(Purpose::Script, step, 0).span(low, high)
    }

    fn show_logs(&mut self, nodes: &[NodeNo]) -> Outcome {
        for &node in nodes {
            let lines = self.logs.borrow_mut().take_new(node);
            // What was shown as it was written is not shown again.
            if !self.is_live(node) {
                for line in lines {
                    self.say(What::Log(line))?;
                }
            }
        }
        Ok(())
    }

    fn is_live(&self, node: NodeNo) -> bool {
        match &self.options.live_logs {
            LiveLogs::None => false,
            LiveLogs::All => true,
            LiveLogs::Of(nodes) => nodes.contains(&node),
        }
    }

    /// Shows the log lines that came in, if they are to be shown as they come.
    fn show_fresh_logs(&mut self) -> Outcome {
        if self.options.live_logs == LiveLogs::None || !self.logs.borrow().has_fresh() {
            return Ok(());
        }
        let fresh = self.logs.borrow_mut().take_fresh();
        for line in fresh.into_iter().filter(|line| self.is_live(line.node)).collect::<Vec<_>>() {
            self.say(What::Log(line))?;
        }
        Ok(())
    }

    fn say(&mut self, what: What) -> Outcome {
        let record = Record { at: self.world.now(), wall: self.world.wall(), what };
        match self.sink.record(&record) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Halt::Unheard),
        }
    }

    /// Ends the run because of the present step.
    fn fail<T>(
        &self,
        ending: Ending,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Outcome<T> {
        Err(Halt::Failed(ending, Diagnostic::new(message, self.span.clone(), label)))
    }
}
