//! `rebalance`: slots flow from masters with too many to masters with too few (cli §10).

use super::move_slot::{Manner, Move};
use super::plan::Planned;
use super::{Host, Manager, MemberIx, Stop};
use crate::admin::numbers::{atof, to_int};
use crate::slot::SLOTS;

impl<H: Host> Manager<'_, H> {
    /// `rebalance host:port`
    pub(super) async fn rebalance(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(arguments)?;
        self.load(address).await?;
        self.set_weights()?;
        let involved = self.involved_masters();
        let total_weight: f32 = involved.iter().fold(0.0, |sum, &node| sum + self[node].weight);
        match self.check_cluster(false).await {
            Ok(()) | Err(Stop::Failed) => {}
            Err(stop) => return Err(stop),
        }
        if self.errors > 0 {
            self.error("*** Please fix your cluster problems before rebalancing\n");
            return Err(Stop::Failed);
        }
        if !self.set_balances(&involved, total_weight) {
            let threshold = self.options.threshold;
            self.warn(format_args!(
                "*** No rebalancing needed! All nodes are within the {threshold:.2}% threshold.\n"
            ));
            return Ok(());
        }
        self.level_balances(&involved);
        let mut sorted = involved;
        sorted.sort_by_key(|&node| self[node].balance);
        self.info(format_args!(
            ">>> Rebalancing across {} nodes. Total weight = {total_weight:.2}\n",
            sorted.len()
        ));
        if self.verbose {
            for &node in &sorted {
                let line =
                    format!("{} balance is {} slots\n", self[node].address, self[node].balance);
                self.say(line);
            }
        }
        self.flow(&sorted).await
    }

    fn set_weights(&mut self) -> Result<(), Stop> {
        for word in &self.options.weights {
            let (name, weight) = word.split_once('=').unwrap_or((word, ""));
            let Some(node) = self.by_abbreviated_name(name) else {
                self.error(format_args!("*** No such master node {name}\n"));
                return Err(Stop::Failed);
            };
            self[node].weight = atof(weight) as f32;
        }
        Ok(())
    }

    /// The masters that take part. One without slots does so only on demand.
    fn involved_masters(&mut self) -> Vec<MemberIx> {
        let use_empty = self.options.use_empty_masters;
        let mut involved = Vec::new();
        for node in self.masters() {
            if self[node].master.is_some() {
                continue;
            }
            if use_empty || self[node].slot_count > 0 {
                involved.push(node);
            } else {
                self[node].weight = 0.0;
            }
        }
        involved
    }

    /// Computes how many slots each node has too many. Whether anyone is over the threshold.
    fn set_balances(&mut self, involved: &[MemberIx], total_weight: f32) -> bool {
        let threshold = self.options.threshold;
        let mut any_over = false;
        for &node in involved {
            let member = &mut self[node];
            let expected = to_int(f32::from(SLOTS) / total_weight * member.weight);
            // Without any weight the numbers leave their range, as they do in the real tool.
            member.balance = member.slot_count.wrapping_sub(expected);
            let over = if member.slot_count > 0 {
                let share = 100.0 * f64::from(expected) / f64::from(member.slot_count);
                (100.0 - share).abs() as f32 > threshold
            } else {
                expected > 1
            };
            any_over |= threshold > 0.0 && over;
        }
        any_over
    }

    /// Rounding may leave more slots to give than to take: those who take then take one more each,
    /// until the sum is even.
    fn level_balances(&mut self, involved: &[MemberIx]) {
        let balances = involved.iter().map(|&node| self[node].balance);
        let mut surplus = balances.fold(0_i32, i32::wrapping_add);
        while surplus > 0 {
            for &node in involved {
                if surplus > 0 && self[node].balance <= 0 {
                    self[node].balance = self[node].balance.wrapping_sub(1);
                    surplus -= 1;
                }
            }
        }
    }

    /// Moves slots from the end of the sorted list to its start.
    async fn flow(&mut self, sorted: &[MemberIx]) -> Result<(), Stop> {
        let (mut to, mut from) = (0, sorted.len().saturating_sub(1));
        while to < from {
            let (target, source) = (sorted[to], sorted[from]);
            let count =
                self[target].balance.wrapping_abs().min(self[source].balance.wrapping_abs());
            if count > 0 {
                self.move_batch(source, target, count).await?;
            }
            self[target].balance = self[target].balance.wrapping_add(count);
            self[source].balance = self[source].balance.wrapping_sub(count);
            to += usize::from(self[target].balance == 0);
            from -= usize::from(self[source].balance == 0);
        }
        Ok(())
    }

    async fn move_batch(
        &mut self,
        source: MemberIx,
        target: MemberIx,
        count: i32,
    ) -> Result<(), Stop> {
        let (from, to) = (&self[source].address, &self[target].address);
        let line = format!("Moving {count} slots from {from} to {to}\n");
        self.say(line);
        let plan = self.plan(&[source], count);
        if plan.len() != count as usize {
            self.error("*** Assertion failed: Reshard table != number of slots");
            return Err(Stop::Failed);
        }
        for Planned { source, slot } in plan {
            if !self.options.simulate {
                let step = Move { source, target, slot, manner: Manner::Rebalance };
                self.move_slot(step).await?;
                self.note_moved(step);
            }
            self.say("#");
        }
        self.say("\n");
        Ok(())
    }
}
