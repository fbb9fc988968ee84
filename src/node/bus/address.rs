//! Addresses: what I announce, what I think mine is, and where others are (§1.2.1, §5.3.1, §5.4).

use std::net::IpAddr;

use crate::id::{Endpoint, EndpointIx, Ids};
use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::config::Config;
use crate::node::effect::{Ctx, LinkEnd};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{MessageType, Packet};
use crate::node::table::PeerIx;

/// The bus listens this far above the port for clients (§1.1).
pub(crate) const BUS_PORT_OFFSET: u16 = 10_000;

/// What I announce, and its index, so that a header costs no look-up (§1.2.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct Announced(Option<(Endpoint, EndpointIx)>);

/// What a node of this configuration announces (§1.2.1).
pub(crate) fn announced_endpoint(config: &Config) -> Endpoint {
    let or = |announced: u16, real: u16| if announced == 0 { real } else { announced };
    Endpoint {
        ip: config.announce_ip,
        port: or(config.announce_port, config.port),
        cport: or(config.announce_bus_port, config.port.saturating_add(BUS_PORT_OFFSET)),
        pport: 0,
    }
}

impl Bus {
    /// The endpoint that my headers carry (§1.2.2).
    pub(crate) fn announced(&mut self, ids: &mut Ids, config: &Config) -> EndpointIx {
        let wanted = announced_endpoint(config);
        match self.announced.0 {
            Some((endpoint, ix)) if endpoint == wanted => ix,
            _ => {
                let ix = ids.intern_endpoint(wanted);
                self.announced = Announced(Some((wanted, ix)));
                ix
            }
        }
    }

    fn my_endpoint(&self, ids: &Ids) -> Endpoint {
        ids.endpoint(self.table.endpoint(self.myself))
    }

    fn set_my_ip(&mut self, ids: &mut Ids, ip: Option<IpAddr>) {
        let endpoint = Endpoint { ip, ..self.my_endpoint(ids) };
        let endpoint = ids.intern_endpoint(endpoint);
        self.table.set_endpoint(self.myself, endpoint);
    }

    /// The address of a packet's sender: the announced one, else where the connection comes from.
    pub(crate) fn sender_endpoint(ids: &Ids, end: &LinkEnd, packet: &Packet) -> Endpoint {
        let header = ids.endpoint(packet.endpoint);
        Endpoint { ip: header.ip.or(Some(end.remote_ip)), ..header }
    }
}

impl Node {
    /// Learns my own address from the connection that a MEET, or the first PING, came in on
    /// (§5.3.1).
    pub(crate) fn learn_my_address(&mut self, ctx: &mut Ctx<'_>, end: &LinkEnd, kind: MessageType) {
        if self.config.announce_ip.is_some() {
            return;
        }
        let mine = self.bus.my_endpoint(ctx.ids).ip;
        if mine == Some(end.local_ip) || (kind != MessageType::Meet && mine.is_some()) {
            return;
        }
        self.bus.set_my_ip(ctx.ids, Some(end.local_ip));
        self.bus.todo.add(Todo::SAVE);
        let ip = end.local_ip;
        self.log(ctx, Level::Warning, format_args!("IP address for this node updated to {ip}"));
    }

    /// Follows a change of `cluster-announce-ip` (§7.1).
    pub(crate) fn sync_announced_ip(&mut self, ctx: &mut Ctx<'_>) {
        if self.bus.announced_ip_seen != self.config.announce_ip {
            self.bus.announced_ip_seen = self.config.announce_ip;
            self.bus.set_my_ip(ctx.ids, self.config.announce_ip);
        }
    }

    /// Stores a known sender's address if it is not what I thought. Returns whether it changed
    /// (§5.4).
    pub(crate) fn update_address(
        &mut self,
        ctx: &mut Ctx<'_>,
        peer: PeerIx,
        end: &LinkEnd,
        packet: &Packet,
    ) -> bool {
        if self.bus.table.link(peer) == Some(end.id) {
            return false;
        }
        let endpoint = Bus::sender_endpoint(ctx.ids, end, packet);
        if endpoint == ctx.ids.endpoint(self.bus.table.endpoint(peer)) {
            return false;
        }
        let ix = ctx.ids.intern_endpoint(endpoint);
        self.bus.table.set_endpoint(peer, ix);
        self.bus.close_link(ctx, peer);
        self.bus.table.clear_flags(peer, Flags::NOADDR);
        let id = self.bus.id_of(ctx.ids, peer);
        let (ip, port) = (endpoint.ip_text(), endpoint.port);
        let text = format_args!("Address updated for node {id}, now {ip}:{port}");
        self.log(ctx, Level::Warning, text);
        if !self.bus.is_master() && self.bus.my_master() == Some(peer) {
            self.follow(ctx, endpoint);
        }
        true
    }
}
