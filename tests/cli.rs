//! The command line from outside: what it prints where, and its exit codes.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A cluster that forms by itself and is looked at.
const FINE: &str = r#"
title = "A cluster that is there"
[cluster]
masters = 3
formed = true
[script]
steps = ["wait 1s", "expect cluster ok", "redis-cli -p 7000 config rewrite", "log 7000"]
"#;

fn sim(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sim")).args(args).output().unwrap()
}

/// A file with this text, in the test's own directory.
fn file(name: &str, text: impl AsRef<[u8]>) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// [`FINE`] with other steps.
fn with_steps(name: &str, steps: &str) -> String {
    file(
        name,
        FINE.replace(
            r#"["wait 1s", "expect cluster ok", "redis-cli -p 7000 config rewrite", "log 7000"]"#,
            steps,
        ),
    )
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, stderr: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(stderr), "{said}");
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn help_that_cannot_be_written_is_said() {
    for option in ["--help", "--version"] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_sim"))
            .arg(option)
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_ends(&output, 2, "error: cannot write the output: No space left on device");
        assert_ends(&sim(&[option]), 0, "");
    }
}

#[test]
fn a_limit_that_is_over_before_the_first_step_is_shown_there() {
    let path = with_steps("short.toml", r#"["wait 1ms"]"#);
    let output = sim(&["run", &path, "--set", "limit=20ms"]);
    assert_ends(&output, 3, "the run has reached its limit of 20ms");
    assert_ends(&output, 3, "^^^^^^^^ before this step: the cluster still forms");
}

#[test]
fn a_run_that_goes_well_ends_with_0_and_prints_a_session() {
    let output = sim(&["run", &file("fine.toml", FINE)]);
    assert_ends(&output, 0, "");
    assert!(stdout(&output).starts_with("# A cluster that is there\n\n# 00:00:0"));
    assert!(stdout(&output).contains("# CONFIG REWRITE executed with success."));
    assert!(!stdout(&output).contains("Redis is starting"), "the cluster was there before");
    assert!(output.stderr.is_empty());
}

#[test]
fn an_expectation_that_fails_ends_with_1_and_shows_what_was_found() {
    let path = with_steps("unexpected.toml", r#"["expect 7000 cluster_size 4", "wait 1s"]"#);
    let output = sim(&["run", &path]);
    assert_ends(&output, 1, "this expectation is not met");
    assert_ends(&output, 1, "unexpected.toml:7:11");
    assert_ends(&output, 1, "^^^ 3");
}

#[test]
fn a_redis_cli_that_ends_before_it_is_aborted_ends_a_run_with_1() {
    let path = with_steps(
        "never_aborted.toml",
        r#"["wait 1s", "abort after 11: redis-cli --cluster check 127.0.0.1:7000", "wait 1s"]"#,
    );
    let output = sim(&["run", &path]);
    assert_ends(&output, 1, "redis-cli has ended before it was aborted");
    assert_ends(&output, 1, "never_aborted.toml:7:22");
    assert_ends(&output, 1, "it has sent 10 requests only");
    assert!(stdout(&output).ends_with("[OK] All 16384 slots covered.\n"));
}

#[test]
fn what_is_waited_for_in_vain_ends_with_3() {
    let path = with_steps("vain.toml", r#"["wait until 7000 knows 2 within 5s"]"#);
    assert_ends(&sim(&["run", &path]), 3, "waited 5s in vain");
    let path = with_steps("limit.toml", r#"["wait until 7000 knows 2"]"#);
    assert_ends(&sim(&["run", &path, "--set", "limit=20s"]), 3, "its limit of 20s");
}

#[test]
fn the_line_that_nobody_answers_is_pointed_at() {
    let steps = r#"["in background: redis-cli -c -p 7000", "> blpop queue 0", "> get queue",
        "wait for redis-cli"]"#;
    let output = sim(&["run", &with_steps("unanswered.toml", steps)]);
    assert_ends(&output, 3, "the run has reached its limit of 1h");
    assert_ends(&output, 3, "^^^^^^^^^^^^^^^ redis-cli still waits for what comes of this line");
}

#[test]
fn a_duration_for_a_point_in_time_is_told_how_to_be_one() {
    let output = sim(&["run", "--until", "1s", &file("until_1s.toml", FINE)]);
    assert_ends(&output, 2, "did you mean `+1s`");
}

#[test]
fn a_step_that_cannot_be_done_ends_with_2() {
    let path = with_steps("impossible.toml", r#"["at +1us kill 7000"]"#);
    assert_ends(&sim(&["run", &path]), 2, "this step is due in the past");
}

#[test]
fn a_question_without_an_answer_and_an_answer_without_a_question_end_with_2() {
    let path = with_steps(
        "unanswered.toml",
        r#"["redis-cli --cluster reshard 127.0.0.1:7000", "> 0", "> 0", "> 0", "> 0"]"#,
    );
    let output = sim(&["run", &path]);
    assert_ends(&output, 2, "an answer is missing");
    assert_ends(&output, 2, "it asks `How many slots do you want to move (from 1 to 16384)?`");
    let path = with_steps("unread.toml", r#"["redis-cli -p 7000", "> quit", "> ping"]"#);
    assert_ends(&sim(&["run", &path]), 2, "redis-cli has ended without reading this line");
    let path = with_steps("monitor.toml", r#"["redis-cli -p 7000 monitor"]"#);
    assert_ends(&sim(&["run", &path]), 2, "`monitor` is not simulated");
}

#[test]
fn processes_are_started_stopped_paused_and_started_again() {
    let path = with_steps(
        "processes.toml",
        r#"[
            "pause 7000", "expect 7000 stopped", "expect 7001 running",
            "restart 7000", "expect 7000 running",
            "restart 7000", "expect 7000 running",
            "stop 7000", "expect 7000 stopped", "start 7000",
            "segfault 7001", "restart 7001", "expect 7001 running",
            "kill 7002", "start 7002", "pause 7002", "wait 1ms", "resume 7002",
            "wait until cluster ok within 30s",
        ]"#,
    );
    assert_ends(&sim(&["run", &path]), 0, "");
}

#[test]
fn a_server_that_cannot_start_ends_a_run_with_its_last_words() {
    let path = file(
        "corrupt.toml",
        "[[node]]\nport = 7000\nnodes-conf = \"nonsense\\n\"\n[script]\nsteps = [\"start 7000\"]\n",
    );
    let output = sim(&["run", &path]);
    assert_ends(&output, 2, "node 7000 did not start");
    assert_ends(&output, 2, "corrupted cluster config file");
    let typed = std::fs::read_to_string(&path).unwrap();
    let typed = typed.replace("start 7000", "redis-server 7000/redis.conf\", \"cat 7000/redis.log");
    let output = sim(&["run", &file("corrupt_too.toml", typed)]);
    assert_ends(&output, 0, "");
    assert!(stdout(&output).contains("corrupted cluster config file"));
}

#[test]
fn a_wrong_scenario_or_option_ends_with_2() {
    let fine = file("fine_too.toml", FINE);
    let wrong = file("wrong.toml", "[script]\nsteps = [\"reboot\"]\n");
    for (args, said) in [
        (vec!["check", &wrong], "unknown step `reboot`"),
        (vec!["run", &wrong], "unknown step `reboot`"),
        (vec!["run", "no/such/file.toml"], "error: cannot read no/such/file.toml: No such file"),
        (vec!["run", env!("CARGO_TARGET_TMPDIR")], "Is a directory"),
        (vec!["run", &fine, "--seed", "x"], "invalid value 'x'"),
        (vec!["run", &fine, "--set", "sed=1"], "did you mean `seed`?"),
        (vec!["run", &fine, "--set", "seed"], "no `=` in it"),
        (vec!["run", &fine, "--until", "soon"], "`--until soon`: not a time"),
        (vec!["run", &fine, "--log", "7009"], "`--log 7009`: no node is called this"),
        (vec!["run"], "SCENARIO"),
        (vec!["runn", &fine], "run"),
        (vec![], "Usage: sim"),
    ] {
        assert_ends(&sim(&args), 2, said);
    }
}

#[test]
fn a_negative_seed_is_called_what_it_is() {
    let output = sim(&["run", &file("negative_seed.toml", FINE), "--seed", "-1"]);
    assert_ends(&output, 2, "invalid value '-1' for '--seed <N>'");
}

#[test]
fn check_goes_through_all_files() {
    let fine = file("fine_three.toml", FINE);
    let wrong = file("wrong_too.toml", "x = 1");
    let output = sim(&["check", &wrong, &fine]);
    assert_ends(&output, 2, "unknown key `x`");
    assert!(stdout(&output).ends_with("fine_three.toml: ok, 3 nodes, 4 steps\n"));
}

#[test]
fn json_is_an_object_for_each_line() {
    let output = sim(&["run", &file("json.toml", FINE), "--format", "json"]);
    assert_ends(&output, 0, "");
    let text = stdout(&output);
    let records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().all(|record| record["v"] == 1 && record["at_us"].is_u64()));
    assert_eq!(records[0]["type"], "begin");
    let last = records.last().unwrap();
    assert_eq!((&last["type"], &last["ending"]), (&"end".into(), &"done".into()));
    assert_eq!(last["fingerprint"].as_str().unwrap().len(), 16);
}

#[test]
fn quiet_prints_nothing_and_stats_go_to_stderr() {
    let path = file("quiet.toml", FINE);
    let output = sim(&["run", &path, "--quiet", "--stats"]);
    assert_ends(&output, 0, "fingerprint");
    assert!(output.stdout.is_empty());
    let again = sim(&["run", &path, "--quiet"]);
    assert!(again.stdout.is_empty() && again.stderr.is_empty());
}

#[test]
fn until_stops_a_run_early() {
    let output = sim(&["run", &file("until.toml", FINE), "--until", "+1s"]);
    assert_ends(&output, 0, "");
    assert!(!stdout(&output).contains("wait"));
}

#[test]
fn live_logs_come_between_the_steps_and_only_once() {
    let output = sim(&["run", &file("live.toml", FINE), "--log", "all"]);
    let text = stdout(&output);
    assert_eq!(text.matches("Running mode=cluster, port=7000.").count(), 1);
    assert!(text.contains("Running mode=cluster, port=7002."));
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let path = file("colours.toml", FINE);
    assert!(!stdout(&sim(&["run", &path])).contains('\x1b'));
    assert!(stdout(&sim(&["run", &path, "--color", "always"])).contains('\x1b'));
}

#[test]
fn a_reader_who_has_had_enough_is_no_failure() {
    let path = with_steps("pipe.toml", r#"["wait 1s", "log 7000", "wait 1s", "log 7001"]"#);
    for args in [vec!["run", &path, "--format", "json", "--log", "all"], vec!["schema"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_failure_that_nobody_reads_about_is_one_all_the_same() {
    let path = with_steps("unread_failure.toml", r#"["expect 7000 cluster_size 4"]"#);
    for command in ["run", "graph"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
            .args([command, &path])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        assert_eq!(child.wait().unwrap().code(), Some(1), "{command}");
    }
}

#[test]
fn files_are_checked_to_the_last_also_if_nobody_reads_about_the_good_ones() {
    let good = with_steps("unread_check.toml", r#"["wait 1s"]"#);
    let mut child = Command::new(env!("CARGO_BIN_EXE_sim"))
        .args(["check", &good, "no-such-file.toml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
#[cfg(unix)]
fn a_file_that_never_ends_is_no_scenario() {
    let output = sim(&["check", "/dev/zero"]);
    assert_ends(&output, 2, "cannot read /dev/zero: more than 16777216 bytes");
}

#[test]
fn what_is_so_is_said_when_it_should_not_be() {
    let path = with_steps("negated.toml", r#"["expect not cluster ok"]"#);
    assert_ends(&sim(&["run", &path]), 1, "^^^ found: 7000, 7001, 7002 say ok");
}

#[test]
fn the_schema_is_one_of_json_schema_and_knows_the_keys() {
    let schema: serde_json::Value = serde_json::from_slice(&sim(&["schema"]).stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(schema["properties"]["script"].is_object());
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_graph_shows_nodes_and_what_is_cut() {
    let path = with_steps("graph.toml", r#"["cut 7000 -> 7001", "delay 7002 -> 7000 5ms..9ms"]"#);
    let text = stdout(&sim(&["graph", &path]));
    assert!(text.starts_with("digraph {"));
    assert_eq!(text.matches("label = \"cut\"").count(), 1);
    assert!(text.contains("label = \"+5ms..9ms\""));
    let before = stdout(&sim(&["graph", &path, "--at", "+1ms"]));
    assert!(!before.contains("cut"));
}

#[test]
fn help_and_version_are_no_errors() {
    assert_ends(&sim(&["--help"]), 0, "");
    assert_ends(&sim(&["run", "--help"]), 0, "");
    assert!(stdout(&sim(&["--version"])).starts_with("sim "));
}
