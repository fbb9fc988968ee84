//! A few nodes wired together by hand, for tests: no latency, no loss unless a test asks for it.
//!
//! Connections are opened and packets delivered at once, in order. Every node ticks each 100 ms, a
//! few milliseconds apart from the others.

mod wires;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::id::{Endpoint, Ids, NodeId};
use crate::node::Node;
use crate::node::bus::FormedCluster;
use crate::node::config::Config;
use crate::node::effect::{
    CallError, CallResult, Ctx, Exit, Input, LinkEnd, LinkId, Notice, Outbox,
};
use crate::node::flags::Flags;
use crate::node::lab::wires::{Connection, Delivery, Running};
use crate::node::log::{Level, Role};
use crate::node::nodes_conf::Entry;
use crate::node::packet::{Epoch, MessageType, Packet};
use crate::node::process::{Boot, Disk, Host};
use crate::node::section::Gossip;
use crate::node::table::PeerIx;
use crate::resp::{Args, Reply, args};
use crate::rng::Seed;
use crate::slot::{SLOTS, Slot, SlotSet};
use crate::time::{Millis, Wall};

/// A log line that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) node: usize,
    pub(crate) at: Millis,
    pub(crate) level: Level,
    pub(crate) role: Role,
    pub(crate) text: String,
}

/// A message that was queued on a link.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) packet: Packet,
}

/// The laboratory.
pub(crate) struct Lab {
    pub(crate) ids: Ids,
    pub(crate) out: Outbox,
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) now: Wall,
    pub(crate) lines: Vec<Line>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) notices: Vec<(usize, Notice)>,
    pub(crate) saved: Vec<Option<String>>,
    pub(crate) saves: Vec<(usize, bool)>,
    pub(crate) exits: Vec<(usize, Exit)>,
    /// What clients were told: by whom, on which connection; nothing when it was closed.
    pub(crate) replies: Vec<(usize, LinkId, Option<Reply>)>,
    /// Pairs (from, to) between which nothing passes, silently.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    listening: Vec<bool>,
    /// Children and transfers that run: until when, whose, and their numbers.
    running: Vec<(Wall, usize, Running)>,
    connections: BTreeMap<usize, Connection>,
    queue: VecDeque<Delivery>,
    setups: Vec<Boot>,
}

/// The client that asks if no other is named.
pub(crate) const CLIENT: LinkId = LinkId(1_000_001);
/// The connection by which nodes call each other.
const CALLER: LinkId = LinkId(1_000_003);

/// The moment at which every laboratory opens.
pub(crate) const OPENING: Wall = Wall(1_700_000_000_000_000);

/// The address of a node.
pub(crate) fn ip(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, node as u8 + 1))
}

/// What a node announces, with its address.
pub(crate) fn endpoint(node: usize) -> Endpoint {
    Endpoint { ip: Some(ip(node)), port: 7_000, cport: 17_000, pport: 0 }
}

/// The id of a node: ids ascend with the number.
pub(crate) fn id(node: usize) -> NodeId {
    format!("{:040x}", 0xa000 + node).parse().expect("forty hexadecimal digits")
}

/// An equal share of the slots.
pub(crate) fn share(of: usize, parts: usize) -> Arc<SlotSet> {
    let slots = usize::from(SLOTS);
    let range = (of * slots / parts) as u16..((of + 1) * slots / parts) as u16;
    Arc::new(range.filter_map(Slot::new).collect())
}

/// A slot by its number.
pub(crate) fn slot(number: u16) -> Slot {
    Slot::new(number).expect("a number of a slot")
}

impl Lab {
    /// Nodes that know nobody yet, started and running.
    pub(crate) fn alone(count: usize) -> Lab {
        Lab::start(count, |_| Disk::default(), Config::default())
    }

    /// A formed cluster: masters with equal shares, then replicas, one for each master in turn.
    pub(crate) fn formed(masters: usize, replicas: usize, node_timeout: i64) -> Lab {
        let entries = (0..masters + replicas).map(|node| {
            let of = node % masters;
            let master = (node >= masters).then(|| id(of));
            let slots = if master.is_none() { share(of, masters) } else { Arc::default() };
            Entry::member(id(node), endpoint(node), master, Epoch(of as u64 + 1), slots)
        });
        let mut ids = Ids::new();
        let cluster = Arc::new(FormedCluster::new(&mut ids, entries.collect()));
        let disk = |_| Disk { formed: Some(Arc::clone(&cluster)), ..Disk::default() };
        let config = Config { node_timeout: Millis(node_timeout), ..Config::default() };
        let mut lab = Lab::closed(masters + replicas, disk, config);
        lab.ids = ids;
        lab.open()
    }

    /// Nodes with these disks, started and running.
    pub(crate) fn start(count: usize, disk: impl Fn(usize) -> Disk, config: Config) -> Lab {
        Lab::closed(count, disk, config).open()
    }

    fn open(mut self) -> Lab {
        (0..self.nodes.len()).for_each(|node| self.boot(node));
        self
    }

