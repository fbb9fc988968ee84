//! How long a failover takes, measured on many virtual clusters and compared with real ones: 3+3
//! nodes on one host, SIGKILL of a random master.

mod virtual_cluster;

use rayon::prelude::*;
use redis_cluster_sim::node::effect::Notice;
use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::world::NodeNo;
use virtual_cluster::{Cluster, Plan};

/// As many as fit into a minute.
const SEEDS: u64 = if cfg!(debug_assertions) { 250 } else { 1_000 };

/// Milliseconds from the kill of a master.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// Another master has it in PFAIL.
    pfail: u64,
    /// The same master has it in FAIL.
    fail: u64,
    /// Its replica has won.
    promoted: u64,
    /// The cluster is ok for all nodes that live.
    ok: u64,
}

/// Median and 90th percentile, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Measure {
    median: u64,
    p90: u64,
}

/// Kills a master of a 3+3 cluster at some moment and waits until all is well again.
fn kill_a_master(seed: u64, node_timeout: i64) -> Times {
    let plan = Plan { seed, node_timeout, ..Plan::default() };
    // All are up before a short timeout is over.
    let mut cluster = plan.form_as(|formation| formation.spread = Span::millis(300));
    cluster.run(Span::secs(15) + Span::micros(seed * 7_919 % 1_000_000));
    let victim = (seed % 3) as u32;
    let observer = NodeNo((victim + 1 + (seed / 3 % 2) as u32) % 3);
    let since = cluster.world.now();
    cluster.world.kill(NodeNo(victim)).unwrap();
    cluster.run(Span::secs(10));
    let noticed = |wanted: fn(Notice) -> bool| {
        let seen = cluster.seen.borrow();
        let mut notices = seen.notices.iter().filter(|(at, ..)| *at >= since);
        notices.find(|(_, node, notice)| *node == observer && wanted(*notice)).map(|it| it.0)
    };
    let fail = noticed(|notice| matches!(notice, Notice::Fail(_)));
    // Whoever hears of FAIL first is never in doubt.
    let pfail = noticed(|notice| matches!(notice, Notice::Pfail(_))).min(fail).or(fail);
    let ms = |at: Option<Time>| at.expect("the cluster recovers").since(since).as_millis();
    Times {
        pfail: ms(pfail),
        fail: ms(fail),
        promoted: ms(cluster.said(victim + 3, since, "Failover election won")),
        ok: ms(last_ok(&cluster, since)),
    }
}

fn last_ok(cluster: &Cluster, since: Time) -> Option<Time> {
    let seen = cluster.seen.borrow();
    let ok = |notice: Notice| matches!(notice, Notice::State { ok: true });
    let times = seen.notices.iter().filter(|(at, _, notice)| *at >= since && ok(*notice));
    times.map(|it| it.0).max()
}

/// One of the times.
type What = fn(&Times) -> u64;

fn measure(times: &[Times], what: What) -> Measure {
    let mut values: Vec<u64> = times.iter().map(what).collect();
    values.sort_unstable();
    let at = |per_cent: usize| values[(values.len() - 1) * per_cent / 100];
    Measure { median: at(50), p90: at(90) }
}

/// Compares with real clusters: PFAIL, FAIL, promotion, ok.
#[track_caller]
fn assert_like_real(node_timeout: i64, real: [(u64, u64); 4]) {
    let run = |seed| kill_a_master(seed, node_timeout);
    let times: Vec<Times> = (0..SEEDS).into_par_iter().map(run).collect();
    let ours: [(&str, What); 4] = [
        ("PFAIL", |times| times.pfail),
        ("FAIL", |times| times.fail),
        ("promoted", |times| times.promoted),
        ("ok", |times| times.ok),
    ];
    for ((name, what), (median, p90)) in ours.into_iter().zip(real) {
        let ours = measure(&times, what);
        println!("{name}: {ours:?}, real: median {median}, p90 {p90}");
        assert!(ours.median.abs_diff(median) * 100 <= median * 7, "{name}: {ours:?}");
        assert!(ours.p90.abs_diff(p90) * 100 <= p90 * 10, "{name}: {ours:?}");
    }
}

#[test]
#[ignore = "a thousand failovers: for a release build"]
fn a_failover_takes_as_long_as_a_real_one_with_a_timeout_of_2_s() {
    assert_like_real(2_000, [(2_660, 2_980), (2_940, 3_600), (3_780, 4_330), (3_800, 4_380)]);
}

#[test]
#[ignore = "a thousand failovers: for a release build"]
fn a_failover_takes_as_long_as_a_real_one_with_a_timeout_of_500_ms() {
    assert_like_real(500, [(620, 750), (770, 900), (1_660, 1_860), (1_700, 1_910)]);
}
