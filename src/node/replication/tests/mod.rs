//! Replication between a few nodes, rule by rule.

mod cut;
mod diskless;
mod full;

use crate::node::Node;
use crate::node::bus::manual_failover::FailoverMode;
use crate::node::lab::{Lab, ip};
use crate::node::log::Level;
use crate::node::replication::message::StreamCommand;
use crate::node::replication::upstream::Upstream;
use crate::resp::{Reply, args};

/// One master with slots and a replica of it, 3, among three masters; in sync.
fn calm() -> Lab {
    let mut lab = Lab::formed(3, 3, 2_000);
    lab.run(4_000);
    assert!(lab.node(3).replication.upstream.is_connected());
    lab
}

/// What a node told people since some line, with its role letter.
fn told(lab: &Lab, node: usize, from: usize) -> Vec<String> {
    lab.lines[from..]
        .iter()
        .filter(|line| line.node == node && line.level >= Level::Notice)
        .map(|line| format!("{} {}", line.role.letter(), line.text))
        .collect()
}

fn write(lab: &mut Lab, node: usize, words: &str) {
    lab.act(node, |node, ctx| node.propagate(ctx, args(words.split(' '))));
}

fn offsets(lab: &mut Lab, nodes: &[usize]) -> Vec<u64> {
    nodes.iter().map(|&node| lab.node(node).replication.history.offset).collect()
}

/// Replaces ids of histories and of children, which are random.
fn masked(lines: &[String]) -> Vec<String> {
    let mask_word = |word: &str| {
        let hex = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let hex = hex.split(':').next().unwrap_or_default();
        match hex.len() == 40 && hex != crate::node::replication::id::ReplicationId::NONE {
            true => word.replace(hex, "ID"),
            false => word.to_owned(),
        }
    };
    let mask = |line: &String| {
        let line = line.split(' ').map(mask_word).collect::<Vec<_>>().join(" ");
        match line.split_once("by pid ") {
            Some((start, _)) => format!("{start}by pid N"),
            None => line,
        }
    };
    lines.iter().map(mask).collect()
}

#[test]
fn a_write_reaches_the_replica_after_a_select_and_counts_its_bytes_a3() {
    let mut lab = calm();
    write(&mut lab, 0, "SET key Hello");
    let set = "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nHello\r\n".len() as u64;
    assert_eq!(offsets(&mut lab, &[0, 3]), [23 + set, 23 + set]);
    write(&mut lab, 0, "SET key Hello");
    assert_eq!(offsets(&mut lab, &[0, 3]), [23 + 2 * set, 23 + 2 * set], "SELECT only once");
    assert_eq!(lab.node(3).replication.processed_offset(), 23 + 2 * set);
}

#[test]
fn a_master_without_any_replica_counts_nothing_15_27() {
    let mut lab = Lab::formed(3, 0, 2_000);
    lab.run(3_000);
    write(&mut lab, 0, "SET key Hello");
    assert_eq!(offsets(&mut lab, &[0]), [0]);
}

#[test]
fn a_master_pings_its_replicas_every_tenth_second_a4() {
    let mut lab = calm();
    let before = offsets(&mut lab, &[0, 3]);
    lab.run(60_500);
    let after = offsets(&mut lab, &[0, 3]);
    assert_eq!(after[0] - before[0], 6 * 14);
    assert_eq!(after[0], after[1]);
}

#[test]
fn a_replica_that_lost_its_link_gets_only_what_it_missed_a8() {
    let mut lab = calm();
    write(&mut lab, 0, "SET key 1");
    let link = lab.node(3).replication.upstream.link().unwrap();
    let from = lab.lines.len();
    lab.act(0, |node, ctx| {
        let link = node.replication.replicas[0].link;
        node.drop_replica(ctx, link);
        node.propagate(ctx, args(["SET", "key", "2"]));
    });
    assert_ne!(lab.node(3).replication.upstream.link(), Some(link));
    let missed = StreamCommand::write(args(["SET", "key", "2"])).wire_bytes();
    let offset = offsets(&mut lab, &[0])[0];
    assert_eq!(
        masked(&told(&lab, 3, from)),
        [
            "S Connection with master lost.",
            "S Caching the disconnected master state.",
            "S Reconnecting to MASTER 10.0.0.1:7000",
            "S MASTER <-> REPLICA sync started",
            "S Non blocking connect for SYNC fired the event.",
            "S Master replied to PING, replication can continue...",
            &format!("S Trying a partial resynchronization (request ID:{}).", offset - missed + 1),
            "S Successful partial resynchronization with master.",
            "S MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.",
        ]
    );
    assert_eq!(
        told(&lab, 0, from)[2..],
        [format!(
            "M Partial resynchronization request from 10.0.0.4:7000 accepted. Sending {missed} \
             bytes of backlog starting from offset {}.",
            offset - missed + 1
        )]
    );
    assert_eq!(offsets(&mut lab, &[3]), [offset]);
}

