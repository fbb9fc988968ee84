//! The same scenario and seed give the same bytes, always; another seed gives other timings and the
//! same end.

mod common;

use std::process::Command;

use redis_cluster_sim::scenario::plan::Plan;
use redis_cluster_sim::scenario::record::Summary;

const SCENARIOS: [&str; 6] = [
    "scenarios/tutorial.toml",
    "scenarios/partition.toml",
    "scenarios/reshard.toml",
    "scenarios/redis-suite/03-failover-loop.toml",
    "scenarios/redis-suite/10-manual-failover.toml",
    "scenarios/minority_with_clients.toml",
];

fn fingerprint(summary: &Summary) -> String {
    redis_cluster_sim::report::stats::fingerprint(summary.fingerprint)
}

#[test]
fn a_run_repeats_itself_in_one_process() {
    for name in SCENARIOS {
        let plan = common::load(name, &[]);
        let (first, second) = (common::run(&plan), common::run(&plan));
        assert_eq!(first.0, second.0, "{name}");
        assert_eq!(fingerprint(&first.1), fingerprint(&second.1), "{name}");
    }
}

#[test]
fn a_run_repeats_itself_in_another_process() {
    for name in SCENARIOS {
        let (text, summary) = common::run(&common::load(name, &[]));
        let output = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(["run", name, "--stats"])
            .current_dir(common::path(""))
            .output()
            .unwrap();
        assert_eq!(text, String::from_utf8(output.stdout).unwrap(), "{name}");
        let stats = String::from_utf8(output.stderr).unwrap();
        assert!(stats.contains(&fingerprint(&summary)), "{name}: {stats}");
    }
}

#[test]
fn looking_at_a_run_does_not_change_it() {
    let name = SCENARIOS[0];
    let (_, summary) = common::run(&common::load(name, &[]));
    for options in [vec!["--quiet"], vec!["--log", "all"], vec!["--format", "json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(["run", name, "--stats"])
            .args(&options)
            .current_dir(common::path(""))
            .output()
            .unwrap();
        let stats = String::from_utf8(output.stderr).unwrap();
        assert!(stats.contains(&fingerprint(&summary)), "{options:?}: {stats}");
    }
}

/// A scenario in which nobody looks at anything but the end.
fn ends_with(seed: u64) -> (String, Summary) {
    let text = r#"
        [config]
        cluster-node-timeout = 3000
        [cluster]
        masters = 3
        formed = true
        [script]
        steps = [
          "redis-cli -c -p 7000 set key Hello",
          "segfault 7002",
          "wait until cluster fail",
          "restart 7002",
          "wait until cluster ok",
          "wait until 7000 sees 7002 ok",
          "wait until 7001 sees 7002 ok",
          "expect nodes agree",
          "expect 7000 cluster_slots_ok 16384",
          "expect 7000 cluster_current_epoch 3",
        ]
    "#;
    let overrides = [format!("seed={seed}")];
    let plan: Plan =
        redis_cluster_sim::scenario::load("inline", text.as_bytes(), &overrides).unwrap();
    common::run(&plan)
}

#[test]
fn another_seed_gives_other_timings_and_the_same_end() {
    let runs: Vec<(String, Summary)> = (1..=5).map(ends_with).collect();
    let mut fingerprints: Vec<String> =
        runs.iter().map(|(_, summary)| fingerprint(summary)).collect();
    fingerprints.sort();
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 5);
    let mut texts: Vec<&String> = runs.iter().map(|(text, _)| text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 5, "the times that are printed differ");
}
