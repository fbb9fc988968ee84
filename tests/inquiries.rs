//! What is said when a node's reply, a list of writes or a listener is not as a scenario expects, and
//! that it is not said when it is.

mod common;

use std::ops::ControlFlow;

use redis_cluster_sim::scenario::record::{Ending, Record, Sink, Summary};
use redis_cluster_sim::scenario::{self, runner};
use redis_cluster_sim::time::{Span, Time};

/// Two masters and a replica of each. `key` is a key of 7001.
fn run(steps: &[&str]) -> (String, Summary) {
    let steps: Vec<String> = steps.iter().map(|step| format!("'''{step}''',\n")).collect();
    let text = format!(
        "[cluster]\nmasters = 2\nreplicas-per-master = 1\nformed = true\n\
         [script]\nsteps = [\n{}]\n",
        steps.concat()
    );
    let plan = scenario::load("inline", text.as_bytes(), &[])
        .unwrap_or_else(|rejected| panic!("{}", rejected.render()));
    common::try_run(&plan)
}

#[track_caller]
fn goes_well(steps: &[&str]) -> String {
    let (text, summary) = run(steps);
    assert_eq!(summary.failure, None);
    assert_eq!(summary.ending, Ending::Done);
    text
}

#[track_caller]
fn fails(steps: &[&str], ending: Ending, label: &str) {
    let (_, summary) = run(steps);
    assert_eq!(summary.ending, ending);
    let failure = summary.failure.expect("it says why");
    assert!(failure.label.contains(label), "{}", failure.label);
}

/// Counts how often somebody is told that time passes.
struct Ticker(u32);

impl Sink for Ticker {
    fn record(&mut self, _: &Record) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Time) {
        self.0 += 1;
    }
}

#[test]
fn a_year_in_which_nothing_runs_is_passed_over_at_once() {
    let text = "limit = \"8784h\"\n[cluster]\nmasters = 3\nformed = true\n\
                [script]\nsteps = [\"kill all\", \"wait 8783h\"]\n";
    let plan = scenario::load("inline", text.as_bytes(), &[]).unwrap();
    let mut ticker = Ticker(0);
    let finished = runner::run(&plan, &runner::Options::default(), &mut ticker);
    assert_eq!(finished.summary.ending, Ending::Done);
    assert!(finished.world.now() >= Time::ZERO + Span::secs(8_783 * 3_600));
    assert!(ticker.0 < 100, "{}", ticker.0);
}

#[test]
fn replies_are_held_against_what_they_have_to_be() {
    goes_well(&[
        "send via 7000 set key Hello",
        "expect on 7001 get key = Hello",
        "expect on 7000 get key contains MOVED",
        "expect on 7000 get key matches 'MOVED [0-9]* 127.0.0.1:7001'",
        "expect not on 7001 get key = hello",
        "expect on 7001 get key contains l = 2 times",
        "wait until on 7000 7001 role contains 127.0.0.1 = 1 times within 5s",
        "expect on 7001 get key contains x < 1 times",
        "expect not on 7001 get key contains l > 2 times",
        "expect on 7001 dbsize >= 1",
        "expect all info cluster_enabled = 1",
        "wait until on 7001 7003 debug digest same within 5s",
        "expect on all cluster myid different",
        "send 50 times via 7000 set {n} {n}{n}",
        "expect 50 times via 7001 get {n} = {n}{n}",
    ]);
    let unmet = Ending::Unexpected;
    fails(&["send on 7000 set key x"], unmet, "7000: MOVED 12539 127.0.0.1:7001");
    fails(&["expect on 7000 dbsize = 1"], unmet, "7000: 0");
    fails(&["expect on 7000 dbsize > 0"], unmet, "7000: 0");
    fails(&["expect on 7000 ping contains pong"], unmet, "7000: PONG");
    fails(&["expect on 7000 ping contains P = 2 times"], unmet, "7000: PONG");
    fails(&["expect on all cluster myid same"], unmet, "; 7001: ");
    fails(&["expect on all ping different"], unmet, "7000: PONG; 7001: PONG");
    for negation in ["", "not "] {
        let misspelt = format!("expect {negation}7000 info rolle = master");
        let said = "INFO has no line `rolle`; did you mean `role`?";
        fails(&[&misspelt], unmet, said);
        let misspelt = format!("wait until {negation}7000 info rolle = master within 1s");
        fails(&[&misspelt], Ending::InVain, said);
    }
    fails(&["expect not on 7000 ping = PONG"], unmet, "it is so");
    fails(&["kill 7000", "expect on 7000 ping = PONG"], unmet, "7000: connection refused");
    fails(&["kill 7000", "expect not on 7000 ping = PONG"], unmet, "7000: connection refused");
    fails(&["kill all", "expect not all info role = slave"], unmet, "no node runs");
    fails(
        &["send 9 times via 7000 set {n} {n}", "expect 10 times via 7000 get {n} = {n}"],
        unmet,
        "7000: nothing",
    );
}