#[test]
fn an_old_master_may_continue_if_it_got_no_further_than_its_successor_15_26() {
    let mut lab = calm();
    write(&mut lab, 0, "SET key 1");
    let from = lab.lines.len();
    lab.act(3, |node, ctx| node.start_manual_failover(ctx, FailoverMode::Takeover));
    lab.run(3_000);
    assert_eq!(lab.node(0).bus.my_master(), lab.find(0, 3));
    let lines = masked(&told(&lab, 0, from));
    assert!(lines.contains(&"S Successful partial resynchronization with master.".to_owned()));
    assert!(lines.contains(&"S Master replication ID changed to ID".to_owned()));
    assert_eq!(offsets(&mut lab, &[0]), offsets(&mut lab, &[3]));
}

#[test]
fn an_old_master_that_went_on_alone_must_start_anew_15_26() {
    let mut lab = calm();
    lab.isolate(0);
    // Its replica is still attached as far as it knows, so PINGs are fed.
    lab.run(8_000);
    assert!(lab.node(3).bus.is_master());
    assert_eq!(offsets(&mut lab, &[0]), [14]);
    let from = lab.lines.len();
    lab.cut.clear();
    lab.run(8_000);
    let limit = "M Partial resynchronization not accepted: Requested offset for second ID was 15, \
                 but I can reply up to 1";
    assert!(told(&lab, 3, from).iter().any(|line| line == limit), "{:#?}", told(&lab, 3, from));
    assert!(told(&lab, 0, from).iter().any(|line| line.starts_with("S Full resync from master")));
}

#[test]
fn a_dead_master_is_tried_again_every_second_in_three_lines_a7() {
    let mut lab = calm();
    lab.kill(0);
    let from = lab.lines.len();
    lab.run(1_000);
    assert_eq!(
        told(&lab, 3, from),
        [
            "S Connecting to MASTER 10.0.0.1:7000",
            "S MASTER <-> REPLICA sync started",
            "S Error condition on socket for SYNC: Connection refused",
        ]
    );
}

#[test]
fn a_silent_master_is_given_up_after_60_s_a4() {
    let mut lab = calm();
    lab.isolate(0);
    for node in [1, 2] {
        lab.isolate(node);
    }
    let from = lab.lines.len();
    let text = "MASTER timeout: no data nor PING received...";
    let waited = lab.run_until(80_000, |lab| lab.logged(3, text));
    assert!((56_000..=63_000).contains(&waited), "{waited}");
    assert!(told(&lab, 3, from).contains(&"S Reconnecting to MASTER 10.0.0.1:7000".to_owned()));
    lab.run_until(70_000, |lab| lab.logged(3, "Timeout connecting to the MASTER..."));
    let text = "S Reconnecting to MASTER 10.0.0.1:7000 after failure";
    assert!(told(&lab, 3, from).contains(&text.to_owned()));
}

#[test]
fn a_silent_replica_is_given_up_after_60_s_a4() {
    let mut lab = calm();
    lab.isolate(3);
    let text = format!("Disconnecting timedout replica (streaming sync): {}:7000", ip(3));
    let waited = lab.run_until(80_000, |lab| lab.logged(0, &text));
    assert!((60_000..=63_000).contains(&waited), "{waited}");
    assert!(lab.node(0).replication.replicas.is_empty());
}

#[test]
fn a_replica_without_a_link_to_its_master_takes_no_replicas_a8() {
    let mut lab = calm();
    let (to, master) = (crate::node::lab::endpoint(3), crate::node::lab::endpoint(0));
    lab.kill(0);
    lab.run(100);
    lab.act(4, |node, ctx| node.follow(ctx, to));
    let text = "Master is currently unable to PSYNC but should be in the future: -NOMASTERLINK \
                Can't SYNC while not connected with my master";
    assert!(lab.logged(4, text));
    assert_eq!(lab.node(4).replication.upstream, Upstream::Waiting, "it tries again in a second");
    assert_eq!(lab.node(3).replication.master, Some(master));
}

