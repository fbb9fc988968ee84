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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Masters {
    all: u32,
    reachable: u32,
    /// Whether a node in FAIL, of whatever role, owns slots.
    slots_failing: bool,
}

/// What was last seen of the masters, and in which topology.
#[derive(Debug, Default)]
pub struct MastersSeen {
    topology: Option<u64>,
    masters: Masters,
}

impl Bus {
    /// The majority of the masters with slots, as of the last evaluation (§6.3).
    #[must_use]
    pub fn quorum(&self) -> u32 {
        self.size / 2 + 1
    }

    /// The masters with slots; counted again only after something has changed.
    fn masters(&mut self) -> Masters {
        let topology = Some(self.table.topology());
        if self.masters.topology != topology {
            self.masters = MastersSeen { topology, masters: self.count_masters() };
        }
        debug_assert_eq!(self.masters.masters, self.count_masters());
        self.masters.masters
    }

    fn count_masters(&self) -> Masters {
        let mut masters = Masters::default();
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
        let masters = self.masters();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, slot};
    use crate::node::packet::MessageType;

    #[test]
    fn a_restarted_master_is_ok_two_seconds_after_its_first_look_6_6() {
        let mut lab = Lab::formed(3, 0, 15_000);
        let waited = lab.run_until(3_000, |lab| lab.node(0).bus.state_ok);
        assert!((2_000..2_210).contains(&waited), "{waited} ms");
        assert!(lab.logged(0, "Cluster state changed: ok"));
        assert!(lab.notices.contains(&(0, Notice::State { ok: true })));
    }

    #[test]
    fn the_size_stays_one_until_then_6_6() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.run(1_500);
        assert_eq!(lab.node(0).bus.size, 1);
        lab.run(1_000);
        assert_eq!(lab.node(0).bus.size, 3);
    }

    #[test]
    fn a_replica_is_ok_at_once_6_6() {
        let mut lab = Lab::formed(1, 1, 15_000);
        let waited = lab.run_until(300, |lab| lab.node(1).bus.state_ok);
        assert!(waited <= 110, "{waited} ms");
    }

    #[test]
    fn an_unassigned_slot_makes_the_cluster_fail_if_coverage_is_required_6_6() {
        for required in [true, false] {
            let mut lab = Lab::formed(3, 0, 3_000);
            lab.run(3_000);
            lab.node(0).config.require_full_coverage = required;
            lab.act(0, |node, ctx| {
                node.bus.del_slot(slot(9_999));
                node.update_state(ctx);
            });
            assert_eq!(lab.node(0).bus.state_ok, !required);
        }
    }

    #[test]
    fn an_owner_in_fail_uncovers_its_slots_but_one_in_pfail_does_not_6_6() {
        for (flag, ok) in [(Flags::PFAIL, true), (Flags::FAIL, false)] {
            let mut lab = Lab::formed(3, 0, 3_000);
            lab.run(3_000);
            let other = lab.peer(0, 1);
            lab.node(0).bus.table.set_flags(other, flag);
            lab.act(0, |node, ctx| node.update_state(ctx));
            assert_eq!(lab.node(0).bus.state_ok, ok);
        }
    }

    #[test]
    fn a_minority_is_not_ok_even_without_coverage_6_6() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(3_000);
        lab.node(0).config.require_full_coverage = false;
        for other in [1, 2] {
            let peer = lab.peer(0, other);
            lab.node(0).bus.table.set_flags(peer, Flags::PFAIL);
        }
        lab.act(0, |node, ctx| node.update_state(ctx));
        assert!(!lab.node(0).bus.state_ok);
        assert_ne!(lab.node(0).bus.among_minority, Millis::NEVER);
    }

    #[test]
    fn a_master_waits_after_a_minority_6_6() {
        for (timeout, delay) in [(200, 500), (1_000, 1_000), (15_000, 5_000)] {
            let mut lab = Lab::formed(3, 0, 15_000);
            lab.run(3_000);
            lab.isolate(0);
            lab.node(0).config.node_timeout = Millis(timeout);
            let peers = [1, 2].map(|other| lab.peer(0, other));
            peers.iter().for_each(|&ix| lab.node(0).bus.table.set_flags(ix, Flags::FAIL));
            lab.act(0, |node, ctx| node.update_state(ctx));
            lab.node(0).config.node_timeout = Millis(1_000_000);
            peers.iter().for_each(|&ix| lab.node(0).bus.table.clear_flags(ix, Flags::FAIL));
            lab.node(0).config.node_timeout = Millis(timeout);
            let minority = lab.node(0).bus.among_minority;
            let check = |lab: &mut Lab| lab.act(0, |node, ctx| node.update_state(ctx));
            lab.now = crate::time::Wall((minority.0 as u64 + delay - 1) * 1_000);
            check(&mut lab);
            assert!(!lab.node(0).bus.state_ok, "{timeout}");
            lab.now = crate::time::Wall((minority.0 as u64 + delay) * 1_000);
            check(&mut lab);
            assert!(lab.node(0).bus.state_ok, "{timeout}");
        }
    }

    #[test]
    fn a_lone_master_without_slots_is_always_in_a_minority_6_6() {
        let mut lab = Lab::alone(1);
        lab.run(8_000);
        let node = lab.node(0);
        assert!(!node.bus.state_ok);
        assert_eq!(node.bus.size, 0);
        assert!(node.process.cached_time - node.bus.among_minority < Millis(200));
    }

    #[test]
    fn headers_say_whether_the_cluster_is_ok_4_2() {
        let mut lab = Lab::formed(3, 0, 3_000);
        assert!(!lab.message(0, MessageType::Ping).state_ok);
        lab.run(3_000);
        assert!(lab.message(0, MessageType::Ping).state_ok);
    }
}
