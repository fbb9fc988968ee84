//! Whether the cluster is ok for me (§6.6).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::config::Config;
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::slot::SLOTS;
use crate::time::Millis;

/// A master says `fail` for this long after its first look (§1.1).
const WRITABLE_DELAY: Millis = Millis(2_000);
/// Bounds of a master's delay after a minority (§1.1).
const REJOIN_DELAY: (Millis, Millis) = (Millis(500), Millis(5_000));

/// The masters with slots, as counted for the state (§6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masters {
    all: u32,
    reachable: u32,
    /// Whether a node in FAIL, of whatever role, owns slots.
    slots_failing: bool,
}

impl Bus {
    /// The majority of the masters with slots, as of the last evaluation (§6.3).
    #[must_use]
    pub fn quorum(&self) -> u32 {
        self.size / 2 + 1
    }

    fn count_masters(&self) -> Masters {
        let mut masters = Masters { all: 0, reachable: 0, slots_failing: false };
        for &ix in self.table.order() {
            let flags = self.table.flags(ix);
            if self.table.peer(ix).slot_count > 0 {
                masters.all += u32::from(flags.is_master());
                masters.reachable += u32::from(flags.is_master() && !flags.is_failing());
                masters.slots_failing |= flags.any(Flags::FAIL);
            }
        }
        masters
    }

    /// What the state should be now; refreshes the size and the memory of minorities (§6.6).
    fn wanted_state(&mut self, config: &Config, now: Millis) -> bool {
        let masters = self.count_masters();
        self.size = masters.all;
        let covered = self.slots.assigned() == SLOTS && !masters.slots_failing;
        let majority = masters.reachable >= self.quorum();
        if !majority {
            self.among_minority = now;
        }
        majority && (covered || !config.require_full_coverage)
    }
}

impl Node {
    /// Evaluates the cluster's state (§6.6).
    pub(crate) fn update_state(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.millis();
        let bus = &mut self.bus;
        bus.todo.clear(Todo::UPDATE);
        if bus.first_state_check.is_never() {
            bus.first_state_check = now;
        }
        let cautious = bus.is_master();
        if cautious && !bus.state_ok && now - bus.first_state_check < WRITABLE_DELAY {
            return;
        }
        let ok = bus.wanted_state(&self.config, now);
        let rejoin_delay = self.config.node_timeout.clamp(REJOIN_DELAY.0, REJOIN_DELAY.1);
        let too_early = ok && cautious && now - bus.among_minority < rejoin_delay;
        if ok == bus.state_ok || too_early {
            return;
        }
        bus.state_ok = ok;
        let word = if ok { "ok" } else { "fail" };
        self.log(ctx, Level::Warning, format_args!("Cluster state changed: {word}"));
        ctx.out.notice(Notice::State { ok });
    }
}
