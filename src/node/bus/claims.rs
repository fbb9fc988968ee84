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
        let Some(master) = self.slot_speaker(sender) else { return false };
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

    /// The first of some slots whose owner has a greater epoch than this, and its owner (§5.6.7, §8.4).
    pub(crate) fn newer_owner(&self, slots: &SlotSet, epoch: Epoch) -> Option<(Slot, PeerIx)> {
        let parts = slots.runs().flat_map(|run| self.slots.parts(run));
        let mut owners = parts.filter_map(|((first, _), owner)| Some((first, owner?)));
        owners.find(|&(_, owner)| self.table.peer(owner).config_epoch > epoch)
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
        let my_shard = self.slot_speaker(self.myself);
        let mut rebound = Rebound::default();
        let mut taken = SlotSet::default();
        let wanted = claimed.without(&self.table.peer(claimer).slots);
        for ((first, last), owner) in wanted.runs().flat_map(|run| self.slots.parts(run)) {
            if owner.is_some_and(|owner| self.table.peer(owner).config_epoch >= epoch) {
                continue;
            }
            let mine = owner == Some(self.myself);
            let from_my_shard = owner.is_some() && owner == my_shard;
            if !mine && self.slots.importing.is_empty() {
                let slots = first.up_to(last).len() as u16;
                rebound.from_my_shard += if from_my_shard { slots } else { 0 };
                taken.insert_run(first, last);
                continue;
            }
            for slot in first.up_to(last) {
                if self.slots.importing.contains_key(&slot) {
                    continue;
                }
                if mine && has_keys(slot) {
                    rebound.dirty.push(slot);
                }
                rebound.from_my_shard += u16::from(from_my_shard);
                taken.insert(slot);
            }
        }
        if !taken.is_empty() {
            self.take_slots(&taken, claimer);
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
            let foreign = packet.slots.without(&self.bus.table.peer(sender).slots);
            if let Some((_, owner)) = self.bus.newer_owner(&foreign, packet.config_epoch) {
                self.correct_claim(ctx, sender, owner);
            }
        }
        let mine = self.bus.table.peer(self.bus.myself).config_epoch;
        // An old packet may carry an epoch that its sender has left behind.
        let theirs = self.bus.table.peer(sender).config_epoch;
        let collides = packet.config_epoch == mine && theirs == mine;
        if self.bus.is_master() && is_master && collides {
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
        let my_shard = self.bus.slot_speaker(self.bus.myself);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::flags::Flags;
    use crate::node::lab::{Lab, id, share, slot};
    use crate::node::packet::MessageType;

    fn claim(
        lab: &mut Lab,
        by: usize,
        epoch: u64,
        slots: impl IntoIterator<Item = u16>,
    ) -> Box<Packet> {
        let mut ping = lab.message(by, MessageType::Ping);
        ping.config_epoch = Epoch(epoch);
        ping.slots = Arc::new(slots.into_iter().map(slot).collect());
        ping
    }

    fn owner(lab: &mut Lab, at: usize, number: u16) -> Option<usize> {
        let owner = lab.node(at).bus.slots.owner(slot(number))?;
        (0..9).find(|&node| lab.find(at, node) == Some(owner))
    }

    #[test]
    fn a_slot_goes_to_a_greater_epoch_but_not_to_an_equal_one_5_8_3() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        lab.forget_records();
        let third = lab.peer(0, 2);
        lab.node(0).bus.table.peer_mut(third).config_epoch = Epoch(7);
        let ping = claim(&mut lab, 1, 7, [1, 2, 12_000]);
        lab.hear(0, 1, &ping);
        assert_eq!(owner(&mut lab, 0, 1), Some(1));
        assert_eq!(owner(&mut lab, 0, 12_000), Some(2), "an equal epoch does not win");
        assert!(lab.saves.contains(&(0, true)));
    }

    #[test]
    fn an_unassigned_slot_goes_to_whoever_claims_it_5_8_3() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        lab.node(0).bus.del_slot(slot(12_000));
        let ping = claim(&mut lab, 1, 0, [12_000]);
        lab.hear(0, 1, &ping);
        assert_eq!(owner(&mut lab, 0, 12_000), Some(1));
    }

    #[test]
    fn a_slot_that_is_not_claimed_any_more_stays_5_8_3() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let ping = claim(&mut lab, 1, 9, [6_000]);
        lab.hear(0, 1, &ping);
        assert_eq!(owner(&mut lab, 0, 6_001), Some(1));
    }

    #[test]
    fn a_slot_that_i_import_is_never_rebound_5_8_3() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let from = lab.peer(0, 2);
        lab.node(0).bus.slots.importing.insert(slot(12_000), from);
        let ping = claim(&mut lab, 1, 9, [12_000, 12_001]);
        lab.hear(0, 1, &ping);
        assert_eq!(owner(&mut lab, 0, 12_000), Some(2));
        assert_eq!(owner(&mut lab, 0, 12_001), Some(1));
    }

    #[test]
    fn a_master_that_loses_its_last_slot_follows_the_winner_5_8_5() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let winner = lab.peer(0, 1);
        let mut ping = claim(&mut lab, 1, 9, []);
        ping.slots = share(0, 3);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.my_master(), Some(winner));
        assert!(lab.node(0).bus.table.flags(winner).any(Flags::MIGRATE_TO));
        let text = format!(
            "Configuration change detected. Reconfiguring myself as a replica of {}",
            id(1)
        );
        assert!(lab.logged(0, &text));
    }

    #[test]
    fn a_replica_follows_who_takes_its_masters_last_slot_5_8_5() {
        let mut lab = Lab::formed(2, 2, 3_000);
        lab.run(300);
        let (old, winner) = (lab.peer(2, 0), lab.peer(2, 1));
        let mut ping = claim(&mut lab, 1, 9, []);
        ping.slots = share(0, 2);
        lab.hear(2, 1, &ping);
        assert_eq!(lab.node(2).bus.my_master(), Some(winner));
        assert!(lab.node(2).bus.table.replicas(old).is_empty());
    }

    #[test]
    fn without_replica_migration_only_an_heir_of_nothing_else_is_followed_5_8_5() {
        for (extra, follows) in [(None, true), (Some(16_000), false)] {
            let mut lab = Lab::formed(3, 0, 3_000);
            lab.run(300);
            lab.node(0).config.allow_replica_migration = false;
            let mut ping = claim(&mut lab, 1, 9, []);
            ping.slots = Arc::new(share(0, 3).iter().chain(extra.map(slot)).collect());
            lab.hear(0, 1, &ping);
            assert_eq!(!lab.node(0).bus.is_master(), follows);
        }
    }

    #[test]
    fn a_master_that_keeps_slots_stays_a_master_5_8_5() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let ping = claim(&mut lab, 1, 9, 0..5_000);
        lab.hear(0, 1, &ping);
        assert!(lab.node(0).bus.is_master());
    }

    #[test]
    fn news_about_myself_is_discarded_5_8_1() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let mut update = lab.message(1, MessageType::Update);
        let node = lab.ids.intern(id(0));
        let slots = Arc::default();
        update.body = Body::Update { node, config_epoch: Epoch(9), slots };
        lab.hear(0, 1, &update);
        assert!(lab.logged(0, "Discarding UPDATE message about myself."));
    }

    #[test]
    fn an_update_counts_if_its_epoch_is_greater_5_10() {
        for (epoch, counts) in [(2, false), (3, true)] {
            let mut lab = Lab::formed(2, 1, 3_000);
            lab.run(300);
            let mut update = lab.message(1, MessageType::Update);
            let node = lab.ids.intern(id(1));
            let slots = Arc::new([slot(5)].into_iter().collect());
            update.body = Body::Update { node, config_epoch: Epoch(epoch), slots };
            lab.hear(0, 1, &update);
            let expected = if counts { 1 } else { 0 };
            assert_eq!(owner(&mut lab, 0, 5), Some(expected));
        }
    }

    #[test]
    fn an_update_makes_a_replica_a_master_5_10() {
        let mut lab = Lab::formed(2, 1, 3_000);
        lab.run(300);
        let promoted = lab.peer(1, 2);
        let mut update = lab.message(0, MessageType::Update);
        let node = lab.ids.intern(id(2));
        update.body = Body::Update { node, config_epoch: Epoch(9), slots: share(0, 2) };
        lab.hear(1, 0, &update);
        assert!(lab.node(1).bus.table.flags(promoted).is_master());
        assert_eq!(owner(&mut lab, 1, 5), Some(2));
    }

    #[test]
    fn an_update_from_or_about_a_stranger_is_ignored_5_10() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        let stranger = lab.ids.intern(id(77));
        for (from, about) in [(id(77), id(1)), (id(2), id(77))] {
            let mut update = lab.message(1, MessageType::Update);
            update.sender = lab.ids.intern(from);
            let node = lab.ids.intern(about);
            update.body = Body::Update { node, config_epoch: Epoch(9), slots: share(0, 3) };
            lab.hear(0, 1, &update);
        }
        assert_eq!(lab.node(0).bus.table.find(stranger), None);
        assert!(lab.node(0).bus.is_master());
    }

    #[test]
    fn old_claims_are_answered_with_one_update_5_6_7() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        lab.forget_records();
        let ping = claim(&mut lab, 1, 2, [6_000, 11_000, 16_000, 100]);
        let third = lab.peer(0, 2);
        lab.node(0).bus.table.peer_mut(third).config_epoch = Epoch(8);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.count(0, 1, MessageType::Update), 1);
        let text = format!(
            "Node {} has old slots configuration, sending an UPDATE message about {}",
            id(1),
            id(2)
        );
        assert!(lab.logged(0, &text));
        let update = lab.sent.iter().find(|sent| sent.packet.kind == MessageType::Update);
        let Body::Update { config_epoch, slots, .. } = &update.unwrap().packet.body else {
            panic!("an UPDATE says what a node owns")
        };
        assert_eq!((*config_epoch, slots.len()), (Epoch(8), share(2, 3).len()));
    }

    #[test]
    fn a_replica_that_claims_old_slots_is_told_but_takes_none_5_6_5_5_6_7() {
        let mut lab = Lab::formed(3, 3, 3_000);
        lab.run(300);
        lab.forget_records();
        let third = lab.peer(0, 2);
        lab.node(0).bus.table.peer_mut(third).config_epoch = Epoch(8);
        let ping = claim(&mut lab, 4, 7, [6_000, 11_000]);
        lab.hear(0, 4, &ping);
        assert_eq!(owner(&mut lab, 0, 11_000), Some(2), "a replica binds nothing (§5.6.6)");
        assert_eq!(lab.count(0, 4, MessageType::Update), 1);
        let ping = claim(&mut lab, 4, 7, share(1, 3).iter().map(Slot::number));
        lab.hear(0, 4, &ping);
        assert_eq!(lab.count(0, 4, MessageType::Update), 1, "it speaks as its master does");
    }

    #[test]
    fn two_masters_of_one_epoch_collide_and_a_replica_does_not_5_6_8() {
        for (speaker, collides) in [(1, true), (4, false)] {
            let mut lab = Lab::formed(3, 3, 3_000);
            lab.run(300);
            let me = lab.node(0).bus.myself;
            let peer = lab.peer(0, speaker);
            lab.node(0).bus.table.peer_mut(me).config_epoch = Epoch(2);
            lab.node(0).bus.table.peer_mut(peer).config_epoch = Epoch(2);
            let mut ping = lab.message(speaker, MessageType::Ping);
            ping.config_epoch = Epoch(2);
            lab.hear(0, speaker, &ping);
            let mine = lab.node(0).bus.table.peer(me).config_epoch;
            assert_eq!(mine, if collides { Epoch(4) } else { Epoch(2) });
        }
    }

    #[test]
    fn an_epoch_that_its_sender_has_left_behind_does_not_collide_5_11() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(300);
        let (me, peer) = (lab.node(0).bus.myself, lab.peer(0, 1));
        lab.node(0).bus.table.peer_mut(me).config_epoch = Epoch(2);
        lab.node(0).bus.table.peer_mut(peer).config_epoch = Epoch(5);
        lab.forget_records();
        let mut ping = lab.message(1, MessageType::Ping);
        ping.config_epoch = Epoch(2);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).bus.table.peer(me).config_epoch, Epoch(2));
        assert!(lab.saves.iter().all(|(node, _)| *node != 0));
    }

    #[test]
    fn my_shard_is_that_of_the_time_before_the_claim_5_8_2() {
        let mut lab = Lab::formed(2, 2, 3_000);
        lab.run(300);
        let winner = lab.peer(2, 1);
        // A replica's shard is its master: slots of others are none of its business.
        let ping = claim(&mut lab, 1, 9, (0..8_191).chain(8_192..16_384));
        lab.hear(2, 1, &ping);
        assert_ne!(lab.node(2).bus.my_master(), Some(winner), "one slot is left");
        let ping = claim(&mut lab, 1, 9, 0..16_384);
        lab.hear(2, 1, &ping);
        assert_eq!(lab.node(2).bus.my_master(), Some(winner));
    }

    #[test]
    fn keys_of_lost_slots_are_deleted_5_8_6() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(300);
        for key in ["{06S}a", "{06S}b", "{foo}c"] {
            lab.node(0).keys.insert_string(key.as_bytes(), b"");
        }
        let ping = claim(&mut lab, 1, 9, [0]);
        lab.hear(0, 1, &ping);
        assert_eq!(lab.node(0).keys.count_in_slot(slot(0)), 0);
        assert_eq!(lab.node(0).keys.len(), 1, "other keys stay");
    }
}