#[test]
fn doubled_braces_are_braces_also_where_commands_count() {
    goes_well(&[
        "send 2 times via 7000 set {{n}}{n} {n}",
        "expect via 7000 get {n}0 = 0",
        "expect via 7000 get {n}1 = 1",
        "expect 2 times via 7000 get {{n}}{n} = {n}",
        "expect not 1 times via 7000 get {{n}}1 = {{n}}",
        "send via 7000 set {n} once",
        "expect via 7000 get {{n}} = once",
        "expect not via 7000 get 0 = once",
        "send via 7000 set {{0..3}} range",
        "expect via 7000 get '{0..3}' = range",
    ]);
}

#[test]
fn what_a_remark_says_is_no_name() {
    goes_well(&[
        "# Now let tag be whatever",
        "note let tag be",
        "send via 7000 set {tag}x let",
        "expect via 7000 get {tag}x = let",
        "at +10s let heir = any replica",
    ]);
}

#[test]
fn what_does_not_come_true_is_waited_for_in_vain() {
    let in_vain = Ending::InVain;
    fails(&["wait until 7000 info role = slave within 2s"], in_vain, "7000: master");
    fails(
        &["pause 7000", "wait until on 7000 ping = PONG within 2s"],
        in_vain,
        "there was no answer",
    );
    fails(
        &["listen on 7000 subscribe a", "wait until listeners heard hello within 2s"],
        in_vain,
        "7000: subscribe a 1",
    );
}

#[test]
fn a_paused_node_answers_when_it_goes_on() {
    let text = goes_well(&[
        "listen on 7000 7001 subscribe news",
        "wait until listeners heard 'subscribe news 1' within 1s",
        "pause 7000",
        "send on 7001 publish news hello",
        "wait 100ms",
        "resume 7000",
        "wait until listeners heard 'message news hello' within 1s",
    ]);
    assert!(text.contains("resume 7000"));
}

#[test]
fn nodes_get_names_while_the_scenario_runs() {
    let text = goes_well(&[
        "let owner = owner of slot 12539",
        "let heir = replica of {owner}",
        "let its-master = master of {heir}",
        "send via 7000 set {owner} {owner.id}",
        "redis-cli -c -p {its-master.port} get 7001",
        "kill {owner}",
        "wait until 7000 sees {owner} disconnected within 5s",
        "redis-cli -p 7000 cluster count-failure-reports {owner.id}",
    ]);
    assert!(text.contains("let heir = replica of 7001: 7003\n"), "{text}");
    assert!(text.contains("let its-master = master of 7003: 7001\n"), "{text}");
    assert!(text.contains("$ redis-cli -c -p 7001 get 7001\n\""), "{text}");
    assert!(!text.contains('{'), "{text}");
    let impossible = Ending::Impossible;
    fails(&["kill 7002 7003", "let any = any replica"], impossible, "nobody to name");
    fails(
        &["let a = replica of 7000", "let b = master of {a}", "kill {b}", "kill {b}"],
        impossible,
        "",
    );
}

