//! Full resynchronizations: the child that writes the data set, and who gets it (A.9).

use crate::node::Node;
use crate::node::effect::Input;
use crate::node::lab::{CLIENT, Lab, endpoint};
use crate::node::log::Role;
use crate::node::process::Death;
use crate::node::replication::downstream::Stage;
use crate::resp::{Reply, args};

use super::{calm, masked, offsets, told, write};

#[test]
fn a_brand_new_replica_tries_a_partial_resync_and_gets_everything_15_28() {
    let mut lab = Lab::formed(3, 3, 2_000);
    lab.run(4_000);
    let from = lab.lines.iter().position(|line| line.text.starts_with("Before turning")).unwrap();
    let replica = masked(&told(&lab, 3, from));
    assert_eq!(
        replica.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "S Before turning into a replica, using my own master parameters to synthesize a \
             cached master: I may be able to synchronize with the new master with just a partial \
             transfer.",
            "S Connecting to MASTER 10.0.0.1:7000",
            "S MASTER <-> REPLICA sync started",
            "S Cluster state changed: ok",
            "S Non blocking connect for SYNC fired the event.",
            "S Master replied to PING, replication can continue...",
            "S Trying a partial resynchronization (request ID:1).",
            "S Full resync from master: ID:0",
            "S Discarding previously cached master state.",
            "S MASTER <-> REPLICA sync: receiving 175 bytes from master to disk",
            "S MASTER <-> REPLICA sync: Flushing old data",
            "S MASTER <-> REPLICA sync: Loading DB in memory",
            "S Loading RDB produced by version 6.2.3",
            "S RDB age 0 seconds",
            "S RDB memory usage when created 2.58 Mb",
            "S MASTER <-> REPLICA sync: Finished with success",
        ]
    );
    let master = masked(&told(&lab, 0, from));
    assert_eq!(
        master.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "M Replica 10.0.0.4:7000 asks for synchronization",
            "M Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
             'ID', my replication IDs are 'ID' and '0000000000000000000000000000000000000000')",
            "M Replication backlog created, my new replication IDs are 'ID' and \
             '0000000000000000000000000000000000000000'",
            "M Starting BGSAVE for SYNC with target: disk",
            "M Background saving started by pid N",
            "C DB saved on disk",
            "C RDB: 0 MB of memory used by copy-on-write",
            "M Background saving terminated with success",
            "M Synchronization with replica 10.0.0.4:7000 succeeded",
            "M Cluster state changed: ok",
        ]
    );
    let (one, other) = (&lab.nodes[0], &lab.nodes[3]);
    let position = |node: &Option<Node>| node.as_ref().unwrap().replication.history.position();
    assert_eq!(position(one), position(other), "both follow one history now");
}

#[test]
fn the_child_writes_with_its_own_process_id_13_1() {
    let lab = calm();
    let line = lab.lines.iter().find(|line| line.text == "DB saved on disk").unwrap();
    let Role::Fork(pid) = line.role else { panic!("a child writes it") };
    assert!(lab.logged(line.node, &format!("Background saving started by pid {pid}")));
}

#[test]
fn a_second_replica_shares_the_child_of_the_first_and_loses_nothing_a9() {
    let mut lab = Lab::formed(3, 0, 2_000);
    lab.run(3_000);
    let to = crate::node::lab::endpoint(0);
    lab.act(1, |node, ctx| node.follow(ctx, to));
    write(&mut lab, 0, "SET key 1");
    let from = lab.lines.len();
    lab.act(2, |node, ctx| node.follow(ctx, to));
    write(&mut lab, 0, "SET key 2");
    let lines = told(&lab, 0, from);
    assert_eq!(lines.last().unwrap(), "M Waiting for end of BGSAVE for SYNC");
    assert!(!lines.iter().any(|line| line.contains("Starting BGSAVE")));
    lab.run(300);
    let all = offsets(&mut lab, &[0, 1, 2]);
    assert!(all.iter().all(|offset| *offset == all[0] && *offset > 0), "{all:?}");
}

#[test]
fn a_replica_with_an_append_only_file_rewrites_it_after_a_full_resync_a9() {
    let mut lab = Lab::formed(3, 3, 2_000);
    lab.run(1_000);
    lab.node(3).config.appendonly = true;
    lab.run(2_000);
    let from = lab.lines.len();
    let other = lab.peer(3, 1);
    lab.act(3, |node, ctx| node.set_my_master(ctx, other));
    lab.run(400);
    let lines = masked(&told(&lab, 3, from));
    let start = lines.iter().position(|line| line.ends_with("Finished with success")).unwrap();
    assert_eq!(
        lines[start + 1..],
        [
            "S Background append only file rewriting started by pid N",
            "S AOF rewrite child asks to stop sending diffs.",
            "C Parent agreed to stop sending diffs. Finalizing AOF...",
            "C Concatenating 0.00 MB of AOF diff received from parent.",
            "C SYNC append only file rewrite performed",
            "C AOF rewrite: 0 MB of memory used by copy-on-write",
            "S Background AOF rewrite terminated with success",
            "S Residual parent diff successfully flushed to the rewritten AOF (0.00 MB)",
            "S Background AOF rewrite finished successfully",
        ]
    );
}

