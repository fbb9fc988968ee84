//! Repairing a slot that is being moved, or says so (cli §12.2).

use super::model::OpenSlot;
use super::move_slot::{Manner, Move};
use super::{Host, Manager, MemberIx, REFERENCE, Stop};
use crate::resp::{Reply, args};
use crate::slot::Slot;

/// What the nodes say of an open slot.
struct OpenState {
    slot: Slot,
    /// Who owns it by its own account, or holds keys of it.
    owners: Vec<MemberIx>,
    migrating: Vec<MemberIx>,
    /// Who imports it, or holds keys of it without any right to.
    importing: Vec<MemberIx>,
    /// The two lists as they were at first, for the messages.
    migrating_text: String,
    importing_text: String,
}

impl<H: Host> Manager<'_, H> {
    pub(super) async fn fix_open_slot(&mut self, slot: Slot) -> Result<(), Stop> {
        self.refuse_danger("open slots")?;
        self.info(format_args!(">>> Fixing open slot {slot}\n"));
        let owners = self.potential_owners(slot).await?;
        let clear_owner = if let [owner] = owners.as_slice() { Some(*owner) } else { None };
        let mut state = self.survey(slot, owners, clear_owner).await?;
        for (text, list) in
            [("migrating", &state.migrating_text), ("importing", &state.importing_text)]
        {
            if !list.is_empty() {
                self.say(format!("Set as {text} in: {list}\n"));
            }
        }
        let owner = match clear_owner {
            Some(owner) => owner,
            None => self.choose_owner(&mut state).await?,
        };
        self.demote_other_owners(&mut state, owner).await?;
        self.close(&state, owner).await
    }

    async fn potential_owners(&mut self, slot: Slot) -> Result<Vec<MemberIx>, Stop> {
        let mut owners = Vec::new();
        for node in self.masters() {
            if self[node].slots.contains(slot) {
                owners.push(node);
            } else if self.expect_count(node, slot).await? > 0 {
                let address = self[node].address.clone();
                self.warn(format_args!(
                    "*** Found keys about slot {slot} in non-owner node {address}!\n"
                ));
                owners.push(node);
            }
        }
        Ok(owners)
    }

    /// Who migrates the slot, who imports it, and who else holds keys of it?
    async fn survey(
        &mut self,
        slot: Slot,
        owners: Vec<MemberIx>,
        clear_owner: Option<MemberIx>,
    ) -> Result<OpenState, Stop> {
        let (mut migrating, mut importing) = (Vec::new(), Vec::new());
        let (mut migrating_names, mut importing_names) = (Vec::new(), Vec::new());
        for node in self.masters() {
            let name = self[node].address.to_string();
            if find(&self[node].migrating, slot).is_some() {
                migrating.push(node);
                migrating_names.push(name);
            } else if find(&self[node].importing, slot).is_some() {
                importing.push(node);
                importing_names.push(name);
            } else if Some(node) != clear_owner && self.expect_count(node, slot).await? > 0 {
                self.warn(format_args!("*** Found keys about slot {slot} in node {name}!\n"));
                importing.push(node);
                // The real tool prints the host of the reference node from a wrong place.
                let port = self[node].address.port;
                importing_names.push(if node == REFERENCE { format!(":{port}") } else { name });
            }
        }
        let (migrating_text, importing_text) =
            (migrating_names.join(","), importing_names.join(","));
        Ok(OpenState { slot, owners, migrating, importing, migrating_text, importing_text })
    }

    /// How many keys of the slot a node has; an answer that is no number counts as none.
    async fn expect_count(&mut self, node: MemberIx, slot: Slot) -> Result<i64, Stop> {
        let command = args(["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]);
        match self.demand(node, command).await? {
            Reply::Int(count) => Ok(count),
            _ => Ok(0),
        }
    }

    /// Without a single clear owner, the node with most keys becomes the owner.
    async fn choose_owner(&mut self, state: &mut OpenState) -> Result<MemberIx, Stop> {
        let slot = state.slot;
        self.info(">>> No single clear owner for the slot, selecting an owner by # of keys...\n");
        let all: Vec<MemberIx> = self.all().collect();
        let Some(owner) = self.with_most_keys(&all, slot).await else {
            self.error("[ERR] Can't select a slot owner. Impossible to fix.\n");
            return Err(Stop::Failed);
        };
        let address = self[owner].address.clone();
        self.warn(format_args!("*** Configuring {address} as the slot owner\n"));
        self.set_stable(owner, slot).await?;
        self.take_ownership(owner, slot, false).await?;
        self[owner].slots.insert(slot);
        self.bump_epoch(owner).await?;
        state.migrating.retain(|&node| node != owner);
        state.importing.retain(|&node| node != owner);
        Ok(owner)
    }

    /// Of several owners all but one are made importing nodes.
    async fn demote_other_owners(
        &mut self,
        state: &mut OpenState,
        owner: MemberIx,
    ) -> Result<(), Stop> {
        if state.owners.len() <= 1 {
            return Ok(());
        }
        let slot = state.slot;
        for node in state.owners.clone().into_iter().filter(|&node| node != owner) {
            self.delete_slot(node, slot).await?;
            self[node].slots.remove(slot);
            self.expect_set_slot(node, slot, "node", owner).await?;
            self.expect_set_slot(node, slot, "importing", owner).await?;
            state.importing.retain(|&importing| importing != node);
            state.importing.push(node);
            state.migrating.retain(|&migrating| migrating != node);
        }
        Ok(())
    }

    async fn close(&mut self, state: &OpenState, owner: MemberIx) -> Result<(), Stop> {
        match (state.migrating.as_slice(), state.importing.as_slice()) {
            (&[source], &[target]) => self.finish_move(state.slot, source, target).await,
            ([], [_, ..]) => self.move_all_to_owner(state, owner).await,
            (&[source], [_, _, ..]) => self.close_many_importing(state, owner, source).await,
            (&[source], []) => self.close_migrating(state, owner, source).await,
            _ => self.cannot_fix(state, owner),
        }
    }

    /// Case 1: one side migrates, the other imports. The move is carried to its end.
    async fn finish_move(
        &mut self,
        slot: Slot,
        source: MemberIx,
        target: MemberIx,
    ) -> Result<(), Stop> {
        let (from, to) = (self[source].address.clone(), self[target].address.clone());
        self.info(format_args!(">>> Case 1: Moving slot {slot} from {from} to {to}\n"));
        let step = Move { source, target, slot, manner: Manner::Fix };
        self.move_slot(step).await?;
        self.note_moved(step);
        Ok(())
    }

    /// Case 2: nobody migrates. All keys go to the owner.
    async fn move_all_to_owner(&mut self, state: &OpenState, owner: MemberIx) -> Result<(), Stop> {
        let slot = state.slot;
        let address = self[owner].address.clone();
        self.info(format_args!(
            ">>> Case 2: Moving all the {slot} slot keys to its owner {address}\n"
        ));
        for &node in state.importing.iter().filter(|&&node| node != owner) {
            let manner = Manner::FixKeysOnly;
            self.move_slot(Move { source: node, target: owner, slot, manner }).await?;
            let address = self[node].address.clone();
            self.info(format_args!(">>> Setting {slot} as STABLE in {address}\n"));
            self.set_stable(node, slot).await?;
        }
        for node in self.masters().into_iter().filter(|&node| node != owner) {
            self.expect_set_slot(node, slot, "NODE", owner).await?;
        }
        Ok(())
    }

    /// Case 3: one migrates, several import. If none of those has keys, the right one gets the
    /// slot, or nobody.
    async fn close_many_importing(
        &mut self,
        state: &OpenState,
        owner: MemberIx,
        source: MemberIx,
    ) -> Result<(), Stop> {
        let slot = state.slot;
        let destination = find(&self[source].migrating, slot).map(|open| open.other.clone());
        let mut target = None;
        for &node in &state.importing {
            if self.count_keys(node, slot).await.unwrap_or(0) > 0 {
                return self.cannot_fix(state, owner);
            }
            if Some(&self[node].name) == destination.as_ref() {
                target = Some(node);
            }
        }
        if let Some(target) = target {
            let (from, to) = (self[source].address.clone(), self[target].address.clone());
            self.info(format_args!(
                ">>> Case 3: Moving slot {slot} from {from} to {to} and closing it on all the other \
                 importing nodes.\n"
            ));
            self.move_slot(Move { source, target, slot, manner: Manner::Fix }).await?;
        } else {
            self.info(format_args!(
                ">>> Case 3: Closing slot {slot} on both migrating and importing nodes.\n"
            ));
            self.set_stable(source, slot).await?;
        }
        for &node in state.importing.iter().filter(|&&node| Some(node) != target) {
            self.set_stable(node, slot).await?;
        }
        Ok(())
    }

    /// Case 4: one migrates and nobody imports. The slot is closed if that loses no keys.
    async fn close_migrating(
        &mut self,
        state: &OpenState,
        owner: MemberIx,
        source: MemberIx,
    ) -> Result<(), Stop> {
        let slot = state.slot;
        if owner != source {
            let command = args(["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "10"]);
            if matches!(self.demand(source, command).await?, Reply::Array(keys) if !keys.is_empty())
            {
                return self.cannot_fix(state, owner);
            }
        }
        let address = self[source].address.clone();
        self.info(format_args!(">>> Case 4: Closing slot {slot} on {address}\n"));
        self.set_stable(source, slot).await
    }

    fn cannot_fix(&mut self, state: &OpenState, owner: MemberIx) -> Result<(), Stop> {
        let (migrating, importing) = (&state.migrating_text, &state.importing_text);
        let address = self[owner].address.clone();
        self.error(format_args!(
            "[ERR] Sorry, redis-cli can't fix this slot yet (work in progress). Slot is set as \
             migrating in {migrating}, as importing in {importing}, owner is {address}\n"
        ));
        Err(Stop::Failed)
    }
}

fn find(list: &[OpenSlot], slot: Slot) -> Option<&OpenSlot> {
    list.iter().find(|open| open.slot == slot)
}
