//! Toy servers made real, as far as that goes: virtual nodes that start with a nodes.conf in which
//! everything stands that the toys know.

use std::net::{IpAddr, Ipv4Addr};

use redis_cluster_sim::admin::Shell;
use redis_cluster_sim::admin::tools::{Invocation, Status, Tools};
use redis_cluster_sim::network::NodeNo;
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::resp::{Args, Reply, args};
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::slot::{SLOTS, Slot, SlotSet};
use redis_cluster_sim::time::{Millis, Span};
use redis_cluster_sim::world::{ClientEvent, NodeSetup, Setup, World};

use super::toy_cluster::{ToyCluster, ToyNode, Typed};

/// How many seeds are tried to get the nodes listed in a wanted order.
const SEEDS: u64 = 4_000;

/// No tool takes longer than this.
const PATIENCE: Span = Span::secs(600);

/// A virtual cluster, and the tools that are used on it.
pub struct VirtualCluster {
    pub world: World,
    pub tools: Tools,
    addresses: Vec<(IpAddr, u16)>,
}

impl VirtualCluster {
    /// Virtual nodes like these toys. What tools draw depends on `luck`.
    pub fn like(toy: &ToyCluster, seed: u64, luck: u64) -> VirtualCluster {
        let healthy = healed(toy);
        let by_hand = healthy.is_some();
        let start = healthy.as_ref().unwrap_or(toy);
        let mut cluster = VirtualCluster::new(start, seed, luck);
        for number in 0..toy.nodes.len() {
            cluster.world.start(NodeNo(number as u32)).unwrap();
        }
        cluster.run(Span::secs(6));
        cluster.fill(start, toy);
        cluster.run(Span::secs(1));
        if by_hand {
            cluster.wound(toy);
        }
        for (number, node) in toy.nodes.iter().enumerate() {
            if !node.alive {
                cluster.world.kill(NodeNo(number as u32)).unwrap();
            }
        }
        if toy.nodes.iter().any(|node| !node.alive) {
            cluster.run(Span::secs(10));
        }
        cluster
    }

    fn new(toy: &ToyCluster, seed: u64, luck: u64) -> VirtualCluster {
        let addresses: Vec<(IpAddr, u16)> =
            toy.nodes.iter().map(|node| split(&node.address)).collect();
        let setups = toy.nodes.iter().zip(&addresses).map(|(node, &(ip, port))| {
            let config = Config {
                port,
                node_timeout: Millis(3_000),
                require_full_coverage: toy.full_coverage,
                ..Config::default()
            };
            let mut setup = NodeSetup::new(ip, config);
            setup.id = Some(node.id.parse().expect("an id"));
            if !node.knows.is_empty() || !node.slots.is_empty() {
                setup.disk.nodes_conf = Some(nodes_conf(toy, node).into());
            }
            setup
        });
        let world = World::new(Setup::new(Seed(seed), setups.collect()));
        VirtualCluster { world, tools: Tools::new(Seed(luck)), addresses }
    }

    pub fn run(&mut self, span: Span) {
        let until = self.world.now() + span;
        self.tools.run_until(&mut self.world, until).unwrap();
    }

    /// The addresses that a node knows of others, in the order of its table.
    fn order(&mut self, number: usize) -> Vec<String> {
        let replies = self.call(number, &[args(["CLUSTER", "NODES"])]);
        let text = replies[0].text().expect("a list of nodes");
        let others = text.lines().filter(|line| !line.contains("myself"));
        let address = |line: &str| line.split([' ', '@']).nth(1).expect("an address").to_owned();
        others.map(address).collect()
    }

