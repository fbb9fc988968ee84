//! What nodes log in failovers, line by line, against logs of real nodes.
//!
//! The same steps are taken at the same times. Compared is what every node wrote, in order, without
//! what is random or a matter of luck: ids, numbers, who of several nodes was first to notice a
//! failure, how often a dead master was tried again.

mod virtual_cluster;

use std::collections::BTreeMap;
use std::path::Path;

use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::time::Span;
use redis_cluster_sim::world::NodeNo;
use virtual_cluster::{Cluster, Plan};

/// Lines of one node: role letter and text.
type Log = Vec<(char, String)>;

/// The logs of a recording, by node.
fn recorded(name: &str, ports: std::ops::Range<u16>) -> Vec<Log> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded").join(name);
    (0..ports.len())
        .map(|node| {
            let text = std::fs::read_to_string(folder.join(format!("node-{node}.log"))).unwrap();
            text.lines().filter_map(parse).collect()
        })
        .collect()
}

/// `11012:M 23 Nov 2026 14:43:54.156 # Cluster state changed: ok`
fn parse(line: &str) -> Option<(char, String)> {
    let (_, rest) = line.split_once(':')?;
    let role = rest.chars().next()?;
    let text = rest.get(2..)?.splitn(6, ' ').nth(5)?;
    Some((role, text.to_owned()))
}

/// Takes out of logs what is random or a matter of luck.
fn masked(logs: &[Log]) -> Vec<Vec<String>> {
    let names: BTreeMap<String, String> = logs
        .iter()
        .enumerate()
        .filter_map(|(node, log)| {
            let found = |(_, text): &(char, String)| {
                text.strip_prefix("No cluster configuration found, I'm ").map(str::to_owned)
            };
            Some((log.iter().find_map(found)?, format!("node {node}")))
        })
        .collect();
    logs.iter().map(|log| mask_log(log, &names)).collect()
}

fn mask_log(log: &Log, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (role, text) in log {
        let ignored = [
            // 6.2.14 has other words for these, or 6.2.3 has none.
            "WARNING",
            "Done loading RDB",
            "Redis version=",
            // Whether two votes arrive together is luck.
            "Currently unable to failover: Waiting for votes",
            // A dead master is tried again and again; whether the first attempt finds a socket that
            // is just being closed is luck.
            "Reconnecting to MASTER",
            "Connecting to MASTER",
            "MASTER <-> REPLICA sync started",
            "Non blocking connect for SYNC fired",
            "Error condition on socket",
            "Error reply to PING",
        ];
        if ignored.iter().any(|start| text.starts_with(start)) {
            continue;
        }
        let mut text = text.clone();
        for (id, name) in names {
            text = text.replace(id, name);
        }
        if let Some(about) = text.strip_prefix("Marking ") {
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
        masked.push_str(match word {
            "0000000000000000000000000000000000000000" => word,
            _ if word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "ID",
            "127.0.0.1" => word,
            _ if number && !epoch && !(word.len() == 5 && word.starts_with("27")) => "N",
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

/// Makes a cluster as `redis-cli` would: epochs, slots, introductions.
fn create(cluster: &mut Cluster, masters: u32, nodes: u32, base: u16) -> Vec<String> {
    for node in 0..nodes {
        cluster.world.start(NodeNo(node)).unwrap();
        cluster.run(Span::millis(20));
    }
    let id = |reply: Reply| reply.text().unwrap().to_owned();
    let ids: Vec<String> =
        (0..nodes).map(|node| id(cluster.command(node, "CLUSTER MYID"))).collect();
    for node in 0..nodes {
        cluster.command(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", node + 1));
    }
    let step = 16_384 / masters;
    for node in 0..masters {
        let end = if node == masters - 1 { 16_384 } else { (node + 1) * step };
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
    ids
}

#[track_caller]
fn assert_same(virtual_logs: &[Log], real: &[Log]) {
    let (ours, real) = (masked(virtual_logs), masked(real));
    for (node, (ours, real)) in ours.iter().zip(&real).enumerate() {
        println!("---- node {node}");
        for pair in similar(ours, real) {
            println!("{pair}");
        }
    }
}

fn similar(ours: &[String], real: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < ours.len() || j < real.len() {
        if i < ours.len() && j < real.len() && ours[i] == real[j] {
            out.push(format!("   {}", ours[i]));
            i += 1;
            j += 1;
            continue;
        }
        let a = (i..ours.len().min(i + 12)).find(|&k| j < real.len() && ours[k] == real[j]);
        let b = (j..real.len().min(j + 12)).find(|&k| i < ours.len() && real[k] == ours[i]);
        match (a, b) {
            (Some(k), b) if b.is_none_or(|l| k - i <= l - j) => {
                for x in &ours[i..k] {
                    out.push(format!("+  {x}"));
                }
                i = k;
            }
            (_, Some(l)) => {
                for x in &real[j..l] {
                    out.push(format!("-  {x}"));
                }
                j = l;
            }
            _ => {
                if i < ours.len() {
                    out.push(format!("+  {}", ours[i]));
                    i += 1;
                }
                if j < real.len() {
                    out.push(format!("-  {}", real[j]));
                    j += 1;
                }
            }
        }
    }
    out
}

#[test]
fn a_killed_master_and_manual_failovers_are_logged_as_by_real_nodes() {
    let plan = Plan {
        configure: |config| {
            config.save.clear();
            config.port += 20_100;
        },
        ..Plan::default()
    };
    let mut cluster = plan.apart();
    let ids = create(&mut cluster, 3, 6, 27_100);
    for node in 0..3 {
        cluster.command(node + 3, &format!("CLUSTER REPLICATE {}", ids[node as usize]));
        cluster.run(Span::millis(200));
    }
    cluster.run(Span::secs(3));
    for key in 0..60 {
        for node in 0..3 {
            cluster.command(node, &format!("SET k{key} v"));
        }
    }
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
    assert_same(&virtual_logs(&cluster), &recorded("failover-kill-restart-manual", 27_100..27_106));
}
