//! Faults as scenarios bring them about, and what they do to clusters.

mod common;

use redis_cluster_sim::scenario;
use redis_cluster_sim::scenario::record::Ending;

/// Three masters in zones `a`, `b` and `c`, and a replica of each in the next zone.
const CLUSTER: &str = r#"
    [config]
    cluster-node-timeout = 2000
    [cluster]
    masters = 3
    replicas-per-master = 1
    formed = true
    zones = ["a", "b", "c"]
    [script]
    steps = "#;

/// How a script ended, what it printed, and what was wrong.
fn run(head: &str, steps: &[&str]) -> (Ending, String, String) {
    let text = format!("{head}{steps:?}\n");
    let plan = scenario::load("faults.toml", text.as_bytes(), &[])
        .unwrap_or_else(|rejected| panic!("{}", rejected.render()));
    let (printed, summary) = common::try_run(&plan);
    let failure = summary.failure.map(|failure| {
        let place = plan.source.text(&failure.span).to_owned();
        format!("{}: {} at `{place}`", failure.message, failure.label)
    });
    (summary.ending, printed, failure.unwrap_or_default())
}

#[track_caller]
fn goes_well(head: &str, steps: &[&str]) -> String {
    let (ending, printed, failure) = run(head, steps);
    assert_eq!(ending, Ending::Done, "{printed}\n{failure}");
    printed
}

#[track_caller]
fn fails(steps: &[&str], with: Ending, failure: &str) {
    let (ending, printed, said) = run(CLUSTER, steps);
    assert_eq!((ending, said.as_str()), (with, failure), "{printed}");
}

#[test]
fn a_zone_stands_for_its_nodes_and_keeps_replicas_from_their_masters() {
    goes_well(
        CLUSTER,
        &[
            "kill zone a",
            "expect 7000 stopped",
            "expect 7005 stopped", // the replica of 7002, which is in zone c
            "expect 7003 running", // that of 7000, in zone b
            "wait until 7003 info role = master within 10s",
            "wait until cluster ok within 10s",
        ],
    );
    goes_well(
        CLUSTER,
        &[
            "partition zone a | zone b zone c",
            "wait until 7001 sees 7000 fail within 10s",
            "expect 7001 sees 7005 fail",
            "expect 7001 sees 7002 ok",
            "heal",
            "wait until cluster ok within 1m",
        ],
    );
}

#[test]
fn a_host_dies_with_all_its_nodes() {
    let nodes: String = (7000..7006)
        .map(|port| format!("[[node]]\nport = {port}\nhost = \"h{}\"\n", (port - 7000) / 2))
        .collect();
    let head = format!("{nodes}\n[script]\nsteps = ");
    goes_well(
        &head,
        &[
            "start all",
            "kill host h1",
            "expect 7002 stopped",
            "expect 7003 stopped",
            "expect 7004 running",
        ],
    );
}

#[test]
fn nobody_hears_that_a_machine_has_lost_its_power() {
    let timeline = |verb: &str| {
        goes_well(
            CLUSTER,
            &[
                verb,
                "wait 500ms",
                "expect 7001 sees 7000 connected",
                "wait until 7001 sees 7000 fail",
            ],
        )
    };
    timeline("power-off 7000");
    let (ending, _, _) =
        run(CLUSTER, &["kill 7000", "wait 500ms", "expect 7001 sees 7000 connected"]);
    assert_eq!(ending, Ending::Unexpected, "a kernel that runs closes the sockets of the dead");
}

#[test]
fn one_path_is_mended_alone() {
    goes_well(
        CLUSTER,
        &[
            "cut 7001 7002 -> 7000",
            "cut 7000 -> 7001 7002",
            "wait until 7001 sees 7000 pfail within 10s",
            "heal 7001 -> 7000",
            "heal 7000 -> 7001",
            "wait until 7001 sees 7000 ok within 1m",
            "heal 7002 -> 7000", // which fails if it was mended, too
            "heal 7000 -> 7002",
        ],
    );
}

#[test]
fn a_clock_that_jumps_or_drifts_shows_in_the_log() {
    let steps = [
        "clock 7001 +1h",
        "clock 7002 drift 100000ppm",
        "wait 100s",
        "stop 7000 7001 7002",
        "log 7000 7001 7002",
    ];
    let text = format!("seed = 1\nstart = 2021-05-27T00:00:00Z\n{CLUSTER}");
    let printed = goes_well(&text, &steps);
    let times: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("User requested shutdown"))
        .map(|line| line.split_whitespace().nth(4).unwrap())
        .collect();
    let [right, jumped, drifted] = times[..] else { panic!("{printed}") };
    assert_eq!((&right[..4], &jumped[..4]), ("00:0", "01:0"));
    let seconds = |time: &str| {
        let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
        parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]
    };
    let gained = seconds(drifted) - seconds(right);
    assert!((9.8..10.3).contains(&gained), "a tenth of 100 s: {gained}");
}

#[test]
fn what_changes_nothing_cannot_be_done() {
    let impossible = |steps: &[&str], failure: &str| fails(steps, Ending::Impossible, failure);
    impossible(
        &["cut 7000 -> 7001", "wait 1s", "cut 7000 -> 7001"],
        "this cuts nothing: all of it is cut already at `cut 7000 -> 7001`",
    );
    impossible(
        &["partition zone a | rest", "wait 1s", "partition zone a | rest"],
        "this cuts nothing: all of it is cut already at `partition zone a | rest`",
    );
    impossible(
        &["partition zone a | rest", "wait 1s", "heal 7001 -> 7002"],
        "this mends nothing: nothing of it is cut at `heal 7001 -> 7002`",
    );
    impossible(
        &["delay 7000 -> 7001 0ms"],
        "this changes nothing: these paths are so already at `delay 7000 -> 7001 0ms`",
    );
    impossible(
        &["drop 0% 7000 -> 7001"],
        "this changes nothing: these paths are so already at `drop 0% 7000 -> 7001`",
    );
    impossible(
        &["clock 7000 drift 0ppm"],
        "this changes nothing: node 7000 has this pace already at `clock 7000 drift 0ppm`",
    );
}

#[test]
fn a_fault_that_nothing_met_has_failed() {
    let idle = "this fault has made no difference: nothing was sent there while it was so at ";
    fails(
        &["kill 7000 7001", "wait 30s", "cut 7000 -> 7001", "wait 30s"],
        Ending::Unexpected,
        &format!("{idle}`cut 7000 -> 7001`"),
    );
    fails(
        &["partition zone a | rest", "heal"],
        Ending::Unexpected,
        &format!("{idle}`partition zone a | rest`"),
    );
    fails(&["drop 5% 7000 -> 7001"], Ending::Unexpected, &format!("{idle}`drop 5% 7000 -> 7001`"));
    goes_well(CLUSTER, &["drop 7000 -> 7001 5%", "wait 3s"]);
}
