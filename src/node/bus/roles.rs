//! Masters and replicas: who replicates whom, and who may take in migrating replicas (§2.3, §2.4,
//! §5.7, §5.12).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::table::PeerIx;

impl Bus {
    /// Appends to a master's list of replicas, once (§2.4).
    pub(crate) fn add_replica(&mut self, master: PeerIx, replica: PeerIx) {
        let replicas = &mut self.table.peer_mut(master).replicas;
        if !replicas.contains(&replica) {
            replicas.push(replica);
            self.table.set_flags(master, Flags::MIGRATE_TO);
        }
    }

    /// Takes a replica from its master's list (§2.4).
    pub(crate) fn remove_replica(&mut self, master: PeerIx, replica: PeerIx) {
        let replicas = &mut self.table.peer_mut(master).replicas;
        replicas.retain(|&other| other != replica);
        if replicas.is_empty() {
            self.table.clear_flags(master, Flags::MIGRATE_TO);
        }
    }

    /// Makes a node a master in my view (§5.7).
    pub fn set_as_master(&mut self, ix: PeerIx) {
        if self.table.flags(ix).is_master() {
            return;
        }
        if let Some(master) = self.table.peer_mut(ix).replica_of.take() {
            self.remove_replica(master, ix);
            if ix != self.myself {
                self.table.set_flags(ix, Flags::MIGRATE_TO);
            }
        }
        self.table.clear_flags(ix, Flags::REPLICA);
        self.table.set_flags(ix, Flags::MASTER);
        self.todo.add(Todo::SAVE | Todo::UPDATE);
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
        bus.table.peer_mut(me).replica_of = Some(master);
        bus.add_replica(master, me);
        let endpoint = ctx.ids.endpoint(self.bus.table.endpoint(master));
        self.follow(ctx, endpoint);
        self.reset_manual_failover();
    }
}
