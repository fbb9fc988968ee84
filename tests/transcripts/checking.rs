//! check (4, 11).

use redis_cluster_sim::slot::Slot;

use crate::support::toy_cluster::ToyCluster;
use crate::{as_described, same_output};

#[test]
fn healthy_clusters_and_open_slots_4() {
    as_described(&[
        "check-3-masters-ok",
        "check-3-masters-ok-color-xterm",
        "check-host-port-two-args",
        "check-search-multiple-owners-ok",
        "check-6-nodes-ok",
        "check-6-nodes-ok-from-replica",
        "check-after-addnode-master",
        "check-after-addnodes",
        "check-right-after-reshard",
        "check-after-drain-source-listed-after-target",
        "check-after-failed-reshard",
        "check-after-fix-case1",
        "check-after-fix-case1-keys",
        "check-after-fix-nodes-disagree",
        "check-after-old-master-returns-as-replica",
        "check-open-slot-migrating-importing",
        "check-open-slot-migrating-only",
        "check-open-slot-importing-only",
        "check-open-slot-two-importing",
        "check-open-slot-unassigned",
        "check-open-slot-interrupted-reshard-with-keys",
        "check-many-open-slots",
        "check-multiple-owners-not-searched",
        "check-uncovered-slots",
        "check-uncovered-slots-with-keys",
    ]);
}

#[test]
fn nodes_that_cannot_be_reached_3_3() {
    as_described(&[
        "check-master-down-not-yet-failed",
        "check-master-down-failed",
        "check-after-failover-old-master-dead",
        "check-master-with-replica-just-died",
        "check-after-forced-fix-with-dead-master",
    ]);
}

#[test]
fn nodes_that_do_not_agree_3_6() {
    // The owner has given it up, and nobody else has heard of that.
    for (name, owner, slot) in [
        ("check-nodes-disagree", 21712, 700),
        ("check-problems-color-xterm", 21726, 16_383),
        ("check-problems-color-xterm-tty", 21726, 16_383),
    ] {
        same_output(name, name, |toy| toy.at(owner).rumoured.insert(Slot::new(slot).unwrap()));
    }
}

#[test]
fn slots_with_several_owners_4() {
    same_output("check-multiple-owners", "check-multiple-owners", |toy| toy.fill(21712, 800, 1));
}

#[test]
fn nodes_that_are_locked_or_alone_3_1() {
    let locked = |toy: &mut ToyCluster| {
        for node in &mut toy.nodes {
            node.password = Some("secret".to_owned());
        }
    };
    for name in ["check-err-noauth", "check-err-wrong-auth"] {
        same_output(name, "check-with-auth-env", locked);
    }
    same_output("check-with-auth-env", "check-with-auth-env", locked);
    same_output("check-err-not-cluster-node", "check-3-masters-ok", |toy| {
        toy.add_stranger(21704);
        toy.at(21704).in_cluster_mode = false;
    });
}
