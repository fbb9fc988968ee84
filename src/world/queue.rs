//! The event queue: what happens next.
//!
//! Events are ordered by time, and among equals by the number that they got when they were put in.
//! No two events have the same number, so the order is total by construction; meeting two equal keys
//! is a bug of the engine and panics. Three methods hide how it is done: the few events that come next
//! are kept sorted. Whatever is later lies unsorted in a hierarchy of timing wheels: time is cut into
//! short ticks, and the slots of each wheel are as long as the whole wheel before it.

use std::cmp::Ordering;

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

impl Key {
    /// Later than everything that happens.
    pub const NEVER: Key = Key { at: Time(u64::MAX), id: EventId(u64::MAX) };
}

/// A tick has 2^6 µs: about as long as a message travels at least.
const TICK_BITS: u32 = 6;

/// A wheel has 2^6 slots: as many as a word has bits.
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;

/// So many wheels turn for all times that there are.
const WHEELS: usize = (u64::BITS - TICK_BITS).div_ceil(SLOT_BITS) as usize;

/// So many events are sorted wherever they lie in time; when they are twice as many, the later half is
/// put into the wheels.
const FEW: usize = 16;

/// The end of a list of places.
const NOWHERE: u32 = u32::MAX;

/// A priority queue. Pushing and popping cost O(1) as long as few events share a tick.
#[derive(Debug)]
pub struct Queue<T> {
    /// What comes next, the latest first: all of the present tick, and as much more as is easily
    /// sorted. It comes before anything in the wheels.
    soon: Vec<(Key, T)>,
    wheels: Wheels<T>,
}

/// What is later than the present tick.
#[derive(Debug)]
struct Wheels<T> {
    /// The present tick: all that is in the wheels is later.
    tick: u64,
    wheels: Box<[Wheel; WHEELS]>,
    /// The wheels that hold anything, a bit each.
    turning: u16,
    /// The earliest that is in the wheels.
    earliest: Key,
    /// Where items are while they wait.
    places: Vec<Place<T>>,
    /// The first place that is free.
    free: u32,
}

#[derive(Debug, Clone, Copy)]
struct Wheel {
    /// The slots that hold anything, a bit each.
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// A list of places.
#[derive(Debug, Clone, Copy)]
struct Slot {
    first: u32,
    earliest: Key,
}

#[derive(Debug)]
struct Place<T> {
    key: Key,
    item: Option<T>,
    next: u32,
}

impl Slot {
    const EMPTY: Slot = Slot { first: NOWHERE, earliest: Key::NEVER };
}

impl<T> Default for Queue<T> {
    fn default() -> Queue<T> {
        Queue {
            soon: Vec::with_capacity(2 * FEW + 1),
            wheels: Wheels {
                tick: 0,
                wheels: Box::new([Wheel { occupied: 0, slots: [Slot::EMPTY; SLOTS] }; WHEELS]),
                turning: 0,
                earliest: Key::NEVER,
                places: Vec::new(),
                free: NOWHERE,
            },
        }
    }
}

impl<T> Queue<T> {
    /// Puts an item in.
    #[inline]
    pub fn push(&mut self, key: Key, item: T) {
        let last = self.soon.first().map_or(Key::NEVER, |(last, _)| *last);
        let is_soon = key < self.wheels.earliest && (self.soon.len() < FEW || key < last);
        if is_soon || tick_of(key) <= self.wheels.tick {
            self.sort_in(key, item);
            if self.soon.len() > 2 * FEW {
                self.put_off();
            }
        } else {
            self.wheels.put(key, item);
        }
    }

    /// Takes the earliest item out.
    #[inline]
    pub fn pop(&mut self) -> Option<(Key, T)> {
        while self.soon.is_empty() && self.wheels.turning != 0 {
            self.wheels.turn(&mut self.soon);
        }
        self.soon.pop()
    }

