//! Nodes that come and go: create, add-node, del-node; and what is copied out of and into a cluster.

use std::fs;

use crate::support::real::{Binaries, Servers};
use crate::support::tcp_host::{present_second, run_ours, run_ours_in_second};
use crate::{Comparison, comparable, three_masters};
use redis_cluster_sim::admin::Shell;

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn creating_a_cluster_prints_the_same_5() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = Servers::start(&binaries, 7);
    let comparison = Comparison { binaries: &binaries };
    let addresses: Vec<String> = (0..7).map(|number| servers.address(number)).collect();
    let create = |count: usize, more: &[&'static str]| -> Vec<String> {
        let words = ["--cluster", "create"].map(str::to_owned);
        let addresses = addresses[..count].to_vec();
        [&words[..], &addresses, &more.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()]
            .concat()
    };
    for (count, more) in [
        (3, &["--cluster-yes"][..]),
        (5, &["--cluster-yes"]),
        (7, &["--cluster-replicas", "1", "--cluster-yes"]),
        (2, &[]),
        (5, &["--cluster-replicas", "1"]),
    ] {
        let words = create(count, more);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        comparison.same_but_for_order_and_ids(|| servers.reset(), &words);
    }
    servers.reset();
    let words = create(3, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for answer in ["no", "y", "YES"] {
        let ran = comparison.same_after(|| {}, &words, &[answer]);
        assert_eq!(ran.exit, 0);
    }
    // A node that owns a slot already keeps it and loses all others, and the exit code is still 0.
    let words = create(3, &["--cluster-yes"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let prepare = || {
        servers.reset();
        servers.tell(2, "CLUSTER ADDSLOTS 5");
    };
    let ran = comparison.same_but_for_order_and_ids(prepare, &words);
    assert!(ran.stdout.contains("slots:[5],[10923-16383] (5461 slots)"), "{ran:?}");
    assert_eq!(ran.exit, 0);
}

/// The result of the shuffle depends on nothing but ids and the second of the clock.
#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn replicas_are_shuffled_alike_5_5() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = Servers::start(&binaries, 10);
    let addresses: Vec<String> = (0..10).map(|number| servers.address(number)).collect();
    for (count, replicas) in [(6, "1"), (9, "2"), (10, "2"), (9, "1")] {
        let mut words = vec!["--cluster", "create"];
        words.extend(addresses[..count].iter().map(String::as_str));
        words.extend(["--cluster-replicas", replicas]);
        let before = present_second();
        let theirs = binaries.run_cli(&words, &["no"]);
        let seconds = before..=present_second();
        let ours = |second| run_ours_in_second(&words, &["no"], second);
        assert!(seconds.clone().any(|second| ours(second) == theirs), "{words:?} in {seconds:?}");
    }
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn nodes_come_and_go_alike_6_7() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 2);
    let comparison = Comparison { binaries: &binaries };
    let (first, new, other) = (servers.address(0), servers.address(3), servers.address(4));
    // Whoever is not a founder leaves, and comes back as somebody else. A handshake that is still
    // under way may bring it back at first.
    let founders = [0, 1, 2].map(|number| servers.id(number));
    let leave = || {
        servers.wait_until("three nodes", || {
            for number in [3, 4] {
                servers.call(number, "FLUSHALL");
                servers.tell(number, "CLUSTER RESET HARD");
            }
            for founder in 0..3 {
                for line in servers.picture(founder) {
                    if !founders.iter().any(|id| line.starts_with(id)) {
                        servers.call(founder, &format!("CLUSTER FORGET {}", &line[..40]));
                    }
                }
            }
            (0..3).all(|number| servers.cluster_info(number, "cluster_known_nodes") == "3")
                && [3, 4].iter().all(|&number| servers.picture(number).len() == 1)
        });
    };
    let add = ["--cluster", "add-node", &new, &first];
    assert_eq!(comparison.same_but_for_order_and_ids(leave, &add).exit, 0);
    let add_replica = ["--cluster", "add-node", &new, &first, "--cluster-slave"];
    assert_eq!(comparison.same_but_for_order_and_ids(leave, &add_replica).exit, 0);
    let third = servers.id(2);
    let add_replica_of = [&add_replica[..], &["--cluster-master-id", &third]].concat();
    assert_eq!(comparison.same_but_for_order_and_ids(leave, &add_replica_of).exit, 0);
    let unknown = [&add_replica[..], &["--cluster-master-id", "nosuch"]].concat();
    assert_eq!(comparison.same_but_for_order_and_ids(leave, &unknown).exit, 1);
    let nobody = ["--cluster", "add-node", "127.0.0.1:1", &first];
    assert_eq!(comparison.same_but_for_order_and_ids(leave, &nobody).exit, 1);

    // An empty master with a replica is removed: the replica gets another master first.
    let mut outputs = Vec::new();
    for ours in [false, true] {
        leave();
        assert_eq!(binaries.run_cli(&add, &[]).exit, 0);
        let id = servers.id(3);
        servers.wait_until("a new master", || {
            servers.picture(0).iter().any(|line| line.starts_with(&id))
        });
        servers.wait_until_settled(0..4);
        let words = ["--cluster", "add-node", &other, &first, "--cluster-slave"];
        let words = [&words[..], &["--cluster-master-id", &id]].concat();
        assert_eq!(binaries.run_cli(&words, &[]).exit, 0);
        servers.wait_until_settled(0..5);
        let delete = ["--cluster", "del-node", &first, &id];
        let shell = Shell::default();
        let ran =
            if ours { run_ours(&delete, &shell, &[]) } else { binaries.run_cli(&delete, &[]) };
        outputs.push(comparable(ran));
    }
    assert_eq!(outputs[0].exit, outputs[1].exit, "{outputs:#?}");
    // Which master has the fewest replicas depends on the order of the list.
    let shape = |text: &str| {
        text.lines().map(|line| line.split(" of ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(shape(&outputs[0].stdout), shape(&outputs[1].stdout));
    assert_eq!(outputs[0].stderr, outputs[1].stderr);
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn backups_and_imports_are_alike_15_16() {
    let Some(binaries) = Binaries::find() else { return };
    let mut servers = three_masters(&binaries, 0);
    let source = servers.add(&[]);
    let comparison = Comparison { binaries: &binaries };
    let first = servers.address(0);
    let directory = servers.directory().join("backup");
    fs::create_dir(&directory).unwrap();
    let directory = directory.display().to_string();
    let backup = ["--cluster", "backup", &first, &directory];
    let theirs = binaries.run_cli(&backup, &[]);
    let theirs_described = fs::read_to_string(format!("{directory}/nodes.json")).unwrap();
    let ours = run_ours(&backup, &Shell::default(), &[]);
    crate::assert_same(&backup, &ours, &theirs);
    let described = fs::read_to_string(format!("{directory}/nodes.json")).unwrap();
    assert_eq!(described, theirs_described);
    comparison.same(&["--cluster", "backup", &first, "/nosuch/directory/"]);

    let fill = || {
        for number in 0..3 {
            servers.call(number, "FLUSHALL");
        }
        // One key: the order in which SCAN finds more is that of a server's hash table.
        servers.tell(source, "SET imp:0 0");
    };
    let import = ["--cluster", "import", &first, "--cluster-from", &servers.address(source)];
    assert_eq!(comparison.same_after(fill, &import, &[]).exit, 0);
    assert_eq!(comparison.same(&import).exit, 0);
    let copy = [&import[..], &["--cluster-copy"]].concat();
    assert_eq!(comparison.same_after(fill, &copy, &[]).exit, 0);
    assert_eq!(comparison.same(&copy).exit, 1);
}
