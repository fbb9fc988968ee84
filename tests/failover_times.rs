//! How long a failover takes, measured on many virtual clusters and compared with real ones on one
//! host: SIGKILL of one of three masters, and other faults of other clusters.

mod bands;

use bands::{Real, describe, misfits, on_one_host, sweep};
use redis_cluster_sim::sweep::Distribution;
use redis_cluster_sim::time::Span;

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

/// Failovers and crashes of other clusters: a line for each real one, a column for each time, in
/// milliseconds.
const REAL: &str = include_str!("data/failovers.csv");

/// Columns of `REAL` that count from the first fault on, and the events that they tell of.
const SINCE_FAULT: [(&str, &str); 7] = [
    ("pfail-first", "pfail first"),
    ("pfail-last", "pfail last"),
    ("fail-first", "fail first"),
    ("fail-last", "fail last"),
    ("election", "election first"),
    ("promotion", "promotion first"),
    ("ok", "ok last"),
];

/// The same for those that count from its end on.
const SINCE_END: [(&str, &str); 3] = [
    ("cleared-first", "cleared first"),
    ("cleared-last", "cleared last"),
    ("restart-ok", "ok self"),
];

/// A cluster that redis-cli makes, and what is done to it at some moment.
struct Case {
    /// What the real figures call it.
    name: &'static str,
    node_timeout: u64,
    masters: u64,
    replicas_per_master: u64,
    /// The first fault.
    fault: &'static str,
    /// What ends it, if anything does.
    end: Option<&'static str>,
    steps: &'static str,
    clusters: u64,
}

/// How many virtual clusters there are for a case: more where a rare time was met by a real one.
const CLUSTERS: u64 = 300;
const MANY_CLUSTERS: u64 = 800;

impl Case {
    fn scenario(&self) -> String {
        let nodes = self.masters * (1 + self.replicas_per_master);
        let addresses: String =
            (7_000..7_000 + nodes).map(|port| format!(" 127.0.0.1:{port}")).collect();
        // Like the real ones, they all start together, and are left alone until all replicas are there.
        let steps = format!(
            r#"
            "wait 0s..1s",
            "start all",
            "redis-cli --cluster create{addresses} --cluster-replicas {} --cluster-yes",
            "wait until cluster ok within 30s",
            "wait 6s..13s",
            {}
            "#,
            self.replicas_per_master, self.steps
        );
        on_one_host(self.node_timeout, &format!("masters = {nodes}"), &steps)
    }

    /// The real times of a column.
    fn real(&self, column: &str) -> Distribution {
        let mut lines = REAL.lines().filter(|line| !line.starts_with('#'));
        let place = lines.next().unwrap().split(',').position(|name| name == column);
        let place = place.unwrap_or_else(|| panic!("no column {column}"));
        lines
            .map(|line| line.split(',').collect::<Vec<_>>())
            .filter(|fields| fields[0] == self.name && !fields[place].is_empty())
            .map(|fields| Span::millis(fields[place].parse().unwrap()))
            .collect()
    }

