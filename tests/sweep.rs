//! Sweeps from outside: what they print, that threads do not matter, and what is refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Three masters and their replicas; one master dies and comes back.
const FAILOVER: &str = r#"
title = "A master dies and comes back"
[config]
cluster-node-timeout = 500
[cluster]
masters = 3
replicas-per-master = 1
formed = true
[script]
steps = ["wait 3s..4s", "kill 7000", "wait 4s", "restart 7000", "wait 2s", "expect cluster ok"]
"#;

const MASTER_DIES: &str = "scenarios/master_dies.toml";

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .output()
        .unwrap()
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A file with this text, in the test's own directory.
fn file(name: &str, text: &str) -> String {
    std::fs::write(path(name), text).unwrap();
    path(name).to_str().unwrap().to_owned()
}

/// [`FAILOVER`] with other steps.
fn with_steps(name: &str, steps: &str) -> String {
    let (head, _) = FAILOVER.split_once("steps").unwrap();
    file(name, &format!("{head}steps = [{steps}]\n"))
}

/// What a sweep that ends like this prints.
#[track_caller]
fn sweep(args: &[&str], code: i32) -> (String, String) {
    let output = sim(&[&["sweep"], args].concat());
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{err}");
    (out, err)
}

#[test]
fn the_output_is_the_same_for_any_number_of_threads() {
    let path = file("sweep_threads.toml", FAILOVER);
    for format in ["table", "csv", "json"] {
        let with = |threads: &str| {
            sweep(&[&path, "--seeds", "5..16", "--format", format, "--threads", threads], 0)
        };
        let one = with("1");
        assert!(one.0.len() > 200 && one.1.is_empty(), "{one:?}");
        for threads in ["2", "7", "64"] {
            assert_eq!(with(threads), one, "{threads} threads");
        }
    }
}

#[test]
fn a_table_shows_distributions_in_seconds() {
    let path = file("sweep_table.toml", FAILOVER);
    insta::assert_snapshot!(sweep(&[&path, "--seeds", "0..19"], 0).0);
}

#[test]
fn csv_holds_every_run_in_microseconds() {
    let path = file("sweep_csv.toml", FAILOVER);
    let args =
        [&path, "--seeds", "0..2", "--format", "csv", "--measure", "pfail, kill  -> fail by 7001"];
    insta::assert_snapshot!(sweep(&args, 0).0);
}

#[test]
fn json_holds_every_run_in_microseconds() {
    let path = file("sweep_json.toml", FAILOVER);
    let args = [
        &path,
        "--seeds",
        "0..1",
        "--format",
        "json",
        "--measure",
        "ok,crash -> promotion by 7003",
    ];
    let text = sweep(&args, 0).0;
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["v"], redis_cluster_sim::report::json::VERSION);
    }
    insta::assert_snapshot!(text);
}

#[test]
fn output_goes_to_a_file_if_one_is_given() {
    let scenario = file("sweep_output.toml", FAILOVER);
    let to = path("sweep_output.csv");
    let args = [&scenario, "--seeds", "3", "--format", "csv"];
    let (expected, _) = sweep(&args, 0);
    let (out, _) = sweep(&[&args[..], &["--output", to.to_str().unwrap()]].concat(), 0);
    assert_eq!(out, "");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), expected);
}

