//! Subtle traps around failovers (§15), each as a test with its number. Those that belong to one
//! file are tested there.

use std::sync::Arc;

use crate::node::flags::Flags;
use crate::node::lab::{Lab, OPENING, id};
use crate::node::packet::{Body, Epoch, MessageType};

fn flags(lab: &mut Lab, node: usize, about: usize) -> Flags {
    let peer = lab.peer(node, about);
    lab.node(node).bus.table.flags(peer)
}

/// A node tells everybody that another one has failed, whether or not it is true.
fn cry(lab: &mut Lab, node: usize, about: usize) {
    let peer = lab.peer(node, about);
    lab.act(node, |node, ctx| {
        let body = Body::Fail(node.bus.table.node(peer));
        node.broadcast(ctx, MessageType::Fail, &body);
    });
}

#[test]
fn a_fail_message_is_believed_from_anybody_and_a_pong_clears_it_15_9() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(4_000);
    // A replica says so about another replica and about a master. Both are well.
    cry(&mut lab, 4, 5);
    cry(&mut lab, 4, 0);
    assert!(flags(&mut lab, 1, 5).any(Flags::FAIL), "believed at once");
    assert!(flags(&mut lab, 1, 0).any(Flags::FAIL));
    lab.run(1_500);
    assert!(!flags(&mut lab, 1, 5).any(Flags::FAIL), "a replica is cleared by its next pong");
    let text = format!("Clear FAIL state for node {}: replica is reachable again.", id(5));
    assert!(lab.logged(1, &text));
    // A master that nobody can replace keeps its slots.
    let mut lab = Lab::formed(3, 0, 1_000);
    lab.run(4_000);
    cry(&mut lab, 2, 0);
    lab.run(1_900);
    assert!(flags(&mut lab, 1, 0).any(Flags::FAIL), "a master with slots has to wait");
    lab.run(1_000);
    assert!(!flags(&mut lab, 1, 0).any(Flags::FAIL), "for more than two timeouts");
}

#[test]
fn masters_wait_before_they_say_ok_and_replicas_do_not_15_10() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(500);
    assert!(lab.node(3).bus.state_ok, "a replica says ok at its first look");
    assert!(!lab.node(0).bus.state_ok);
    assert_eq!(lab.node(0).bus.size, 1, "a master has not even counted yet");
    assert_eq!(lab.node(3).bus.size, 3);
    lab.run_until(3_000, |lab| lab.node(0).bus.state_ok);
    let since_boot = lab.now.0 / 1_000 - OPENING.0 / 1_000;
    assert!((2_000..=2_250).contains(&since_boot), "{since_boot}");
    // In a minority, and back: a master waits for the rejoin delay.
    let mut lab = Lab::formed(3, 0, 1_000);
    lab.run(4_000);
    lab.isolate(0);
    lab.run(2_500);
    assert!(!lab.node(0).bus.state_ok);
    lab.cut.clear();
    lab.run_until(4_000, |lab| lab.node(0).bus.state_ok);
    let waited = (lab.now.millis() - lab.node(0).bus.among_minority).0;
    assert!((1_000..1_110).contains(&waited), "{waited}");
}

#[test]
fn slots_of_an_ex_master_are_nobodys_until_its_successor_claims_them_15_15() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(4_000);
    // The successor's claim does not get through to node 1; what the old master says does.
    lab.cut.insert((3, 1));
    let from = lab.lines.len();
    lab.act(3, |node, ctx| {
        node.start_manual_failover(ctx, crate::node::bus::manual_failover::FailoverMode::Takeover)
    });
    lab.run_until(1_500, |lab| flags(lab, 1, 0).is_replica());
    lab.run(100);
    let unassigned = crate::node::lab::slot(0);
    assert_eq!(lab.node(1).bus.slots.owner(unassigned), None);
    assert!(!lab.node(1).bus.state_ok);
    let fail = |lab: &Lab| {
        lab.lines[from..].iter().any(|l| l.node == 1 && l.text == "Cluster state changed: fail")
    };
    assert!(fail(&lab));
    lab.cut.clear();
    lab.run(3_000);
    assert_eq!(lab.node(1).bus.slots.owner(unassigned), lab.find(1, 3));
    assert!(lab.node(1).bus.state_ok);
}

