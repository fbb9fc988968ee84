//! Repairs of open, uncovered and disputed slots.

use redis_cluster_sim::resp::args;

use crate::support::real::{Binaries, Servers};
use crate::support::resp_client::RespClient;
use crate::{Comparison, three_masters};

/// Hash tags of the slots that are broken here.
const OPEN: (u16, &str) = (0, "{06S}");
const UNCOVERED: [(u16, &str); 3] = [(449, "k2"), (4998, "key2"), (5061, "bar")];

/// All slots closed, covered and without keys, as `create` left them.
fn healthy(servers: &Servers) {
    for number in 0..3 {
        servers.call(number, "FLUSHALL");
    }
    let layout: Vec<_> =
        UNCOVERED.iter().chain([&OPEN]).map(|(slot, _)| (*slot..slot + 1, 0)).collect();
    servers.arrange(&layout);
}

/// Puts keys of an open or foreign slot into a server.
fn plant(servers: &Servers, number: usize, (slot, tag): (u16, &str), keys: &[&str]) {
    let owner = servers.id((number + 1) % 3);
    let mut client = RespClient::connect("127.0.0.1", servers.port(number)).unwrap();
    let owned = number == 0;
    if !owned {
        servers.tell(number, &format!("CLUSTER SETSLOT {slot} IMPORTING {owner}"));
    }
    for key in keys {
        client.call(&args(["ASKING"])).unwrap();
        let name =
            if tag.starts_with('{') { format!("{tag}{key}") } else { format!("{{{tag}}}{key}") };
        let reply = client.call(&args(["SET", &name, "1"])).unwrap();
        assert_eq!(reply.error(), None, "{name} in {number}");
    }
    if !owned {
        servers.tell(number, &format!("CLUSTER SETSLOT {slot} STABLE"));
    }
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn open_slots_are_repaired_alike_12_2() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    let [a, b, c] = [0, 1, 2].map(|number| servers.id(number));
    let (slot, _) = OPEN;
    let migrating = |from: usize, to: &str| {
        servers.tell(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {to}"));
    };
    let importing = |to: usize, from: &str| {
        servers.tell(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {from}"));
    };
    let fix = |what: &str, exit: i32, prepare: &dyn Fn()| {
        let prepare = || {
            healthy(&servers);
            prepare();
        };
        let ran = comparison.same_after(prepare, &["--cluster", "fix", &servers.address(0)], &[]);
        assert_eq!(ran.exit, exit, "{what}: {ran:?}");
    };
    fix("case 1, keys in the source", 0, &|| {
        plant(&servers, 0, OPEN, &["1", "2", "3"]);
        migrating(0, &b);
        importing(1, &a);
    });
    fix("case 1, importing elsewhere", 0, &|| {
        migrating(0, &b);
        importing(2, &a);
    });
    fix("case 2, more keys in the source", 0, &|| {
        plant(&servers, 0, OPEN, &["1", "2", "3"]);
        plant(&servers, 1, OPEN, &["4", "5"]);
        migrating(0, &b);
        importing(1, &a);
    });
    fix("case 2, more keys in the target", 0, &|| {
        plant(&servers, 0, OPEN, &["1"]);
        plant(&servers, 1, OPEN, &["2", "3"]);
        migrating(0, &b);
        importing(1, &a);
    });
    fix("case 2, importing only", 0, &|| importing(2, &a));
    fix("case 2, importing with keys", 0, &|| {
        plant(&servers, 2, OPEN, &["1"]);
        importing(2, &a);
    });
    fix("case 3, with a destination", 0, &|| {
        migrating(0, &b);
        importing(1, &a);
        importing(2, &a);
    });
    fix("case 4", 0, &|| migrating(0, &c));
    fix("unassigned", 0, &|| {
        for number in 0..3 {
            servers.tell(number, &format!("CLUSTER DELSLOTS {slot}"));
        }
        importing(1, &a);
    });
    healthy(&servers);
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn uncovered_slots_are_repaired_alike_12_3() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    for number in 0..3 {
        servers.tell(number, "CONFIG SET cluster-require-full-coverage no");
    }
    let uncover = || {
        healthy(&servers);
        plant(&servers, 1, UNCOVERED[1], &["1"]);
        plant(&servers, 1, UNCOVERED[2], &["1", "2"]);
        plant(&servers, 2, UNCOVERED[2], &["3"]);
        for (slot, _) in UNCOVERED {
            for number in 0..3 {
                servers.tell(number, &format!("CLUSTER DELSLOTS {slot}"));
            }
        }
    };
    let fix = ["--cluster", "fix", &servers.address(0), "--cluster-yes"];
    // The random master of the first kind depends on the second of the clock.
    assert_eq!(comparison.same_after(uncover, &fix, &["no", "yes", "yes"]).exit, 0);
    assert_eq!(comparison.same_after(uncover, &fix, &["no", "nein", "y"]).exit, 1);
    assert_eq!(comparison.same_after(uncover, &fix, &["no", "yes", "no"]).exit, 0);
}

#[test]
#[ignore = "needs real Redis (REAL_REDIS_DIR)"]
fn disputed_slots_are_repaired_alike_12_4() {
    let Some(binaries) = Binaries::find() else { return };
    let servers = three_masters(&binaries, 0);
    let comparison = Comparison { binaries: &binaries };
    let dispute = || {
        healthy(&servers);
        plant(&servers, 0, OPEN, &["1", "2"]);
        plant(&servers, 1, OPEN, &["3"]);
    };
    let search = ["--cluster", "fix", &servers.address(0), "--cluster-search-multiple-owners"];
    assert_eq!(comparison.same_after(dispute, &search, &[]).exit, 1);
    let check = ["--cluster", "check", &servers.address(0), "--cluster-search-multiple-owners"];
    assert_eq!(comparison.same_after(dispute, &check, &[]).exit, 1);
}
