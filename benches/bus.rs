//! What the bus itself costs: idle formed clusters of several sizes, without an engine around them.
//!
//! `cargo bench --bench bus` prints how many times faster than real time they run.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use redis_cluster_sim::id::{Endpoint, Ids, NodeId};
use redis_cluster_sim::node::Node;
use redis_cluster_sim::node::bus::FormedCluster;
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::node::effect::{Ctx, Effect, Input, LinkEnd, LinkId, Outbox};
use redis_cluster_sim::node::nodes_conf::Entry;
use redis_cluster_sim::node::packet::{Epoch, Packet};
use redis_cluster_sim::node::process::{Boot, Disk, Host};
use redis_cluster_sim::node::table::PeerIx;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::slot::{SLOTS, Slot};
use redis_cluster_sim::time::Wall;

#[derive(Clone, Copy)]
struct Connection {
    opener: u32,
    acceptor: u32,
    peer: PeerIx,
}

enum Delivery {
    Up(LinkId),
    Packet(LinkId, Box<Packet>),
    Boot(usize),
}

struct Cluster {
    ids: Ids,
    out: Outbox,
    nodes: Vec<Node>,
    connections: Vec<Connection>,
    queue: VecDeque<Delivery>,
    now: u64,
    packets: u64,
    gossip: u64,
}

fn endpoint(node: usize) -> Endpoint {
    Endpoint { ip: Some(ip(node)), port: 7_000, cport: 17_000, pport: 0 }
}

fn ip(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + node as u32))
}

fn node_of(ip: Option<IpAddr>) -> u32 {
    match ip {
        Some(IpAddr::V4(ip)) => u32::from(ip) - 0x0a00_0000,
        _ => 0,
    }
}

fn id(node: usize) -> NodeId {
    format!("{:040x}", (node + 1) * 0x1234_5678_9abc).parse().expect("40 digits")
}

impl Cluster {
    fn formed(count: usize) -> Cluster {
        let entries = (0..count).map(|node| {
            let slots = usize::from(SLOTS);
            let range = (node * slots / count) as u16..((node + 1) * slots / count) as u16;
            let slots = Arc::new(range.filter_map(Slot::new).collect());
            Entry::member(id(node), endpoint(node), None, Epoch(node as u64 + 1), slots)
        });
        let mut ids = Ids::new();
        let conf = Arc::new(FormedCluster::new(&mut ids, entries.collect()));
        let mut cluster = Cluster {
            ids,
            out: Outbox::default(),
            nodes: Vec::new(),
            connections: Vec::new(),
            queue: VecDeque::new(),
            now: 1_700_000_000_000_000,
            packets: 0,
            gossip: 0,
        };
        for node in 0..count {
            let boot = Boot {
                config: Config { port: 7_000, ..Config::default() },
                ip: ip(node),
                pid: 1,
                id: Some(id(node)),
                seed: Seed(1),
                subject: node as u64,
                incarnation: 0,
                disk: Disk { formed: Some(Arc::clone(&conf)), ..Disk::default() },
                host: Host::default(),
            };
            let mut ctx =
                Ctx { now: Wall(cluster.now), ids: &mut cluster.ids, out: &mut cluster.out };
            let started = Node::start(boot, &mut ctx);
            cluster.nodes.push(started);
            cluster.carry_out(node);
            cluster.settle();
        }
        cluster
    }

    fn input(&mut self, node: usize, input: Input<'_>) {
        let mut ctx = Ctx { now: Wall(self.now), ids: &mut self.ids, out: &mut self.out };
        self.nodes[node].handle(input, &mut ctx);
        self.carry_out(node);
    }

    fn carry_out(&mut self, node: usize) {
        let mut effects = std::mem::take(&mut self.out.effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::BootStepIn(_) => self.queue.push_back(Delivery::Boot(node)),
                Effect::Connect { link, peer, to } => {
                    let at = link.connection();
                    let acceptor = node_of(to.ip);
                    let fresh = Connection { opener: node as u32, acceptor, peer };
                    if self.connections.len() <= at {
                        self.connections.resize(at + 1, fresh);
                    }
                    self.connections[at] = fresh;
                    self.queue.push_back(Delivery::Up(link));
                }
                Effect::Send(link, packet) => {
                    self.packets += 1;
                    self.gossip += packet.gossip.len() as u64;
                    self.queue.push_back(Delivery::Packet(link.other(), packet));
                }
                _ => {}
            }
        }
        self.out.effects = effects;
    }

    fn end(&self, link: LinkId) -> (usize, LinkEnd) {
        let connection = self.connections[link.connection()];
        let opened = link.is_opener();
        let (own, other) = link.own_first(connection.opener, connection.acceptor);
        let end = LinkEnd {
            id: link,
            peer: opened.then_some(connection.peer),
            local_ip: ip(own as usize),
            remote_ip: ip(other as usize),
            remote_port: 17_000,
        };
        (own as usize, end)
    }

    fn settle(&mut self) {
        while let Some(delivery) = self.queue.pop_front() {
            match delivery {
                Delivery::Boot(node) => self.input(node, Input::BootStep),
                Delivery::Up(link) => {
                    let (node, end) = self.end(link);
                    self.input(node, Input::LinkUp(end));
                }
                Delivery::Packet(link, packet) => {
                    let (node, end) = self.end(link);
                    self.input(node, Input::Packet(end, &packet));
                    self.out.packets.give(packet);
                }
            }
        }
    }

    /// Every node ticks once in each 100 ms, spread evenly.
    fn run(&mut self, millis: u64) {
        let count = self.nodes.len() as u64;
        let start = self.now;
        for round in 0..millis / 100 {
            for node in 0..count {
                self.now = start + round * 100_000 + node * 100_000 / count;
                self.input(node as usize, Input::Tick);
                self.settle();
            }
        }
        self.now = start + millis * 1_000;
    }
}

/// Sizes named on the command line, or all.
fn wanted(count: usize) -> bool {
    let sizes: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    sizes.is_empty() || sizes.contains(&count)
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn main() {
    for (count, seconds) in [(3, 20_000), (100, 300), (1_000, 5)] {
        if !wanted(count) {
            continue;
        }
        let begin = std::time::Instant::now();
        let mut cluster = Cluster::formed(count);
        let formed = begin.elapsed();
        cluster.run(1_000);
        let first = begin.elapsed();
        cluster.run(if count < 1_000 { 60_000 } else { 30_000 });
        let warm = begin.elapsed();
        (cluster.packets, cluster.gossip) = (0, 0);
        cluster.run(seconds * 1_000);
        let took = begin.elapsed() - warm;
        let ratio = seconds as f64 / took.as_secs_f64();
        println!(
            "{count:5} nodes: formed in {formed:?}, first second {:?}; {ratio:.0} x real time, {} \
             packets and {} gossip entries per virtual second, {:.0} ns per packet",
            first - formed,
            cluster.packets / seconds,
            cluster.gossip / seconds,
            took.as_nanos() as f64 / cluster.packets as f64,
        );
    }
}
