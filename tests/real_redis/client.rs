//! The plain client: one command, and lines from a pipe.

use redis_cluster_sim::admin::Shell;

use crate::support::real::Binaries;
use crate::support::tcp_host::run_ours;
use crate::{Comparison, assert_same, three_masters};

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn one_command_prints_the_same_18() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 1);
    let comparison = Comparison { binaries: &binaries };
    let (first, fresh) = (servers.port(0).to_string(), servers.port(3).to_string());
    for words in [
        &["-c", "-p", &first, "set", "foo", "b\"a\\r\u{1}\u{e9}\n"][..],
        &["-c", "-p", &first, "get", "foo"],
        &["-c", "--no-raw", "-p", &first, "get", "foo"],
        &["-c", "--csv", "-p", &first, "get", "foo"],
        &["-c", "--csv", "-p", &first, "cluster", "slots"],
        &["-c", "--no-raw", "-p", &first, "cluster", "slots"],
        &["-c", "-p", &first, "cluster", "slots", "-d", "x"],
        &["-d", ";", "-D", "!", "-c", "-p", &first, "cluster", "slots"],
        &["-c", "-p", &first, "cluster", "keyslot", "foo"],
        &["--no-raw", "-p", &first, "cluster", "myid"],
        &["--no-raw", "-c", "-p", &first, "get", "nosuch"],
        &["-c", "-p", &first, "get", "nosuch"],
        &["-r", "3", "-c", "-p", &first, "set", "foo", "1"],
        &["-p", &first, "get", "foo"],
        &["-e", "-p", &first, "get", "foo"],
        &["--no-raw", "-p", &first, "mget", "foo", "bar"],
        &["-p", &fresh, "set", "foo", "1"],
        &["-p", "1", "set", "foo", "1"],
        &["-a", "x", "-p", "1", "set", "foo", "1"],
        &["-u", &format!("redis://127.0.0.1:{first}"), "ping"],
        &["-p", &first, "nosuch", "command"],
        &["--nosuch"],
        &["-n"],
        &["--quoted-input", "-p", &first, "echo", "\"a\\x41\""],
        &["--quoted-input", "-p", &first, "echo", "\"a"],
    ] {
        comparison.same(words);
    }
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn lines_from_a_pipe_print_the_same_18() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let (first, second) = (servers.port(0).to_string(), servers.port(1).to_string());
    let lines = [
        "set foo 1",
        "get foo",
        "3 incr cnt",
        "0 ping",
        "  ",
        "echo \"unbalanced",
        "echo 'it\\'s' ",
        "multi",
        "set foo 2",
        "set bar 2",
        "exec",
        "multi",
        "discard",
        ":set hints",
        ":set nosuch",
        ":nosuch",
        "restart",
        "help",
        "help nosuchcommand",
        "cluster keyslot foo",
        "select 0",
        &format!("connect 127.0.0.1 {second}"),
        "get foo",
        "connect 127.0.0.1 1",
        "get foo",
        "quit",
        "never reached",
    ];
    for format in [&[][..], &["--no-raw"], &["--csv"]] {
        let words = [&["-c", "-p", &first], format].concat();
        let forget = || (0..3).for_each(|number| servers.tell(number, "FLUSHALL"));
        forget();
        let mut theirs = binaries.feed_cli(&words, &lines);
        theirs.stdout = theirs.stdout.replace("6.2.14 (git:40305114)", "6.2.3");
        forget();
        let ours = run_ours(&words, &Shell::default(), &lines);
        assert_same(&words, &ours, &theirs);
    }
}
