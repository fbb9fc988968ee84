//! What nodes log in failovers, line by line, against logs of real nodes.
//!
//! The same steps are taken at the same times. Compared is what every node wrote, in order, without
//! what is random or a matter of luck: ids, numbers, who of several nodes was first to notice a
//! failure, how often a dead master was tried again.

mod virtual_cluster;

use std::collections::BTreeMap;
use std::path::Path;

use redis_cluster_sim::id::NodeId;
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::time::Span;
use redis_cluster_sim::world::NodeNo;
use virtual_cluster::{Cluster, Plan};

/// Lines of one node: role letter and text.
type Log = Vec<(char, String)>;

/// The logs of a recording, by node.
fn recorded(name: &str, nodes: u32) -> Vec<Log> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded").join(name);
    (0..nodes)
        .map(|node| {
            let text = std::fs::read_to_string(folder.join(format!("node-{node}.log"))).unwrap();
            text.lines().filter_map(parse).collect()
        })
        .collect()
}

/// `11012:M 23 Nov 2026 14:43:54.156 # Cluster state changed: ok`; not the lines of signal handlers.
fn parse(line: &str) -> Option<(char, String)> {
    let (_, rest) = line.split_once(':')?;
    let (role, rest) = rest.split_once(' ')?;
    let role = role.chars().next().filter(|_| role.len() == 1)?;
    Some((role, rest.splitn(6, ' ').nth(5)?.to_owned()))
}

/// Takes out of logs what is random or a matter of luck.
fn masked(logs: &[Log]) -> Vec<Vec<String>> {
    let names: BTreeMap<String, String> = logs
        .iter()
        .zip('a'..)
        .filter_map(|(log, name)| {
            let id = log.iter().find_map(|(_, text)| new_id(text))?;
            Some((id.to_owned(), format!("node-{name}")))
        })
        .collect();
    logs.iter().map(|log| mask_log(log, &names)).collect()
}

/// Lines that are not compared, by their start.
const IGNORED: [&str; 12] = [
    // 6.2.14 has other words for these, or 6.2.3 has none.
    "WARNING",
    "Done loading RDB",
    "Redis version=",
    // Whether two votes arrive together is luck.
    "Currently unable to failover: Waiting for votes",
    // A dead master is tried again and again; whether the first attempt finds a socket that is just
    // being closed is luck.
    "Reconnecting to MASTER",
    "Connecting to MASTER",
    "MASTER <-> REPLICA sync started",
    "Non blocking connect for SYNC fired",
    "Error condition on socket",
    "Error reply to PING",
    // Whether a master first hears of its successor or first sees it leave is luck.
    "Connection with replica",
    "Connection with master lost.",
];

fn mask_log(log: &Log, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Whether a master that is about to be replaced still gets to vote for that is luck.
    let mut successor = None;
    for (role, text) in log {
        if IGNORED.iter().any(|start| text.starts_with(start)) {
            continue;
        }
        if let Some(replica) = text.strip_prefix("Manual failover requested by replica ") {
            successor = Some(replica.trim_end_matches('.').to_owned());
        }
        let vote = text.strip_prefix("Failover auth granted to ");
        if vote.is_some_and(|vote| successor.as_ref().is_some_and(|one| vote.starts_with(one))) {
            continue;
        }
        let mut text = text.clone();
        for (id, name) in names {
            text = text.replace(id, name);
        }
        // Who of several nodes counts the reports first is luck.
        if let Some(about) = text.strip_prefix("Marking node ") {
            text = format!("FAIL {}", about.replace(" as failing (quorum reached).", ""));
        } else if text.starts_with("FAIL message received from") {
            text = format!("FAIL {}", text.split(" about ").nth(1).unwrap());
        }
        lines.push(format!("{role} {}", mask_numbers(&text)));
    }
    lines
}

/// Replaces 40 digits by `ID` and numbers by `N`, but for ports and epochs.
fn mask_numbers(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut masked = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let epoch = masked.ends_with("epoch ") || masked.ends_with("configEpoch set to ");
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        let is_port = word.trim_end_matches('.').len() == 5 && word.starts_with("27");
        let port = is_port && !masked.ends_with("pid ");
        masked.push_str(match word {
            "0000000000000000000000000000000000000000" | "127.0.0.1" => word,
            _ if word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "ID",
            _ if number && !epoch && !port => "N",
            _ => word,
        });
        let next = after.find(is_part).unwrap_or(after.len());
        masked.push_str(&after[..next]);
        rest = &after[next..];
    }
    masked
}

fn virtual_logs(cluster: &Cluster) -> Vec<Log> {
    let seen = cluster.seen.borrow();
    let mut logs: Vec<Log> = vec![Vec::new(); cluster.world.node_count()];
    for line in &seen.lines {
        logs[line.node.index()].push((line.role, line.text.clone()));
    }
    logs
}

/// Nodes with the ids of those of a recording, and nothing configured to be saved.
fn apart(real: &[Log], configure: fn(&mut Config)) -> Cluster {
    let ids: Vec<NodeId> = real
        .iter()
        .map(|log| log.iter().find_map(|(_, text)| new_id(text)).unwrap().parse().unwrap())
        .collect();
    Plan { configure, ..Plan::default() }.apart(&ids)
}

/// The id in the line that a new node writes.
fn new_id(text: &str) -> Option<&str> {
    text.strip_prefix("No cluster configuration found, I'm ")
}

