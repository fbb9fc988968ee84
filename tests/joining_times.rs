//! How long it takes until nodes that meet through one of them all know each other, compared with real
//! nodes.

mod bands;

use bands::sweep;
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
        steps = ["start all", "wait 1s..2s", {meets} "wait 60s"]
        "#
    )
}

#[track_caller]
fn assert_like_real(nodes: u64, node_timeout: u64, real_ms: u64) {
    let seeds = if nodes > 50 { 10 } else { 50 };
    let results = sweep(&join(nodes, node_timeout), &["known"], 0, seeds);
    let ours: Distribution = results.distribution(0);
    assert_eq!(ours.count() as u64, seeds, "all come to know each other");
    let at = |per_cent| ours.percentile(per_cent).unwrap().as_millis();
    println!("{nodes} nodes, {node_timeout} ms: {:?}, real {real_ms}", [0, 50, 90, 100].map(at));
    assert!(at(50).abs_diff(real_ms) * 100 <= real_ms * 15, "{} instead of {real_ms}", at(50));
}

#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_5_s() {
    assert_like_real(30, 5_000, 6_200);
}

#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_15_s() {
    assert_like_real(30, 15_000, 16_200);
}

#[test]
#[ignore = "many nodes: for a release build"]
fn a_hundred_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_15_s() {
    assert_like_real(100, 15_000, 17_300);
}
