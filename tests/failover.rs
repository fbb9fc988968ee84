//! Failovers of whole virtual clusters (§8, Appendix A, §15).

mod virtual_cluster;

use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::world::{ClientEvent, NodeNo, ProcessStatus};
use virtual_cluster::{Cluster, Plan};

/// Three masters (0, 1, 2) and their replicas (3, 4, 5), in sync, node timeout 2 s.
fn calm() -> Cluster {
    let mut cluster = Plan::default().form();
    cluster.run(Span::secs(15));
    cluster
}

/// A key of the slots of master 0.
const KEY: &str = "{06S}";

#[track_caller]
fn assert_between(what: &str, at: Option<Time>, since: Time, low: u64, high: u64) {
    let after = at.unwrap_or_else(|| panic!("never: {what}")).since(since).as_millis();
    assert!((low..=high).contains(&after), "{what} after {after} ms");
}

#[test]
fn a_dead_master_is_replaced_by_its_replica_and_comes_back_as_one() {
    let mut cluster = calm();
    assert_eq!(cluster.command(0, &format!("SET {KEY} before")), Reply::ok());
    cluster.run(Span::millis(500));
    let killed = cluster.world.now();
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::secs(6));
    let won = cluster.said(3, killed, "Failover election won");
    assert_between("promotion", won, killed, 2_500, 5_300);
    assert_eq!(cluster.command(3, &format!("GET {KEY}")), Reply::bulk("before"));
    let restarted = cluster.world.now();
    cluster.world.start(NodeNo(0)).unwrap();
    cluster.run(Span::secs(3));
    let change = cluster.said(0, restarted, "Configuration change detected.");
    assert_between("demotion", change, restarted, 1, 150);
    assert!(
        cluster.said(0, restarted, "Full resync from master").is_some(),
        "it forgot its history"
    );
    assert_eq!(cluster.info(0, "master_link_status"), "up");
    let cleared = "master without slots is reachable again.";
    assert!((1..6).any(|node| cluster.said(node, restarted, cleared).is_some()), "trap 15.39");
    let reader = cluster.connect(0);
    assert_eq!(cluster.ask(reader, "READONLY"), Reply::ok());
    assert_eq!(cluster.ask(reader, &format!("GET {KEY}")), Reply::bulk("before"));
}

