//! Comparing times of virtual clusters with those of real ones.
#![allow(dead_code, reason = "each test uses its own part")]

use std::num::NonZeroUsize;

use redis_cluster_sim::scenario;
use redis_cluster_sim::scenario::record::Ending;
use redis_cluster_sim::sweep::{Distribution, Measure, Results, Sweep};
use redis_cluster_sim::time::Span;

/// How far a real extreme may lie outside of what was simulated: a real machine is late at times.
const SLACK_MS: u64 = 100;

/// How much later than a simulated one a real process begins to do anything: it has to be forked, loaded
/// and scheduled. Where a time is this short, per cents say nothing.
const EXEC_MS: u64 = 15;

/// What was measured on real clusters, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Real {
    pub(crate) min: u64,
    pub(crate) median: u64,
    pub(crate) p90: u64,
    pub(crate) max: u64,
    /// In how many runs; `None` for so many that chance does not matter.
    pub(crate) runs: Option<u32>,
}

/// A scenario on one host: the nodes, and what is done.
pub(crate) fn on_one_host(node_timeout: u64, cluster: &str, steps: &str) -> String {
    format!(
        r#"
        [config]
        cluster-node-timeout = {node_timeout}
        [network]
        latency = "50us..150us"
        [cluster]
        {cluster}
        [script]
        steps = [{steps}]
        "#
    )
}

/// Runs a scenario with these seeds; every run must go well.
#[track_caller]
pub(crate) fn sweep(scenario: &str, measures: &[&str], first: u64, count: u64) -> Results {
    let plan = scenario::load("sweep.toml", scenario.as_bytes(), &[])
        .unwrap_or_else(|rejected| panic!("{}", rejected.render()));
    let parse = |name: &&str| Measure::parse(name, &plan).unwrap_or_else(|bad| panic!("{bad:?}"));
    let measures: Vec<Measure> = measures.iter().map(parse).collect();
    let seeds = format!("{first}..{}", first + count - 1).parse().unwrap();
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let results = Sweep { plan: &plan, measures: &measures, seeds }.run(threads, &|| {}).unwrap();
    for run in &results.runs {
        assert_eq!(run.ending, Ending::Done, "seed {}: {:?}", run.seed.0, run.failure);
    }
    results
}

fn ms(span: Option<Span>) -> u64 {
    span.expect("it has occurred").as_millis()
}

/// What of real figures does not fit to simulated ones; empty if all does.
///
/// A median may be off by 7 %, a 90th percentile by 10 %, or else by as much as chance allows for so
/// few real runs; the extremes must lie within what was simulated.
pub(crate) fn misfits(ours: &Distribution, real: Real) -> Vec<String> {
    let mut misfits = Vec::new();
    let quantiles = [("median", 50, real.median, 7), ("p90", 90, real.p90, 10)];
    for (name, per_cent, theirs, band) in quantiles {
        let mine = ms(ours.percentile(per_cent));
        let off = mine.abs_diff(theirs);
        let in_band = off * 100 <= theirs * band;
        if !in_band && off <= EXEC_MS {
            println!("  {name}: {mine}, real {theirs}: outside of the band by less than an exec");
        }
        let near = in_band || off <= EXEC_MS;
        let by_chance = real.runs.is_some_and(|runs| is_chance(ours, per_cent, theirs, runs));
        if !near && by_chance {
            println!("  {name}: {mine}, real {theirs}: outside of the band, but within chance");
        }
        if !near && !by_chance {
            misfits.push(format!("{name}: {mine}, real {theirs}"));
        }
    }
    let (min, max) = (ms(ours.min()), ms(ours.max()));
    if real.min + SLACK_MS < min || real.max > max + SLACK_MS {
        misfits.push(format!("{min} to {max}, real {} to {}", real.min, real.max));
    }
    misfits
}

/// One line for a comparison.
pub(crate) fn describe(name: &str, ours: &Distribution, real: Real) -> String {
    let mine = [0, 50, 90, 100].map(|per_cent| ms(ours.percentile(per_cent)));
    let theirs = [real.min, real.median, real.p90, real.max];
    let runs = real.runs.map_or_else(String::new, |runs| format!(" in {runs} runs"));
    format!("{name}: {mine:?} in {}, real {theirs:?}{runs}", ours.count())
}

/// Whether so few runs like ours would show such a percentile, or one farther off, more than once in
/// a thousand times.
pub(crate) fn is_chance(ours: &Distribution, per_cent: usize, theirs: u64, runs: u32) -> bool {
    let rank = (runs as usize - 1) * per_cent / 100;
    let values = ours.values();
    let share = |count: usize| count as f64 / values.len() as f64;
    let below = share(values.iter().filter(|value| value.as_millis() < theirs).count());
    let not_above = share(values.iter().filter(|value| value.as_millis() <= theirs).count());
    // The percentile is not above `theirs` if more than `rank` runs are not.
    let low = at_least(rank + 1, runs, not_above);
    let high = 1.0 - at_least(rank + 1, runs, below);
    low.min(high) > 0.0005
}

/// The chance of at least `wanted` successes in so many tries.
fn at_least(wanted: usize, tries: u32, chance: f64) -> f64 {
    let mut weights = vec![1.0_f64];
    for _ in 0..tries {
        let mut next = vec![0.0; weights.len() + 1];
        for (successes, weight) in weights.iter().enumerate() {
            next[successes] += weight * (1.0 - chance);
            next[successes + 1] += weight * chance;
        }
        weights = next;
    }
    weights.iter().skip(wanted).sum()
}
