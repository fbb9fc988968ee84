//! Which command is sent to whom, in which order.

use redis_cluster_sim::resp::Reply;

use crate::replay;
use crate::support::toy_cluster::{ToyCluster, ToyNode, Typed};
use crate::support::transcript::{Transcript, ranges};

/// Nodes in the order in which the first of them lists them: port, id (any, if it is empty), slots or
/// the port of the master.
type Layout<'a> = &'a [(u16, &'a str, Holds<'a>)];

#[derive(Clone, Copy)]
enum Holds<'a> {
    Slots(&'a str),
    ReplicaOf(u16),
}

use Holds::{ReplicaOf, Slots};

fn toy(layout: Layout<'_>) -> ToyCluster {
    let mut nodes: Vec<ToyNode> = Vec::new();
    for (port, id, holds) in layout {
        let id = if id.is_empty() { format!("{port:0<40}") } else { (*id).to_owned() };
        let mut node = ToyNode::new(&id, &format!("127.0.0.1:{port}"));
        match holds {
            Slots(slots) => node.slots = ranges(slots),
            ReplicaOf(_) => node.master = Some(String::new()),
        }
        nodes.push(node);
    }
    let mut toy = ToyCluster::new(nodes);
    for (port, _, holds) in layout {
        if let ReplicaOf(master) = holds {
            let master = toy.id(*master);
            toy.at(*port).master = Some(master);
        }
    }
    toy.introduce_all();
    toy
}

/// Replays a recording and compares the commands. `shown` leaves out what the recording leaves out.
fn same_wire_if(
    name: &str,
    mut toy: ToyCluster,
    prepare: impl FnOnce(&mut ToyCluster),
    shown: impl Fn(&str) -> bool,
) {
    let mut transcript = Transcript::read(name);
    transcript.typed = Typed::Pipe(b"yes\n".to_vec());
    prepare(&mut toy);
    let exit = replay(name, &transcript, &mut toy);
    let ours: Vec<String> =
        toy.wire.iter().filter(|line| shown(line)).map(|line| shorten(line)).collect();
    let theirs: Vec<String> =
        transcript.output.lines().map(|line| line.trim_start().to_owned()).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
    assert_eq!(exit, transcript.exit, "{name}");
}

fn same_wire(name: &str, toy: ToyCluster, prepare: impl FnOnce(&mut ToyCluster)) {
    same_wire_if(name, toy, prepare, |_| true);
}

/// As the recordings shorten what is too long.
fn shorten(line: &str) -> String {
    let Some((address, command)) = line.split_once(" <- ") else { return line.to_owned() };
    let words = command.split(' ').count();
    match command.char_indices().nth(110) {
        Some((end, _)) if words > 16 => {
            format!("{address} <- {} ... ({words} args)", &command[..end])
        }
        _ => line.to_owned(),
    }
}

const A: &str = "110c0352be94d74f10fe4ba4c95f25090564849b";
const B: &str = "d8012c25d37199bd64128028892c4c2a70f79ac2";

/// Three masters; the first slots of the first belong to the last.
fn three(first: u16) -> ToyCluster {
    toy(&[
        (21701, A, Slots(&format!("{first}-5460"))),
        (21703, "", Slots("10923-16383")),
        (21702, B, Slots(&format!("0-{},5461-10922", first - 1))),
    ])
}

#[test]
fn reshard_8_1() {
    same_wire("wire-reshard-2-slots", three(10), |_| {});
    let keys = |toy: &mut ToyCluster, tag: &str| {
        for number in 0..23 {
            toy.at(21701).keys.insert(format!("{{{tag}}}:{number}").into_bytes(), Vec::new());
        }
    };
    same_wire("wire-reshard-slot-with-23-keys", three(14), |toy| keys(toy, "t16078"));
    same_wire("wire-reshard-pipeline-100-timeout", three(15), |toy| keys(toy, "t18315"));
}