#[test]
fn a_manual_failover_loses_nothing_and_blocks_writes_for_ten_seconds_15_13() {
    let mut cluster = calm();
    let slow = cluster.connect(0);
    let reader = cluster.connect(0);
    assert_eq!(cluster.ask(slow, &format!("SET {KEY} before")), Reply::ok());
    // Voters that sleep make the failover wait, so that a write finds the master paused and still
    // responsible.
    let start = cluster.world.now();
    cluster.world.pause(NodeNo(1)).unwrap();
    cluster.world.pause(NodeNo(2)).unwrap();
    assert_eq!(cluster.command(3, "CLUSTER FAILOVER"), Reply::ok());
    cluster.run(Span::millis(20));
    let paused_at = cluster.said(0, start, "Manual failover requested by replica").unwrap();
    cluster.send(slow, &format!("SET {KEY} during"));
    cluster.run(Span::millis(20));
    assert_eq!(cluster.world.client_take(slow), None, "it is held back");
    assert_eq!(cluster.ask(reader, &format!("GET {KEY}")), Reply::bulk("before"), "reads are not");
    cluster.world.resume(NodeNo(1)).unwrap();
    cluster.world.resume(NodeNo(2)).unwrap();
    cluster.run(Span::millis(400));
    assert!(cluster.said(3, start, "Failover election won").is_some());
    assert_eq!(cluster.info(0, "role"), "slave");
    let moved = Reply::Error("MOVED 0 127.0.0.1:7003".to_owned());
    let late = cluster.connect(0);
    assert_eq!(cluster.ask(late, &format!("SET {KEY} after")), moved, "redirected at once");
    assert_eq!(cluster.ask(reader, "PING"), Reply::Status("PONG".to_owned()));
    match cluster.next(slow, Span::secs(20)) {
        Some(ClientEvent::Reply(reply)) if reply == moved => {
            let waited = cluster.world.now().since(paused_at).as_millis();
            assert!((10_000..10_250).contains(&waited), "{waited} ms");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_partial_resync_is_enough_after_a_manual_failover_15_26() {
    let mut cluster = calm();
    let start = cluster.world.now();
    cluster.command(3, "CLUSTER FAILOVER");
    cluster.run(Span::secs(2));
    let partial = "Partial resynchronization request from 127.0.0.1:7000 accepted. Sending 0 bytes";
    assert!(cluster.said(3, start, partial).is_some());
    assert!(cluster.said(0, start, "Successful partial resynchronization").is_some());
    assert_eq!(cluster.info(0, "master_replid"), cluster.info(3, "master_replid"));
    assert_eq!(cluster.info(0, "master_repl_offset"), cluster.info(3, "master_repl_offset"));
}

#[test]
fn force_does_without_the_master_15_31() {
    let mut cluster = calm();
    cluster.world.pause(NodeNo(0)).unwrap();
    let start = cluster.world.now();
    assert_eq!(cluster.command(3, "CLUSTER FAILOVER FORCE"), Reply::ok());
    cluster.run(Span::millis(300));
    let began = cluster.said(3, start, "Starting a failover election");
    assert_between("the election", began, start, 0, 102);
    assert!(cluster.serves(3));
    assert!(cluster.said(0, start, "Failover auth granted").is_none(), "it is asleep");
}

#[test]
fn takeover_does_without_a_majority_15_31() {
    let mut cluster = calm();
    for node in [0, 1, 2] {
        cluster.world.kill(NodeNo(node)).unwrap();
    }
    cluster.run(Span::secs(5));
    assert!(!cluster.serves(3), "no majority, no vote");
    for node in [3, 4, 5] {
        assert_eq!(cluster.command(node, "CLUSTER FAILOVER TAKEOVER"), Reply::ok());
        assert!(cluster.serves(node), "at once");
    }
    cluster.run(Span::secs(6));
    let info = cluster.command(4, "CLUSTER INFO");
    assert!(info.text().unwrap().starts_with("cluster_state:ok"), "{info:?}");
}

#[test]
fn two_masters_of_five_at_once_are_both_replaced() {
    let mut cluster = Plan { masters: 5, ..Plan::default() }.form();
    cluster.run(Span::secs(15));
    let killed = cluster.world.now();
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.world.kill(NodeNo(1)).unwrap();
    cluster.run(Span::secs(25));
    assert!(cluster.serves(5) && cluster.serves(6));
    let epoch = |node: u32| {
        let lines = cluster.lines_since(node, killed);
        let set = lines.iter().find_map(|line| line.text.strip_prefix("configEpoch set to "));
        set.unwrap().to_owned()
    };
    assert_ne!(epoch(5), epoch(6), "never two winners of one epoch");
}

#[test]
fn a_shard_that_lost_its_master_and_its_replica_stays_down_until_the_master_is_back() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} value"));
    cluster.run(Span::millis(500));
    let down = cluster.world.now();
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.world.kill(NodeNo(3)).unwrap();
    cluster.run(Span::secs(6));
    let error = cluster.command(1, "GET other").error().map(str::to_owned);
    assert_eq!(error.as_deref(), Some("CLUSTERDOWN The cluster is down"));
    // The replica alone may not: its link was never up in this process's life.
    cluster.world.start(NodeNo(3)).unwrap();
    cluster.run(Span::secs(14));
    assert!(!cluster.serves(3), "trap 15.14");
    let why = "Currently unable to failover: Disconnected from master for longer than allowed.";
    assert!(cluster.said(3, down, why).is_some());
    cluster.world.start(NodeNo(0)).unwrap();
    cluster.run(Span::secs(12));
    assert!(cluster.serves(0));
    assert_eq!(cluster.info(3, "master_link_status"), "up");
}

#[test]
fn a_replica_migrates_to_a_master_that_lost_its_last_one() {
    // Master 2 has one replica, 8; master 0 has 3, 6, and master 1 has 4, 7, and also 5.
    let mut cluster = Plan { replicas_each: 2, ..Plan::default() }.form_as(|formation| {
        let moved = formation.masters[2].replicas.remove(0);
        formation.masters[1].replicas.push(moved);
    });
    cluster.run(Span::secs(15));
    let killed = cluster.world.now();
    cluster.world.kill(NodeNo(8)).unwrap();
    cluster.run(Span::secs(20));
    let migrated: Vec<u32> = (0..9)
        .filter(|&node| cluster.said(node, killed, "Migrating to orphaned master").is_some())
        .collect();
    let [migrant] = migrated[..] else { panic!("{migrated:?}") };
    assert!([4, 5, 7].contains(&migrant), "one of the master that has most: {migrant}");
    assert_eq!(cluster.info(migrant, "master_port"), "7002");
    assert_eq!(cluster.info(migrant, "master_link_status"), "up");
    let failed = (0..8).filter_map(|node| cluster.said(node, killed, "as failing")).min();
    let moved = cluster.said(migrant, killed, "Migrating to orphaned master");
    assert_between("the migration", moved, failed.unwrap(), 5_000, 5_250);
}

#[test]
fn a_replica_that_was_shut_down_goes_on_from_its_file_a8() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} before"));
    cluster.run(Span::secs(1));
    cluster.world.terminate(NodeNo(3)).unwrap();
    cluster.run(Span::secs(1));
    cluster.command(0, &format!("SET {KEY} meanwhile"));
    let start = cluster.world.now();
    cluster.world.start(NodeNo(3)).unwrap();
    cluster.run(Span::secs(2));
    assert!(cluster.said(3, start, "DB loaded from disk").is_some());
    assert!(cluster.said(3, start, "Successful partial resynchronization").is_some());
    let reader = cluster.connect(3);
    cluster.ask(reader, "READONLY");
    assert_eq!(cluster.ask(reader, &format!("GET {KEY}")), Reply::bulk("meanwhile"));
}

