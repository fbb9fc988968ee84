//! Who owns which slot in one process's view (§2.7).
//!
//! The map from slot to owner and the set of slots of each owner are kept in step here and nowhere
//! else. Both are shared between nodes as long as nobody changes them; a change makes a copy.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use crate::node::bus::Bus;
use crate::node::flags::Flags;
use crate::node::table::PeerIx;
use crate::slot::{SLOTS, Slot, SlotSet};

/// Who owns which slot in one process's view, and which slots are being moved.
#[derive(Debug, Clone)]
pub struct SlotMap {
    /// By slot; `NOBODY` = unassigned.
    owner: Arc<[u16]>,
    assigned: u16,
    /// Slots that I give away, and to whom (§9.9).
    pub migrating: BTreeMap<Slot, PeerIx>,
    /// Slots that I take over, and from whom (§9.9).
    pub importing: BTreeMap<Slot, PeerIx>,
}

const NOBODY: u16 = u16::MAX;

/// What everybody shares who knows of no owner yet.
static UNASSIGNED: LazyLock<Arc<[u16]>> = LazyLock::new(|| Arc::new([NOBODY; SLOTS as usize]));

impl Default for SlotMap {
    fn default() -> SlotMap {
        SlotMap {
            owner: Arc::clone(&UNASSIGNED),
            assigned: 0,
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
        }
    }
}

impl SlotMap {
    /// The owner of a slot.
    #[must_use]
    #[inline]
    pub fn owner(&self, slot: Slot) -> Option<PeerIx> {
        let owner = self.owner[slot.index()];
        (owner != NOBODY).then_some(PeerIx(owner))
    }

    /// The maximal runs of slots with the same owner, ascending.
    pub fn runs(&self) -> impl Iterator<Item = (Slot, Slot, PeerIx)> {
        self.parts_of(0..self.owner.len())
            .filter_map(|((first, last), owner)| Some((first, last, owner?)))
    }

    fn parts_of(
        &self,
        slots: Range<usize>,
    ) -> impl Iterator<Item = ((Slot, Slot), Option<PeerIx>)> {
        let owners = &self.owner[..slots.end];
        let mut from = slots.start;
        std::iter::from_fn(move || {
            let owner = *owners.get(from)?;
            let first = from;
            from = end_of_run(owners, first);
            let part = (Slot::new(first as u16)?, Slot::new((from - 1) as u16)?);
            Some((part, (owner != NOBODY).then_some(PeerIx(owner))))
        })
    }

    /// How many slots have an owner.
    #[must_use]
    pub fn assigned(&self) -> u16 {
        self.assigned
    }

    /// Forgets that any slot is being moved.
    pub fn close_all(&mut self) {
        self.migrating.clear();
        self.importing.clear();
    }

    pub(crate) fn assign(&mut self, slot: Slot, owner: Option<PeerIx>) {
        let new = owner.map_or(NOBODY, |ix| ix.0);
        let old = std::mem::replace(&mut Arc::make_mut(&mut self.owner)[slot.index()], new);
        self.assigned = self.assigned - u16::from(old != NOBODY) + u16::from(new != NOBODY);
    }

    /// The parts of a run of slots that belong to one owner each.
    pub(crate) fn parts(
        &self,
        (first, last): (Slot, Slot),
    ) -> impl Iterator<Item = ((Slot, Slot), Option<PeerIx>)> {
        self.parts_of(first.index()..last.index() + 1)
    }

    /// Gives a run of slots to a node, or to nobody.
    pub(crate) fn assign_run(&mut self, run: (Slot, Slot), to: Option<PeerIx>) {
        let (first, last) = run;
        let owned = self.parts(run).filter(|(_, owner)| owner.is_some());
        self.assigned -=
            owned.map(|((first, last), _)| first.up_to(last).len() as u16).sum::<u16>();
        self.assigned += to.map_or(0, |_| first.up_to(last).len() as u16);
        let owners = &mut Arc::make_mut(&mut self.owner)[first.index()..=last.index()];
        owners.fill(to.map_or(NOBODY, |ix| ix.0));
    }
}

/// Where the owner at `first` is followed by another one, or the end.
fn end_of_run(owners: &[u16], first: usize) -> usize {
    // Most runs are long.
    const STEP: usize = 256;
    let pattern = [owners[first]; STEP];
    let mut at = first;
    while owners.get(at..at + STEP) == Some(&pattern) {
        at += STEP;
    }
    let rest = &owners[at..];
    at + rest.iter().position(|&other| other != owners[first]).unwrap_or(rest.len())
}

impl Bus {
    /// Assigns a slot that nobody owns. Returns whether it was free (§2.7).
    pub fn add_slot(&mut self, slot: Slot, to: PeerIx) -> bool {
        if self.slots.owner(slot).is_some() {
            return false;
        }
        let peer = self.table.peer_mut(to);
        Arc::make_mut(&mut peer.slots).insert(slot);
        let count = peer.slot_count + 1;
        self.table.set_slot_count(to, count);
        if count == 1 && self.table.masters_have_replicas() {
            self.table.set_flags(to, Flags::MIGRATE_TO);
        }
        self.slots.assign(slot, Some(to));
        true
    }

    /// Unassigns a slot, whoever owns it. Returns whether anybody did (§2.7).
    pub fn del_slot(&mut self, slot: Slot) -> bool {
        let Some(owner) = self.slots.owner(slot) else { return false };
        let peer = self.table.peer_mut(owner);
        Arc::make_mut(&mut peer.slots).remove(slot);
        let count = peer.slot_count - 1;
        self.table.set_slot_count(owner, count);
        self.slots.assign(slot, None);
        true
    }

