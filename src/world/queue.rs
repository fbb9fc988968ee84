//! The event queue: what happens next.
//!
//! Events are ordered by time, and among equals by the number that they got when they were put in.
//! No two events have the same number, so the order is total by construction; meeting two equal keys
//! is a bug of the engine and panics. Four methods hide how it is done.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::time::Time;

/// The number of an event: its identity, its place among events of the same time, and what later
/// events name as their cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

/// When an event happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The time.
    pub at: Time,
    /// The event.
    pub id: EventId,
}

/// A priority queue. Pushing and popping cost O(log n).
#[derive(Debug)]
pub struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    key: Key,
    item: T,
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue { heap: BinaryHeap::new() }
    }
}

impl<T> Queue<T> {
    /// Puts an item in.
    #[inline]
    pub fn push(&mut self, key: Key, item: T) {
        self.heap.push(Entry { key, item });
    }

    /// Takes the earliest item out.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, T)> {
        self.heap.pop().map(|entry| (entry.key, entry.item))
    }

    /// When the earliest item is due.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Option<Key> {
        self.heap.peek().map(|entry| entry.key)
    }

    /// How many items are waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<T> Ord for Entry<T> {
    /// The earliest entry is the greatest, because the heap gives the greatest first.
    #[inline]
    fn cmp(&self, other: &Entry<T>) -> Ordering {
        match other.key.cmp(&self.key) {
            Ordering::Equal => panic!("two events with the number {}", self.key.id.0),
            order => order,
        }
    }
}

impl<T> PartialOrd for Entry<T> {
    #[inline]
    fn partial_cmp(&self, other: &Entry<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Entry<T>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    #[should_panic(expected = "two events with the number 7")]
    fn equal_keys_are_refused() {
        let mut queue = Queue::default();
        let key = Key { at: Time(1), id: EventId(7) };
        queue.push(key, ());
        queue.push(key, ());
        queue.pop();
    }

    proptest! {
        #[test]
        fn items_come_out_by_time_and_then_in_the_order_they_were_put_in(
            steps in prop::collection::vec(prop::option::weighted(0.7, 0_u64..20), 1..300)
        ) {
            let (mut queue, mut model) = (Queue::default(), Vec::new());
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Some(at) => {
                        let key = Key { at: Time(at), id: EventId(id as u64) };
                        queue.push(key, id);
                        model.push(key);
                        model.sort();
                    }
                    None => {
                        let next = (!model.is_empty()).then(|| model.remove(0));
                        prop_assert_eq!(queue.peek(), next);
                        prop_assert_eq!(queue.pop().map(|(key, _)| key), next);
                    }
                }
                prop_assert_eq!(queue.len(), model.len());
            }
        }
    }
}
