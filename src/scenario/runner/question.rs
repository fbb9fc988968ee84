//! Answers to conditions: asks nodes for what they know, the way a person would.

use crate::id::NodeId;
use crate::network::NodeNo;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::flags::Flags;
use crate::node::table::PeerIx;
use crate::node::value::Value;
use crate::scenario::condition::{Condition, Field, Operand, SIGHTS, Sight, State};
use crate::scenario::plan::Plan;
use crate::slot::Slot;
use crate::world::{ProcessStatus, World};

/// A condition that is asked again and again.
pub(super) struct Question<'a> {
    plan: &'a Plan,
    condition: &'a Condition,
    /// The last command's output.
    output: &'a str,
    /// The node that said no last time: it is asked first the next time, which in a large cluster
    /// mostly spares asking all others.
    suspect: NodeNo,
}

impl<'a> Question<'a> {
    pub(super) fn new(plan: &'a Plan, condition: &'a Condition, output: &'a str) -> Question<'a> {
        Question { plan, condition, output, suspect: NodeNo(0) }
    }

    /// Whether it is so now.
    pub(super) fn holds(&mut self, world: &World) -> bool {
        self.ask(world, self.condition)
    }

    fn ask(&mut self, world: &World, condition: &Condition) -> bool {
        match condition {
            Condition::Not(inner) => !self.ask(world, inner),
            Condition::Every(each) => {
                let mut running = each.iter().filter(|(node, _)| is_up(world, *node)).peekable();
                running.peek().is_some() && running.all(|(_, inner)| self.ask(world, inner))
            }
            Condition::EpochsDiffer => self.all_say(world, |_, bus| epochs_differ(bus)),
            Condition::Cluster(state) => {
                let ok = *state == State::Ok;
                self.all_say(world, |_, bus| bus.state_ok == ok)
            }
            Condition::NodesAgree => self.nodes_agree(world),
            Condition::SlotOwner(slot, owner) => {
                let id = owner.map(|owner| id_of(world, owner));
                self.all_say(world, |world, bus| match id {
                    None => bus.slots.owner(*slot).is_none(),
                    Some(id) => id.is_some() && owner_id(world, bus, *slot) == id,
                })
            }
            Condition::Running(node, running) => is_up(world, *node) == *running,
            Condition::State(node, state) => {
                let ok = *state == State::Ok;
                bus_of(world, *node).is_some_and(|bus| bus.state_ok == ok)
            }
            Condition::Knows(node, count) => {
                bus_of(world, *node).is_some_and(|bus| bus.table.len() as u64 == *count)
            }
            Condition::Sees(node, subject, sight) => self.sees(world, *node, *subject, *sight),
            Condition::Field(node, field, comparison, value) => {
                bus_of(world, *node).is_some_and(|bus| {
                    let right = match value {
                        Operand::Number(value) => *value,
                        Operand::Field(other) => number(bus, other),
                    };
                    comparison.holds(number(bus, field), right)
                })
            }
            Condition::Key(node, key, value) => {
                let found = world.node(*node).and_then(|node| node.keys.get(key.as_bytes()));
                found.is_some_and(|found| found.value == Value::String(value.as_bytes().to_vec()))
            }
            Condition::Output(text) => self.output.contains(text.as_str()),
        }
    }

    /// Whether at least one node of the cluster runs, and all that do say yes.
    fn all_say(&mut self, world: &World, says: impl Fn(&World, &Bus) -> bool) -> bool {
        let no = |node: NodeNo| {
            is_up(world, node) && bus_of(world, node).is_some_and(|bus| !says(world, bus))
        };
        if no(self.suspect) {
            return false;
        }
        match self.plan.roster.members().find(|&node| no(node)) {
            Some(node) => {
                self.suspect = node;
                false
            }
            None => self.plan.roster.members().any(|node| is_up(world, node)),
        }
    }

    fn nodes_agree(&mut self, world: &World) -> bool {
        let first = self.plan.roster.members().find(|&node| is_up(world, node));
        let Some(first) = first.and_then(|first| bus_of(world, first)) else { return false };
        // Where each owner's slots begin and end, which is the same if all have the same owners.
        let owners = |bus: &Bus| {
            let name = |(first, last, owner)| (first, last, bus.table.node(owner));
            bus.slots.runs().map(name).collect::<Vec<_>>()
        };
        let theirs = owners(first);
        self.all_say(world, |_, bus| owners(bus) == theirs)
    }

    fn sees(&self, world: &World, node: NodeNo, subject: NodeNo, sight: Sight) -> bool {
        let Some(observer) = bus_of(world, node) else { return false };
        let peers = self.peers(world, observer, subject);
        let is = |peer: PeerIx| looks(observer, peer, sight);
        match sight {
            Sight::Unknown => peers.is_empty(),
            _ => peers.into_iter().any(is),
        }
    }

    /// The entries of a node's table for another node: by its id, else by its address, under which
    /// it is listed while it is greeted and has no name yet.
    fn peers(&self, world: &World, observer: &Bus, subject: NodeNo) -> Vec<PeerIx> {
        let table = &observer.table;
        let by_id = id_of(world, subject).and_then(|id| table.find_id(world.ids(), id));
        if let Some(peer) = by_id {
            return vec![peer];
        }
        let address = world.address(subject);
        let at_address = |&peer: &PeerIx| {
            let endpoint = world.ids().endpoint(table.endpoint(peer));
            endpoint.port == address.port() && endpoint.ip == Some(address.ip())
        };
        table.order().iter().copied().filter(at_address).collect()
    }

    /// What is so instead, in a few words.
    pub(super) fn found(&self, world: &World) -> String {
        self.describe(world, self.condition)
    }

    fn describe(&self, world: &World, condition: &Condition) -> String {
        match condition {
            Condition::Not(inner) => {
                let found = self.describe(world, inner);
                if found.is_empty() { "it is so".to_owned() } else { format!("found: {found}") }
            }
            Condition::Cluster(_) => self.tally(world, |_, bus| state_word(bus).to_owned()),
            Condition::Every(each) => {
                let mut running = each.iter().filter(|(node, _)| is_up(world, *node));
                let Some((node, inner)) = running
                    .find(|(_, inner)| !Question::new(self.plan, inner, self.output).holds(world))
                else {
                    return "no node runs".to_owned();
                };
                format!("{}: {}", self.plan.name(*node), self.describe(world, inner))
            }
            Condition::NodesAgree => "they do not".to_owned(),
            Condition::EpochsDiffer => self.tally(world, |_, bus| {
                if epochs_differ(bus) { "they do".to_owned() } else { "they do not".to_owned() }
            }),
            Condition::SlotOwner(slot, _) => {
                self.tally(world, |world, bus| self.owner_name(world, owner_id(world, bus, *slot)))
            }
            Condition::Running(node, _) => format!("it is {}", status_word(world.status(*node))),
            Condition::State(node, _)
            | Condition::Knows(node, _)
            | Condition::Sees(node, ..)
            | Condition::Field(node, ..) => match bus_of(world, *node) {
                None => self.does_not_run(*node),
                Some(bus) => self.describe_view(world, bus, condition),
            },
            Condition::Key(node, key, _) => match world.node(*node) {
                None => self.does_not_run(*node),
                Some(node) => describe_key(node, key),
            },
            Condition::Output(_) if self.output.trim().is_empty() => "there was none".to_owned(),
            Condition::Output(_) => format!("the output was: {}", self.output.trim_end()),
        }
    }

    fn does_not_run(&self, node: NodeNo) -> String {
        format!("{} does not run", self.plan.name(node))
    }

    fn describe_view(&self, world: &World, bus: &Bus, condition: &Condition) -> String {
        match condition {
            Condition::State(..) => state_word(bus).to_owned(),
            Condition::Knows(..) => bus.table.len().to_string(),
            Condition::Field(_, field, ..) => number(bus, field).to_string(),
            Condition::Sees(_, subject, _) => {
                let peers = self.peers(world, bus, *subject);
                let Some(&peer) = peers.first() else { return "it is unknown".to_owned() };
                let words = SIGHTS.iter().filter(|(_, sight)| looks(bus, peer, *sight));
                words.map(|(word, _)| *word).collect::<Vec<_>>().join(", ")
            }
            _ => String::new(),
        }
    }

    /// What the running nodes of the cluster say, and which say what.
    fn tally(&self, world: &World, says: impl Fn(&World, &Bus) -> String) -> String {
        let mut answers: Vec<(String, Vec<String>)> = Vec::new();
        for no in self.plan.roster.members().filter(|&node| is_up(world, node)) {
            let Some(bus) = bus_of(world, no) else { continue };
            let answer = says(world, bus);
            match answers.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, names)) => names.push(self.plan.name(no)),
                None => answers.push((answer, vec![self.plan.name(no)])),
            }
        }
        let tell = |(answer, names): &(String, Vec<String>)| match names.len() {
            1 => format!("{} says {answer}", names.join(", ")),
            2..=8 => format!("{} say {answer}", names.join(", ")),
            many => format!("{many} nodes say {answer}"),
        };
        match answers.as_slice() {
            [] => "no node runs".to_owned(),
            answers => answers.iter().map(tell).collect::<Vec<_>>().join("; "),
        }
    }

    fn owner_name(&self, world: &World, id: Option<NodeId>) -> String {
        let Some(id) = id else { return "none".to_owned() };
        let node = self.plan.roster.all().find(|&node| id_of(world, node) == Some(id));
        node.map_or_else(|| id.to_string(), |node| self.plan.name(node))
    }
}

