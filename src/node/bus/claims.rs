//! Who claims which slots: a greater configEpoch wins (§5.6.5-§5.6.8, §5.8, §5.10, §5.11).

use std::sync::Arc;

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::Ctx;
use crate::node::log::Level;
use crate::node::packet::{Body, Epoch, Packet};
use crate::node::table::PeerIx;
use crate::slot::{Slot, SlotSet};

/// What a claim took from whom.
#[derive(Debug, Default)]
struct Rebound {
    /// How many slots were taken from me, or from my master if I am a replica.
    from_my_shard: u16,
    /// Slots that were mine and still hold keys.
    dirty: Vec<Slot>,
}

impl Bus {
    /// Whether the slots that a sender claims differ from those that I assign to it, or to its master
    /// (§5.6.5). Equal sets are made one, so that they are equal at a glance next time.
    fn claim_differs(&mut self, sender: PeerIx, claimed: &Arc<SlotSet>) -> bool {
        let master = match self.table.flags(sender).is_master() {
            true => Some(sender),
            false => self.table.peer(sender).replica_of(),
        };
        let Some(master) = master else { return false };
        let mine = &mut self.table.peer_mut(master).slots;
        if Arc::ptr_eq(mine, claimed) {
            return false;
        }
        let equal = **mine == **claimed;
        if equal {
            *mine = Arc::clone(claimed);
        }
        !equal
    }

    /// Among the owners of the claimed slots, the first that has a greater epoch than the claim
    /// (§5.6.7).
    fn better_owner(&self, sender: PeerIx, packet: &Packet) -> Option<PeerIx> {
        packet.slots.difference(&self.table.peer(sender).slots).find_map(|slot| {
            let owner = self.slots.owner(slot)?;
            (self.table.peer(owner).config_epoch > packet.config_epoch).then_some(owner)
        })
    }

    /// Binds every claimed slot to the claimer that nobody holds with the same or a greater epoch
    /// (§5.8.3). `has_keys` says whether I hold keys of a slot.
    fn rebind(
        &mut self,
        claimer: PeerIx,
        epoch: Epoch,
        claimed: &SlotSet,
        has_keys: impl Fn(Slot) -> bool,
    ) -> Rebound {
        let my_shard = if self.is_master() { Some(self.myself) } else { self.my_master() };
        let held = Arc::clone(&self.table.peer(claimer).slots);
        let mut rebound = Rebound::default();
        for slot in claimed.difference(&held) {
            let owner = self.slots.owner(slot);
            let stronger = owner.is_some_and(|owner| self.table.peer(owner).config_epoch >= epoch);
            if stronger || self.slots.importing.contains_key(&slot) {
                continue;
            }
            if owner == Some(self.myself) && has_keys(slot) {
                rebound.dirty.push(slot);
            }
            if owner.is_some() && owner == my_shard {
                rebound.from_my_shard += 1;
            }
            self.del_slot(slot);
            self.add_slot(slot, claimer);
            self.todo.add(Todo::SAVE | Todo::UPDATE | Todo::FSYNC);
        }
        rebound
    }
}

impl Node {
    /// Compares what a known sender claims with what I know, takes over what is newer and tells it
    /// what is older (§5.6.5-§5.6.8).
    pub(crate) fn hear_claim(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, packet: &Packet) {
        let is_master = self.bus.table.flags(sender).is_master();
        if self.bus.claim_differs(sender, &packet.slots) {
            if is_master {
                self.update_slots(ctx, sender, packet.config_epoch, &packet.slots);
            }
            if let Some(owner) = self.bus.better_owner(sender, packet) {
                self.correct_claim(ctx, sender, owner);
            }
        }
        let mine = self.bus.table.peer(self.bus.myself).config_epoch;
        if self.bus.is_master() && is_master && packet.config_epoch == mine {
            self.resolve_epoch_collision(ctx, sender);
        }
    }

    /// Tells a sender of old claims about one owner of its slots (§5.6.7).
    fn correct_claim(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, owner: PeerIx) {
        let (id, about) = (self.bus.id_of(ctx.ids, sender), self.bus.id_of(ctx.ids, owner));
        let text = format_args!(
            "Node {id} has old slots configuration, sending an UPDATE message about {about}"
        );
        self.log(ctx, Level::Verbose, text);
        self.send_update(ctx, sender, owner);
    }

    /// Takes over a claim of slots, and follows it if it took the last slot of my shard (§5.8).
    fn update_slots(&mut self, ctx: &mut Ctx<'_>, by: PeerIx, epoch: Epoch, claimed: &SlotSet) {
        if by == self.bus.myself {
            let text = format_args!("Discarding UPDATE message about myself.");
            self.log(ctx, Level::Warning, text);
            return;
        }
        let my_shard = match self.bus.is_master() {
            true => Some(self.bus.myself),
            false => self.bus.my_master(),
        };
        let keys = &self.keys;
        let rebound = self.bus.rebind(by, epoch, claimed, |slot| keys.count_in_slot(slot) > 0);
        let left = my_shard.map_or(0, |ix| self.bus.table.peer(ix).slot_count);
        let follow = self.config.allow_replica_migration || claimed.len() == rebound.from_my_shard;
        if rebound.from_my_shard > 0 && left == 0 && follow {
            let id = self.bus.id_of(ctx.ids, by);
            let text = format_args!(
                "Configuration change detected. Reconfiguring myself as a replica of {id}"
            );
            self.log(ctx, Level::Warning, text);
            self.set_my_master(ctx, by);
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE | Todo::FSYNC);
        } else {
            for slot in rebound.dirty {
                self.keys.delete_slot(slot);
            }
        }
    }

    /// UPDATE: somebody tells me what another node owns (§5.10).
    pub(crate) fn hear_update(&mut self, ctx: &mut Ctx<'_>, packet: &Packet) {
        let Body::Update { node, config_epoch, slots } = &packet.body else { return };
        let Some(about) = self.bus.table.find(*node) else { return };
        if self.bus.table.peer(about).config_epoch >= *config_epoch {
            return;
        }
        if self.bus.table.flags(about).is_replica() {
            self.bus.set_as_master(about);
        }
        self.bus.table.peer_mut(about).config_epoch = *config_epoch;
        self.bus.todo.add(Todo::SAVE | Todo::FSYNC);
        self.update_slots(ctx, about, *config_epoch, slots);
    }
}
