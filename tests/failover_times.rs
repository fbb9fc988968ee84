//! How long a failover takes, measured on many virtual clusters and compared with real ones: 3+3
//! nodes on one host, SIGKILL of a master.

mod bands;

use bands::{Real, describe, misfits, on_one_host, sweep};
use redis_cluster_sim::sweep::Distribution;

/// For each master, and for each other master that looks at it: together a thousand.
const SEEDS: u64 = 167;

/// Kills a master at some moment. Real clusters were looked at through one of the other masters.
fn kill_a_master(node_timeout: u64, victim: u64) -> String {
    // All are up before a short timeout is over.
    let cluster = "masters = 3\nreplicas-per-master = 1\nformed = true\nspread = \"300ms\"";
    let steps = format!(r#""wait 13s..14s", "kill {}", "wait 10s""#, 7_000 + victim);
    on_one_host(node_timeout, cluster, &steps)
}

/// Compares with real clusters: PFAIL, FAIL, promotion, ok.
#[track_caller]
fn assert_like_real(node_timeout: u64, real: [(u64, u64, u64, u64); 4]) {
    let mut times: [Vec<_>; 4] = Default::default();
    for combination in 0..6 {
        let victim = combination % 3;
        let observer = 7_000 + (victim + 1 + combination / 3) % 3;
        let scenario = kill_a_master(node_timeout, victim);
        let (pfail, fail) =
            (format!("kill -> pfail by {observer}"), format!("kill -> fail by {observer}"));
        let measures = [&pfail, &fail, "promotion", "ok"];
        let results = sweep(&scenario, &measures, combination * SEEDS, SEEDS);
        for (measure, times) in times.iter_mut().enumerate() {
            times.extend(results.times(measure));
        }
    }
    let names = ["PFAIL", "FAIL", "promoted", "ok"];
    let mut wrong = Vec::new();
    for ((name, times), (min, median, p90, max)) in names.iter().zip(times).zip(real) {
        assert_eq!(times.len() as u64, 6 * SEEDS, "every cluster recovers");
        let ours: Distribution = times.into_iter().collect();
        let real = Real { min, median, p90, max, runs: None };
        println!("{}", describe(name, &ours, real));
        wrong.extend(misfits(&ours, real).into_iter().map(|misfit| format!("{name}: {misfit}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "a thousand failovers: for a release build"]
fn a_failover_takes_as_long_as_a_real_one_with_a_timeout_of_2_s() {
    assert_like_real(
        2_000,
        [
            (2_070, 2_660, 2_980, 3_010),
            (2_250, 2_940, 3_600, 3_710),
            (2_900, 3_780, 4_330, 4_670),
            (2_940, 3_800, 4_380, 4_720),
        ],
    );
}

#[test]
#[ignore = "a thousand failovers: for a release build"]
fn a_failover_takes_as_long_as_a_real_one_with_a_timeout_of_500_ms() {
    assert_like_real(
        500,
        [
            (510, 620, 750, 790),
            (620, 770, 900, 930),
            (1_290, 1_660, 1_860, 1_930),
            (1_340, 1_700, 1_910, 1_970),
        ],
    );
}