/// What a running node knows of its cluster; a plain server knows of none.
fn bus_of(world: &World, node: NodeNo) -> Option<&Bus> {
    world.node(node)?.cluster()
}

/// What a node has at a key.
fn describe_key(node: &Node, key: &str) -> String {
    match node.keys.get(key.as_bytes()).map(|entry| &entry.value) {
        None => "there is no such key".to_owned(),
        Some(Value::String(value)) => format!("{:?}", String::from_utf8_lossy(value)),
        Some(_) => "it holds no string".to_owned(),
    }
}

/// A node's id: what its process says, or what its nodes.conf says, or what it began with.
pub(super) fn id_of(world: &World, node: NodeNo) -> Option<NodeId> {
    if let Some(running) = world.node(node) {
        return running.cluster().map(|bus| bus.id_of(world.ids(), bus.myself));
    }
    let saved = world.disk(node)?.nodes_conf.as_deref().and_then(|text| {
        let myself = text.lines().find(|line| line.contains("myself"))?;
        myself.split(' ').next()?.parse().ok()
    });
    saved.or_else(|| world.first_id(node))
}

/// Whether no two masters of a node's table have the same config epoch.
fn epochs_differ(bus: &Bus) -> bool {
    let table = &bus.table;
    let masters = table.order().iter().filter(|&&peer| table.flags(peer).is_master());
    let mut epochs: Vec<_> = masters.map(|&peer| table.peer(peer).config_epoch).collect();
    epochs.sort_unstable();
    epochs.windows(2).all(|pair| pair[0] != pair[1])
}