#[test]
fn a_backup_asks_each_master_for_its_data_set_cli_16() {
    let printed = goes_well(&[
        "wait until 7002 7003 info master_link_status = up within 10s",
        "send on 7000 set foo2 Hello",
        "redis-cli --cluster backup 127.0.0.1:7001 /var/tmp",
        "expect output contains '[OK] Backup created into: /var/tmp'",
        "expect 7000 7001 info connected_slaves = 1",
    ]);
    let line = |bytes: u32, port: u16| {
        format!(
            "SYNC sent to master, writing {bytes} bytes to '/var/tmp/redis-node-127.0.0.1-{port}-"
        )
    };
    // As many bytes as 6.2.14 wrote with these keys, less one: its version text is longer.
    for (bytes, port) in [(192, 7000), (175, 7001)] {
        assert!(printed.contains(&line(bytes, port)), "{printed}");
    }
}

#[test]
fn a_backup_into_a_directory_that_does_not_exist_fails_at_the_first_file_cli_16() {
    let printed = goes_well(&[
        "redis-cli --cluster backup 127.0.0.1:7001 /nonexistent/dir",
        "expect output contains 'No such file or directory'",
    ]);
    let error = "Error opening '/nonexistent/dir/redis-node-127.0.0.1-7001-";
    assert_eq!(printed.matches(error).count(), 1, "{printed}");
    assert_eq!(printed.matches("Saving RDB").count(), 1, "{printed}");
    assert!(!printed.contains("Backup created"), "{printed}");
}

#[test]
fn who_comes_when_a_server_is_full_is_told_so_1_2() {
    let printed = goes_well(&[
        "wait until 7002 7003 info master_link_status = up within 10s",
        "send on 7000 config set maxclients 7",
        "redis-cli -p 7000 ping",
        "expect output contains '(error) ERR max number of clients + cluster connections reached'",
        "redis-cli --cluster check 127.0.0.1:7000",
        "expect output contains '[ERR] Node 127.0.0.1:7000 ERR max number of clients + cluster'",
        "expect 7001 info rejected_connections = 0",
        "expect 7001 info connected_clients = 1",
    ]);
    assert_eq!(printed.matches("max number of clients").count(), 2, "{printed}");
}

#[test]
fn a_configuration_file_shows_what_config_rewrite_made_of_it_1_2() {
    goes_well(&[
        "cat 7000/redis.conf",
        "expect output contains 'port 7000'",
        "send on 7000 config set cluster-node-timeout 2000",
        "send on 7000 config rewrite",
        "send on 7000 config set cluster-node-timeout 3000",
        "cat 7000/redis.conf",
        r#"expect output contains "port 7000\n# Generated by CONFIG REWRITE\ncluster-enabled yes\ncluster-node-timeout 2000\n""#,
        "stop 7000",
        "move 7000 to 127.0.0.1:7009",
        "cat 7000/redis.conf",
        r#"expect output contains "port 7009\n# Generated by CONFIG REWRITE\n""#,
    ]);
}

#[test]
fn several_names_in_a_step_may_stand_for_several_nodes() {
    goes_well(&[
        "let owner = owner of slot 12539",
        "let heir = replica of {owner}",
        "cut {owner} -> 7000 {heir}",
        "wait 1s",
        "heal",
        "partition {owner} {heir} | 7000 | rest",
        "wait 1s",
        "heal",
        "kill {owner} {heir} 7000",
    ]);
    // Whether they do is known when the step is done.
    let names = ["let heir = replica of 7000", "let owner = master of {heir}"];
    let impossible = Ending::Impossible;
    fails(&[names[0], names[1], "kill {owner} 7000"], impossible, "again here");
    fails(&[names[0], names[1], "cut 7000 -> {owner}"], impossible, "from a node to itself");
}

#[test]
fn a_number_that_got_a_name_stays_what_it_was() {
    let text = goes_well(&[
        "let epoch = cluster_my_epoch of 7000",
        "expect 7000 cluster_my_epoch = {epoch}",
        "send on 7000 cluster bumpepoch",
        "expect 7000 cluster_my_epoch > {epoch}",
        "# It was {epoch}",
    ]);
    assert!(text.contains("It was 1\n"), "{text}");
    fails(
        &["kill 7000", "let epoch = cluster_my_epoch of 7000"],
        Ending::Impossible,
        "7000 does not run",
    );
}
