//! The cluster check: do the nodes agree, are slots open, are all slots covered (cli §4)?
//!
//! `fix` is the same check with repairs in between; the result of the last repair is its result.

use super::hash_order::HashOrdered;
use super::load::text_of;
use super::model::{NodesLine, OpenSlot, nodes_lines, slot_number};
use super::{Host, Manager, MemberIx, REFERENCE, Stop};
use crate::admin::numbers::atoi;
use crate::resp::{Reply, args};
use crate::slot::{SLOTS, Slot, SlotSet};

impl<H: Host> Manager<'_, H> {
    /// Checks the loaded cluster; fails if anything is wrong and was not repaired.
    pub(super) async fn check_cluster(&mut self, list_nodes: bool) -> Result<(), Stop> {
        let address = self[REFERENCE].address.clone();
        self.info(format_args!(">>> Performing Cluster Check (using node {address})\n"));
        if list_nodes {
            self.show_nodes();
        }
        let mut result = self.check_agreement().await;
        if let Some(outcome) = self.check_open_slots().await? {
            result = outcome;
        }
        if let Some(outcome) = self.check_coverage().await? {
            result = outcome;
        }
        if self.options.search_multiple_owners
            && let Some(outcome) = self.check_owners().await?
        {
            result = outcome;
        }
        result.into_result()
    }

    pub(super) fn show_nodes(&mut self) {
        for node in self.all() {
            let text = self[node].describe(0);
            self.say(text + "\n");
        }
    }

    async fn check_agreement(&mut self) -> Verdict {
        if self.nodes_agree().await {
            self.success("[OK] All nodes agree about slots configuration.\n");
            return Verdict::Good;
        }
        self.count_error("[ERR] Nodes don't agree about configuration!");
        Verdict::Bad
    }

    /// Whether all nodes have the same picture of who owns which slot (cli §3.6).
    pub(super) async fn nodes_agree(&mut self) -> bool {
        if self.nodes.len() <= 1 {
            return true;
        }
        let mut first = None;
        for node in self.all() {
            let Some(signature) = self.signature(node).await else { return false };
            if *first.get_or_insert_with(|| signature.clone()) != signature {
                return false;
            }
        }
        true
    }

    /// A node's picture of the slots as one text; none if it has no picture.
    async fn signature(&mut self, node: MemberIx) -> Option<String> {
        let reply = self.ask(node, args(["CLUSTER", "NODES"])).await?;
        if reply.error().is_some() {
            return None;
        }
        let mut owners: Vec<String> =
            nodes_lines(text_of(&reply)).filter_map(slots_owned).collect();
        owners.sort_unstable();
        (!owners.is_empty()).then(|| owners.join("|"))
    }

    /// Prints which slots are open and repairs them if that is wanted. No verdict if none is open.
    async fn check_open_slots(&mut self) -> Result<Option<Verdict>, Stop> {
        self.info(">>> Check for open slots...\n");
        let mut open = HashOrdered::new();
        for node in self.all() {
            for state in ["migrating", "importing"] {
                let member = &self[node];
                let list = if state == "migrating" { &member.migrating } else { &member.importing };
                if list.is_empty() {
                    continue;
                }
                for entry in list {
                    open.insert(&entry.slot.to_string(), ());
                }
                let (address, slots) = (&member.address, slot_list(list));
                let message =
                    format!("[WARNING] Node {address} has slots in {state} state {slots}.");
                self.count_error(message);
            }
        }
        if open.len() == 0 {
            return Ok(None);
        }
        let slots: Vec<&str> = open.iter().map(|(slot, ())| slot).collect();
        self.error(format_args!("[WARNING] The following slots are open: {}.\n", slots.join(",")));
        let mut verdict = Verdict::Bad;
        if self.fixing {
            for slot in slots.iter().filter_map(|text| slot_number(atoi(text))) {
                verdict = Verdict::of(self.fix_open_slot(slot).await)?;
                if verdict == Verdict::Bad {
                    break;
                }
            }
        }
        Ok(Some(verdict))
    }

    /// Prints whether all slots are covered and repairs that if it is wanted. No verdict if they
    /// are.
    async fn check_coverage(&mut self) -> Result<Option<Verdict>, Stop> {
        self.info(">>> Check slots coverage...\n");
        let covered: SlotSet = self.nodes.iter().flat_map(|node| node.slots.iter()).collect();
        if covered.len() == SLOTS {
            self.success(format_args!("[OK] All {SLOTS} slots covered.\n"));
            return Ok(None);
        }
        self.count_error(format_args!("[ERR] Not all {SLOTS} slots are covered by nodes.\n"));
        if self.fixing && self.fix_coverage(&covered).await? {
            return Ok(Some(Verdict::Good));
        }
        Ok(Some(Verdict::Bad))
    }

    /// Looks for slots with several owners; whoever holds keys of a slot counts as an owner.
    async fn check_owners(&mut self) -> Result<Option<Verdict>, Stop> {
        self.info(">>> Check for multiple slot owners...\n");
        let mut verdict = None;
        let mut unresolved = 0;
        for slot in Slot::all() {
            let owners = self.owners(slot).await;
            if owners.len() <= 1 {
                continue;
            }
            verdict = Some(Verdict::Bad);
            unresolved += 1;
            self.show_owners(slot, &owners);
            if self.fixing {
                let outcome = Verdict::of(self.fix_owners(slot, &owners).await)?;
                verdict = Some(outcome);
                if outcome == Verdict::Bad {
                    self.error(format_args!("Failed to fix multiple owners for slot {slot}\n"));
                    break;
                }
                unresolved -= 1;
            }
        }
        if unresolved == 0 {
            self.success("[OK] No multiple owners found.\n");
        }
        Ok(verdict)
    }

    async fn owners(&mut self, slot: Slot) -> Vec<MemberIx> {
        let mut owners = Vec::new();
        for node in self.masters() {
            if self[node].slots.contains(slot) || self.count_keys(node, slot).await.unwrap_or(0) > 0
            {
                owners.push(node);
            }
        }
        owners
    }

    fn show_owners(&mut self, slot: Slot, owners: &[MemberIx]) {
        self.error(format_args!("[WARNING] Slot {slot} has {} owners:\n", owners.len()));
        for &owner in owners {
            let address = self[owner].address.clone();
            self.error(format_args!("    {address}\n"));
        }
    }

    /// How many keys of a slot a node has.
    pub(super) async fn count_keys(&mut self, node: MemberIx, slot: Slot) -> Result<i64, Stop> {
        let command = args(["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]);
        match self.demand(node, command).await? {
            Reply::Int(count) => Ok(count),
            _ => Err(Stop::Failed),
        }
    }
}

/// What a part of the check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
}

impl Verdict {
    /// A repair that failed is a bad verdict; everything else that stops the tool stops the check.
    fn of(outcome: Result<(), Stop>) -> Result<Verdict, Stop> {
        match outcome {
            Ok(()) => Ok(Verdict::Good),
            Err(Stop::Failed) => Ok(Verdict::Bad),
            Err(stop) => Err(stop),
        }
    }

    fn into_result(self) -> Result<(), Stop> {
        match self {
            Verdict::Good => Ok(()),
            Verdict::Bad => Err(Stop::Failed),
        }
    }
}

/// `<id>:<columns>` of a line with slots, without the open ones.
fn slots_owned(line: NodesLine<'_>) -> Option<String> {
    let mut columns: Vec<&str> = line
        .slots
        .split(' ')
        .filter(|column| !column.is_empty() && !column.starts_with('['))
        .collect();
    columns.sort_unstable();
    (!columns.is_empty()).then(|| format!("{}:{}", line.name, columns.join(",")))
}

fn slot_list(open: &[OpenSlot]) -> String {
    let slots: Vec<String> = open.iter().map(|entry| entry.slot.to_string()).collect();
    slots.join(",")
}
