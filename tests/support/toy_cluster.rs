//! A cluster of one mind: servers that answer what `redis-cli` asks, with the order of nodes, ids and
//! keys that a test wants.
//!
//! There is no gossip and no time here. What a server says of itself is what all others say of it,
//! except where a test tells them otherwise. That is enough to replay recordings of the real tool to
//! the byte, which virtual clusters cannot do as long as the order of their tables is their own.

use std::collections::{BTreeMap, VecDeque};

use redis_cluster_sim::admin::{Address, Channel, Connection, Echo, Host, Lost};
use redis_cluster_sim::resp::{Args, Reply};
use redis_cluster_sim::slot::{Slot, SlotSet};
use redis_cluster_sim::time::{Span, Wall};

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

    fn remove(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.get_mut(&Slot::of_key(key).number())?.remove(key)
    }

    fn get(&self, key: &[u8]) -> Option<&Vec<u8>> {
        self.0.get(&Slot::of_key(key).number())?.get(key)
    }

    fn len(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.0.values().flatten()
    }

    /// The slots of which there are keys.
    pub fn slots(&self) -> impl Iterator<Item = u16> {
        self.0.iter().filter(|(_, keys)| !keys.is_empty()).map(|(slot, _)| *slot)
    }

    fn all(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.0.values().flat_map(BTreeMap::keys)
    }

    /// The keys of a slot, ascending.
    fn of_slot(&self, slot: u16) -> impl Iterator<Item = &Vec<u8>> {
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

    fn role(&self) -> &'static str {
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

    fn by_address(&self, address: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.address == address)
    }

    fn by_id(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    fn answer(&mut self, number: usize, words: &Args) -> Reply {
        let line = text_of(words);
        let node = &mut self.nodes[number];
        for (start, spared, reply) in &mut node.scripted {
            if line.starts_with(start.as_str()) {
                if *spared == 0 {
                    return reply.clone();
                }
                *spared -= 1;
            }
        }
        if let Some(queued) = &mut node.queued
            && line != "EXEC"
        {
            queued.push(words.clone());
            return Reply::Status("QUEUED".into());
        }
        self.execute(number, words)
    }

    fn execute(&mut self, number: usize, words: &Args) -> Reply {
        let line = text_of(words).to_ascii_uppercase();
        let word = |at: usize| String::from_utf8_lossy(&words[at]).into_owned();
        let node = &mut self.nodes[number];
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["INFO"] => Reply::bulk(info(node)),
            ["DBSIZE"] => Reply::Int(node.keys.len() as i64),
            ["PING"] => Reply::Status("PONG".into()),
            ["ECHO", ..] => Reply::bulk(word(1)),
            ["MULTI"] => {
                node.queued = Some(Vec::new());
                Reply::ok()
            }
            ["EXEC"] => {
                let queued = node.queued.take().unwrap_or_default();
                Reply::Array(queued.iter().map(|words| self.execute(number, words)).collect())
            }
            ["CONFIG", ..] => Reply::ok(),
            ["SYNC"] => Reply::Bulk(vec![b'x'; 175 + 10 * node.keys.len()]),
            ["SCAN", ..] => {
                let keys = node.keys.all().map(Reply::bulk).collect();
                Reply::Array(vec![Reply::bulk("0"), Reply::Array(keys)])
            }
            ["DEBUG", "DIGEST-VALUE", ..] => {
                Reply::Array(words[2..].iter().map(|key| digest(node.keys.get(key))).collect())
            }
            ["MIGRATE", ..] => self.migrate(number, words),
            ["CLUSTER", ..] => self.cluster(number, words),
            _ => Reply::err(format!("unknown command `{}`", word(0))),
        }
    }

    fn cluster(&mut self, number: usize, words: &Args) -> Reply {
        let word = |at: usize| String::from_utf8_lossy(&words[at]).into_owned();
        let slot = || word(2).parse::<u16>().expect("a slot");
        let node = &mut self.nodes[number];
        match word(1).to_ascii_uppercase().as_str() {
            "NODES" => Reply::bulk(self.nodes_text(number)),
            "INFO" => Reply::bulk(format!("cluster_known_nodes:{}\r\n", node.knows.len() + 1)),
            "SLOTS" => self.slots(number),
            "KEYSLOT" => Reply::Int(Slot::of_key(&words[2]).number().into()),
            "COUNTKEYSINSLOT" => Reply::Int(node.keys.of_slot(slot()).count() as i64),
            "GETKEYSINSLOT" => {
                let limit = word(3).parse().expect("a count");
                Reply::Array(node.keys.of_slot(slot()).take(limit).map(Reply::bulk).collect())
            }
            "ADDSLOTS" => self.add_slots(number, words),
            "DELSLOTS" => self.delete_slot(number, slot()),
            "SETSLOT" => self.set_slot(number, slot(), &words[3..]),
            "BUMPEPOCH" | "SET-CONFIG-EPOCH" | "RESET" => Reply::ok(),
            "MEET" => self.meet(number, &word(2), &word(3)),
            "REPLICATE" => self.replicate(number, &word(2)),
            "FORGET" => self.forget(number, &word(2)),
            other => Reply::err(format!("unknown subcommand {other}")),
        }
    }

    fn nodes_text(&self, number: usize) -> String {
        let me = &self.nodes[number];
        let mut text = String::new();
        let place = |address: &String| self.order.iter().position(|listed| listed == address);
        let mut known = me.knows.clone();
        known.sort_by_key(place);
        for address in &known {
            let Some(other) = self.by_address(address) else { continue };
            let other = &self.nodes[other];
            let flags = if other.seen_as.is_empty() { other.role() } else { &other.seen_as };
            text += &nodes_line(other, flags, false);
        }
        text + &nodes_line(me, &format!("myself,{}", me.role()), true)
    }

    fn slots(&self, number: usize) -> Reply {
        let me = &self.nodes[number];
        let known = self
            .nodes
            .iter()
            .filter(|node| node.address == me.address || me.knows.contains(&node.address));
        let ranges = known.flat_map(|node| {
            node.slots.runs().map(|(first, last)| {
                let master = vec![Reply::bulk("127.0.0.1"), Reply::Int(1), Reply::bulk(&node.id)];
                Reply::Array(vec![
                    Reply::Int(first.number().into()),
                    Reply::Int(last.number().into()),
                    Reply::Array(master),
                ])
            })
        });
        Reply::Array(ranges.collect())
    }

    fn owner(&self, slot: u16) -> Option<usize> {
        let slot = Slot::new(slot).expect("a slot");
        self.nodes.iter().position(|node| node.slots.contains(slot))
    }

    fn add_slots(&mut self, number: usize, words: &Args) -> Reply {
        let slots: Vec<Slot> = words[2..]
            .iter()
            .map(|word| Slot::new(String::from_utf8_lossy(word).parse().unwrap()).unwrap())
            .collect();
        if let Some(slot) = slots.iter().find(|slot| self.nodes[number].slots.contains(**slot)) {
            return Reply::err(format!("Slot {slot} is already busy"));
        }
        let node = &mut self.nodes[number];
        for slot in slots {
            node.slots.insert(slot);
            node.open.remove(&slot.number());
        }
        Reply::ok()
    }

    fn delete_slot(&mut self, number: usize, slot: u16) -> Reply {
        let me = &mut self.nodes[number];
        let which = Slot::new(slot).unwrap();
        if me.slots.contains(which) {
            me.slots.remove(which);
            me.open.remove(&slot);
            return Reply::ok();
        }
        match self.owner(slot) {
            // What this node believes of others is forgotten here at once.
            Some(_) => Reply::ok(),
            None => Reply::err(format!("Slot {slot} is already unassigned")),
        }
    }

    fn set_slot(&mut self, number: usize, slot: u16, words: &[Vec<u8>]) -> Reply {
        let other = words.get(1).map(|word| String::from_utf8_lossy(word).into_owned());
        let which = Slot::new(slot).unwrap();
        let node = &mut self.nodes[number];
        let state = String::from_utf8_lossy(&words[0]).to_ascii_uppercase();
        match (state.as_str(), other) {
            ("STABLE", _) => {
                node.open.remove(&slot);
            }
            ("MIGRATING", Some(_)) if !node.slots.contains(which) => {
                return Reply::err(format!("I'm not the owner of hash slot {slot}"));
            }
            ("IMPORTING", Some(_)) if node.slots.contains(which) => {
                return Reply::err(format!("I'm already the owner of hash slot {slot}"));
            }
            ("MIGRATING", Some(other)) => {
                node.open.insert(slot, ("->-", other));
            }
            ("IMPORTING", Some(other)) => {
                node.open.insert(slot, ("-<-", other));
            }
            ("NODE", Some(other)) => {
                node.open.remove(&slot);
                if node.id == other {
                    node.slots.insert(which);
                } else {
                    node.slots.remove(which);
                }
            }
            _ => return Reply::err("Invalid CLUSTER SETSLOT action or number of arguments"),
        }
        Reply::ok()
    }

    fn meet(&mut self, number: usize, host: &str, port: &str) -> Reply {
        if host.parse::<std::net::IpAddr>().is_err() {
            return Reply::err(format!("Invalid node address specified: {host}:{port}"));
        }
        let met = self.by_address(&format!("{host}:{port}")).expect("somebody to meet");
        if met != number {
            self.met.push((number, met));
        }
        Reply::ok()
    }

    /// The news is everywhere at once.
    fn join(&mut self, number: usize, met: usize) {
        let newcomer = self.nodes[number].address.clone();
        let mut known = self.nodes[met].knows.clone();
        known.insert(0, self.nodes[met].address.clone());
        for address in &known {
            let other = self.by_address(address).expect("a known node");
            self.nodes[other].knows.push(newcomer.clone());
            // Its epoch is greater than that of all who came before.
            let claimed = self.nodes[number].slots.clone();
            claimed.iter().for_each(|slot| self.nodes[other].slots.remove(slot));
        }
        self.nodes[number].knows = known;
    }

    fn replicate(&mut self, number: usize, id: &str) -> Reply {
        let master = self
            .by_id(id)
            .filter(|&master| self.nodes[number].knows.contains(&self.nodes[master].address));
        match master {
            None => Reply::err(format!("Unknown node {id}")),
            Some(master) if self.nodes[master].master.is_some() => {
                Reply::err("I can only replicate a master, not a replica.")
            }
            Some(_) => {
                self.nodes[number].master = Some(id.to_owned());
                Reply::ok()
            }
        }
    }

    fn forget(&mut self, number: usize, id: &str) -> Reply {
        let known = self.by_id(id).map(|other| self.nodes[other].address.clone());
        let node = &mut self.nodes[number];
        match known.and_then(|address| node.knows.iter().position(|known| *known == address)) {
            None => Reply::err(format!("Unknown node {id}")),
            Some(_) if node.master.as_deref() == Some(id) => Reply::err("Can't forget my master!"),
            Some(at) => {
                node.knows.remove(at);
                Reply::ok()
            }
        }
    }

    fn migrate(&mut self, number: usize, words: &Args) -> Reply {
        let word = |at: usize| String::from_utf8_lossy(&words[at]).into_owned();
        let target = self.by_address(&format!("{}:{}", word(1), word(2))).expect("a target");
        let options: Vec<String> = (6..words.len()).map(word).collect();
        let has = |option: &str| options.iter().any(|word| word == option);
        let keys = match options.iter().position(|word| word == "KEYS") {
            Some(at) => words[6 + at + 1..].to_vec(),
            None => vec![words[3].clone()],
        };
        let busy = keys.iter().any(|key| self.nodes[target].keys.get(key).is_some());
        if busy && !has("REPLACE") {
            let text =
                "Target instance replied with error: BUSYKEY Target key name already exists.";
            return Reply::err(text);
        }
        for key in keys {
            let node = &mut self.nodes[number];
            let value =
                if has("COPY") { node.keys.get(&key).cloned() } else { node.keys.remove(&key) };
            if let Some(value) = value {
                self.nodes[target].keys.insert(key, value);
            }
        }
        Reply::ok()
    }
}

