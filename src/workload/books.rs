//! The books of a workload: a page for each key.
//!
//! A page says how far the key has been counted by the node that holds it rightfully, and which of
//! the numbers up to there were acknowledged. When the key passes to another data set (a replica is
//! promoted, a process comes back), the number that it has *there* is looked up, and whatever was
//! acknowledged beyond it is lost by that event. What a master acknowledges after another one was
//! promoted in its place is lost from the start: it will drop its data when it finds out.
//!
//! A list is counted by its elements, and only as far as each acknowledged one stands where the reply
//! said: what is behind the first wrong element is not there.

mod history;

use std::collections::{BTreeMap, VecDeque};

use crate::network::NodeNo;
use crate::node::bus::Bus;
use crate::node::keyspace::Value;
use crate::node::{Node, number};
use crate::slot::{SLOTS, Slot, SlotSet};
use crate::time::Time;
use crate::workload::books::history::{Acknowledged, History};
use crate::workload::chronicle::Turn;
use crate::workload::event::{Cause, Event};
use crate::workload::settings::{Settings, Write};
use crate::world::World;

/// An acknowledged write that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Its key.
    pub key: String,
    /// The number that it brought the key to.
    pub value: u32,
    /// When it was acknowledged and by which node, if it is not too long ago to be remembered.
    pub acknowledged: Option<(Time, NodeNo)>,
    /// Which of the [events](crate::workload::Summary::events) took it.
    pub event: usize,
}

/// A key, by its number among all keys of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) u32);

/// What is known of an acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// The number that it brought its key to; 0 if somebody else had set the key below that.
    pub(crate) value: u32,
    /// Which write of the workload it is: what it appended to a list.
    pub(crate) number: u64,
}

/// What the acknowledged writes appended to a list, by its length after them.
type Elements = BTreeMap<u32, u64>;

#[derive(Debug)]
struct Page {
    name: Box<[u8]>,
    slot: Slot,
    /// How far the rightful holder has counted, as far as is known.
    value: u32,
    /// How far the key had been counted when the present holder got it.
    inherited: u32,
    acknowledged: History,
    /// If it is a list.
    elements: Option<Elements>,
}

/// A master in whose place another node was promoted and that does not know it.
#[derive(Debug, Clone, Copy)]
struct Deposed {
    heir: NodeNo,
    epoch: u64,
    /// The event that what it acknowledges is lost by, once there is any.
    merge: Option<usize>,
}

/// The books of a workload.
#[derive(Debug)]
pub(crate) struct Books {
    pages: Vec<Page>,
    /// Who holds each slot rightfully.
    holders: Box<[Option<NodeNo>]>,
    deposed: BTreeMap<NodeNo, Deposed>,
    pub(crate) events: Vec<Event>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) failovers: u64,
}

/// What the data sets hold in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Balance {
    /// Acknowledged writes that are there.
    pub(crate) kept: u64,
    /// Acknowledged writes to slots that nobody serves.
    pub(crate) unknown: u64,
    /// Writes that are there and were not acknowledged.
    pub(crate) applied: u64,
}

impl Books {
    pub(crate) fn new(settings: &Settings) -> Books {
        let keys = (0..settings.clients).flat_map(|client| {
            (0..settings.keys).map(move |key| format!("{}:{client}:{key}", settings.prefix))
        });
        let page = |name: String| Page {
            slot: Slot::of_key(name.as_bytes()),
            name: name.into_bytes().into(),
            value: 0,
            inherited: 0,
            acknowledged: History::default(),
            elements: (settings.command == Write::Push).then(Elements::default),
        };
        Books {
            pages: keys.map(page).collect(),
            holders: vec![None; usize::from(SLOTS)].into(),
            deposed: BTreeMap::new(),
            events: Vec::new(),
            losses: Vec::new(),
            failovers: 0,
        }
    }

    /// Looks up who holds which slot, when the workload begins.
    pub(crate) fn look_around(&mut self, world: &World) {
        self.holders = owners(world);
    }

    #[inline]
    pub(crate) fn slot(&self, key: Key) -> Slot {
        self.pages[key.0 as usize].slot
    }

    pub(crate) fn name(&self, key: Key) -> &[u8] {
        &self.pages[key.0 as usize].name
    }

    /// How far a key has certainly been counted.
    pub(crate) fn value(&self, key: Key) -> u32 {
        self.pages[key.0 as usize].value
    }

