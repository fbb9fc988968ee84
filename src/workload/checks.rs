//! What clients notice by themselves: they read each key before they count it up, and compare that
//! with what they were told last.
//!
//! That is less than what the [books](crate::workload::books) know. A write that was applied without
//! an acknowledgement is not noticed if the client tries once more and is told the sum.

use crate::workload::books::Key;

/// What clients remember, and what they have noticed.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// What a client was told last of each key.
    told: Vec<Option<u32>>,
    /// How much less than that keys were found to be, in all.
    pub(crate) lost: u64,
    /// How much more.
    pub(crate) applied: u64,
}

impl Checks {
    /// A client was told how far it has counted a key.
    pub(crate) fn told(&mut self, key: Key, value: u32) {
        let at = key.0 as usize;
        if at >= self.told.len() {
            self.told.resize(at + 1, None);
        }
        self.told[at] = Some(value);
    }

    /// A client reads a key.
    pub(crate) fn read(&mut self, key: Key, value: u32) {
        let Some(&Some(told)) = self.told.get(key.0 as usize) else { return };
        self.lost += u64::from(told.saturating_sub(value));
        self.applied += u64::from(value.saturating_sub(told));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noticed_is_the_difference_to_what_was_told_last() {
        let mut checks = Checks::default();
        checks.read(Key(3), 7);
        checks.told(Key(3), 8);
        checks.read(Key(2), 5);
        checks.read(Key(3), 8);
        assert_eq!((checks.lost, checks.applied), (0, 0));
        checks.read(Key(3), 6);
        checks.read(Key(3), 6);
        assert_eq!((checks.lost, checks.applied), (4, 0), "nothing new was told in between");
        checks.told(Key(3), 7);
        checks.read(Key(3), 10);
        assert_eq!((checks.lost, checks.applied), (4, 3));
        checks.told(Key(3), 12);
        checks.read(Key(3), 12);
        assert_eq!((checks.lost, checks.applied), (4, 3), "it was told the sum");
    }
}
