//! Who owns which slot in one process's view (§2.7).
//!
//! The map from slot to owner and the set of slots of each owner are kept in step here and nowhere
//! else. The sets are shared between nodes as long as nobody changes them; a change makes a copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::node::bus::Bus;
use crate::node::flags::Flags;
use crate::node::table::PeerIx;
use crate::slot::{SLOTS, Slot, SlotSet};

/// Who owns which slot in one process's view, and which slots are being moved.
#[derive(Debug)]
pub struct SlotMap {
    /// By slot; `NOBODY` = unassigned.
    owner: Box<[u16]>,
    assigned: u16,
    /// Slots that I give away, and to whom (§9.9).
    pub migrating: BTreeMap<Slot, PeerIx>,
    /// Slots that I take over, and from whom (§9.9).
    pub importing: BTreeMap<Slot, PeerIx>,
}

const NOBODY: u16 = u16::MAX;

impl Default for SlotMap {
    fn default() -> SlotMap {
        SlotMap {
            owner: vec![NOBODY; SLOTS as usize].into_boxed_slice(),
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

    fn assign(&mut self, slot: Slot, owner: Option<PeerIx>) {
        let new = owner.map_or(NOBODY, |ix| ix.0);
        let old = std::mem::replace(&mut self.owner[slot.index()], new);
        self.assigned = self.assigned - u16::from(old != NOBODY) + u16::from(new != NOBODY);
    }
}

impl Bus {
    /// Assigns a set of slots to a node, as far as they are free (§12.3.8). If all of them are, the
    /// set is shared.
    pub(crate) fn add_slots(&mut self, slots: &Arc<SlotSet>, to: PeerIx) {
        let vacant = self.table.peer(to).slot_count == 0;
        let first = slots.iter().next();
        let Some(first) = first else { return };
        if !vacant || slots.iter().any(|slot| self.slots.owner(slot).is_some()) {
            slots.iter().for_each(|slot| {
                self.add_slot(slot, to);
            });
            return;
        }
        self.add_slot(first, to);
        slots.iter().skip(1).for_each(|slot| self.slots.assign(slot, Some(to)));
        let peer = self.table.peer_mut(to);
        peer.slot_count = slots.len();
        peer.slots = Arc::clone(slots);
    }

    /// Assigns a slot that nobody owns. Returns whether it was free (§2.7).
    pub fn add_slot(&mut self, slot: Slot, to: PeerIx) -> bool {
        if self.slots.owner(slot).is_some() {
            return false;
        }
        let peer = self.table.peer_mut(to);
        if !peer.slots.contains(slot) {
            Arc::make_mut(&mut peer.slots).insert(slot);
        }
        peer.slot_count += 1;
        if peer.slot_count == 1 && self.table.masters_have_replicas() {
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
        peer.slot_count -= 1;
        self.slots.assign(slot, None);
        true
    }

    /// Unassigns all slots of a node; returns how many they were (§2.7).
    pub fn del_node_slots(&mut self, of: PeerIx) -> u16 {
        let peer = self.table.peer_mut(of);
        let count = std::mem::take(&mut peer.slot_count);
        if count > 0 {
            let slots = std::mem::replace(&mut peer.slots, Arc::clone(&self.no_slots));
            for slot in slots.iter() {
                self.slots.assign(slot, None);
            }
        }
        count
    }
}
