//! Masters and replicas: who replicates whom, and who may take in migrating replicas (§2.3, §2.4,
//! §5.6.4, §5.7, §5.12).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::packet::Packet;
use crate::node::table::PeerIx;

impl Bus {
    /// Appends to a master's list of replicas, once (§2.4).
    pub(crate) fn add_replica(&mut self, master: PeerIx, replica: PeerIx) {
        if self.table.add_replica(master, replica) {
            self.table.set_flags(master, Flags::MIGRATE_TO);
        }
    }

    /// Takes a replica from its master's list (§2.4).
    pub(crate) fn remove_replica(&mut self, master: PeerIx, replica: PeerIx) {
        let removed = self.table.remove_replica(master, replica);
        if removed && self.table.replicas(master).is_empty() {
            self.table.clear_flags(master, Flags::MIGRATE_TO);
        }
    }

    /// Makes a node a master in my view (§5.7).
    pub fn set_as_master(&mut self, ix: PeerIx) {
        if self.table.flags(ix).is_master() {
            return;
        }
        if let Some(master) = self.table.peer(ix).replica_of() {
            self.remove_replica(master, ix);
            self.table.peer_mut(ix).set_replica_of(None);
            if ix != self.myself {
                self.table.set_flags(ix, Flags::MIGRATE_TO);
            }
        }
        self.table.clear_flags(ix, Flags::REPLICA);
        self.table.set_flags(ix, Flags::MASTER);
        self.todo.add(Todo::SAVE | Todo::UPDATE);
    }

    /// What a sender says of its own role (§5.6.4).
    pub(crate) fn hear_role(&mut self, sender: PeerIx, packet: &Packet) {
        let Some(named) = packet.replica_of else {
            self.set_as_master(sender);
            return;
        };
        if self.table.flags(sender).is_master() {
            self.del_node_slots(sender);
            self.table.clear_flags(sender, Flags::MASTER | Flags::MIGRATE_TO);
            self.table.set_flags(sender, Flags::REPLICA);
            self.todo.add(Todo::SAVE | Todo::UPDATE);
        }
        let old = self.table.peer(sender).replica_of();
        let Some(master) = self.table.find(named) else { return };
        if old != Some(master) {
            if let Some(old) = old {
                self.remove_replica(old, sender);
            }
            self.add_replica(master, sender);
            self.table.peer_mut(sender).set_replica_of(Some(master));
            self.todo.add(Todo::SAVE);
        }
    }
}

impl Node {
    /// Makes myself a replica of another node (§5.12).
    ///
    /// # Panics
    /// If that node is myself, or if I own slots.
    pub(crate) fn set_my_master(&mut self, ctx: &mut Ctx<'_>, master: PeerIx) {
        let bus = &mut self.bus;
        let me = bus.myself;
        assert_ne!(master, me, "nobody replicates itself");
        assert_eq!(bus.table.peer(me).slot_count, 0, "a replica owns no slots");
        if bus.is_master() {
            bus.table.clear_flags(me, Flags::MASTER | Flags::MIGRATE_TO);
            bus.table.set_flags(me, Flags::REPLICA);
            bus.slots.close_all();
        } else if let Some(old) = bus.my_master() {
            bus.remove_replica(old, me);
        }
        bus.table.peer_mut(me).set_replica_of(Some(master));
        bus.add_replica(master, me);
        let endpoint = ctx.ids.endpoint(self.bus.table.endpoint(master));
        self.follow(ctx, endpoint);
        self.reset_manual_failover();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, endpoint, slot};
    use crate::node::log::Role;
    use crate::node::packet::MessageType;

    #[test]
    fn replicas_are_listed_in_the_order_in_which_they_came_2_4() {
        let mut lab = Lab::formed(1, 3, 3_000);
        let [master, a, b, c] = [0, 1, 2, 3].map(|node| lab.peer(1, node));
        let bus = &mut lab.node(1).bus;
        assert_eq!(bus.table.replicas(master), [a, b, c]);
        bus.add_replica(master, a);
        assert_eq!(bus.table.replicas(master), [a, b, c], "once is enough");
        bus.remove_replica(master, b);
        bus.add_replica(master, b);
        assert_eq!(bus.table.replicas(master), [a, c, b]);
    }

    #[test]
    fn a_master_invites_replicas_as_long_as_it_has_some_2_3() {
        let mut lab = Lab::formed(1, 1, 3_000);
        let (master, replica) = (lab.peer(1, 0), lab.peer(1, 1));
        let bus = &mut lab.node(1).bus;
        assert!(bus.table.flags(master).any(Flags::MIGRATE_TO));
        bus.remove_replica(master, replica);
        assert!(!bus.table.flags(master).any(Flags::MIGRATE_TO));
    }

