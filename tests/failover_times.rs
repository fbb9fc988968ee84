//! How long a failover takes, measured on many virtual clusters and compared with real ones.

mod virtual_cluster;

use rayon::prelude::*;
use redis_cluster_sim::node::effect::Notice;
use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::world::NodeNo;
use virtual_cluster::{Cluster, Plan};

/// Milliseconds from the kill of a master.
#[derive(Debug, Clone, Copy)]
struct Times {
    pfail: u64,
    fail: u64,
    promoted: u64,
    ok: u64,
}

/// Kills a master of a 3+3 cluster at some moment and waits until all is well again.
fn kill_a_master(seed: u64, node_timeout: i64) -> Times {
    let plan = Plan { seed, node_timeout, logs: true, ..Plan::default() };
    let mut cluster = plan.form_as(|formation| formation.spread = Span::millis(300));
    cluster.run(Span::secs(15) + Span::micros(seed * 7_919 % 1_000_000));
    let victim = (seed % 3) as u32;
    let since = cluster.world.now();
    cluster.world.kill(NodeNo(victim)).unwrap();
    cluster.run(Span::secs(10));
    let observer = NodeNo((victim + 1 + (seed / 3 % 2) as u32) % 3);
    let ms = |at: Option<Time>| at.expect("it recovers").since(since).as_millis();
    let notice = |of: NodeNo, wanted: fn(Notice) -> bool| {
        let seen = cluster.seen.borrow();
        seen.notices
            .iter()
            .find(|(at, node, n)| *at >= since && *node == of && wanted(*n))
            .map(|n| n.0)
    };
    let fail = notice(observer, |n| matches!(n, Notice::Fail(_)));
    Times {
        pfail: ms(notice(observer, |n| matches!(n, Notice::Pfail(_))).or(fail)),
        fail: ms(fail),
        promoted: ms(cluster.said(victim + 3, since, "Failover election won")),
        ok: ms(last_ok(&cluster, since)),
    }
}

fn last_ok(cluster: &Cluster, since: Time) -> Option<Time> {
    let seen = cluster.seen.borrow();
    let ok = |n: Notice| matches!(n, Notice::State { ok: true });
    seen.notices.iter().filter(|(at, _, n)| *at >= since && ok(*n)).map(|n| n.0).max()
}

/// Minimum, median, 90th percentile and maximum.
fn summary(mut values: Vec<u64>) -> [u64; 4] {
    values.sort_unstable();
    let at = |per_cent: usize| values[(values.len() - 1) * per_cent / 100];
    [at(0), at(50), at(90), at(100)]
}

fn measure(seeds: u64, node_timeout: i64) -> [[u64; 4]; 4] {
    let times: Vec<Times> =
        (0..seeds).into_par_iter().map(|seed| kill_a_master(seed, node_timeout)).collect();
    let of = |what: fn(&Times) -> u64| summary(times.iter().map(what).collect());
    [of(|t| t.pfail), of(|t| t.fail), of(|t| t.promoted), of(|t| t.ok)]
}

fn print(measured: [[u64; 4]; 4], real: [[u64; 4]; 4]) {
    for (name, (m, r)) in ["pfail", "fail", "promoted", "ok"].iter().zip(measured.iter().zip(real))
    {
        println!(
            "{name:9} {m:?} real {r:?} median {:+.1} % p90 {:+.1} %",
            (m[1] as f64 / r[1] as f64 - 1.0) * 100.0,
            (m[2] as f64 / r[2] as f64 - 1.0) * 100.0
        );
    }
}

#[test]
fn times_2000() {
    print(
        measure(1000, 2_000),
        [
            [2_070, 2_660, 2_980, 3_010],
            [2_250, 2_940, 3_600, 3_710],
            [2_900, 3_780, 4_330, 4_670],
            [2_940, 3_800, 4_380, 4_720],
        ],
    );
}

#[test]
fn times_500() {
    print(
        measure(1000, 500),
        [
            [510, 620, 750, 790],
            [620, 770, 900, 930],
            [1_290, 1_660, 1_860, 1_930],
            [1_340, 1_700, 1_910, 1_970],
        ],
    );
}
