//! Replica migration: a replica that can be spared goes to a master that has none left (§8.7).

use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// What a replica sees of everybody's replicas (§7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Spares {
    /// Masters with slots that have lost all their replicas.
    orphaned: u32,
    /// The greatest number of working replicas that a master has.
    most: usize,
    /// How many my own master has.
    mine: usize,
}

/// What was last seen of them, and which topology and which master of mine that was.
#[derive(Debug, Default)]
pub struct Survey {
    of: Option<(u64, Option<PeerIx>)>,
    spares: Spares,
}

/// A master must have been without replicas for longer than this.
const PATIENCE: Millis = Millis(5_000);

impl Bus {
    fn working_replicas(&self, master: PeerIx, without: Flags) -> usize {
        let replicas = self.table.replicas(master);
        replicas.iter().filter(|&&ix| !self.table.flags(ix).any(without)).count()
    }

    /// What I see of everybody's replicas; looked at again only after something has changed.
    fn spares(&mut self) -> Spares {
        let of = Some((self.table.topology(), self.my_master()));
        if self.survey.of != of {
            self.survey = Survey { of, spares: self.count_spares() };
        }
        debug_assert_eq!(self.survey.spares, self.count_spares());
        self.survey.spares
    }

    fn count_spares(&self) -> Spares {
        let mut spares = Spares::default();
        let ignored = Flags::MYSELF | Flags::NOADDR | Flags::HANDSHAKE;
        for &ix in self.table.order() {
            let flags = self.table.flags(ix);
            if flags.any(ignored) || !flags.is_master() || flags.any(Flags::FAIL) {
                continue;
            }
            let working = self.working_replicas(ix, Flags::FAIL);
            let serves = self.table.peer(ix).slot_count > 0;
            if working == 0 && serves && flags.any(Flags::MIGRATE_TO) {
                spares.orphaned += 1;
            }
            spares.most = spares.most.max(working);
            if self.my_master() == Some(ix) {
                spares.mine = working;
            }
        }
        spares
    }
}

impl Node {
    /// Looks whether some master needs me more than mine does (§7.7).
    pub(crate) fn consider_migration(&mut self, ctx: &mut Ctx<'_>) {
        // A master with fewer than two working replicas cannot be among those that have most of at
        // least two; most clusters need no look at everybody.
        let working = |master| self.bus.working_replicas(master, Flags::FAIL);
        let can_be_spared = self.bus.my_master().is_some_and(|master| working(master) >= 2);
        if !self.config.allow_replica_migration || !can_be_spared {
            return;
        }
        let spares = self.bus.spares();
        if spares.orphaned > 0 && spares.most >= 2 && spares.mine == spares.most {
            self.migration_step(ctx, spares.most);
        }
    }

    /// Goes to an orphaned master, if it is my turn (§8.7).
    fn migration_step(&mut self, ctx: &mut Ctx<'_>, most: usize) {
        let bus = &self.bus;
        let Some(master) = bus.my_master().filter(|_| bus.state_ok) else { return };
        let left = bus.working_replicas(master, Flags::FAIL | Flags::PFAIL);
        if left <= self.config.migration_barrier as usize {
            return;
        }
        let (target, candidate) = self.find_target(ctx, most);
        let Some(target) = target.filter(|_| candidate == self.bus.myself) else { return };
        let orphaned_for = ctx.now.millis() - self.bus.table.history(target).orphaned_time;
        if orphaned_for > PATIENCE {
            let id = ctx.ids.id(self.bus.table.node(target));
            self.log(ctx, Level::Warning, format_args!("Migrating to orphaned master {id}"));
            self.set_my_master(ctx, target);
        }
    }

