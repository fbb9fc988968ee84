//! Where the keys of each slot stand.

use std::sync::Arc;

use crate::node::keyspace::slot_keys::SlotKeys;
use crate::slot::Slot;

/// So many slots stand side by side.
const SHELF: usize = 64;

/// The keys of some slots that follow each other. Copies of a keyspace have what neither has changed
/// in common.
type Shelf = [Option<Arc<SlotKeys>>; SHELF];

/// The keys of all slots, as far as there are any.
#[derive(Debug, Clone, Default)]
pub(super) struct Shelves(Vec<Option<Box<Shelf>>>);

impl Shelves {
    #[inline]
    pub(super) fn slot(&self, slot: Slot) -> Option<&SlotKeys> {
        let shelf = self.0.get(slot.index() / SHELF)?.as_ref()?;
        shelf[slot.index() % SHELF].as_deref()
    }

    #[inline]
    pub(super) fn place_mut(&mut self, slot: Slot) -> Option<&mut Option<Arc<SlotKeys>>> {
        let shelf = self.0.get_mut(slot.index() / SHELF)?.as_mut()?;
        Some(&mut shelf[slot.index() % SHELF])
    }

    /// The keys of a slot, to be added to: no longer those of copies.
    pub(super) fn slot_or_new(&mut self, slot: Slot) -> &mut SlotKeys {
        let at = slot.index() / SHELF;
        if at >= self.0.len() {
            self.0.resize_with(at + 1, || None);
        }
        let shelf = self.0[at].get_or_insert_with(|| Box::new([const { None }; SHELF]));
        Arc::make_mut(shelf[slot.index() % SHELF].get_or_insert_default())
    }

    /// The slots that hold keys, ascending, and their keys.
    pub(super) fn occupied(&self) -> impl Iterator<Item = (Slot, &SlotKeys)> {
        let shelves = (0..).step_by(SHELF).zip(&self.0);
        shelves.filter_map(|(first, shelf)| Some((first, shelf.as_ref()?))).flat_map(
            |(first, shelf)| {
                let keys = (first..).zip(shelf.iter());
                keys.filter_map(|(slot, keys)| Some((Slot::new(slot)?, keys.as_deref()?)))
            },
        )
    }

    /// Every slot that holds keys, ascending, to be changed.
    pub(super) fn occupied_mut(&mut self) -> impl Iterator<Item = &mut Arc<SlotKeys>> {
        self.0.iter_mut().flatten().flat_map(|shelf| shelf.iter_mut()).flatten()
    }
}
