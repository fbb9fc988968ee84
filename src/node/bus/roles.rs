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
