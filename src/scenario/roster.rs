//! The nodes of a scenario by the names that steps call them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::network::NodeNo;

/// The address that nodes have unless they say otherwise.
pub const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// All nodes' addresses and how to find them.
///
/// A node is called by its port (`7000`), or by address and port (`10.0.0.1:6379`) where several
/// share a port.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    addresses: Vec<SocketAddr>,
    by_address: BTreeMap<SocketAddr, NodeNo>,
    by_port: BTreeMap<u16, Vec<NodeNo>>,
    groups: BTreeMap<(GroupKind, String), Vec<NodeNo>>,
    /// Those that are not in cluster mode.
    plain: BTreeSet<NodeNo>,
}

/// What nodes can have in common, so that the same faults hit all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKind {
    /// A part of the network: a data centre, a rack.
    Zone,
    /// A machine.
    Host,
}

impl GroupKind {
    /// Every kind and the word for it.
    pub const ALL: [(&'static str, GroupKind); 2] =
        [("zone", GroupKind::Zone), ("host", GroupKind::Host)];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            GroupKind::Zone => "zone",
            GroupKind::Host => "host",
        }
    }
}

/// Why a word names no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoNode {
    /// There is none of this name.
    Unknown,
    /// Several nodes have this port.
    Ambiguous,
}

impl Roster {
    /// Adds a node. Returns the node that has the same address already, if there is one.
    ///
    /// # Panics
    /// With more than four billion nodes; there are fewer ports and addresses in a file.
    pub fn add(&mut self, address: SocketAddr) -> Result<NodeNo, NodeNo> {
        // A scenario's file is limited in size, and so is the number of nodes that one line makes.
        let fresh = NodeNo(u32::try_from(self.addresses.len()).expect("fewer than 2^32 nodes"));
        if let Some(&taken) = self.by_address.get(&address) {
            return Err(taken);
        }
        self.addresses.push(address);
        self.by_address.insert(address, fresh);
        self.by_port.entry(address.port()).or_default().push(fresh);
        Ok(fresh)
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Every node.
    pub fn all(&self) -> impl Iterator<Item = NodeNo> + use<> {
        (0..self.addresses.len() as u32).map(NodeNo)
    }

    /// Every node that is in cluster mode: of whom it is asked whether they agree, and who `all` are to
    /// whom something is said.
    pub fn members(&self) -> impl Iterator<Item = NodeNo> {
        self.all().filter(|&node| self.is_member(node))
    }

    /// Whether a node is in cluster mode, and no plain server.
    #[must_use]
    pub fn is_member(&self, node: NodeNo) -> bool {
        !self.plain.contains(&node)
    }

    /// A node is not in cluster mode.
    pub fn set_plain(&mut self, node: NodeNo) {
        self.plain.insert(node);
    }

    /// A node's address.
    #[must_use]
    pub fn address(&self, node: NodeNo) -> SocketAddr {
        self.addresses[node.index()]
    }

    /// The shortest unambiguous name of a node.
    #[must_use]
    pub fn name(&self, node: NodeNo) -> String {
        let address = self.address(node);
        match self.by_port.get(&address.port()).map_or(0, Vec::len) {
            1 => address.port().to_string(),
            _ => address.to_string(),
        }
    }

    /// The node at an address.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Option<NodeNo> {
        self.by_address.get(&address).copied()
    }

    /// The node that a word names.
    ///
    /// # Errors
    /// If there is none, or more than one.
    pub fn find(&self, word: &str) -> Result<NodeNo, NoNode> {
        if let Ok(address) = word.parse::<SocketAddr>() {
            return self.at(address).ok_or(NoNode::Unknown);
        }
        let nodes = word.parse::<u16>().ok().and_then(|port| self.by_port.get(&port));
        match nodes.map(Vec::as_slice) {
            Some(&[node]) => Ok(node),
            Some(_) => Err(NoNode::Ambiguous),
            None => Err(NoNode::Unknown),
        }
    }

    /// Puts a node into a zone or on a host.
    pub fn join(&mut self, kind: GroupKind, name: &str, node: NodeNo) {
        self.groups.entry((kind, name.to_owned())).or_default().push(node);
    }

    /// The nodes of a zone or on a host; none if nothing is called this.
    #[must_use]
    pub fn group(&self, kind: GroupKind, name: &str) -> &[NodeNo] {
        self.groups.get(&(kind, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The names of all zones or hosts, for hints.
    pub fn group_names(&self, kind: GroupKind) -> impl Iterator<Item = &str> + Clone {
        self.groups.keys().filter(move |(of, _)| *of == kind).map(|(_, name)| name.as_str())
    }

    /// Every node's name, for hints.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.all().map(|node| self.name(node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(addresses: &[&str]) -> Roster {
        let mut roster = Roster::default();
        for address in addresses {
            roster.add(address.parse().unwrap()).unwrap();
        }
        roster
    }

    #[test]
    fn a_node_is_called_by_its_port_while_that_is_enough() {
        let roster = roster(&["127.0.0.1:7000", "10.0.0.1:6379", "10.0.0.2:6379"]);
        assert_eq!(roster.find("7000"), Ok(NodeNo(0)));
        assert_eq!(roster.find("6379"), Err(NoNode::Ambiguous));
        assert_eq!(roster.find("10.0.0.2:6379"), Ok(NodeNo(2)));
        assert_eq!(roster.find("7001"), Err(NoNode::Unknown));
        assert_eq!(roster.find("all"), Err(NoNode::Unknown));
        assert_eq!(roster.names(), ["7000", "10.0.0.1:6379", "10.0.0.2:6379"]);
    }

    #[test]
    fn a_plain_server_is_no_member_of_a_cluster() {
        let mut roster = roster(&["127.0.0.1:7000", "127.0.0.1:7001", "127.0.0.1:7002"]);
        roster.set_plain(NodeNo(1));
        assert_eq!(roster.members().collect::<Vec<_>>(), [NodeNo(0), NodeNo(2)]);
        assert_eq!(roster.all().count(), 3);
    }

    #[test]
    fn an_address_is_taken_once() {
        let mut roster = roster(&["127.0.0.1:7000"]);
        assert_eq!(roster.add("127.0.0.1:7000".parse().unwrap()), Err(NodeNo(0)));
        assert_eq!(roster.len(), 1);
    }
}
