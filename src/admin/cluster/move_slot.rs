//! Moving one slot with its keys: the step that reshard, rebalance and fix share (8).

use super::load::text_of;
use super::{Host, Manager, MemberIx, Stop};
use crate::resp::{Reply, args};
use crate::slot::Slot;

/// How a slot is moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) source: MemberIx,
    pub(super) target: MemberIx,
    pub(super) slot: Slot,
    pub(super) manner: Manner,
}

/// Who moves the slot, which decides what is printed and what else is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// A dot for each key. Refusals to open the slot are swallowed, other refusals are printed (cli §8.4).
    Reshard,
    /// No word but the refusals to open the slot (cli §8.4).
    Rebalance,
    /// A dot for each key; refusals as in a rebalance.
    Fix,
    /// As in a repair, but only the keys move: the slot is neither opened nor given away.
    FixKeysOnly,
}

impl Manner {
    fn is_quiet(self) -> bool {
        self == Manner::Rebalance
    }
}

/// A reply to GETKEYSINSLOT.
type Keys = Vec<Vec<u8>>;

impl<H: Host> Manager<'_, H> {
    /// Moves a slot. What went wrong was printed, or is swallowed where the real tool does so.
    pub(super) async fn move_slot(&mut self, step: Move) -> Result<(), Stop> {
        let Move { source, target, slot, manner } = step;
        if !manner.is_quiet() {
            let (from, to) = (&self[source].address, &self[target].address);
            let text = format!("Moving slot {slot} from {from} to {to}: ");
            self.say(text);
        }
        if manner != Manner::FixKeysOnly {
            self.open_slot(target, "importing", source, step).await?;
            self.open_slot(source, "migrating", target, step).await?;
        }
        let moved = self.move_keys(step).await;
        if !manner.is_quiet() {
            self.say("\n");
        }
        moved?;
        if manner != Manner::FixKeysOnly {
            self.assign_slot(step).await?;
        }
        Ok(())
    }

    /// Remembers that a slot was moved. Not every caller does.
    pub(super) fn note_moved(&mut self, step: Move) {
        self[step.source].slots.remove(step.slot);
        self[step.target].slots.insert(step.slot);
    }

    async fn open_slot(
        &mut self,
        node: MemberIx,
        state: &str,
        other: MemberIx,
        step: Move,
    ) -> Result<(), Stop> {
        let reply = self.set_slot(node, step.slot, state, other).await;
        match reply {
            Some(Reply::Error(_)) if step.manner == Manner::Reshard => Err(Stop::Failed),
            reply => self.accept(node, reply).map(drop),
        }
    }

    /// `CLUSTER SETSLOT <slot> <state> <other>`
    async fn set_slot(
        &mut self,
        node: MemberIx,
        slot: Slot,
        state: &str,
        other: MemberIx,
    ) -> Option<Reply> {
        let name = self[other].name.to_string();
        self.ask(node, args(["CLUSTER", "SETSLOT", &slot.to_string(), state, &name])).await
    }

    /// `CLUSTER SETSLOT` that must succeed; an error is printed.
    pub(super) async fn expect_set_slot(
        &mut self,
        node: MemberIx,
        slot: Slot,
        state: &str,
        other: MemberIx,
    ) -> Result<(), Stop> {
        let reply = self.set_slot(node, slot, state, other).await;
        self.accept(node, reply).map(drop)
    }

    /// Tells every master, in list order, who owns the slot now. The target is not told first (cli §8.1).
    async fn assign_slot(&mut self, step: Move) -> Result<(), Stop> {
        for node in self.masters() {
            match self.set_slot(node, step.slot, "node", step.target).await {
                Some(Reply::Error(text)) => {
                    if step.manner == Manner::Reshard {
                        self.print_reply_error(node, &text);
                    }
                    return Err(Stop::Failed);
                }
                Some(_) => {}
                None => return Err(Stop::Failed),
            }
        }
        Ok(())
    }

    /// Migrates the keys of the slot, batch by batch, until none is left (cli §8.2).
    async fn move_keys(&mut self, step: Move) -> Result<(), Stop> {
        loop {
            let Some(keys) = self.keys_to_move(step).await? else { return Ok(()) };
            match self.migrate(step, &keys, false).await {
                // A lost connection shows at the next request.
                None => continue,
                Some(Reply::Error(error)) => self.deal_with(step, &keys, error).await?,
                Some(_) => {}
            }
            if !step.manner.is_quiet() {
                self.say(".".repeat(keys.len()));
            }
        }
    }

    async fn keys_to_move(&mut self, step: Move) -> Result<Option<Keys>, Stop> {
        let count = self.options.pipeline.to_string();
        let command = args(["CLUSTER", "GETKEYSINSLOT", &step.slot.to_string(), &count]);
        match self.ask(step.source, command).await {
            Some(Reply::Array(keys)) if keys.is_empty() => Ok(None),
            Some(Reply::Array(keys)) => Ok(Some(keys.into_iter().filter_map(key).collect())),
            Some(Reply::Error(error)) if step.manner == Manner::Reshard => {
                self.print_reply_error(step.source, &error);
                Err(Stop::Failed)
            }
            _ => Err(Stop::Failed),
        }
    }

    async fn migrate(&mut self, step: Move, keys: &Keys, replace: bool) -> Option<Reply> {
        let target = self[step.target].address.clone();
        let timeout = self.options.timeout_ms.to_string();
        let mut command =
            args(["MIGRATE", &target.host, &target.port.to_string(), "", "0", &timeout]);
        if replace {
            command.push(b"REPLACE".to_vec());
        }
        command.extend(self.credentials.migrate_words());
        command.push(b"KEYS".to_vec());
        command.extend(keys.iter().cloned());
        self.ask(step.source, command).await
    }

    /// Tries to get over a refused MIGRATE with a second one (cli §8.3).
    async fn deal_with(&mut self, step: Move, keys: &Keys, error: String) -> Result<(), Stop> {
        let busy = error.contains("BUSYKEY");
        if busy {
            self.warn("\n*** Target key exists\n");
            if !self.options.replace {
                self.compare_values(step, keys).await?;
            }
            self.warn("*** Replacing target keys...\n");
        } else if self.is_served(step.source, step.slot).await {
            return self.give_up(step.source, &error);
        } else if self.fixing {
            let address = self[step.target].address.clone();
            self.warn(format_args!("*** Slot was not served, setting owner to node {address}.\n"));
            // A refusal is printed, and the second MIGRATE tried all the same.
            let _ = self.expect_set_slot(step.source, step.slot, "node", step.target).await;
        }
        match self.migrate(step, keys, busy).await {
            None => Err(Stop::Failed),
            Some(Reply::Error(error)) => self.give_up(step.source, &error),
            Some(_) => Ok(()),
        }
    }

    fn give_up(&mut self, source: MemberIx, error: &str) -> Result<(), Stop> {
        self.say("\n");
        self.print_reply_error(source, error);
        Err(Stop::Failed)
    }

    /// Keys that exist on both sides may be replaced only if their values are equal.
    async fn compare_values(&mut self, step: Move, keys: &Keys) -> Result<(), Stop> {
        self.warn("*** Checking key values on both nodes...\n");
        let Ok(different) = self.different_keys(step, keys).await else {
            self.error("*** Value check failed!\n");
            return Err(Stop::Failed);
        };
        if different.is_empty() {
            return Ok(());
        }
        let (source, target) = (&self[step.source].address, &self[step.target].address);
        let message = format!(
            "*** Found {} key(s) in both source node and target node having different values.\n    \
             Source node: {source}\n    Target node: {target}\n    Keys(s):\n",
            different.len()
        );
        self.error(message);
        for key in different {
            self.error(format_args!("    - {}\n", String::from_utf8_lossy(key)));
        }
        self.error(
            "Please fix the above key(s) manually and try again or relaunch the command \n\
             with --cluster-replace option to force key overriding.\n",
        );
        Err(Stop::Failed)
    }

    /// The keys that both sides have with different values.
    async fn different_keys<'k>(
        &mut self,
        step: Move,
        keys: &'k Keys,
    ) -> Result<Vec<&'k Vec<u8>>, Stop> {
        let mut command = args(["DEBUG", "DIGEST-VALUE"]);
        command.extend(keys.iter().cloned());
        // Both are asked before either answer is looked at.
        let here = self.ask(step.source, command.clone()).await.ok_or(Stop::Failed)?;
        let there = self.ask(step.target, command).await.ok_or(Stop::Failed)?;
        let here = self.accept(step.source, Some(here));
        let there = self.accept(step.target, Some(there));
        let (Reply::Array(here), Reply::Array(there)) = (here?, there?) else {
            return Err(Stop::Failed);
        };
        let absent = "0".repeat(40);
        let pairs = here.iter().map(text_of).zip(there.iter().map(text_of));
        let differ =
            |(here, there): (&str, &str)| here != absent && there != absent && here != there;
        Ok(keys.iter().zip(pairs).filter(|(_, pair)| differ(*pair)).map(|(key, _)| key).collect())
    }

    /// Whether a node knows an owner of the slot among the loaded nodes. If it will not say, it is
    /// taken to know one, and its error is printed.
    pub(super) async fn is_served(&mut self, node: MemberIx, slot: Slot) -> bool {
        match self.ask(node, args(["CLUSTER", "SLOTS"])).await {
            Some(Reply::Error(error)) => {
                self.print_reply_error(node, &error);
                true
            }
            Some(Reply::Array(ranges)) => ranges
                .iter()
                .filter_map(|range| owner_in(range, slot))
                .any(|owner| self.by_name(owner).is_some()),
            _ => false,
        }
    }
}

fn key(reply: Reply) -> Option<Vec<u8>> {
    match reply {
        Reply::Bulk(bytes) => Some(bytes),
        _ => None,
    }
}

/// The master's id in a range of CLUSTER SLOTS, if the slot lies in that range.
fn owner_in(range: &Reply, slot: Slot) -> Option<&str> {
    let Reply::Array(fields) = range else { return None };
    let [Reply::Int(first), Reply::Int(last), Reply::Array(master), ..] = fields.as_slice() else {
        return None;
    };
    let inside = (*first..=*last).contains(&i64::from(slot.number()));
    if inside { master.get(2).map(text_of) } else { None }
}