fn info(node: &ToyNode) -> String {
    let mode = u8::from(node.in_cluster_mode);
    let mut text = format!("# Cluster\r\ncluster_enabled:{mode}\r\n\r\n# Keyspace\r\n");
    if node.keys.len() > 0 {
        text += &format!("db0:keys={},expires=0,avg_ttl=0\r\n", node.keys.len());
    }
    text
}

fn digest(value: Option<&Vec<u8>>) -> Reply {
    let text =
        value.map_or(String::new(), |value| value.iter().map(|b| format!("{b:02x}")).collect());
    Reply::Status(format!("{text:0<40}"))
}

fn nodes_line(node: &ToyNode, flags: &str, own: bool) -> String {
    let port: u16 = node.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let master = node.master.as_deref().unwrap_or("-");
    let link = if node.alive { "connected" } else { "disconnected" };
    let mut line = format!(
        "{} {}@{} {flags} {master} 0 0 {} {link}",
        node.id,
        node.address,
        port + 10_000,
        node.config_epoch
    );
    for (first, last) in node.believed_slots(own).runs() {
        line += &if first == last { format!(" {first}") } else { format!(" {first}-{last}") };
    }
    for (slot, (arrow, other)) in node.open.iter().filter(|_| own) {
        line += &format!(" [{slot}{arrow}{other}]");
    }
    line + "\n"
}