    /// A write was acknowledged.
    pub(crate) fn acknowledged(&mut self, key: Key, written: Written, by: NodeNo, now: Time) {
        let Written { value, number } = written;
        let page = &self.pages[key.0 as usize];
        let slot = page.slot.index();
        let is_deposed = self.holders[slot] != Some(by) && self.deposed.contains_key(&by);
        if is_deposed {
            if value > page.inherited || value == 0 {
                let event = self.merge_of(by, now);
                self.lose(key, value, Some((now, by)), event);
                return;
            }
        } else {
            if value <= page.value {
                let event = self.event(now, Cause::Unseen(by));
                self.cut_back(key, value.saturating_sub(1), event);
                if value == 0 {
                    // The key does not count this write, so it is not there either.
                    self.lose(key, value, Some((now, by)), event);
                    return;
                }
            }
            self.holders[slot] = Some(by);
        }
        let page = &mut self.pages[key.0 as usize];
        page.value = page.value.max(value);
        page.acknowledged.note(Acknowledged { at: now, value, by });
        if let Some(elements) = &mut page.elements {
            elements.insert(value, number);
        }
    }

    /// The event by which is lost what a deposed master acknowledges.
    fn merge_of(&mut self, master: NodeNo, now: Time) -> usize {
        let next = self.events.len();
        let Some(deposed) = self.deposed.get_mut(&master) else {
            return self.event(now, Cause::Unseen(master));
        };
        let Deposed { heir, epoch, .. } = *deposed;
        let merge = *deposed.merge.get_or_insert(next);
        if merge == next {
            self.event(now, Cause::Merge { master, heir, epoch, over: false });
        }
        merge
    }

    fn event(&mut self, at: Time, cause: Cause) -> usize {
        self.events.push(Event { at, cause, lost: 0 });
        self.events.len() - 1
    }

    fn lose(&mut self, key: Key, value: u32, acknowledged: Option<(Time, NodeNo)>, event: usize) {
        self.events[event].lost += 1;
        let key = String::from_utf8_lossy(self.name(key)).into_owned();
        self.losses.push(Loss { key, value, acknowledged, event });
    }

    /// The key has been counted only so far: what was acknowledged beyond it is lost.
    fn cut_back(&mut self, key: Key, value: u32, event: usize) {
        while let Some((lost, acknowledged)) =
            self.pages[key.0 as usize].acknowledged.take_beyond(value)
        {
            self.lose(key, lost, acknowledged, event);
        }
        let page = &mut self.pages[key.0 as usize];
        page.value = value;
        page.inherited = value;
        if let Some(elements) = &mut page.elements {
            elements.split_off(&(value + 1));
        }
    }

    /// Looks at what a node holds of the keys of some slots, which are its own from now on.
    fn take_stock(
        &mut self,
        world: &World,
        node: NodeNo,
        its: &Node,
        event: usize,
        slots: &SlotSet,
    ) {
        for number in 0..self.pages.len() {
            let page = &self.pages[number];
            if slots.contains(page.slot) {
                let value = page.found(world, its);
                self.cut_back(Key(number as u32), value, event);
            }
        }
        for slot in slots.iter() {
            self.holders[slot.index()] = Some(node);
        }
    }

    /// Takes a turn into account, at the moment at which it is taken.
    pub(crate) fn turn(&mut self, world: &World, at: Time, node: NodeNo, turn: Turn) {
        match turn {
            Turn::Promoted => self.promoted(world, at, node),
            Turn::Loaded => {
                let merge = self.deposed.remove(&node).and_then(|deposed| deposed.merge);
                if let Some(Event { at: when, cause: Cause::Merge { over, .. }, .. }) =
                    merge.map(|merge| &mut self.events[merge])
                {
                    (*when, *over) = (at, true);
                }
            }
            Turn::Flushed => self.data_changed(world, at, node, Cause::Flush(node)),
            Turn::Serving => self.data_changed(world, at, node, Cause::Restart(node)),
        }
    }

    fn promoted(&mut self, world: &World, at: Time, heir: NodeNo) {
        self.failovers += 1;
        self.deposed.remove(&heir);
        let Some(its) = world.node(heir) else { return };
        let Some(bus) = its.cluster() else { return };
        let slots = own_slots(bus);
        let epoch = bus.table.peer(bus.myself).config_epoch.0;
        let mut before: Vec<NodeNo> = slots
            .iter()
            .filter_map(|slot| self.holders[slot.index()])
            .filter(|&holder| holder != heir)
            .collect();
        before.sort_unstable();
        before.dedup();
        for &master in &before {
            self.deposed.insert(master, Deposed { heir, epoch, merge: None });
        }
        let master = before.first().copied();
        let event = self.event(at, Cause::Failover { heir, master, epoch });
        self.take_stock(world, heir, its, event, &slots);
    }

