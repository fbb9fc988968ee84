//! fix (12).

use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::slot::Slot;

use crate::support::toy_cluster::ToyCluster;
use crate::{as_described, same_output};

#[test]
fn open_slots_12_2() {
    as_described(&[
        "fix-open-slot-case1-no-keys",
        "fix-open-slot-case1-keys-only-in-source",
        "fix-open-slot-case1-importing-elsewhere",
        "fix-open-slot-case2-importing-no-keys",
        "fix-open-slot-case3-dst",
        "fix-open-slot-case4-migrating-only",
        "fix-open-slot-err-cannot-fix",
        "fix-open-slot-unassigned-no-keys",
        "fix-many-open-slots",
        "fix-after-migrate-timeout",
        "fix-err-open-slot-unreachable-masters",
        "fix-after-failover-old-master-dead-nothing-to-fix",
    ]);
    let name = "fix-open-slot-case3-closing";
    same_output(name, name, |toy| toy.migrating(50, 21711, 21717));
    let name = "fix-open-slot-case2-importing-with-keys";
    same_output(name, name, |toy| toy.fill(21712, 100, 3));
    let name = "fix-open-slot-interrupted-source-has-more-keys";
    same_output(name, name, |toy| toy.fill(21711, 200, 5));
    let name = "fix-open-slot-interrupted-target-has-more-keys";
    same_output(name, name, |toy| toy.fill(21712, 200, 9));
    let name = "fix-open-slot-ownership-taken-by-importing-node-with-keys";
    same_output(name, name, |toy| toy.fill(21713, 100, 1));
}

#[test]
fn a_fix_after_a_failed_fix_12_3() {
    let name = "fix-after-failed-fix";
    same_output(name, name, |toy| toy.fill(21711, 600, 2));
}

/// Sets the clock to a second whose first draw is this one of three masters.
fn drawing(toy: &mut ToyCluster, master: u32) {
    toy.draws_matter = true;
    toy.second = (0..).find(|&second| toy.would_draw(second, 3) == master).unwrap();
}

#[test]
fn uncovered_slots_12_3() {
    as_described(&[
        "fix-err-unreachable-masters",
        "fix-with-unreachable-masters-forced-declined",
        "fix-uncovered-declined-eof",
        "fix-uncovered-cluster-yes-still-prompts",
    ]);
    let name = "fix-uncovered-no-keys";
    same_output(name, name, |toy| drawing(toy, 0));
    let name = "fix-uncovered-interactive-tty";
    same_output(name, name, |toy| drawing(toy, 1));
    let name = "fix-uncovered-keys-in-one-node";
    same_output(name, name, |toy| toy.fill(21711, 600, 3));
    let name = "fix-uncovered-decline-first-accept-second";
    same_output(name, name, |toy| toy.fill(21711, 601, 1));
}

#[test]
fn uncovered_slots_of_all_kinds_12_3() {
    let name = "fix-uncovered-all-three-kinds";
    same_output(name, name, |toy| {
        drawing(toy, 0);
        toy.full_coverage = false;
        toy.fill(21711, 600, 3);
        toy.fill(21711, 601, 1);
        toy.fill(21711, 605, 1);
    });
    let name = "fix-uncovered-multiple-err-clusterdown";
    same_output(name, name, |toy| {
        drawing(toy, 0);
        toy.fill(21711, 600, 2);
        toy.fill(21712, 600, 1);
        // A node that has not heard the news yet still thinks that the cluster is down.
        toy.scripts_are_natural = true;
        let error = Reply::Error("CLUSTERDOWN The cluster is down".into());
        toy.at(21712).scripted.push(("MIGRATE".into(), 0, error));
    });
}

/// 5461 slots are covered in the order of a big hash table.
#[test]
fn many_uncovered_slots_appendix_b() {
    let name = "fix-with-unreachable-masters-forced";
    same_output(name, name, |toy| {
        toy.second = (0..).find(|&second| toy.would_draw(second, 2) == 0).unwrap();
    });
}

#[test]
fn nodes_that_do_not_agree_12_1() {
    for (name, owner, slot, master) in
        [("fix-nodes-disagree", 21712, 700, 2), ("fix-problems-color-xterm", 21726, 16_383, 1)]
    {
        same_output(name, name, |toy| {
            toy.at(owner).rumoured.insert(Slot::new(slot).unwrap());
            drawing(toy, master);
        });
    }
}

/// The new owner is redirected to, because the slot is not open.
#[test]
fn disputed_slots_12_4() {
    let name = "fix-multiple-owners";
    same_output(name, name, |toy| {
        toy.fill(21711, 800, 2);
        toy.fill(21712, 800, 1);
        toy.scripts_are_natural = true;
        let error = Reply::Error("MOVED 800 127.0.0.1:21711".into());
        toy.at(21712).scripted.push(("MIGRATE".into(), 0, error));
    });
}
