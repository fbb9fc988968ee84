//! Mistakes on the command line, info, call, set-timeout, import and backup.

use std::fs;

use redis_cluster_sim::resp::Reply;

use crate::support::toy_cluster::{ToyCluster, ToyKeys};
use crate::support::transcript::ranges;
use crate::{as_described, same_output};

fn unchanged(_: &mut ToyCluster) {}

#[test]
fn usage_and_mistakes_2_17() {
    as_described(&[
        "help",
        "usage",
        "version",
        "usage-cluster-without-subcommand",
        "usage-cluster-twice",
        "err-unknown-subcommand",
        "err-wrong-arity-create",
        "err-wrong-arity-check",
        "err-wrong-arity-addnode",
        "err-unrecognized-option",
        "err-option-missing-value",
        "err-invalid-host-arg",
        "err-check-connection-refused",
        "call-err-wrong-arity",
        "call-err-dash-argument",
        "settimeout-err-too-small",
        "settimeout-not-a-number",
        "rebalance-err-weight-twice",
        "import-err-missing-from",
        "import-err-bad-from",
    ]);
}

#[test]
fn info_11() {
    let three = "reshard-10-slots-flags";
    same_output("info-3-masters-empty", three, unchanged);
    same_output("info-3-masters-keys", three, unchanged);
    same_output("info-6-nodes", "check-6-nodes-ok", unchanged);
    same_output("info-after-addnodes", "check-after-addnodes", unchanged);
    same_output("info-master-down", "check-master-down-failed", unchanged);
    same_output("info-after-rebalance-weights", "import-ok-move", |toy| {
        toy.at(21771).slots = ranges("0-6143");
        toy.at(21772).slots = ranges("6144-11263");
        toy.at(21773).slots = ranges("11264-16383");
        // Having nothing left to serve, the fourth master had joined the third, with its replica.
        let (third, fourth) = (toy.id(21773), toy.id(21779));
        for node in &mut toy.nodes {
            if node.id == fourth || node.master.as_ref() == Some(&fourth) {
                node.master = Some(third.clone());
            }
        }
    });
}

#[test]
fn call_13() {
    let seven = |toy: &mut ToyCluster| toy.remove(21764);
    for name in ["call-ping", "call-quoted-arg", "call-cluster-keyslot", "call-both-filters"] {
        same_output(name, "check-after-addnodes", seven);
    }
    // By then two nodes had become replicas of others.
    let keys = |toy: &mut ToyCluster| {
        seven(toy);
        for (replica, master) in [(21767, 21762), (21766, 21763)] {
            toy.at(replica).master = Some(toy.id(master));
        }
        toy.fill_up(21763, 1);
        toy.fill_up(21766, 1);
    };
    same_output("call-dbsize-only-masters", "check-after-addnodes", keys);
    same_output("call-dbsize-only-replicas", "check-after-addnodes", |toy| {
        keys(toy);
        toy.order.splice(0..0, ["127.0.0.1:21761".to_owned()]);
    });
    same_output("call-set-error", "check-after-addnodes", |toy| {
        seven(toy);
        toy.scripts_are_natural = true;
        for node in &mut toy.nodes {
            let reply = match node.address.as_str() {
                "127.0.0.1:21763" => Reply::ok(),
                _ => Reply::Error("MOVED 12182 127.0.0.1:21763".into()),
            };
            node.scripted.push(("set foo bar".into(), 0, reply));
        }
    });
    same_output("call-config-get", "check-after-addnodes", |toy| {
        seven(toy);
        let words = [
            "maxmemory-policy",
            "noeviction",
            "maxmemory-samples",
            "5",
            "maxmemory-eviction-tenacity",
            "10",
            "maxmemory",
            "0",
        ];
        for node in &mut toy.nodes {
            let reply = Reply::Array(words.iter().map(Reply::bulk).collect());
            node.scripted.push(("config get maxmemory*".into(), 0, reply));
        }
    });
    same_output("call-with-master-down", "check-master-down-failed", unchanged);
}