#[test]
fn a_replica_passes_the_stream_on_unchanged_a3() {
    let mut lab = calm();
    let to = crate::node::lab::endpoint(3);
    lab.act(4, |node, ctx| node.follow(ctx, to));
    lab.run(2_000);
    assert!(lab.node(4).replication.upstream.is_connected());
    write(&mut lab, 0, "SET key Hello");
    lab.run(11_000);
    let all = offsets(&mut lab, &[0, 3, 4]);
    assert!(all[0] > 50 && all.iter().all(|offset| *offset == all[0]), "{all:?}");
    let positions: Vec<_> =
        [0, 3, 4].map(|node| lab.node(node).replication.history.position()).to_vec();
    assert!(positions.iter().all(|position| *position == positions[0]));
}

#[test]
fn a_master_that_has_no_replicas_for_an_hour_begins_a_new_history_a4() {
    let mut lab = calm();
    lab.node(0).config.repl_backlog_ttl = 30;
    let id = lab.node(0).replication.history.id;
    lab.kill(3);
    let from = lab.lines.len();
    lab.run(33_000);
    let text = "M Replication backlog freed after 30 seconds without connected replicas.";
    assert!(told(&lab, 0, from).contains(&text.to_owned()));
    assert_ne!(lab.node(0).replication.history.id, id);
    assert!(lab.node(0).replication.history.backlog.is_none());
}

#[test]
fn a_promoted_replica_logs_as_a_master_once_its_address_is_cleared_13_1() {
    let mut lab = calm();
    let from = lab.lines.len();
    lab.act(3, |node, ctx| node.start_manual_failover(ctx, FailoverMode::Takeover));
    let lines = masked(&told(&lab, 3, from));
    assert_eq!(
        lines[..6],
        [
            "S Taking over the master (user request).",
            "S New configEpoch set to 4",
            "M Connection with master lost.",
            "M Caching the disconnected master state.",
            "M Discarding previously cached master state.",
            "M Setting secondary replication ID to ID, valid up to offset: 1. New replication ID \
             is ID",
        ]
    );
}

#[test]
fn a_replica_that_changes_masters_drops_the_old_link_as_a_master_13_1() {
    let mut lab = calm();
    let from = lab.lines.len();
    let other = lab.peer(3, 1);
    lab.act(3, |node, ctx| node.set_my_master(ctx, other));
    let lines = masked(&told(&lab, 3, from));
    assert_eq!(
        lines[..4],
        [
            "M Connection with master lost.",
            "M Caching the disconnected master state.",
            "S Connecting to MASTER 10.0.0.2:7000",
            "S MASTER <-> REPLICA sync started",
        ]
    );
    let text = "S Trying a partial resynchronization (request ID:1).";
    assert!(lines.contains(&text.to_owned()), "with what it knew of the old master: {lines:#?}");
}

