//! What is measured: the time from one event to another, by a name or spelled out as `FROM -> TO`.

use crate::scenario::plan::{Plan, PlannedStep};
use crate::scenario::step::{Command, Fault, ProcessAction, Step};
use crate::scenario::suggest;
use crate::sweep::event::{self, Deed, Event, Turn, Who};
use crate::world::points::Blow;

/// The time from an event to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// As it was asked for, with single blanks.
    pub name: String,
    /// Where the time begins.
    pub from: Event,
    /// Where it ends.
    pub to: Event,
}

/// Measures that have names of their own, and what they are short for.
pub const NAMED: [(&str, &str); 9] = [
    ("pfail", "crash -> pfail first"),
    ("fail-first", "crash -> fail first"),
    ("fail-last", "crash -> fail last"),
    ("election", "crash -> election first"),
    ("promotion", "crash -> promotion first"),
    ("ok", "crash -> ok last"),
    ("rejoin", "restart -> cleared last"),
    ("restart-ok", "restart -> ok self"),
    ("known", "meet -> known"),
];

/// Why something cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadMeasure {
    /// What is wrong.
    pub message: String,
    /// What would do.
    pub hint: String,
}

impl BadMeasure {
    fn unknown(name: &str) -> BadMeasure {
        let names = NAMED.iter().map(|(name, _)| *name);
        let all: Vec<&str> = names.clone().collect();
        let near = suggest::nearest(name, names);
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let hint = format!("{near}known are {}, and `FROM -> TO`", all.join(", "));
        BadMeasure { message: format!("there is no measure `{name}`"), hint }
    }

    pub(crate) fn unknown_event(word: &str) -> BadMeasure {
        let all: Vec<&str> = event::words().collect();
        let near = suggest::nearest(word, event::words());
        let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let hint = format!("{near}known are {}", all.join(", "));
        BadMeasure { message: format!("there is no event `{word}`"), hint }
    }
}

impl Measure {
    /// Reads a measure of a scenario: `fail-last`, `kill -> fail by 7001`.
    ///
    /// # Errors
    /// If there is none of this name, or it can never occur in the scenario.
    pub fn parse(text: &str, plan: &Plan) -> Result<Measure, BadMeasure> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let named = NAMED.iter().find(|(known, _)| *known == name);
        let spelled = named.map_or(name.as_str(), |(_, spelled)| *spelled);
        let Some((from, to)) = spelled.split_once("->") else {
            return Err(BadMeasure::unknown(&name));
        };
        let from = Event::parse(from.trim(), &plan.roster)?;
        let to = Event::parse(to.trim(), &plan.roster)?;
        let measure = Measure { name, from, to };
        measure.must_be_possible(plan)?;
        Ok(measure)
    }

    /// Every named measure that can occur in a scenario.
    #[must_use]
    pub fn all_of(plan: &Plan) -> Vec<Measure> {
        NAMED.iter().filter_map(|(name, _)| Measure::parse(name, plan).ok()).collect()
    }

    /// The deed that chooses the victim.
    #[must_use]
    pub fn origin(&self) -> Deed {
        match self.from {
            Event::Deed(deed @ (Deed::Kill | Deed::Segfault | Deed::Stop | Deed::Pause)) => deed,
            Event::Deed(Deed::Resume) => Deed::Pause,
            _ => Deed::Crash,
        }
    }

    fn must_be_possible(&self, plan: &Plan) -> Result<(), BadMeasure> {
        let script = Script { plan };
        for event in [self.from, self.to] {
            let needed = match event {
                Event::Deed(deed) => Some(deed),
                Event::Turn(turn, who) if turn.is_about_victim() || who == Who::Victim => {
                    Some(self.origin())
                }
                Event::Turn(Turn::Election | Turn::Promotion | Turn::Ok | Turn::Down, _)
                | Event::Turn(Turn::Pfail | Turn::Fail | Turn::Cleared, _)
                | Event::Known => None,
            };
            if let Some(deed) = needed.filter(|deed| !script.holds(*deed)) {
                let (problem, hint) = absence(deed);
                let message = format!("`{}`: {problem} in this scenario", self.name);
                return Err(BadMeasure { message, hint: hint.to_owned() });
            }
        }
        Ok(())
    }
}

