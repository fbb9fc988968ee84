//! What toy servers answer.

use redis_cluster_sim::resp::{Args, Reply};
use redis_cluster_sim::slot::Slot;

use super::{ToyCluster, ToyNode};

impl ToyCluster {
    pub(super) fn answer(&mut self, number: usize, words: &Args) -> Reply {
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
    pub(super) fn join(&mut self, number: usize, met: usize) {
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

/// A command in one line.
pub(super) fn text_of(words: &Args) -> String {
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
