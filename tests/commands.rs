//! Commands in whole virtual clusters: what outlives a process, what reaches a replica, what blocks.

mod virtual_cluster;

use std::fs;
use std::path::Path;

use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::time::Span;
use redis_cluster_sim::world::{ClientEvent, NodeNo};
use virtual_cluster::{Cluster, Plan};

/// Three masters and a replica of each, up and in agreement. `{b}` is a key of node 0, `k` of node 1,
/// `{a}` of node 2.
fn cluster(configure: fn(&mut Config)) -> Cluster {
    let mut cluster = Plan { configure, ..Plan::default() }.form();
    cluster.run(Span::secs(5));
    cluster
}

fn plain() -> Cluster {
    cluster(|_| {})
}

fn crash_and_restart(cluster: &mut Cluster, node: u32) {
    cluster.world.kill(NodeNo(node)).unwrap();
    cluster.run(Span::millis(10));
    cluster.world.start(NodeNo(node)).unwrap();
    cluster.run(Span::secs(3));
}

#[test]
fn config_rewrite_outlives_the_process() {
    let mut cluster = plain();
    cluster.command(0, "CONFIG SET cluster-node-timeout 2500");
    cluster.command(0, "CONFIG SET cluster-migration-barrier 3");
    cluster.command(0, "CONFIG REWRITE");
    cluster.command(0, "CONFIG SET cluster-migration-barrier 4");
    crash_and_restart(&mut cluster, 0);
    let get = |cluster: &mut Cluster, name: &str| {
        let Reply::Array(pair) = cluster.command(0, &format!("CONFIG GET {name}")) else {
            panic!()
        };
        pair[1].text().unwrap().to_owned()
    };
    assert_eq!(get(&mut cluster, "cluster-node-timeout"), "2500");
    assert_eq!(get(&mut cluster, "cluster-migration-barrier"), "3", "only what was rewritten");
}

#[test]
fn keys_outlive_a_crash_with_an_append_only_file_only() {
    for (configure, left) in [
        ((|_| {}) as fn(&mut Config), Reply::Nil),
        (|config| config.appendonly = true, Reply::bulk("v")),
    ] {
        let mut cluster = Plan { configure, replicas_each: 0, ..Plan::default() }.form();
        cluster.run(Span::secs(5));
        assert_eq!(cluster.command(0, "SET {b} v"), Reply::ok());
        crash_and_restart(&mut cluster, 0);
        assert_eq!(cluster.command(0, "GET {b}"), left);
    }
}

#[test]
fn debug_sleep_holds_everybody_up() {
    let mut cluster = plain();
    let (sleeper, other) = (cluster.connect(0), cluster.connect(0));
    cluster.send(sleeper, "DEBUG SLEEP 0.7");
    cluster.run(Span::millis(10));
    cluster.send(other, "PING");
    assert_eq!(cluster.next(other, Span::millis(600)), None);
    let pong = ClientEvent::Reply(Reply::Status("PONG".to_owned()));
    assert_eq!(cluster.next(other, Span::millis(200)), Some(pong));
    assert_eq!(cluster.next(sleeper, Span::millis(1)), Some(ClientEvent::Reply(Reply::ok())));
}

#[test]
fn migrate_moves_a_key_over_the_network_11_16() {
    let mut cluster = plain();
    let id = |cluster: &mut Cluster, node| {
        cluster.command(node, "CLUSTER MYID").text().unwrap().to_owned()
    };
    let (from, to) = (id(&mut cluster, 0), id(&mut cluster, 1));
    cluster.command(0, "SET {b} v");
    cluster.command(1, &format!("CLUSTER SETSLOT 3300 IMPORTING {from}"));
    cluster.command(0, &format!("CLUSTER SETSLOT 3300 MIGRATING {to}"));
    assert_eq!(cluster.command(0, "MIGRATE 127.0.0.1 7001 {b} 0 1000"), Reply::ok());
    let asked = cluster.command(0, "GET {b}");
    assert_eq!(asked.error(), Some("ASK 3300 127.0.0.1:7001"));
    let client = cluster.connect(1);
    cluster.ask(client, "ASKING");
    assert_eq!(cluster.ask(client, "GET {b}"), Reply::bulk("v"));
    cluster.run(Span::secs(1));
    let digest = |cluster: &mut Cluster, node| cluster.command(node, "DEBUG DIGEST");
    assert_eq!(digest(&mut cluster, 0), digest(&mut cluster, 3), "the replica deleted it, too");
    assert_eq!(digest(&mut cluster, 1), digest(&mut cluster, 4), "… and the other has it");
}

#[test]
fn migrate_says_how_it_failed_11_16() {
    let mut cluster = plain();
    cluster.command(0, "SET {b} v");
    let refused = cluster.command(0, "MIGRATE 127.0.0.1 9999 {b} 0 100");
    assert_eq!(refused.error(), Some("IOERR error or timeout writing to target instance"));
    cluster.world.pause(NodeNo(1)).unwrap();
    let silent = cluster.command(0, "MIGRATE 127.0.0.1 7001 {b} 0 100");
    assert_eq!(silent.error(), Some("IOERR error or timeout reading to target instance"));
    assert_eq!(cluster.command(0, "EXISTS {b}"), Reply::Int(1));
}

