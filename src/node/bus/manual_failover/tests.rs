//! Manual failovers, rule by rule.

use super::*;
use crate::node::client::Pause;
use crate::node::lab::{Lab, id};
use crate::node::packet::Epoch;

fn calm() -> Lab {
    let mut lab = Lab::formed(3, 3, 2_000);
    lab.run(12_000);
    lab
}

fn fail_over(lab: &mut Lab, replica: usize, mode: FailoverMode) -> Reply {
    lab.act(replica, |node, ctx| node.start_manual_failover(ctx, mode))
}

/// What a node told people since some line, without what replication says.
fn told(lab: &Lab, node: usize, from: usize) -> Vec<String> {
    let about_replication = [
        "MASTER <-> REPLICA",
        "Connecting",
        "Reconnecting",
        "Connection with",
        "Caching",
        "Discarding",
        "Setting secondary",
        "Replica ",
        "Partial",
        "Before turning",
        "Non block",
        "Master r",
        "Trying",
        "Successful",
    ];
    lab.lines[from..]
        .iter()
        .filter(|line| line.node == node && line.level >= Level::Notice)
        .map(|line| line.text.clone())
        .filter(|text| !about_replication.iter().any(|start| text.starts_with(start)))
        .collect()
}

#[test]
fn the_whole_of_a_manual_failover_takes_no_cron_8_5_7() {
    let mut lab = calm();
    let (from, start) = (lab.lines.len(), lab.now);
    assert_eq!(fail_over(&mut lab, 4, FailoverMode::Agreed), Reply::ok());
    assert_eq!(lab.now, start, "all of it happens between two crons");
    assert_eq!(
        told(&lab, 4, from),
        [
            "Manual failover user request accepted.",
            "Received replication offset for paused master manual failover: 14",
            "All master replication stream processed, manual failover can start.",
            "Start of election delayed for 0 milliseconds (rank #0, offset 14).",
            "Starting a failover election for epoch 4.",
            "Currently unable to failover: Waiting for votes, but majority still not reached.",
            "Failover election won: I'm the new master.",
            "configEpoch set to 4 after successful failover",
        ]
    );
    let granted = format!("Failover auth granted to {} for epoch 4", id(4));
    assert_eq!(
        told(&lab, 1, from),
        [
            format!("Manual failover requested by replica {}.", id(4)),
            granted.clone(),
            format!(
                "Configuration change detected. Reconfiguring myself as a replica of {}",
                id(4)
            ),
        ],
        "the paused master votes as well"
    );
    assert_eq!(told(&lab, 0, from), [granted]);
    assert_eq!(lab.node(1).bus.my_master(), lab.find(1, 4));
    assert!(!lab.node(4).bus.manual_failover.runs());
}

#[test]
fn only_a_replica_that_knows_its_master_can_fail_over_9_15() {
    let mut lab = calm();
    let error = |reply: Reply| reply.error().unwrap_or_default().to_owned();
    assert_eq!(
        error(fail_over(&mut lab, 1, FailoverMode::Force)),
        "ERR You should send CLUSTER FAILOVER to a replica"
    );
    let master = lab.peer(4, 1);
    lab.node(4).bus.table.set_flags(master, Flags::PFAIL);
    assert_eq!(fail_over(&mut lab, 4, FailoverMode::Force), Reply::ok(), "PFAIL is no matter");
    lab.node(4).bus.table.set_flags(master, Flags::FAIL);
    assert_eq!(
        error(fail_over(&mut lab, 4, FailoverMode::Agreed)),
        "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE"
    );
    let me = lab.node(4).bus.myself;
    lab.node(4).bus.table.peer_mut(me).set_replica_of(None);
    assert_eq!(
        error(fail_over(&mut lab, 4, FailoverMode::Takeover)),
        "ERR I'm a replica but my master is unknown to me"
    );
}

#[test]
fn force_waits_for_the_next_cron_15_31() {
    let mut lab = calm();
    let start = lab.now;
    assert_eq!(fail_over(&mut lab, 4, FailoverMode::Force), Reply::ok());
    assert!(!lab.node(4).bus.is_master(), "OK means that it has begun");
    lab.run_until(100, |lab| lab.node(4).bus.is_master());
    assert!(lab.now > start);
    assert_eq!(lab.count(4, 1, MessageType::MfStart), 0);
}