    /// The first orphaned master, and whose turn it is: the smallest id among the replicas of the
    /// masters that have most, dead replicas included (15.24).
    fn find_target(&mut self, ctx: &Ctx<'_>, most: usize) -> (Option<PeerIx>, PeerIx) {
        let now = ctx.now.millis();
        let bus = &mut self.bus;
        let mut target = None;
        let mut candidate = bus.myself;
        for place in 0..bus.table.len() {
            let ix = bus.table.at(place);
            let flags = bus.table.flags(ix);
            let mut orphan =
                !flags.any(Flags::REPLICA | Flags::FAIL) && flags.any(Flags::MIGRATE_TO);
            let working = if flags.is_master() { bus.working_replicas(ix, Flags::FAIL) } else { 0 };
            orphan &= working == 0;
            if orphan && target.is_none() && bus.table.peer(ix).slot_count > 0 {
                target = Some(ix);
            }
            let since = &mut bus.table.history_mut(ix).orphaned_time;
            if !orphan {
                *since = Millis::NEVER;
            } else if since.is_never() {
                *since = now;
            }
            if working == most {
                let replicas = bus.table.replicas(ix).iter().copied();
                let id = |ix: PeerIx| ctx.ids.id(bus.table.node(ix));
                candidate =
                    replicas.fold(candidate, |best, ix| if id(ix) < id(best) { ix } else { best });
            }
        }
        (target, candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id};

    /// Masters 0, 1 and 2 with replicas 3 and 6, 4 and 7, and 5.
    fn calm() -> Lab {
        let mut lab = Lab::formed(3, 5, 1_000);
        lab.run(4_000);
        lab
    }

    fn migrated(lab: &Lab) -> Vec<usize> {
        let start = format!("Migrating to orphaned master {}", id(2));
        lab.lines.iter().filter(|line| line.text == start).map(|line| line.node).collect()
    }

    #[test]
    fn the_smallest_id_of_the_richest_masters_goes_to_the_orphan_after_5_s_8_7() {
        let mut lab = calm();
        lab.kill(5);
        lab.run_until(4_000, |lab| {
            let gone = lab.peer(3, 5);
            lab.node(3).bus.table.flags(gone).any(Flags::FAIL)
        });
        let failed = lab.now.millis();
        lab.run_until(6_000, |lab| !migrated(lab).is_empty());
        let waited = (lab.now.millis() - failed).0;
        assert!((5_000..=5_200).contains(&waited), "{waited}");
        assert_eq!(migrated(&lab), [3]);
        assert_eq!(lab.node(3).bus.my_master(), lab.find(3, 2));
        lab.run(20_000);
        assert_eq!(migrated(&lab), [3], "one is enough");
        let orphan = lab.peer(2, 2);
        let moved = lab.peer(2, 3);
        assert!(lab.node(2).bus.table.replicas(orphan).contains(&moved));
    }

    #[test]
    fn nobody_goes_if_too_few_would_stay_8_7_1() {
        let mut lab = calm();
        for node in [3, 4, 6, 7] {
            lab.node(node).config.migration_barrier = 2;
        }
        lab.kill(5);
        lab.run(12_000);
        assert!(migrated(&lab).is_empty());
    }

    #[test]
    fn nobody_goes_if_it_is_not_allowed_7_7() {
        let mut lab = calm();
        for node in [3, 4, 6, 7] {
            lab.node(node).config.allow_replica_migration = false;
        }
        lab.kill(5);
        lab.run(12_000);
        assert!(migrated(&lab).is_empty());
    }

    #[test]
    fn a_dead_replica_with_a_smaller_id_blocks_the_migration_15_24() {
        let mut lab = calm();
        lab.kill(5);
        lab.kill(3);
        lab.run(12_000);
        assert_eq!(migrated(&lab), [4], "master 1 has most");

        // The same, but the dead 3 was a replica of master 1, too.
        let mut lab = calm();
        lab.kill(5);
        lab.kill(3);
        lab.run(3_000);
        for node in [4, 6, 7] {
            let (dead, rich) = (lab.peer(node, 3), lab.peer(node, 1));
            lab.node(node).bus.add_replica(rich, dead);
        }
        lab.run(12_000);
        assert!(migrated(&lab).is_empty());
    }

    #[test]
    fn the_clock_of_an_orphan_may_be_left_over_from_an_earlier_time_15_24() {
        let mut lab = calm();
        let orphan = lab.peer(3, 2);
        let long_ago = lab.now.millis() - Millis(60_000);
        lab.node(3).bus.table.history_mut(orphan).orphaned_time = long_ago;
        lab.kill(5);
        lab.run_until(4_000, |lab| {
            let gone = lab.peer(3, 5);
            lab.node(3).bus.table.flags(gone).any(Flags::FAIL)
        });
        lab.run(110);
        assert_eq!(migrated(&lab), [3], "it does not wait");
    }

    #[test]
    fn nobody_goes_to_a_master_that_never_had_a_replica_8_7_2() {
        let mut lab = calm();
        for node in 0..8 {
            let never = lab.peer(node, 2);
            lab.node(node).bus.table.clear_flags(never, Flags::MIGRATE_TO);
        }
        lab.kill(5);
        lab.run(12_000);
        assert!(migrated(&lab).is_empty());
    }
}