    #[track_caller]
    fn assert_like_real(&self) {
        let since_fault = SINCE_FAULT.iter().map(|to| (self.fault, to));
        let since_end =
            self.end.into_iter().flat_map(|end| SINCE_END.iter().map(move |to| (end, to)));
        let known: Vec<(&str, String, Distribution)> = since_fault
            .chain(since_end)
            .map(|(from, (column, to))| (*column, format!("{from} -> {to}"), self.real(column)))
            .filter(|(_, _, real)| real.count() > 0)
            .collect();
        assert!(!known.is_empty(), "nothing is known of {}", self.name);
        let measures: Vec<&str> = known.iter().map(|(_, measure, _)| measure.as_str()).collect();
        let results = sweep(&self.scenario(), &measures, 0, self.clusters);
        let mut wrong = Vec::new();
        for (number, (column, _, real)) in known.iter().enumerate() {
            let at = |per_cent| real.percentile(per_cent).unwrap().as_millis();
            let [min, median, p90, max] = [0, 50, 90, 100].map(at);
            let real = Real { min, median, p90, max, runs: Some(real.count() as u32) };
            let ours = results.distribution(number);
            println!("{} {}", self.name, describe(column, &ours, real));
            let misfits = misfits(&ours, real);
            wrong.extend(misfits.into_iter().map(|misfit| format!("{column}: {misfit}")));
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
#[ignore = "800 failovers: for a release build"]
fn five_masters_notice_and_replace_a_dead_one_as_fast_as_real_ones() {
    Case {
        name: "one-of-five",
        node_timeout: 1_000,
        masters: 5,
        replicas_per_master: 1,
        fault: "kill",
        end: None,
        steps: r#""let victim = any master", "kill {victim}", "wait 5s""#,
        clusters: MANY_CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 failovers: for a release build"]
fn seven_masters_notice_and_replace_a_dead_one_as_fast_as_real_ones() {
    Case {
        name: "one-of-seven",
        node_timeout: 5_000,
        masters: 7,
        replicas_per_master: 1,
        fault: "kill",
        end: None,
        steps: r#""let victim = any master", "kill {victim}", "wait 13s""#,
        clusters: CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 failovers: for a release build"]
fn the_first_of_two_replicas_takes_over_as_soon_as_a_real_one() {
    Case {
        name: "two-replicas",
        node_timeout: 1_500,
        masters: 3,
        replicas_per_master: 2,
        fault: "kill",
        end: None,
        // Long enough for a second attempt.
        steps: r#""let victim = any master", "kill {victim}", "wait 13s""#,
        clusters: CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 failovers: for a release build"]
fn a_frozen_master_is_replaced_and_comes_back_as_soon_as_a_real_one() {
    Case {
        name: "frozen",
        node_timeout: 3_000,
        masters: 3,
        replicas_per_master: 1,
        fault: "pause",
        end: Some("resume"),
        steps: r#""let victim = any master", "pause {victim}", "wait 15s", "resume {victim}", "wait 1s""#,
        clusters: CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 failovers: for a release build"]
fn a_master_that_dies_with_a_replica_of_another_is_replaced_as_soon_as_a_real_one() {
    Case {
        name: "with-a-replica",
        node_timeout: 2_000,
        masters: 3,
        replicas_per_master: 1,
        fault: "kill",
        end: None,
        steps: r#"
            "let victim = owner of slot 0",
            "let other = owner of slot 8192",
            "let too = replica of {other}",
            "kill {victim} {too}",
            "wait 10s"
        "#,
        clusters: CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 crashes: for a release build"]
fn four_masters_notice_and_forget_a_crash_as_fast_as_real_ones() {
    Case {
        name: "one-of-four",
        node_timeout: 800,
        masters: 4,
        replicas_per_master: 0,
        fault: "segfault",
        end: Some("restart"),
        steps: r#""let victim = any master", "segfault {victim}", "wait 4s", "restart {victim}", "wait 3s""#,
        clusters: CLUSTERS,
    }
    .assert_like_real();
}

#[test]
#[ignore = "300 restarts: for a release build"]
fn a_master_that_is_back_at_once_is_ok_as_soon_as_a_real_one_and_nobody_takes_over() {
    let case = Case {
        name: "back-at-once",
        node_timeout: 1_000,
        masters: 3,
        replicas_per_master: 1,
        fault: "kill",
        end: Some("restart"),
        steps: r#""let victim = any master", "kill {victim}", "wait 100ms", "restart {victim}", "wait 5s""#,
        clusters: CLUSTERS,
    };
    case.assert_like_real();
    let noticed = sweep(&case.scenario(), &["kill -> pfail", "promotion"], 0, 100);
    assert_eq!([0, 1].map(|number| noticed.times(number).count()), [0, 0]);
}
