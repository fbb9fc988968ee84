//! Elections, rule by rule (§8.2, §8.3).

use super::*;
use crate::node::lab::{Lab, id};
use crate::node::log::Level;
use crate::node::packet::MessageType;

/// Three masters and as many replicas, all connected and in sync.
fn calm(replicas: usize, node_timeout: i64) -> Lab {
    let mut lab = Lab::formed(3, replicas, node_timeout);
    lab.run(4_000);
    lab
}

/// The lines of a node at the levels that people read, since a number of lines.
fn told(lab: &Lab, node: usize, from: usize) -> Vec<String> {
    let lines = lab.lines[from..].iter();
    lines
        .filter(|line| line.node == node && line.level >= Level::Notice)
        .map(|line| line.text.clone())
        .collect()
}

fn starting_with<'a>(lines: &'a [String], start: &str) -> Vec<&'a String> {
    lines.iter().filter(|line| line.starts_with(start)).collect()
}

#[test]
fn a_replica_of_a_failed_master_schedules_asks_and_wins_8_2() {
    let mut lab = calm(3, 1_000);
    let from = lab.lines.len();
    lab.kill(0);
    lab.run(5_000);
    let lines = told(&lab, 3, from);
    let at = |start: &str| {
        let found = lines.iter().position(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no `{start}` in {lines:#?}"))
    };
    let fail = at("Cluster state changed: fail");
    let scheduled = at("Start of election delayed for ");
    let asked = at("Starting a failover election for epoch 4.");
    let won = at("Failover election won: I'm the new master.");
    let epoch = at("configEpoch set to 4 after successful failover");
    let ok = at("Cluster state changed: ok");
    assert!(fail < scheduled && scheduled < asked && asked < won && won < epoch && epoch < ok);
    let new = lab.peer(1, 3);
    assert!(lab.node(1).bus.table.flags(new).is_master());
    assert_eq!(lab.node(1).bus.table.peer(new).slot_count, 5_461);
    for voter in [1, 2] {
        let text = format!("Failover auth granted to {} for epoch 4", id(3));
        assert!(lab.logged(voter, &text));
    }
}

#[test]
fn an_election_waits_500_to_999_ms_and_for_the_cron_15_22() {
    let mut delays = Vec::new();
    for seed in 0..20 {
        let mut lab = calm(3, 1_000);
        lab.node(3).bus.election.draws =
            crate::rng::Seed(seed).stream(crate::rng::Purpose::Election, 3, 0);
        lab.kill(0);
        lab.run(5_000);
        let time = |start: &str| {
            let mut lines = lab.lines.iter().rev().filter(|line| line.node == 3);
            lines.find(|line| line.text.starts_with(start)).map(|line| line.at).unwrap()
        };
        let announced = lab.lines.iter().find_map(|line| {
            let rest = line.text.strip_prefix("Start of election delayed for ")?;
            rest.split(' ').next()?.parse::<i64>().ok()
        });
        let announced = announced.unwrap();
        let waited = time("Starting a failover election").0 - time("Start of election").0;
        assert!((500..1_000).contains(&announced));
        assert!((0..100).contains(&(waited - announced)) && waited % 100 == 0);
        delays.push(announced);
    }
    delays.sort_unstable();
    delays.dedup();
    assert!(delays.len() > 10, "the delay is random");
}

#[test]
fn whoever_knows_less_waits_a_second_for_each_better_one_8_3() {
    let mut lab = calm(9, 1_000);
    for (replica, offset) in [(3, 100), (6, 50), (9, 10)] {
        set_known(&mut lab, replica, offset);
    }
    lab.run(2_000);
    let from = lab.lines.len();
    lab.kill(0);
    lab.run_until(4_000, |lab| {
        lab.lines[from..].iter().filter(|l| l.text.starts_with("Start of election")).count() == 3
    });
    for (replica, rank, offset) in [(3, 0, 100), (6, 1, 50), (9, 2, 10)] {
        let lines = told(&lab, replica, from);
        let line = starting_with(&lines, "Start of election")[0].clone();
        assert!(line.ends_with(&format!("(rank #{rank}, offset {offset}).")), "{line}");
    }
}

/// Pretends that a replica has processed this much of its master's stream.
fn set_known(lab: &mut Lab, replica: usize, offset: u64) {
    use crate::node::replication::upstream::Upstream;
    let Upstream::Connected { known, .. } = &mut lab.node(replica).replication.upstream else {
        panic!("it is not connected")
    };
    known.offset = offset;
}

#[test]
fn replicas_that_know_the_same_have_the_same_rank_15_23() {
    let mut lab = calm(6, 1_000);
    let from = lab.lines.len();
    lab.kill(0);
    lab.run(3_000);
    for replica in [3, 6] {
        let lines = told(&lab, replica, from);
        assert!(starting_with(&lines, "Start of election")[0].contains("rank #0"));
    }
}

#[test]
fn a_dead_replica_that_knew_more_still_costs_a_second_15_23() {
    let mut lab = calm(6, 1_000);
    set_known(&mut lab, 6, 500);
    lab.run(2_000);
    lab.kill(6);
    let from = lab.lines.len();
    lab.kill(0);
    lab.run(4_000);
    assert!(starting_with(&told(&lab, 3, from), "Start of election")[0].contains("rank #1"));
}

#[test]
fn a_rank_that_gets_worse_adds_delay_and_never_takes_it_away_8_2_5() {
    let mut lab = calm(6, 1_000);
    let from = lab.lines.len();
    lab.kill(0);
    lab.run_until(4_000, |lab| {
        let now = lab.now.millis();
        lab.node(3).bus.election.time > now
    });
    let before = lab.node(3).bus.election.time;
    let other = lab.peer(3, 6);
    lab.node(3).bus.table.peer_mut(other).repl_offset = 1_000;
    lab.act(3, Node::failover_step);
    assert_eq!(lab.node(3).bus.election.time, before + Millis(1_000));
    let text = "Replica rank updated to #1, added 1000 milliseconds of delay.";
    assert_eq!(starting_with(&told(&lab, 3, from), text).len(), 1);
    lab.node(3).bus.table.peer_mut(other).repl_offset = 0;
    lab.act(3, Node::failover_step);
    assert_eq!(lab.node(3).bus.election.time, before + Millis(1_000));
}

#[test]
fn a_replica_that_was_never_connected_does_not_fail_over_15_14() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(4_000);
    lab.node(3).replication.down_since = 0;
    lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
    lab.kill(0);
    let from = lab.lines.len();
    lab.run(12_000);
    let lines = told(&lab, 3, from);
    assert!(starting_with(&lines, "Start of election").is_empty());
    let why = "Currently unable to failover: Disconnected from master for longer than allowed. \
               Please check the 'cluster-replica-validity-factor' configuration option.";
    assert_eq!(starting_with(&lines, why).len(), 1, "{lines:#?}");
    lab.node(3).config.replica_validity_factor = 0;
    lab.run(2_000);
    assert_eq!(starting_with(&told(&lab, 3, from), "Start of election").len(), 1);
}

#[test]
fn an_obstacle_is_not_told_until_a_timeout_and_5_s_after_the_failure_8_3b() {
    let mut lab = calm(3, 2_000);
    lab.node(3).replication.down_since = 0;
    lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
    lab.kill(0);
    let start = "Currently unable to failover: Disconnected";
    lab.run_until(20_000, |lab| lab.lines.iter().any(|line| line.text.starts_with(start)));
    let master = lab.peer(3, 0);
    let failed = lab.node(3).bus.table.history(master).fail_time;
    let told = lab.now.millis() - failed;
    assert!((7_000..=7_110).contains(&told.0), "{told}");
}

#[test]
fn an_obstacle_is_told_again_every_300_s_8_3b() {
    let mut lab = calm(3, 1_000);
    lab.node(3).replication.down_since = 0;
    lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
    lab.kill(0);
    lab.run(330_000);
    let start = "Currently unable to failover";
    let times: Vec<Millis> =
        lab.lines.iter().filter(|l| l.text.starts_with(start)).map(|l| l.at).collect();
    assert_eq!(times.len(), 2);
    // Whole seconds are compared.
    assert!((299_000..301_100).contains(&(times[1] - times[0]).0));
}

#[test]
fn a_replica_told_not_to_does_not_fail_over_8_2_1() {
    let mut lab = calm(3, 1_000);
    lab.node(3).config.replica_no_failover = true;
    lab.kill(0);
    let from = lab.lines.len();
    lab.run(8_000);
    assert!(starting_with(&told(&lab, 3, from), "Start of election").is_empty());
    assert_eq!(lab.node(3).bus.election.obstacle, None);
    let replica = lab.peer(1, 3);
    assert!(lab.node(1).bus.table.flags(replica).any(Flags::NOFAILOVER), "peers know");
}

#[test]
fn a_master_without_slots_is_not_replaced_8_2_1() {
    let mut lab = calm(3, 1_000);
    let (gone, heir) = (lab.peer(3, 0), lab.peer(3, 1));
    let slots: Vec<_> = lab.node(3).bus.table.peer(gone).slots.iter().collect();
    for slot in slots {
        lab.node(3).bus.del_slot(slot);
        lab.node(3).bus.add_slot(slot, heir);
    }
    lab.node(3).bus.table.set_flags(gone, Flags::FAIL);
    let from = lab.lines.len();
    lab.act(3, Node::failover_step);
    assert!(starting_with(&told(&lab, 3, from), "Start of election").is_empty());
}

#[test]
fn without_a_majority_votes_are_asked_for_again_every_4_timeouts_8_2() {
    let mut lab = calm(3, 1_000);
    lab.kill(0);
    lab.run_until(4_000, |lab| {
        let master = lab.peer(3, 0);
        lab.node(3).bus.table.flags(master).any(Flags::FAIL)
    });
    lab.isolate(1);
    lab.isolate(2);
    let from = lab.lines.len();
    lab.run(20_000);
    let start = "Start of election delayed";
    let times: Vec<Millis> = lab.lines[from..]
        .iter()
        .filter(|line| line.node == 3 && line.text.starts_with(start))
        .map(|line| line.at)
        .collect();
    assert!(times.len() >= 4, "{times:?}");
    for pair in times.windows(2) {
        // 4 s after the time that was set, which lies up to a second after the line.
        assert!((4_500..=5_100).contains(&(pair[1] - pair[0]).0), "{times:?}");
    }
    let lines = told(&lab, 3, from);
    let text = "Currently unable to failover: Waiting for votes, but majority still not reached.";
    assert!(!starting_with(&lines, text).is_empty());
    let text = "Currently unable to failover: Failover attempt expired.";
    assert!(!starting_with(&lines, text).is_empty());
    assert!(lab.node(3).bus.current_epoch.0 >= 6, "each attempt begins an epoch");
}

#[test]
fn stale_votes_win_the_next_election_at_once_with_the_old_epoch_15_11() {
    let mut lab = calm(3, 1_000);
    lab.kill(0);
    lab.run_until(5_000, |lab| lab.node(3).bus.is_master());
    let won = lab.node(3).bus.election.time;
    // It follows somebody again, who fails within two timeouts of the election.
    let other = lab.peer(3, 1);
    lab.act(3, |node, ctx| {
        node.bus.del_node_slots(node.bus.myself);
        node.set_my_master(ctx, other);
        node.bus.table.set_flags(other, Flags::FAIL);
        node.replication.down_since = node.unix_now();
    });
    assert!(lab.now.millis() - won < Millis(2_000));
    let from = lab.lines.len();
    lab.sent.clear();
    lab.act(3, Node::failover_step);
    let lines = told(&lab, 3, from);
    assert!(lines[0].starts_with("Failover election won"), "{lines:#?}");
    assert!(starting_with(&lines, "configEpoch set to").is_empty(), "the epoch is the old one");
    assert!(lab.sent.iter().all(|sent| sent.packet.kind != MessageType::AuthRequest));
}
