//! Starting and stopping workloads, and saying what became of their writes.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::rng::Seed;
use crate::scenario::plan::Plan;
use crate::scenario::record::{self, Ending, What};
use crate::scenario::runner::{Halt, Outcome, Runner};
use crate::scenario::step::{WorkloadOperand, WorkloadQuestion};
use crate::workload::{Crew, Summary, Workload};
use crate::world::World;

/// The workloads of a plan, none of which has begun.
pub(super) fn of(plan: &Plan, seed: Seed, world: &mut World) -> Crew {
    let addresses: Vec<SocketAddr> = plan.nodes.iter().map(|node| node.address).collect();
    let members: Vec<NodeNo> = plan.roster.members().collect();
    let workloads = (0..).zip(&plan.workloads).map(|(number, its)| {
        Workload::new(seed, number, its.settings.clone(), &addresses, &members)
    });
    Crew::new(workloads.collect(), world)
}

impl Runner<'_> {
    /// Those begin that run from the beginning.
    pub(super) fn begin_workloads(&mut self) {
        for its in self.plan.workloads.iter().filter(|its| its.started) {
            self.start_workload(&its.settings.name);
        }
    }

    /// `start workload NAME`
    pub(super) fn start_workload(&mut self, name: &str) {
        if let Some(workload) = self.crew.named(name) {
            workload.start(&self.world);
        }
    }

    /// `stop workload NAME`
    pub(super) fn stop_workload(&mut self, name: &str, text: &str) -> Outcome {
        let begin = self.world.now();
        if let Some(workload) = self.crew.named(name) {
            workload.stop();
        }
        while self.crew.named(name).is_some_and(|workload| !workload.is_idle()) {
            if !self.go_on(self.horizon)? {
                return Err(Halt::TimeUp);
            }
        }
        let Some(workload) = self.crew.named(name) else { return Ok(()) };
        workload.close(&mut self.world);
        let summary = workload.summary(&self.world);
        let took = self.world.now().since(begin);
        self.say(What::Step(text.to_owned(), took))?;
        self.tell(summary)
    }

    /// What is not stopped by a step is at the end.
    pub(super) fn end_workloads(&mut self) -> Outcome {
        for its in &self.plan.workloads {
            let name = &its.settings.name;
            if self.crew.named(name).is_some_and(|workload| workload.is_running()) {
                self.stop_workload(name, &format!("stop workload {name}"))?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, mut summary: Summary) -> Outcome {
        for loss in std::mem::take(&mut summary.losses) {
            let cause = summary.events[loss.event].cause;
            self.say(What::Lost(Box::new((summary.name.clone(), loss.clone(), cause))))?;
            summary.losses.push(loss);
        }
        let nodes = self.plan.roster.all().map(|node| self.plan.name(node)).collect();
        self.say(What::Workload(Box::new(record::Outcome { summary, nodes })))
    }

    /// `expect workload NAME FIGURE COMPARISON NUMBER`
    pub(super) fn expect_workload(
        &mut self,
        name: &str,
        WorkloadQuestion { figure, comparison, operand }: WorkloadQuestion,
        text: &str,
    ) -> Outcome {
        let Some(workload) = self.crew.named(name) else { return Ok(()) };
        let summary = workload.summary(&self.world);
        let found = summary.figure(figure);
        let (other, label) = match operand {
            WorkloadOperand::Number(number) => (number, format!("it is {found}")),
            WorkloadOperand::Figure(asked) => {
                let other = summary.figure(asked);
                (other, format!("`{}` is {found}, `{}` is {other}", figure.name(), asked.name()))
            }
        };
        if comparison.holds(found, other) {
            return self.say(What::Met(text.to_owned()));
        }
        self.fail(Ending::Unexpected, "this expectation is not met", label)
    }
}