/// A hash tag of a slot.
pub fn tag_of(slot: u16) -> String {
    (0..)
        .map(|number| format!("k{number}"))
        .find(|tag| Slot::of_key(tag.as_bytes()).number() == slot)
        .unwrap()
}

fn text_of(words: &Args) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| {
            if word.is_empty() {
                "\"\"".to_owned()
            } else {
                String::from_utf8_lossy(word).into_owned()
            }
        })
        .collect();
    words.join(" ")
}

impl Host for ToyCluster {
    async fn connect(&mut self, to: &Address) -> Result<Connection, String> {
        let address = to.to_string().replace("localhost", "127.0.0.1");
        match self.by_address(&address).filter(|&number| self.nodes[number].alive) {
            None => Err("Connection refused".to_owned()),
            Some(number) => {
                self.wire.push(format!("{address} <- (connect)"));
                let admitted = self.nodes[number].password.is_none();
                self.connections.push((number, admitted));
                Ok(Connection(self.connections.len() as u32 - 1))
            }
        }
    }

    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost> {
        let (number, admitted) = self.connections[connection.0 as usize];
        self.wire.push(format!("{} <- {}", self.nodes[number].address, text_of(&command)));
        if command[0] == b"AUTH" {
            let right = self.nodes[number].password.as_deref().map(str::as_bytes)
                == command.last().map(Vec::as_slice);
            self.connections[connection.0 as usize].1 = right;
            let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
            return Ok(if right { Reply::ok() } else { Reply::Error(wrong.into()) });
        }
        if !admitted {
            return Ok(Reply::Error("NOAUTH Authentication required.".into()));
        }
        Ok(self.answer(number, &command))
    }

