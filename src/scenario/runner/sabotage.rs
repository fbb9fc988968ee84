//! Faults that wait: for a message, for a moment, for a write.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::node::packet::MessageType;
use crate::scenario::record::Ending;
use crate::scenario::runner::faults::pairs;
use crate::scenario::runner::{Outcome, Runner};
use crate::scenario::source::Bytes;
use crate::scenario::units::human;
use crate::time::{Span, Time};
use crate::world::points::Armed;
use crate::world::traps::{Bait, Trap};
use crate::world::{FaultError, World};

/// A fault that waits for something that has yet to come.
pub(super) struct Waiting {
    /// Where it stands in the file.
    span: Bytes,
    since: Time,
    what: What,
}

impl Waiting {
    /// Whether one step has brought about both. The same one may be done again later.
    fn is_of_one_step(&self, other: &Waiting) -> bool {
        self.span == other.span && self.since == other.since
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Message(Bait),
    Point(NodeNo),
    Sync(NodeNo),
    /// Time to pass while the node is paused.
    Pause(NodeNo),
}

impl What {
    /// What is said of it if it has not come.
    fn is_missing(self, since: Time, world: &World) -> Option<String> {
        match self {
            What::Message(bait) => match world.trap(bait)? {
                Trap::Lose(left) => Some(format!("{left} of these messages were never sent")),
                Trap::Hold => Some("no such message was sent".to_owned()),
            },
            What::Point(node) => {
                world.armed(node).map(|_| "the node has never got to this point".to_owned())
            }
            What::Pause(_) => {
                (since == world.now()).then(|| "no time has passed while it was paused".to_owned())
            }
            What::Sync(node) => {
                let waited = world.was_waited_for(node)?;
                (!waited).then(|| "the node has synced nothing".to_owned())
            }
        }
    }
}

impl Runner<'_> {
    pub(super) fn set_traps(
        &mut self,
        kind: MessageType,
        from: &[NodeNo],
        to: &[NodeNo],
        trap: Trap,
    ) -> Outcome {
        for (from, to) in pairs(from, to) {
            let bait = (from, to, kind);
            let result = self.world.set_trap(bait, trap);
            self.accept(from, result)?;
            self.wait_for_it(What::Message(bait));
        }
        Ok(())
    }

    pub(super) fn release(&mut self, from: &[NodeNo], to: &[NodeNo]) -> Outcome {
        let all = pairs(from, to).into_iter();
        let released: usize = all.map(|(from, to)| self.world.release(from, to)).sum();
        match released {
            0 => self.no_effect("this releases nothing", "nothing is held on this way now"),
            _ => Ok(()),
        }
    }

    pub(super) fn arm(&mut self, node: NodeNo, armed: Armed) -> Outcome {
        let result = self.world.arm(node, armed);
        self.accept(node, result)?;
        self.wait_for_it(What::Point(node));
        Ok(())
    }

    pub(super) fn slow_disks(&mut self, nodes: &[NodeNo], takes: Span) -> Outcome {
        // What ends it makes the disk as all of them are.
        let ends = takes == Span::ZERO;
        let takes = if ends { self.plan.header.disks.sync_takes } else { takes };
        for &node in nodes {
            if self.world.sync_lasts(node) == takes {
                let (name, takes) = (self.plan.name(node), human(takes));
                let label = format!("a sync of node {name} takes {takes} already");
                return self.no_effect("this changes nothing", label);
            }
            self.check(|what| what == What::Sync(node))?;
            let result = self.world.slow_disk(node, takes);
            self.accept(node, result)?;
            if !ends {
                self.wait_for_it(What::Sync(node));
            }
        }
        Ok(())
    }

    pub(super) fn each_disk(
        &mut self,
        nodes: &[NodeNo],
        act: impl Fn(&mut World, NodeNo) -> Result<(), FaultError>,
    ) -> Outcome {
        for &node in nodes {
            let result = act(&mut self.world, node);
            self.accept(node, result)?;
        }
        Ok(())
    }

    pub(super) fn relocate(&mut self, node: NodeNo, to: SocketAddr) -> Outcome {
        if self.world.address(node) == to {
            return self.fail(Ending::Impossible, "this changes nothing", "it is there already");
        }
        let result = self.world.move_node(node, to.ip(), to.port());
        self.accept(node, result)
    }

    pub(super) fn pause(&mut self, node: NodeNo) -> Outcome {
        let result = self.world.pause(node);
        self.accept(node, result)?;
        self.wait_for_it(What::Pause(node));
        Ok(())
    }

    pub(super) fn resume(&mut self, node: NodeNo) -> Outcome {
        let result = self.world.resume(node);
        self.accept(node, result)?;
        self.check(|what| what == What::Pause(node))
    }

    fn wait_for_it(&mut self, what: What) {
        let (span, since) = (self.span.clone(), self.world.now());
        self.waiting.push(Waiting { span, since, what });
    }

    /// The script is over: everything that was waited for has come.
    pub(super) fn everything_armed_has_come(&mut self) -> Outcome {
        self.check(|_| true)
    }

    /// Complains of faults that have waited in vain, and forgets them. Of what one step has brought about
    /// at many nodes or paths, something has to have come.
    fn check(&mut self, which: impl Fn(What) -> bool) -> Outcome {
        let (over, still) = self.waiting.drain(..).partition(|waiting| which(waiting.what));
        self.waiting = still;
        let over: Vec<Waiting> = over;
        let missing = |waiting: &Waiting| waiting.what.is_missing(waiting.since, &self.world);
        let has_come = |step: &Waiting| {
            let mut parts = over.iter().filter(|part| part.is_of_one_step(step));
            parts.any(|part| missing(part).is_none())
        };
        let in_vain = |step: &Waiting| Some((step.span.clone(), missing(step)?));
        match over.iter().filter(|step| !has_come(step)).find_map(in_vain) {
            None => Ok(()),
            Some((span, label)) => self.never_came(&span, &label),
        }
    }
}
