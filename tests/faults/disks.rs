//! What is left on a disk when a process is killed, the power fails, or an old copy is put back.

use redis_cluster_sim::scenario::record::Ending;

use crate::{fails, goes_well, run};

/// Three masters and a replica of each, with an append-only file that is synced in some way.
fn cluster(appendfsync: &str, disk: &str) -> String {
    format!(
        r#"
        [config]
        cluster-node-timeout = 2000
        appendonly = true
        appendfsync = "{appendfsync}"
        save = ""
        [disk]
        {disk}
        [cluster]
        masters = 3
        replicas-per-master = 1
        formed = true
        [script]
        steps = "#
    )
}

/// How many of three writes are left when the power fails right after the last one.
fn left(appendfsync: &str, disk: &str) -> usize {
    let printed = goes_well(
        &cluster(appendfsync, disk),
        &[
            "send via 7000 set {06S}first v",
            "wait 2500ms",
            "send via 7000 set {06S}second v",
            "send via 7000 set {06S}third v",
            "power-off 7000 7003",
            "start 7000",
            "redis-cli -p 7000 dbsize",
        ],
    );
    let size = printed.lines().find_map(|line| line.strip_prefix("(integer) "));
    size.unwrap().parse().unwrap()
}

#[test]
fn a_power_failure_loses_of_the_append_only_file_what_was_not_synced() {
    assert_eq!(left("always", ""), 3);
    assert_eq!(left("everysec", ""), 2, "the last write came in the second of the one before");
    assert_eq!(left("no", ""), 0);
}

#[test]
fn a_power_failure_that_loses_nothing_and_a_disk_that_lies_are_a_matter_of_switches() {
    assert_eq!(left("no", "loses-unsynced = false"), 3);
    assert_eq!(left("always", "syncs = false"), 0);
}

#[test]
fn a_kill_loses_nothing_of_the_append_only_file() {
    goes_well(
        &cluster("no", ""),
        &["send via 7000 set {06S}k v", "kill 7000", "start 7000", "expect 7000 {06S}k = v"],
    );
}

/// 7001 loses its power after it has voted and written that, and before it has synced it.
const POWER_FAILS: [&str; 5] = [
    "send on 7001 cluster saveconfig",
    "power-off 7001 before fsync",
    "kill 7000",
    "wait until 7001 stopped within 20s",
    "start 7001",
];

#[test]
fn a_torn_write_is_found_at_the_next_start() {
    goes_well(&cluster("always", ""), &POWER_FAILS);
    let (ending, printed, failure) = run(&cluster("always", "torn-writes = true"), &POWER_FAILS);
    assert_eq!(ending, Ending::Impossible, "{printed}");
    assert!(failure.contains("corrupted cluster config file"), "{failure}");
}

#[test]
fn output_that_does_not_wait_for_the_disk_has_left_before_the_vote_is_on_it_0_1_2() {
    let won = |disk: &str| {
        let steps = [&POWER_FAILS[1..4], &["wait 1s", "log 7003"]].concat();
        let printed = goes_well(&cluster("always", disk), &steps);
        printed.contains("Failover election won")
    };
    assert!(!won("save-first = true"), "7001 has died before its vote left");
    assert!(won("save-first = false"), "its vote counts, and it will not remember it");
}

#[test]
fn all_disks_may_be_slow_from_the_beginning() {
    let promoted = |disk: &str| {
        goes_well(
            &cluster("everysec", disk),
            &["kill 7000", "wait until 7001 sees 7000 fail", "wait until 7003 info role = master"],
        )
    };
    let fast = promoted("");
    let slow = promoted("sync-takes = \"300ms\"");
    let took = |printed: &str| {
        let line = printed.lines().find(|line| line.contains("role = master")).unwrap().to_owned();
        line.rsplit_once('(').unwrap().1.trim_end_matches("s)").parse::<f64>().unwrap()
    };
    assert!(took(&slow) > took(&fast) + 0.3, "{fast}{slow}");
}

