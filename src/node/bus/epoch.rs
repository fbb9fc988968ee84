//! Epochs: the cluster's logical clock (§2.8, §5.11).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::log::Level;
use crate::node::packet::Epoch;

impl Bus {
    /// The greatest epoch known, mine or anybody's (§2.8.1).
    #[must_use]
    pub fn max_epoch(&self) -> Epoch {
        let table = &self.table;
        let greatest = table.order().iter().map(|&ix| table.peer(ix).config_epoch).max();
        greatest.unwrap_or_default().max(self.current_epoch)
    }
}

impl Node {
    /// Takes a new configEpoch without asking anybody, unless mine is already the greatest. Returns
    /// whether it did (§2.8.2).
    pub(crate) fn bump_epoch_without_consensus(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let bus = &mut self.bus;
        let mine = bus.table.peer(bus.myself).config_epoch;
        if mine != Epoch(0) && mine == bus.max_epoch() {
            return false;
        }
        bus.current_epoch = bus.current_epoch.next();
        let epoch = bus.current_epoch;
        bus.table.peer_mut(bus.myself).config_epoch = epoch;
        bus.todo.add(Todo::SAVE | Todo::FSYNC);
        self.log(ctx, Level::Warning, format_args!("New configEpoch set to {epoch}"));
        true
    }
}
