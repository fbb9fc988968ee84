//! Dialling: the record of a new connection, and its SYNs.

use std::net::IpAddr;

use crate::network::addresses::AddressIx;
use crate::network::connection::{Connection, Flow};
use crate::network::fate::{self, connect_attempts, connect_retry};
use crate::network::graph::Paths;
use crate::network::message::Kind;
use crate::network::transport::{Network, path_of};
use crate::network::{Attempt, Dial, NetworkConfig, NodeNo, Site};
use crate::node::effect::LinkId;
use crate::rng::Purpose;
use crate::time::Time;

impl Network {
    /// A node has this address from now on.
    pub(crate) fn set_address(&mut self, node: NodeNo, ip: IpAddr) {
        self.node_addresses[node.index()] = self.addresses.number(ip);
    }

    /// The address that connections come from at a place.
    #[inline]
    fn address_of(&self, site: Site) -> AddressIx {
        match site {
            Site::Node(node) | Site::Beside(node) => self.node_addresses[node.index()],
            Site::Clients => self.clients_address,
        }
    }

    /// Makes the record of a new connection. Nothing has been sent yet.
    pub(crate) fn dial(&mut self, now: Time, dial: Dial) {
        // Two connections between the same sites are opened at different times, or it does not
        // matter if they draw the same latencies.
        let draws = |from: Option<Site>, to: Option<Site>| {
            let subject = site_number(from) << 32 | site_number(to);
            self.seed.small_stream(Purpose::Latency, subject, now.0)
        };
        let dialled = self.ports.index(dial.to_ip, dial.to_port);
        let (from, to) = (Some(dial.from), self.ports.get(dialled).owner.map(Site::Node));
        let flows = [Flow::new(draws(from, to)), Flow::new(draws(to, from))];
        let opener_ip = self.address_of(dial.from);
        let mut connection =
            Connection::new(dial.kind, dial.tag, (from, to), (opener_ip, dialled), flows);
        connection.holds_back = self.config.nagle
            && dial.kind == Kind::Bus
            && self.addresses.ip(opener_ip) == dial.to_ip;
        let at = dial.link.connection();
        while self.connections.len() <= at {
            self.connections.push(Connection::none());
        }
        let place = &mut self.connections[at];
        assert!(place.retired, "a connection's number is used again when it is over");
        *place = connection;
        self.look_at_paths(dial.link);
    }

    /// Sends a SYN, for the `attempt`-th time after the first.
    pub(crate) fn attempt(&mut self, now: Time, link: LinkId, attempt: u32) -> Attempt {
        let undisturbed = self.paths.all_intact() && self.without_power.is_empty();
        if undisturbed || self.gets_through(now, link) {
            return self.syn_arrives(now, link);
        }
        let back_off = self.config.syn_back_off;
        let next = now + connect_retry(attempt, back_off);
        if attempt + 1 < connect_attempts(back_off) {
            Attempt::RetryAt(next)
        } else {
            Attempt::FailsAt(next)
        }
    }

    /// Whether a SYN and the answer to it are not lost.
    fn gets_through(&mut self, now: Time, link: LinkId) -> bool {
        let (way, back) = (self.path(link), self.path(link.other()));
        self.note_hit(now, link, way);
        if !way.is_closed() {
            self.note_hit(now, link.other(), back);
        }
        let powerless = self.lacks_power(self.connection(link).end(link.other()).site());
        let draws = &mut self.connection_mut(link).flow_mut(link).draws;
        !(powerless
            || way.is_closed()
            || back.is_closed()
            || fate::lost(way, draws)
            || fate::lost(back, draws))
    }

    /// A SYN gets to the other host.
    #[inline]
    fn syn_arrives(&mut self, now: Time, link: LinkId) -> Attempt {
        let (paths, config) = (&self.paths, &self.config);
        let connection = &mut self.connections[link.connection()];
        let arrival = hop(paths, config, connection, link, now);
        match self.ports.get(connection.dialled).listener(connection.kind) {
            Some(_) => Attempt::Arrives(arrival),
            None => Attempt::Unheard(hop(paths, config, connection, link.other(), arrival)),
        }
    }

    /// When something that is neither held nor lost gets from an end to the other one.
    pub(crate) fn hop(&mut self, now: Time, from: LinkId) -> Time {
        hop(&self.paths, &self.config, &mut self.connections[from.connection()], from, now)
    }
}

/// When something that is neither held nor lost gets from an end to the other one.
#[inline(always)]
fn hop(
    paths: &Paths,
    config: &NetworkConfig,
    connection: &mut Connection,
    from: LinkId,
    now: Time,
) -> Time {
    let path = path_of(paths, connection, from);
    let flow = connection.flow_mut(from);
    let delay = fate::travel(path, config, &mut flow.draws);
    flow.in_order(now + delay)
}

/// Numbers for sites that no two share.
fn site_number(site: Option<Site>) -> u64 {
    match site {
        None => 0,
        Some(Site::Clients) => 1,
        Some(Site::Node(node)) => u64::from(node.0) + 2,
        Some(Site::Beside(node)) => u64::from(node.0) + 2 + (1 << 31),
    }
}
