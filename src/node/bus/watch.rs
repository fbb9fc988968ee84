//! Who needs the cron's attention, and when at the earliest.
//!
//! The cron asks of every peer, ten times a second, whether it must be pinged, its link recycled, or
//! PFAIL set (§7.4). Nearly always the answer is no. So for each peer a moment is kept before which
//! the answer cannot be yes; only peers whose moment has come are looked at, in table order. The
//! moments are lower bounds: looking too early costs a little, looking too late would change what
//! the cluster does.
//!
//! Why a bound stays valid until its peer is looked at again: what happens to a peer is due half a
//! timeout after its pending ping was sent or, if none is pending, after its last pong. Both only
//! ever move to later moments than the look at which the bound was computed, as long as the clock
//! does not run backwards. A change of the timeout, of the clock's direction or of the table itself
//! starts all bounds anew.

use crate::time::Millis;

/// For each place of the table order, the moment before which nothing is due there.
#[derive(Debug, Default)]
pub struct Watch {
    due: Vec<Millis>,
    /// No bound lies before this moment.
    earliest: Millis,
    order_version: u64,
    node_timeout: Millis,
    last_look: Millis,
}

/// How many bounds are compared at once before any is looked at alone.
const CHUNK: usize = 16;

impl Watch {
    /// Begins a look at the peers. Returns whether there is any to look at.
    #[inline]
    pub(super) fn begin(
        &mut self,
        peers: usize,
        order_version: u64,
        node_timeout: Millis,
        now: Millis,
    ) -> bool {
        let same_table = self.order_version == order_version && self.due.len() == peers;
        if !same_table || self.node_timeout != node_timeout || now < self.last_look {
            self.due.clear();
            self.due.resize(peers, Millis::NEVER);
            self.earliest = Millis::NEVER;
            self.order_version = order_version;
            self.node_timeout = node_timeout;
        }
        self.last_look = now;
        self.earliest <= now
    }

    /// The first place from `from` on where something may be due.
    #[inline]
    pub(super) fn next(&self, from: usize, now: Millis) -> Option<usize> {
        let mut start = from;
        for chunk in self.due[from..].chunks(CHUNK) {
            if chunk.iter().fold(false, |any, due| any | (*due <= now)) {
                return chunk.iter().position(|due| *due <= now).map(|at| start + at);
            }
            start += chunk.len();
        }
        None
    }

    /// Notes when something may be due at a place again.
    #[inline]
    pub(super) fn set(&mut self, place: usize, due: Millis) {
        self.due[place] = due;
    }

    /// Ends a look.
    #[inline]
    pub(super) fn end(&mut self) {
        self.earliest = self.due.iter().copied().min().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_that_is_due_is_found_in_order(
            due in prop::collection::vec(0..100_i64, 0..80),
            now in 0..100_i64,
        ) {
            let mut watch = Watch::default();
            watch.begin(due.len(), 1, Millis(1_000), Millis(now));
            for (place, &moment) in due.iter().enumerate() {
                watch.set(place, Millis(moment));
            }
            watch.end();
            let mut found = Vec::new();
            if watch.begin(due.len(), 1, Millis(1_000), Millis(now)) {
                let mut from = 0;
                while let Some(place) = watch.next(from, Millis(now)) {
                    found.push(place);
                    from = place + 1;
                }
            }
            let expected: Vec<usize> =
                (0..due.len()).filter(|&place| due[place] <= now).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn a_new_timeout_or_table_or_an_older_clock_makes_everything_due() {
        let calm = || {
            let mut watch = Watch::default();
            watch.begin(1, 1, Millis(1_000), Millis(50));
            watch.set(0, Millis(90));
            watch.end();
            watch
        };
        assert!(!calm().begin(1, 1, Millis(1_000), Millis(60)));
        assert!(calm().begin(1, 1, Millis(1_000), Millis(90)));
        assert!(calm().begin(1, 2, Millis(1_000), Millis(60)));
        assert!(calm().begin(1, 1, Millis(1_001), Millis(60)));
        assert!(calm().begin(1, 1, Millis(1_000), Millis(49)));
    }
}