    /// Sends a command, as a client without redirections.
    pub fn call(&mut self, number: usize, commands: &[Args]) -> Vec<Reply> {
        let (ip, port) = self.addresses[number];
        let client = self.world.client_connect(ip, port);
        for command in commands {
            self.world.client_send(client, command.clone());
        }
        let mut replies = Vec::new();
        while replies.len() < commands.len() {
            self.run(Span::millis(1));
            while let Some(event) = self.world.client_take(client) {
                match event {
                    ClientEvent::Reply(reply) => replies.push(reply),
                    ClientEvent::Connected => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        self.world.client_close(client);
        replies
    }

    /// Puts the toys' keys where they are, foreign slots or not. The cluster is as `now` says.
    fn fill(&mut self, now: &ToyCluster, toy: &ToyCluster) {
        for (number, node) in toy.nodes.iter().enumerate() {
            // A replica gets its keys from its master.
            if !node.alive || node.master.is_some() {
                continue;
            }
            let mine = &now.nodes[number];
            let other = &toy.nodes[(number + 1) % toy.nodes.len()].id;
            for slot in node.keys.slots() {
                let is_mine = mine.slots.contains(Slot::new(slot).unwrap());
                let foreign = !is_mine && !mine.open.contains_key(&slot);
                if foreign {
                    self.must(number, &[set_slot(slot, &["IMPORTING", other])]);
                }
                let pairs = node.keys.pairs().filter(|(key, _)| Slot::of_key(key).number() == slot);
                for (key, value) in pairs {
                    let set = vec![b"SET".to_vec(), key.clone(), value.clone()];
                    self.must(number, &[args(["ASKING"]), set]);
                }
                if foreign {
                    self.must(number, &[set_slot(slot, &["STABLE"])]);
                }
            }
        }
    }

    /// Takes slots away and opens slots as the toys have it.
    fn wound(&mut self, toy: &ToyCluster) {
        let covered: SlotSet = toy.nodes.iter().flat_map(|node| node.slots.iter()).collect();
        for slot in Slot::all().filter(|&slot| !covered.contains(slot)) {
            let rumoured = toy.nodes.iter().position(|node| node.rumoured.contains(slot));
            let delete = args(["CLUSTER", "DELSLOTS", &slot.to_string()]);
            for number in 0..toy.nodes.len() {
                if rumoured.is_none_or(|owner| owner == number) {
                    self.must(number, std::slice::from_ref(&delete));
                }
            }
        }
        for (number, node) in toy.nodes.iter().enumerate() {
            for (slot, (arrow, other)) in &node.open {
                let state = if *arrow == "->-" { "MIGRATING" } else { "IMPORTING" };
                self.must(number, &[set_slot(*slot, &[state, other])]);
            }
        }
    }

    fn must(&mut self, number: usize, commands: &[Args]) {
        for reply in self.call(number, commands) {
            assert_eq!(reply.error(), None, "{commands:?}");
        }
    }

    /// Runs the tool to its end: what can be seen at the terminal, and the exit code.
    pub fn run_tool(&mut self, words: &[String], shell: &Shell, typed: &Typed) -> (String, u8) {
        let text = match typed {
            Typed::Pipe(bytes) => bytes.clone(),
            Typed::Lines(lines) => lines.iter().flatten().copied().collect(),
        };
        let typed = String::from_utf8(text).unwrap().lines().map(str::to_owned).collect();
        let invocation =
            Invocation { words: words.to_vec(), shell: shell.clone(), typed, dies_after: None };
        let tool = self.tools.start(&mut self.world, invocation);
        self.tools.end_input(&mut self.world, tool);
        let limit = self.world.now() + PATIENCE;
        let status = self.tools.run_tool(&mut self.world, tool, limit).unwrap();
        let text = self.tools.printed(tool, |printed| {
            printed.iter().map(|piece| String::from_utf8_lossy(&piece.text)).collect::<String>()
        });
        match status {
            Status::Ended(code) => (text, code.0),
            other => panic!("{other:?} after\n{text}"),
        }
    }
}

fn set_slot(slot: u16, state: &[&str]) -> Args {
    let slot = slot.to_string();
    args([&["CLUSTER", "SETSLOT", &slot], state].concat())
}

/// A seed with which the server that is asked lists the others in the toys' order, if there are few
/// enough of them.
pub fn seed_for_order(toy: &ToyCluster) -> u64 {
    let first = toy.order.first();
    let reference = first.and_then(|first| toy.nodes.iter().position(|n| n.address == *first));
    let reference = reference.unwrap_or(0);
    let mut acquainted = ToyCluster::new(toy.nodes.clone());
    for node in &mut acquainted.nodes {
        // Slots and the acquaintances of others do not matter here, but take time.
        node.slots = SlotSet::default();
        node.rumoured = SlotSet::default();
        node.knows.clear();
    }
    let known: Vec<String> = if toy.order.is_empty() {
        toy.nodes[reference].knows.clone()
    } else {
        toy.order.iter().filter(|place| **place != toy.nodes[reference].address).cloned().collect()
    };
    if known.is_empty() {
        return 1;
    }
    acquainted.nodes[reference].knows.clone_from(&known);
    let fits = |seed: &u64| {
        let mut cluster = VirtualCluster::new(&acquainted, *seed, 1);
        cluster.world.start(NodeNo(reference as u32)).unwrap();
        cluster.run(Span::millis(20));
        let mut order = cluster.order(reference);
        order.retain(|place| known.contains(place));
        order == known
    };
    let tries = if known.len() <= 5 { SEEDS } else { 1 };
    (1..=tries).find(fits).unwrap_or(1)
}

/// The same toys with all slots covered and closed, if keys have to be put into slots that are not.
fn healed(toy: &ToyCluster) -> Option<ToyCluster> {
    let covered: SlotSet = toy.nodes.iter().flat_map(|node| node.slots.iter()).collect();
    let has_keys = toy.nodes.iter().any(|node| node.keys.slots().next().is_some());
    let opened = |slot: u16| toy.nodes.iter().any(|node| node.open.contains_key(&slot));
    let needed = has_keys && covered.len() < SLOTS
        || toy.nodes.iter().any(|node| node.keys.slots().any(opened))
        || toy.nodes.iter().any(|node| !node.rumoured.is_empty());
    if !needed || toy.nodes.iter().any(|node| !node.alive) {
        return None;
    }
    let mut healthy = ToyCluster::new(toy.nodes.clone());
    healthy.full_coverage = toy.full_coverage;
    for node in &mut healthy.nodes {
        node.open.clear();
    }
    for slot in Slot::all().filter(|&slot| !covered.contains(slot)) {
        let rumoured = toy.nodes.iter().position(|node| node.rumoured.contains(slot));
        let holds = |node: &ToyNode| node.keys.slots().any(|held| held == slot.number());
        let owner = rumoured.or_else(|| toy.nodes.iter().position(holds)).unwrap_or(0);
        healthy.nodes[owner].slots.insert(slot);
    }
    Some(healthy)
}

fn split(address: &str) -> (IpAddr, u16) {
    let (host, port) = address.rsplit_once(':').unwrap();
    (host.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), port.parse().unwrap())
}

fn nodes_conf(toy: &ToyCluster, me: &ToyNode) -> String {
    let epoch = |node: &ToyNode| {
        let master = node.master.as_ref().and_then(|id| toy.nodes.iter().position(|n| n.id == *id));
        let own = toy.nodes.iter().position(|n| n.id == node.id).unwrap();
        master.unwrap_or(own) + 1
    };
    let mut text = String::new();
    for node in &toy.nodes {
        let mine = node.id == me.id;
        if !mine && !me.knows.contains(&node.address) {
            continue;
        }
        let (ip, port) = split(&node.address);
        let master = node.master.as_deref().unwrap_or("-");
        let role = if node.master.is_some() { "slave" } else { "master" };
        let myself = if mine { "myself," } else { "" };
        text += &format!(
            "{} {ip}:{port}@{} {myself}{role} {master} 0 0 {} connected",
            node.id,
            port + 10_000,
            epoch(node)
        );
        for (first, last) in node.believed_slots(mine).runs() {
            text += &if first == last { format!(" {first}") } else { format!(" {first}-{last}") };
        }
        for (slot, (arrow, other)) in node.open.iter().filter(|_| mine) {
            text += &format!(" [{slot}{arrow}{other}]");
        }
        text.push('\n');
    }
    text + &format!("vars currentEpoch {} lastVoteEpoch 0\n", toy.nodes.len())
}
