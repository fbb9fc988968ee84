//! Facts that were measured on real clusters and have to come out by themselves.

use std::collections::BTreeMap;

use crate::{CLUSTER, common, goes_well};

/// Log lines: who wrote them, when (in milliseconds of the day), and what.
fn lines(printed: &str) -> Vec<(String, u64, String)> {
    let millis = |time: &str| {
        let mut parts = time.split([':', '.']).map(|part| part.parse::<u64>().unwrap());
        let mut next = || parts.next().unwrap();
        ((next() * 60 + next()) * 60 + next()) * 1_000 + next()
    };
    let parse = |line: &str| {
        let (pid, _, date, text) = common::log_line(line)?;
        Some((pid.to_owned(), millis(&date[12..]), text.to_owned()))
    };
    printed.lines().filter_map(parse).collect()
}

/// When a line with this text was written first after some time.
fn first(lines: &[(String, u64, String)], since: u64, text: &str) -> Option<u64> {
    lines.iter().find(|(_, at, line)| *at >= since && line.contains(text)).map(|(_, at, _)| *at)
}

#[test]
fn a_peer_that_can_reach_me_is_never_pfail_6_1() {
    // Others learn that 7001's bus is at a port where nobody listens. It still talks to them.
    let unreachable = "send on 7001 config set cluster-announce-bus-port 17999";
    let mut steps = vec![unreachable, "wait until 7000 sees 7001 disconnected within 10s"];
    for _ in 0..40 {
        steps.extend(["wait 500ms", "expect 7000 sees 7001 ok", "expect 7002 sees 7001 ok"]);
    }
    steps.extend(["kill 7001", "wait until 7000 sees 7001 fail within 10s"]);
    goes_well(CLUSTER, &steps);
}

#[test]
fn a_restarted_master_with_slots_says_ok_after_2_s_6_6() {
    for seed in 0..20 {
        let head = format!("seed = {seed}\n{}", CLUSTER.replace("= 2000", "= 15000"));
        let steps = ["stop 7000", "log 7000", "start 7000", "wait until 7000 state ok", "log 7000"];
        let lines = lines(&goes_well(&head, &steps));
        let mut starts = lines.iter().filter(|(_, _, text)| text.contains("Redis is starting"));
        let began = starts.next_back().unwrap().1;
        let took = first(&lines, began, "Cluster state changed: ok").unwrap() - began;
        assert!((2_005..=2_045).contains(&took), "seed {seed}: {took} ms");
    }
}

/// How long nodes said `fail` once more, in milliseconds, and how long after the heal they began, for
/// each time that one did in the 20 s after the heal of a master that was isolated for 14 s and had
/// become a replica by then.
fn flips_after_a_heal(network: &str, seeds: std::ops::Range<u64>) -> Vec<(u64, u64)> {
    let mut flips = Vec::new();
    for seed in seeds {
        let head = format!("seed = {seed}\n{network}\n{}", CLUSTER.replace("= 2000", "= 3000"));
        let steps = [
            "partition 7000 | rest",
            "wait until 7003 info role = master within 30s",
            "wait 14s",
            "log all",
            "heal",
            "wait until 7000 info role = slave",
            "note healed",
            "wait 20s",
            "log all",
        ];
        let steps = steps.map(|step| step.replace("all", "7000 7001 7002 7003 7004 7005"));
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let printed = goes_well(&head, &steps);
        let after = lines(printed.split_once("healed").unwrap().1);
        let healed = first(&after, 0, "Configuration change detected").unwrap();
        let mut failed = BTreeMap::new();
        // The master that became a replica says `fail` until it has seen others for a while.
        let flips_of_one = after.iter().filter(|(_, at, _)| *at > healed);
        for (pid, at, text) in flips_of_one {
            if text.contains("Cluster state changed: fail") {
                failed.insert(pid, at);
            } else if text.contains("Cluster state changed: ok") {
                flips.extend(failed.remove(pid).map(|since| (at - since, since - healed)));
            }
        }
        assert!(failed.is_empty(), "it is ok in the end");
    }
    flips
}

/// What others had sent to it while it was alone comes late: that its replica is a replica still, so
/// that nobody serves its old slots, until the next packet of the new master.
#[test]
fn stale_packets_make_a_healed_master_say_fail_once_more_3_9_2() {
    let flips = flips_after_a_heal("", 0..12);
    assert!(!flips.is_empty(), "it happens");
    assert!(flips.iter().all(|(lasts, _)| (10..=1_500).contains(lasts)), "{flips:?}");
    let without = flips_after_a_heal("[network]\norphans = false\n", 0..12);
    assert!(without.is_empty(), "without stale packets it does not: {without:?}");
}

/// When a node asked for votes, and in which epochs.
fn elections(log: &str) -> Vec<(u64, String)> {
    let mut lines = lines(log);
    lines.retain(|(_, _, text)| text.contains("Starting a failover election"));
    lines.into_iter().map(|(_, at, text)| (at, text)).collect()
}

#[test]
fn two_replicas_may_ask_in_the_same_epoch_and_the_loser_comes_back_after_4_timeouts_8_2() {
    let mut waits = Vec::new();
    for seed in 0..40 {
        let cluster = CLUSTER.replace("= 2000", "= 1000").replace("masters = 3", "masters = 7");
        let head = format!("seed = {seed}\n[network]\nlatency = \"10ms..20ms\"\n{cluster}");
        let steps = [
            "wait 3s",
            "kill 7000 7001 7002",
            "wait until 7007 7008 7009 info role = master within 60s",
            "log 7007",
            "note next",
            "log 7008",
            "note next",
            "log 7009",
        ];
        let printed = goes_well(&head, &steps);
        let all: Vec<_> = printed.rsplitn(4, "# next").map(elections).collect();
        for (at, one) in all.iter().enumerate() {
            let mut others = all.iter().enumerate().filter(|(other, _)| *other != at);
            if others.any(|(_, other)| other[0].1 == one[0].1) && one.len() > 1 {
                waits.push(one[1].0 - one[0].0);
            }
        }
    }
    assert!(!waits.is_empty(), "it happens");
    // Four timeouts from when it was to start, then another delay of 500 to 1000 ms and a tick.
    assert!(waits.iter().all(|wait| (4_000..5_250).contains(wait)), "{waits:?}");
}
