//! A second lane beside the event queue, for the cron of each process.
//!
//! Crons are most of what happens in an idle cluster, and they are regular: a process that has just
//! ticked ticks again about 100 ms later, after nearly everybody else. Inserting from the back of a
//! sorted ring moves only those few that are due within the jitter of the cron's period.
//!
//! Entries carry the same keys as the queue's, so that the order of both lanes together is total.

use std::collections::VecDeque;

use crate::world::queue::Key;

/// A sorted ring of what is due soon and regularly.
#[derive(Debug)]
pub struct Lane<T> {
    ring: VecDeque<(Key, T)>,
    /// When the earliest item is due: it is asked for all the time.
    earliest: Key,
}

impl<T> Default for Lane<T> {
    fn default() -> Lane<T> {
        Lane { ring: VecDeque::new(), earliest: Key::NEVER }
    }
}

impl<T> Lane<T> {
    /// Puts an item in, in constant time if it is due after nearly all others.
    #[inline]
    pub fn push(&mut self, key: Key, item: T) {
        self.earliest = self.earliest.min(key);
        if self.ring.back().is_none_or(|(last, _)| *last < key) {
            self.ring.push_back((key, item));
        } else {
            let after = self.ring.iter().rev().take_while(|(other, _)| *other > key).count();
            self.ring.insert(self.ring.len() - after, (key, item));
        }
    }

    /// Takes the earliest item out.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, T)> {
        let first = self.ring.pop_front();
        self.earliest = self.ring.front().map_or(Key::NEVER, |(key, _)| *key);
        first
    }

    /// When the earliest item is due; [`Key::NEVER`] if there is none.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Key {
        self.earliest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;
    use crate::world::queue::{EventId, Queue};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lane_gives_what_a_queue_gives(
            steps in prop::collection::vec(prop::option::weighted(0.6, 0_u64..50), 1..300)
        ) {
            let (mut lane, mut queue) = (Lane::default(), Queue::default());
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Some(at) => {
                        let key = Key { at: Time(at), id: EventId(id as u64) };
                        lane.push(key, id);
                        queue.push(key, id);
                    }
                    None => {
                        prop_assert_eq!(lane.peek(), queue.peek());
                        prop_assert_eq!(lane.pop(), queue.pop());
                    }
                }
            }
        }
    }
}