#[test]
fn a_partitioned_master_steps_down_when_it_is_reached_again_15_26() {
    let mut cluster = calm();
    let start = cluster.world.now();
    cluster.world.partition(&[vec![NodeNo(0)]]);
    cluster.run(Span::secs(14));
    assert!(cluster.serves(3));
    assert!(cluster.said(0, start, "Cluster state changed: fail").is_some(), "it is alone");
    let healed = cluster.world.now();
    cluster.world.heal();
    cluster.run(Span::secs(15));
    assert!(cluster.said(0, healed, "Configuration change detected.").is_some());
    assert_eq!(cluster.info(0, "role"), "slave");
    assert_eq!(cluster.info(0, "master_link_status"), "up");
    let refused = "Requested offset for second ID was";
    assert!(cluster.said(3, healed, refused).is_some(), "it was fed pings while it was alone");
}

#[test]
fn an_acknowledged_write_with_wait_survives_the_failover() {
    let mut cluster = calm();
    let client = cluster.connect(0);
    assert_eq!(cluster.ask(client, &format!("SET {KEY} precious")), Reply::ok());
    assert_eq!(cluster.ask(client, "WAIT 1 1000"), Reply::Int(1));
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::secs(6));
    assert_eq!(cluster.command(3, &format!("GET {KEY}")), Reply::bulk("precious"));
}

#[test]
fn wait_gives_up_after_its_time_and_says_how_many_there_were() {
    let mut cluster = calm();
    cluster.world.pause(NodeNo(3)).unwrap();
    let client = cluster.connect(0);
    cluster.ask(client, &format!("SET {KEY} value"));
    let start = cluster.world.now();
    assert_eq!(cluster.ask(client, "WAIT 1 500"), Reply::Int(0));
    let waited = cluster.world.now().since(start).as_millis();
    assert!((500..=610).contains(&waited), "{waited} ms");
}

#[test]
fn without_enough_good_replicas_writes_are_refused() {
    let mut cluster = calm();
    cluster.command(0, "CONFIG SET min-replicas-to-write 1");
    cluster.run(Span::secs(2));
    assert_eq!(cluster.command(0, &format!("SET {KEY} value")), Reply::ok());
    cluster.world.kill(NodeNo(3)).unwrap();
    cluster.run(Span::secs(2));
    assert_eq!(
        cluster.command(0, &format!("SET {KEY} value")).error(),
        Some("NOREPLICAS Not enough good replicas to write.")
    );
}