    #[test]
    fn a_replica_that_becomes_a_master_invites_replicas_unless_it_is_me_5_7() {
        let mut lab = Lab::formed(1, 2, 3_000);
        let (me, other, master) = (lab.peer(1, 1), lab.peer(1, 2), lab.peer(1, 0));
        let bus = &mut lab.node(1).bus;
        bus.todo = Todo::NOTHING;
        bus.set_as_master(other);
        assert_eq!(bus.table.flags(other), Flags::MASTER | Flags::MIGRATE_TO);
        assert_eq!(bus.table.replicas(master), [me]);
        assert_eq!(bus.todo, Todo::SAVE | Todo::UPDATE);
        bus.set_as_master(me);
        assert_eq!(bus.table.flags(me), Flags::MASTER | Flags::MYSELF);
        assert_eq!(bus.my_master(), None);
        bus.todo = Todo::NOTHING;
        bus.set_as_master(me);
        assert_eq!(bus.todo, Todo::NOTHING, "a master stays what it is");
    }

    #[test]
    fn a_master_that_says_it_is_a_replica_loses_its_slots_5_6_4() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let (demoted, master) = (lab.peer(0, 1), lab.peer(0, 2));
        let mut ping = lab.message(1, MessageType::Ping);
        ping.replica_of = Some(lab.node(0).bus.table.node(master));
        ping.flags = Flags::REPLICA;
        ping.slots = crate::node::lab::share(2, 3);
        lab.hear(0, 1, &ping);
        let bus = &lab.node(0).bus;
        assert_eq!(bus.slots.owner(slot(8_000)), None);
        assert_eq!(bus.table.flags(demoted), Flags::REPLICA);
        assert_eq!(bus.table.peer(demoted).replica_of(), Some(master));
        assert_eq!(bus.table.replicas(master), [demoted]);
        assert!(bus.table.flags(master).any(Flags::MIGRATE_TO));
    }

    #[test]
    fn a_replica_of_somebody_unknown_keeps_its_old_master_5_6_4() {
        let mut lab = Lab::formed(2, 1, 3_000);
        lab.run(300);
        let (replica, master) = (lab.peer(1, 2), lab.peer(1, 0));
        let mut ping = lab.message(2, MessageType::Ping);
        ping.replica_of = Some(lab.ids.intern(crate::node::lab::id(77)));
        lab.hear(1, 2, &ping);
        assert_eq!(lab.node(1).bus.table.peer(replica).replica_of(), Some(master));
    }

    #[test]
    fn a_replica_that_changes_its_master_changes_lists_5_6_4() {
        let mut lab = Lab::formed(2, 1, 3_000);
        lab.run(300);
        let (replica, old, new) = (lab.peer(1, 2), lab.peer(1, 0), lab.peer(1, 1));
        let mut ping = lab.message(2, MessageType::Ping);
        ping.replica_of = Some(lab.node(1).bus.table.node(new));
        lab.hear(1, 2, &ping);
        let table = &lab.node(1).bus.table;
        assert!(table.replicas(old).is_empty());
        assert_eq!(table.replicas(new), [replica]);
        assert!(!table.flags(old).any(Flags::MIGRATE_TO));
    }

    #[test]
    fn a_master_that_becomes_a_replica_closes_its_slots_and_replicates_5_12() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let (me, master) = (lab.peer(1, 1), lab.peer(1, 0));
        lab.act(1, |node, ctx| {
            node.bus.del_node_slots(me);
            node.bus.slots.migrating.insert(slot(1), master);
            node.bus.slots.importing.insert(slot(2), master);
            node.bus.table.set_flags(me, Flags::MIGRATE_TO);
            node.set_my_master(ctx, master);
        });
        let node = lab.node(1);
        assert_eq!(node.bus.table.flags(me), Flags::MYSELF | Flags::REPLICA);
        assert!(node.bus.slots.migrating.is_empty() && node.bus.slots.importing.is_empty());
        assert_eq!(node.bus.my_master(), Some(master));
        assert_eq!(node.bus.table.replicas(master), [me]);
        assert_eq!(node.replication.master, Some(endpoint(0)));
        assert_eq!(node.log_role(), Role::Replica);
    }

    #[test]
    #[should_panic(expected = "a replica owns no slots")]
    fn who_owns_slots_does_not_become_a_replica_5_12() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let master = lab.peer(1, 0);
        lab.act(1, |node, ctx| node.set_my_master(ctx, master));
    }
}