/// Whether a node's process runs and takes part in the cluster.
fn is_up(world: &World, node: NodeNo) -> bool {
    matches!(world.status(node), ProcessStatus::Running | ProcessStatus::Blocked)
}

fn owner_id(world: &World, bus: &Bus, slot: Slot) -> Option<NodeId> {
    bus.slots.owner(slot).map(|owner| world.ids().id(bus.table.node(owner)))
}

/// A number of a node's CLUSTER INFO.
pub(super) fn number(bus: &Bus, field: &Field) -> u64 {
    let text = bus.info_text();
    let line = text.lines().find_map(|line| line.strip_prefix(field.0.as_str())?.strip_prefix(':'));
    // Counters of messages that were never sent are left out (§10.1).
    line.and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn state_word(bus: &Bus) -> &'static str {
    if bus.state_ok { "ok" } else { "fail" }
}

fn status_word(status: ProcessStatus) -> &'static str {
    match status {
        ProcessStatus::Down => "stopped",
        ProcessStatus::Starting => "starting",
        ProcessStatus::Running => "running",
        ProcessStatus::Paused => "paused",
        ProcessStatus::Blocked => "busy",
        ProcessStatus::Crashing => "crashing",
    }
}

/// Whether the line of CLUSTER NODES for a peer would say so.
fn looks(bus: &Bus, peer: PeerIx, sight: Sight) -> bool {
    let flags = bus.table.flags(peer);
    let connected = bus.table.link(peer).is_some() || peer == bus.myself;
    match sight {
        Sight::Fail => flags.any(Flags::FAIL),
        Sight::Pfail => flags.any(Flags::PFAIL),
        Sight::Handshake => flags.any(Flags::HANDSHAKE),
        Sight::Master => flags.is_master(),
        Sight::Replica => flags.is_replica(),
        Sight::Connected => connected,
        Sight::Disconnected => !connected,
        Sight::Ok => {
            !flags.is_failing() && !flags.any(Flags::HANDSHAKE) && !flags.any(Flags::NOADDR)
        }
        Sight::Unknown => false,
    }
}
