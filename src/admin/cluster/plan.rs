//! Which slots of which nodes are moved: the plan of reshard and rebalance (cli §9.2).

use super::{Manager, MemberIx};
use crate::admin::numbers::to_int;
use crate::slot::Slot;

/// One line of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) source: MemberIx,
    pub(super) slot: Slot,
}

impl<H> Manager<'_, H> {
    /// Takes `count` slots from the sources, from each in proportion to what it has. The biggest
    /// source rounds up and the others down, so the plan may fall short but never exceeds `count`.
    pub(super) fn plan(&self, sources: &[MemberIx], count: i32) -> Vec<Planned> {
        let mut sorted = sources.to_vec();
        sorted.sort_by_key(|&source| std::cmp::Reverse(self[source].slot_count));
        let total: i32 = sources.iter().map(|&source| self[source].slot_count).sum();
        let mut plan = Vec::new();
        for (index, &source) in sorted.iter().enumerate() {
            let member = &self[source];
            let share = count as f32 / total as f32 * member.slot_count as f32;
            let share = to_int(if index == 0 { share.ceil() } else { share.floor() });
            let left = usize::try_from(count).unwrap_or(0).saturating_sub(plan.len());
            let take = usize::try_from(share).unwrap_or(0).min(left);
            plan.extend(member.slots.iter().take(take).map(|slot| Planned { source, slot }));
        }
        plan
    }
}