    fn close(&mut self, _: Connection) {}

    async fn sleep(&mut self, span: Span) {
        self.wire.push(format!("(sleep {span})"));
        self.sleeps += 1;
        if self.sleeps >= self.join_after {
            for (number, met) in std::mem::take(&mut self.met) {
                self.join(number, met);
            }
        }
    }

    fn now(&self) -> Wall {
        Wall(self.second as u64 * 1_000_000)
    }

    fn print(&mut self, _: Channel, text: &[u8]) {
        self.printed.extend(text);
    }

    async fn read(&mut self, limit: usize, _: Echo) -> Vec<u8> {
        let source = match &mut self.typed {
            Typed::Pipe(bytes) => bytes,
            Typed::Lines(lines) => {
                if self.rest.is_empty() {
                    self.rest = lines.pop_front().unwrap_or_default();
                    self.printed.extend(&self.rest);
                }
                &mut self.rest
            }
        };
        let rest = source.split_off(limit.min(source.len()));
        std::mem::replace(source, rest)
    }

    fn seed_draws(&mut self) {
        self.draws = GlibcRand::new(self.second as u32);
    }

    fn draw(&mut self, bound: u32) -> u32 {
        self.draws.next() % bound
    }

    fn write_file(&mut self, path: &str, contents: &[u8]) -> Result<(), String> {
        if !self.directory_exists {
            return Err("No such file or directory".to_owned());
        }
        self.files.insert(path.to_owned(), contents.to_vec());
        Ok(())
    }
}