/// Makes a cluster of three masters as `redis-cli` would: epochs, slots, introductions. Returns the
/// masters' ids.
fn create(cluster: &mut Cluster, nodes: u32, base: u16) -> Vec<String> {
    for node in 0..nodes {
        cluster.world.start(NodeNo(node)).unwrap();
        cluster.run(Span::millis(20));
    }
    for node in 0..nodes {
        cluster.command(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", node + 1));
    }
    let step = 16_384 / 3;
    for node in 0..3 {
        let end = if node == 2 { 16_384 } else { (node + 1) * step };
        let slots: Vec<String> = (node * step..end).map(|slot| slot.to_string()).collect();
        cluster.command(node, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
    }
    for node in 1..nodes {
        cluster.command(node, &format!("CLUSTER MEET 127.0.0.1 {base}"));
    }
    let formed = |cluster: &mut Cluster, node: u32| {
        let info = cluster.command(node, "CLUSTER INFO");
        let info = info.text().unwrap();
        info.contains("cluster_state:ok") && info.contains(&format!("known_nodes:{nodes}\r"))
    };
    for node in 0..nodes {
        while !formed(cluster, node) {
            cluster.run(Span::millis(50));
        }
    }
    let id = |reply: Reply| reply.text().unwrap().to_owned();
    (0..3).map(|node| id(cluster.command(node, "CLUSTER MYID"))).collect()
}

/// Sixty keys, each to every master; two of three are refused.
fn write_keys(cluster: &mut Cluster) {
    for key in 0..60 {
        for node in 0..3 {
            cluster.command(node, &format!("SET k{key} v"));
        }
    }
}

#[track_caller]
fn assert_same(ours: &[Log], real: &[Log]) {
    let (ours, mut real) = (masked(ours), masked(real));
    for (node, (ours, real)) in ours.iter().zip(&mut real).enumerate() {
        // The recording ends with the end of all processes.
        real.truncate(real.iter().rposition(|line| !is_farewell(line)).map_or(0, |at| at + 1));
        for (number, (ours, real)) in ours.iter().zip(real.iter()).enumerate() {
            assert_eq!(ours, real, "line {number} of node {node}");
        }
        assert_eq!(ours.len(), real.len(), "lines of node {node}: {ours:#?}");
    }
}

fn is_farewell(line: &str) -> bool {
    line == "S Caching the disconnected master state."
}

#[test]
fn a_killed_master_and_manual_failovers_are_logged_as_by_real_nodes() {
    let real = recorded("failover-kill-restart-manual", 6);
    let mut cluster = apart(&real, |config| {
        config.save.clear();
        config.port += 20_100;
    });
    let ids = create(&mut cluster, 6, 27_100);
    for node in 0..3 {
        cluster.command(node + 3, &format!("CLUSTER REPLICATE {}", ids[node as usize]));
        cluster.run(Span::millis(200));
    }
    cluster.run(Span::secs(3));
    write_keys(&mut cluster);
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::secs(7));
    cluster.world.start(NodeNo(0)).unwrap();
    cluster.run(Span::secs(9));
    let failover = |cluster: &mut Cluster, node: u32, how: &str, wait: u64| {
        cluster.command(node, &format!("CLUSTER FAILOVER{how}"));
        cluster.run(Span::millis(wait));
    };
    failover(&mut cluster, 4, "", 600);
    failover(&mut cluster, 1, "", 1_500);
    failover(&mut cluster, 4, "", 2_000);
    failover(&mut cluster, 4, "", 9_000);
    failover(&mut cluster, 5, " FORCE", 3_000);
    failover(&mut cluster, 2, " TAKEOVER", 3_000);
    cluster.world.terminate(NodeNo(0)).unwrap();
    cluster.run(Span::millis(1_010));
    cluster.world.start(NodeNo(0)).unwrap();
    cluster.run(Span::secs(3));
    assert_same(&virtual_logs(&cluster), &real);
}

#[test]
fn a_migration_and_a_forced_failover_are_logged_as_by_real_nodes() {
    let real = recorded("failover-migration-aof", 7);
    let mut cluster = apart(&real, |config| {
        config.save.clear();
        config.appendonly = config.port != 7_006;
        config.port += 20_200;
    });
    let masters = create(&mut cluster, 6, 27_200);
    cluster.world.start(NodeNo(6)).unwrap();
    cluster.run(Span::millis(20));
    cluster.command(6, "CLUSTER MEET 127.0.0.1 27200");
    cluster.run(Span::millis(2_500));
    for (replica, master) in [(3, 0), (4, 1), (5, 2), (6, 0)] {
        cluster.command(replica, &format!("CLUSTER REPLICATE {}", masters[master]));
        cluster.run(Span::millis(200));
    }
    cluster.run(Span::millis(2_800));
    write_keys(&mut cluster);
    cluster.run(Span::millis(1_500));
    cluster.world.kill(NodeNo(4)).unwrap();
    cluster.run(Span::secs(11));
    cluster.world.start(NodeNo(4)).unwrap();
    cluster.run(Span::millis(3_020));
    cluster.world.kill(NodeNo(2)).unwrap();
    cluster.run(Span::secs(7));
    cluster.world.start(NodeNo(2)).unwrap();
    cluster.run(Span::millis(4_020));
    cluster.world.kill(NodeNo(5)).unwrap();
    cluster.run(Span::millis(10));
    cluster.world.kill(NodeNo(2)).unwrap();
    cluster.run(Span::secs(1));
    cluster.world.start(NodeNo(2)).unwrap();
    cluster.run(Span::millis(12_020));
    cluster.command(2, "CLUSTER FAILOVER FORCE");
    cluster.run(Span::secs(3));
    assert_same(&virtual_logs(&cluster), &real);
}
