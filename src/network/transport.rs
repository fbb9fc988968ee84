//! What the kernels at both ends of connections do: open, send, hold, send again, give up.

mod dial;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasherDefault;
use std::net::IpAddr;

use indexmap::IndexMap;

use crate::network::addresses::{AddressBook, AddressIx};
use crate::network::connection::{Connection, EndState};
use crate::network::fate::{DELAYED_ACK, Receiver, Rule, Verdict, next_retransmission};
use crate::network::graph::{Path, Paths, SiteHasher};
use crate::network::held::{Held, HeldList};
use crate::network::message::{Kind, Message};
use crate::network::ports::{Listener, Ports};
use crate::network::{NetworkConfig, NodeNo, Sent, Site};
use crate::node::effect::{LinkEnd, LinkId};
use crate::node::table::PeerIx;
use crate::rng::Seed;
use crate::time::{Span, Time};

/// When something met with what is wrong with a path, for the first time on some connection since the
/// paths last changed.
type Hits = IndexMap<(Site, Site), Time, BuildHasherDefault<SiteHasher>>;

/// All connections, and the paths they run over.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    seed: Seed,
    paths: Paths,
    connections: Vec<Connection>,
    addresses: AddressBook,
    /// The address of each node.
    node_addresses: Vec<AddressIx>,
    /// The address of the clients that sit beside no node.
    clients_address: AddressIx,
    ports: Ports,
    held: Held,
    /// When the first message was sent of those whose acknowledgements cannot come back, by the
    /// sender's end.
    unanswered: BTreeMap<LinkId, Time>,
    /// Nodes whose machines have no power.
    without_power: BTreeSet<NodeNo>,
    hits: Hits,
    /// Ends that send nothing of what they hold until they are told to go on.
    stopped: BTreeSet<LinkId>,
}

impl Network {
    /// An undisturbed network between nodes with these addresses and the clients.
    #[must_use]
    pub fn new(
        config: NetworkConfig,
        seed: Seed,
        nodes: impl IntoIterator<Item = IpAddr>,
    ) -> Network {
        let mut addresses = AddressBook::default();
        let clients_address = addresses.number(config.client_ip);
        let node_addresses: Vec<AddressIx> =
            nodes.into_iter().map(|ip| addresses.number(ip)).collect();
        Network {
            config,
            seed,
            paths: Paths::new(node_addresses.len() as u32),
            connections: Vec::new(),
            addresses,
            node_addresses,
            clients_address,
            ports: Ports::default(),
            held: Held::default(),
            unanswered: BTreeMap::new(),
            without_power: BTreeSet::new(),
            hits: Hits::default(),
            stopped: BTreeSet::new(),
        }
    }

    /// How it behaves when nothing is wrong.
    #[must_use]
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// What is wrong with its paths.
    #[must_use]
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// A connection.
    #[inline]
    pub(crate) fn connection(&self, link: LinkId) -> &Connection {
        &self.connections[link.connection()]
    }

    #[inline]
    pub(crate) fn connection_mut(&mut self, link: LinkId) -> &mut Connection {
        &mut self.connections[link.connection()]
    }

    /// The ends that are open at a site or on their way to be, lowest number first.
    pub(crate) fn ends_at(&self, site: Site) -> Vec<LinkId> {
        (0..self.connections.len() as u32 * 2)
            .map(LinkId)
            .filter(|&link| {
                let end = self.connection(link).end(link);
                end.site() == Some(site) && end.state.is_in_use()
            })
            .collect()
    }

    /// A connection's end as the process that holds it sees it.
    #[inline]
    pub(crate) fn link_end(&self, link: LinkId) -> LinkEnd {
        let connection = self.connection(link);
        let opener_ip = self.addresses.ip(connection.opener_ip);
        let dialled = self.ports.get(connection.dialled);
        if link.is_opener() {
            LinkEnd {
                id: link,
                // A bus connection is tagged with the index of the peer it was opened to.
                peer: (connection.kind == Kind::Bus).then_some(PeerIx(connection.tag as u16)),
                local_ip: opener_ip,
                remote_ip: dialled.ip,
                remote_port: dialled.number,
            }
        } else {
            LinkEnd {
                id: link,
                peer: None,
                local_ip: dialled.ip,
                remote_ip: opener_ip,
                remote_port: connection.opener_port,
            }
        }
    }

    /// Who listens now where a connection is to be opened to.
    #[inline]
    pub(crate) fn listener(&self, link: LinkId) -> Option<Listener> {
        let connection = self.connection(link);
        self.ports.get(connection.dialled).listener(connection.kind)
    }

    /// All ports.
    pub(crate) fn ports_mut(&mut self) -> &mut Ports {
        &mut self.ports
    }