    /// When the earliest item is due; [`Key::NEVER`] if there is none.
    #[must_use]
    #[inline]
    pub fn peek(&self) -> Key {
        match self.soon[..] {
            [.., (key, _)] => key,
            [] => self.wheels.earliest,
        }
    }

    #[inline]
    fn sort_in(&mut self, key: Key, item: T) {
        let earlier = self.soon.iter().rev().take_while(|(other, _)| is_earlier(*other, key));
        let behind = self.soon.len() - earlier.count();
        self.soon.insert(behind, (key, item));
    }

    /// Puts what is late of the sorted events into the wheels, but nothing of the present tick.
    #[cold]
    fn put_off(&mut self) {
        let wheels = &mut self.wheels;
        if wheels.turning == 0 {
            let next = self.soon.last().map_or(0, |(next, _)| tick_of(*next));
            wheels.tick = wheels.tick.max(next);
        }
        let is_late = |(key, _): &&(Key, T)| tick_of(*key) > wheels.tick;
        let late = self.soon.iter().take(FEW).take_while(is_late).count();
        self.soon.drain(..late).for_each(|(key, item)| wheels.put(key, item));
    }
}

impl<T> Wheels<T> {
    /// Puts in an item that is later than the present tick.
    #[inline]
    fn put(&mut self, key: Key, item: T) {
        let at = self.store(key, item);
        self.put_into_slot(key, at);
    }

    /// Gives an item a place.
    #[inline]
    fn store(&mut self, key: Key, item: T) -> u32 {
        let place = Place { key, item: Some(item), next: NOWHERE };
        let at = self.free;
        if let Some(free) = self.places.get_mut(at as usize) {
            self.free = free.next;
            *free = place;
            return at;
        }
        self.places.push(place);
        self.places.len() as u32 - 1
    }

    /// Puts what is later than the present tick into the finest wheel that has one slot for it and
    /// another one for the present.
    #[inline]
    fn put_into_slot(&mut self, key: Key, at: u32) {
        let tick = tick_of(key);
        let wheel = ((tick ^ self.tick).ilog2() / SLOT_BITS) as usize;
        let number = (tick >> (wheel as u32 * SLOT_BITS)) as usize % SLOTS;
        self.turning |= 1 << wheel;
        let wheel = &mut self.wheels[wheel];
        wheel.occupied |= 1 << number;
        let slot = &mut wheel.slots[number];
        slot.earliest = slot.earliest.min(key);
        self.earliest = self.earliest.min(key);
        self.places[at as usize].next = std::mem::replace(&mut slot.first, at);
    }

    /// Turns the finest wheel that holds anything to its next slot. The earliest tick there is the
    /// present one then, and all of it comes next; what is later goes into finer wheels.
    fn turn(&mut self, soon: &mut Vec<(Key, T)>) {
        let number = self.turning.trailing_zeros() as usize;
        let wheel = &mut self.wheels[number];
        let slot = wheel.occupied.trailing_zeros() as usize;
        wheel.occupied &= wheel.occupied - 1;
        if wheel.occupied == 0 {
            self.turning &= self.turning - 1;
        }
        let Slot { first, earliest } = std::mem::replace(&mut wheel.slots[slot], Slot::EMPTY);
        self.tick = tick_of(earliest);
        self.earliest = self.earliest_in_wheels();
        let mut next = first;
        while let Some(place) = self.places.get_mut(next as usize) {
            let (at, key) = (next, place.key);
            next = place.next;
            if tick_of(key) > self.tick {
                self.put_into_slot(key, at);
            } else if let Some(item) = place.item.take() {
                place.next = std::mem::replace(&mut self.free, at);
                soon.push((key, item));
            }
        }
        soon.sort_unstable_by(|(a, _), (b, _)| order(*b, *a));
    }

