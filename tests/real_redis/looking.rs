//! Commands that change nothing, and mistakes on the command line.

use crate::support::real::{Binaries, free_port};
use crate::{Comparison, three_masters};

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn looking_at_a_cluster_prints_the_same_2_11_13() {
    let Some(binaries) = Binaries::find() else { return };
    let mut servers = three_masters(&binaries, 1);
    let alone = servers.add(&[]);
    let comparison = Comparison { binaries: &binaries };
    let first = servers.address(0);
    let second_port = servers.port(1).to_string();
    servers.tell(0, "SET {06S}a 1");
    for words in [
        &["--cluster", "check", &first][..],
        &["--cluster", "info", &first],
        &["--cluster", "check", &first, "--cluster-search-multiple-owners"],
        &["--cluster", "check", "127.0.0.1", &second_port],
        &["--cluster", "check", "127.0.0.1", &second_port, "and", "more"],
        &["--cluster", "call", &first, "dbsize"],
        &["--cluster", "call", &first, "config", "get", "maxmemory*"],
        &["--cluster", "call", &first, "set", "foo", "bar"],
        &["--cluster", "call", &first, "ping", "--cluster-only-replicas"],
        &["--cluster", "call", &first, "xrange", "s", "-", "+"],
        &["--cluster", "check", &format!("127.0.0.1:{}", free_port())],
        &["--cluster", "check", &servers.address(alone)],
        &["--cluster", "check", &first, "-a", "secret"],
        &["--cluster", "check", &first, "-a", "secret", "--no-auth-warning"],
        &["--cluster", "check", "nowhere"],
        &["--cluster", "check", "nowhere:at-all"],
        &["--cluster", "check"],
        &["--cluster", "help"],
        &["--cluster", "nosuch", &first],
        &["--cluster", "-x", &first],
        &["--cluster", "create", &first],
        &["--cluster", "create", "a", "b", "c"],
        &["--cluster", "create", &first, &servers.address(3), &servers.address(1)],
        &["--cluster", "create", &servers.address(3), &first],
        &["--cluster", "create", "--cluster-replicas", "1", &servers.address(3), "x"],
        &["--cluster", "add-node", &first, &servers.address(1)],
        &["--cluster", "add-node", &servers.address(alone), &first],
        &["--cluster", "del-node", &first, &servers.id(1)],
        &["--cluster", "del-node", &first, "nosuch"],
        &["--cluster", "set-timeout", &first, "3000"],
        &["--cluster", "set-timeout", &first, "99"],
        &["--cluster", "import", &first],
        &["--cluster", "import", &first, "--cluster-from", "x"],
        &["--cluster", "import", &first, "--cluster-from", &servers.address(1)],
        &["--cluster", "import", &first, "--cluster-from", &servers.address(alone)],
        &["--cluster", "check", &first, "--cluster-nosuch"],
        &["--cluster", "reshard", &first, "--cluster-slots"],
        &["--cluster", "rebalance", &first],
        &["--cluster", "rebalance", &first, "--cluster-weight", "x", "--cluster-simulate"],
        &["--cluster", "rebalance", &first, "--cluster-weight", "zz=1"],
        &["--cluster", "rebalance", &first, "--cluster-weight", "a=1", "--cluster-weight", "b=1"],
    ] {
        comparison.same(words);
    }
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn what_is_wrong_with_a_cluster_is_said_in_the_same_words_4() {
    let Some(binaries) = Binaries::find() else { return };
    let mut servers = three_masters(&binaries, 0);
    let ids: Vec<String> = (0..3).map(|number| servers.id(number)).collect();
    for slot in [7, 9, 10, 12, 55, 300, 1234, 4000] {
        servers.tell(0, &format!("CLUSTER SETSLOT {slot} MIGRATING {}", ids[1]));
        servers.tell(1, &format!("CLUSTER SETSLOT {slot} IMPORTING {}", ids[0]));
    }
    let first = servers.address(0);
    let comparison = Comparison { binaries: &binaries };
    assert_eq!(comparison.same(&["--cluster", "check", &first]).exit, 1);
    let words = ["--cluster", "reshard", &first, "--cluster-slots", "1"];
    assert_eq!(comparison.same(&words).exit, 1);
    assert_eq!(comparison.same(&["--cluster", "rebalance", &first]).exit, 1);

    servers.tell(0, "CLUSTER DELSLOTS 700");
    let comparison = Comparison { binaries: &binaries };
    assert_eq!(comparison.same(&["--cluster", "check", &first]).exit, 1);

    servers.kill(2);
    let comparison = Comparison { binaries: &binaries };
    assert_eq!(comparison.same(&["--cluster", "check", &first]).exit, 1);
    assert_eq!(comparison.same(&["--cluster", "info", &first]).exit, 0);
    assert_eq!(comparison.same(&["--cluster", "fix", &first]).exit, 1);
    assert_eq!(comparison.same(&["--cluster", "check", &servers.address(2)]).exit, 1);
}
