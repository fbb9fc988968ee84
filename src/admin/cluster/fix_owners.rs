//! Taking ownership of a slot, and repairing a slot with several owners (cli §12.4, cli §12.5).

use super::move_slot::{Manner, Move};
use super::{Host, Manager, MemberIx, Stop};
use crate::resp::{Reply, args};
use crate::slot::Slot;

/// The place of ADDSLOTS in the transaction: the only command whose failure counts.
const ADDSLOTS: usize = 1;

impl<H: Host> Manager<'_, H> {
    /// Makes one of several owners the only one. Fails if the others hold keys: their slot is not
    /// open, so they redirect MIGRATE to the new owner.
    pub(super) async fn fix_owners(&mut self, slot: Slot, owners: &[MemberIx]) -> Result<(), Stop> {
        self.info(format_args!(">>> Fixing multiple owners for slot {slot}...\n"));
        let owner = self.with_most_keys(owners, slot).await.unwrap_or(owners[0]);
        let address = self[owner].address.clone();
        self.info(format_args!(">>> Setting slot {slot} owner: {address}\n"));
        self.take_ownership(owner, slot, false).await?;
        let mut outcome = Err(Stop::Failed);
        for node in self.masters().into_iter().filter(|&node| node != owner) {
            let count = self.count_keys(node, slot).await?;
            // A refusal is printed, but changes nothing.
            let _ = self.delete_slot(node, slot).await;
            self.expect_set_slot(node, slot, "node", owner).await?;
            if count > 0 {
                let manner = Manner::FixKeysOnly;
                self.move_slot(Move { source: node, target: owner, slot, manner }).await?;
            }
            outcome = Ok(());
        }
        outcome
    }

    /// The first master with the most keys of a slot.
    pub(super) async fn with_most_keys(
        &mut self,
        nodes: &[MemberIx],
        slot: Slot,
    ) -> Option<MemberIx> {
        let mut best = None;
        for &node in nodes {
            if self[node].flags.slave || self[node].master.is_some() {
                continue;
            }
            let count = self.count_keys(node, slot).await.ok()?;
            if best.is_none_or(|(most, _)| count > most) {
                best = Some((count, node));
            }
        }
        best.map(|(_, node)| node)
    }

    /// Gives a slot to a node in one transaction.
    pub(super) async fn take_ownership(
        &mut self,
        owner: MemberIx,
        slot: Slot,
        close: bool,
    ) -> Result<(), Stop> {
        self.demand(owner, args(["MULTI"])).await?;
        // Inside the transaction refusals are printed and otherwise ignored.
        let _ = self.delete_slot(owner, slot).await;
        let _ = self.demand(owner, args(["CLUSTER", "ADDSLOTS", &slot.to_string()])).await;
        if close {
            let _ = self.set_stable(owner, slot).await;
        }
        let _ = self.bump_epoch(owner).await;
        let Reply::Array(replies) = self.demand(owner, args(["EXEC"])).await? else {
            return Err(Stop::Failed);
        };
        match replies.into_iter().nth(ADDSLOTS) {
            Some(Reply::Error(error)) => {
                self.print_reply_error(owner, &error);
                Err(Stop::Failed)
            }
            _ => Ok(()),
        }
    }

    /// `CLUSTER DELSLOTS`, which may fail if the node then knows no owner of the slot.
    pub(super) async fn delete_slot(&mut self, node: MemberIx, slot: Slot) -> Result<(), Stop> {
        match self.ask(node, args(["CLUSTER", "DELSLOTS", &slot.to_string()])).await {
            Some(Reply::Error(error)) => {
                if !self.is_served(node, slot).await {
                    return Ok(());
                }
                self.print_reply_error(node, &error);
                Err(Stop::Failed)
            }
            Some(_) => Ok(()),
            None => Err(Stop::Failed),
        }
    }

    /// `CLUSTER SETSLOT <slot> STABLE`
    pub(super) async fn set_stable(&mut self, node: MemberIx, slot: Slot) -> Result<(), Stop> {
        let command = args(["CLUSTER", "SETSLOT", &slot.to_string(), "STABLE"]);
        self.demand(node, command).await.map(drop)
    }

    /// `CLUSTER BUMPEPOCH`
    pub(super) async fn bump_epoch(&mut self, node: MemberIx) -> Result<(), Stop> {
        self.demand(node, args(["CLUSTER", "BUMPEPOCH"])).await.map(drop)
    }
}
