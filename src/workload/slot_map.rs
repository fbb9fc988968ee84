//! A client's map of the slots, as CLUSTER SLOTS and MOVED tell it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::network::NodeNo;
use crate::resp::Reply;
use crate::slot::{SLOTS, Slot};

/// Which node serves which slot, as far as a client knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct SlotMap {
    /// What CLUSTER SLOTS told last, ascending.
    told: Vec<Range>,
    /// What was learned of single slots since then.
    since: BTreeMap<Slot, NodeNo>,
}

/// Slots that one node serves.
#[derive(Debug, Clone, Copy)]
struct Range {
    first: Slot,
    last: Slot,
    master: NodeNo,
}

/// Nodes by their addresses.
pub(crate) type Directory = BTreeMap<SocketAddr, NodeNo>;

impl SlotMap {
    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<NodeNo> {
        if let Some(&node) = self.since.get(&slot) {
            return Some(node);
        }
        let range = self.told.get(self.told.partition_point(|range| range.last < slot))?;
        (range.first <= slot).then_some(range.master)
    }

    pub(crate) fn set(&mut self, slot: Slot, node: NodeNo) {
        self.since.insert(slot, node);
    }

    /// Reads a reply to CLUSTER SLOTS. Slots that it does not name are unknown from now on. Says
    /// whether it was such a reply, and named any.
    pub(crate) fn learn(&mut self, reply: &Reply, directory: &Directory) -> bool {
        let Reply::Array(ranges) = reply else { return false };
        self.since.clear();
        self.told.clear();
        self.told.extend(ranges.iter().filter_map(|range| read_range(range, directory)));
        self.told.sort_unstable_by_key(|range| range.first);
        !self.told.is_empty()
    }

    /// The runs of slots that one node serves, or nobody, as the last reply told it.
    pub(crate) fn runs(&self) -> Vec<(u16, u16)> {
        let mut runs: Vec<(u16, u16)> = Vec::new();
        let (mut next, mut before) = (0, None);
        for &Range { first, last, master } in &self.told {
            let (first, last) = (first.number(), last.number());
            if next < first {
                runs.push((next, first - 1));
                before = None;
            }
            match runs.last_mut() {
                Some(run) if before == Some(master) => run.1 = last,
                _ => runs.push((first, last)),
            }
            (next, before) = (last + 1, Some(master));
        }
        if next < SLOTS {
            runs.push((next, SLOTS - 1));
        }
        runs
    }
}

fn read_range(range: &Reply, directory: &Directory) -> Option<Range> {
    let Reply::Array(parts) = range else { return None };
    let [Reply::Int(first), Reply::Int(last), Reply::Array(master), ..] = parts.as_slice() else {
        return None;
    };
    let [ip, Reply::Int(port), ..] = master.as_slice() else { return None };
    let ip: IpAddr = ip.text()?.parse().ok()?;
    let address = SocketAddr::new(ip, u16::try_from(*port).ok()?);
    let slot = |number: i64| u16::try_from(number).ok().and_then(Slot::new);
    let (first, last) = (slot(*first)?, slot(*last)?);
    (first <= last).then_some(Range { first, last, master: *directory.get(&address)? })
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
        let mut map = SlotMap::default();
        map.set(Slot::new(16_000).unwrap(), NodeNo(2));
        let reply = Reply::Array(vec![range(0, 99, 7000), range(100, 150, 7001)]);
        assert!(map.learn(&reply, &directory()));
        assert_eq!(map.get(Slot::new(100).unwrap()), Some(NodeNo(1)));
        assert_eq!(map.get(Slot::new(16_000).unwrap()), None);
        assert_eq!(map.runs(), [(0, 99), (100, 150), (151, 16_383)]);
        assert!(!map.learn(&Reply::err("no"), &directory()));
        assert_eq!(map.get(Slot::new(100).unwrap()), Some(NodeNo(1)));
        assert!(!map.learn(&Reply::Array(vec![range(0, 20_000, 7000)]), &directory()));
    }

    #[test]
    fn what_a_redirection_tells_holds_until_the_next_reply() {
        let mut map = SlotMap::default();
        let reply = Reply::Array(vec![range(100, 150, 7001), range(0, 99, 7000)]);
        assert!(map.learn(&reply, &directory()));
        let slot = |number| Slot::new(number).unwrap();
        map.set(slot(120), NodeNo(2));
        let nodes = [99, 100, 119, 120, 121, 151].map(|number| map.get(slot(number)));
        let [zero, one, two] = [0, 1, 2].map(|node| Some(NodeNo(node)));
        assert_eq!(nodes, [zero, one, one, two, one, None]);
        assert!(map.learn(&reply, &directory()));
        assert_eq!(map.get(slot(120)), one);
        let reply = [(5, 9, 7000), (10, 20, 7000), (21, 22, 7001), (30, 16_383, 7001)];
        let reply = reply.map(|(first, last, port)| range(first, last, port));
        assert!(map.learn(&Reply::Array(reply.into()), &directory()));
        assert_eq!(map.runs(), [(0, 4), (5, 20), (21, 22), (23, 29), (30, 16_383)]);
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
