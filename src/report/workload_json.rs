//! What became of a workload's writes, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::network::NodeNo;
use crate::scenario::plan::Plan;
use crate::workload::{Cause, Event, Figure, Loss, Summary};

/// An acknowledged write that is lost.
#[derive(Serialize)]
pub(super) struct LostWrite {
    workload: String,
    key: String,
    value: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
    #[serde(flatten)]
    cause: Why,
    event: usize,
}

/// A cause.
#[derive(Serialize)]
struct Why {
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    master: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

/// What became of everything.
#[derive(Serialize)]
pub(super) struct Workload {
    name: String,
    figures: BTreeMap<&'static str, u64>,
    refused: BTreeMap<String, u64>,
    unreachable: u64,
    given_up: u64,
    failed_reads: u64,
    redirections: u64,
    refreshes: u64,
    events: Vec<Happened>,
    outages: Vec<Out>,
}

#[derive(Serialize)]
struct Happened {
    happened_at_us: u64,
    #[serde(flatten)]
    cause: Why,
    lost: u64,
    /// Of a merge: whether the master has dropped its data.
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<bool>,
}

#[derive(Serialize)]
struct Out {
    first_slot: u16,
    last_slot: u16,
    from_us: u64,
    to_us: u64,
    recovered: bool,
}

/// A lost write.
pub(super) fn lost((workload, loss, cause): &(String, Loss, Cause), plan: &Plan) -> LostWrite {
    LostWrite {
        workload: workload.clone(),
        key: loss.key.clone(),
        value: loss.value,
        acknowledged_at_us: loss.acknowledged.map(|(at, _)| at.0),
        acknowledged_by: loss.acknowledged.map(|(_, by)| plan.name(by)),
        cause: why(*cause, plan),
        event: loss.event,
    }
}

fn why(cause: Cause, plan: &Plan) -> Why {
    let name = |node: NodeNo| Some(plan.name(node));
    let word = cause.word();
    let none = Why { cause: word, master: None, heir: None, epoch: None, node: None };
    match cause {
        Cause::Failover { heir, master, epoch } => {
            Why { master: master.and_then(name), heir: name(heir), epoch: Some(epoch), ..none }
        }
        Cause::Merge { master, heir, epoch, .. } => {
            Why { master: name(master), heir: name(heir), epoch: Some(epoch), ..none }
        }
        Cause::Restart(node) | Cause::Flush(node) | Cause::Unseen(node) => {
            Why { node: name(node), ..none }
        }
    }
}

/// The numbers of a workload.
pub(super) fn outcome(summary: &Summary, plan: &Plan) -> Workload {
    let happened = |event: &Event| Happened {
        happened_at_us: event.at.0,
        cause: why(event.cause, plan),
        lost: event.lost,
        over: match event.cause {
            Cause::Merge { over, .. } => Some(over),
            _ => None,
        },
    };
    let outages = summary.outages.iter().map(|outage| Out {
        first_slot: outage.first,
        last_slot: outage.last,
        from_us: outage.from.0,
        to_us: outage.to.0,
        recovered: outage.recovered,
    });
    Workload {
        name: summary.name.clone(),
        figures: Figure::ALL
            .iter()
            .map(|(name, figure)| (*name, summary.figure(*figure)))
            .collect(),
        refused: summary.refused.clone(),
        unreachable: summary.unreachable,
        given_up: summary.given_up,
        failed_reads: summary.failed_reads,
        redirections: summary.redirections,
        refreshes: summary.refreshes,
        events: summary.events.iter().map(happened).collect(),
        outages: outages.collect(),
    }
}