#[test]
fn an_election_of_the_cron_is_saved_before_votes_are_asked_for_0_4() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(4_000);
    lab.kill(0);
    lab.run_until(5_000, |lab| lab.node(3).bus.election.asked);
    assert!(lab.saved[3].as_ref().unwrap().contains("vars currentEpoch 4 lastVoteEpoch 0"));
}

#[test]
fn a_failover_passes_on_exactly_the_slots_of_the_old_master_8_6() {
    let mut lab = Lab::formed(3, 3, 1_000);
    lab.run(4_000);
    let before = {
        let master = lab.peer(1, 0);
        Arc::clone(&lab.node(1).bus.table.peer(master).slots)
    };
    lab.kill(0);
    lab.run(5_000);
    for node in 1..6 {
        let (old, new) = (lab.peer(node, 0), lab.peer(node, 3));
        let table = &lab.node(node).bus.table;
        assert_eq!(*table.peer(new).slots, *before);
        assert_eq!(table.peer(old).slot_count, 0);
        assert_eq!(table.peer(new).config_epoch, Epoch(4));
    }
    assert!(!lab.node(3).bus.manual_failover.runs());
}

#[test]
fn a_fellow_replica_follows_the_winner_5_8_5() {
    let mut lab = Lab::formed(3, 6, 1_000);
    lab.run(4_000);
    lab.kill(0);
    lab.run(6_000);
    let winner = if lab.node(3).bus.is_master() { 3 } else { 6 };
    let other = 9 - winner;
    assert_eq!(lab.node(other).bus.my_master(), lab.find(other, winner));
    let start = "Successful partial resynchronization with master.";
    assert!(lab.logged(other, start), "both had the same history");
}

/// A master dies at different moments; how long until another one suspects it?
#[test]
fn detection_takes_one_to_one_and_a_half_timeouts_6_2_1() {
    let times: Vec<u64> = (0..10)
        .map(|moment| {
            let mut lab = Lab::formed(3, 0, 4_000);
            lab.run(6_000 + 210 * moment);
            lab.kill(2);
            lab.run_until(10_000, |lab| flags(lab, 0, 2).any(Flags::PFAIL | Flags::FAIL))
        })
        .collect();
    assert!(times.iter().all(|time| (4_000..=6_200).contains(time)), "{times:?}");
    assert!(times.iter().max().unwrap() - times.iter().min().unwrap() > 300, "{times:?}");
}

#[test]
fn an_old_master_that_comes_back_as_a_replica_is_cleared_before_its_new_role_is_known_6_5_3() {
    let mut lab = Lab::formed(3, 3, 15_000);
    lab.run(3_000);
    let old = lab.peer(1, 0);
    lab.node(1).bus.del_node_slots(old);
    cry(&mut lab, 2, 0);
    assert!(flags(&mut lab, 1, 0).any(Flags::FAIL));
    let mut pong = lab.message(0, MessageType::Pong);
    pong.flags = Flags::MYSELF | Flags::REPLICA;
    pong.replica_of = Some(lab.ids.intern(id(3)));
    lab.hear_on_own_link(1, 0, &pong);
    let cleared = |what: &str| format!("Clear FAIL state for node {}: {what} is reachable", id(0));
    let said = |text: String| lab.lines.iter().any(|line| line.text.starts_with(&text));
    assert!(said(cleared("master without slots")));
    assert!(!said(cleared("replica")));
    assert_eq!(flags(&mut lab, 1, 0), Flags::REPLICA, "the role comes from the same message");
}

#[test]
fn what_the_protocol_times_is_timed_by_a_fresh_clock_0_3_1() {
    let mut lab = Lab::formed(3, 0, 15_000);
    lab.run(3_050);
    let peer = lab.peer(0, 1);
    let now = lab.now.millis();
    assert!(lab.node(0).process.cached_time < now, "the other clock is that of the last cron");
    lab.node(0).bus.table.set_ping_sent(peer, now);
    let pong = lab.message(1, MessageType::Pong);
    lab.hear_on_own_link(0, 1, &pong);
    assert_eq!(lab.node(0).bus.table.pong_received(peer), now);
    cry(&mut lab, 2, 1);
    assert_eq!(lab.node(0).bus.table.history(peer).fail_time, now);
}