#[test]
fn reshard_with_passwords_and_replicas_3_1() {
    let locked = toy(&[
        (21781, "42b9a433b1889738ccfce5176ad3f1846bf76ffe", Slots("0-5460")),
        (21782, "ccd8449075679088bea3ce4e2b13b008069e0f72", Slots("5461-10922")),
        (21783, "", Slots("10923-16383")),
    ]);
    same_wire("wire-reshard-with-auth", locked, |toy| {
        for node in &mut toy.nodes {
            node.password = Some("secret".to_owned());
        }
        toy.at(21781).keys.insert(b"k596".to_vec(), Vec::new());
    });
    let replicated = toy(&[
        (21722, "0611c756da8bd8922d588c490681bdf741dc4619", Slots("5463-10922")),
        (21724, "", ReplicaOf(21722)),
        (21726, "", Slots("0-5460")),
        (21723, "3598fb31ee337ac0644ee296ded57a7f8a7dc084", Slots("5461-5462,10923-16383")),
        (21721, "", ReplicaOf(21726)),
        (21725, "", ReplicaOf(21723)),
    ]);
    same_wire("wire-reshard-with-replicas", replicated, |_| {});
}

#[test]
fn rebalance_10() {
    let uneven = toy(&[
        (21701, A, Slots("5-5460,10922")),
        (21703, "", Slots("10923-16383")),
        (21702, B, Slots("0-4,5461-10921")),
    ]);
    same_wire("wire-rebalance-small", uneven, |_| {});
}

const X: &str = "5408ae65d40613e2a200a480a03ebe54667ba10d";
const Y: &str = "a6c9ac6a6701ec143261b6755d2dfe7b4b44e109";
const Z: &str = "99a14a54fed972d294e958b2b260e4c6dd5f7941";

/// Three masters on ports 21711, 21713, 21712. The last of them has slot 100.
fn broken() -> ToyCluster {
    toy(&[
        (21711, X, Slots("0-99,101-5460")),
        (21713, Z, Slots("10923-16383")),
        (21712, Y, Slots("100,5461-10922")),
    ])
}

#[test]
fn fix_open_slots_12_2() {
    same_wire("wire-fix-open-slot-case2", broken(), |toy| {
        toy.importing(100, 21713, 21712);
        toy.at(21713).keys.insert(b"{k2136}:inC3".to_vec(), Vec::new());
        toy.fill(21712, 100, 2);
    });
    same_wire("wire-fix-open-slot-case4", broken(), |toy| toy.migrating(100, 21712, 21711));
    same_wire("wire-fix-open-slot-keys-on-both-sides", broken(), |toy| {
        toy.migrating(100, 21712, 21711);
        toy.importing(100, 21711, 21712);
        toy.fill(21712, 100, 4);
        toy.at(21711).keys.insert(b"{k2136}:new".to_vec(), Vec::new());
    });
    same_wire("wire-fix-open-slot-case3-dst", broken(), |toy| {
        toy.at(21712).slots = ranges("5461-10922");
        toy.at(21713).slots = ranges("100,10923-16383");
        toy.migrating(100, 21713, 21711);
        toy.importing(100, 21711, 21713);
        toy.importing(100, 21712, 21713);
    });
}

/// Six nodes, one of them a master without slots.
fn six(first: &str) -> ToyCluster {
    toy(&[
        (21711, "feb8a2863a7c9e2bd003d820a2589d86f149d971", Slots(first)),
        (21716, "", ReplicaOf(21711)),
        (21717, "", Slots("")),
        (21713, "", Slots("10923-16383")),
        (21712, "", Slots("5461-10922")),
        (21714, "", ReplicaOf(21713)),
    ])
}

