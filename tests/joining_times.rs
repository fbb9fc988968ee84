//! How long it takes until nodes that meet through one of them all know each other, compared with real
//! nodes.

mod bands;

use bands::{is_chance, sweep};
use redis_cluster_sim::sweep::Distribution;

/// Nodes that are all told to meet the first one.
fn join(nodes: u64, node_timeout: u64) -> String {
    let meet = |port| format!("\"redis-cli -p {port} cluster meet 127.0.0.1 7000\",\n");
    let meets: String = (7_001..7_000 + nodes).map(meet).collect();
    format!(
        r#"
        [config]
        cluster-node-timeout = {node_timeout}
        [network]
        latency = "50us..150us"
        [cluster]
        masters = {nodes}
        [script]
        steps = ["start all", "wait 1s..2s", {meets} "wait 90s"]
        "#
    )
}

/// The times of so many virtual clusters.
#[track_caller]
fn times(nodes: u64, node_timeout: u64, clusters: u64) -> Distribution {
    let ours = sweep(&join(nodes, node_timeout), &["known"], 0, clusters).distribution(0);
    assert_eq!(ours.count() as u64, clusters, "all come to know each other");
    let at = |per_cent| ours.percentile(per_cent).unwrap().as_millis();
    println!("{nodes} nodes, {node_timeout} ms: {:?}", [0, 25, 50, 75, 100].map(at));
    ours
}

#[track_caller]
fn assert_like_real(nodes: u64, node_timeout: u64, clusters: u64, real_ms: u64) {
    let median = times(nodes, node_timeout, clusters).median().unwrap().as_millis();
    assert!(median.abs_diff(real_ms) * 100 <= real_ms * 15, "{median} instead of {real_ms}");
}

#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_5_s() {
    assert_like_real(30, 5_000, 100, 6_200);
}

#[test]
#[ignore = "many nodes: for a release build"]
fn a_hundred_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_15_s() {
    assert_like_real(100, 15_000, 20, 17_300);
}

/// These times vary so much, from 8 to 40 s, that one real figure says little. The simulated median is
/// above the real ones by a sixth; six real runs do not tell whether that is chance.
#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_with_a_timeout_of_15_s_may_take_as_long_as_real_ones() {
    let real_ms = [16_240, 16_430, 16_640, 18_000, 20_430, 38_290];
    let ours = times(30, 15_000, 100);
    assert!(is_chance(&ours, 50, real_ms[2], real_ms.len() as u32));
    let (min, max) = (ours.min().unwrap().as_millis(), ours.max().unwrap().as_millis());
    assert!(real_ms.iter().all(|real| (min..=max).contains(real)), "{min} to {max}");
}
