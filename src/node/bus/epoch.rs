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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id};
    use crate::node::packet::MessageType;

    #[test]
    fn the_greatest_epoch_counts_everybodys_2_8_1() {
        let mut lab = Lab::formed(3, 0, 3_000);
        let other = lab.peer(0, 2);
        assert_eq!(lab.node(0).bus.max_epoch(), Epoch(3));
        lab.node(0).bus.table.peer_mut(other).config_epoch = Epoch(9);
        assert_eq!(lab.node(0).bus.max_epoch(), Epoch(9));
        lab.node(0).bus.current_epoch = Epoch(12);
        assert_eq!(lab.node(0).bus.max_epoch(), Epoch(12));
    }

    #[test]
    fn an_epoch_is_bumped_unless_it_is_the_greatest_2_8_2() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        lab.forget_records();
        assert!(lab.act(0, |node, ctx| node.bump_epoch_without_consensus(ctx)));
        assert!(lab.logged(0, "New configEpoch set to 4"));
        assert_eq!(lab.saves, [(0, true)]);
        assert!(!lab.act(0, |node, ctx| node.bump_epoch_without_consensus(ctx)));
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(4));
    }

    #[test]
    fn an_epoch_of_zero_is_always_bumped_2_8_2() {
        let mut lab = Lab::alone(1);
        assert!(lab.act(0, |node, ctx| node.bump_epoch_without_consensus(ctx)));
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(1));
    }

    #[test]
    fn of_two_masters_with_one_epoch_the_smaller_id_moves_5_11() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(300);
        for node in [0, 1] {
            let me = lab.node(node).bus.myself;
            lab.node(node).bus.table.peer_mut(me).config_epoch = Epoch(2);
        }
        lab.isolate(0);
        let ping = lab.message(0, MessageType::Ping);
        lab.hear(1, 0, &ping);
        assert_eq!(lab.node(1).bus.current_epoch, Epoch(2), "the greater id stays");
        lab.forget_records();
        let ping = lab.message(1, MessageType::Ping);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.current_epoch, Epoch(3));
        assert_eq!(lab.saves.first(), Some(&(0, true)));
        let text =
            format!("WARNING: configEpoch collision with node {}. configEpoch set to 3", id(1));
        assert!(lab.logged(0, &text));
    }

    #[test]
    fn a_replica_never_moves_its_epoch_5_11() {
        let mut lab = Lab::formed(1, 1, 3_000);
        lab.run(300);
        let me = lab.node(1).bus.myself;
        lab.node(1).bus.table.peer_mut(me).config_epoch = Epoch(1);
        let ping = lab.message(0, MessageType::Ping);
        lab.hear(1, 0, &ping);
        assert_eq!(lab.node(1).bus.current_epoch, Epoch(1));
    }

    #[test]
    fn a_replica_has_an_epoch_of_its_own_that_it_does_not_show_2_8_3() {
        let mut lab = Lab::formed(3, 1, 3_000);
        lab.run(300);
        let me = lab.node(3).bus.myself;
        lab.node(3).bus.table.peer_mut(me).config_epoch = Epoch(9);
        assert!(lab.node(3).bus.info_text().contains("cluster_my_epoch:1\r\n"));
        assert_eq!(lab.message(3, MessageType::Ping).config_epoch, Epoch(1));
        assert_eq!(lab.node(3).bus.max_epoch(), Epoch(9), "but it counts");
    }
}