#[test]
fn what_happens_only_in_some_runs_says_in_how_many() {
    // Whether PFAIL comes before the end is a matter of chance.
    let path = with_steps("sweep_some.toml", r#""wait 3s..4s", "kill 7000", "wait 620ms""#);
    let args = [&path, "--seeds", "0..19", "--measure", "pfail,promotion"];
    let (table, _) = sweep(&args, 0);
    let count = |start: &str| {
        let line = table.lines().find(|line| line.starts_with(start)).unwrap();
        line.split_whitespace().rev().nth(2).unwrap().parse::<u32>().unwrap()
    };
    assert!((1..20).contains(&count("pfail")), "{table}");
    assert!(
        table.contains("promotion         -         -         -         -         -  0 of 20"),
        "{table}"
    );
}

#[test]
fn expectations_that_fail_are_counted_and_can_be_replayed() {
    let steps = r#""wait 3s..4s", "kill 7000", "wait 620ms", "expect 7001 sees 7000 pfail""#;
    let path = with_steps("sweep_unexpected.toml", steps);
    let args = [&path, "--seeds", "0..19", "--measure", "pfail"];
    let (table, err) = sweep(&args, 1);
    let listed = table.lines().find_map(|line| line.strip_prefix("unexpected: ")).unwrap();
    let (count, seeds) = listed.split_once(" runs, seeds ").unwrap();
    let first = seeds.split(' ').next().unwrap();
    assert!(err.contains("this expectation is not met"), "{err}");
    assert!(
        err.contains(&format!("{count} of 20 runs did not go well, the first with seed {first}"))
    );
    assert!(err.contains(&format!("`sim run {path} --seed {first}` shows it")), "{err}");
    assert_eq!(sim(&["run", &path, "--seed", first]).status.code(), Some(1));
    let (csv, _) = sweep(&[&args[..], &["--format", "csv"]].concat(), 1);
    let failed = csv.lines().filter(|line| line.contains(",unexpected")).count();
    assert_eq!((failed.to_string().as_str(), csv.lines().count()), (count, 7 + 20));
}

#[test]
fn what_is_waited_for_in_vain_ends_with_3_and_an_impossible_step_with_2() {
    let path = with_steps("sweep_vain.toml", r#""kill 7000", "wait until 7000 running within 1s""#);
    let (table, err) = sweep(&[&path, "--seeds", "0..1"], 3);
    assert!(table.contains("in-vain: 2 runs, seeds 0 1") && err.contains("waited 1s in vain"));
    let path = with_steps("sweep_impossible.toml", r#""kill 7000", "at +2s wait 1s""#);
    let (_, err) = sweep(&[&path, "--seeds", "0..1"], 2);
    assert!(err.contains("this step is due in the past"), "{err}");
}

#[test]
fn a_run_of_a_sweep_is_the_run_that_sim_run_makes() {
    let csv = sweep(
        &[MASTER_DIES, "--seeds", "8", "--measure", "kill -> pfail by 7001", "--format", "csv"],
        0,
    )
    .0;
    let us: u64 = csv.lines().last().unwrap().rsplit(',').next().unwrap().parse().unwrap();
    let run = sim(&["run", MASTER_DIES, "--seed", "8"]);
    let text = String::from_utf8(run.stdout).unwrap();
    let shown = format!("pfail within 10s ({}.{:03}", us / 1_000_000, us / 1_000 % 1_000);
    assert!(text.contains(shown.trim_end_matches('0')), "{shown} in {text}");
}

#[test]
fn nodes_that_meet_come_to_know_each_other() {
    for client in ["redis-cli -p", "send on"] {
        let text = format!(
            "[cluster]\nmasters = 4\n[script]\nsteps = [\"start all\", \
            \"{client} 7001 cluster meet 127.0.0.1 7000\", \
            \"{client} 7002 cluster meet 127.0.0.1 7000\", \
            \"{client} 7003 cluster meet 127.0.0.1 7000\", \
            \"wait until 7000 knows 4\", \"wait 60s\", \
            \"expect 7000 knows 4\", \"expect 7001 knows 4\", \"expect 7003 knows 4\"]\n"
        );
        let (table, _) = sweep(&[&file("sweep_known.toml", &text), "--seeds", "0..9"], 0);
        let line = table.lines().find(|line| line.starts_with("known ")).unwrap();
        assert!(line.ends_with("  10") && !line.contains(" 0.000"), "{client}: {line}");
    }
}

#[test]
fn wrong_seeds_are_refused() {
    let hint = "for example `0..999`, both included";
    for (seeds, said) in [
        ("", "seed is missing"),
        ("..", hint),
        ("5..", hint),
        ("a..b", "`a` is not a seed"),
        ("1-9", "`1-9` is not a seed"),
        ("-1..3", "`-1` is not a seed"),
        ("9..0", "9 comes behind 0; did you mean `0..9`?"),
        ("0..18446744073709551616", "`18446744073709551616` is too large"),
        ("0..18446744073709551615", "so many seeds are too many; at most 10000000"),
    ] {
        let (out, err) = sweep(&[MASTER_DIES, "--seeds", seeds], 2);
        assert!(out.is_empty() && err.contains(said), "{seeds}: {err}");
    }
    assert!(sweep(&[MASTER_DIES], 2).1.contains("--seeds"));
}

#[test]
fn wrong_measures_are_refused() {
    for (measure, said) in [
        ("pfial", "there is no measure `pfial`"),
        ("pfial", "did you mean `pfail`? known are pfail, fail-first, fail-last,"),
        ("latency", "known are pfail, fail-first,"),
        ("", "there is no measure ``"),
        ("->", "there is no event ``"),
        ("crash ->", "there is no event ``"),
        ("crash -> fial", "did you mean `fail`?"),
        ("crash -> fail by 7009", "no node is called `7009`"),
        ("crash -> fail twice", "whose is meant?"),
        ("crash -> fail by", "whose is meant?"),
        ("crash -> fail self", "one of: `fail first`, `fail last`, `fail by NODE`"),
        ("crash -> election last", "one of: `election first`, `election by NODE`"),
        ("crash first -> ok", "nothing can stand behind `crash`"),
        ("segfault -> ok", "nothing gets a SIGSEGV in this scenario"),
        ("pause -> fail", "nothing is paused in this scenario"),
        ("heal -> ok", "the network is never mended in this scenario"),
        ("known", "no node meets another in this scenario"),
        ("pfail,ok,pfail", "error: `pfail` is asked for twice\nhint: each measure has one line"),
        ("kill -> ok,kill  ->  ok", "`kill -> ok` is asked for twice"),
    ] {
        let (out, err) =
            sweep(&[MASTER_DIES, "--seeds", "0..9", &format!("--measure={measure}")], 2);
        assert!(out.is_empty() && err.contains(said), "{measure}: {err}");
    }
    let calm = with_steps("sweep_calm.toml", r#""wait 5s""#);
    let (_, err) = sweep(&[&calm, "--seeds", "0", "--measure", "fail-last"], 2);
    assert!(err.contains("error: `fail-last`: nothing crashes in this scenario"), "{err}");
    assert!(err.contains("hint: a crash is a `kill` or a `segfault` step"), "{err}");
    let (_, err) = sweep(&[&calm, "--seeds", "0"], 2);
    assert!(err.contains("nothing in this scenario has a measure of its own"), "{err}");
}

#[test]
fn other_wrong_arguments_are_refused() {
    let cases: [(&[&str], &str); 10] = [
        (&["no/such.toml", "--seeds", "1"], "cannot read no/such.toml"),
        (&[MASTER_DIES, "--seeds", "1", "--threads", "0"], "invalid value '0'"),
        (&[MASTER_DIES, "--seeds", "1", "--threads", "99999"], "invalid value '99999'"),
        (&[MASTER_DIES, "--seeds", "1", "--format", "xml"], "invalid value 'xml'"),
        (&[MASTER_DIES, "--seeds", "1", "--set", "sed=1"], "did you mean `seed`?"),
        (
            &[MASTER_DIES, "--seeds", "0..9", "--set", "seed=3"],
            "error: `--set seed=3` has no effect: `--seeds` gives the seeds\n\
             hint: a single one is `--seeds 3`",
        ),
        (
            &[MASTER_DIES, "--seeds", "1", "--set", "limit=1h", "--set", "'seed' = 3"],
            "`--seeds` gives the seeds",
        ),
        (
            &[MASTER_DIES, "--seeds", "1", "--output", "/no/such/dir/x"],
            "error: cannot write /no/such/dir/x: No such file",
        ),
        (&[MASTER_DIES, "--seeds", "1", "--output", "src"], "cannot write src: Is a directory"),
        (&["--seeds", "1"], "SCENARIO"),
    ];
    for (args, said) in cases {
        let (out, err) = sweep(args, 2);
        assert!(out.is_empty() && err.contains(said), "{args:?}: {err}");
    }
}

#[test]
fn a_crash_by_a_command_is_a_crash() {
    let steps = r#""wait 3s", "redis-cli -p 7000 debug segfault", "wait 3s""#;
    let path = with_steps("sweep_debug.toml", steps);
    let args = [&path, "--seeds", "0..4", "--measure", "pfail,segfault -> fail last"];
    let (table, _) = sweep(&args, 0);
    assert_eq!(table.lines().filter(|line| line.ends_with("  5")).count(), 2, "{table}");
}
