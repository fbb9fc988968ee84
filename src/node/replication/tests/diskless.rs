//! Full resynchronizations without a file, on either side (A.9).

use crate::node::lab::{Lab, endpoint};
use crate::node::log::Level;
use crate::node::replication::downstream::Stage;
use crate::resp::Reply;

use super::{masked, offsets, told, write};

/// Three masters; the first has five megabytes and hands them on without a file.
fn streaming(delay: &str) -> Lab {
    let mut lab = Lab::formed(3, 0, 60_000);
    lab.run(3_000);
    lab.ask(0, "DEBUG POPULATE 1000 {b} 5000");
    lab.ask(0, "CONFIG SET repl-diskless-sync yes");
    lab.ask(0, &format!("CONFIG SET repl-diskless-sync-delay {delay}"));
    lab.ask(0, "CONFIG SET rdb-key-save-delay 1000");
    lab
}

fn follow(lab: &mut Lab, node: usize) {
    lab.act(node, |node, ctx| node.follow(ctx, endpoint(0)));
}

fn info(lab: &mut Lab, node: usize, section: &str) -> String {
    lab.ask(node, &format!("INFO {section}")).text().unwrap().to_owned()
}

#[test]
fn a_child_writes_to_a_replica_which_gets_the_stream_when_it_has_all_a9() {
    let mut lab = streaming("0");
    let from = lab.lines.len();
    follow(&mut lab, 1);
    lab.run(500);
    write(&mut lab, 0, "SET {b}:last v");
    assert!(info(&mut lab, 0, "replication").contains(",state=wait_bgsave,"));
    assert!(info(&mut lab, 0, "persistence").contains("rdb_bgsave_in_progress:1"));
    assert!(info(&mut lab, 1, "replication").contains("master_sync_total_bytes:0\r\n"));
    lab.run(2_000);
    assert_eq!(
        masked(&told(&lab, 0, from)),
        [
            "M Replica 10.0.0.2:7000 asks for synchronization",
            "M Partial resynchronization not accepted: Replication ID mismatch (Replica asked for \
             'ID', my replication IDs are 'ID' and '0000000000000000000000000000000000000000')",
            "M Replication backlog created, my new replication IDs are 'ID' and \
             '0000000000000000000000000000000000000000'",
            "M Starting BGSAVE for SYNC with target: replicas sockets",
            "M Background RDB transfer started by pid N",
            "C RDB: 0 MB of memory used by copy-on-write",
            "M Diskless rdb transfer, done reading from pipe, 1 replicas still up.",
            "M Background RDB transfer terminated with success",
            "M Streamed RDB transfer with replica 10.0.0.2:7000 succeeded (socket). Waiting for \
             REPLCONF ACK from slave to enable streaming",
            "M Synchronization with replica 10.0.0.2:7000 succeeded",
        ]
    );
    let line = "MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk";
    assert!(lab.logged(1, line));
    assert_eq!(lab.node(1).keys.len(), 1_001);
    let all = offsets(&mut lab, &[0, 1]);
    assert_eq!(all[0], all[1]);
    assert!(lab.node(0).server.storage.file.is_none(), "no file was written");
}

#[test]
fn more_replicas_are_waited_for_and_those_who_come_too_late_get_their_own_child_a9() {
    let mut lab = streaming("5");
    follow(&mut lab, 1);
    assert!(lab.logged(0, "Delay next BGSAVE for diskless SYNC"));
    let waited = lab.run_until(8_000, |lab| lab.node(0).server.storage.is_saving());
    assert!((4_000..=6_100).contains(&waited), "{waited}");
    follow(&mut lab, 2);
    let line = "Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC";
    assert!(lab.logged(0, line));
    assert_eq!(lab.node(0).replication.replicas[1].stage, Stage::WaitSave);
    lab.run(9_000);
    assert_eq!(lab.node(1).keys.len(), 1_000);
    assert_eq!(lab.node(2).keys.len(), 1_000);
}

#[test]
fn a_child_whose_last_replica_is_gone_is_killed_a9() {
    let mut lab = streaming("0");
    follow(&mut lab, 1);
    lab.run(600);
    lab.kill(1);
    lab.run(1_000);
    for line in [
        "Diskless rdb transfer, last replica dropped, killing fork child.",
        "Background transfer terminated by signal 10",
    ] {
        assert!(lab.logged(0, line), "{line}");
    }
    assert!(!lab.node(0).server.storage.is_saving());
}

#[test]
fn a_replica_that_loads_from_the_connection_refuses_commands_meanwhile_9_0_2() {
    let mut lab = streaming("0");
    lab.ask(1, "CONFIG SET repl-diskless-load swapdb");
    follow(&mut lab, 1);
    lab.run(800);
    let refusal = Reply::Error("LOADING Redis is loading the dataset in memory".to_owned());
    for words in ["PING", "CLUSTER INFO", "DBSIZE", "WAIT 0 0"] {
        assert_eq!(lab.ask(1, words), refusal, "{words}");
    }
    let persistence = info(&mut lab, 1, "persistence");
    assert!(persistence.contains("loading:1\r\n"), "{persistence}");
    assert!(persistence.contains("loading_total_bytes:0\r\n"), "{persistence}");
    assert!(info(&mut lab, 1, "keyspace").contains("db0:keys=418,"), "one part is loaded");
    assert_eq!(lab.ask(1, "MULTI"), Reply::ok());
    assert_eq!(lab.ask(1, "PING"), refusal);
    assert!(lab.ask(1, "EXEC").error().unwrap().starts_with("EXECABORT"));
    lab.run(2_000);
    assert!(lab.logged(1, "MASTER <-> REPLICA sync: Finished with success"));
    assert!(info(&mut lab, 1, "persistence").starts_with("# Persistence\r\nloading:0\r\n"));
    assert_eq!(lab.node(1).keys.len(), 1_000);
    assert!(lab.node(1).server.storage.file.is_none(), "no file was written");
}

