//! What became of everything that a workload wrote.

use std::collections::BTreeMap;

use crate::time::{Span, Time};
use crate::workload::books::{Balance, Loss};
use crate::workload::event::{Cause, Event};
use crate::workload::outage::Outage;
use crate::workload::shared::Shared;

/// What clients count while they work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) writes: u64,
    pub(crate) acknowledged: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) too_few_replicas: u64,
    pub(crate) unanswered: u64,
    pub(crate) unreachable: u64,
    pub(crate) given_up: u64,
    pub(crate) reads: u64,
    pub(crate) failed_reads: u64,
    pub(crate) stale_reads: u64,
    pub(crate) redirections: u64,
    pub(crate) refreshes: u64,
}

/// What became of everything that a workload wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What the workload is called.
    pub name: String,
    /// How many writes its clients began.
    pub writes: u64,
    /// How many were acknowledged.
    pub acknowledged: u64,
    /// How many of those are there.
    pub kept: u64,
    /// How many of those are in slots that nobody serves now.
    pub unknown: u64,
    /// How many were refused, by the first word of the error.
    pub refused: BTreeMap<String, u64>,
    /// How many reached too few replicas in the time that WAIT had.
    pub too_few_replicas: u64,
    /// How often a write was sent and its answer never came.
    pub unanswered: u64,
    /// How often a write could not even be sent.
    pub unreachable: u64,
    /// How many writes were given up at last.
    pub given_up: u64,
    /// How many are there that were never acknowledged.
    pub applied: u64,
    /// How many reads clients began.
    pub reads: u64,
    /// How many reads failed.
    pub failed_reads: u64,
    /// How many reads gave less than had been acknowledged before and was not lost.
    pub stale_reads: u64,
    /// How much clients found to be lost, if they check each key before they count it up. What stays
    /// unrepaired is found again and again, as long as nothing is acknowledged.
    pub noticed_lost: u64,
    /// How much they found to be applied that was not acknowledged.
    pub noticed_applied: u64,
    /// How many redirections were followed.
    pub redirections: u64,
    /// How often a client looked up all slots.
    pub refreshes: u64,
    /// How many replicas were promoted meanwhile.
    pub failovers: u64,
    /// What took writes away, or could have.
    pub events: Vec<Event>,
    /// The acknowledged writes that are lost.
    pub losses: Vec<Loss>,
    /// When slots could not be written although clients tried.
    pub outages: Vec<Outage>,
}

/// A number of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Writes begun.
    Writes,
    /// Acknowledged writes.
    Acknowledged,
    /// Acknowledged writes that are there.
    Kept,
    /// Acknowledged writes that are lost.
    Lost,
    /// Lost to failovers.
    LostByFailover,
    /// Lost to masters that were replaced and did not know it.
    LostByMerge,
    /// Lost, and nothing was seen that explains it.
    LostUnseen,
    /// Writes that are there and were never acknowledged.
    Applied,
    /// Writes refused with an error.
    Refused,
    /// Writes that reached too few replicas.
    TooFewReplicas,
    /// Writes that were sent and not answered.
    Unanswered,
    /// Acknowledged writes to slots that nobody serves.
    Unknown,
    /// Reads begun.
    Reads,
    /// Stale reads.
    StaleReads,
    /// Lost writes that clients noticed.
    NoticedLost,
    /// Writes applied without acknowledgement that clients noticed.
    NoticedApplied,
    /// Replicas promoted.
    Failovers,
    /// Slot-seconds without a successful write though tried, rounded down.
    SlotSeconds,
    /// The longest outage, in whole milliseconds.
    LongestOutage,
}

