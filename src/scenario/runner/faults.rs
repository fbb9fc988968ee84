//! Faults: bringing them about, and making sure that each of them does something.
//!
//! A lesson whose fault does not come teaches nothing, so a fault that would change nothing fails at
//! its step, and one that nothing ever met fails when it ends, or when the script does.

use std::collections::BTreeSet;

use crate::network::graph::{Delay, Path};
use crate::network::{NodeNo, Site};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::Ending;
use crate::scenario::runner::{Halt, Outcome, Runner};
use crate::scenario::source::Bytes;
use crate::scenario::step::{ClockChange, Fault};
use crate::scenario::units;
use crate::time::{Span, Time, Wall};
use crate::world::World;
use crate::world::traps::Trap;

/// Paths, each from one node to another.
pub(super) type Pairs = Vec<(NodeNo, NodeNo)>;

/// A fault of the network that is in force.
pub(super) struct InForce {
    /// Where it stands in the file.
    span: Bytes,
    since: Time,
    paths: Affected,
    /// Whether `heal` ends it.
    is_cut: bool,
}

/// The paths that a fault is about.
enum Affected {
    /// Those between nodes of different groups, by the group of each node.
    Between(Vec<usize>),
    /// These.
    Paths(Pairs),
}

impl InForce {
    /// Whether something has met it.
    fn has_hit(&self, world: &World) -> bool {
        world.hits().any(|hit| match hit {
            (Site::Node(from), Site::Node(to), at) => at >= self.since && self.covers(from, to),
            _ => false,
        })
    }

    fn covers(&self, from: NodeNo, to: NodeNo) -> bool {
        match &self.paths {
            Affected::Between(group_of) => group_of[from.index()] != group_of[to.index()],
            Affected::Paths(pairs) => pairs.contains(&(from, to)),
        }
    }
}

