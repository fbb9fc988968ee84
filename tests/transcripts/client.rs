//! The plain client (18), on virtual nodes.

use redis_cluster_sim::admin::tools::{Invocation, Status};
use redis_cluster_sim::network::NodeNo;
use redis_cluster_sim::resp::args;
use redis_cluster_sim::time::Span;

use crate::compare_texts;
use crate::support::toy_cluster::{ToyCluster, ToyNode};
use crate::support::transcript::{Transcript, ranges};
use crate::support::virtual_cluster::VirtualCluster;

/// Masters on ports 21711 to 21713, a replica of the third on 21714, and a node on 21715 that knows
/// nobody.
fn layout(slots: [&str; 3]) -> ToyCluster {
    let node = |port: u16| ToyNode::new(&format!("{port:0<40}"), &format!("127.0.0.1:{port}"));
    let mut toy = ToyCluster::new((21711..=21714).map(node).collect());
    for (node, slots) in toy.nodes.iter_mut().zip(slots) {
        node.slots = ranges(slots);
    }
    toy.at(21714).master = Some(toy.id(21713));
    toy.introduce_all();
    toy.add_stranger(21715);
    toy
}

const EVEN: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];

fn start(toy: &ToyCluster) -> VirtualCluster {
    VirtualCluster::like(toy, 1, 1)
}

fn set(cluster: &mut VirtualCluster, number: usize, key: &str, value: &str) {
    let replies = cluster.call(number, &[args(["ASKING"]), args(["SET", key, value])]);
    assert!(replies.iter().all(|reply| reply.error().is_none()), "{replies:?}");
}

fn same(cluster: &mut VirtualCluster, names: &[&str]) {
    for name in names {
        let transcript = Transcript::read(name);
        let (text, exit) =
            cluster.run_tool(&transcript.words, &transcript.shell, &transcript.typed);
        compare_texts(name, &text, &transcript);
        assert_eq!(exit, transcript.exit, "{name}");
    }
}

/// Where `foo` and `bar` belong.
fn know(cluster: &mut VirtualCluster, value_of_foo: &str, value_of_bar: &str) {
    set(cluster, 2, "foo", value_of_foo);
    set(cluster, 0, "bar", value_of_bar);
}

#[test]
fn redirections_18_3() {
    let mut cluster = start(&layout(EVEN));
    same(&mut cluster, &["cli-c-interactive-set-get"]);
    same(&mut cluster, &["cli-c-set-noninteractive"]);
    know(&mut cluster, "bar", "1");
    same(
        &mut cluster,
        &[
            "cli-c-get-noninteractive",
            "cli-c-no-raw-get",
            "cli-c-no-raw-get-nil",
            "cli-c-get-nil-raw",
            "cli-c-csv",
            "cli-no-c-moved-noninteractive",
            "cli-no-c-moved-no-raw",
            "cli-no-c-moved-exit-code-e",
            "cli-no-c-tty-one-shot-moved",
            "cli-no-c-interactive-moved",
            "cli-c-interactive-multi",
            "cli-c-stdin-commands",
            "cli-no-c-stdin-commands",
            "cli-c-tty-one-shot",
            "cli-c-tty-one-shot-set",
            "cli-c-interactive-crossslot-mget-select",
        ],
    );
}

#[test]
fn replicas_serve_reads_on_demand_18_7() {
    let mut cluster = start(&layout(EVEN));
    know(&mut cluster, "bar", "1");
    cluster.run(Span::secs(1));
    same(&mut cluster, &["cli-replica-readonly", "cli-c-replica-readonly-redirected"]);
}

#[test]
fn ask_is_not_followed_18_3() {
    let mut toy = layout(["1-5460", "0,5461-10922", "10923-16383"]);
    toy.migrating(0, 21712, 21711);
    toy.importing(0, 21711, 21712);
    for (port, key) in [(21712, "{k596}:here"), (21711, "{k596}:moved")] {
        toy.at(port).keys.insert(key.into(), b"v".to_vec());
    }
    let mut cluster = start(&toy);
    same(
        &mut cluster,
        &[
            "cli-c-ask-noninteractive-not-followed",
            "cli-no-c-ask",
            "cli-c-interactive-ask-not-followed",
            "cli-c-interactive-importing-node-moved-back",
            "cli-interactive-asking-by-hand",
            "cli-interactive-tryagain",
        ],
    );
}