#[test]
fn migrate_tries_once_more_when_the_connection_breaks_11_16() {
    let mut cluster = plain();
    cluster.command(0, "SET {b} v");
    cluster.world.pause(NodeNo(1)).unwrap();
    let client = cluster.connect(0);
    cluster.send(client, "MIGRATE 127.0.0.1 7001 {b} 0 1000");
    cluster.run(Span::millis(100));
    cluster.world.kill(NodeNo(1)).unwrap();
    // At the second attempt nobody listens any more.
    let event = cluster.next(client, Span::millis(100));
    let Some(ClientEvent::Reply(reply)) = event else { panic!("{event:?}") };
    assert_eq!(reply.error(), Some("IOERR error or timeout writing to target instance"));
    assert_eq!(cluster.command(0, "EXISTS {b}"), Reply::Int(1));
}

#[test]
fn migrate_waits_twice_for_a_target_that_cannot_be_reached_11_16() {
    let mut cluster = plain();
    cluster.command(0, "SET {b} v");
    cluster.world.cut(NodeNo(0), NodeNo(1));
    let client = cluster.connect(0);
    cluster.send(client, "MIGRATE 127.0.0.1 7001 {b} 0 300");
    assert_eq!(cluster.next(client, Span::millis(590)), None);
    let event = cluster.next(client, Span::millis(30));
    let Some(ClientEvent::Reply(reply)) = event else { panic!("{event:?}") };
    assert_eq!(reply.error(), Some("IOERR error or timeout writing to target instance"));
}

#[test]
fn what_is_published_at_one_node_is_heard_at_all_4_7() {
    let mut cluster = plain();
    let listener = cluster.connect(5);
    cluster.ask(listener, "SUBSCRIBE news");
    assert_eq!(cluster.command(0, "PUBLISH news hi"), Reply::Int(0));
    let heard = Reply::Array(["message", "news", "hi"].map(Reply::bulk).to_vec());
    assert_eq!(cluster.next(listener, Span::secs(1)), Some(ClientEvent::Reply(heard)));
}

#[test]
fn a_dead_key_is_dead_at_the_replica_too() {
    let mut cluster = plain();
    cluster.command(0, "SET {b} v PX 1000");
    cluster.run(Span::millis(100));
    let reader = cluster.connect(3);
    cluster.ask(reader, "READONLY");
    assert_eq!(cluster.ask(reader, "GET {b}"), Reply::bulk("v"));
    cluster.run(Span::secs(2));
    assert_eq!(cluster.ask(reader, "GET {b}"), Reply::Nil);
    assert_eq!(cluster.ask(reader, "DBSIZE"), Reply::Int(0), "the master has it deleted");
}

#[test]
fn a_replica_that_is_cut_off_can_be_told_not_to_answer() {
    let mut cluster = plain();
    let client = cluster.connect(3);
    cluster.ask(client, "CONFIG SET replica-serve-stale-data no");
    cluster.ask(client, "READONLY");
    assert_eq!(cluster.ask(client, "GET {b}"), Reply::Nil);
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::millis(100));
    let refusal =
        "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
    assert_eq!(cluster.ask(client, "GET {b}").error(), Some(refusal));
    assert_eq!(cluster.ask(client, "PING").text(), Some("PONG"));
    cluster.ask(client, "MULTI");
    assert_eq!(cluster.ask(client, "DBSIZE").error(), Some(refusal));
    assert!(cluster.ask(client, "EXEC").error().unwrap().starts_with("EXECABORT"));
}

/// All commands of the recordings that change keys, in their order, on keys of one slot.
fn changes() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies");
    let mut changes = Vec::new();
    for file in ["strings", "keys", "lists", "sets", "hashes"] {
        let recording = fs::read_to_string(folder.join(file).with_extension("txt")).unwrap();
        let commands = recording.lines().filter_map(|line| line.strip_prefix("> "));
        changes.extend(commands.filter(|line| !line.contains('"')).map(str::to_owned));
    }
    changes
}

#[test]
fn a_replica_has_the_same_keys_after_every_command_that_redis_was_asked() {
    let mut cluster = Plan { masters: 1, ..Plan::default() }.form();
    cluster.run(Span::secs(5));
    let (master, replica) = (cluster.connect(0), cluster.connect(1));
    let mut compared = 0;
    for (number, command) in changes().iter().enumerate() {
        cluster.ask(master, command);
        if number % 10 == 0 {
            cluster.run(Span::millis(5));
            let (own, other) =
                (cluster.ask(master, "DEBUG DIGEST"), cluster.ask(replica, "DEBUG DIGEST"));
            assert_eq!(own, other, "after `{command}`");
            compared += 1;
        }
    }
    assert!(compared > 50, "{compared}");
}
