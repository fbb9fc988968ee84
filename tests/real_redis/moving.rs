//! Slots that move: reshard and rebalance, with their questions, keys and refusals.

use redis_cluster_sim::resp::args;

use crate::support::real::{Binaries, Servers};
use crate::support::resp_client::RespClient;
use crate::{Comparison, three_masters};

/// Keys of slot 0.
const TAG: &str = "{06S}";

/// Slot 0 belongs to the first server and has that many keys; nobody else has any of them.
fn fill_slot_0(servers: &Servers, keys: usize) {
    for number in 0..3 {
        servers.call(number, "FLUSHALL");
    }
    servers.arrange(&[(0..1, 0)]);
    let mut client = RespClient::connect("127.0.0.1", servers.port(0)).unwrap();
    for key in 0..keys {
        let reply = client.call(&args(["SET", &format!("{TAG}{key}"), "value"])).unwrap();
        assert_eq!(reply.error(), None);
    }
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn resharding_prints_the_same_9() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    let first = servers.address(0);
    let [a, b, c] = [0, 1, 2].map(|number| servers.id(number));
    let words = ["--cluster", "reshard", &first, "--cluster-from", &a, "--cluster-to", &b];
    let move_one = [&words[..], &["--cluster-slots", "1", "--cluster-yes"]].concat();

    // Twenty-three keys are three batches; with a pipeline of two they are twelve.
    let ran = comparison.same_after(|| fill_slot_0(&servers, 23), &move_one, &[]);
    assert!(ran.stdout.ends_with(&format!("{}\n", ".".repeat(23))));
    let batches_of_two = [&move_one[..], &["--cluster-pipeline", "2"]].concat();
    comparison.same_after(|| fill_slot_0(&servers, 23), &batches_of_two, &[]);

    // Plans of several sources, in the tool's own arithmetic.
    let several = || {
        fill_slot_0(&servers, 0);
        servers.arrange(&[(0..10, 0), (10_923..10_933, 2)]);
    };
    let sources = format!("{a},{c}");
    let words = ["--cluster", "reshard", &first, "--cluster-from", &sources, "--cluster-to", &b];
    let seven = [&words[..], &["--cluster-slots", "7", "--cluster-yes"]].concat();
    comparison.same_after(several, &seven, &[]);
    let capital = a.to_uppercase();
    let words = ["--cluster", "reshard", &first, "--cluster-from", &capital, "--cluster-to", &b];
    let three = [&words[..], &["--cluster-slots", "3", "--cluster-yes"]].concat();
    comparison.same_after(several, &three, &[]);

    // The dialogue, with everything that can be answered wrong.
    let dialogue = ["--cluster", "reshard", &first];
    let input = ["0", "99999", "abc", "4", "", &b, "all", "yes"];
    comparison.same_after(several, &dialogue, &input);
    comparison.same_after(several, &dialogue, &["2", &b, &a, &c, "done", "no"]);
    comparison.same_after(several, &dialogue, &["2", &b, "done"]);
    comparison.same_after(several, &dialogue, &["2", &b, &b, "nosuch"]);
    comparison.same_after(several, &dialogue, &["2", "nosuch"]);
    comparison.same(
        &[
            &dialogue[..],
            &[
                "--cluster-slots",
                "-3",
                "--cluster-to",
                &b,
                "--cluster-from",
                "all",
                "--cluster-yes",
            ],
        ]
        .concat(),
    );

    // The same source twice: the second SETSLOT is refused, and nobody is told.
    let twice = format!("{a},{a}");
    let words = ["--cluster", "reshard", &first, "--cluster-from", &twice, "--cluster-to", &b];
    let words = [&words[..], &["--cluster-slots", "2", "--cluster-yes"]].concat();
    assert_eq!(comparison.same_after(several, &words, &[]).exit, 1);
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn keys_that_are_there_already_are_dealt_with_alike_8_3() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    let (first, a, b) = (servers.address(0), servers.id(0), servers.id(1));
    let plant = |value: &str| {
        fill_slot_0(&servers, 3);
        servers.tell(1, &format!("CLUSTER SETSLOT 0 IMPORTING {a}"));
        let mut client = RespClient::connect("127.0.0.1", servers.port(1)).unwrap();
        for key in [1, 2] {
            client.call(&args(["ASKING"])).unwrap();
            let reply = client.call(&args(["SET", &format!("{TAG}{key}"), value])).unwrap();
            assert_eq!(reply.error(), None);
        }
        servers.tell(1, "CLUSTER SETSLOT 0 STABLE");
    };
    let words = ["--cluster", "reshard", &first, "--cluster-from", &a, "--cluster-to", &b];
    let words = [&words[..], &["--cluster-slots", "1", "--cluster-yes"]].concat();
    assert_eq!(comparison.same_after(|| plant("value"), &words, &[]).exit, 0);
    assert_eq!(comparison.same_after(|| plant("another"), &words, &[]).exit, 1);
    let replace = [&words[..], &["--cluster-replace"]].concat();
    assert_eq!(comparison.same_after(|| plant("another"), &replace, &[]).exit, 0);
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn rebalancing_prints_the_same_10() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    let first = servers.address(0);
    let ids = [0, 1, 2].map(|number| servers.id(number));
    let rebalance = ["--verbose", "--cluster", "rebalance", &first];
    let weights: Vec<String> =
        ids.iter().zip(["2", "1.5", "0"]).map(|(id, weight)| format!("{id}={weight}")).collect();
    let simulate =
        ["--cluster-simulate", "--cluster-weight", &weights[0], &weights[1], &weights[2]];
    comparison.same(&[&rebalance[..], &simulate].concat());
    comparison
        .same(&[&rebalance[..], &["--cluster-simulate", "--cluster-threshold", "0.001"]].concat());
    comparison.same(&[&rebalance[..], &["--cluster-threshold", "0"]].concat());
    comparison.same(&[&rebalance[..], &["--cluster-threshold", "1.5x"]].concat());
    let nothing: Vec<String> = ids.iter().map(|id| format!("{id}=0")).collect();
    let none = ["--cluster-weight", &nothing[0], &nothing[1], &nothing[2]];
    assert_eq!(comparison.same(&[&rebalance[..], &none].concat()).exit, 1);

    // Three hundred slots of the second server lie with the first.
    let tilt = || {
        fill_slot_0(&servers, 12);
        servers.arrange(&[(0..300, 0), (5461..5761, 0)]);
    };
    assert_eq!(comparison.same_after(tilt, &rebalance, &[]).exit, 0);
}
