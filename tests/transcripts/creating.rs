//! create (5).

use redis_cluster_sim::slot::Slot;

use crate::same_creation;
use crate::support::toy_cluster::ToyCluster;

fn unchanged(_: &mut ToyCluster) {}

#[test]
fn clusters_are_created_5() {
    for name in [
        "create-3-masters",
        "create-interactive-yes",
        "create-interactive-answer-YES-uppercase",
        "create-answer-yesplease",
        "create-declined-no",
        "create-declined-y",
        "create-declined-eof",
        "create-6-nodes-2-ips-replicas-1",
        "create-6-nodes-3-ips-replicas-1",
        "create-8-nodes-3-ips-replicas-1-declined",
        "create-9-nodes-3-ips-replicas-2-declined",
        "create-5-masters-declined",
        "create-7-masters-3-ips-declined",
        "create-same-address-three-times",
        "create-err-2-nodes",
        "create-err-3-nodes-replicas-1",
        "create-err-invalid-address",
    ] {
        same_creation(name, unchanged);
    }
    same_creation("create-with-auth", |toy| {
        for node in &mut toy.nodes {
            node.password = Some("secret".to_owned());
        }
    });
    same_creation("create-node-with-preassigned-slot", |toy| {
        toy.at(21703).slots.insert(Slot::new(5).unwrap());
    });
}

#[test]
fn nodes_that_are_not_fit_for_a_cluster_5_1() {
    same_creation("create-err-noauth", |toy| {
        toy.at(21781).password = Some("secret".to_owned());
    });
    same_creation("create-err-not-cluster-node", |toy| toy.at(21704).in_cluster_mode = false);
    same_creation("create-err-not-empty-keys", |toy| toy.fill_up(21712, 1));
    same_creation("create-err-not-empty-knows-nodes", ToyCluster::introduce_all);
    same_creation("create-options-before-addresses-declined", ToyCluster::introduce_all);
    same_creation("create-err-unreachable-node", |toy| toy.remove(21790));
    same_creation("create-err-hostname-instead-of-ip", |toy| {
        for node in &mut toy.nodes {
            node.address = node.address.replace("localhost", "127.0.0.1");
        }
    });
}

/// The shuffle of replicas depends on the second of the clock; these are such as give the recorded
/// results.
#[test]
fn replicas_are_shuffled_5_5() {
    for (name, second) in [
        ("create-6-nodes-replicas-1", 5),
        ("create-7-nodes-replicas-1-extra", 8),
        ("create-9-nodes-2-ips-replicas-2-same-host-replicas-declined", 20),
        ("create-6-nodes-3-ips-perfect-antiaffinity-declined", 2),
    ] {
        same_creation(name, |toy| {
            toy.second = second;
            toy.draws_matter = true;
        });
    }
}