#[test]
fn set_timeout_14() {
    for name in ["settimeout-ok", "settimeout-back-3000", "settimeout-minimum-100"] {
        same_output(name, "check-after-addnodes", |toy| toy.remove(21764));
    }
    same_output("settimeout-master-down", "check-master-down-failed", unchanged);
    same_output("settimeout-one-node-without-config-file", "backup-ok", |toy| {
        toy.add_stranger(21774);
        toy.introduce_all();
        let error = Reply::err("The server is running without a config file");
        toy.at(21779).scripted.push(("CONFIG REWRITE".into(), 0, error));
        toy.order.push("127.0.0.1:21779".into());
    });
}

/// A source outside the cluster with six keys.
fn with_source(toy: &mut ToyCluster) {
    toy.add_stranger(21780);
    let source = toy.at(21780);
    source.in_cluster_mode = false;
    let keys = (0..6).map(|number| (format!("imp:{number}").into_bytes(), b"1".to_vec()));
    source.keys = keys.collect();
    // The order in which the real source had them.
    let order = [5, 1, 2, 3, 4, 0].map(|number| Reply::bulk(format!("imp:{number}")));
    let reply = Reply::Array(vec![Reply::bulk("0"), Reply::Array(order.to_vec())]);
    source.scripted.push(("SCAN".into(), 0, reply));
}

#[test]
fn import_15() {
    for name in [
        "import-ok-move",
        "import-copy-only",
        "import-replace-only-acts-as-copy",
        "import-copy-replace",
    ] {
        same_output(name, name, with_source);
    }
    for name in ["import-err-busykey", "import-copy-only-err-busykey", "import-replace-only-err"] {
        same_output(name, name, |toy| {
            with_source(toy);
            toy.at(21771).keys.insert(b"imp:5".to_vec(), Vec::new());
        });
    }
    for name in ["import-empty-source", "import-source-pass-ok", "import-source-user-pass-ok"] {
        same_output(name, name, |toy| {
            with_source(toy);
            toy.at(21780).keys = ToyKeys::default();
            let nothing = Reply::Array(vec![Reply::bulk("0"), Reply::Array(vec![])]);
            toy.at(21780).scripted = vec![("SCAN".into(), 0, nothing)];
            toy.at(21780).password = name.contains("pass").then(|| "sekret".to_owned());
        });
    }
    for name in ["import-err-source-noauth", "import-err-source-wrong-pass"] {
        same_output(name, name, |toy| {
            with_source(toy);
            toy.at(21780).password = Some("sekret".to_owned());
        });
    }
    same_output("import-err-source-unreachable", "backup-ok", unchanged);
    as_described(&["import-err-source-is-cluster", "import-err-open-slots"]);
}

/// Snapshots as long as those of the recording.
fn with_snapshots(toy: &mut ToyCluster) {
    for (port, len) in [(21771, 227), (21772, 229), (21773, 247), (21779, 175)] {
        toy.at(port).scripted.push(("SYNC".into(), 0, Reply::Bulk(vec![0; len])));
    }
    if toy.at(21771).open.contains_key(&6) {
        toy.migrating(6, 21771, 21772);
    }
    for (port, epoch) in [(21778, 3), (21777, 2), (21772, 2), (21775, 0), (21773, 3), (21779, 0)] {
        toy.at(port).config_epoch = epoch;
    }
}

#[test]
fn backup_16() {
    for name in ["backup-ok", "backup-with-open-slots"] {
        let toy = same_output(name, name, with_snapshots);
        let described = String::from_utf8(toy.files["/backup-root/backup/nodes.json"].clone());
        let recorded = fs::read_to_string(format!("tests/data/transcripts/{name}.nodes.json"));
        assert_eq!(described.unwrap(), recorded.unwrap(), "{name}");
    }
    same_output("backup-err-missing-directory", "backup-ok", |toy| {
        with_snapshots(toy);
        toy.directory_exists = false;
    });
    let name = "backup-search-multiple-owners-crash";
    same_output(name, name, |toy| toy.fill(21712, 700, 1));
}
