//! How many failovers a core gets through in a second: 3+3 nodes, SIGKILL of a master, a minute of
//! virtual time.
//!
//! Each iteration is a run of a sweep; items per second are seeds per second.

use std::num::NonZeroUsize;

use divan::counter::ItemsCount;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::scenario::{self, plan::Plan};
use redis_cluster_sim::sweep::{Measure, Seeds, Sweep};

const FAILOVER: &str = r#"
[config]
cluster-node-timeout = 2000
[cluster]
masters = 3
replicas-per-master = 1
formed = true
[script]
steps = ["wait 5s..6s", "kill 7000", "at +60s expect cluster ok"]
"#;

fn main() {
    divan::main();
}

fn failover() -> (Plan, Vec<Measure>) {
    let plan = scenario::load("failover", FAILOVER.as_bytes(), &[]).expect("it is right");
    let measures = Measure::all_of(&plan);
    (plan, measures)
}

#[divan::bench(sample_count = 20, sample_size = 20)]
fn one_run(bencher: divan::Bencher) {
    let (plan, measures) = failover();
    let seeds: Seeds = "0".parse().expect("a seed");
    let sweep = Sweep { plan: &plan, measures: &measures, seeds };
    let mut seed = 0;
    bencher.counter(ItemsCount::new(1_u64)).bench_local(|| {
        seed += 1;
        sweep.run_one(Seed(seed))
    });
}

#[divan::bench(args = [1, 2], sample_count = 5, sample_size = 1)]
fn two_hundred_runs_on_threads(bencher: divan::Bencher, threads: usize) {
    let (plan, measures) = failover();
    let seeds: Seeds = "0..199".parse().expect("seeds");
    let sweep = Sweep { plan: &plan, measures: &measures, seeds };
    let threads = NonZeroUsize::new(threads).expect("more than none");
    bencher
        .counter(ItemsCount::new(200_u64))
        .bench_local(|| sweep.run(threads, &|| {}).expect("threads start"));
}
