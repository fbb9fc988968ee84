//! How fast a cluster runs while clients use it: 3+3 nodes, 200 writes per second and several faults.
//!
//! Items per second are virtual seconds per second.

use divan::counter::ItemsCount;
use redis_cluster_sim::scenario::record::{Ending, Silence};
use redis_cluster_sim::scenario::{self, plan::Plan, runner};

/// Ten minutes in which two masters die, one is cut off, one is slow, and one stands still.
const FAULTS: &str = r#"
[config]
cluster-node-timeout = 2000
[cluster]
masters = 3
replicas-per-master = 1
formed = true
[[workload]]
name = "shop"
clients = 2
rate = 100
started = true
[script]
steps = [
  "at +30s kill 7000",
  "at +90s start 7000",
  "at +150s partition 7001 | rest",
  "at +180s heal",
  "at +240s pause 7002",
  "at +270s resume 7002",
  "at +330s delay 7003 -> 7004 20ms..80ms",
  "at +390s kill 7003",
  "at +420s start 7003",
  "at +480s drop 5% 7003 -> 7004",
  "at +600s expect cluster ok",
]
"#;
const SECONDS: u64 = 600;

fn main() {
    divan::main();
}

fn run(plan: &Plan) -> u64 {
    let summary = runner::run(plan, &runner::Options::default(), &mut Silence).summary;
    assert_eq!(summary.ending, Ending::Done, "{:?}", summary.failure);
    summary.stats.commands
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn two_hundred_writes_per_second_and_faults(bencher: divan::Bencher) {
    let plan = scenario::load("faults", FAULTS.as_bytes(), &[]).expect("it is right");
    bencher.counter(ItemsCount::new(SECONDS)).bench_local(|| run(&plan));
}