/// Three masters; the second has begun to follow the first, whose child is writing for it.
fn saving() -> Lab {
    let mut lab = Lab::formed(3, 0, 2_000);
    lab.run(3_000);
    lab.ask(0, "DEBUG POPULATE 100 {b} 3000");
    lab.act(1, |node, ctx| node.follow(ctx, endpoint(0)));
    assert!(matches!(lab.node(0).replication.replicas[0].stage, Stage::Saving(_)));
    lab
}

#[test]
fn a_replica_whose_child_is_killed_is_dropped_and_asks_anew_a9() {
    let mut lab = saving();
    let from = lab.lines.len();
    lab.ask(0, "FLUSHALL");
    assert!(!lab.logged(0, "Background saving terminated by signal 10"), "not noticed yet");
    assert!(lab.node(0).server.storage.is_saving());
    lab.run(300);
    let lines = masked(&told(&lab, 0, from));
    let end = lines.iter().position(|line| line.ends_with("by signal 10")).unwrap();
    assert_eq!(
        lines[end..end + 3],
        [
            "M Background saving terminated by signal 10",
            "M Connection with replica 10.0.0.2:7000 lost.",
            "M SYNC failed. BGSAVE child returned an error",
        ]
    );
    lab.run(2_000);
    assert!(lab.node(1).replication.upstream.is_connected());
    assert!(lab.node(1).keys.is_empty());
}

#[test]
fn a_replica_that_waits_for_another_child_gets_its_own_as_soon_as_that_ends_a9() {
    for task in ["BGSAVE", "BGREWRITEAOF"] {
        let mut lab = Lab::formed(3, 0, 2_000);
        lab.run(3_000);
        lab.ask(0, task);
        lab.act(1, |node, ctx| node.follow(ctx, endpoint(0)));
        assert_eq!(lab.node(0).replication.replicas[0].stage, Stage::WaitSave);
        lab.run(2_000);
        let said = |text: &str| {
            let line = lab.lines.iter().find(|line| line.node == 0 && line.text.contains(text));
            line.unwrap().at
        };
        let ended = said("terminated with success");
        assert_eq!(said("Starting BGSAVE for SYNC with target: disk"), ended, "{task}");
    }
}

#[test]
fn a_large_data_set_takes_a_while_to_send_a2() {
    let mut lab = saving();
    lab.run_until(1_000, |lab| lab.logged(0, "Background saving terminated with success"));
    let online = "Synchronization with replica 10.0.0.2:7000 succeeded";
    let state = |lab: &mut Lab| lab.node(0).replication_info();
    assert!(state(&mut lab).contains(",state=send_bulk,offset=0,lag=0"), "{}", state(&mut lab));
    assert!(!lab.logged(0, online));
    assert!(lab.node(1).replication_info().contains("master_sync_in_progress:1"));
    write(&mut lab, 0, "SET {b}:last v");
    assert!(lab.node(1).keys.is_empty(), "it comes behind the data set");
    lab.run(2);
    assert!(!lab.logged(0, online), "300 kB take three milliseconds");
    lab.run(2);
    assert!(lab.logged(0, online));
    assert!(state(&mut lab).contains(",state=online,"));
    assert_eq!(lab.node(1).keys.len(), 101);
}

#[test]
fn a_replica_that_is_lost_while_it_gets_the_data_set_asks_anew_a10() {
    let mut lab = saving();
    lab.run_until(1_000, |lab| lab.logged(0, "Background saving terminated with success"));
    lab.kill(1);
    lab.run(2_000);
    assert!(lab.node(0).replication.replicas.is_empty());
    assert!(!lab.logged(0, "Synchronization with replica 10.0.0.2:7000 succeeded"));
}

#[test]
fn a_child_is_told_from_its_successor_whatever_the_statistics_say() {
    let mut lab = Lab::formed(3, 0, 2_000);
    lab.run(3_000);
    lab.ask(0, "DEBUG POPULATE 100 {b} 3000");
    lab.ask(0, "BGSAVE");
    lab.ask(0, "FLUSHALL");
    lab.run(100);
    lab.ask(0, "CONFIG RESETSTAT");
    lab.ask(0, "BGSAVE");
    lab.run(300);
    let pids: Vec<&str> = lab
        .lines
        .iter()
        .filter_map(|line| line.text.strip_prefix("Background saving started by pid "))
        .collect();
    assert_eq!(pids, ["1001", "1002"]);
    let done = lab.lines.iter().filter(|line| line.text == "DB saved on disk");
    let by_children = done.filter(|line| matches!(line.role, Role::Fork(1_002)));
    assert_eq!(by_children.count(), 1);
}

