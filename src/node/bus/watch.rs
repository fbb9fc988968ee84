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
    /// In milliseconds after the base.
    due: Vec<i32>,
    /// The earliest moment of each run of places.
    earliest: Vec<i32>,
    base: Millis,
    order_version: u64,
    node_timeout: Millis,
    /// The last look, in milliseconds after the base.
    now: i32,
}

/// So many places share an entry in `earliest`.
const RUN: usize = 16;

/// After so many milliseconds the base is moved.
const LONGEST: i64 = 1 << 30;

impl Watch {
    /// Begins a look at the peers.
    #[inline]
    pub(super) fn begin(
        &mut self,
        peers: usize,
        order_version: u64,
        node_timeout: Millis,
        now: Millis,
    ) {
        let same_table = self.order_version == order_version && self.due.len() == peers;
        let elapsed = (now - self.base).0;
        let same_time = (i64::from(self.now)..LONGEST).contains(&elapsed);
        if same_table && same_time && self.node_timeout == node_timeout {
            self.now = elapsed as i32;
        } else {
            self.restart(peers, now);
            self.order_version = order_version;
            self.node_timeout = node_timeout;
        }
    }

    /// Looks at everybody at the next look: something is due that the moments do not know of.
    pub(super) fn restart_soon(&mut self) {
        self.due.clear();
    }

    #[cold]
    fn restart(&mut self, peers: usize, now: Millis) {
        self.due.clear();
        self.due.resize(peers, 0);
        self.earliest.clear();
        self.earliest.resize(peers.div_ceil(RUN), 0);
        self.base = now;
        self.now = 0;
    }

    /// The first place from `from` on where something may be due. A look asks for all of them,
    /// one after the other.
    #[inline]
    pub(super) fn next(&mut self, from: usize) -> Option<usize> {
        let mut run = from / RUN;
        loop {
            let later = self.earliest.get(run..)?;
            run += later.iter().position(|earliest| *earliest <= self.now)?;
            let (start, end) = (run * RUN, self.due.len().min((run + 1) * RUN));
            let first = from.max(start);
            if let Some(at) = self.due[first..end].iter().position(|due| *due <= self.now) {
                return Some(first + at);
            }
            let earliest = self.due[start..end].iter().copied().min();
            self.earliest[run] = earliest.unwrap_or(i32::MAX);
            run += 1;
        }
    }

    /// Notes when something may be due at a place again.
    #[inline]
    pub(super) fn set(&mut self, place: usize, due: Millis) {
        let elapsed = (due - self.base).0.max(0);
        self.due[place] = i32::try_from(elapsed).unwrap_or(i32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that is due at a moment; each place is then set to another one.
    fn look(watch: &mut Watch, version: u64, timeout: i64, now: i64, then: &[i64]) -> Vec<usize> {
        watch.begin(then.len(), version, Millis(timeout), Millis(now));
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(place) = watch.next(from) {
            found.push(place);
            watch.set(place, Millis(then[place]));
            from = place + 1;
        }
        found
    }

    proptest! {
        #[test]
        fn every_place_that_is_due_is_found_in_order(
            due in prop::collection::vec(100..200_i64, 0..150),
            first in 100..200_i64,
            more in 0..100_i64,
        ) {
            let mut watch = Watch::default();
            let later: Vec<i64> = due.iter().map(|_| 1_000).collect();
            prop_assert_eq!(look(&mut watch, 1, 9, 100, &due).len(), due.len());
            let found = look(&mut watch, 1, 9, first, &later);
            let at_first: Vec<usize> = (0..due.len()).filter(|&at| due[at] <= first).collect();
            prop_assert_eq!(&found, &at_first);
            let found = look(&mut watch, 1, 9, first + more, &later);
            let new = |at: &usize| due[*at] > first && due[*at] <= first + more;
            let then: Vec<usize> = (0..due.len()).filter(new).collect();
            prop_assert_eq!(found, then);
        }
    }

    #[test]
    fn a_new_timeout_or_table_or_an_older_clock_makes_everything_due() {
        let calm = || {
            let mut watch = Watch::default();
            assert_eq!(look(&mut watch, 1, 9, 50, &[90]), [0]);
            watch
        };
        assert!(look(&mut calm(), 1, 9, 60, &[90]).is_empty());
        assert_eq!(look(&mut calm(), 1, 9, 90, &[90]), [0]);
        assert_eq!(look(&mut calm(), 2, 9, 60, &[90]), [0]);
        assert_eq!(look(&mut calm(), 1, 8, 60, &[90]), [0]);
        assert_eq!(look(&mut calm(), 1, 9, 49, &[90]), [0]);
        assert_eq!(look(&mut calm(), 1, 9, 50 + LONGEST, &[90]), [0]);
    }
}
