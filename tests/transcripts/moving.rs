//! reshard (9) and rebalance (10).

use redis_cluster_sim::admin::{Stuck, executor, run};
use redis_cluster_sim::resp::Reply;
use redis_cluster_sim::slot::Slot;

use crate::support::toy_cluster::{ToyCluster, Typed, tag_of};
use crate::support::transcript::{Transcript, ranges};
use crate::{as_described, same_output};

#[test]
fn plans_and_moves_9() {
    as_described(&[
        "reshard-10-slots-flags",
        "reshard-all-to-B-1000-slots",
        "reshard-two-sources-7-slots",
        "reshard-slots-with-keys",
        "reshard-drain-source-listed-after-target",
        "reshard-uppercase-id",
        "reshard-negative-slots",
        "reshard-target-also-in-sources-skipped",
        "reshard-same-source-twice-swallowed-error",
        "reshard-with-replicas-cluster-yes-env",
        "reshard-cluster-yes-still-asks-missing-values",
        "reshard-proceed-no",
        "reshard-proceed-eof",
        "reshard-proceed-yes-stdin",
    ]);
}

#[test]
fn dialogues_9() {
    as_described(&[
        "reshard-interactive-all-yes",
        "reshard-interactive-two-sources-done-yes",
        "reshard-interactive-no",
        "reshard-interactive-bad-slot-count",
        "reshard-interactive-empty-receiver-then-unknown",
        "reshard-interactive-source-errors",
        "reshard-interactive-done-without-sources",
        "reshard-interactive-source-repeated",
    ]);
}

/// Six digits fill the buffer, and the last one is taken for the newline.
#[test]
fn a_count_of_six_digits_loses_its_last_2_9() {
    as_described(&["reshard-interactive-six-digit-slot-count-truncated"]);
}

/// All answers in one piece are swallowed by the first question; the real tool then asks for ever.
#[test]
fn answers_that_come_at_once_are_lost_2_9() {
    let transcript = Transcript::read("reshard-proceed-no");
    let mut toy = ToyCluster::new(transcript.nodes());
    toy.introduce_all();
    toy.typed = Typed::Pipe(b"2\nd8012c25d37199bd64128028892c4c2a70f79ac2\nall\nyes\n".to_vec());
    let words: Vec<String> = transcript.words[..3].to_vec();
    let outcome = executor::run_at_once(run(&mut toy, &transcript.shell, &words));
    let question = "What is the receiving node ID?".to_owned();
    assert_eq!(outcome, Err(Stuck::AsksForEver(question)));
}

#[test]
fn refusals_9() {
    as_described(&[
        "reshard-err-unknown-to",
        "reshard-err-unknown-from",
        "reshard-err-short-id",
        "reshard-err-to-is-a-replica",
        "reshard-err-from-is-a-replica",
        "reshard-err-target-as-source",
        "reshard-err-open-slots",
        "reshard-err-uncovered",
        "reshard-err-master-down",
    ]);
    same_output(
        "reshard-err-back-to-back-replicas-lag",
        "reshard-err-back-to-back-replicas-lag",
        |toy| toy.at(21723).rumoured.insert(Slot::new(0).unwrap()),
    );
}

/// Keys of slot 0 on the first two servers, with these values.
fn collide(toy: &mut ToyCluster, here: &str, there: &str, keys: &[&str]) {
    for (port, value) in [(21711, here), (21712, there)] {
        for key in keys {
            let name = format!("{{{}}}:{key}", tag_of(0)).into_bytes();
            toy.at(port).keys.insert(name, value.as_bytes().to_vec());
        }
    }
}

#[test]
fn keys_that_exist_on_both_sides_8_3() {
    let name = "reshard-busykey-same-values";
    same_output(name, name, |toy| collide(toy, "1", "1", &["1", "2", "3"]));
    let name = "reshard-busykey-different-values";
    same_output(name, name, |toy| collide(toy, "1", "2", &["1", "2"]));
    let name = "reshard-busykey-with-replace";
    same_output(name, name, |toy| collide(toy, "1", "2", &["1", "2"]));
}

#[test]
fn a_migration_that_fails_8_3() {
    let name = "reshard-err-migrate-timeout";
    same_output(name, name, |toy| {
        toy.fill(21711, 0, 3);
        let error = Reply::Error("IOERR error or timeout reading to target instance".into());
        toy.at(21711).scripted.push(("MIGRATE".into(), 0, error));
    });
}

/// Nine nodes, four of them masters, the last of them without slots.
const FOUR: &str = "backup-ok";

#[test]
fn rebalances_without_anything_to_do_10() {
    for name in [
        "rebalance-nothing-to-do",
        "rebalance-after-nothing-to-do",
        "rebalance-threshold-0",
        "rebalance-weight-without-equals",
        "rebalance-simulate-weight-empty-master-without-flag",
        "rebalance-err-unknown-weight-node",
    ] {
        same_output(name, FOUR, |_| {});
    }
    let name = "rebalance-after-failover-old-master-dead";
    same_output(name, "check-after-failover-old-master-dead", |_| {});
    same_output("rebalance-err-master-down", "reshard-err-master-down", |_| {});
    same_output("rebalance-err-open-slots", "reshard-err-open-slots", |_| {});
}

#[test]
fn rebalances_10() {
    for name in [
        "rebalance-simulate-use-empty-masters",
        "rebalance-simulate-verbose",
        "rebalance-simulate-weights",
        "rebalance-use-empty-masters",
    ] {
        same_output(name, FOUR, |_| {});
    }
    same_output("rebalance-plain", "reshard-interactive-no", |_| {});
}

#[test]
fn rebalances_with_weights_10() {
    // Three even masters give 273 slots from the third to the first.
    same_output("rebalance-weights", "reshard-interactive-no", |toy| {
        for (port, slots) in [(21701, "0-5461"), (21702, "5462-10922"), (21703, "10923-16383")] {
            toy.at(port).slots = ranges(slots);
        }
    });
    let uneven = "check-after-drain-source-listed-after-target";
    same_output("rebalance-weight-ambiguous-prefix", uneven, |toy| {
        for (port, slots) in [(21701, "0-5734"), (21702, "5735-11195"), (21703, "11196-16383")] {
            toy.at(port).slots = ranges(slots);
        }
    });
    same_output("rebalance-all-weights-zero", "reshard-interactive-no", |toy| {
        for (port, slots) in [(21701, "0-11703"), (21702, "11704-14043"), (21703, "14044-16383")] {
            toy.at(port).slots = ranges(slots);
        }
    });
}

#[test]
fn a_drained_node_may_refuse_the_last_slot_8_4() {
    same_output("rebalance-weight-zero-drains-node-exit-1", FOUR, |toy| {
        let ranges_after = [
            (21779, "0-1364,5461-6826,10923-12287"),
            (21771, "1365-5460"),
            (21772, "6827-10922"),
            (21773, "12288-16383"),
        ];
        for (port, slots) in ranges_after {
            toy.at(port).slots = ranges(slots);
        }
        let error = Reply::err("Please use SETSLOT only with masters.");
        toy.at(21779).scripted.push(("CLUSTER SETSLOT 12287 node".into(), 0, error));
    });
}
