//! Whole virtual clusters for tests: set up, watched, and disturbed.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test uses its own part")]

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use redis_cluster_sim::id::{Ids, NodeId};
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::node::effect::Notice;
use redis_cluster_sim::node::log::Level;
use redis_cluster_sim::resp::{Reply, args};
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::{Millis, Span, Time};
use redis_cluster_sim::world::{
    ClientEvent, ClientNo, Formation, NodeNo, NodeSetup, Observer, Record, Setup, Site, Wants,
    What, World,
};

/// A log line of a node.
#[derive(Debug, Clone)]
pub struct Line {
    pub at: Time,
    pub node: NodeNo,
    pub pid: u32,
    pub role: char,
    pub text: String,
}

/// What was seen of a run.
#[derive(Debug, Default)]
pub struct Seen {
    pub lines: Vec<Line>,
    pub notices: Vec<(Time, NodeNo, Notice)>,
    /// Packets that arrived: when, from whom, to whom, and whether the sender called itself a master.
    pub packets: Vec<(Time, NodeNo, NodeNo, bool)>,
}

struct Watcher {
    seen: Rc<RefCell<Seen>>,
    logs: bool,
    packets: bool,
}

impl Observer for Watcher {
    fn wants(&self) -> Wants {
        Wants {
            log: self.logs.then_some(Level::Notice),
            notices: true,
            packets: self.packets,
            ..Wants::default()
        }
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        let mut seen = self.seen.borrow_mut();
        match record.what {
            What::Log { node, pid, role, text, .. } => seen.lines.push(Line {
                at: record.at,
                node,
                pid,
                role: role.letter(),
                text: text.to_owned(),
            }),
            What::Notice { node, notice } => seen.notices.push((record.at, node, notice)),
            What::Delivered { from: Some(Site::Node(from)), to, packet, .. } => {
                seen.packets.push((record.at, from, to, packet.flags.is_master()));
            }
            _ => {}
        }
    }
}

/// A cluster and what was seen of it.
pub struct Cluster {
    pub world: World,
    pub seen: Rc<RefCell<Seen>>,
}

/// The settings of a cluster.
pub struct Plan {
    pub seed: u64,
    pub masters: u32,
    pub replicas_each: u32,
    pub node_timeout: i64,
    pub configure: fn(&mut Config),
    pub logs: bool,
    pub packets: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            masters: 3,
            replicas_each: 1,
            node_timeout: 2_000,
            configure: |_| {},
            logs: true,
            packets: false,
        }
    }
}

impl Plan {
    /// A formed cluster on one host, its nodes at ports from 7000 on.
    pub fn form(self) -> Cluster {
        self.form_as(|_| {})
    }

    /// A formed cluster whose formation is changed first.
    pub fn form_as(self, change: impl FnOnce(&mut Formation)) -> Cluster {
        let mut formation = Formation::even(self.masters, self.replicas_each);
        change(&mut formation);
        let nodes = self.nodes(self.masters * (1 + self.replicas_each));
        self.build(Some(formation), nodes)
    }

    /// Nodes with these ids that have never been started.
    pub fn apart(self, ids: &[NodeId]) -> Cluster {
        let mut nodes = self.nodes(ids.len() as u32);
        for (node, id) in nodes.iter_mut().zip(ids) {
            node.id = Some(*id);
        }
        self.build(None, nodes)
    }

    fn nodes(&self, count: u32) -> Vec<NodeSetup> {
        let nodes = (0..count).map(|number| {
            let mut config = Config {
                port: 7_000 + number as u16,
                node_timeout: Millis(self.node_timeout),
                ..Config::default()
            };
            (self.configure)(&mut config);
            NodeSetup::new(IpAddr::V4(Ipv4Addr::LOCALHOST), config)
        });
        nodes.collect()
    }