#[test]
fn replicas_serve_reads_only_to_clients_that_asked_for_it_11_7() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} value"));
    cluster.run(Span::millis(100));
    let client = cluster.connect(3);
    let moved = Reply::Error("MOVED 0 127.0.0.1:7000".to_owned());
    assert_eq!(cluster.ask(client, &format!("GET {KEY}")), moved);
    cluster.ask(client, "READONLY");
    assert_eq!(cluster.ask(client, &format!("GET {KEY}")), Reply::bulk("value"));
    assert_eq!(cluster.ask(client, &format!("SET {KEY} x")), moved, "writes go to the master");
    assert_eq!(
        cluster.ask(client, "FLUSHALL").error(),
        Some("READONLY You can't write against a read only replica.")
    );
}

#[test]
fn keys_expire_on_replicas_when_the_master_says_so_a3() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} value PX 300"));
    cluster.run(Span::millis(100));
    assert_eq!(cluster.command(3, "DBSIZE"), Reply::Int(1));
    cluster.run(Span::secs(1));
    assert_eq!(cluster.command(3, "DBSIZE"), Reply::Int(0));
    assert_eq!(cluster.info(3, "master_repl_offset"), cluster.info(0, "master_repl_offset"));
}

#[test]
fn a_transaction_reaches_the_replica_as_a_whole() {
    let mut cluster = calm();
    let offset =
        |cluster: &mut Cluster| -> u64 { cluster.info(0, "master_repl_offset").parse().unwrap() };
    cluster.command(0, &format!("SET {KEY} 1"));
    let before = offset(&mut cluster);
    let client = cluster.connect(0);
    for words in ["MULTI", &format!("INCR {KEY}"), &format!("GET {KEY}"), &format!("INCR {KEY}")] {
        cluster.ask(client, words);
    }
    cluster.ask(client, "EXEC");
    let incr = format!("*2\r\n$4\r\nINCR\r\n${}\r\n{KEY}\r\n", KEY.len()).len() as u64;
    assert_eq!(offset(&mut cluster) - before, 15 + 2 * incr + 14, "MULTI, two INCRs, EXEC");
    cluster.run(Span::millis(100));
    assert_eq!(offset(&mut cluster).to_string(), cluster.info(3, "slave_repl_offset"));
    let reader = cluster.connect(3);
    cluster.ask(reader, "READONLY");
    assert_eq!(cluster.ask(reader, &format!("GET {KEY}")), Reply::bulk("3"));
}

#[test]
fn a_replica_that_was_told_to_follow_somebody_else_has_the_others_keys() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} value"));
    let reply = cluster.command(0, "CLUSTER MYID");
    let id = reply.text().unwrap();
    assert_eq!(cluster.command(5, &format!("CLUSTER REPLICATE {id}")), Reply::ok());
    cluster.run(Span::secs(1));
    assert_eq!(cluster.info(5, "master_port"), "7000");
    assert_eq!(cluster.info(5, "master_link_status"), "up");
    assert_eq!(cluster.command(5, "DBSIZE"), Reply::Int(1));
    assert_eq!(cluster.info(0, "connected_slaves"), "2");
}

#[test]
fn a_replica_that_loads_a_large_data_set_looks_up_only_now_and_then_15_37() {
    let mut cluster = calm();
    let megabyte = "x".repeat(1 << 20);
    for number in 0..40 {
        assert_eq!(cluster.command(0, &format!("SET {KEY}{number} {megabyte}")), Reply::ok());
    }
    cluster.run(Span::millis(100));
    let reply = cluster.command(0, "CLUSTER MYID");
    let start = cluster.world.now();
    cluster.command(5, &format!("CLUSTER REPLICATE {}", reply.text().unwrap()));
    cluster.run_until(Span::secs(5), |cluster| {
        cluster.said(5, start, "MASTER <-> REPLICA sync: Loading DB in memory").is_some()
    });
    let loading = cluster.world.now();
    assert_eq!(cluster.world.status(NodeNo(5)), ProcessStatus::Blocked);
    let client = cluster.connect(5);
    cluster.send(client, "PING");
    cluster.run(Span::millis(5));
    assert_eq!(cluster.world.client_take(client), None, "amid a part");
    cluster.run(Span::millis(25));
    let refusal = Reply::Error("LOADING Redis is loading the dataset in memory".to_owned());
    assert_eq!(cluster.world.client_take(client), Some(ClientEvent::Reply(refusal)));
    let info = cluster.command(5, "INFO persistence");
    assert!(info.text().unwrap().contains("loading:1\r\n"));
    let ticks = cluster.world.stats().ticks;
    cluster.run(Span::millis(200));
    let others = cluster.world.stats().ticks - ticks;
    assert!((9..=11).contains(&others), "five of six nodes: {others}");
    cluster.run(Span::secs(1));
    let done = cluster.said(5, start, "MASTER <-> REPLICA sync: Finished with success");
    assert_between("the end of loading", done, loading, 400, 430);
    assert_eq!(cluster.command(5, "DBSIZE"), Reply::Int(40));
}

