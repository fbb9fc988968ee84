//! Repairing slots that nobody serves (cli §12.3).

use super::hash_order::HashOrdered;
use super::model::{ranges_text, slot_number};
use super::move_slot::{Manner, Move};
use super::{Host, Manager, MemberIx, Stop};
use crate::admin::numbers::atoi;
use crate::resp::{Reply, args};
use crate::slot::{Slot, SlotSet};

/// An uncovered slot and the nodes that have keys of it.
struct Uncovered {
    slot: Slot,
    holders: Vec<MemberIx>,
}

/// The uncovered slots by how many nodes hold keys of them. Each kind has its own question, which
/// is asked even with `--cluster-yes`.
struct Kinds {
    none: Vec<Uncovered>,
    single: Vec<Uncovered>,
    several: Vec<Uncovered>,
}

impl<H: Host> Manager<'_, H> {
    /// Whether at least one slot was repaired and nothing failed.
    pub(super) async fn fix_coverage(&mut self, covered: &SlotSet) -> Result<bool, Stop> {
        self.refuse_danger("slots coverage")?;
        self.info(">>> Fixing slots coverage...\n");
        match self.cover(covered).await {
            Ok(fixed) => Ok(fixed > 0),
            Err(Stop::Failed) => Ok(false),
            Err(stop) => Err(stop),
        }
    }

    /// Masters that cannot be reached may own what looks lost (cli §12.2 step 0, cli §12.3 step 0).
    pub(super) fn refuse_danger(&mut self, what: &str) -> Result<(), Stop> {
        let count = self.unreachable_masters;
        if count == 0 || self.options.fix_with_unreachable_masters {
            return Ok(());
        }
        self.warn(format_args!(
            "*** Fixing {what} with {count} unreachable masters is dangerous: redis-cli will assume \
             that slots about masters that are not reachable are not covered, and will try to \
             reassign them to the reachable nodes. This can cause data loss and is rarely what you \
             want to do. If you really want to proceed use the \
             --cluster-fix-with-unreachable-masters option.\n"
        ));
        Err(Stop::exit(1))
    }

    async fn cover(&mut self, covered: &SlotSet) -> Result<usize, Stop> {
        let kinds = self.find_uncovered(covered).await?;
        let mut fixed = 0;
        let question = "Fix these slots by covering with a random node?";
        if self.agrees(&kinds.none, "no keys across the cluster", question).await {
            for uncovered in &kinds.none {
                let node = self.random_master().ok_or(Stop::Failed)?;
                self.cover_with(node, uncovered.slot).await?;
                fixed += 1;
            }
        }
        let question = "Fix these slots by covering with those nodes?";
        if self.agrees(&kinds.single, "keys in just one node", question).await {
            for uncovered in &kinds.single {
                self.cover_with(uncovered.holders[0], uncovered.slot).await?;
                fixed += 1;
            }
        }
        let question = "Fix these slots by moving keys into a single node?";
        if self.agrees(&kinds.several, "keys in multiple nodes", question).await {
            for uncovered in &kinds.several {
                self.gather(uncovered).await?;
                fixed += 1;
            }
        }
        Ok(fixed)
    }

    /// Asks every master for keys of every uncovered slot.
    async fn find_uncovered(&mut self, covered: &SlotSet) -> Result<Kinds, Stop> {
        let mut found = HashOrdered::new();
        let masters: Vec<MemberIx> =
            self.masters().into_iter().filter(|&node| self[node].master.is_none()).collect();
        for slot in Slot::all().filter(|&slot| !covered.contains(slot)) {
            let mut holders = Vec::new();
            for &node in &masters {
                let command = args(["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1"]);
                if matches!(self.demand(node, command).await?, Reply::Array(keys) if !keys.is_empty())
                {
                    holders.push(node);
                }
            }
            found.insert(&slot.to_string(), holders);
        }
        let mut kinds = Kinds { none: Vec::new(), single: Vec::new(), several: Vec::new() };
        for (text, holders) in found.iter() {
            let Some(slot) = slot_number(atoi(text)) else { continue };
            let kind = match holders.len() {
                0 => &mut kinds.none,
                1 => &mut kinds.single,
                _ => &mut kinds.several,
            };
            kind.push(Uncovered { slot, holders: holders.clone() });
        }
        Ok(kinds)
    }

    /// Lists the slots of one kind, if there are any, and asks whether to repair them.
    async fn agrees(&mut self, kind: &[Uncovered], have: &str, question: &str) -> bool {
        if kind.is_empty() {
            return false;
        }
        let slots: SlotSet = kind.iter().map(|uncovered| uncovered.slot).collect();
        self.say(format!("The following uncovered slots have {have}:\n{}\n", ranges_text(&slots)));
        self.confirm(question).await
    }

    /// Any master. The draws begin anew at each pick, so all picks within a second are the same
    /// (cli §3.4).
    fn random_master(&mut self) -> Option<MemberIx> {
        let masters = self.masters();
        let count = u32::try_from(masters.len()).ok().filter(|&count| count > 0)?;
        self.host.seed_draws();
        Some(masters[self.host.draw(count) as usize])
    }

    async fn cover_with(&mut self, node: MemberIx, slot: Slot) -> Result<(), Stop> {
        let address = self[node].address.clone();
        self.info(format_args!(">>> Covering slot {slot} with {address}\n"));
        self.take_ownership(node, slot, false).await?;
        self[node].slots.insert(slot);
        Ok(())
    }

    /// Gives a slot to the node with most of its keys, and moves the other keys there.
    async fn gather(&mut self, uncovered: &Uncovered) -> Result<(), Stop> {
        let slot = uncovered.slot;
        let target = self.with_most_keys(&uncovered.holders, slot).await.ok_or(Stop::Failed)?;
        let address = self[target].address.clone();
        self.info(format_args!(">>> Covering slot {slot} moving keys to {address}\n"));
        self.take_ownership(target, slot, true).await?;
        self[target].slots.insert(slot);
        for &source in uncovered.holders.iter().filter(|&&node| node != target) {
            self.expect_set_slot(source, slot, "NODE", target).await?;
            // An importing node serves MIGRATE instead of redirecting it.
            self.expect_set_slot(source, slot, "IMPORTING", target).await?;
            self.move_slot(Move { source, target, slot, manner: Manner::FixKeysOnly }).await?;
            self.set_stable(source, slot).await?;
        }
        Ok(())
    }
}
