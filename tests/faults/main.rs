//! Faults as scenarios bring them about, and what they do to clusters.

#[path = "../common/mod.rs"]
mod common;
mod composed;
mod disks;
mod measured;

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

#[test]
fn a_lost_fail_message_leaves_its_receiver_to_its_own_opinion() {
    let mut steps = vec![
        "kill 7000",
        "wait until 7001 sees 7000 fail within 10s",
        "wait 10ms",
        "expect 7004 sees 7000 fail",
    ];
    goes_well(CLUSTER, &steps);
    steps.splice(0..0, ["drop 1 FAIL 7001 7002 -> 7004"]);
    let (ending, printed, failure) = run(CLUSTER, &steps);
    assert_eq!(ending, Ending::Unexpected, "{printed}");
    assert!(failure.contains("`expect 7004 sees 7000 fail`"), "{failure}");
}

#[test]
fn a_held_message_is_released_once() {
    goes_well(CLUSTER, &["hold PING 7001 -> 7002", "wait 3s", "release 7001 -> 7002"]);
    fails(
        &["hold PING 7001 -> 7002", "wait 3s", "release 7001 -> 7002", "release 7001 -> 7002"],
        Ending::Impossible,
        "this releases nothing: nothing is held on this way now at `release 7001 -> 7002`",
    );
}

#[test]
fn what_was_to_be_hit_and_never_came_is_said_with_its_place() {
    let no = "this fault has made no difference";
    fails(
        &["drop 3 FAIL 7001 -> 7002", "wait 5s"],
        Ending::Unexpected,
        &format!("{no}: 3 of these messages were never sent at `drop 3 FAIL 7001 -> 7002`"),
    );
    fails(
        &["hold AUTH-REQ 7001 -> 7002", "wait 5s"],
        Ending::Unexpected,
        &format!("{no}: no such message was sent at `hold AUTH-REQ 7001 -> 7002`"),
    );
    fails(
        &["crash 7001 after vote", "wait 5s"],
        Ending::Unexpected,
        &format!("{no}: the node has never got to this point at `crash 7001 after vote`"),
    );
    fails(
        &["slow disk 7001 50ms", "wait 5s"],
        Ending::Unexpected,
        &format!("{no}: the node has synced nothing at `slow disk 7001 50ms`"),
    );
    fails(
        &["drop 3 PING 7001 -> 7002", "drop 1 PING 7001 -> 7002"],
        Ending::Impossible,
        "this cannot be done to node 7001: an earlier step waits for these messages already at \
         `drop 1 PING 7001 -> 7002`",
    );
    fails(
        &["crash 7001 after vote", "crash 7001 before save"],
        Ending::Impossible,
        "this cannot be done to node 7001: an earlier step waits for the node to get to a point \
         already at `crash 7001 before save`",
    );
}

#[test]
fn a_flapping_or_swizzled_network_is_whole_in_the_end() {
    goes_well(
        CLUSTER,
        &[
            "flap zone a | rest every 3s for 11s",
            "wait until cluster ok within 1m",
            "swizzle 7000 7001 7002 every 2s",
            "wait until cluster ok within 1m",
            "wait until nodes agree within 1m",
        ],
    );
}

/// 7001 votes for the replica of 7000 and dies at a point; what its nodes.conf says when it is back.
fn last_vote_after(fault: &str) -> String {
    let printed = goes_well(
        CLUSTER,
        &[
            "send on 7001 cluster saveconfig",
            fault,
            "kill 7000",
            "wait until 7001 stopped within 20s",
            "cat 7001/nodes.conf",
            "start 7001",
            "wait until 7003 info role = master within 1m",
        ],
    );
    let line = printed.lines().find(|line| line.starts_with("vars")).unwrap_or_default();
    line.split(' ').next_back().unwrap().to_owned()
}

#[test]
fn a_crash_between_voting_and_syncing_leaves_what_was_written_0_1_2() {
    assert_eq!(last_vote_after("crash 7001 after vote"), "0", "it forgets that it voted");
    assert_eq!(last_vote_after("crash 7001 before fsync"), "4", "the kernel has the file");
    assert_eq!(last_vote_after("power-off 7001 before fsync"), "0", "which is lost with the power");
    assert_eq!(last_vote_after("power-off 7001 before send AUTH-ACK"), "4", "it is on disk");
}

#[test]
fn a_vote_waits_for_a_slow_disk_0_1_2() {
    let promoted_after = |faults: &[&str]| {
        let mut steps = faults.to_vec();
        steps.extend(["kill 7000", "wait until 7001 sees 7000 fail within 10s"]);
        steps.extend(["wait until 7003 info role = master within 20s", "log 7001 7003"]);
        let printed = goes_well(CLUSTER, &steps);
        let at = |text: &str| {
            let line = printed.lines().find(|line| line.contains(text)).unwrap();
            let time = line.split_whitespace().nth(4).unwrap();
            let seconds: f64 = time.rsplit_once(':').unwrap().1.parse().unwrap();
            (seconds * 1_000.0) as u64
        };
        at("Failover election won") - at("Failover auth granted")
    };
    assert!(promoted_after(&[]) < 10);
    let slow = promoted_after(&["slow disk 7001 7002 300ms"]);
    assert!((300..320).contains(&slow), "{slow}");
}

#[test]
fn a_node_without_its_nodes_conf_is_another_node() {
    let printed = goes_well(
        CLUSTER,
        &[
            "redis-cli -p 7000 cluster saveconfig",
            "redis-cli -p 7000 cluster myid",
            "kill 7000",
            "lose nodes.conf 7000",
            "start 7000",
            "redis-cli -p 7000 cluster myid",
            "expect 7000 knows 1",
        ],
    );
    let ids: Vec<&str> =
        printed.lines().filter(|line| line.starts_with('"') || line.len() == 40).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{printed}");
}

#[test]
fn a_node_with_a_torn_nodes_conf_refuses_to_start() {
    let (ending, printed, failure) = run(
        CLUSTER,
        &["send on 7000 cluster saveconfig", "kill 7000", "tear nodes.conf 7000", "start 7000"],
    );
    assert_eq!(ending, Ending::Impossible, "{printed}");
    assert!(failure.contains("Unrecoverable error: corrupted cluster config file"), "{failure}");
}

#[test]
fn a_node_that_was_moved_is_found_at_its_new_address() {
    goes_well(
        CLUSTER,
        &[
            "kill 7003",
            "move 7003 to 10.0.0.9",
            "start 7003",
            "wait until on 7001 cluster nodes contains 10.0.0.9:7003 within 20s",
            "wait until 7001 sees 7003 connected within 1s",
            "expect on 7003 ping = PONG",
        ],
    );
    fails(
        &["kill 7003 7004", "move 7004 to 127.0.0.1:7003", "start 7004", "start 7003"],
        Ending::Impossible,
        "this cannot be done to node 7003: another node that runs has this address at `start 7003`",
    );
    fails(
        &["kill 7003", "move 7003 to 127.0.0.1:7001"],
        Ending::Impossible,
        "this cannot be done to node 7003: another node that runs has this address at `move 7003 to \
         127.0.0.1:7001`",
    );
}