impl Figure {
    /// Every number and its name.
    pub const ALL: [(&'static str, Figure); 19] = [
        ("writes", Figure::Writes),
        ("acknowledged", Figure::Acknowledged),
        ("kept", Figure::Kept),
        ("lost", Figure::Lost),
        ("lost-by-failover", Figure::LostByFailover),
        ("lost-by-merge", Figure::LostByMerge),
        ("lost-unseen", Figure::LostUnseen),
        ("applied", Figure::Applied),
        ("refused", Figure::Refused),
        ("too-few-replicas", Figure::TooFewReplicas),
        ("unanswered", Figure::Unanswered),
        ("unknown", Figure::Unknown),
        ("reads", Figure::Reads),
        ("stale-reads", Figure::StaleReads),
        ("noticed-lost", Figure::NoticedLost),
        ("noticed-applied", Figure::NoticedApplied),
        ("failovers", Figure::Failovers),
        ("slot-seconds", Figure::SlotSeconds),
        ("longest-outage-ms", Figure::LongestOutage),
    ];

    /// What scenarios call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Figure::ALL.iter().find(|(_, figure)| *figure == self);
        found.map_or("", |(name, _)| name)
    }
}

impl Summary {
    pub(crate) fn new(shared: &Shared, balance: Balance, now: Time) -> Summary {
        let (tally, books) = (&shared.tally, &shared.books);
        Summary {
            name: shared.settings.name.clone(),
            writes: tally.writes,
            acknowledged: tally.acknowledged,
            kept: balance.kept,
            unknown: balance.unknown,
            refused: tally.refused.clone(),
            too_few_replicas: tally.too_few_replicas,
            unanswered: tally.unanswered,
            unreachable: tally.unreachable,
            given_up: tally.given_up,
            applied: balance.applied,
            reads: tally.reads,
            failed_reads: tally.failed_reads,
            stale_reads: tally.stale_reads,
            noticed_lost: shared.checks.lost,
            noticed_applied: shared.checks.applied,
            redirections: tally.redirections,
            refreshes: tally.refreshes,
            failovers: books.failovers,
            events: books.events.clone(),
            losses: books.losses.clone(),
            outages: shared.outages.until(now),
        }
    }

    fn lost_by(&self, is_it: impl Fn(Cause) -> bool) -> u64 {
        self.events.iter().filter(|event| is_it(event.cause)).map(|event| event.lost).sum()
    }

    /// How long the longest outage lasted.
    #[must_use]
    pub fn longest_outage(&self) -> Span {
        let spans = self.outages.iter().map(|outage| outage.to.since(outage.from));
        spans.max().unwrap_or_default()
    }

    /// Slots times seconds without a successful write although somebody tried, rounded down.
    #[must_use]
    pub fn slot_seconds(&self) -> u64 {
        self.outages.iter().map(Outage::slot_micros).sum::<u64>() / 1_000_000
    }

    /// One of its numbers.
    #[must_use]
    pub fn figure(&self, figure: Figure) -> u64 {
        match figure {
            Figure::Writes => self.writes,
            Figure::Acknowledged => self.acknowledged,
            Figure::Kept => self.kept,
            Figure::Lost => self.losses.len() as u64,
            Figure::LostByFailover => self.lost_by(|cause| matches!(cause, Cause::Failover { .. })),
            Figure::LostByMerge => self.lost_by(|cause| matches!(cause, Cause::Merge { .. })),
            Figure::LostUnseen => self.lost_by(|cause| matches!(cause, Cause::Unseen(_))),
            Figure::Applied => self.applied,
            Figure::Refused => self.refused.values().sum(),
            Figure::TooFewReplicas => self.too_few_replicas,
            Figure::Unanswered => self.unanswered,
            Figure::Unknown => self.unknown,
            Figure::Reads => self.reads,
            Figure::StaleReads => self.stale_reads,
            Figure::NoticedLost => self.noticed_lost,
            Figure::NoticedApplied => self.noticed_applied,
            Figure::Failovers => self.failovers,
            Figure::SlotSeconds => self.slot_seconds(),
            Figure::LongestOutage => self.longest_outage().as_millis(),
        }
    }
}
