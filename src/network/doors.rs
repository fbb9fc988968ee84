//! The addresses that are dialled, as small numbers: where each belongs, and who listens there.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::network::NodeNo;
use crate::network::addresses::bits;
use crate::network::message::Kind;
use crate::time::Time;

/// The number of an address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DoorIx(pub(crate) u32);

/// What is spoken on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Port {
    /// Clients' commands.
    Clients,
    /// The cluster bus.
    Bus,
}

impl Port {
    /// What is spoken on the port that such a connection is meant for.
    pub(crate) const fn of(kind: Kind) -> Port {
        match kind {
            Kind::Bus => Port::Bus,
            Kind::Client | Kind::Call | Kind::Replication => Port::Clients,
        }
    }
}

/// An address and a port.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    /// To whom what is sent there comes, whether anybody listens there or not.
    pub(crate) owner: Option<NodeNo>,
    listener: Option<Listener>,
}

/// Who listens somewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener {
    pub(crate) node: NodeNo,
    pub(crate) since: Time,
    port: Port,
}

impl Door {
    /// Who accepts such a connection here.
    #[inline]
    pub(crate) fn listener(&self, kind: Kind) -> Option<Listener> {
        self.listener.filter(|listener| listener.port == Port::of(kind))
    }
}

/// All addresses that belong to somebody or were ever dialled.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    all: Vec<Door>,
    /// By the bits of an address, which are faster to compare.
    numbers: BTreeMap<(u128, u16), DoorIx>,
    /// The one that was asked for last: where nobody opens, one knocks again and again.
    last: DoorIx,
}

impl Doors {
    /// The number of an address and a port.
    #[inline]
    pub(crate) fn number(&mut self, ip: IpAddr, port: u16) -> DoorIx {
        match self.all.get(self.last.0 as usize) {
            Some(last) if last.port == port && last.ip == ip => {}
            _ => self.last = self.find(ip, port),
        }
        self.last
    }

    /// The number of an address and a port that was not asked for last.
    #[cold]
    fn find(&mut self, ip: IpAddr, port: u16) -> DoorIx {
        let all = &mut self.all;
        *self.numbers.entry((bits(ip), port)).or_insert_with(|| {
            all.push(Door { ip, port, owner: None, listener: None });
            DoorIx(all.len() as u32 - 1)
        })
    }

    /// An address and a port.
    #[inline]
    pub(crate) fn door(&self, number: DoorIx) -> &Door {
        &self.all[number.0 as usize]
    }

    fn door_mut(&mut self, ip: IpAddr, port: u16) -> &mut Door {
        let number = self.number(ip, port);
        &mut self.all[number.0 as usize]
    }

    /// Gives an address that belongs to nobody to a node.
    pub(crate) fn found(&mut self, ip: IpAddr, port: u16, node: NodeNo) {
        self.door_mut(ip, port).owner.get_or_insert(node);
    }

    /// Whether what is sent there comes to this node.
    pub(crate) fn belongs_to(&mut self, ip: IpAddr, port: u16, node: NodeNo) -> bool {
        self.door_mut(ip, port).owner == Some(node)
    }

    /// What is sent to these ports of an address comes to this node from now on, and nothing that is
    /// sent anywhere else.
    pub(crate) fn move_to(&mut self, ip: IpAddr, ports: [u16; 2], node: NodeNo) {
        self.all.iter_mut().for_each(|door| {
            door.owner.take_if(|owner| *owner == node);
        });
        for port in ports {
            self.door_mut(ip, port).owner = Some(node);
        }
    }

    /// A node listens from now on.
    pub(crate) fn open(&mut self, now: Time, ip: IpAddr, number: u16, node: NodeNo, port: Port) {
        self.door_mut(ip, number).listener = Some(Listener { node, since: now, port });
    }

    /// A node does not listen any more.
    pub(crate) fn close(&mut self, node: NodeNo) {
        for door in &mut self.all {
            door.listener.take_if(|listener| listener.node == node);
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
        let mut doors = Doors::default();
        let dialled = [(HERE, 1), (HERE, 2), (THERE, 1), (HERE, 1)];
        let numbers = dialled.map(|(ip, port)| doors.number(ip, port));
        assert_eq!(numbers, [0, 1, 2, 0].map(DoorIx));
        let back = numbers.map(|number| (doors.door(number).ip, doors.door(number).port));
        assert_eq!(back, dialled);
    }

    #[test]
    fn who_listens_is_found_by_those_who_speak_the_same() {
        let mut doors = Doors::default();
        doors.open(Time(5), HERE, 1, A, Port::Bus);
        let door = doors.number(HERE, 1);
        let listener = |doors: &Doors, kind| {
            doors.door(door).listener(kind).map(|listener| (listener.node, listener.since))
        };
        assert_eq!(listener(&doors, Kind::Bus), Some((A, Time(5))));
        assert_eq!(listener(&doors, Kind::Client), None);
        doors.close(B);
        assert_eq!(listener(&doors, Kind::Bus), Some((A, Time(5))));
        doors.close(A);
        assert_eq!(listener(&doors, Kind::Bus), None);
    }

    #[test]
    fn an_address_belongs_to_whom_it_was_given_first_or_moved_to() {
        let mut doors = Doors::default();
        doors.found(HERE, 1, A);
        doors.found(HERE, 1, B);
        assert!(doors.belongs_to(HERE, 1, A));
        doors.move_to(THERE, [1, 2], A);
        assert!(!doors.belongs_to(HERE, 1, A) && doors.belongs_to(THERE, 2, A));
        doors.move_to(THERE, [1, 2], B);
        assert!(!doors.belongs_to(THERE, 1, A) && doors.belongs_to(THERE, 1, B));
    }
}