#[test]
fn takeover_asks_nobody_and_bumps_the_epoch_if_it_is_not_the_greatest_15_31() {
    let mut lab = calm();
    fail_over(&mut lab, 4, FailoverMode::Takeover);
    assert!(lab.node(4).bus.is_master(), "at once");
    assert_eq!(lab.count(4, 0, MessageType::AuthRequest), 0);
    let me = lab.node(4).bus.myself;
    assert_eq!(lab.node(4).bus.table.peer(me).config_epoch, Epoch(4));
    assert!(lab.logged(4, "New configEpoch set to 4"));

    let mut lab = calm();
    let me = lab.node(4).bus.myself;
    lab.node(4).bus.table.peer_mut(me).config_epoch = Epoch(3);
    let from = lab.lines.len();
    fail_over(&mut lab, 4, FailoverMode::Takeover);
    assert_eq!(lab.node(4).bus.table.peer(me).config_epoch, Epoch(3), "still the greatest");
    assert_eq!(told(&lab, 4, from), ["Taking over the master (user request)."]);
}

#[test]
fn a_replica_that_lags_waits_for_the_end_of_the_stream_8_5_6() {
    let mut lab = calm();
    lab.node(1).replication.history.offset += 100;
    lab.act(4, |node, ctx| node.start_manual_failover(ctx, FailoverMode::Agreed));
    assert_eq!(lab.node(4).bus.manual_failover.master_offset, Some(114));
    lab.run(3_000);
    assert!(!lab.node(4).bus.is_master());
    let from = lab.lines.len();
    lab.run(2_200);
    for node in [1, 4] {
        assert_eq!(told(&lab, node, from), ["Manual failover timed out."], "after 5 s");
    }
    assert!(!lab.node(4).bus.manual_failover.runs());
}

#[test]
fn a_paused_master_feeds_no_pings_8_5_3() {
    let mut lab = calm();
    lab.node(1).replication.history.offset += 100;
    let offset = lab.node(1).replication.history.offset;
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.node(1).replication.cron_loops = 0;
    lab.run(1_500);
    assert_eq!(lab.node(1).replication.history.offset, offset);
}

#[test]
fn a_paused_master_pings_its_successor_at_every_cron_7_4_4() {
    let mut lab = calm();
    lab.node(1).replication.history.offset += 100;
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    let before = lab.count(1, 4, MessageType::Ping);
    lab.run(1_000);
    assert_eq!(lab.count(1, 4, MessageType::Ping) - before, 10);
    assert!(lab.sent.iter().rev().find(|sent| sent.from == 1).unwrap().packet.paused);
}

#[test]
fn a_second_one_too_soon_wins_with_stale_votes_and_is_undone_15_12() {
    let mut lab = calm();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.run(600);
    fail_over(&mut lab, 1, FailoverMode::Agreed);
    lab.run(1_500);
    assert_eq!(lab.node(4).bus.my_master(), lab.find(4, 1));
    let (from, requests) = (lab.lines.len(), lab.count(4, 0, MessageType::AuthRequest));
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    let lines = told(&lab, 4, from);
    assert_eq!(
        lines[..4],
        [
            "Manual failover user request accepted.",
            "Received replication offset for paused master manual failover: 14",
            "All master replication stream processed, manual failover can start.",
            "Failover election won: I'm the new master.",
        ]
    );
    assert_eq!(lab.count(4, 0, MessageType::AuthRequest), requests, "nobody was asked");
    lab.run(3_000);
    let text =
        format!("Configuration change detected. Reconfiguring myself as a replica of {}", id(1));
    assert!(told(&lab, 4, from).contains(&text), "the real master's next packet undoes it");
    let start = "Full resync from master: ";
    assert!(lab.lines[from..].iter().any(|l| l.node == 4 && l.text.starts_with(start)));
}

#[test]
fn a_second_one_between_two_and_four_timeouts_is_stuck_expired_15_12() {
    let mut lab = calm();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.run(600);
    fail_over(&mut lab, 1, FailoverMode::Agreed);
    // Its election was 4.0 s to 8.0 s ago: two to four timeouts.
    lab.run(3_500);
    let from = lab.lines.len();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    assert_eq!(
        told(&lab, 4, from).last().unwrap(),
        "Currently unable to failover: Failover attempt expired."
    );
    assert!(!lab.node(4).bus.is_master());
}

