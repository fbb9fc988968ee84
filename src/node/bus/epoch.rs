//! Epochs: the cluster's logical clock (§2.8, §5.11).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::log::Level;
use crate::node::packet::Epoch;
use crate::node::table::PeerIx;

impl Bus {
    /// The greatest epoch known, mine or anybody's (§2.8.1).
    #[must_use]
    pub fn max_epoch(&self) -> Epoch {
        let table = &self.table;
        let greatest = table.order().iter().map(|&ix| table.peer(ix).config_epoch).max();
        greatest.unwrap_or_default().max(self.current_epoch)
    }

    /// Takes the next epoch for myself.
    fn take_next_epoch(&mut self) -> Epoch {
        self.current_epoch = self.current_epoch.next();
        self.table.peer_mut(self.myself).config_epoch = self.current_epoch;
        self.current_epoch
    }
}

impl Node {
    /// Takes a new configEpoch without asking anybody, unless mine is already the greatest. Returns
    /// whether it did (§2.8.2).
    pub(crate) fn bump_epoch_without_consensus(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let mine = self.bus.table.peer(self.bus.myself).config_epoch;
        if mine != Epoch(0) && mine == self.bus.max_epoch() {
            return false;
        }
        let epoch = self.bus.take_next_epoch();
        self.bus.todo.add(Todo::SAVE | Todo::FSYNC);
        self.log(ctx, Level::Warning, format_args!("New configEpoch set to {epoch}"));
        true
    }

    /// Two masters have the same configEpoch: the one with the smaller id moves (§5.11).
    pub(crate) fn resolve_epoch_collision(&mut self, ctx: &mut Ctx<'_>, other: PeerIx) {
        let theirs = self.bus.id_of(ctx.ids, other);
        if theirs <= self.bus.id_of(ctx.ids, self.bus.myself) {
            return;
        }
        let epoch = self.bus.take_next_epoch();
        self.save_config(ctx, true);
        let text = format_args!(
            "WARNING: configEpoch collision with node {theirs}. configEpoch set to {epoch}"
        );
        self.log(ctx, Level::Verbose, text);
    }
}
