//! The ports that are dialled, each of one address, as small numbers: to whom they belong, and who
//! listens there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::network::NodeNo;
use crate::network::addresses::bits;
use crate::network::message::Kind;
use crate::time::Time;

/// The number of a port of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PortIx(pub(crate) u32);

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Clients' commands.
    Clients,
    /// The cluster bus.
    Bus,
}

impl Service {
    /// What is spoken on the port that such a connection is meant for.
    pub(crate) const fn of(kind: Kind) -> Service {
        match kind {
            Kind::Bus => Service::Bus,
            Kind::Client | Kind::Call | Kind::Replication => Service::Clients,
        }
    }
}

/// A port of an address.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) ip: IpAddr,
    pub(crate) number: u16,
    /// To whom what is sent there comes, whether anybody listens there or not.
    pub(crate) owner: Option<NodeNo>,
    listener: Option<Listener>,
}

/// Who listens somewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener {
    pub(crate) node: NodeNo,
    pub(crate) since: Time,
    service: Service,
}

impl Port {
    /// Who accepts such a connection here.
    #[inline]
    pub(crate) fn listener(&self, kind: Kind) -> Option<Listener> {
        self.listener.filter(|listener| listener.service == Service::of(kind))
    }
}

/// All ports that belong to somebody or were ever dialled.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    all: Vec<Port>,
    /// By the bits of an address, which are faster to compare.
    indices: BTreeMap<(u128, u16), PortIx>,
    /// The one that was asked for last: where nobody listens, the same one is dialled again and again.
    last: PortIx,
}

impl Ports {
    /// The number of a port of an address.
    #[inline]
    pub(crate) fn index(&mut self, ip: IpAddr, port: u16) -> PortIx {
        match self.all.get(self.last.0 as usize) {
            Some(last) if last.number == port && last.ip == ip => {}
            _ => self.last = self.find(ip, port),
        }
        self.last
    }

    /// The number of a port that was not asked for last.
    #[cold]
    fn find(&mut self, ip: IpAddr, port: u16) -> PortIx {
        let all = &mut self.all;
        *self.indices.entry((bits(ip), port)).or_insert_with(|| {
            all.push(Port { ip, number: port, owner: None, listener: None });
            PortIx(all.len() as u32 - 1)
        })
    }

    /// The port with a number.
    #[inline]
    pub(crate) fn get(&self, index: PortIx) -> &Port {
        &self.all[index.0 as usize]
    }

    fn port_mut(&mut self, ip: IpAddr, port: u16) -> &mut Port {
        let number = self.index(ip, port);
        &mut self.all[number.0 as usize]
    }

    /// Gives a port to a node, unless it belongs to one already.
    pub(crate) fn claim(&mut self, ip: IpAddr, port: u16, node: NodeNo) {
        self.port_mut(ip, port).owner.get_or_insert(node);
    }

    /// Whether what is sent there comes to this node.
    pub(crate) fn belongs_to(&mut self, ip: IpAddr, port: u16, node: NodeNo) -> bool {
        self.port_mut(ip, port).owner == Some(node)
    }

    /// What is sent to these ports of an address comes to this node from now on, and nothing that is
    /// sent anywhere else.
    pub(crate) fn move_to(&mut self, ip: IpAddr, ports: [u16; 2], node: NodeNo) {
        self.all.iter_mut().for_each(|port| {
            port.owner.take_if(|owner| *owner == node);
        });
        for port in ports {
            self.port_mut(ip, port).owner = Some(node);
        }
    }

    /// A node listens from now on.
    pub(crate) fn listen(
        &mut self,
        now: Time,
        ip: IpAddr,
        port: u16,
        node: NodeNo,
        service: Service,
    ) {
        self.port_mut(ip, port).listener = Some(Listener { node, since: now, service });
    }

    /// A node does not listen any more.
    pub(crate) fn stop_listening(&mut self, node: NodeNo) {
        for port in &mut self.all {
            port.listener.take_if(|listener| listener.node == node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    const A: NodeNo = NodeNo(0);
    const B: NodeNo = NodeNo(1);

    #[test]
    fn an_address_and_a_port_have_one_number() {
        let mut ports = Ports::default();
        let dialled = [(HERE, 1), (HERE, 2), (THERE, 1), (HERE, 1)];
        let numbers = dialled.map(|(ip, port)| ports.index(ip, port));
        assert_eq!(numbers, [0, 1, 2, 0].map(PortIx));
        let back = numbers.map(|number| (ports.get(number).ip, ports.get(number).number));
        assert_eq!(back, dialled);
    }

    #[test]
    fn who_listens_is_found_by_those_who_speak_the_same() {
        let mut ports = Ports::default();
        ports.listen(Time(5), HERE, 1, A, Service::Bus);
        let port = ports.index(HERE, 1);
        let listener = |ports: &Ports, kind| {
            ports.get(port).listener(kind).map(|listener| (listener.node, listener.since))
        };
        assert_eq!(listener(&ports, Kind::Bus), Some((A, Time(5))));
        assert_eq!(listener(&ports, Kind::Client), None);
        ports.stop_listening(B);
        assert_eq!(listener(&ports, Kind::Bus), Some((A, Time(5))));
        ports.stop_listening(A);
        assert_eq!(listener(&ports, Kind::Bus), None);
    }

    #[test]
    fn an_address_belongs_to_whom_it_was_given_first_or_moved_to() {
        let mut ports = Ports::default();
        ports.claim(HERE, 1, A);
        ports.claim(HERE, 1, B);
        assert!(ports.belongs_to(HERE, 1, A));
        ports.move_to(THERE, [1, 2], A);
        assert!(!ports.belongs_to(HERE, 1, A) && ports.belongs_to(THERE, 2, A));
        ports.move_to(THERE, [1, 2], B);
        assert!(!ports.belongs_to(THERE, 1, A) && ports.belongs_to(THERE, 1, B));
    }
}