#[test]
fn the_three_ways_begin_differently_8_5_1() {
    for (mode, line, asks) in [
        (FailoverMode::Agreed, "Manual failover user request accepted.", 1),
        (FailoverMode::Force, "Forced failover user request accepted.", 0),
        (FailoverMode::Takeover, "Taking over the master (user request).", 0),
    ] {
        let mut lab = calm();
        lab.isolate(4);
        lab.forget_records();
        assert_eq!(fail_over(&mut lab, 4, mode), Reply::ok());
        assert!(lab.logged(4, line), "{mode:?}");
        assert_eq!(lab.count(4, 1, MessageType::MfStart), asks, "{mode:?}");
        assert_eq!(lab.node(4).bus.is_master(), mode == FailoverMode::Takeover);
    }
}

#[test]
fn a_master_that_is_asked_pauses_writes_and_says_so_at_once_8_5_2() {
    let mut lab = calm();
    lab.cut.insert((1, 4));
    lab.forget_records();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    assert!(lab.logged(1, &format!("Manual failover requested by replica {}.", id(4))));
    assert_eq!(lab.node(1).clients.pause, Some(Pause::Writes));
    let pings: Vec<bool> = lab
        .sent
        .iter()
        .filter(|sent| (sent.from, sent.packet.kind) == (1, MessageType::Ping))
        .map(|sent| sent.packet.paused)
        .collect();
    assert_eq!(pings, [true], "to the replica, and it says that writes are paused");
}

#[test]
fn a_manual_failover_is_given_up_after_five_seconds_7_6() {
    let mut lab = calm();
    lab.cut.extend([(1, 4), (4, 1)]);
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.run(4_990);
    assert!(lab.node(4).bus.manual_failover.runs());
    lab.run(120);
    assert!(!lab.node(4).bus.manual_failover.runs());
    assert!(lab.logged(4, "Manual failover timed out."));
}

#[test]
fn the_pause_outlives_the_failover_8_5_4() {
    let mut lab = calm();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    assert!(!lab.node(1).bus.is_master() && !lab.node(1).bus.manual_failover.runs());
    lab.run(9_900);
    assert_eq!(lab.node(1).clients.pause, Some(Pause::Writes));
    lab.run(300);
    assert_eq!(lab.node(1).clients.pause, None, "ten seconds are over");
}

#[test]
fn a_master_hears_of_no_failover_from_somebody_elses_replica_5_10() {
    let mut lab = calm();
    let stranger = lab.peer(1, 3);
    let end = lab.outbound(1, stranger, 3);
    lab.act(1, |node, ctx| node.manual_failover_asked(ctx, end.id, stranger));
    assert!(!lab.node(1).bus.manual_failover.runs());
    assert_eq!(lab.node(1).clients.pause, None);
}

#[test]
fn only_the_first_paused_offset_counts_8_5_5() {
    let mut lab = calm();
    lab.node(1).replication.history.offset += 100;
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.node(1).replication.history.offset += 100;
    lab.run(1_000);
    assert_eq!(lab.node(4).bus.manual_failover.master_offset, Some(114));
}

#[test]
fn a_second_request_starts_all_over_8_5_8() {
    let mut lab = calm();
    lab.node(1).replication.history.offset += 100;
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    let end = lab.node(4).bus.manual_failover.end;
    lab.run(1_000);
    lab.node(1).replication.history.offset += 100;
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    let manual = lab.node(4).bus.manual_failover;
    assert_eq!(manual.end, end + Millis(1_000));
    assert_eq!(manual.master_offset, Some(214), "the offset was asked for again");
}

#[test]
fn each_side_says_that_time_is_up_8_5_9() {
    let mut lab = calm();
    lab.cut.extend([(1, 4), (4, 1)]);
    let from = lab.lines.len();
    fail_over(&mut lab, 4, FailoverMode::Agreed);
    lab.run(5_200);
    let text = "Manual failover timed out.";
    assert!(told(&lab, 4, from).contains(&text.to_owned()));
    assert!(!told(&lab, 1, from).contains(&text.to_owned()), "it was never asked");
}