    fn closed(count: usize, disk: impl Fn(usize) -> Disk, config: Config) -> Lab {
        let setups = (0..count).map(|node| Boot {
            config: Config { port: 7_000, loglevel: Level::Debug, ..config.clone() },
            ip: ip(node),
            pid: 1_000 + node as u32,
            id: Some(id(node)),
            seed: Seed(42),
            subject: node as u64,
            incarnation: 0,
            disk: disk(node),
            host: Host::default(),
        });
        Lab {
            ids: Ids::new(),
            out: Outbox { log_level: Some(Level::Debug), notices: true, ..Outbox::default() },
            nodes: (0..count).map(|_| None).collect(),
            now: OPENING,
            lines: Vec::new(),
            sent: Vec::new(),
            notices: Vec::new(),
            saved: vec![None; count],
            saves: Vec::new(),
            exits: Vec::new(),
            replies: Vec::new(),
            cut: BTreeSet::new(),
            listening: vec![false; count],
            running: Vec::new(),
            connections: BTreeMap::new(),
            queue: VecDeque::new(),
            setups: setups.collect(),
        }
    }

    /// What a node is started with.
    pub(crate) fn boot_of(&self, node: usize) -> Boot {
        self.setups[node].clone()
    }

    /// A process that has just been started and has read nothing yet.
    pub(crate) fn starting(&mut self, boot: Boot) -> Node {
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids, out: &mut self.out };
        let started = Node::start(boot, &mut ctx);
        self.out.effects.clear();
        started
    }

    /// Starts a node's process, with the nodes.conf that an earlier one saved.
    pub(crate) fn boot(&mut self, node: usize) {
        let mut boot = self.setups[node].clone();
        self.setups[node].incarnation += 1;
        if let Some(text) = &self.saved[node] {
            boot.disk.nodes_conf = Some(text.as_str().into());
        }
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids, out: &mut self.out };
        let started = Node::start(boot, &mut ctx);
        self.nodes[node] = Some(started);
        self.carry_out(node);
        self.settle();
    }

    /// Changes the configuration file that a node is started with next.
    pub(crate) fn reconfigure(&mut self, node: usize, config: Config) {
        self.setups[node].config = config;
    }

    /// Kills a node's process: its kernel closes the connections.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node] = None;
        self.listening[node] = false;
        self.running.retain(|(_, parent, _)| *parent != node);
        let ends: Vec<(usize, Connection)> = self
            .connections
            .iter()
            .filter(|(_, c)| c.opener == node || c.acceptor == node)
            .map(|(number, c)| (*number, *c))
            .collect();
        for (number, connection) in ends {
            let own = LinkId(number as u32 * 2 + u32::from(connection.acceptor == node));
            self.close(node, own);
        }
        self.settle();
    }

    /// Stops everything between a node and the others, silently.
    pub(crate) fn isolate(&mut self, node: usize) {
        for other in (0..self.nodes.len()).filter(|&other| other != node) {
            self.cut.extend([(node, other), (other, node)]);
        }
    }

    pub(crate) fn node(&mut self, node: usize) -> &mut Node {
        self.nodes[node].as_mut().expect("the node runs")
    }

    /// What a node knows another one as.
    pub(crate) fn peer(&mut self, node: usize, other: usize) -> PeerIx {
        self.find(node, other).expect("the node is known")
    }

    pub(crate) fn find(&mut self, node: usize, other: usize) -> Option<PeerIx> {
        let ix = self.ids.intern(id(other));
        self.node(node).bus.table.find(ix)
    }

    /// The nodes that a node is in handshake with.
    pub(crate) fn handshakes(&mut self, node: usize) -> Vec<PeerIx> {
        let table = &self.node(node).bus.table;
        let strangers = table.order().iter().copied();
        strangers.filter(|&ix| table.flags(ix).any(Flags::HANDSHAKE)).collect()
    }

    /// A message as a node would send it now.
    pub(crate) fn message(&mut self, from: usize, kind: MessageType) -> Box<Packet> {
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids, out: &mut self.out };
        self.nodes[from].as_mut().expect("the node runs").message(&mut ctx, kind)
    }

    /// What somebody says of a node.
    pub(crate) fn gossip(&mut self, about: usize, flags: Flags) -> Gossip {
        Gossip {
            node: self.ids.intern(id(about)),
            endpoint: self.ids.intern_endpoint(endpoint(about)),
            ping_sent: 0,
            pong_received: 0,
            flags,
        }
    }

    /// Delivers a message on the link that its sender has opened.
    pub(crate) fn hear(&mut self, to: usize, from: usize, packet: &Packet) {
        let opened = |c: &Connection| c.up && c.opener == from && c.acceptor == to;
        let number = self.connections.iter().find(|(_, c)| opened(c)).expect("they are linked").0;
        let (_, end) = self.end(LinkId(*number as u32 * 2 + 1)).expect("they are linked");
        self.input(to, Input::Packet(end, packet));
        self.settle();
    }

    /// Delivers a message on the receiver's own link to the sender.
    pub(crate) fn hear_on_own_link(&mut self, to: usize, from: usize, packet: &Packet) {
        let peer = self.peer(to, from);
        let end = self.outbound(to, peer, from);
        self.input(to, Input::Packet(end, packet));
        self.settle();
    }

    /// A node's line in another one's CLUSTER NODES.
    pub(crate) fn line(&mut self, node: usize, about: usize) -> String {
        let peer = self.peer(node, about);
        self.nodes[node].as_ref().expect("the node runs").bus.node_line(&self.ids, peer)
    }

    /// Forgets what was logged, sent, noticed and saved so far.
    pub(crate) fn forget_records(&mut self) {
        self.lines.clear();
        self.sent.clear();
        self.notices.clear();
        self.saves.clear();
    }

    /// Lets a node do something, as if a command had asked for it.
    pub(crate) fn act<T>(
        &mut self,
        node: usize,
        action: impl FnOnce(&mut Node, &mut Ctx<'_>) -> T,
    ) -> T {
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids, out: &mut self.out };
        let acting = self.nodes[node].as_mut().expect("the node runs");
        let result = action(acting, &mut ctx);
        acting.before_sleep(&mut ctx);
        self.carry_out(node);
        self.settle();
        result
    }

    /// What a client is told that says these words to a node.
    pub(crate) fn ask(&mut self, node: usize, words: &str) -> Reply {
        self.ask_as(node, CLIENT, args(words.split(' ')))
    }

    /// What a certain client is told that says these words to a node.
    pub(crate) fn ask_as(&mut self, node: usize, client: LinkId, words: Args) -> Reply {
        self.replies.clear();
        self.input(node, Input::Command(client, words.into()));
        self.settle();
        let mut own = self.replies.iter().filter(|(by, to, _)| (*by, *to) == (node, client));
        let (.., reply) = own.next_back().expect("it is answered at once");
        reply.clone().expect("the connection stays open")
    }

    /// A call of one node to another: answered at once, or refused.
    fn call(&mut self, node: usize, to: Endpoint, requests: Vec<Args>) {
        let target = (0..self.nodes.len()).find(|&other| Some(ip(other)) == to.ip);
        let result = match target.filter(|&target| self.listening[target]) {
            None => CallResult { replies: Vec::new(), error: Some(CallError::Refused) },
            Some(target) => {
                let replies = requests.into_iter().map(|it| self.ask_as(target, CALLER, it));
                CallResult { replies: replies.collect(), error: None }
            }
        };
        self.input(node, Input::CallDone(result));
    }

    /// Who says something to a node has connected before.
    fn let_in(&mut self, node: usize, client: LinkId) {
        if self.nodes[node].as_ref().is_some_and(|node| node.clients.get(client).is_none()) {
            self.input(node, Input::ClientAccepted(client));
        }
    }

    /// Gives a node one input and carries out what it does.
    pub(crate) fn input(&mut self, node: usize, input: Input<'_>) {
        if let Input::Command(client, _) = &input {
            self.let_in(node, *client);
        }
        let mut ctx = Ctx { now: self.now, ids: &mut self.ids, out: &mut self.out };
        if let Some(receiver) = self.nodes[node].as_mut() {
            receiver.handle(input, &mut ctx);
            self.carry_out(node);
        }
    }

    /// Lets time pass; each node ticks every 100 ms.
    pub(crate) fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now = Wall(self.now.0 + 1_000);
            self.end_running();
            let phase = (self.now.0 / 1_000 % 100) as usize;
            for node in 0..self.nodes.len() {
                if phase == 7 * node % 100 && self.listening[node] {
                    self.input(node, Input::Tick);
                    self.settle();
                }
            }
        }
    }

    fn end_running(&mut self) {
        let now = self.now;
        for (_, node, what) in
            self.running.extract_if(.., |(end, ..)| *end <= now).collect::<Vec<_>>()
        {
            self.input(
                node,
                match what {
                    Running::Child(pid) => Input::ChildExit(pid),
                    Running::Transfer(number) => Input::TransferDone(number),
                    Running::Load => Input::LoadStep,
                },
            );
            self.settle();
        }
    }

    /// Runs until something holds.
    pub(crate) fn run_until(&mut self, limit: u64, mut holds: impl FnMut(&mut Lab) -> bool) -> u64 {
        for waited in 0..limit {
            if holds(self) {
                return waited;
            }
            self.run(1);
        }
        panic!("it did not happen within {limit} ms");
    }

    /// Whether somebody wrote a line with this text, word for word.
    pub(crate) fn logged(&self, node: usize, text: &str) -> bool {
        self.lines.iter().any(|line| line.node == node && line.text == text)
    }

    /// How many messages of a type went from one node to another.
    pub(crate) fn count(&self, from: usize, to: usize, kind: MessageType) -> usize {
        let same = |sent: &&Sent| (sent.from, sent.to, sent.packet.kind) == (from, to, kind);
        self.sent.iter().filter(same).count()
    }

    /// My end of a node's link to another one, to make things happen to it by hand.
    pub(crate) fn outbound(&mut self, node: usize, peer: PeerIx, other: usize) -> LinkEnd {
        let link = self.node(node).bus.table.link(peer).expect("there is a link");
        LinkEnd {
            id: link,
            peer: Some(peer),
            local_ip: ip(node),
            remote_ip: ip(other),
            remote_port: 17_000,
        }
    }
}
