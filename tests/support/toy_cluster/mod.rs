//! A cluster of one mind: servers that answer what `redis-cli` asks, with the order of nodes, ids and
//! keys that a test wants.
//!
//! There is no gossip and no time here. What a server says of itself is what all others say of it,
//! except where a test tells them otherwise. That is enough to replay recordings of the real tool to
//! the byte, which virtual clusters cannot do as long as the order of their tables is their own.

mod answers;
mod host;

use std::collections::{BTreeMap, VecDeque};

use redis_cluster_sim::resp::{Args, Reply};
use redis_cluster_sim::slot::{Slot, SlotSet};

use super::glibc_rand::GlibcRand;

/// A server.
#[derive(Debug, Clone)]
pub struct ToyNode {
    pub id: String,
    pub address: String,
    pub master: Option<String>,
    pub slots: SlotSet,
    /// Slot, `->-` or `-<-`, and the id of the other node.
    pub open: BTreeMap<u16, (&'static str, String)>,
    pub keys: ToyKeys,
    pub alive: bool,
    /// What others say of it: `master`, `slave`, `master,fail`; derived if empty.
    pub seen_as: String,
    /// The addresses of those it knows, in the order of its table.
    pub knows: Vec<String>,
    /// Slots that others believe it to own, without its doing.
    pub rumoured: SlotSet,
    pub in_cluster_mode: bool,
    pub password: Option<String>,
    pub config_epoch: u64,
    /// Replies that are given instead of the right ones: the beginning of the command, how often it
    /// is answered rightly before, and the reply.
    pub scripted: Vec<(String, u32, Reply)>,
    queued: Option<Vec<Args>>,
}

/// What is written to standard input at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Lines at a terminal, which shows them.
    Lines(VecDeque<Vec<u8>>),
    /// Bytes in a pipe.
    Pipe(Vec<u8>),
}

/// Toy servers, and a terminal in front of them.
#[derive(Debug)]
pub struct ToyCluster {
    pub nodes: Vec<ToyNode>,
    pub typed: Typed,
    rest: Vec<u8>,
    /// Everything printed, in order.
    pub printed: Vec<u8>,
    /// Everything sent, in order: `ADDRESS <- COMMAND`.
    pub wire: Vec<String>,
    pub files: BTreeMap<String, Vec<u8>>,
    pub directory_exists: bool,
    /// What the clock shows.
    pub second: i64,
    /// The recording depends on what the tool drew.
    pub draws_matter: bool,
    /// `cluster-require-full-coverage`, which matters to virtual nodes only.
    pub full_coverage: bool,
    /// What the toys are told to answer is what real nodes answer.
    pub scripts_are_natural: bool,
    /// In which order nodes are listed, if not in the order in which they became known.
    pub order: Vec<String>,
    /// How many sleeps it takes until those who have met know each other.
    pub join_after: u32,
    sleeps: u32,
    met: Vec<(usize, usize)>,
    connections: Vec<(usize, bool)>,
    draws: GlibcRand,
}

/// Keys and values by slot.
#[derive(Debug, Clone, Default)]
pub struct ToyKeys(BTreeMap<u16, BTreeMap<Vec<u8>, Vec<u8>>>);

impl ToyKeys {
    pub fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.entry(Slot::of_key(&key).number()).or_default().insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get_mut(&Slot::of_key(key).number())?.remove(key)
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.0.get(&Slot::of_key(key).number())?.get(key)
    }

    pub(super) fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.0.values().flatten()
    }

    /// The slots of which there are keys.
    pub fn slots(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter(|(_, keys)| !keys.is_empty()).map(|(slot, _)| *slot)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.values().flat_map(BTreeMap::keys)
    }

    /// The keys of a slot, ascending.
    pub(super) fn of_slot(&self, slot: u16) -> impl Iterator<Item = &Vec<u8>> {
        self.0.get(&slot).into_iter().flat_map(BTreeMap::keys)
    }
}

impl FromIterator<(Vec<u8>, Vec<u8>)> for ToyKeys {
    fn from_iter<I: IntoIterator<Item = (Vec<u8>, Vec<u8>)>>(pairs: I) -> ToyKeys {
        let mut keys = ToyKeys::default();
        pairs.into_iter().for_each(|(key, value)| keys.insert(key, value));
        keys
    }
}

