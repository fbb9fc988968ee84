//! The same recordings on virtual clusters: nodes with the recorded ids, ports, slots and keys, at
//! which the tool is used. A seed is looked for with which they list each other in the recorded order.

use crate::compare_texts;
use crate::support::masking;
use crate::support::toy_cluster::ToyCluster;
use crate::support::transcript::Transcript;
use crate::support::virtual_cluster::{VirtualCluster, seed_for_order};

/// How often tools may draw other numbers.
const LUCK: u64 = 12;

/// With more nodes than this, it takes too many seeds to get a certain order.
const FEW: usize = 6;

const NO_PASSWORDS: &str = "virtual nodes have no passwords";
const CLUSTER_MODE: &str = "virtual nodes always run in cluster mode";
const BY_CHANCE: &str = "what is drawn changes with each second of a run";

/// Recordings that virtual nodes cannot give.
const NOT_VIRTUAL: &[(&str, &str)] = &[
    ("check-err-noauth", NO_PASSWORDS),
    ("check-err-wrong-auth", NO_PASSWORDS),
    ("check-with-auth-env", NO_PASSWORDS),
    ("create-err-noauth", NO_PASSWORDS),
    ("create-with-auth", NO_PASSWORDS),
    ("check-err-not-cluster-node", CLUSTER_MODE),
    ("create-err-not-cluster-node", CLUSTER_MODE),
    ("addnode-err-not-cluster-node", CLUSTER_MODE),
    ("import-ok-move", CLUSTER_MODE),
    ("import-copy-only", CLUSTER_MODE),
    ("import-replace-only-acts-as-copy", CLUSTER_MODE),
    ("import-copy-replace", CLUSTER_MODE),
    ("import-err-busykey", CLUSTER_MODE),
    ("import-copy-only-err-busykey", CLUSTER_MODE),
    ("import-replace-only-err", CLUSTER_MODE),
    ("import-empty-source", CLUSTER_MODE),
    ("import-source-pass-ok", CLUSTER_MODE),
    ("import-source-user-pass-ok", CLUSTER_MODE),
    ("import-err-source-noauth", CLUSTER_MODE),
    ("import-err-source-wrong-pass", CLUSTER_MODE),
    ("create-err-hostname-instead-of-ip", "a name that is not written as an address is not known"),
    ("create-err-not-empty-keys", "a node that serves no slots takes no keys"),
    ("reshard-err-back-to-back-replicas-lag", "the lag is over before anybody looks"),
    (
        "delnode-err-forget-unknown-node",
        "the ban of a node that was forgotten has no place in nodes.conf",
    ),
    ("fix-with-unreachable-masters-forced", BY_CHANCE),
    ("create-7-nodes-replicas-1-extra", BY_CHANCE),
    (
        "check-master-with-replica-just-died",
        "the dead master is found to have failed before anybody looks",
    ),
    ("create-join-wait-warning-node-killed", "it never ends"),
];

/// Thousands of slots that move one by one: enough virtual time to be slow without optimisation.
const LONG: [&str; 6] = [
    "rebalance-use-empty-masters",
    "rebalance-plain",
    "rebalance-weights",
    "rebalance-weight-ambiguous-prefix",
    "reshard-all-to-B-1000-slots",
    "reshard-drain-source-listed-after-target",
];

/// Compares a recording with what appears when its command is run on virtual nodes.
pub(crate) fn compare(name: &str, transcript: &Transcript, toy: &ToyCluster) {
    let told = toy.nodes.iter().any(|node| !node.scripted.is_empty()) && !toy.scripts_are_natural;
    let excused = NOT_VIRTUAL.iter().any(|(excused, _)| *excused == name);
    let too_long = cfg!(debug_assertions) && LONG.contains(&name);
    if toy.nodes.is_empty() || told || excused || too_long {
        return;
    }
    let tries = if toy.draws_matter { LUCK } else { 1 };
    let wanted = Transcript { output: comparable(toy, &transcript.output), ..transcript.clone() };
    let mut text = String::new();
    let seed = seed_for_order(toy);
    for luck in 1..=tries {
        let mut cluster = VirtualCluster::like(toy, seed, luck);
        let (printed, exit) =
            cluster.run_tool(&transcript.words, &transcript.shell, &transcript.typed);
        text = comparable(toy, &printed);
        if text == wanted.output {
            assert_eq!(exit, transcript.exit, "{name} on virtual nodes");
            return;
        }
    }
    compare_texts(&format!("{name} on virtual nodes"), &text, &wanted);
}

/// Among many nodes, and in a cluster that is just being created, the order of nodes is left to
/// chance. How long a join takes always is.
fn comparable(toy: &ToyCluster, text: &str) -> String {
    let is_new = toy.nodes.iter().all(|node| node.knows.is_empty());
    let mut text = text.to_owned();
    if toy.nodes.len() > FEW || is_new {
        text = masking::sort_listings(&masking::sort_by_address(&text));
    }
    let lines = text.split_inclusive('\n');
    let text: String = lines.filter(|line| !line.trim_matches(['.', '\n']).is_empty()).collect();
    text.trim_end().to_owned() + "\n"
}
