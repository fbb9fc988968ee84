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

/// A master must have been without replicas for longer than this.
const PATIENCE: Millis = Millis(5_000);

impl Bus {
    fn working_replicas(&self, master: PeerIx, without: Flags) -> usize {
        let replicas = self.table.peer(master).replicas();
        replicas.iter().filter(|&&ix| !self.table.flags(ix).any(without)).count()
    }

    fn spares(&self) -> Spares {
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
        if !self.config.allow_replica_migration {
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
        let orphaned_for = ctx.now.millis() - self.bus.table.peer(target).orphaned_time;
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
            let mut orphan = !flags.any(Flags::REPLICA | Flags::FAIL) && flags.any(Flags::MIGRATE_TO);
            let working =
                if flags.is_master() { bus.working_replicas(ix, Flags::FAIL) } else { 0 };
            orphan &= working == 0;
            let peer = bus.table.peer_mut(ix);
            if orphan {
                if target.is_none() && peer.slot_count > 0 {
                    target = Some(ix);
                }
                if peer.orphaned_time.is_never() {
                    peer.orphaned_time = now;
                }
            } else {
                peer.orphaned_time = Millis::NEVER;
            }
            if working == most {
                let replicas = bus.table.peer(ix).replicas().iter().copied();
                let id = |ix: PeerIx| ctx.ids.id(bus.table.node(ix));
                candidate = replicas.fold(candidate, |best, ix| {
                    if id(ix) < id(best) { ix } else { best }
                });
            }
        }
        (target, candidate)
    }
}