#[test]
fn fix_open_slots_among_replicas_12_2() {
    same_wire("wire-fix-open-slot-case3-closing", six("0-5460"), |toy| {
        toy.migrating(50, 21711, 21717);
        toy.importing(50, 21713, 21711);
        toy.importing(50, 21712, 21711);
    });
    same_wire("wire-fix-open-slot-unassigned-no-keys", six("0-59,61-5460"), |toy| {
        toy.importing(60, 21712, 21711);
    });
}

#[test]
fn fix_a_migration_that_fails_8_3() {
    let stuck = toy(&[
        (21711, "a8bed5ce4c8ea30355eb13e887f111ce5511e576", Slots("0-5460")),
        (21712, "d97e543e6f0a7d3bb3203f513b2bbb26e184c57c", Slots("5461-10922")),
        (21713, "", Slots("10923-16383")),
    ]);
    same_wire("wire-fix-migrate-timeout", stuck, |toy| {
        toy.migrating(0, 21711, 21712);
        toy.importing(0, 21712, 21711);
        for number in 0..3 {
            toy.at(21711).keys.insert(format!("{{k596}}:{number}").into_bytes(), Vec::new());
        }
        let error = Reply::Error("IOERR error or timeout reading to target instance".into());
        toy.at(21711).scripted.push(("MIGRATE".into(), 0, error));
    });
}

#[test]
fn fix_uncovered_and_disputed_slots_12_3_12_4() {
    let uncovered = |toy: &mut ToyCluster| toy.at(21711).slots = ranges("0-99,101-599,601-5460");
    same_wire("wire-fix-uncovered-keys-in-one-node", broken(), |toy| {
        uncovered(toy);
        toy.fill(21711, 600, 1);
    });
    same_wire("wire-fix-uncovered-keys-in-two-nodes", broken(), |toy| {
        uncovered(toy);
        toy.fill(21711, 600, 2);
        for port in [21711, 21712] {
            toy.at(port).keys.insert(b"{k360}:b1".to_vec(), b"same".to_vec());
        }
    });
    let name = "wire-fix-multiple-owners-tail";
    let dispute = |toy: &mut ToyCluster| {
        toy.fill(21711, 800, 2);
        toy.at(21712).keys.insert(b"{k28079}:b1".to_vec(), Vec::new());
        let error = Reply::Error("MOVED 800 127.0.0.1:21711".into());
        toy.at(21712).scripted.push(("MIGRATE".into(), 0, error));
    };
    // The recording shows the search in the slots around the disputed one only.
    same_wire_if(name, broken(), dispute, |line| {
        let asked = line.rsplit_once(" COUNTKEYSINSLOT ").map(|(_, slot)| slot.parse::<u16>());
        asked.is_none_or(|slot| (799..=801).contains(&slot.unwrap()))
    });
}

/// Fresh nodes, the first of which will list the others in this order.
fn strangers(ports: std::ops::RangeInclusive<u16>, listed: &[u16]) -> ToyCluster {
    let nodes =
        ports.map(|port| ToyNode::new(&format!("{port:0<40}"), &format!("127.0.0.1:{port}")));
    let mut toy = ToyCluster::new(nodes.collect());
    toy.order = listed.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    toy
}

#[test]
fn create_5_6() {
    let three = strangers(21711..=21713, &[21713, 21712]);
    same_wire("wire-create-3-masters", three, |_| {});
    let order = [21736, 21734, 21732, 21733, 21735];
    same_wire("wire-create-6-nodes-replicas-1", strangers(21731..=21736, &order), |toy| {
        toy.at(21731).id = "9128918ea3a97635fe01f29c938de46fe362f2bf".to_owned();
        toy.at(21732).id = "8e85cbc6a00a2f0d242b2b6168b91b503c1a39bb".to_owned();
        toy.at(21733).id = "0e47d308f282fa7b2933ea53b352b8a182f4c386".to_owned();
        // A second whose shuffle gives the recorded replicas.
        toy.second = 5;
    });
}

