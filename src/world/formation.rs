//! Clusters that exist when the run begins.
//!
//! Every node starts as if it had loaded a nodes.conf that names all others, so a thousand nodes need
//! no hour of joining.

use std::ops::Range;
use std::sync::Arc;

use crate::id::{Endpoint, Ids, NodeId};
use crate::network::NodeNo;
use crate::node::bus::FormedCluster;
use crate::node::nodes_conf::Entry;
use crate::node::packet::Epoch;
use crate::rng::{Purpose, Seed};
use crate::slot::{SLOTS, Slot, SlotSet};
use crate::time::Span;
use crate::world::setup::NodeSetup;

/// Who is in the cluster, and who owns what.
#[derive(Debug, Clone)]
pub struct Formation {
    /// The masters.
    pub masters: Vec<FormedMaster>,
    /// Processes are started at a random time within this span, so that their crons do not all run
    /// at once.
    pub spread: Span,
}

/// One master of a cluster.
#[derive(Debug, Clone)]
pub struct FormedMaster {
    /// Which node it is.
    pub node: NodeNo,
    /// Its configEpoch. No two masters may have the same.
    pub config_epoch: Epoch,
    /// Its slots.
    pub slots: SlotSet,
    /// Its replicas.
    pub replicas: Vec<NodeNo>,
}

fn slots(numbers: Range<u16>) -> SlotSet {
    let mut slots = SlotSet::default();
    let last = numbers.end.checked_sub(1).and_then(Slot::new);
    if let (Some(first), Some(last)) = (Slot::new(numbers.start), last)
        && first <= last
    {
        slots.insert_run(first, last);
    }
    slots
}

impl Formation {
    /// A cluster of this many masters, numbered first, with contiguous ranges of slots of about the
    /// same size, and this many replicas for each of them, numbered after them.
    #[must_use]
    pub fn even(masters: u32, replicas_each: u32) -> Formation {
        let first_slot = |master: u32| (u32::from(SLOTS) * master).div_ceil(masters) as u16;
        let masters = (0..masters)
            .map(|master| FormedMaster {
                node: NodeNo(master),
                config_epoch: Epoch(u64::from(master) + 1),
                slots: slots(first_slot(master)..first_slot(master + 1)),
                replicas: (0..replicas_each)
                    .map(|round| NodeNo(masters * (round + 1) + master))
                    .collect(),
            })
            .collect();
        Formation { masters, spread: Span::secs(1) }
    }

    /// Every node of the cluster.
    pub fn members(&self) -> impl Iterator<Item = NodeNo> {
        self.masters
            .iter()
            .flat_map(|master| std::iter::once(master.node).chain(master.replicas.iter().copied()))
    }

    /// Gives every member an id, if it has none, and a disk that says who is in the cluster. All
    /// share one list of who that is.
    pub(crate) fn write_disks(&self, seed: Seed, ids: &mut Ids, nodes: &mut [NodeSetup]) {
        for node in self.members() {
            nodes[node.index()].id.get_or_insert_with(|| {
                let subject = u64::from(node.0);
                NodeId::random(&mut seed.stream(Purpose::Identity, subject, u64::MAX))
            });
        }
        let formed = Arc::new(FormedCluster::new(ids, self.entries(nodes)));
        for node in self.members() {
            nodes[node.index()].disk.formed = Some(Arc::clone(&formed));
        }
    }

    fn entries(&self, nodes: &[NodeSetup]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let no_slots: Arc<SlotSet> = Arc::default();
        for master in &self.masters {
            let epoch = master.config_epoch;
            let slots = Arc::new(master.slots.clone());
            let master_id = nodes[master.node.index()].id;
            entries.extend(entry(&nodes[master.node.index()], None, epoch, slots));
            for &replica in &master.replicas {
                let slots = Arc::clone(&no_slots);
                entries.extend(entry(&nodes[replica.index()], master_id, epoch, slots));
            }
        }
        entries
    }
}

fn entry(
    node: &NodeSetup,
    master: Option<NodeId>,
    epoch: Epoch,
    slots: Arc<SlotSet>,
) -> Option<Entry> {
    let endpoint = Endpoint {
        ip: Some(node.config.announce_ip.unwrap_or(node.ip)),
        port: node.config.port,
        cport: node.config.port.saturating_add(Endpoint::BUS_PORT_OFFSET),
        pport: 0,
    };
    Some(Entry::member(node.id?, endpoint, master, epoch, slots))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::Config;

    #[test]
    fn an_even_cluster_covers_every_slot_once() {
        let formation = Formation::even(7, 2);
        let mut covered = SlotSet::default();
        let mut total = 0;
        for master in &formation.masters {
            total += u32::from(master.slots.len());
            master.slots.iter().for_each(|slot| covered.insert(slot));
            assert!((2_340..=2_341).contains(&master.slots.len()));
        }
        assert_eq!((total, covered.len()), (u32::from(SLOTS), SLOTS));
        let mut members: Vec<NodeNo> = formation.members().collect();
        members.sort_unstable();
        assert_eq!(members, (0..21).map(NodeNo).collect::<Vec<_>>());
        assert_eq!(formation.masters[3].replicas, [NodeNo(10), NodeNo(17)]);
    }

    #[test]
    fn members_share_one_description_and_keep_ids_that_were_given() {
        let ip = [127, 0, 0, 1].into();
        let mut nodes = vec![NodeSetup::new(ip, Config::default()); 4];
        let id = "9f876cbd724438705f7a5ee8bfda9c4d7999aaba".parse().unwrap();
        nodes[1].id = Some(id);
        Formation::even(2, 1).write_disks(Seed(1), &mut Ids::new(), &mut nodes);
        let formed: Vec<_> = nodes.iter().filter_map(|node| node.disk.formed.as_ref()).collect();
        assert_eq!(formed.len(), 4);
        assert!(formed.iter().all(|other| Arc::ptr_eq(other, formed[0])));
        let entries: Vec<&Entry> = formed[0].entries().collect();
        assert_eq!(entries[2].id, id);
        assert_eq!(entries[3].master, Some(id));
    }
}
