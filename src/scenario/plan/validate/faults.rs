//! Faults that are certain to fail: they are about nodes that do not run, or mend what nothing broke.

use std::collections::BTreeSet;

use crate::network::NodeNo;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::PlannedStep;
use crate::scenario::plan::validate::{Check, Status};
use crate::scenario::step::Fault;

/// What earlier steps may have left behind.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// Something was cut, and not all of it mended again.
    cut: bool,
    /// Messages were to be held.
    held: bool,
    /// The nodes of whose disks there are copies.
    copied: BTreeSet<NodeNo>,
}

impl Check<'_> {
    pub(super) fn fault(&mut self, fault: &Fault, step: &PlannedStep) {
        match fault {
            Fault::Partition(_) | Fault::Cut(..) => self.broken.cut = true,
            Fault::Heal | Fault::Mend(..) => {
                if !self.broken.cut {
                    let hint = "cut something before it: `partition 7000 | rest`";
                    self.nothing_to("nothing is cut here", step, hint);
                }
                self.broken.cut &= *fault != Fault::Heal;
            }
            Fault::Hold(..) => self.broken.held = true,
            Fault::Release(..) if !self.broken.held => {
                let hint = "hold something before it: `hold PONG 7001 -> 7003`";
                self.nothing_to("nothing is held here", step, hint);
            }
            Fault::Snapshot(_) if step.has_names => self.broken.copied.extend(self.roster.all()),
            // Which node it is may not be known yet.
            _ if step.has_names => {}
            Fault::Arm(node, _) => {
                self.must_run(*node, step);
                self.status[node.index()] = Status::Unclear;
            }
            Fault::Move(node, _) => {
                self.must_not_run(*node, step, "only a node that does not run can be moved");
            }
            Fault::Snapshot(nodes) => self.broken.copied.extend(nodes),
            Fault::Restore(nodes) => {
                for &node in nodes {
                    self.must_not_run(node, step, "it would not look at its disk");
                    self.must_be_copied(node, step);
                }
            }
            Fault::LoseDisk(nodes) => {
                for &node in nodes {
                    self.must_not_run(node, step, "it would not look at its disk");
                }
            }
            _ => {}
        }
    }

    fn nothing_to(&mut self, message: &str, step: &PlannedStep, hint: &str) {
        let mistake = Diagnostic::new(message, step.span.clone(), "this would change nothing");
        self.mistakes.push(mistake.hint(hint));
    }

    fn must_be_copied(&mut self, node: NodeNo, step: &PlannedStep) {
        if !self.broken.copied.contains(&node) {
            let name = self.roster.name(node);
            let message = format!("there is no snapshot of the disk of node {name}");
            let hint = format!("make one before it: `snapshot {name}`");
            self.nothing_to(&message, step, &hint);
        }
    }

    /// Complains about a node that certainly runs.
    fn must_not_run(&mut self, node: NodeNo, step: &PlannedStep, label: &str) {
        let since = match &self.status[node.index()] {
            Status::Runs(since) => since.clone(),
            Status::Paused(since) => Some(since.clone()),
            Status::NeverStarted | Status::Ended(_) | Status::Unclear => return,
        };
        let name = self.roster.name(node);
        let mut mistake = Diagnostic::new(format!("node {name} runs"), step.span.clone(), label);
        mistake.context.extend(since.map(|span| (span, "since this step".to_owned())));
        self.mistakes.push(mistake.hint(format!("stop it before: `stop {name}`")));
    }

    /// Complains about a node that certainly does not run.
    fn must_run(&mut self, node: NodeNo, step: &PlannedStep) {
        let (problem, by) = match &self.status[node.index()] {
            Status::NeverStarted => ("was never started", None),
            Status::Ended(by) => ("does not run any more", Some(by.clone())),
            _ => return,
        };
        let message = format!("node {} {problem}", self.roster.name(node));
        let mut mistake = Diagnostic::new(message, step.span.clone(), "it cannot get there");
        mistake.context.extend(by.map(|span| (span, "because of this step".to_owned())));
        self.mistakes.push(mistake);
    }
}
