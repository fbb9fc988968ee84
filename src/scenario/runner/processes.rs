//! Starting, ending, pausing processes.

use crate::network::NodeNo;
use crate::scenario::record::Ending;
use crate::scenario::runner::{FOREVER, Outcome, Runner};
use crate::scenario::step::ProcessAction;
use crate::world::{FaultError, ProcessStatus};

impl Runner<'_> {
    /// Does something to processes, one after another.
    pub(super) fn process(&mut self, action: ProcessAction, nodes: &[NodeNo]) -> Outcome {
        match action {
            ProcessAction::Start | ProcessAction::Restart => {
                for &node in nodes {
                    self.launch(action, node)?;
                }
                for &node in nodes {
                    self.wait_for_ports(node)?;
                    if self.world.status(node) == ProcessStatus::Down {
                        let message = format!("node {} did not start", self.plan.name(node));
                        let last = self.last_words(node);
                        return self.fail(Ending::Impossible, message, last);
                    }
                }
            }
            ProcessAction::Stop => {
                for &node in nodes {
                    let signal = self.world.terminate(node);
                    self.accept(node, signal)?;
                }
                for &node in nodes {
                    // A process that is stopped takes the signal when it goes on.
                    if self.world.status(node) != ProcessStatus::Paused {
                        self.wait_for_end(node)?;
                    }
                }
            }
            ProcessAction::Kill => self.each(nodes, |runner, node| runner.world.kill(node))?,
            ProcessAction::PowerOff => {
                self.each(nodes, |runner, node| runner.world.power_off(node))?
            }
            ProcessAction::Segfault => self.each(nodes, |runner, node| runner.world.crash(node))?,
            ProcessAction::Pause => nodes.iter().try_for_each(|&node| self.pause(node))?,
            ProcessAction::Resume => nodes.iter().try_for_each(|&node| self.resume(node))?,
        }
        Ok(())
    }

    fn each(
        &mut self,
        nodes: &[NodeNo],
        act: impl Fn(&mut Self, NodeNo) -> Result<(), FaultError>,
    ) -> Outcome {
        for &node in nodes {
            let result = act(self, node);
            self.accept(node, result)?;
        }
        Ok(())
    }

    /// Starts a node's process. One that is about to end is waited for; one that runs is stopped
    /// first if it is to be started again.
    pub(super) fn launch(&mut self, action: ProcessAction, node: NodeNo) -> Outcome {
        match self.world.status(node) {
            ProcessStatus::Crashing => self.wait_for_end(node)?,
            ProcessStatus::Down => {}
            status if action == ProcessAction::Restart => {
                let signal = self.world.terminate(node);
                self.accept(node, signal)?;
                if status == ProcessStatus::Paused {
                    // It takes the signal when it goes on.
                    let result = self.world.resume(node);
                    self.accept(node, result)?;
                }
                self.wait_for_end(node)?;
            }
            _ => {}
        }
        let is_free = self.world.check_address(node, self.world.address(node));
        self.accept(node, is_free)?;
        let result = self.world.start(node);
        self.accept(node, result)
    }

    /// Waits until a process that was started accepts clients, or has ended.
    pub(super) fn wait_for_ports(&mut self, node: NodeNo) -> Outcome {
        self.advance_until(FOREVER, |world, _| world.status(node) != ProcessStatus::Starting)?;
        Ok(())
    }

    fn wait_for_end(&mut self, node: NodeNo) -> Outcome {
        self.advance_until(FOREVER, |world, _| world.status(node) == ProcessStatus::Down)?;
        Ok(())
    }

    /// The last line of a node's log.
    fn last_words(&self, node: NodeNo) -> String {
        let logs = self.logs.borrow();
        logs.all_of(node).last().map(|line| line.text.clone()).unwrap_or_default()
    }

    pub(super) fn accept(&self, node: NodeNo, result: Result<(), FaultError>) -> Outcome {
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                let message = format!("this cannot be done to node {}", self.plan.name(node));
                self.fail(Ending::Impossible, message, error.to_string())
            }
        }
    }
}