    /// Sends a message from an open end.
    #[inline]
    pub(crate) fn send(&mut self, now: Time, from: LinkId, message: Message) -> Sent {
        let connection = &mut self.connections[from.connection()];
        if connection.end(from).state == EndState::Connecting {
            self.hold(now, from, message);
            return Sent::Held;
        }
        let (mut path, mut unanswered) = (Path::INTACT, None);
        if connection.end(from).impaired {
            path = path_of(&self.paths, connection, from);
            if connection.end(from).deaf {
                // There is one at most as long as the way back is closed.
                unanswered = Some(*self.unanswered.entry(from).or_insert(now));
            }
            if path != Path::INTACT && !connection.end(from).hit {
                connection.end_mut(from).hit = true;
                note_hit(&mut self.hits, connection, from, now);
            }
        }
        let other = connection.end(from.other());
        let receiver = match other.state {
            state if state.is_in_use() => Receiver::There,
            EndState::Vanished if !lacks_power(&self.without_power, other.site()) => {
                Receiver::Forgetful
            }
            _ => Receiver::Gone,
        };
        let may_send_at = connection.may_send_at(from, now);
        let flow = connection.flow_mut(from);
        let behind_others = !flow.held.is_empty();
        let silence = unanswered.map(|since| now.since(since));
        let rule = Rule { path, unanswered: silence, receiver, behind_others };
        match rule.judge(&self.config, &mut flow.draws) {
            Verdict::Deliver(_)
                if may_send_at > now && !matches!(message, Message::Close | Message::Reset) =>
            {
                self.held.push(&mut flow.held, now, message);
                Sent::HeldUntil(may_send_at)
            }
            Verdict::Deliver(delay) => {
                let arrival = flow.in_order(now + delay);
                connection.sent(from, now, arrival + DELAYED_ACK + delay);
                Sent::Arrives(arrival, message)
            }
            Verdict::Drop => Sent::Lost(message),
            Verdict::Reject(delay) => Sent::Rejected(now + delay, message),
            Verdict::Hold => {
                self.held.push(&mut flow.held, unanswered.unwrap_or(now), message);
                Sent::Held
            }
        }
    }

    /// A host accepts a connection. The opener learns it a hop later.
    pub(crate) fn accept(&mut self, opener: LinkId, at: Site) {
        let acceptor = opener.other();
        let end = self.connection_mut(acceptor).end_mut(acceptor);
        end.set_site(Some(at));
        end.state = EndState::Open;
        self.look_at_paths(opener);
    }

    /// The opener learns that its connection was accepted. Says whether it still wants it.
    pub(crate) fn establish(&mut self, opener: LinkId) -> bool {
        let end = self.connection_mut(opener).end_mut(opener);
        let waits = end.state == EndState::Connecting;
        if waits {
            end.state = EndState::Open;
        }
        waits
    }

    /// Whether messages can be sent and received at an end.
    #[inline]
    pub(crate) fn is_open(&self, link: LinkId) -> bool {
        self.connection(link).end(link).state == EndState::Open
    }

    /// Keeps a message until the path or the connection is open.
    pub(crate) fn hold(&mut self, now: Time, from: LinkId, message: Message) {
        let flow = self.connections[from.connection()].flow_mut(from);
        self.held.push(&mut flow.held, now, message);
    }

    /// From now on an end sends nothing of what it holds.
    pub(crate) fn stop(&mut self, from: LinkId) {
        self.stopped.insert(from);
    }

    /// An end may send what it holds.
    pub(crate) fn go_on(&mut self, from: LinkId) {
        self.stopped.remove(&from);
    }

    /// Whether an end may hold anything, or be stopped.
    #[inline]
    pub(crate) fn may_hold(&self, from: LinkId) -> bool {
        !self.stopped.is_empty() || !self.connection(from).flow(from).held.is_empty()
    }

    /// Whether an end sends nothing of what it holds.
    #[inline]
    pub(crate) fn is_stopped(&self, from: LinkId) -> bool {
        !self.stopped.is_empty() && self.stopped.contains(&from)
    }

    /// The ends between two sites that send nothing of what they hold.
    pub(crate) fn stopped_between(&self, from: Site, to: Site) -> Vec<LinkId> {
        let is_there = |link: &&LinkId| {
            let connection = self.connection(**link);
            connection.end(**link).site() == Some(from)
                && connection.end(link.other()).site() == Some(to)
        };
        self.stopped.iter().filter(is_there).copied().collect()
    }

    /// Whether what an end sends now would be held because of what is wrong with the path, with the
    /// connection or with what is in front of it.
    pub(crate) fn is_held_back(&self, from: LinkId) -> bool {
        let waits = self.connection(from).end(from).state == EndState::Connecting;
        waits || self.is_stopped(from) || self.is_closed_either_way(from)
    }

    fn is_closed_either_way(&self, from: LinkId) -> bool {
        self.path(from).is_closed() || self.path(from.other()).is_closed()
    }