#[test]
fn info_has_its_fields_in_order_a2() {
    let mut lab = calm();
    lab.run(7_000);
    let names = |text: String| -> Vec<String> {
        text.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    let replica = names(lab.node(3).replication_info());
    assert_eq!(
        replica[..10],
        [
            "role",
            "master_host",
            "master_port",
            "master_link_status",
            "master_last_io_seconds_ago",
            "master_sync_in_progress",
            "slave_repl_offset",
            "slave_priority",
            "slave_read_only",
            "replica_announced",
        ]
    );
    let info = lab.node(0).replication_info();
    assert!(info.contains("slave0:ip=10.0.0.4,port=7000,state=online,offset=14,lag="), "{info}");
    assert!(info.contains("connected_slaves:1\r\n") && info.contains("role:master\r\n"));
    assert!(info.contains("repl_backlog_first_byte_offset:1\r\nrepl_backlog_histlen:14\r\n"));
    lab.kill(0);
    let info = lab.node(3).replication_info();
    assert!(info.contains("master_link_status:down\r\nmaster_last_io_seconds_ago:-1\r\n"));
    assert!(info.contains("master_link_down_since_seconds:0\r\n"), "{info}");
}

#[test]
fn role_tells_how_far_the_link_has_come_a1() {
    let mut lab = calm();
    let Reply::Array(role) = lab.node(3).role_reply() else { panic!("an array") };
    assert_eq!(role[0], Reply::bulk("slave"));
    assert_eq!(role[3..], [Reply::bulk("connected"), Reply::Int(0)]);
    lab.kill(0);
    let Reply::Array(role) = lab.node(3).role_reply() else { panic!("an array") };
    assert_eq!(role[3..], [Reply::bulk("connect"), Reply::Int(-1)]);
    let Reply::Array(role) = lab.node(1).role_reply() else { panic!("an array") };
    assert_eq!(role[0], Reply::bulk("master"));
}

#[test]
fn a_replica_that_is_promoted_begins_a_history_of_its_own_a6() {
    let mut lab = calm();
    write(&mut lab, 0, "SET key 1");
    let old = lab.node(3).replication.history.position();
    lab.act(3, |node, ctx| node.start_manual_failover(ctx, FailoverMode::Takeover));
    let replication = &lab.node(3).replication;
    assert_ne!(replication.history.id, old.id);
    assert_eq!(replication.history.former, Some((old.id, old.offset + 1)));
    assert_eq!((replication.master, &replication.upstream), (None, &Upstream::Idle));
    assert_eq!((replication.cached_master, replication.down_since), (None, 0));
    let before = offsets(&mut lab, &[3])[0];
    write(&mut lab, 3, "SET key 2");
    let set = StreamCommand::write(args(["SET", "key", "2"])).wire_bytes();
    assert_eq!(offsets(&mut lab, &[3])[0] - before, 23 + set, "SELECT is said again");
}

#[test]
fn a_replica_that_is_told_its_master_again_drops_its_own_replicas_a5() {
    let mut lab = calm();
    let (to, master) = (crate::node::lab::endpoint(3), crate::node::lab::endpoint(0));
    lab.act(4, |node, ctx| node.follow(ctx, to));
    lab.run(2_000);
    assert_eq!(lab.node(3).replication.replicas.len(), 1);
    let from = lab.lines.len();
    lab.act(3, |node, ctx| node.follow(ctx, master));
    let lines = told(&lab, 3, from);
    assert!(lines.contains(&"S Connection with replica 10.0.0.5:7000 lost.".to_owned()));
    assert!(lab.node(3).replication.upstream.is_connected(), "it went on where it was");
}

#[test]
fn a_lost_master_is_dialled_again_at_once_a10() {
    let mut lab = calm();
    let from = lab.lines.len();
    lab.kill(0);
    let lines = told(&lab, 3, from);
    assert_eq!(
        lines[..4],
        [
            "S Connection with master lost.",
            "S Caching the disconnected master state.",
            "S Reconnecting to MASTER 10.0.0.1:7000",
            "S MASTER <-> REPLICA sync started",
        ]
    );
    let now = lab.node(3).unix_now();
    assert_eq!(lab.node(3).replication.down_since, now);
}

#[test]
fn the_age_of_data_is_that_of_the_last_word_or_of_the_loss_a11() {
    let mut lab = calm();
    lab.node(3).config.replica_no_failover = true;
    lab.isolate(0);
    let silence = |lab: &mut Lab| {
        let now = lab.node(3).unix_now();
        lab.node(3).replication.silence(now)
    };
    let before = silence(&mut lab);
    lab.run(5_000);
    assert_eq!(silence(&mut lab) - before, 5, "nothing came since");
    lab.kill(0);
    lab.run(100);
    lab.act(3, Node::drop_master);
    lab.run(3_000);
    assert_eq!(silence(&mut lab), 3, "counted from the loss");
}

#[test]
fn replication_links_can_be_killed_by_their_type_a10() {
    let mut lab = calm();
    for (node, kind) in [(0, "replica"), (0, "slave"), (3, "master")] {
        let link = lab.node(3).replication.upstream.link().unwrap();
        let from = lab.lines.len();
        assert_eq!(lab.ask(node, &format!("CLIENT KILL TYPE {kind}")), Reply::Int(1), "{kind}");
        lab.run(100);
        assert_ne!(lab.node(3).replication.upstream.link(), Some(link), "{kind}");
        assert!(
            told(&lab, 3, from).iter().any(|line| line.ends_with("Connection with master lost."))
        );
        assert_eq!(lab.node(0).replication.replicas.len(), 1, "it has come back");
    }
    assert_eq!(lab.ask(0, "CLIENT KILL TYPE master"), Reply::Int(0), "it has none");
    assert_eq!(lab.ask(0, "CLIENT KILL TYPE replica ID 99"), Reply::Int(0));
}
