//! A client's map of the slots, as CLUSTER SLOTS and MOVED tell it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::network::NodeNo;
use crate::resp::Reply;
use crate::slot::{SLOTS, Slot};

/// Which node serves which slot, as far as a client knows.
#[derive(Debug, Clone)]
pub(crate) struct SlotMap(Box<[Option<NodeNo>]>);

/// Nodes by their addresses.
pub(crate) type Directory = BTreeMap<SocketAddr, NodeNo>;

impl SlotMap {
    pub(crate) fn new() -> SlotMap {
        SlotMap(vec![None; usize::from(SLOTS)].into())
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<NodeNo> {
        self.0[slot.index()]
    }

    pub(crate) fn set(&mut self, slot: Slot, node: NodeNo) {
        self.0[slot.index()] = Some(node);
    }

    /// Reads a reply to CLUSTER SLOTS. Slots that it does not name are unknown from now on. Says
    /// whether it was such a reply, and named any.
    pub(crate) fn learn(&mut self, reply: &Reply, directory: &Directory) -> bool {
        let Reply::Array(ranges) = reply else { return false };
        self.0.fill(None);
        for range in ranges {
            if let Some((first, last, master)) = read_range(range, directory) {
                self.0[first..=last].fill(Some(master));
            }
        }
        self.0.iter().any(Option::is_some)
    }

    /// The runs of slots that are served by the same node.
    pub(crate) fn ranges(&self) -> Vec<(u16, u16)> {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        let mut before = None;
        for (slot, node) in (0..SLOTS).zip(self.0.iter()) {
            match ranges.last_mut() {
                Some((_, last)) if before == Some(node) => *last = slot,
                _ => ranges.push((slot, slot)),
            }
            before = Some(node);
        }
        ranges
    }
}

fn read_range(range: &Reply, directory: &Directory) -> Option<(usize, usize, NodeNo)> {
    let Reply::Array(parts) = range else { return None };
    let [Reply::Int(first), Reply::Int(last), Reply::Array(master), ..] = parts.as_slice() else {
        return None;
    };
    let [ip, Reply::Int(port), ..] = master.as_slice() else { return None };
    let ip: IpAddr = ip.text()?.parse().ok()?;
    let address = SocketAddr::new(ip, u16::try_from(*port).ok()?);
    let slot = |number: i64| u16::try_from(number).ok().and_then(Slot::new).map(Slot::index);
    let (first, last) = (slot(*first)?, slot(*last)?);
    (first <= last).then_some((first, last, *directory.get(&address)?))
}

/// Where an error sends a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Redirection {
    /// From now on.
    Moved(Slot, NodeNo),
    /// This once.
    Ask(NodeNo),
    /// Nowhere: to come back later.
    TryAgain,
}

/// Reads an error as a redirection.
pub(crate) fn redirection(error: &str, directory: &Directory) -> Option<Redirection> {
    let mut words = error.split(' ');
    let code = words.next()?;
    if code == "TRYAGAIN" {
        return Some(Redirection::TryAgain);
    }
    if code != "MOVED" && code != "ASK" {
        return None;
    }
    let slot = words.next()?.parse().ok().and_then(Slot::new)?;
    let (ip, port) = words.next()?.rsplit_once(':')?;
    let address = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
    let node = *directory.get(&address)?;
    Some(if code == "MOVED" { Redirection::Moved(slot, node) } else { Redirection::Ask(node) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        (0..3).map(|n| (SocketAddr::from(([127, 0, 0, 1], 7000 + n)), NodeNo(n.into()))).collect()
    }

    fn range(first: i64, last: i64, port: i64) -> Reply {
        let master = Reply::Array(vec![Reply::bulk("127.0.0.1"), Reply::Int(port)]);
        Reply::Array(vec![Reply::Int(first), Reply::Int(last), master])
    }

    #[test]
    fn the_reply_to_cluster_slots_replaces_the_map() {
        let mut map = SlotMap::new();
        map.set(Slot::new(16_000).unwrap(), NodeNo(2));
        let reply = Reply::Array(vec![range(0, 99, 7000), range(100, 150, 7001)]);
        assert!(map.learn(&reply, &directory()));
        assert_eq!(map.get(Slot::new(100).unwrap()), Some(NodeNo(1)));
        assert_eq!(map.get(Slot::new(16_000).unwrap()), None);
        assert_eq!(map.ranges(), [(0, 99), (100, 150), (151, 16_383)]);
        assert!(!map.learn(&Reply::err("no"), &directory()));
        assert!(!map.learn(&Reply::Array(vec![range(0, 20_000, 7000)]), &directory()));
    }

    #[test]
    fn errors_that_redirect_are_recognised() {
        let read = |error| redirection(error, &directory());
        let slot = Slot::new(5).unwrap();
        assert_eq!(read("MOVED 5 127.0.0.1:7001"), Some(Redirection::Moved(slot, NodeNo(1))));
        assert_eq!(read("ASK 5 127.0.0.1:7002"), Some(Redirection::Ask(NodeNo(2))));
        assert_eq!(read("TRYAGAIN Multiple keys"), Some(Redirection::TryAgain));
        assert_eq!(read("MOVED 5 127.0.0.1:9999"), None, "nobody is known there");
        assert_eq!(read("CLUSTERDOWN The cluster is down"), None);
    }
}
