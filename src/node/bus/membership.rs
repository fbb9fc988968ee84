//! Nodes that go and are kept out (§2.5, §2.9).

use crate::id::NodeIx;
use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::table::PeerIx;

/// How long a forgotten node stays forgotten, in seconds (§2.9).
const BLACKLIST_SECONDS: i64 = 60;

impl Bus {
    /// Forgets everything about a node (§2.5).
    pub fn remove_node(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        self.slots.migrating.retain(|_, to| *to != ix);
        self.slots.importing.retain(|_, from| *from != ix);
        self.del_node_slots(ix);
        for place in 0..self.table.len() {
            let other = self.table.at(place);
            self.remove_report(other, ix);
        }
        for replica in self.table.take_replicas(ix) {
            self.table.peer_mut(replica).set_replica_of(None);
        }
        if let Some(master) = self.table.peer(ix).replica_of() {
            self.remove_replica(master, ix);
        }
        self.close_link(ctx, ix);
        self.table.remove(ix);
    }

    /// Keeps an id out for a while (§2.9).
    fn blacklist_add(&mut self, node: NodeIx, now: i64, cached_now: i64) {
        self.blacklist_clean(cached_now);
        self.blacklist.insert(node, now + BLACKLIST_SECONDS);
    }

    /// Whether an id is kept out (§2.9). `cached_now` are the cached Unix seconds (§0.3.2).
    pub(crate) fn blacklisted(&mut self, node: NodeIx, cached_now: i64) -> bool {
        if self.blacklist.is_empty() {
            return false;
        }
        self.blacklist_clean(cached_now);
        self.blacklist.contains_key(&node)
    }

    fn blacklist_clean(&mut self, cached_now: i64) {
        self.blacklist.retain(|_, expiry| *expiry >= cached_now);
    }
}

impl Node {
    /// CLUSTER FORGET, after its checks: removes a node and keeps it out for a while (§9.17).
    pub(crate) fn forget(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let node = self.bus.table.node(ix);
        self.bus.blacklist_add(node, ctx.now.secs(), self.process.cached_time.secs());
        self.bus.remove_node(ctx, ix);
        self.bus.todo.add(Todo::UPDATE | Todo::SAVE);
    }
}