    /// Takes everything that the kernel at an end holds.
    pub(crate) fn take_held(&mut self, from: LinkId) -> HeldList {
        std::mem::take(&mut self.connection_mut(from).flow_mut(from).held)
    }

    /// The next message of what was taken.
    pub(crate) fn next_held(&mut self, list: &mut HeldList) -> Option<Message> {
        self.held.pop(list)
    }

    /// When the kernel gives up what a closed end holds, if it holds anything.
    pub(crate) fn gives_up_at(&self, closed: LinkId) -> Option<Time> {
        let since = self.held.oldest(&self.connection(closed).flow(closed).held)?;
        let life = if self.config.orphans { self.config.orphan_life } else { Span::ZERO };
        Some(since + life)
    }

    /// When the kernel at an end sends again what it holds, if it holds anything and the path is
    /// open; and since when it has held it.
    pub(crate) fn resends_at(&self, now: Time, from: LinkId) -> Option<(Time, Time)> {
        let connection = self.connection(from);
        let since = self.held.oldest(&connection.flow(from).held)?;
        let waits = connection.end(from).state == EndState::Connecting;
        if waits || self.is_stopped(from) || self.is_closed_either_way(from) {
            return None;
        }
        Some((next_retransmission(since, now, self.config.back_off), since))
    }

    /// Changes what is wrong with the paths. Says which ends now wait for a retransmission, with
    /// its time and the time since when they hold.
    pub(crate) fn change_paths(
        &mut self,
        now: Time,
        change: impl FnOnce(&mut Paths),
    ) -> Vec<(LinkId, Time, Time)> {
        change(&mut self.paths);
        let mut resends = Vec::new();
        for link in (0..self.connections.len() as u32 * 2).map(LinkId) {
            self.look_at_path(link);
            if let Some((at, since)) = self.resends_at(now, link) {
                resends.push((link, at, since));
            }
        }
        resends
    }

    /// Whether a machine has power.
    pub(crate) fn set_power(&mut self, node: NodeNo, on: bool) {
        if on {
            self.without_power.remove(&node);
        } else {
            self.without_power.insert(node);
        }
    }

    fn lacks_power(&self, site: Option<Site>) -> bool {
        lacks_power(&self.without_power, site)
    }

    fn note_hit(&mut self, now: Time, from: LinkId, path: Path) {
        if path != Path::INTACT {
            note_hit(&mut self.hits, &self.connections[from.connection()], from, now);
        }
    }

    /// All paths that something has met with trouble on, and when it did so on some connection for the
    /// first time since the paths last changed.
    pub(crate) fn hits(&self) -> impl Iterator<Item = (Site, Site, Time)> {
        self.hits.iter().map(|(&(from, to), &at)| (from, to, at))
    }

    /// The ends of a new connection learn how their paths are, if there is anything to learn.
    fn look_at_paths(&mut self, link: LinkId) {
        if !self.paths.all_intact() || !self.unanswered.is_empty() {
            self.look_at_path(link);
            self.look_at_path(link.other());
        }
    }

    fn look_at_path(&mut self, from: LinkId) {
        let (way, back) = (self.path(from), self.path(from.other()));
        let end = self.connection_mut(from).end_mut(from);
        end.impaired = way != Path::INTACT || back != Path::INTACT;
        end.deaf = back.is_closed();
        end.hit = false;
        if !end.deaf && !self.unanswered.is_empty() {
            self.unanswered.remove(&from);
        }
    }

    fn path(&self, from: LinkId) -> Path {
        path_of(&self.paths, self.connection(from), from)
    }
}

/// The path that an end's messages take.
#[inline]
fn path_of(paths: &Paths, connection: &Connection, from: LinkId) -> Path {
    match paths.all_intact() {
        true => Path::INTACT,
        false => path_between(paths, connection, from),
    }
}

/// The path that an end's messages take, where not all paths are intact.
fn path_between(paths: &Paths, connection: &Connection, from: LinkId) -> Path {
    match (connection.end(from).site(), connection.end(from.other()).site()) {
        // A client and the node that it sits beside are never apart.
        (Some(from), Some(to)) => match (from.gate(), to.gate()) {
            (from, to) if from == to => Path::INTACT,
            (from, to) => paths.between(from, to),
        },
        _ => Path::INTACT,
    }
}

/// Something meets with what is wrong with its path.
fn note_hit(hits: &mut Hits, connection: &Connection, from: LinkId, now: Time) {
    let ends = (connection.end(from).site(), connection.end(from.other()).site());
    if let (Some(from), Some(to)) = ends {
        hits.insert((from, to), now);
    }
}

fn lacks_power(without_power: &BTreeSet<NodeNo>, site: Option<Site>) -> bool {
    site.and_then(Site::node).is_some_and(|node| without_power.contains(&node))
}