#[test]
fn add_node_6() {
    let cluster = || {
        toy(&[
            (21711, "", Slots("0-5460")),
            (21716, "", ReplicaOf(21711)),
            (21713, "", Slots("10923-16383")),
            (21712, "", Slots("5461-10922")),
            (21714, "", ReplicaOf(21713)),
        ])
    };
    same_wire("wire-addnode-master", cluster(), |toy| toy.add_stranger(21717));
    same_wire("wire-addnode-slave", cluster(), |toy| {
        toy.remove(21716);
        toy.order = [21713, 21714, 21712].map(|port| format!("127.0.0.1:{port}")).to_vec();
        toy.at(21711).id = "feb8a2863a7c9e2bd003d820a2589d86f149d971".to_owned();
        toy.add_stranger(21716);
    });
}

/// The nodes on ports 21761 and up.
fn many(removed: &str) -> ToyCluster {
    toy(&[
        (21761, "", Slots("0-5460")),
        (21763, "e09b14198ce21843499b9c3b3527a6c0f0c07db3", Slots("10923-16383")),
        (21764, removed, Slots("")),
        (21766, "", ReplicaOf(21764)),
        (21765, "", ReplicaOf(21761)),
        (21768, "", Slots("")),
        (21762, "", Slots("5461-10922")),
    ])
}

#[test]
fn del_node_7() {
    same_wire("wire-delnode-empty-master", many(""), |toy| {
        toy.at(21768).id = "917629c7ff73a0b192edfa81531444a4eda4f2b6".to_owned();
    });
    let removed = "99c860bb70b2967a58fd08b3521a36d41b29be83";
    same_wire("wire-delnode-empty-master-with-replica", many(removed), |toy| toy.remove(21768));
}

#[test]
fn call_and_set_timeout_13_14() {
    let order = [21763, 21767, 21766, 21765, 21768, 21762];
    let seven = || {
        let mut toy = many("");
        toy.at(21764).address = "127.0.0.1:21767".to_owned();
        toy.introduce_all();
        toy.order = order.map(|port| format!("127.0.0.1:{port}")).to_vec();
        toy
    };
    same_wire("wire-call-ping", seven(), |_| {});
    same_wire("wire-settimeout", seven(), |_| {});
}

/// The nodes on ports 21771 and up, and a source outside the cluster.
fn with_source() -> ToyCluster {
    let mut toy = toy(&[
        (21771, "", Slots("0-5460")),
        (21778, "", ReplicaOf(21773)),
        (21777, "", ReplicaOf(21772)),
        (21772, "", Slots("5461-10922")),
        (21775, "", ReplicaOf(21779)),
        (21773, "", Slots("10923-16383")),
        (21776, "", ReplicaOf(21771)),
        (21779, "", Slots("")),
    ]);
    toy.add_stranger(21780);
    toy.at(21780).in_cluster_mode = false;
    let keys = [5, 1, 2, 3, 4, 0].map(|number| Reply::bulk(format!("imp:{number}")));
    let reply = Reply::Array(vec![Reply::bulk("0"), Reply::Array(keys.to_vec())]);
    toy.at(21780).scripted.push(("SCAN".into(), 0, reply));
    toy
}

#[test]
fn import_and_backup_15_16() {
    same_wire("wire-import-copy-replace", with_source(), |_| {});
    same_wire("wire-import-replace", with_source(), |toy| {
        toy.at(21771).keys.insert(b"imp:5".to_vec(), Vec::new());
    });
    same_wire("wire-backup", with_source(), |_| {});
}

#[test]
fn a_redirection_18_3() {
    let plain = toy(&[(21711, "", Slots("0-5460")), (21713, "", Slots("10923-16383"))]);
    same_wire("wire-cli-c-get-redirect", plain, |toy| {
        let moved = Reply::Error("MOVED 12182 127.0.0.1:21713".into());
        toy.at(21711).scripted.push(("get foo".into(), 0, moved));
        toy.at(21713).scripted.push(("get foo".into(), 0, Reply::bulk("bar")));
    });
}