/// What is missing where a deed never happens, and what would be one.
fn absence(deed: Deed) -> (&'static str, &'static str) {
    match deed {
        Deed::Crash => ("nothing crashes", "a crash is a `kill` or a `segfault` step"),
        Deed::Kill => ("nothing is killed", "add a `kill` step, or measure from `crash`"),
        Deed::Segfault => {
            ("nothing gets a SIGSEGV", "add a `segfault` step, or measure from `crash`")
        }
        Deed::Stop => ("nothing is stopped", "add a `stop` step"),
        Deed::Pause => ("nothing is paused", "add a `pause` step"),
        Deed::Resume => ("nothing is resumed", "add a `resume` step"),
        Deed::Restart => ("what has crashed is not started again", "add a `restart` step"),
        Deed::Partition => ("the network is never cut", "add a `partition` or a `cut` step"),
        Deed::Heal => ("the network is never mended", "add a `heal` step"),
        Deed::Meet => ("no node meets another", "a `redis-cli … cluster meet …` step makes them"),
    }
}

/// The steps of a plan, looked at for what they do.
struct Script<'a> {
    plan: &'a Plan,
}

impl Script<'_> {
    /// Whether some step does this, as far as can be told.
    fn holds(&self, deed: Deed) -> bool {
        let steps = &self.plan.steps;
        if deed == Deed::Restart {
            let crash = steps.iter().position(|step| does(step, Deed::Crash));
            return crash.is_some_and(|at| steps[at..].iter().any(starts));
        }
        steps.iter().any(|step| does(step, deed))
    }
}

fn starts(step: &PlannedStep) -> bool {
    use ProcessAction::{Restart, Start};
    matches!(step.step, Step::Process(Start | Restart, _) | Step::Command(Command::Server(_)))
}

fn does(step: &PlannedStep, deed: Deed) -> bool {
    match (&step.step, deed) {
        (Step::Process(ProcessAction::PowerOff, _), Deed::Crash) => true,
        (Step::Network(Fault::Arm(..)), Deed::Crash) => true,
        (Step::Network(Fault::Arm(_, armed)), Deed::Kill) => armed.blow == Blow::Kill,
        (_, Deed::Crash) => does(step, Deed::Kill) || does(step, Deed::Segfault),
        (Step::Process(action, _), Deed::Kill) => *action == ProcessAction::Kill,
        (Step::Process(action, _), Deed::Segfault) => *action == ProcessAction::Segfault,
        (Step::Process(action, _), Deed::Stop) => {
            matches!(action, ProcessAction::Stop | ProcessAction::Restart)
        }
        (Step::Process(action, _), Deed::Pause) => *action == ProcessAction::Pause,
        (Step::Process(action, _), Deed::Resume) => *action == ProcessAction::Resume,
        (Step::Network(fault), Deed::Partition) => {
            use Fault::{Cut, Flap, Partition, Swizzle};
            matches!(fault, Partition(_) | Cut(..) | Flap { .. } | Swizzle { .. })
        }
        (Step::Network(fault), Deed::Heal) => matches!(fault, Fault::Heal),
        (Step::Command(_), Deed::Segfault) => says(step, &["segfault"]),
        (Step::Command(_) | Step::Send(_), Deed::Meet) => {
            says(step, &["meet", "create", "add-node"])
        }
        _ => false,
    }
}

/// Whether one of these words is in the commands of a step.
fn says(step: &PlannedStep, words: &[&str]) -> bool {
    let (sent, typed) = match &step.step {
        Step::Command(Command::RedisCli(cli)) => (cli.words.clone(), &cli.typed[..]),
        Step::Send(inquiry) => (inquiry.command_at(0).collect(), &[][..]),
        _ => return false,
    };
    let lines = typed.iter().flat_map(|line| line.text.split_whitespace());
    let mut said = sent.iter().map(String::as_str).chain(lines);
    said.any(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
}
