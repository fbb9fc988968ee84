//! Several faults at once: each does what it does, and takes back no more than its own.

use redis_cluster_sim::scenario::record::Ending;

use crate::{CLUSTER, fails, goes_well};

#[test]
fn faults_of_all_kinds_at_once_leave_a_cluster_that_recovers() {
    goes_well(
        CLUSTER,
        &[
            "delay 7000 -> 7001 5ms..20ms",
            "drop 5% 7001 -> 7000",
            "drop 2 PONG 7002 -> 7000",
            "hold PING 7002 -> 7001",
            "slow disk 7003 50ms",
            "clock 7004 +10s",
            "clock 7005 drift 200ppm",
            "pause 7002",
            "wait 100ms",
            "resume 7002",
            "partition 7000 | rest",
            "crash 7001 after vote",
            "wait 1s",
            "release 7002 -> 7001",
            "wait until 7001 stopped within 20s",
            "restart 7001",
            "heal",
            "wait until cluster ok within 1m",
            "wait until nodes agree within 1m",
        ],
    );
}

#[test]
fn a_fault_that_passes_mends_nothing_that_another_has_cut() {
    for passing in [
        "flap 7000 | rest every 1s for 3s",
        "swizzle 7000 7001 every 1s",
        "swizzle 7000 7001 7002 7003 7004 7005 every 1s",
        "random partitions every 1s for 1s until 20s",
    ] {
        goes_well(
            CLUSTER,
            &[
                "cut 7000 -> 7005",
                "cut 7005 -> 7000",
                passing,
                "heal 7000 -> 7005", // each of them fails if it was mended
                "heal 7005 -> 7000",
                "wait until cluster ok within 1m",
                "wait until 7000 sees 7005 connected within 1m",
            ],
        );
    }
}

#[test]
fn a_node_that_is_cut_off_is_not_cut_off_again() {
    fails(
        &["partition 7000 | rest", "wait 3s", "swizzle 7000 every 1s"],
        Ending::Impossible,
        "this cuts nothing: all of it is cut already at `swizzle 7000 every 1s`",
    );
}

#[test]
fn partitions_that_nothing_met_have_failed() {
    fails(
        &["kill all", "wait 30s", "random partitions every 1s for 1s until 1m"],
        Ending::Unexpected,
        "this fault has made no difference: nothing was sent there while it was so at `random \
         partitions every 1s for 1s until 1m`",
    );
}

#[test]
fn a_step_about_many_nodes_has_done_something_if_one_of_them_has_met_it() {
    goes_well(
        CLUSTER,
        &["slow disk 7001 7002 7003 50ms", "send on 7001 cluster saveconfig", "wait 1s"],
    );
    goes_well(
        CLUSTER,
        &["hold PUBLISH 7001 -> zone a zone c", "send on 7001 publish news x", "wait 1s"],
    );
    fails(
        &["slow disk 7001 7002 50ms", "wait 1s"],
        Ending::Unexpected,
        "this fault has made no difference: the node has synced nothing at `slow disk 7001 7002 50ms`",
    );
}

#[test]
fn who_is_asked_to_end_while_it_is_paused_ends_when_it_goes_on() {
    goes_well(
        CLUSTER,
        &[
            "pause 7000",
            "wait 1s",
            "stop 7000",
            "wait 1s",
            "resume 7000",
            "wait until 7000 stopped",
        ],
    );
}

#[test]
fn a_pause_in_which_no_time_passes_has_failed() {
    fails(
        &["pause 7000", "resume 7000"],
        Ending::Unexpected,
        "this fault has made no difference: no time has passed while it was paused at `pause 7000`",
    );
    goes_well(CLUSTER, &["pause 7000", "wait 1ms", "resume 7000", "wait 1s"]);
}

#[test]
fn a_clock_is_not_set_to_a_time_before_all_computers() {
    fails(
        &["clock 7000 -1000000h"],
        Ending::Impossible,
        "this clock would be too far off: what it would show is not between the years 1970 and 2099 at \
         `clock 7000 -1000000h`",
    );
}

#[test]
fn an_address_that_was_used_by_another_meanwhile_is_its_own_again() {
    let back = [
        "kill 7003 7004",
        "move 7004 to 127.0.0.1:7003",
        "start 7004",
        "wait 5s",
        "kill 7004",
        "move 7004 to 127.0.0.1:7004",
        "start 7003 7004",
        "wait until 7000 sees 7003 connected within 30s",
        "wait until 7001 sees 7004 connected within 30s",
    ];
    goes_well(CLUSTER, &back);
    let cut_off = ["partition 7003 | rest", "wait until 7000 sees 7003 fail within 20s"];
    goes_well(CLUSTER, &[&back[..], &cut_off[..]].concat());
}

#[test]
fn a_node_at_the_address_of_another_is_not_taken_for_it() {
    goes_well(
        CLUSTER,
        &[
            "kill 7003 7004",
            "wait until 7000 sees 7003 fail within 20s",
            "move 7004 to 127.0.0.1:7003",
            "start 7004",
            "wait until 7000 sees 7004 connected within 30s",
            "expect 7000 sees 7003 fail",
        ],
    );
}
