//! add-node (6) and del-node (7).

use crate::support::toy_cluster::ToyCluster;
use crate::{as_described, same_output};

#[test]
fn nodes_are_added_6() {
    for (name, port) in [
        ("addnode-master", 21764),
        ("addnode-slave-no-master-id", 21765),
        ("addnode-slave-with-master-id", 21766),
        ("addnode-slave-of-empty-master", 21766),
        ("addnode-master-id-without-slave-flag", 21767),
        ("addnode-err-master-id-is-a-replica", 21768),
    ] {
        same_output(name, name, |toy| toy.add_stranger(port));
    }
}

#[test]
fn nodes_that_cannot_be_added_6() {
    as_described(&[
        "addnode-err-not-empty-knows-nodes",
        "addnode-err-open-slots",
        "addnode-err-same-node-as-existing",
        "addnode-err-three-args",
        "addnode-err-unknown-master-id",
        "addnode-err-unreachable-existing",
        "addnode-err-unreachable-new-node",
    ]);
    let name = "addnode-err-not-cluster-node";
    same_output(name, name, |toy| {
        toy.add_stranger(21769);
        toy.at(21769).in_cluster_mode = false;
    });
}

/// The cluster on ports 21761 and up.
const MANY: &str = "check-after-addnodes";

#[test]
fn nodes_are_removed_7() {
    for name in [
        "delnode-empty-master",
        "delnode-replica",
        "delnode-err-abbreviated-id",
        "delnode-err-not-empty",
        "delnode-err-unknown-id",
        "delnode-err-uppercase-id",
    ] {
        same_output(name, MANY, |_| {});
    }
    same_output("delnode-err-node-down", "check-master-down-failed", |_| {});
    same_output("delnode-err-forget-unknown-node", MANY, |toy| {
        // It was added again within the time for which the others had banned it.
        toy.at(21765).knows.retain(|known| known != "127.0.0.1:21764");
        toy.order =
            [65, 61, 63, 67, 66, 68, 62].map(|port| format!("127.0.0.1:217{port}")).to_vec();
    });
}

/// A master without slots on port 21774, which has a replica on port 21775.
fn with_empty_master(toy: &mut ToyCluster) {
    toy.add_stranger(21774);
    toy.at(21774).id = "3722e54263f366b1c9701a5eb5f35856a7854e60".to_owned();
    let id = toy.id(21774);
    toy.at(21775).master = Some(id);
    toy.introduce_all();
}

#[test]
fn a_replica_of_a_removed_master_gets_another_one_7() {
    same_output("delnode-empty-master-with-replica", "backup-ok", with_empty_master);
    // If the removed master comes first with the fewest replicas, it is chosen again.
    same_output("delnode-err-replica-reassigned-to-deleted-node", "backup-ok", |toy| {
        with_empty_master(toy);
        toy.remove(21779);
    });
}
