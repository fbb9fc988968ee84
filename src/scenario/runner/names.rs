//! Nodes and numbers that are found out while the scenario runs, and the steps that name them.

use crate::network::NodeNo;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::scenario::plan::PlannedStep;
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::question::{id_of, number};
use crate::scenario::runner::{Outcome, Runner};
use crate::scenario::step::{self, Command, Context, Entry, Nameable, Selector, Step};
use crate::scenario::template::{self, Meaning, Named};
use crate::scenario::words::Line;
use crate::world::ProcessStatus;

impl Runner<'_> {
    /// `let victim = any master`, `let epoch = cluster_my_epoch of 7000`
    pub(super) fn name(&mut self, name: &str, what: &Nameable, text: &str) -> Outcome {
        let (named, shown) = match what {
            Nameable::Node(selector) => {
                let node = self.one_of(*selector)?;
                (Named::Node(node), self.plan.name(node))
            }
            Nameable::Number(node, field) => {
                let Some(bus) = self.world.node(*node).and_then(Node::cluster) else {
                    let label = format!("{} does not run", self.plan.name(*node));
                    return self.fail(Ending::Impossible, "nobody says this number now", label);
                };
                let number = number(bus, field);
                (Named::Number(number), number.to_string())
            }
        };
        self.names.insert(name.to_owned(), named);
        self.say(What::Step(format!("{text}: {shown}"), crate::time::Span::ZERO))
    }

    fn one_of(&mut self, selector: Selector) -> Outcome<NodeNo> {
        let found = self.select(selector);
        if found.is_empty() {
            return self.fail(Ending::Impossible, "there is no such node now", "nobody to name");
        }
        let lot = self.lots.below(u32::try_from(found.len()).unwrap_or(u32::MAX));
        Ok(found[lot as usize])
    }

    /// The nodes that a selector could mean, as each says of itself.
    fn select(&self, selector: Selector) -> Vec<NodeNo> {
        let world = &self.world;
        let runs = |node: &NodeNo| world.status(*node) == ProcessStatus::Running;
        let id = |node| id_of(world, node);
        let master_of = |node: NodeNo| {
            let bus = world.node(node)?.cluster()?;
            Some(bus.id_of(world.ids(), bus.my_master()?))
        };
        let owns = |node: NodeNo, slots: &dyn Fn(&Bus) -> bool| {
            let bus = world.node(node).and_then(Node::cluster);
            bus.is_some_and(|bus| bus.is_master() && slots(bus))
        };
        let fits = |&node: &NodeNo| match selector {
            Selector::AnyNode => true,
            Selector::AnyMaster => owns(node, &|bus| bus.table.peer(bus.myself).slot_count > 0),
            Selector::AnyReplica => master_of(node).is_some(),
            Selector::OwnerOf(slot) => owns(node, &|bus| bus.slots.owner(slot) == Some(bus.myself)),
            Selector::ReplicaOf(master) => master_of(node).is_some_and(|of| Some(of) == id(master)),
            Selector::MasterOf(replica) => {
                id(node).is_some_and(|id| master_of(replica) == Some(id))
            }
        };
        let all = self.plan.roster.members();
        match selector {
            // It need not run itself.
            Selector::MasterOf(_) => all.filter(fits).collect(),
            _ => all.filter(runs).filter(fits).collect(),
        }
    }

    /// A step with its names replaced by what they stand for now.
    pub(super) fn resolved(&self, planned: &PlannedStep) -> Outcome<PlannedStep> {
        let expand =
            |text: &str| template::expand(text, |braces| self.value(braces, planned.round));
        let expanded = expand(&planned.text);
        let text = expanded.text.clone();
        let line = Line::expanded(expanded, planned.span.clone(), &self.plan.source);
        let context = Context { roster: &self.plan.roster, start: self.plan.header.start };
        let mut step = match step::parse(&line, context) {
            Ok(Entry::Step { step, .. }) => step,
            Ok(Entry::Typed(_)) => planned.step.clone(),
            Err(mistake) => {
                return self.fail(Ending::Impossible, mistake.message, mistake.label);
            }
        };
        if let (Step::Command(Command::RedisCli(now)), Step::Command(Command::RedisCli(then))) =
            (&mut step, &planned.step)
        {
            now.typed.clone_from(&then.typed);
            now.typed.iter_mut().for_each(|typed| typed.text = expand(&typed.text).text);
        }
        Ok(PlannedStep { text, step, ..planned.clone() })
    }

    fn value(&self, braces: &str, round: Option<u64>) -> Option<String> {
        let named = |name: &str| self.names.get(name).copied();
        Some(match template::meaning(braces, &self.plan.roster, named)? {
            Meaning::Name(node) => self.plan.name(node),
            Meaning::Id(node) => id_of(&self.world, node)?.to_string(),
            Meaning::Port(node) => self.world.address(node).port().to_string(),
            Meaning::Number(number) => number.to_string(),
            Meaning::Round => round?.to_string(),
        })
    }
}
