//! A cluster that starts formed: every node begins as if it had loaded a nodes.conf that lists
//! them all (§12.3).
//!
//! What all of them begin with is worked out once and shared: a thousand nodes with a thousand
//! entries each are not to look anything up a million times.

use std::sync::Arc;

use crate::id::{Ids, NodeId};
use crate::node::bus::{Bus, SlotMap};
use crate::node::flags::Flags;
use crate::node::nodes_conf::{Entry, NodesConfError};
use crate::node::packet::Epoch;
use crate::node::table::{Names, PeerIx};
use crate::time::Millis;

/// What every node of a cluster that starts formed has on its disk.
#[derive(Debug)]
pub struct FormedCluster {
    members: Vec<Member>,
    names: Arc<Names>,
    slots: SlotMap,
    current_epoch: Epoch,
}

#[derive(Debug)]
struct Member {
    entry: Entry,
    master: Option<PeerIx>,
    slot_count: u16,
}

impl FormedCluster {
    /// A cluster of these members. `ids` must be those of the run.
    ///
    /// # Panics
    /// If a member is listed twice, replicates somebody who is not listed, or claims a slot that
    /// another one claims.
    #[must_use]
    pub fn new(ids: &mut Ids, members: Vec<Entry>) -> FormedCluster {
        let index = |id: NodeId| {
            let at = members.iter().position(|member| member.id == id);
            // Who makes a formation names masters by their place in it.
            PeerIx::nth(at.expect("a master is a member"))
        };
        let masters: Vec<Option<PeerIx>> =
            members.iter().map(|member| member.master.map(index)).collect();
        let names = Names::of(members.iter().enumerate().map(|(at, member)| {
            let replicated = masters.contains(&Some(PeerIx::nth(at)));
            let more = if replicated { Flags::MIGRATE_TO } else { Flags::NONE };
            let endpoint = ids.intern_endpoint(member.endpoint);
            (ids.intern(member.id), endpoint, member.flags | more)
        }));
        let mut slots = SlotMap::default();
        for (at, member) in members.iter().enumerate() {
            for run in member.slots.runs() {
                let taken = slots.parts(run).find(|(_, owner)| owner.is_some());
                assert!(taken.is_none(), "two members claim slots {taken:?}");
                slots.assign_run(run, Some(PeerIx::nth(at)));
            }
        }
        let greatest = members.iter().map(|member| member.config_epoch).max();
        let members = members.into_iter().zip(masters).map(|(entry, master)| {
            let slot_count = entry.slots.len();
            Member { entry, master, slot_count }
        });
        FormedCluster {
            members: members.collect(),
            names,
            slots,
            current_epoch: greatest.unwrap_or_default(),
        }
    }

    /// Who is in it, in the order of their indices.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.members.iter().map(|member| &member.entry)
    }
}

impl Bus {
    /// Begins as a member of a formed cluster.
    ///
    /// # Errors
    /// If I am not one of them.
    pub(crate) fn join_formed(
        &mut self,
        ids: &Ids,
        cluster: &FormedCluster,
        me: Option<NodeId>,
        now: Millis,
    ) -> Result<(), NodesConfError> {
        self.table.fill(ids, &cluster.names, now);
        self.slots = cluster.slots.clone();
        self.current_epoch = cluster.current_epoch;
        for (at, member) in cluster.members.iter().enumerate() {
            self.take_over(PeerIx::nth(at), member, now);
        }
        let mine = cluster.entries().position(|entry| Some(entry.id) == me);
        self.myself = PeerIx::nth(mine.ok_or(NodesConfError::Corrupted)?);
        self.table.set_flags(self.myself, Flags::MYSELF);
        Ok(())
    }

    fn take_over(&mut self, ix: PeerIx, member: &Member, now: Millis) {
        self.table.set_flags(ix, member.entry.flags);
        if member.entry.answered {
            self.table.set_pong_received(ix, now);
        }
        self.table.peer_mut(ix).config_epoch = member.entry.config_epoch;
        if let Some(master) = member.master {
            self.table.peer_mut(ix).set_replica_of(Some(master));
            self.add_replica(master, ix);
        }
        if member.slot_count > 0 {
            self.table.set_slots(ix, Arc::clone(&member.entry.slots), member.slot_count);
            if self.table.masters_have_replicas() {
                self.table.set_flags(ix, Flags::MIGRATE_TO);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::Config;
    use crate::node::lab::{Lab, endpoint, id, share};
    use crate::node::process::Disk;

    #[test]
    fn a_formed_cluster_is_as_if_loaded_from_a_file_12_3() {
        let mut formed = Lab::formed(3, 4, 15_000);
        formed.act(1, |node, ctx| node.save_config(ctx, false));
        let text = formed.saved[1].clone().unwrap();
        let disk = |_| Disk { nodes_conf: Some(text.as_str().into()), ..Disk::default() };
        let mut loaded = Lab::start(1, disk, Config::default());
        for node in 0..7 {
            let (a, b) = (formed.peer(1, node), loaded.peer(0, node));
            let (here, there) = (&formed.nodes[1], &loaded.nodes[0]);
            let here = &here.as_ref().unwrap().bus.table;
            let there = &there.as_ref().unwrap().bus.table;
            assert_eq!(here.peer(a).slots, there.peer(b).slots);
            assert_eq!(here.peer(a).slot_count, there.peer(b).slot_count);
            assert_eq!(here.replicas(a).len(), there.replicas(b).len());
            assert_eq!(here.flags(a), there.flags(b));
        }
        assert_eq!(formed.node(1).bus.slots.assigned(), loaded.node(0).bus.slots.assigned());
        assert_eq!(formed.node(1).bus.current_epoch, loaded.node(0).bus.current_epoch);
    }

    #[test]
    fn members_share_names_and_slots() {
        let mut lab = Lab::formed(3, 0, 15_000);
        let sets = [0, 1].map(|at| {
            let peer = lab.peer(at, 2);
            Arc::clone(&lab.node(at).bus.table.peer(peer).slots)
        });
        assert!(Arc::ptr_eq(&sets[0], &sets[1]));
        assert_eq!(sets[0], share(2, 3));
        assert_eq!(lab.node(0).bus.slots.assigned(), 16_384);
    }

    #[test]
    #[should_panic(expected = "two members claim slots")]
    fn no_slot_is_claimed_twice() {
        let member = |node| Entry::member(id(node), endpoint(node), None, Epoch(1), share(0, 2));
        let _ = FormedCluster::new(&mut Ids::new(), vec![member(0), member(1)]);
    }
}
