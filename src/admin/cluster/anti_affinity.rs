//! Keeping replicas away from their masters and from each other (cli §5.5).
//!
//! The search swaps replicas at random and keeps every swap that makes nothing worse. If all nodes
//! share one host nothing can get better, and the result is a shuffle.

use super::hash_order::HashOrdered;
use super::{Host, Manager, MemberIx};

/// What a replica at the host of its master costs.
const SAME_AS_MASTER: usize = 10_000;

/// The members of a group at one host: does it hold the master, and how many nodes has it?
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    has_master: bool,
    len: usize,
}

impl Group {
    fn cost(self) -> usize {
        match self {
            Group { len: 0 | 1, .. } => 0,
            Group { has_master: true, len } => SAME_AS_MASTER * (len - 1),
            Group { has_master: false, len } => len,
        }
    }
}

impl<H: Host> Manager<'_, H> {
    /// Improves the allotment of replicas, if it is not perfect already.
    pub(super) fn optimize_anti_affinity(&mut self) {
        if self.affinity().0 == 0 {
            return;
        }
        self.info(">>> Trying to optimize slaves allocation for anti-affinity\n");
        self.host.seed_draws();
        for _ in 0..500 * self.nodes.len() {
            let (cost, offenders) = self.affinity();
            if cost == 0 || !self.try_swap(cost, &offenders) {
                break;
            }
        }
        let (cost, _) = self.affinity();
        if cost == 0 {
            self.success("[OK] Perfect anti-affinity obtained!\n");
        } else if cost >= SAME_AS_MASTER {
            self.warn("[WARNING] Some slaves are in the same host as their master\n");
        } else {
            self.warn("[WARNING] Some slaves of the same master are in the same host\n");
        }
    }

    /// Swaps the masters of an offender and of another replica, unless that makes things worse. Gives
    /// up if there is nobody to swap.
    fn try_swap(&mut self, cost: usize, offenders: &[MemberIx]) -> bool {
        let Some(first) = self.pick(offenders) else { return false };
        let others: Vec<MemberIx> =
            self.all().filter(|&node| node != first && self[node].master.is_some()).collect();
        let Some(second) = self.pick(&others) else { return false };
        self.swap_masters(first, second);
        if self.affinity().0 > cost {
            self.swap_masters(first, second);
        }
        true
    }

    fn pick(&mut self, nodes: &[MemberIx]) -> Option<MemberIx> {
        let count = u32::try_from(nodes.len()).ok().filter(|&count| count > 0)?;
        Some(nodes[self.host.draw(count) as usize])
    }

    fn swap_masters(&mut self, first: MemberIx, second: MemberIx) {
        let master = self[first].master.take();
        self[first].master = self[second].master.take();
        self[second].master = master;
    }

    /// What the layout costs, and one replica of each group that costs anything.
    fn affinity(&self) -> (usize, Vec<MemberIx>) {
        let mut cost = 0;
        let mut offenders = Vec::new();
        for nodes in self.nodes_by_host() {
            let mut groups: HashOrdered<Group> = HashOrdered::new();
            for &node in &nodes {
                let member = &self[node];
                let key = member.master.as_ref().unwrap_or(&member.name).as_str();
                let mut group = groups.find(key).map_or(Group::default(), |group| *group);
                group.has_master |= member.master.is_none();
                group.len += 1;
                groups.insert(key, group);
            }
            for (master, group) in groups.iter().filter(|(_, group)| group.cost() > 0) {
                cost += group.cost();
                offenders.extend(nodes.iter().copied().find(|&node| {
                    self[node].master.as_ref().is_some_and(|name| name.as_str() == master)
                }));
            }
        }
        (cost, offenders)
    }
}