    /// A node has got other data. What was in slots that have moved elsewhere, or that another node
    /// was promoted for, is not its to lose.
    fn data_changed(&mut self, world: &World, at: Time, node: NodeNo, cause: Cause) {
        let Some(its) = world.node(node) else { return };
        let Some(bus) = its.cluster() else { return };
        let heir = self.deposed.get(&node).map(|deposed| deposed.heir);
        let is_its = |slot: &Slot| heir.is_none() || self.holders[slot.index()] != heir;
        let slots: SlotSet = own_slots(bus).iter().filter(is_its).collect();
        let event = self.event(at, cause);
        self.take_stock(world, node, its, event, &slots);
        if self.events[event].lost == 0 {
            self.events.pop();
        }
    }

    /// What there is in the end of all that was written.
    pub(crate) fn balance(&mut self, world: &World) -> Balance {
        let owners = owners(world);
        let mut balance = Balance::default();
        for number in 0..self.pages.len() {
            let key = Key(number as u32);
            let page = &self.pages[number];
            let owner = owners[page.slot.index()];
            let Some((owner, its)) = owner.and_then(|owner| Some((owner, world.node(owner)?)))
            else {
                balance.unknown += page.acknowledged.count();
                continue;
            };
            let value = page.found(world, its);
            if value < page.acknowledged.last_value() {
                let event = self.event(world.now(), Cause::Unseen(owner));
                self.cut_back(key, value, event);
            }
            let page = &self.pages[number];
            let kept = page.acknowledged.count();
            balance.kept += kept;
            balance.applied += u64::from(value).saturating_sub(kept);
        }
        balance
    }
}

impl Page {
    /// How far the key has been counted where it is found: at the owner of its slot, or, if that has
    /// given it away already, at the master that the slot is being moved to.
    fn found(&self, world: &World, owner: &Node) -> u32 {
        let value = self.count(owner);
        if value >= self.acknowledged.last_value() {
            return value;
        }
        let nodes = (0..world.node_count() as u32).filter_map(|node| world.node(NodeNo(node)));
        let imports = |node: &&Node| {
            node.cluster().is_some_and(|bus| bus.slots.importing.contains_key(&self.slot))
        };
        let imported = nodes.filter(imports).map(|node| self.count(node));
        imported.fold(value, u32::max)
    }

    /// How far the key has been counted in a node's data.
    fn count(&self, node: &Node) -> u32 {
        match (node.keys.get(&*self.name).map(|entry| &entry.value), &self.elements) {
            (Some(Value::String(text)), None) => counted(text),
            (Some(Value::List(list)), Some(elements)) => in_place(list, elements),
            _ => 0,
        }
    }
}

/// How long a list is up to the first element that is not where it was acknowledged to be.
fn in_place(list: &VecDeque<Vec<u8>>, elements: &Elements) -> u32 {
    let is_other = |text: &Vec<u8>, element: u64| {
        number::parse(text).and_then(|its| u64::try_from(its).ok()) != Some(element)
    };
    let mut places = elements.iter().map(|(&length, &element)| (length - 1, element));
    let wrong = places.find(|&(place, element)| {
        list.get(place as usize).is_some_and(|text| is_other(text, element))
    });
    wrong.map_or(list.len() as u32, |(place, _)| place)
}

/// How far a key has been counted that has this value.
pub(crate) fn counted(text: &[u8]) -> u32 {
    number::parse(text).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// The slots that a node says are its own.
fn own_slots(bus: &Bus) -> SlotSet {
    let mut slots = SlotSet::default();
    for (first, last, _) in bus.slots.runs().filter(|&(_, _, owner)| owner == bus.myself) {
        slots.insert_run(first, last);
    }
    slots
}

/// Who owns each slot: of the masters that say so of themselves, the one with the greatest config
/// epoch.
fn owners(world: &World) -> Box<[Option<NodeNo>]> {
    let mut owners: Box<[Option<(u64, NodeNo)>]> = vec![None; usize::from(SLOTS)].into();
    for number in (0..world.node_count() as u32).map(NodeNo) {
        let Some(bus) = world.node(number).and_then(Node::cluster) else { continue };
        if !bus.is_master() {
            continue;
        }
        let claim = Some((bus.table.peer(bus.myself).config_epoch.0, number));
        for slot in own_slots(bus).iter() {
            let owner = &mut owners[slot.index()];
            *owner = (*owner).max(claim);
        }
    }
    owners.iter().map(|owner| owner.map(|(_, node)| node)).collect()
}

#[cfg(test)]
mod tests;
