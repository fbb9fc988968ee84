//! When slots could not be written although somebody tried.

use crate::slot::{SLOTS, Slot};
use crate::time::Time;

/// A time in which no write to some slots succeeded although clients tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The first of the slots.
    pub first: u16,
    /// The last of the slots.
    pub last: u16,
    /// When the first write began that failed.
    pub from: Time,
    /// When one succeeded again; at the end of the workload, if none did.
    pub to: Time,
    /// Whether one succeeded again.
    pub recovered: bool,
}

impl Outage {
    /// Slots times microseconds.
    #[must_use]
    pub fn slot_micros(&self) -> u64 {
        u64::from(self.last - self.first + 1).saturating_mul(self.to.since(self.from).0)
    }
}

/// The slots as one master served them at the beginning, and since when their writes fail.
#[derive(Debug)]
pub(crate) struct Outages {
    ranges: Vec<(u16, u16)>,
    failing: Vec<Option<Time>>,
    /// How many of them fail.
    open: usize,
    over: Vec<Outage>,
}

impl Outages {
    pub(crate) fn new() -> Outages {
        Outages { ranges: vec![(0, SLOTS - 1)], failing: vec![None], open: 0, over: Vec::new() }
    }

    /// Learns how slots are shared out. Only the first such news counts.
    pub(crate) fn divide(&mut self, ranges: impl FnOnce() -> Vec<(u16, u16)>) {
        if self.ranges.len() == 1 && self.over.is_empty() {
            let ranges = ranges();
            self.failing = vec![self.failing[0]; ranges.len()];
            self.open *= ranges.len();
            self.ranges = ranges;
        }
    }

    #[inline]
    fn range(&self, slot: Slot) -> usize {
        self.ranges.partition_point(|&(_, last)| last < slot.number())
    }

    /// A write that began at `began` has failed.
    pub(crate) fn failed(&mut self, slot: Slot, began: Time) {
        let range = self.range(slot);
        if self.failing[range].is_none() {
            self.failing[range] = Some(began);
            self.open += 1;
        }
    }

    /// A write has succeeded.
    #[inline]
    pub(crate) fn succeeded(&mut self, slot: Slot, now: Time) {
        if self.open == 0 {
            return;
        }
        let range = self.range(slot);
        if let Some(from) = self.failing[range].take() {
            self.open -= 1;
            self.over.push(self.outage(range, from, now, true));
        }
    }

    fn outage(&self, range: usize, from: Time, to: Time, recovered: bool) -> Outage {
        let (first, last) = self.ranges[range];
        Outage { first, last, from, to, recovered }
    }

    /// All outages, those that go on at `now` last.
    pub(crate) fn until(&self, now: Time) -> Vec<Outage> {
        let open = self.failing.iter().enumerate();
        let open = open.filter_map(|(range, from)| Some(self.outage(range, (*from)?, now, false)));
        self.over.iter().copied().chain(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_lasts_from_the_first_write_that_failed_to_the_next_that_did_not() {
        let (low, high) = (Slot::new(5).unwrap(), Slot::new(200).unwrap());
        let mut outages = Outages::new();
        outages.divide(|| vec![(0, 99), (100, 16_383)]);
        outages.failed(low, Time(10));
        outages.failed(low, Time(20));
        outages.succeeded(high, Time(25));
        outages.succeeded(low, Time(40));
        outages.failed(high, Time(50));
        let all = outages.until(Time(60));
        let low = Outage { first: 0, last: 99, from: Time(10), to: Time(40), recovered: true };
        assert_eq!(all[0], low);
        assert_eq!(low.slot_micros(), 3_000);
        assert_eq!((all[1].from, all[1].to, all[1].recovered), (Time(50), Time(60), false));
    }
}
