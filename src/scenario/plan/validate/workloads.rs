//! What can be told of workloads before they run.

use crate::network::Site;
use crate::scenario::condition::Comparison;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::validate::{Check, Status};
use crate::scenario::plan::{PlannedStep, WorkloadPlan};
use crate::scenario::source::Bytes;
use crate::scenario::step::{WorkloadOperand as Operand, WorkloadQuestion as Question};
use crate::scenario::suggest;
use crate::workload::{Figure, Settings};

/// The workloads and which of them run.
pub(super) struct Workloads<'a> {
    plans: &'a [WorkloadPlan],
    runs: Vec<Runs>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Runs {
    NotYet,
    /// Since this step.
    Since(Bytes),
    NoMore,
}

impl<'a> Workloads<'a> {
    pub(super) fn new(plans: &'a [WorkloadPlan]) -> Workloads<'a> {
        let runs = |plan: &WorkloadPlan| match plan.started {
            true => Runs::Since(plan.span.clone()),
            false => Runs::NotYet,
        };
        Workloads { plans, runs: plans.iter().map(runs).collect() }
    }
}

impl Check<'_> {
    /// Workloads that begin with the script find nodes that run.
    pub(super) fn workloads_begin(&mut self) {
        for plan in self.workloads.plans.iter().filter(|plan| plan.started) {
            self.must_reach_somebody(plan, plan.span.clone());
        }
    }

    fn must_reach_somebody(&mut self, plan: &WorkloadPlan, at: Bytes) {
        let never = |status: &Status| *status == Status::NeverStarted;
        let name = &plan.settings.name;
        if self.roster.members().next().is_none() {
            let message = format!("workload `{name}` has no cluster to write to");
            let label = "all nodes are plain servers";
            self.mistakes.push(Diagnostic::new(message, at, label));
        } else if self.status.iter().all(never) {
            let message = format!("workload `{name}` has no node that it can reach");
            let mistake = Diagnostic::new(message, at, "no node was started yet");
            self.mistakes.push(mistake.hint("start nodes first: `start all`"));
        } else if let Site::Beside(node) = plan.settings.site
            && never(&self.status[node.index()])
        {
            let message = format!("workload `{name}` sits beside a node that was never started");
            let node = self.roster.name(node);
            let mistake = Diagnostic::new(message, at, format!("{node} does not run"));
            self.mistakes.push(mistake.hint(format!("start it first: `start {node}`")));
        }
    }

    /// The workload of this name, if there is one.
    fn workload(&mut self, name: &str, step: &PlannedStep) -> Option<usize> {
        let plans = self.workloads.plans;
        let found = plans.iter().position(|plan| plan.settings.name == name);
        if found.is_none() {
            let names: Vec<&str> = plans.iter().map(|plan| plan.settings.name.as_str()).collect();
            let message = format!("unknown workload `{name}`");
            let hint = suggest::hint(name, names)
                .unwrap_or_else(|| format!("add `[[workload]]` with `name = \"{name}\"`"));
            let label = "no workload is called this";
            self.mistakes.push(Diagnostic::new(message, step.span.clone(), label).hint(hint));
        }
        found
    }

    pub(super) fn start_workload(&mut self, name: &str, step: &PlannedStep) {
        let Some(number) = self.workload(name, step) else { return };
        let here = step.span.clone();
        if let Runs::Since(since) = &self.workloads.runs[number] {
            let message = format!("workload `{name}` runs already");
            let mistake = Diagnostic::new(message, here.clone(), "again here");
            self.mistakes.push(mistake.see(since.clone(), "since here"));
        }
        self.workloads.runs[number] = Runs::Since(here.clone());
        let plans = self.workloads.plans;
        self.must_reach_somebody(&plans[number], here);
    }

    pub(super) fn stop_workload(&mut self, name: &str, step: &PlannedStep) {
        let Some(number) = self.workload(name, step) else { return };
        if !matches!(self.workloads.runs[number], Runs::Since(_)) {
            let message = format!("workload `{name}` does not run");
            let mistake = Diagnostic::new(message, step.span.clone(), "there is nothing to stop");
            self.mistakes.push(mistake.hint(format!("start it first: `start workload {name}`")));
        }
        self.workloads.runs[number] = Runs::NoMore;
    }

    /// Workloads that no step starts.
    pub(super) fn workloads_have_begun(&mut self) {
        for (plan, runs) in self.workloads.plans.iter().zip(&self.workloads.runs) {
            if *runs == Runs::NotYet {
                let name = &plan.settings.name;
                let message = format!("workload `{name}` is never started");
                let mistake = Diagnostic::new(message, plan.span.clone(), "it does nothing");
                let hint = format!("`start workload {name}` is a step; or say `started = true`");
                self.mistakes.push(mistake.hint(hint));
            }
        }
    }

    pub(super) fn expect_workload(&mut self, name: &str, asked: Question, step: &PlannedStep) {
        let Some(number) = self.workload(name, step) else { return };
        if let Some(why) = nothing_to_expect(&self.workloads.plans[number].settings, asked) {
            let message = "this expectation says nothing";
            self.mistakes.push(Diagnostic::new(message, step.span.clone(), why));
        }
        if self.workloads.runs[number] == Runs::NotYet {
            let message = format!("workload `{name}` was never started");
            let mistake = Diagnostic::new(message, step.span.clone(), "it has done nothing");
            self.mistakes.push(mistake.hint(format!("start it first: `start workload {name}`")));
        }
    }
}

/// Why it is certain whether something that is asked of a workload is so.
fn nothing_to_expect(settings: &Settings, asked: Question) -> Option<String> {
    if asked.operand == Operand::Figure(asked.figure) {
        return Some("a number is compared with itself".to_owned());
    }
    if asked.comparison == Comparison::AtLeast && asked.operand == Operand::Number(0) {
        return Some("no number is less than 0".to_owned());
    }
    let is_counted = |figure| match figure {
        Figure::Reads | Figure::StaleReads if settings.reads_per_mille == 0 && !settings.checks => {
            Err("`reads`")
        }
        Figure::NoticedLost | Figure::NoticedApplied if !settings.checks => Err("`checks`"),
        Figure::TooFewReplicas if settings.quorum.is_none() => Err("`wait`"),
        _ => Ok(()),
    };
    let other = match asked.operand {
        Operand::Figure(other) => is_counted(other),
        Operand::Number(_) => Ok(()),
    };
    let key = is_counted(asked.figure).and(other).err()?;
    Some(format!("this is 0 without {key} in `[[workload]]`"))
}
