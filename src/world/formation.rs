//! Clusters that exist when the run begins.
//!
//! Every node starts as if it had loaded a nodes.conf that names all others, so a thousand nodes need
//! no hour of joining.

use std::fmt::Write as _;

use crate::id::{Ids, NodeId};
use crate::network::NodeNo;
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
                slots: (first_slot(master)..first_slot(master + 1)).filter_map(Slot::new).collect(),
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

    /// Gives every member an id, if it has none, and a nodes.conf.
    pub(crate) fn write_disks(&self, seed: Seed, ids: &mut Ids, nodes: &mut [NodeSetup]) {
        for node in self.members() {
            let setup = &mut nodes[node.index()];
            let id = setup.id.unwrap_or_else(|| {
                let mut draws = seed.stream(Purpose::Identity, u64::from(node.0), u64::MAX);
                NodeId::random(&mut draws)
            });
            setup.id = Some(id);
            ids.intern(id);
        }
        for node in self.members() {
            nodes[node.index()].disk.nodes_conf = Some(self.nodes_conf(node, nodes).into());
        }
    }

    fn nodes_conf(&self, myself: NodeNo, nodes: &[NodeSetup]) -> String {
        let mut text = String::new();
        let id = |node: NodeNo| nodes[node.index()].id.map(|id| id.to_string()).unwrap_or_default();
        let mut line = |node: NodeNo, role: &str, master: &str, epoch: Epoch, slots: &SlotSet| {
            let NodeSetup { ip, config, .. } = &nodes[node.index()];
            let (port, cport) = (config.port, config.port + 10_000);
            let mine = if node == myself { "myself," } else { "" };
            let id = id(node);
            let _ = write!(
                text,
                "{id} {ip}:{port}@{cport} {mine}{role} {master} 0 0 {epoch} connected"
            );
            for (first, last) in slots.runs() {
                let _ = match first == last {
                    true => write!(text, " {first}"),
                    false => write!(text, " {first}-{last}"),
                };
            }
            text.push('\n');
        };
        for master in &self.masters {
            line(master.node, "master", "-", master.config_epoch, &master.slots);
            for &replica in &master.replicas {
                let no_slots = SlotSet::default();
                line(replica, "slave", &id(master.node), master.config_epoch, &no_slots);
            }
        }
        let epoch = self.masters.iter().map(|master| master.config_epoch).max().unwrap_or_default();
        let _ = writeln!(text, "vars currentEpoch {epoch} lastVoteEpoch 0");
        text
    }
}