/// The second node loads from the first one, which dies amid that.
fn cut_off(load: &str) -> Lab {
    let mut lab = streaming("0");
    lab.act(1, |node, _| node.keys.insert_string(b"old", b"v"));
    lab.ask(1, &format!("CONFIG SET repl-diskless-load {load}"));
    if load == "on-empty-db" {
        lab.act(1, |node, _| node.keys.clear());
    }
    follow(&mut lab, 1);
    lab.run(800);
    assert!(lab.node(1).is_loading());
    lab.kill(0);
    lab
}

#[test]
fn a_replica_whose_load_is_cut_off_has_its_old_keys_again_a9() {
    let mut lab = cut_off("swapdb");
    let from = lab
        .lines
        .iter()
        .position(|line| line.text == "MASTER <-> REPLICA sync: Loading DB in memory")
        .unwrap();
    let lines: Vec<String> = lab.lines[from..]
        .iter()
        .filter(|line| line.node == 1 && line.level >= Level::Notice)
        .map(|line| line.text.clone())
        .collect();
    assert_eq!(
        lines[4..9],
        [
            "Short read or OOM loading DB. Unrecoverable error, aborting now.",
            "Internal error in RDB reading offset 2094731, function at rdb.c:2626 -> Unexpected EOF \
             reading RDB file. Failure loading rdb format from socket, assuming connection error, \
             resuming operation.",
            "Failed trying to load the MASTER synchronization DB from socket",
            "Reconnecting to MASTER 10.0.0.1:7000 after failure",
            "MASTER <-> REPLICA sync started",
        ]
    );
    let keys: Vec<&[u8]> = lab.node(1).keys.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"old"]);
    let slot = crate::slot::Slot::of_key(b"old");
    assert_eq!(lab.node(1).keys.count_in_slot(slot), 1);
    assert_eq!(lab.node(1).keys.count_in_slot(crate::slot::Slot::of_key(b"{b}")), 0);
}

#[test]
fn a_replica_that_had_nothing_to_keep_is_empty_after_a_load_that_failed_a9() {
    let mut lab = cut_off("on-empty-db");
    assert!(lab.logged(1, "Failed trying to load the MASTER synchronization DB from socket"));
    assert!(lab.node(1).keys.is_empty());
}

#[test]
fn a_replica_with_keys_loads_from_a_file_unless_it_may_swap_a9() {
    let mut lab = streaming("0");
    lab.act(1, |node, _| node.keys.insert_string(b"old", b"v"));
    lab.ask(1, "CONFIG SET repl-diskless-load on-empty-db");
    follow(&mut lab, 1);
    lab.run(800);
    assert!(!lab.node(1).is_loading(), "not before all has arrived");
    assert_eq!(lab.node(1).keys.len(), 1);
    lab.run(2_000);
    assert_eq!(lab.node(1).keys.len(), 1_000);
}

#[test]
fn a_load_ends_when_the_master_says_nothing_for_too_long_a9() {
    let mut lab = streaming("0");
    lab.ask(1, "CONFIG SET repl-diskless-load swapdb");
    follow(&mut lab, 1);
    lab.run(800);
    lab.isolate(0);
    lab.input(1, crate::node::effect::Input::ReadTimeout);
    assert!(!lab.node(1).is_loading());
    assert!(lab.logged(1, "Reconnecting to MASTER 10.0.0.1:7000 after failure"));
}

#[test]
fn what_follows_the_data_set_waits_until_it_is_loaded_a9() {
    let mut lab = streaming("0");
    lab.ask(0, "CONFIG SET repl-diskless-sync no");
    lab.ask(0, "CONFIG SET rdb-key-save-delay 0");
    lab.ask(1, "CONFIG SET key-load-delay 1000");
    follow(&mut lab, 1);
    lab.run_until(3_000, |lab| lab.node(1).is_loading());
    write(&mut lab, 0, "SET {b}:last v");
    assert!(lab.node(1).is_loading());
    let file = lab.node(1).server.storage.file.as_ref().map(|file| file.keys.len());
    assert_eq!(file, Some(1_000), "the file is there already");
    lab.run(3_000);
    assert_eq!(lab.node(1).keys.len(), 1_001);
    let all = offsets(&mut lab, &[0, 1]);
    assert_eq!(all[0], all[1]);
}

#[test]
fn a_loading_replica_has_replicas_wait_for_it_9_0_2() {
    let mut lab = streaming("0");
    lab.ask(1, "CONFIG SET repl-diskless-load swapdb");
    follow(&mut lab, 1);
    lab.run(800);
    lab.act(2, |node, ctx| node.follow(ctx, endpoint(1)));
    let line = "Error reply to PING from master: '-LOADING Redis is loading the dataset in memory'";
    assert!(lab.logged(2, line));
}
