//! The tutorial's session, line by line: what its terminal showed is what the simulation prints.
//!
//! `tests/data/tutorial` holds the terminal blocks of the tutorial as they were. Masked are the
//! things that no two runs share: dates and process ids of log lines, the times in CLUSTER NODES,
//! counters of messages, the build's hash.

mod common;

use std::collections::VecDeque;

/// Commands whose spelling in the tutorial is a slip or shows another prompt.
const COMMANDS: [(&str, &str); 3] = [
    ("$ redis-server -c -p 7000", "$ redis-cli -c -p 7000"),
    ("> set key value", "127.0.0.1:7000> set key value"),
    ("fabric@cicd:~/redis-6.2.3/7001$ redis-cli -c -p 7000", "$ redis-cli -c -p 7000"),
];

/// The terminal blocks of the tutorial, in their order.
fn blocks() -> Vec<String> {
    let directory = common::path("tests/data/tutorial");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert_eq!(paths.len(), 22);
    paths.into_iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A line without what no two runs share.
fn mask(line: &str) -> String {
    let line = COMMANDS.iter().find(|(slip, _)| *slip == line).map_or(line, |(_, meant)| meant);
    let line = line.trim_end();
    if let Some((_, role, _, rest)) = common::log_line(line) {
        let rest: Vec<&str> = rest.split(", ").filter(|part| !part.starts_with("pid=")).collect();
        return format!("PID:{role} DATE {}", rest.join(", "));
    }
    if let Some((name, _)) = line.split_once(':').filter(|_| line.starts_with("cluster_stats_")) {
        return format!("{name}:COUNT");
    }
    if line.starts_with("Redis server v=") {
        return line.split(" build=").next().unwrap().to_owned();
    }
    let words: Vec<&str> = line.split(' ').collect();
    if words.len() >= 8 && words[0].len() == 40 {
        let time = |word: &str| if word == "0" { "0".to_owned() } else { "TIME".to_owned() };
        let masked = [time(words[4]), time(words[5])];
        return [words[..4].join(" "), masked.join(" "), words[6..].join(" ")].join(" ");
    }
    line.to_owned()
}

fn is_command(line: &str) -> bool {
    line.starts_with("$ ") || line.split_once("> ").is_some_and(|(place, _)| place.contains(':'))
}

/// A line of the tutorial that the transcript has to show next, and how it may come.
struct Expected {
    line: String,
    /// Directly behind the line before: it belongs to the same dialogue.
    at_once: bool,
}

fn expected() -> Vec<Expected> {
    let mut expected = Vec::new();
    for block in blocks() {
        let mut at_once = false;
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            // Outside of dialogues the tutorial writes commands without a `$`, and shows parts of
            // logs.
            let typed_plainly = line.starts_with("mkdir ") || line.starts_with("cd ");
            let line = if typed_plainly { format!("$ {line}") } else { mask(line) };
            let may_come_later = typed_plainly || is_command(&line) || line.starts_with("PID:");
            expected.push(Expected { at_once: at_once && !may_come_later, line });
            at_once = true;
        }
    }
    expected
}

/// The first line of the tutorial that a transcript does not show, and where.
fn first_difference(transcript: &str) -> Option<String> {
    let mut lines: VecDeque<String> =
        transcript.lines().map(mask).filter(|line| !line.trim().is_empty()).collect();
    for (number, Expected { line, at_once }) in (1..).zip(expected()) {
        let at = lines.iter().position(|other| *other == line);
        match at {
            Some(at) if at == 0 || !at_once => drop(lines.drain(..=at)),
            _ => {
                let next = lines.front().map_or("", String::as_str);
                return Some(format!("line {number} should be\n  {line}\nbut next is\n  {next}"));
            }
        }
    }
    None
}

#[test]
fn everything_the_tutorials_terminal_showed_is_printed_in_its_order() {
    assert_eq!(expected().len(), 307);
    let (text, _) = common::run(&common::load("scenarios/tutorial.toml", &[]));
    if let Some(difference) = first_difference(&text) {
        panic!("{difference}\n(is another seed needed? see the test that looks for one)\n{text}");
    }
}

/// The order of CLUSTER NODES, the dots of the join and who marks whom are chances of a run. Should
/// a change of the simulator shift its draws, this finds a seed with which they are the tutorial's:
/// `cargo test --release --test tutorial -- --ignored --nocapture`.
#[test]
#[ignore = "a search, not a check"]
fn look_for_a_seed_with_which_chance_is_as_in_the_tutorial() {
    let fits = |seed: &u32| {
        let plan = common::load("scenarios/tutorial.toml", &[&format!("seed={seed}")]);
        first_difference(&common::try_run(&plan).0).is_none()
    };
    let found = (1..100_000).find(fits);
    println!("seed = {found:?}");
    assert!(found.is_some());
}

#[test]
fn the_dates_that_the_tutorial_shows_are_those_of_the_scenario() {
    let (text, _) = common::run(&common::load("scenarios/tutorial.toml", &[]));
    for start in
        ["6653:C 27 May 2021 04:44:38.997 # Redis", "6708:C 27 May 2021 04:47:24.165 # Redis"]
    {
        assert!(text.contains(start), "{start}");
    }
    // Minutes are the tutorial's; within them the cluster takes its own time.
    for minute in ["6708:M 27 May 2021 05:17:4", "6653:M 27 May 2021 05:22:49"] {
        assert!(text.contains(minute), "{minute}");
    }
}