    /// Assigns many slots at once, whoever owns them now: what deleting and adding each of them would
    /// come to (§2.7).
    pub(crate) fn take_slots(&mut self, taken: &SlotSet, to: PeerIx) {
        let mut losers: SmallVec<[PeerIx; 4]> = SmallVec::new();
        for run in taken.runs() {
            for (_, owner) in self.slots.parts(run) {
                losers.extend(owner.filter(|owner| !losers.contains(owner)));
            }
            self.slots.assign_run(run, Some(to));
        }
        for owner in losers {
            let slots = &mut self.table.peer_mut(owner).slots;
            Arc::make_mut(slots).subtract(taken);
            let left = slots.len();
            self.table.set_slot_count(owner, left);
        }
        let peer = self.table.peer_mut(to);
        let before = peer.slot_count;
        Arc::make_mut(&mut peer.slots).unite(taken);
        let count = before + taken.len();
        self.table.set_slot_count(to, count);
        if before == 0 && count > 0 && self.table.masters_have_replicas() {
            self.table.set_flags(to, Flags::MIGRATE_TO);
        }
    }

    /// Assigns those of many slots that nobody owns: what adding each of them would come to (§2.7).
    pub(crate) fn take_free_slots(&mut self, wanted: &SlotSet, to: PeerIx) {
        let mut free = SlotSet::default();
        for ((first, last), owner) in wanted.runs().flat_map(|run| self.slots.parts(run)) {
            if owner.is_none() {
                free.insert_run(first, last);
            }
        }
        if !free.is_empty() {
            self.take_slots(&free, to);
        }
    }

    /// Unassigns all slots of a node; returns how many they were (§2.7).
    pub fn del_node_slots(&mut self, of: PeerIx) -> u16 {
        let peer = self.table.peer(of);
        let count = peer.slot_count;
        if count > 0 {
            let slots = Arc::clone(&peer.slots);
            self.table.set_slots(of, self.table.no_slots(), 0);
            slots.runs().for_each(|run| self.slots.assign_run(run, None));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, share, slot};

    #[test]
    fn a_slot_that_has_an_owner_is_not_assigned_again_2_7() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let (me, other) = (lab.peer(0, 0), lab.peer(0, 1));
        let bus = &mut lab.node(0).bus;
        assert!(!bus.add_slot(slot(0), other));
        assert!(bus.del_slot(slot(0)), "whoever owns it");
        assert!(!bus.del_slot(slot(0)));
        assert!(bus.add_slot(slot(0), other));
        assert_eq!(bus.slots.owner(slot(0)), Some(other));
        assert_eq!(
            (bus.table.peer(me).slot_count, bus.table.peer(other).slot_count),
            (8_191, 8_193)
        );
        assert_eq!(bus.slots.assigned(), SLOTS);
    }

    #[test]
    fn taking_many_slots_is_taking_each_of_them_2_7() {
        let taken: SlotSet = (4_000..9_000).map(slot).collect();
        let take = |at_once: bool| {
            let mut lab = Lab::formed(4, 0, 3_000);
            let to = lab.peer(0, 3);
            let bus = &mut lab.node(0).bus;
            bus.del_node_slots(to);
            bus.del_slot(slot(4_500));
            match at_once {
                true => bus.take_slots(&taken, to),
                false => taken.iter().for_each(|slot| {
                    bus.del_slot(slot);
                    bus.add_slot(slot, to);
                }),
            }
            let owners: Vec<_> = Slot::all().map(|slot| bus.slots.owner(slot)).collect();
            let peers = bus.table.order().iter().map(|&ix| {
                let peer = bus.table.peer(ix);
                (ix, peer.slot_count, peer.slots.clone(), bus.table.flags(ix))
            });
            (owners, bus.slots.assigned(), peers.collect::<Vec<_>>())
        };
        assert_eq!(take(true), take(false));
    }

    #[test]
    fn the_sets_of_owners_follow_the_map_2_7() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let other = lab.peer(0, 1);
        let bus = &mut lab.node(0).bus;
        assert_eq!(bus.del_node_slots(other), 8_192);
        assert_eq!(bus.slots.assigned(), 8_192);
        assert!(bus.table.peer(other).slots.is_empty());
        assert!(bus.add_slot(slot(9_000), other));
        let expected: SlotSet = [slot(9_000)].into_iter().collect();
        assert_eq!(*bus.table.peer(other).slots, expected);
    }

    #[test]
    fn a_change_of_a_shared_set_is_not_seen_by_others() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let here = lab.peer(0, 1);
        lab.node(0).bus.del_slot(slot(16_000));
        let there = lab.peer(1, 1);
        assert_eq!(lab.node(0).bus.table.peer(here).slots.len(), 8_191);
        assert_eq!(lab.node(1).bus.table.peer(there).slots, share(1, 2));
    }

    #[test]
    fn members_share_the_map_until_one_of_them_changes_it() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let maps = [0, 1].map(|at| Arc::clone(&lab.node(at).bus.slots.owner));
        assert!(Arc::ptr_eq(&maps[0], &maps[1]));
        lab.node(0).bus.del_slot(slot(16_000));
        assert_eq!(lab.node(0).bus.slots.owner(slot(16_000)), None);
        assert!(lab.node(1).bus.slots.owner(slot(16_000)).is_some());
    }

    #[test]
    fn the_first_slot_invites_replicas_if_there_are_any_2_3() {
        for replicas in [0, 1] {
            let mut lab = Lab::formed(2, replicas, 3_000);
            let other = lab.peer(0, 1);
            let bus = &mut lab.node(0).bus;
            bus.del_node_slots(other);
            bus.table.clear_flags(other, Flags::MIGRATE_TO);
            bus.add_slot(slot(9_000), other);
            assert_eq!(bus.table.flags(other).any(Flags::MIGRATE_TO), replicas > 0);
        }
    }
}