impl Runner<'_> {
    /// Does something to the network or to machines.
    pub(super) fn disturb(&mut self, fault: &Fault) -> Outcome {
        match fault {
            Fault::Partition(groups) => self.partition(groups),
            Fault::Heal => self.heal(),
            Fault::Cut(from, to) => self.cut(pairs(from, to)),
            Fault::Mend(from, to) => self.mend(&pairs(from, to)),
            Fault::Delay(from, to, delay) => self.impair(
                pairs(from, to),
                |path| path.delay != *delay,
                |world, from, to| world.set_delay(from, to, *delay),
                *delay != Delay::NONE,
            ),
            Fault::Drop(from, to, share) => self.impair(
                pairs(from, to),
                |path| path.loss_per_mille != *share,
                |world, from, to| world.set_loss(from, to, *share),
                *share != 0,
            ),
            Fault::Clock(nodes, change) => self.set_clocks(nodes, *change),
            Fault::Flap { groups, every, lasts } => self.flap(groups, *every, *lasts),
            Fault::Swizzle { nodes, every } => self.swizzle(nodes, *every),
            Fault::DropNext(count, kind, from, to) => {
                self.set_traps(*kind, from, to, Trap::Lose(*count))
            }
            Fault::Hold(kind, from, to) => self.set_traps(*kind, from, to, Trap::Hold),
            Fault::Release(from, to) => self.release(from, to),
            Fault::Arm(node, armed) => self.arm(*node, *armed),
            Fault::SlowDisk(nodes, takes) => self.slow_disks(nodes, *takes),
            Fault::LoseConfig(nodes) => self.each_disk(nodes, World::lose_config),
            Fault::TearConfig(nodes) => self.each_disk(nodes, World::tear_config),
            Fault::LoseDisk(nodes) => self.each_disk(nodes, World::lose_disk),
            Fault::Snapshot(nodes) => self.each_disk(nodes, World::snapshot),
            Fault::Restore(nodes) => self.each_disk(nodes, World::restore),
            Fault::Move(node, to) => self.relocate(*node, *to),
        }
    }

    fn partition(&mut self, groups: &[Vec<NodeNo>]) -> Outcome {
        let group_of = self.group_of(groups);
        if !self.between_groups(&group_of).any(|(from, to)| !self.path(from, to).cut) {
            return self.no_effect("this cuts nothing", "all of it is cut already");
        }
        self.world.partition(groups);
        self.put_in_force(Affected::Between(group_of), true);
        Ok(())
    }

    /// The number of each node's group. Nodes that are in none are one more group.
    fn group_of(&self, groups: &[Vec<NodeNo>]) -> Vec<usize> {
        let mut group_of = vec![groups.len(); self.plan.nodes.len()];
        for (number, group) in groups.iter().enumerate() {
            for node in group {
                group_of[node.index()] = number;
            }
        }
        group_of
    }

    /// All paths between nodes of different groups.
    fn between_groups(&self, group_of: &[usize]) -> impl Iterator<Item = (NodeNo, NodeNo)> {
        let all = self.plan.roster.all();
        let pairs = all.flat_map(|from| self.plan.roster.all().map(move |to| (from, to)));
        pairs.filter(|(from, to)| group_of[from.index()] != group_of[to.index()])
    }

    fn cut(&mut self, pairs: Pairs) -> Outcome {
        if pairs.iter().all(|&(from, to)| self.path(from, to).cut) {
            return self.no_effect("this cuts nothing", "all of it is cut already");
        }
        self.world.change_cuts(&pairs, true);
        self.put_in_force(Affected::Paths(pairs), true);
        Ok(())
    }

    fn heal(&mut self) -> Outcome {
        if !self.world.graph().impaired().any(|(_, _, path)| path.cut) {
            return self.no_effect("this mends nothing", "nothing is cut");
        }
        let (over, still) = self.in_force.drain(..).partition(|fault| fault.is_cut);
        self.in_force = still;
        self.world.heal();
        self.each_has_hit(&over)
    }

    fn mend(&mut self, pairs: &Pairs) -> Outcome {
        if !pairs.iter().any(|&(from, to)| self.path(from, to).cut) {
            return self.no_effect("this mends nothing", "nothing of it is cut");
        }
        self.world.change_cuts(pairs, false);
        Ok(())
    }

    /// Changes how well paths carry what is sent.
    fn impair(
        &mut self,
        pairs: Pairs,
        changes: impl Fn(Path) -> bool,
        act: impl Fn(&mut World, NodeNo, NodeNo),
        lasts: bool,
    ) -> Outcome {
        if !pairs.iter().any(|&(from, to)| changes(self.path(from, to))) {
            return self.no_effect("this changes nothing", "these paths are so already");
        }
        for &(from, to) in &pairs {
            act(&mut self.world, from, to);
        }
        if lasts {
            self.put_in_force(Affected::Paths(pairs), false);
        }
        Ok(())
    }

    fn set_clocks(&mut self, nodes: &[NodeNo], change: ClockChange) -> Outcome {
        for &node in nodes {
            let result = match change {
                ClockChange::Jump(by) => {
                    self.clock_can_show(node, by)?;
                    self.world.jump_clock(node, by)
                }
                ClockChange::Drift(drift) if drift == self.world.drift(node) => {
                    let label = format!("node {} has this pace already", self.plan.name(node));
                    return self.no_effect("this changes nothing", label);
                }
                ClockChange::Drift(drift) => self.world.drift_clock(node, drift),
            };
            self.accept(node, result)?;
        }
        Ok(())
    }

    /// A clock has to show a date that a scenario could start at.
    fn clock_can_show(&self, node: NodeNo, by: i64) -> Outcome {
        let shown = self.world.clock(node).0.checked_add_signed(by);
        match shown.is_some_and(|shown| units::can_be_lived_in(Wall(shown))) {
            true => Ok(()),
            false => {
                let label = "what it would show is not between the years 1970 and 2099";
                self.fail(Ending::Impossible, "this clock would be too far off", label)
            }
        }
    }

    /// Partitions groups and mends what that cut, in turn. It is mended at the end.
    fn flap(&mut self, groups: &[Vec<NodeNo>], every: Span, lasts: Span) -> Outcome {
        let group_of = self.group_of(groups);
        let others = self.cut_before();
        let pairs: Pairs =
            self.between_groups(&group_of).filter(|pair| !others.contains(pair)).collect();
        let end = self.world.now() + lasts;
        let mut cut = false;
        while self.world.now() < end {
            match cut {
                false => self.cut(pairs.clone())?,
                true => self.mend(&pairs)?,
            }
            cut = !cut;
            self.advance(end.min(self.world.now() + every))?;
        }
        if cut { self.mend(&pairs) } else { Ok(()) }
    }

    /// Cuts nodes off one by one, in an order that chance has, and mends them in another.
    fn swizzle(&mut self, nodes: &[NodeNo], every: Span) -> Outcome {
        let mut orders = [nodes.to_vec(), nodes.to_vec()];
        for order in &mut orders {
            for left in (1..order.len()).rev() {
                order.swap(left, self.lots.below(left as u32 + 1) as usize);
            }
        }
        let others = self.cut_before();
        let around = nodes.iter().flat_map(|&node| self.around(node));
        let whole: BTreeSet<_> = around.filter(|pair| !others.contains(pair)).collect();
        if whole.is_empty() {
            return self.no_effect("this cuts nothing", "all of it is cut already");
        }
        // Between two nodes it is cut with the first of them, and mended with the last.
        let ours = |node: NodeNo, off: &[NodeNo]| -> Pairs {
            let is_of = |&&(from, to): &&(NodeNo, NodeNo)| {
                (from == node || to == node) && !off.contains(&from) && !off.contains(&to)
            };
            whole.iter().filter(is_of).copied().collect()
        };
        let mut off: Vec<NodeNo> = Vec::new();
        for node in &orders[0] {
            let pairs = ours(*node, &off);
            if !pairs.is_empty() {
                self.cut(pairs)?;
            }
            off.push(*node);
            self.pass(every)?;
        }
        for (number, node) in orders[1].iter().enumerate() {
            off.retain(|other| other != node);
            self.world.change_cuts(&ours(*node, &off), false);
            if number + 1 < orders[1].len() {
                self.pass(every)?;
            }
        }
        Ok(())
    }

    /// The paths that are cut already: they stay so, and are no matter of a fault that begins now and
    /// mends what it has cut.
    pub(super) fn cut_before(&self) -> BTreeSet<(NodeNo, NodeNo)> {
        let cut = self.world.graph().impaired().filter(|(_, _, path)| path.cut);
        cut.filter_map(|(from, to, _)| Some((from.node()?, to.node()?))).collect()
    }

    /// All paths from and to a node.
    fn around(&self, node: NodeNo) -> impl Iterator<Item = (NodeNo, NodeNo)> {
        let others = self.plan.roster.all().filter(move |other| *other != node);
        others.flat_map(move |other| [(node, other), (other, node)])
    }

    /// Some node blocks others again and again, and so a part of the network is cut.
    pub(super) fn weather_is_in_force(&mut self) {
        let each_apart = (0..self.plan.nodes.len()).collect();
        self.put_in_force(Affected::Between(each_apart), false);
    }

    fn path(&self, from: NodeNo, to: NodeNo) -> Path {
        self.world.graph().between(from.into(), to.into())
    }

    fn put_in_force(&mut self, paths: Affected, is_cut: bool) {
        let (span, since) = (self.span.clone(), self.world.now());
        self.in_force.push(InForce { span, since, paths, is_cut });
    }

    /// A fault changes nothing at all.
    pub(super) fn no_effect<T>(&self, message: &str, label: impl Into<String>) -> Outcome<T> {
        self.fail(Ending::Impossible, message, label)
    }

    /// The script is over: what was broken has broken something by now.
    pub(super) fn every_fault_has_done_something(&mut self) -> Outcome {
        let all = std::mem::take(&mut self.in_force);
        self.each_has_hit(&all)?;
        self.everything_armed_has_come()
    }

    fn each_has_hit(&self, faults: &[InForce]) -> Outcome {
        match faults.iter().find(|fault| !fault.has_hit(&self.world)) {
            None => Ok(()),
            Some(idle) => self.never_came(&idle.span, "nothing was sent there while it was so"),
        }
    }

    /// A fault was brought about, and made no difference.
    pub(super) fn never_came<T>(&self, span: &Bytes, label: &str) -> Outcome<T> {
        let message = "this fault has made no difference";
        let mistake = Diagnostic::new(message, span.clone(), label);
        let hint = "leave it out, or let more time pass before it ends";
        Err(Halt::Failed(Ending::Unexpected, mistake.hint(hint)))
    }
}

/// Every path from one of the first to one of the second.
pub(super) fn pairs(from: &[NodeNo], to: &[NodeNo]) -> Pairs {
    from.iter().flat_map(|&from| to.iter().map(move |&to| (from, to))).collect()
}