/// The second node was loading from the first one when it was told to follow the third one, and has
/// begun to load from that.
fn cut_short() -> Lab {
    let mut lab = Lab::formed(3, 0, 60_000);
    lab.run(3_000);
    lab.ask(0, "DEBUG POPULATE 1000 {b} 5000");
    lab.ask(2, "DEBUG POPULATE 1000 {c} 5000");
    lab.ask(1, "CONFIG SET key-load-delay 10000");
    lab.act(1, |node, ctx| {
        node.config.appendonly = true;
        node.keys.insert_string(b"old", b"v");
        node.follow(ctx, endpoint(0));
    });
    lab.run_until(3_000, |lab| lab.node(1).is_loading());
    let first = lab.node(1).keys.iter().next().map(|(key, _)| key.to_vec());
    assert!(first.unwrap().starts_with(b"{b}"), "a part is loaded at once");
    lab.act(1, |node, ctx| node.follow(ctx, endpoint(2)));
    let loads = |lab: &Lab| {
        let begins = "MASTER <-> REPLICA sync: Loading DB in memory";
        lab.lines.iter().filter(|line| line.node == 1 && line.text == begins).count()
    };
    lab.run_until(3_000, |lab| loads(lab) == 2);
    assert!(lab.node(1).is_loading());
    lab
}

#[test]
fn a_load_that_another_one_cuts_short_leaves_nothing_in_memory_a9() {
    let mut lab = cut_short();
    assert!(lab.node(1).keys.iter().all(|(key, _)| key.starts_with(b"{c}")));
    lab.run(12_000);
    assert!(lab.logged(1, "MASTER <-> REPLICA sync: Finished with success"));
    assert_eq!(lab.node(1).keys.len(), 1_000);
    assert!(lab.node(1).keys.iter().all(|(key, _)| key.starts_with(b"{c}")));
}

#[test]
fn the_append_only_file_keeps_the_keys_from_before_the_first_of_two_loads_a9() {
    let mut lab = cut_short();
    let left = lab.nodes[1].take().unwrap().surviving_keys(Death::Killed).unwrap();
    assert_eq!(left.iter().map(|(key, _)| key).collect::<Vec<_>>(), [b"old"]);
}

#[test]
fn a_client_that_says_sync_gets_the_data_set_and_counts_as_a_replica_meanwhile_a9() {
    let mut lab = calm();
    lab.ask(0, "SET foo2 Hello");
    let from = lab.lines.len();
    lab.replies.clear();
    lab.input(0, Input::Command(CLIENT, args(["SYNC"]).into()));
    lab.input(0, Input::Command(CLIENT, args(["SYNC"]).into()));
    assert!(lab.replies.is_empty(), "a child has to write it first");
    lab.run(1_000);
    let answers: Vec<_> =
        lab.replies.iter().filter(|(by, to, _)| (*by, *to) == (0, CLIENT)).collect();
    let [(.., Some(Reply::Bulk(file)))] = answers.as_slice() else { panic!("{answers:?}") };
    assert!(file.starts_with(b"REDIS0009") && file.windows(10).any(|it| it == b"foo2\x05Hello"));
    assert_eq!(lab.node(0).replication.replicas.len(), 2);
    lab.run(70_000);
    assert_eq!(lab.node(0).replication.replicas.len(), 2, "it need not acknowledge anything");
    lab.input(0, Input::ClientGone(CLIENT));
    assert_eq!(lab.node(0).replication.replicas.len(), 1);
    assert_eq!(
        masked(&told(&lab, 0, from)),
        [
            "M Replica 127.0.0.1:<unknown-replica-port> asks for synchronization",
            "M Starting BGSAVE for SYNC with target: disk",
            "M Background saving started by pid N",
            "C DB saved on disk",
            "C RDB: 0 MB of memory used by copy-on-write",
            "M Background saving terminated with success",
            "M Synchronization with replica 127.0.0.1:<unknown-replica-port> succeeded",
            "M Connection with replica 127.0.0.1:<unknown-replica-port> lost.",
        ]
    );
}

#[test]
fn a_client_that_says_sync_is_not_streamed_to_a9() {
    let mut lab = calm();
    lab.ask(0, "CONFIG SET repl-diskless-sync yes");
    let from = lab.lines.len();
    lab.input(0, Input::Command(CLIENT, args(["SYNC"]).into()));
    assert_eq!(
        masked(&told(&lab, 0, from)),
        [
            "M Replica 127.0.0.1:<unknown-replica-port> asks for synchronization",
            "M Starting BGSAVE for SYNC with target: disk",
            "M Background saving started by pid N",
        ]
    );
}
