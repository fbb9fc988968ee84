//! The acknowledged writes to one key.

use std::collections::VecDeque;

use crate::network::NodeNo;
use crate::time::Time;

/// Of so many acknowledged writes to a key it is known when they were acknowledged, and by whom. Of
/// earlier ones only their number is.
pub(super) const REMEMBERED: usize = 256;

#[derive(Debug, Clone, Copy)]
pub(super) struct Acknowledged {
    pub(super) at: Time,
    pub(super) value: u32,
    pub(super) by: NodeNo,
}

/// The acknowledged writes to a key that are not lost, by their values.
#[derive(Debug, Default)]
pub(super) struct History {
    /// How many are not remembered one by one, and the last of them.
    older: u32,
    older_last: u32,
    recent: VecDeque<Acknowledged>,
}

impl History {
    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        u64::from(self.older) + self.recent.len() as u64
    }

    /// The value of the last.
    pub(super) fn last_value(&self) -> u32 {
        self.recent.back().map_or(self.older_last, |last| last.value)
    }

    /// One more was acknowledged.
    pub(super) fn note(&mut self, entry: Acknowledged) {
        if self.recent.back().is_none_or(|last| last.value < entry.value) {
            // Its place is that of the oldest: no more memory is needed, and no other is touched.
            if self.recent.len() == REMEMBERED {
                self.forget_oldest();
            }
            self.recent.push_back(entry);
            return;
        }
        let at = self.recent.partition_point(|other| other.value < entry.value);
        self.recent.insert(at, entry);
        if self.recent.len() > REMEMBERED {
            self.forget_oldest();
        }
    }

    /// Takes out the last of those beyond a value: its own value, and when and by whom it was
    /// acknowledged, if that is remembered.
    pub(super) fn take_beyond(&mut self, value: u32) -> Option<(u32, Option<(Time, NodeNo)>)> {
        if let Some(&last) = self.recent.back().filter(|last| last.value > value) {
            self.recent.pop_back();
            return Some((last.value, Some((last.at, last.by))));
        }
        if self.older == 0 || self.older_last <= value {
            return None;
        }
        let lost = self.older_last;
        self.older -= 1;
        self.older_last -= 1;
        Some((lost, None))
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.recent.pop_front() {
            self.older += 1;
            self.older_last = oldest.value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(value: u32) -> Acknowledged {
        Acknowledged { at: Time(u64::from(value) * 10), value, by: NodeNo(value % 3) }
    }

    #[test]
    fn the_last_writes_are_remembered_one_by_one_and_earlier_ones_by_their_number() {
        let mut history = History::default();
        (1..=300).for_each(|value| history.note(entry(value)));
        assert_eq!((history.count(), history.last_value()), (300, 300));
        let taken: Vec<_> = std::iter::from_fn(|| history.take_beyond(40)).collect();
        assert_eq!(taken.len(), 260);
        for (value, (lost, known)) in (41..=300).rev().zip(taken) {
            let its = entry(value);
            assert_eq!((lost, known), (value, (value > 44).then_some((its.at, its.by))));
        }
        assert_eq!((history.count(), history.last_value()), (40, 40));
    }

    proptest! {
        #[test]
        fn writes_are_taken_out_from_the_last_backwards_whatever_order_they_came_in(
            steps in prop::collection::vec((0_u32..60, prop::bool::weighted(0.9)), 1..100)
        ) {
            let (mut history, mut model) = (History::default(), Vec::<u32>::new());
            for (value, is_write) in steps {
                if is_write {
                    history.note(entry(value));
                    model.push(value);
                    model.sort_unstable();
                } else {
                    let beyond = model.pop_if(|last| *last > value);
                    let its = beyond.map(|beyond| (beyond, entry(beyond)));
                    let its = its.map(|(value, its)| (value, Some((its.at, its.by))));
                    prop_assert_eq!(history.take_beyond(value), its);
                }
                prop_assert_eq!(history.count(), model.len() as u64);
                prop_assert_eq!(history.last_value(), model.last().copied().unwrap_or(0));
            }
        }
    }
}