#[test]
fn closed_links_deliver_old_pings_after_a_heal_15_25() {
    let plan = Plan { node_timeout: 5_000, packets: true, ..Plan::default() };
    let mut cluster = plan.form();
    cluster.run(Span::secs(15));
    cluster.world.partition(&[vec![NodeNo(0)]]);
    cluster.run(Span::secs(14));
    let healed = cluster.world.now();
    cluster.world.heal();
    cluster.run(Span::secs(30));
    let demoted = cluster.said(0, healed, "Configuration change detected.").unwrap();
    let seen = cluster.seen.borrow();
    let late = demoted + Span::millis(500);
    let stale = seen
        .packets
        .iter()
        .filter(|(at, from, _, as_master)| *at > late && *from == NodeNo(0) && *as_master);
    assert!(stale.count() > 0, "it was a replica for half a second already");
}

#[test]
fn a_migrated_key_leaves_the_replicas_of_its_old_master_11_16() {
    let mut cluster = calm();
    cluster.command(0, &format!("SET {KEY} value"));
    cluster.run(Span::millis(100));
    assert_eq!(cluster.command(3, "DBSIZE"), Reply::Int(1));
    let id = |cluster: &mut Cluster, node| {
        cluster.command(node, "CLUSTER MYID").text().unwrap().to_owned()
    };
    let (source, target) = (id(&mut cluster, 0), id(&mut cluster, 1));
    cluster.command(1, &format!("CLUSTER SETSLOT 0 IMPORTING {source}"));
    cluster.command(0, &format!("CLUSTER SETSLOT 0 MIGRATING {target}"));
    let migrate = format!("MIGRATE 127.0.0.1 7001 {KEY} 0 1000");
    assert_eq!(cluster.command(0, &migrate), Reply::ok());
    cluster.run(Span::millis(100));
    assert_eq!(cluster.command(3, "DBSIZE"), Reply::Int(0), "a DEL was sent");
    assert_eq!(cluster.command(4, "DBSIZE"), Reply::Int(1), "a RESTORE was sent");
    assert_eq!(cluster.info(3, "slave_repl_offset"), cluster.info(0, "master_repl_offset"));
}

#[test]
fn clients_that_wait_are_sent_away_when_their_master_becomes_a_replica_11_13() {
    let mut cluster = calm();
    let client = cluster.connect(0);
    cluster.ask(client, &format!("SET {KEY} value"));
    cluster.send(client, "WAIT 2 0");
    cluster.run(Span::millis(200));
    assert_eq!(cluster.world.client_take(client), None, "there is only one replica");
    cluster.command(3, "CLUSTER FAILOVER");
    let error = "UNBLOCKED force unblock from blocking operation, instance state changed (master \
                 -> replica?)";
    let event = cluster.next(client, Span::secs(1));
    assert_eq!(event, Some(ClientEvent::Reply(Reply::Error(error.to_owned()))));
    assert_eq!(cluster.next(client, Span::secs(1)), Some(ClientEvent::Closed));
}

#[test]
fn a_client_may_say_what_replicas_say() {
    let mut cluster = calm();
    let client = cluster.connect(0);
    assert_eq!(cluster.ask(client, "REPLCONF listening-port 7 capa eof"), Reply::ok());
    assert_eq!(
        cluster.ask(client, "REPLCONF nonsense 1").error(),
        Some("ERR Unrecognized REPLCONF option: nonsense")
    );
    cluster.send(client, "REPLCONF ACK 0");
    assert_eq!(cluster.next(client, Span::millis(50)), None, "an ACK is not answered");
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::millis(100));
    assert_eq!(
        cluster.command(3, "PSYNC ? -1").error(),
        Some("NOMASTERLINK Can't SYNC while not connected with my master")
    );
}
