//! Nodes that go and are kept out (§2.5, §2.9).

use crate::id::NodeIx;
use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
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
        // Its place may soon be somebody else's.
        if self.manual_failover.replica == Some(ix) {
            self.manual_failover.replica = None;
        }
        ctx.out.notice(Notice::Forgotten(self.table.node(ix)));
        self.table.remove(ix);
    }

    /// Reports who I am and whom I know, as it is after a start.
    pub(crate) fn announce_all(&self, ctx: &mut Ctx<'_>) {
        if ctx.out.notices {
            ctx.out.notice(Notice::Myself(self.table.node(self.myself)));
            for &ix in self.table.order().iter().filter(|&&ix| ix != self.myself) {
                self.announce(ctx, ix);
            }
        }
    }

    /// Reports a node that has just come into my table, and what I think of it.
    pub(crate) fn announce(&self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let (node, flags) = (self.table.node(ix), self.table.flags(ix));
        ctx.out.notice(match flags.any(Flags::HANDSHAKE) {
            true => Notice::Stranger(node),
            false => Notice::Known(node),
        });
        if flags.any(Flags::PFAIL) {
            ctx.out.notice(Notice::Pfail(node));
        }
        if flags.any(Flags::FAIL) {
            ctx.out.notice(Notice::Fail(node));
        }
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

#[cfg(test)]
mod tests {
    use crate::node::bus::Todo;
    use crate::node::effect::Effect;
    use crate::node::flags::Flags;
    use crate::node::lab::{Lab, slot};

    #[test]
    fn nothing_points_to_a_deleted_node_2_5() {
        let mut lab = Lab::formed(3, 3, 3_000);
        lab.run(500);
        let (gone, replica, other) = (lab.peer(0, 1), lab.peer(0, 4), lab.peer(0, 2));
        let link = lab.node(0).bus.table.link(gone).unwrap();
        lab.act(0, |node, ctx| {
            node.bus.slots.migrating.insert(slot(3), gone);
            node.bus.slots.importing.insert(slot(4), gone);
            node.hear_report(ctx, gone, other, true);
            node.bus.remove_node(ctx, gone);
            let closes =
                |effect: &Effect| matches!(effect, Effect::Close(closed) if *closed == link);
            assert!(ctx.out.effects.iter().any(closes));
            assert_eq!(node.bus.todo, Todo::NOTHING);
        });
        assert_eq!(lab.find(0, 1), None);
        let bus = &lab.node(0).bus;
        assert!(bus.slots.migrating.is_empty() && bus.slots.importing.is_empty());
        assert_eq!(bus.slots.owner(slot(8_000)), None);
        assert!(bus.table.fail_reports(other).is_empty());
        assert_eq!(bus.table.peer(replica).replica_of(), None);
        assert!(bus.table.flags(replica).is_replica(), "a replica without a master");
    }

    #[test]
    fn a_deleted_replica_leaves_its_masters_list_2_5() {
        let mut lab = Lab::formed(2, 1, 3_000);
        let (master, replica) = (lab.peer(1, 0), lab.peer(1, 2));
        lab.act(1, |node, ctx| node.bus.remove_node(ctx, replica));
        assert!(lab.node(1).bus.table.replicas(master).is_empty());
        assert!(!lab.node(1).bus.table.flags(master).any(Flags::MIGRATE_TO));
    }

    #[test]
    fn a_deleted_node_no_longer_wants_my_place_2_5() {
        let mut lab = Lab::formed(2, 1, 3_000);
        lab.run(4_000);
        lab.cut.insert((0, 2));
        lab.ask(2, "CLUSTER FAILOVER");
        let replica = lab.peer(0, 2);
        assert_eq!(lab.node(0).bus.successor(), Some(replica));
        lab.act(0, |node, ctx| node.bus.remove_node(ctx, replica));
        assert_eq!(lab.node(0).bus.successor(), None);
    }

    #[test]
    fn a_forgotten_node_stays_away_for_a_minute_2_9() {
        let mut lab = Lab::formed(4, 0, 3_000);
        lab.run(1_000);
        let gone = lab.peer(0, 1);
        lab.act(0, |node, ctx| node.forget(ctx, gone));
        let back = lab.run_until(70_000, |lab| lab.find(0, 1).is_some());
        assert!((60_000..64_000).contains(&back), "{back} ms");
    }

    #[test]
    fn forgetting_is_saved_9_17() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        lab.forget_records();
        let gone = lab.peer(0, 1);
        lab.act(0, |node, ctx| node.forget(ctx, gone));
        assert_eq!(lab.saves, [(0, false)]);
        assert_eq!(lab.saved[0].as_ref().unwrap().lines().count(), 3);
    }
}