#[test]
fn clusters_that_are_down_18_7() {
    let mut cluster = start(&layout(EVEN));
    // In its first two seconds a node has not counted the masters yet.
    cluster.world.kill(NodeNo(4)).unwrap();
    cluster.world.start(NodeNo(4)).unwrap();
    cluster.run(Span::secs(1));
    same(
        &mut cluster,
        &[
            "cli-c-clusterdown-fresh-node",
            "cli-clusterdown-fresh-node",
            "cli-c-interactive-clusterdown-fresh-node",
        ],
    );
    let uncovered = ["1-5460", "5461-10922", "10923-16383"];
    same(
        &mut start(&layout(uncovered)),
        &[
            "cli-clusterdown-uncovered-slot-itself",
            "cli-clusterdown-uncovered-other-slot",
            "cli-clusterdown-uncovered-other-slot-elsewhere",
        ],
    );
    let mut partial = layout(uncovered);
    partial.full_coverage = false;
    same(
        &mut start(&partial),
        &["cli-partial-coverage-get-covered", "cli-partial-coverage-get-uncovered"],
    );
    let mut reading = start(&layout(uncovered));
    for number in 0..3 {
        let allow = args(["CONFIG", "SET", "cluster-allow-reads-when-down", "yes"]);
        assert_eq!(reading.call(number, &[allow])[0].error(), None);
    }
    same(
        &mut reading,
        &[
            "cli-clusterdown-allow-reads-get",
            "cli-clusterdown-allow-reads-set",
            "cli-clusterdown-allow-reads-get-uncovered",
        ],
    );
}

#[test]
fn nodes_that_are_gone_18_5() {
    let mut toy = layout(EVEN);
    toy.remove(21714);
    toy.at(21713).alive = false;
    let mut cluster = start(&toy);
    same(
        &mut cluster,
        &[
            "cli-clusterdown-master-failed",
            "cli-clusterdown-master-failed-its-slot",
            "cli-connection-refused",
            "cli-c-connection-refused",
            "cli-interactive-not-connected",
        ],
    );
    // Before anybody notices, clients are still sent there.
    toy.at(21713).alive = true;
    let mut cluster = start(&toy);
    cluster.world.kill(NodeNo(2)).unwrap();
    same(&mut cluster, &["cli-c-redirect-to-dead-node", "cli-c-interactive-redirect-to-dead-node"]);
}

/// A dialogue in the middle of which a node dies, and maybe comes back.
fn dialogue_with_a_death(name: &str, restarts: bool) {
    let transcript = Transcript::read(name);
    let mut cluster = start(&layout(EVEN));
    let words = transcript.words.clone();
    let shell = transcript.shell.clone();
    let invocation = Invocation { words, shell, ..Invocation::default() };
    let tool = cluster.tools.start(&mut cluster.world, invocation);
    for line in ["ping", "get k2", "quit"] {
        cluster.run(Span::secs(1));
        assert!(matches!(cluster.tools.status(tool), Status::Asks { .. }));
        cluster.tools.type_line(&mut cluster.world, tool, line);
        cluster.run(Span::secs(1));
        if line == "ping" {
            cluster.world.kill(NodeNo(1)).unwrap();
            if restarts {
                cluster.world.start(NodeNo(1)).unwrap();
                cluster.run(Span::secs(5));
            }
        }
    }
    let text = cluster.tools.printed(tool, |printed| {
        printed.iter().map(|piece| String::from_utf8_lossy(&piece.text)).collect::<String>()
    });
    compare_texts(name, &text, &transcript);
}

#[test]
fn a_lost_connection_is_noticed_at_the_next_command_18_5() {
    dialogue_with_a_death("cli-interactive-server-gone", false);
    dialogue_with_a_death("cli-interactive-server-restarted", true);
}

/// The server dies while a client waits for it; the key belongs to the server that is asked.
#[test]
fn a_connection_that_is_lost_amid_a_command_ends_the_tool_18_5() {
    let name = "cli-one-shot-connection-lost";
    let transcript = Transcript::read(name);
    let with_key = ["0-5460,16287", "5461-10922", "10923-16286,16288-16383"];
    let mut cluster = start(&layout(with_key));
    let words = transcript.words.clone();
    let shell = transcript.shell.clone();
    let invocation = Invocation { words, shell, ..Invocation::default() };
    let tool = cluster.tools.start(&mut cluster.world, invocation);
    cluster.run(Span::secs(60));
    assert!(!matches!(cluster.tools.status(tool), Status::Ended(_)), "it waits");
    cluster.world.kill(NodeNo(0)).unwrap();
    cluster.run(Span::secs(1));
    let Status::Ended(code) = cluster.tools.status(tool) else { panic!("it has ended") };
    assert_eq!(code.0, transcript.exit);
    let text = cluster.tools.printed(tool, |printed| {
        printed.iter().map(|piece| String::from_utf8_lossy(&piece.text)).collect::<String>()
    });
    compare_texts(name, &text, &transcript);
}

#[test]
fn repeated_commands_18_3() {
    let node = |port: u16| ToyNode::new(&format!("{port:0<40}"), &format!("127.0.0.1:{port}"));
    let mut toy = ToyCluster::new([21722, 21723, 21726].map(node).to_vec());
    toy.at(21722).slots = ranges("5461-10922");
    toy.at(21723).slots = ranges("10923-16383");
    toy.at(21726).slots = ranges("0-5460");
    toy.introduce_all();
    let mut cluster = start(&toy);
    same(
        &mut cluster,
        &[
            "cli-c-interactive-repeat-prefix",
            "cli-c-repeat-3",
            "cli-c-select-n1",
            "cli-cluster-keyslot",
            "cli-cluster-keyslot-no-raw",
            "cli-info-cluster-raw",
        ],
    );
}
