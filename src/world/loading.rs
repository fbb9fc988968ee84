//! A process that loads a data set: blocked, but for short looks at what has come in, or for what it
//! reads from one connection (15.37).

use crate::network::message::Kind;
use crate::network::{Network, NodeNo};
use crate::node::effect::LinkId;
use crate::time::Span;
use crate::world::event::Due;
use crate::world::machine::{Arrived, Busy, Running};
use crate::world::{Program, World};

impl<P: Program> Running<P> {
    /// Where in the inbox stands what the process can take in now, if anything does.
    pub(super) fn next_to_read(&self, network: &Network) -> Option<usize> {
        if self.inbox.is_empty() {
            return None;
        }
        if self.is_blocked() {
            return self.inbox.iter().position(|pending| self.takes(&pending.arrived));
        }
        if self.program.takes_in_peers() {
            return Some(0);
        }
        let is_bus = |link| network.connection(link).kind == Kind::Bus;
        self.inbox.iter().position(|pending| !pending.arrived.link().is_some_and(is_bus))
    }

    /// What it has waited for has come, if it reads from one connection.
    pub(super) fn stop_reading(&mut self) {
        if matches!(self.busy, Busy::Reading(..)) {
            self.busy = Busy::No;
        }
    }
}

impl<P: Program> World<P> {
    /// A process loads for some time; then it looks at what has come in, and goes on.
    pub(super) fn load_for(&mut self, node: NodeNo, span: Span) {
        self.make_busy(node, Busy::Sleeping);
        if let Some(running) = &mut self.machines[node.index()].running {
            running.load_step_due = true;
        }
        self.due_in(node, span, Due::Awake);
    }

    /// A process waits for what comes in on one connection.
    pub(super) fn read_from(&mut self, node: NodeNo, link: LinkId, limit: Span) {
        let Some(running) = &mut self.machines[node.index()].running else { return };
        running.read_timeouts += 1;
        let number = running.read_timeouts;
        running.busy = Busy::Reading(link, number);
        self.due_in(node, limit, Due::ReadTimeout(number));
    }

    pub(super) fn read_timeout(&mut self, node: NodeNo, number: u32) {
        let Some(running) = &self.machines[node.index()].running else { return };
        if matches!(running.busy, Busy::Reading(_, current) if current == number) {
            self.take_in(node, Arrived::ReadTimeout(number));
        }
    }

    /// Something comes that a process takes in although it is loading.
    pub(super) fn take_at_once(&mut self, node: NodeNo, arrived: Arrived) {
        if let Some(running) = &mut self.machines[node.index()].running {
            running.stop_reading();
        }
        self.hand_over(node, arrived);
        self.wake(node);
    }
}