    fn build(self, formed: Option<Formation>, nodes: Vec<NodeSetup>) -> Cluster {
        let mut setup = Setup::new(Seed(self.seed), nodes);
        setup.network.latency_low = Span::micros(50);
        setup.network.latency_high = Span::micros(150);
        setup.formed = formed;
        let seen = Rc::new(RefCell::new(Seen::default()));
        let mut world = World::new(setup);
        world.observe(Box::new(Watcher {
            seen: Rc::clone(&seen),
            logs: self.logs,
            packets: self.packets,
        }));
        Cluster { world, seen }
    }
}

impl Cluster {
    /// Lets time pass.
    pub fn run(&mut self, span: Span) {
        let until = self.world.now() + span;
        self.world.run_until(until).expect("no budget is set");
    }

    /// Runs until something holds, looking every millisecond. Returns when that was.
    #[track_caller]
    pub fn run_until(&mut self, limit: Span, mut holds: impl FnMut(&Cluster) -> bool) -> Time {
        let end = self.world.now() + limit;
        while !holds(self) {
            assert!(self.world.now() < end, "it did not happen within {limit}");
            self.run(Span::millis(1));
        }
        self.world.now()
    }

    /// A client that is connected to a node.
    pub fn connect(&mut self, node: u32) -> ClientNo {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let port = self.world.node_setup(NodeNo(node)).expect("there is such a node").config.port;
        let client = self.world.client_connect(ip, port);
        assert_eq!(self.next(client, Span::secs(1)), Some(ClientEvent::Connected));
        client
    }

    /// Sends a command and does not wait for the answer.
    pub fn send(&mut self, client: ClientNo, words: &str) {
        self.world.client_send(client, args(words.split(' ')));
    }

    /// What a client experiences next, if anything does.
    pub fn next(&mut self, client: ClientNo, limit: Span) -> Option<ClientEvent> {
        let end = self.world.now() + limit;
        loop {
            if let Some(event) = self.world.client_take(client) {
                return Some(event);
            }
            if !self.world.run_until_client_event(end).expect("no budget is set") {
                return None;
            }
        }
    }

    /// The answer to a command that a client sends to a node.
    #[track_caller]
    pub fn ask(&mut self, client: ClientNo, words: &str) -> Reply {
        self.send(client, words);
        match self.next(client, Span::secs(30)) {
            Some(ClientEvent::Reply(reply)) => reply,
            other => panic!("no answer to `{words}`: {other:?}"),
        }
    }

    /// The answer to a command of a client of its own.
    #[track_caller]
    pub fn command(&mut self, node: u32, words: &str) -> Reply {
        let client = self.connect(node);
        let reply = self.ask(client, words);
        self.world.client_close(client);
        reply
    }

    /// A field of INFO.
    #[track_caller]
    pub fn info(&mut self, node: u32, field: &str) -> String {
        let reply = self.command(node, "INFO replication");
        let text = reply.text().unwrap().to_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("no `{field}` in {text}")).to_owned()
    }

    /// Whether a node is a master that owns slots, in its own view.
    pub fn serves(&mut self, node: u32) -> bool {
        let reply = self.command(node, "CLUSTER NODES");
        let text = reply.text().unwrap();
        let myself = text.lines().find(|line| line.contains("myself")).unwrap();
        myself.contains("myself,master") && myself.split(' ').count() > 8
    }

    /// The lines that a node has logged since a time.
    pub fn lines_since(&self, node: u32, since: Time) -> Vec<Line> {
        let seen = self.seen.borrow();
        let lines = seen.lines.iter().filter(|line| line.node == NodeNo(node) && line.at >= since);
        lines.cloned().collect()
    }

    /// When a node logged a line that contains this text, at or after a time.
    pub fn said(&self, node: u32, since: Time, text: &str) -> Option<Time> {
        self.lines_since(node, since).iter().find(|line| line.text.contains(text)).map(|l| l.at)
    }

    /// Prints what all nodes have logged.
    pub fn print(&self, since: Time) {
        for line in self.seen.borrow().lines.iter().filter(|line| line.at >= since) {
            println!(
                "{:>12.3} {} {}:{} {}",
                line.at.0 as f64 / 1e6,
                7_000 + line.node.0,
                line.pid,
                line.role,
                line.text
            );
        }
    }
}
