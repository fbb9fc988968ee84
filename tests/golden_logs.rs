//! Logs of virtual nodes against logs of real ones.
//!
//! `tests/data/golden` holds the logs of two recorded sessions with unmodified Redis 6.2.3, with and
//! without an append-only file, and the same session as a scenario. Each node must write the same
//! lines in the same order. What may differ is listed in [`normalise`], with the reason.

mod common;

use std::collections::BTreeMap;

const NODES: [&str; 4] = ["22000", "22001", "22002", "22003"];

/// Each node's log, line by line.
type Logs = BTreeMap<&'static str, Vec<String>>;

fn recorded(variant: &str) -> Logs {
    NODES
        .into_iter()
        .map(|node| {
            let path = common::path(&format!("tests/data/golden/{variant}/node-{node}.log"));
            // A crash report holds bytes of memory.
            let bytes = std::fs::read(path).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            (node, text.lines().map(str::to_owned).collect())
        })
        .collect()
}

fn simulated(appendonly: &str) -> Logs {
    let pair = format!("config.appendonly={appendonly}");
    let plan = common::load("tests/data/golden/session.toml", &[&pair]);
    let (text, _) = common::run(&plan);
    NODES
        .into_iter()
        .map(|node| {
            let command = format!("$ cat {node}/redis.log\n");
            let (_, log) = text.split_once(&command).unwrap();
            let log = log.split("\n\n").next().unwrap();
            (node, log.lines().map(str::to_owned).collect())
        })
        .collect()
}

/// A log without what may differ between two runs of the same session.
fn normalise(logs: &Logs) -> Logs {
    let names = names(logs);
    let normal = |lines: &Vec<String>| {
        let lines = without_crash_report(lines);
        lines.iter().filter_map(|line| normal_line(line, &names)).collect()
    };
    logs.iter().map(|(node, lines)| (*node, normal(lines))).collect()
}

/// Node ids are random: the id of a node is what its log says behind "I'm".
fn names(logs: &Logs) -> Vec<(String, &'static str)> {
    let id = |lines: &Vec<String>| {
        let line = lines.iter().find(|line| line.contains(", I'm ")).unwrap();
        line.rsplit_once("I'm ").unwrap().1.to_owned()
    };
    logs.iter().map(|(node, lines)| (id(lines), *node)).collect()
}

/// The crash report tells of addresses, registers and memory, which a virtual process does not have.
/// It begins at the first line that is none of the log, and ends where the next process starts (whose
/// first line continues the last one of the report).
fn without_crash_report(lines: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut in_report = false;
    for line in lines {
        let starts = line.contains("Redis is starting");
        in_report = (in_report || line.contains("REDIS BUG REPORT START")) && !starts;
        if starts {
            kept.push(line.trim_start_matches(['.', 'O']).to_owned());
        } else if !in_report || is_said_by_both(line) {
            kept.push(line.clone());
        }
    }
    kept
}

/// The lines of a crash report that virtual nodes write, too.
fn is_said_by_both(line: &str) -> bool {
    ["crashed by signal: 11", "Accessing address: 0xffffffffffffffff", CRASHED_AT]
        .iter()
        .any(|said| line.contains(said))
}

/// What stands in front of an address in the program, which differs from start to start.
const CRASHED_AT: &str = "Crashed running the instruction at: ";

fn normal_line(line: &str, names: &[(String, &'static str)]) -> Option<String> {
    // Dates and process ids are those of the run.
    let Some((_, role, _, text)) = common::log_line(line) else {
        assert!(line.trim().is_empty(), "not a log line: {line}");
        return None;
    };
    let mut text = text.to_owned();
    for (id, node) in names {
        text = text.replace(id, node);
    }
    if let Some((before, rest)) = text.split_once("pid=") {
        text = format!("{before}pid=PID,{}", rest.split_once(',').unwrap().1);
    }
    if let Some((before, _)) = text.split_once(CRASHED_AT) {
        text = format!("{before}{CRASHED_AT}ADDRESS");
    }
    // Two survivors see the same node fail within the same milliseconds. Which of them is the first to
    // tell the other is chance.
    if let Some((_, rest)) = text.split_once("Marking node ") {
        text = format!("* {} is marked FAIL", rest.split(' ').next().unwrap());
    } else if let Some((_, rest)) =
        text.split_once(" about ").filter(|_| text.contains("FAIL message"))
    {
        text = format!("* {rest} is marked FAIL");
    }
    Some(format!("{role} {text}"))
}

#[track_caller]
fn assert_same(recorded: &Logs, simulated: &Logs) {
    let (recorded, simulated) = (normalise(recorded), normalise(simulated));
    for node in NODES {
        let (real, virtual_) = (recorded[node].join("\n"), simulated[node].join("\n"));
        assert_eq!(virtual_, real, "node {node}: simulated, then recorded");
        assert!(recorded[node].len() > 10, "node {node} has a log");
    }
}

#[test]
fn virtual_nodes_write_the_same_logs_as_real_ones() {
    assert_same(&recorded("plain"), &simulated("no"));
}

#[test]
fn virtual_nodes_with_an_append_only_file_write_the_same_logs_as_real_ones() {
    assert_same(&recorded("aof"), &simulated("yes"));
}
