//! CLUSTER RESET (§9.21).

use crate::id::NodeId;
use crate::node::Node;
use crate::node::bus::Todo;
use crate::node::effect::{Ctx, Notice};
use crate::node::log::Level;
use crate::node::packet::Epoch;
use crate::node::table::PeerIx;
use crate::slot::Slot;

impl Node {
    /// Forgets the cluster (§9.21).
    pub(crate) fn reset_cluster(&mut self, ctx: &mut Ctx<'_>, hard: bool) {
        let me = self.bus.myself;
        if !self.bus.is_master() {
            self.bus.set_as_master(me);
            self.unfollow(ctx);
            self.empty_keys();
        }
        self.bus.slots.close_all();
        self.reset_manual_failover();
        for slot in Slot::all() {
            self.bus.del_slot(slot);
        }
        let known: Vec<PeerIx> = self.bus.table.order().to_vec();
        for ix in known.into_iter().filter(|&ix| ix != me) {
            self.bus.remove_node(ctx, ix);
        }
        if hard {
            self.become_somebody_else(ctx);
        }
        self.bus.todo.add(Todo::SAVE | Todo::UPDATE | Todo::FSYNC);
    }

    /// A hard reset: a new id, and epochs from the start (§9.21.5).
    fn become_somebody_else(&mut self, ctx: &mut Ctx<'_>) {
        let bus = &mut self.bus;
        bus.current_epoch = Epoch(0);
        bus.last_vote_epoch = Epoch(0);
        bus.table.peer_mut(bus.myself).config_epoch = Epoch(0);
        let id = NodeId::random(&mut bus.identity_draws);
        let node = ctx.ids.intern(id);
        bus.table.rename(ctx.ids, bus.myself, node);
        ctx.out.notice(Notice::Myself(node));
        let text = format_args!("configEpoch set to 0 via CLUSTER RESET HARD");
        self.log(ctx, Level::Warning, text);
        self.log(ctx, Level::Notice, format_args!("Node hard reset, now I'm {id}"));
    }
}