#[test]
fn a_disk_that_is_slow_no_more_is_as_all_disks_are() {
    let steps = |takes: &[&str]| -> Vec<String> {
        let save = "send on 7000 cluster saveconfig".to_owned();
        let slow = |takes: &&str| [format!("slow disk 7000 {takes}"), save.clone()];
        [save.clone()].into_iter().chain(takes.iter().flat_map(slow)).collect()
    };
    let took = |disk: &str, takes: &[&str]| -> Vec<u64> {
        let steps = steps(takes);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let printed = goes_well(&cluster("everysec", disk), &steps);
        let saves = printed.lines().filter(|line| line.contains("saveconfig"));
        let millis = |line: &str| {
            let took = line.rsplit_once('(').and_then(|(_, took)| took.strip_suffix("ms)"));
            took.map_or(0, |took| took.parse::<u64>().unwrap())
        };
        // The network takes the rest.
        saves.map(|line| millis(line) / 10 * 10).collect()
    };
    assert_eq!(took("", &["200ms", "0ms"]), [0, 200, 0]);
    let default = "sync-takes = \"50ms\"";
    assert_eq!(took(default, &["200ms", "0ms", "90ms"]), [50, 200, 50, 90]);

    let vain = |disk: &str, takes: &[&str], already: &str| {
        let steps = steps(takes);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let (ending, printed, failure) = run(&cluster("everysec", disk), &steps);
        let last = takes.last().unwrap();
        let said = format!(
            "this changes nothing: a sync of node 7000 takes {already} already at `slow disk 7000 {last}`"
        );
        assert_eq!((ending, failure), (Ending::Impossible, said), "{printed}");
    };
    vain("", &["0ms"], "0s");
    vain("", &["200ms", "200ms"], "200ms");
    vain(default, &["0ms"], "50ms");
    vain(default, &["50ms"], "50ms");
}

#[test]
fn a_write_that_is_always_synced_waits_for_a_slow_disk() {
    let took = |appendfsync: &str| {
        let steps = [
            "slow disk 7000 300ms",
            "send via 7000 set {06S}k v",
            "send on 7000 cluster saveconfig",
        ];
        let printed = goes_well(&cluster(appendfsync, ""), &steps);
        let line = printed.lines().find(|line| line.contains("send via")).unwrap().to_owned();
        line.rsplit_once('(').is_some_and(|(_, took)| took.starts_with("30"))
    };
    assert!(took("always"));
    assert!(!took("everysec"));
}

#[test]
fn a_node_starts_again_with_the_data_of_an_old_snapshot() {
    goes_well(
        &cluster("always", ""),
        &[
            "send via 7000 set {06S}k old",
            "snapshot 7000",
            "send via 7000 set {06S}k new",
            "kill 7000 7003",
            "restore 7000",
            "start 7000",
            "expect 7000 {06S}k = old",
            "start 7003",
            "wait until 7003 {06S}k = old within 20s",
        ],
    );
}

#[test]
fn a_snapshot_brings_an_old_view_of_the_cluster_back_which_the_others_correct() {
    let printed = goes_well(
        &cluster("always", ""),
        &[
            "send on 7000 cluster saveconfig",
            "snapshot 7000",
            "kill 7000",
            "wait until 7003 info role = master within 20s",
            "start 7000",
            "wait until 7000 info role = slave within 20s",
            "kill 7000",
            "cat 7000/nodes.conf",
            "restore 7000",
            "cat 7000/nodes.conf",
            "start 7000",
            "wait until 7000 info role = slave within 20s",
            "wait until nodes agree within 10s",
        ],
    );
    let roles: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split(' ').find(|word| word.starts_with("myself,")))
        .collect();
    assert_eq!(roles, ["myself,slave", "myself,master"]);
}

#[test]
fn a_node_with_an_empty_disk_knows_nobody_and_nothing() {
    goes_well(
        &cluster("always", ""),
        &[
            "send via 7000 set {06S}k v",
            "kill 7000",
            "lose disk 7000",
            "start 7000",
            "expect 7000 knows 1",
            "expect on 7000 dbsize = 0",
        ],
    );
}

#[test]
fn a_disk_that_is_so_already_is_not_restored_or_emptied() {
    let cannot = "this cannot be done to node 7000: ";
    fails(
        &["snapshot 7000", "kill 7000", "restore 7000"],
        Ending::Impossible,
        &format!("{cannot}its disk is as it was when the snapshot was made at `restore 7000`"),
    );
    fails(
        &["kill 7000", "lose disk 7000", "lose disk 7000"],
        Ending::Impossible,
        &format!("{cannot}its disk is empty already at `lose disk 7000`"),
    );
}
