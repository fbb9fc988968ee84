//! Faults that are certain to fail: they are about nodes that do not run, or mend what nothing broke.

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
            // Which node it is may not be known yet.
            _ if step.has_names => {}
            Fault::Arm(node, _) => {
                self.must_run(*node, step);
                self.status[node.index()] = Status::Unclear;
            }
            Fault::Move(node, _) => {
                if let Status::Runs(since) = &self.status[node.index()] {
                    let name = self.roster.name(*node);
                    let message = format!("node {name} runs");
                    let label = "only a node that does not run can be moved";
                    let mut mistake = Diagnostic::new(message, step.span.clone(), label);
                    let since = since.clone().map(|span| (span, "since this step".to_owned()));
                    mistake.context.extend(since);
                    self.mistakes.push(mistake.hint(format!("stop it before: `stop {name}`")));
                }
            }
            _ => {}
        }
    }

    fn nothing_to(&mut self, message: &str, step: &PlannedStep, hint: &str) {
        let mistake = Diagnostic::new(message, step.span.clone(), "this would change nothing");
        self.mistakes.push(mistake.hint(hint));
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