    fn earliest_in_wheels(&self) -> Key {
        match self.wheels.get(self.turning.trailing_zeros() as usize) {
            Some(wheel) => wheel.slots[wheel.occupied.trailing_zeros() as usize].earliest,
            None => Key::NEVER,
        }
    }
}

#[inline]
const fn tick_of(key: Key) -> u64 {
    key.at.0 >> TICK_BITS
}

/// Which of two keys comes first.
///
/// # Panics
/// If they are equal.
#[inline]
fn order(a: Key, b: Key) -> Ordering {
    match a.cmp(&b) {
        Ordering::Equal => panic!("two events with the number {}", a.id.0),
        order => order,
    }
}

#[inline]
fn is_earlier(a: Key, b: Key) -> bool {
    order(a, b) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    #[should_panic(expected = "two events with the number 7")]
    fn equal_keys_are_refused() {
        let mut queue = Queue::default();
        let key = Key { at: Time(1), id: EventId(7) };
        queue.push(key, ());
        queue.push(key, ());
        queue.pop();
    }

    #[test]
    fn the_end_of_time_can_wait() {
        let mut queue = Queue::default();
        let times = [u64::MAX, 0, 1 << 63, 1, u64::MAX - 1];
        for (id, at) in (0..).zip(times) {
            queue.push(Key { at: Time(at), id: EventId(id) }, at);
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|(_, at)| at).collect();
        assert_eq!(order, [0, 1, 1 << 63, u64::MAX - 1, u64::MAX]);
    }

    #[test]
    fn places_are_used_again() {
        let mut queue = Queue::default();
        for id in 0..10_000 {
            queue.push(Key { at: Time(id * 700), id: EventId(id) }, id);
            if id >= 100 {
                assert_eq!(queue.pop().map(|(_, item)| item), Some(id - 100));
            }
        }
        let places = queue.wheels.places.len();
        assert!((1..=101).contains(&places), "{places}");
    }

    #[test]
    fn what_is_far_off_does_not_stay_among_what_is_next() {
        let mut queue = Queue::default();
        for id in 0..1_000 {
            queue.push(Key { at: Time(id * 1_000_000), id: EventId(id) }, id);
        }
        assert!(queue.soon.len() <= 2 * FEW, "{}", queue.soon.len());
        for id in 1_000..2_000 {
            queue.push(Key { at: Time(id * 7), id: EventId(id) }, id);
        }
        assert!(queue.soon.len() <= 2 * FEW, "{}", queue.soon.len());
        let mut order: Vec<Key> = std::iter::from_fn(|| queue.pop()).map(|(key, _)| key).collect();
        assert!(order.is_sorted());
        order.dedup();
        assert_eq!(order.len(), 2_000);
    }

    proptest! {
        /// What is put in lies any distance ahead of what was taken out last, or, rarely, behind it.
        #[test]
        fn items_come_out_by_time_and_then_in_the_order_they_were_put_in(
            steps in prop::collection::vec(
                prop::option::weighted(0.6, (0_u32..40, any::<u64>())), 1..400
            )
        ) {
            let (mut queue, mut model) = (Queue::default(), BTreeSet::new());
            let mut now = 0_u64;
            for (id, step) in steps.into_iter().enumerate() {
                match step {
                    Some((magnitude, draw)) => {
                        let ahead = draw % (1 << magnitude);
                        let at = if draw % 50 == 7 { now / 2 } else { now + ahead };
                        let key = Key { at: Time(at), id: EventId(id as u64) };
                        queue.push(key, id);
                        model.insert(key);
                    }
                    None => {
                        let next = model.pop_first();
                        prop_assert_eq!(queue.peek(), next.unwrap_or(Key::NEVER));
                        prop_assert_eq!(queue.pop().map(|(key, _)| key), next);
                        now = next.map_or(now, |key| key.at.0.max(now));
                    }
                }
            }
            let rest = std::iter::from_fn(|| queue.pop()).map(|(key, _)| key);
            prop_assert!(rest.eq(model));
        }
    }
}
