//! How long it takes until nodes that meet through one of them all know each other, compared with real
//! nodes.

mod bands;

use bands::{on_one_host, sweep};
use redis_cluster_sim::sweep::Distribution;
use redis_cluster_sim::time::Span;

/// Nodes that are started one after the other and then all told to meet the first one, as the real
/// ones were.
fn join(nodes: u64, node_timeout: u64) -> String {
    let ports = 7_000..7_000 + nodes;
    let start = |port| format!("\"start {port}\", \"wait 5ms..15ms\",\n");
    let meet = |port| format!("\"redis-cli -p {port} cluster meet 127.0.0.1 7000\",\n");
    let starts: String = ports.clone().map(start).collect();
    let meets: String = ports.skip(1).map(meet).collect();
    let steps = format!(r#""wait 0s..1s", {starts} "wait 1500ms..2500ms", {meets} "wait 90s""#);
    on_one_host(node_timeout, &format!("masters = {nodes}"), &steps)
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

/// Compares the median with that of real clusters, whose times vary a lot.
#[track_caller]
fn assert_like_real(nodes: u64, node_timeout: u64, clusters: u64, real: &[u64]) {
    let real: Distribution = real.iter().map(|&ms| Span::millis(ms)).collect();
    let real = real.median().unwrap().as_millis();
    let ours = times(nodes, node_timeout, clusters).median().unwrap().as_millis();
    assert!(ours.abs_diff(real) * 100 <= real * 15, "{ours} instead of {real}");
}

/// 24 clusters of 6.2.3.
#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_5_s() {
    let real = [
        3_590, 3_620, 4_220, 5_280, 5_430, 5_510, 5_610, 6_000, 6_010, 6_220, 6_480, 6_860, 7_200,
        7_250, 7_350, 7_810, 8_120, 8_610, 8_810, 8_880, 9_380, 9_900, 9_910, 10_080,
    ];
    assert_like_real(30, 5_000, 200, &real);
}

/// 24 clusters of 6.2.3, and 16 of 6.2.14.
#[test]
#[ignore = "many nodes: for a release build"]
fn thirty_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_15_s() {
    let real = [
        9_160, 10_620, 15_840, 16_150, 16_460, 16_550, 16_680, 16_890, 18_170, 18_440, 19_350,
        20_170, 20_220, 21_430, 22_840, 23_090, 23_260, 23_750, 26_280, 26_690, 26_770, 30_900,
        31_730, 53_370, //
        11_910, 13_320, 14_980, 16_240, 16_320, 16_430, 16_640, 18_000, 20_430, 22_490, 23_210,
        23_360, 23_610, 25_750, 35_010, 38_290,
    ];
    assert_like_real(30, 15_000, 200, &real);
}

/// One cluster on a quiet machine. Twelve on two busy processors took 12 to 15 s or 20 to 23 s.
#[test]
#[ignore = "many nodes: for a release build"]
fn a_hundred_nodes_know_each_other_as_soon_as_real_ones_with_a_timeout_of_15_s() {
    assert_like_real(100, 15_000, 40, &[17_300]);
}
