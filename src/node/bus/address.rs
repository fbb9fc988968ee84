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

/// What I announce, and its index, so that a header costs no look-up (§1.2.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct Announced(Option<(Endpoint, EndpointIx)>);

/// What a node of this configuration announces (§1.2.1).
pub(crate) fn announced_endpoint(config: &Config) -> Endpoint {
    let or = |announced: u16, real: u16| if announced == 0 { real } else { announced };
    Endpoint {
        ip: config.announce_ip,
        port: or(config.announce_port, config.port),
        cport: or(config.announce_bus_port, config.port.saturating_add(Endpoint::BUS_PORT_OFFSET)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, endpoint, id, ip};

    #[test]
    fn announced_ports_replace_the_real_ones_1_2_1() {
        let config = Config { port: 7_000, ..Config::default() };
        let plain = Endpoint { ip: None, port: 7_000, cport: 17_000, pport: 0 };
        assert_eq!(announced_endpoint(&config), plain);
        let config = Config { announce_port: 9_000, announce_ip: Some(ip(5)), ..config };
        let announced = Endpoint { ip: Some(ip(5)), port: 9_000, ..plain };
        assert_eq!(announced_endpoint(&config), announced, "the bus port follows the real port");
        let config = Config { announce_bus_port: 9_999, ..config };
        assert_eq!(announced_endpoint(&config), Endpoint { cport: 9_999, ..announced });
    }

    #[test]
    fn headers_follow_a_change_of_the_configuration_at_once_1_2_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.node(0).config.announce_port = 9_000;
        let ping = lab.message(0, MessageType::Ping);
        assert_eq!(lab.ids.endpoint(ping.endpoint).port, 9_000);
        assert!(lab.line(0, 0).contains(":7000@17000"), "my own line does not");
    }

    #[test]
    fn a_ping_tells_me_my_address_only_if_i_have_none_5_3_1() {
        let mut lab = Lab::alone(1);
        let end = LinkEnd {
            id: crate::node::effect::LinkId(1),
            peer: None,
            local_ip: ip(3),
            remote_ip: ip(4),
            remote_port: 40_000,
        };
        lab.act(0, |node, ctx| node.learn_my_address(ctx, &end, MessageType::Ping));
        assert!(lab.logged(0, "IP address for this node updated to 10.0.0.4"));
        let elsewhere = LinkEnd { local_ip: ip(8), ..end };
        lab.act(0, |node, ctx| node.learn_my_address(ctx, &elsewhere, MessageType::Ping));
        assert!(lab.line(0, 0).contains(" 10.0.0.4:"));
        lab.forget_records();
        lab.act(0, |node, ctx| node.learn_my_address(ctx, &elsewhere, MessageType::Meet));
        assert!(lab.line(0, 0).contains(" 10.0.0.9:"), "a MEET always does");
        assert_eq!(lab.saves, [(0, false)]);
    }

    #[test]
    fn who_announces_an_address_does_not_learn_it_5_3_1() {
        let mut lab = Lab::alone(2);
        lab.node(1).config.announce_ip = Some(ip(9));
        lab.run(100);
        assert!(lab.line(1, 1).contains(" 10.0.0.10:7000@17000 "), "from the first cron on (§7.1)");
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1)));
        lab.run(100);
        assert!(lab.line(1, 1).contains(" 10.0.0.10:7000@17000 "));
        lab.node(1).config.announce_ip = None;
        lab.run(100);
        assert!(lab.line(1, 1).contains(" :7000@17000 "), "to be detected again (§7.1)");
    }

    #[test]
    fn a_peer_that_moved_is_found_at_its_new_address_5_4() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(300);
        lab.forget_records();
        let peer = lab.peer(0, 1);
        let link = lab.node(0).bus.table.link(peer);
        let mut ping = lab.message(1, MessageType::Ping);
        ping.endpoint = lab.ids.intern_endpoint(Endpoint { port: 9_000, ..endpoint(1) });
        lab.hear(0, 1, &ping);
        assert!(link.is_some() && lab.node(0).bus.table.link(peer).is_none());
        assert!(lab.logged(0, &format!("Address updated for node {}, now 10.0.0.2:9000", id(1))));
        assert_eq!(lab.saves, [(0, false)]);
    }

    #[test]
    fn neither_meet_nor_pong_nor_my_own_link_moves_a_peer_5_4_5_6_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(300);
        let mut packet = lab.message(1, MessageType::Meet);
        packet.endpoint = lab.ids.intern_endpoint(Endpoint { port: 9_000, ..endpoint(1) });
        lab.hear(0, 1, &packet);
        packet.kind = MessageType::Pong;
        lab.hear(0, 1, &packet);
        packet.kind = MessageType::Ping;
        lab.hear_on_own_link(0, 1, &packet);
        assert!(lab.line(0, 1).contains(" 10.0.0.2:7000@17000 "));
    }

    #[test]
    fn replication_follows_a_master_that_moved_5_4() {
        let mut lab = Lab::formed(1, 1, 3_000);
        lab.run(300);
        let mut ping = lab.message(0, MessageType::Ping);
        ping.endpoint = lab.ids.intern_endpoint(Endpoint { port: 9_000, ..endpoint(0) });
        lab.hear(1, 0, &ping);
        assert_eq!(lab.node(1).replication.master.map(|master| master.port), Some(9_000));
    }
}