impl ToyNode {
    pub fn new(id: &str, address: &str) -> ToyNode {
        ToyNode {
            id: id.to_owned(),
            address: address.to_owned(),
            master: None,
            slots: SlotSet::default(),
            open: BTreeMap::new(),
            keys: ToyKeys::default(),
            alive: true,
            seen_as: String::new(),
            knows: Vec::new(),
            rumoured: SlotSet::default(),
            in_cluster_mode: true,
            password: None,
            config_epoch: 1,
            scripted: Vec::new(),
            queued: None,
        }
    }

    /// The slots that it owns by its own account, or by that of others.
    pub fn believed_slots(&self, by_itself: bool) -> SlotSet {
        let mut slots = self.slots.clone();
        if !by_itself {
            self.rumoured.iter().for_each(|slot| slots.insert(slot));
        }
        slots
    }

    pub(super) fn role(&self) -> &'static str {
        if self.master.is_some() { "slave" } else { "master" }
    }
}

impl ToyCluster {
    pub fn new(nodes: Vec<ToyNode>) -> ToyCluster {
        ToyCluster {
            nodes,
            typed: Typed::Pipe(Vec::new()),
            rest: Vec::new(),
            printed: Vec::new(),
            wire: Vec::new(),
            files: BTreeMap::new(),
            directory_exists: true,
            second: 0,
            draws_matter: false,
            full_coverage: true,
            scripts_are_natural: false,
            order: Vec::new(),
            join_after: 1,
            sleeps: 0,
            met: Vec::new(),
            connections: Vec::new(),
            draws: GlibcRand::new(1),
        }
    }

    /// Everybody knows everybody, in the order of the list.
    pub fn introduce_all(&mut self) {
        let all: Vec<String> = self.nodes.iter().map(|node| node.address.clone()).collect();
        for node in &mut self.nodes {
            node.knows = all.iter().filter(|&address| *address != node.address).cloned().collect();
        }
    }

    /// The server on this port.
    pub fn at(&mut self, port: u16) -> &mut ToyNode {
        let end = format!(":{port}");
        self.nodes.iter_mut().find(|node| node.address.ends_with(&end)).expect("a node on the port")
    }

    pub fn id(&mut self, port: u16) -> String {
        self.at(port).id.clone()
    }

    pub fn migrating(&mut self, slot: u16, from: u16, to: u16) {
        let id = self.id(to);
        self.at(from).open.insert(slot, ("->-", id));
    }

    pub fn importing(&mut self, slot: u16, to: u16, from: u16) {
        let id = self.id(from);
        self.at(to).open.insert(slot, ("-<-", id));
    }

    /// Gives a server keys of a slot that no test looks at.
    pub fn fill_up(&mut self, port: u16, count: usize) {
        let node = self.at(port);
        let tag = node.slots.iter().last().map_or(String::new(), |slot| tag_of(slot.number()));
        let name = |number| format!("filler{{{tag}}}{number}").into_bytes();
        node.keys = (0..count).map(|number| (name(number), Vec::new())).collect();
    }

    /// Gives a server keys of a slot, in exchange for others that it has.
    pub fn fill(&mut self, port: u16, slot: u16, count: usize) {
        let tag = tag_of(slot);
        let node = self.at(port);
        for _ in 0..count {
            let filler = node.keys.all().find(|key| key.starts_with(b"filler")).cloned();
            filler.map(|key| node.keys.remove(&key));
        }
        let start = node.keys.of_slot(slot).count();
        for number in start..start + count {
            node.keys.insert(format!("{{{tag}}}{port}-{number}").into_bytes(), b"value".to_vec());
        }
    }

    /// Takes a server away, as if it had never been.
    pub fn remove(&mut self, port: u16) {
        let address = self.at(port).address.clone();
        self.nodes.retain(|node| node.address != address);
        for node in &mut self.nodes {
            node.knows.retain(|known| *known != address);
        }
    }

    /// A server that nobody knows.
    pub fn add_stranger(&mut self, port: u16) {
        let address = format!("127.0.0.1:{port}");
        self.nodes.push(ToyNode::new(&format!("{port:0<40}"), &address));
    }

    /// What would be drawn first in a second.
    pub fn would_draw(&self, second: i64, bound: u32) -> u32 {
        GlibcRand::new(second as u32).next() % bound
    }

    pub(super) fn by_address(&self, address: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.address == address)
    }

    pub(super) fn by_id(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }
}

/// A hash tag of a slot.
pub fn tag_of(slot: u16) -> String {
    (0..)
        .map(|number| format!("k{number}"))
        .find(|tag| Slot::of_key(tag.as_bytes()).number() == slot)
        .unwrap()
}
