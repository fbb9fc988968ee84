//! The event queue by itself, in the hold model: take the earliest event, put one back in some time
//! later. Delays are those of a cluster: messages in flight, crons, time limits.

use divan::counter::ItemsCount;
use redis_cluster_sim::rng::{Purpose, Seed};
use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::world::lane::Lane;
use redis_cluster_sim::world::queue::{EventId, Key, Queue};

fn main() {
    divan::main();
}

const HOLDS: u64 = 10_000;

/// Delays to draw from: mostly latencies, some time limits.
fn delays() -> Vec<Span> {
    let mut draws = Seed(1).small_stream(Purpose::Latency, 0, 0);
    (0..4_096)
        .map(|n| match n % 10 {
            0 => draws.span(Span::millis(1), Span::secs(15)),
            _ => draws.span(Span::micros(200), Span::millis(1)),
        })
        .collect()
}

#[divan::bench(args = [10, 1_000, 10_000, 100_000, 1_000_000])]
fn hold(bencher: divan::Bencher, pending: u64) {
    let delays = delays();
    let (mut queue, mut next) = (Queue::default(), 0);
    let mut push = |queue: &mut Queue<[u64; 4]>, now: Time| {
        next += 1;
        let at = now + delays[next as usize % delays.len()];
        queue.push(Key { at, id: EventId(next) }, [next; 4]);
    };
    (0..pending).for_each(|_| push(&mut queue, Time::ZERO));
    bencher.counter(ItemsCount::new(HOLDS)).bench_local(|| {
        for _ in 0..HOLDS {
            if let Some((key, _)) = queue.pop() {
                push(&mut queue, key.at);
            }
        }
    });
}

#[divan::bench(args = [10, 1_000, 10_000])]
fn hold_ticks(bencher: divan::Bencher, pending: u64) {
    let mut draws = Seed(1).small_stream(Purpose::Loop, 0, 0);
    let (mut lane, mut next) = (Lane::default(), 0);
    let mut push = |lane: &mut Lane<u64>, at: Time| {
        next += 1;
        lane.push(Key { at, id: EventId(next) }, next);
    };
    (0..pending).for_each(|n| push(&mut lane, Time(n * 100_000 / pending)));
    bencher.counter(ItemsCount::new(HOLDS)).bench_local(|| {
        for _ in 0..HOLDS {
            if let Some((key, _)) = lane.pop() {
                let period = draws.span(Span::micros(100_300), Span::micros(100_800));
                push(&mut lane, key.at + period);
            }
        }
    });
}
