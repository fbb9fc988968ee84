//! CLUSTER among several nodes. What a node alone answers is compared with recordings of a real one.

use crate::node::effect::Input;
use crate::node::flags::Flags;
use crate::node::lab::{CLIENT, Lab, slot};
use crate::node::packet::{Epoch, MessageType};
use crate::resp::{Reply, args};

fn formed() -> Lab {
    let mut lab = Lab::formed(3, 1, 5_000);
    lab.run(3_000);
    lab
}

fn id(node: usize) -> String {
    crate::node::lab::id(node).to_string()
}

fn error(lab: &mut Lab, node: usize, words: &str) -> String {
    lab.ask(node, words).error().expect("an error").to_owned()
}

fn ok(lab: &mut Lab, node: usize, words: &str) {
    assert_eq!(lab.ask(node, words), Reply::ok(), "{words}");
}

fn bulks(reply: Reply) -> Vec<String> {
    let Reply::Array(elements) = reply else { panic!("{reply:?} is no array") };
    elements.iter().map(|element| element.text().expect("text").to_owned()).collect()
}

#[test]
fn two_nodes_meet_9_2() {
    let mut lab = Lab::alone(2);
    lab.run(100);
    ok(&mut lab, 0, "CLUSTER MEET 10.0.0.2 7000");
    assert_eq!(lab.handshakes(0).len(), 1);
    ok(&mut lab, 0, "CLUSTER MEET 10.0.0.2 7000");
    assert_eq!(lab.handshakes(0).len(), 1);
    lab.run(2_000);
    for node in 0..2 {
        let text = lab.ask(node, "CLUSTER NODES").text().unwrap().to_owned();
        assert!(text.contains(&id(0)) && text.contains(&id(1)), "{text}");
    }
}

#[test]
fn a_node_can_be_forgotten_but_not_by_itself_nor_its_replica_9_17() {
    let mut lab = formed();
    let myself = "ERR I tried hard but I can't forget myself...";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER FORGET {}", id(0))), myself);
    let master = "ERR Can't forget my master!";
    assert_eq!(error(&mut lab, 3, &format!("CLUSTER FORGET {}", id(0))), master);
    ok(&mut lab, 0, &format!("CLUSTER FORGET {}", id(2)));
    assert_eq!(lab.find(0, 2), None);
    assert_eq!(lab.ask(0, "GET {a}").error(), Some("CLUSTERDOWN Hash slot not served"));
    lab.run(30_000);
    assert_eq!(lab.find(0, 2), None, "it is kept out for a minute");
    lab.run(35_000);
    assert!(lab.find(0, 2).is_some());
}

#[test]
fn only_an_empty_master_can_become_a_replica_9_18() {
    let mut lab = formed();
    let full = "ERR To set a master the node must be empty and without assigned slots.";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER REPLICATE {}", id(1))), full);
    let itself = "ERR Can't replicate myself";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER REPLICATE {}", id(0))), itself);
    let replica = "ERR I can only replicate a master, not a replica.";
    assert_eq!(error(&mut lab, 1, &format!("CLUSTER REPLICATE {}", id(3))), replica);
    ok(&mut lab, 3, &format!("CLUSTER REPLICATE {}", id(1)));
    let other = lab.peer(3, 1);
    assert_eq!(lab.node(3).bus.my_master(), Some(other));
    assert!(lab.node(3).replication.master.is_some());
}

#[test]
fn replicas_are_listed_line_by_line_9_19() {
    let mut lab = formed();
    let lines = bulks(lab.ask(0, &format!("CLUSTER REPLICAS {}", id(0))));
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(line.starts_with(&format!("{} 10.0.0.4:7000@17000 slave {} ", id(3), id(0))), "{line}");
    assert!(!line.ends_with('\n'));
    assert_eq!(lab.ask(0, &format!("CLUSTER SLAVES {}", id(1))), Reply::Array(Vec::new()));
    let replica = "ERR The specified node is not a master";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER REPLICAS {}", id(3))), replica);
}

#[test]
fn an_id_may_be_longer_than_40_digits_9_0_4() {
    let mut lab = formed();
    ok(&mut lab, 0, &format!("CLUSTER SETSLOT 0 MIGRATING {}ffff", id(1)));
    let short = &id(1)[..39];
    let unknown = format!("ERR I don't know about node {short}");
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER SETSLOT 0 MIGRATING {short}")), unknown);
}

#[test]
fn slots_lists_owners_and_replicas_that_are_not_failing_10_3() {
    let mut lab = formed();
    let entry = |node: usize| {
        let ip = format!("10.0.0.{}", node + 1);
        Reply::Array(vec![Reply::bulk(ip), Reply::Int(7_000), Reply::bulk(id(node))])
    };
    let Reply::Array(runs) = lab.ask(1, "CLUSTER SLOTS") else { panic!("no array") };
    assert_eq!(runs.len(), 3);
    let first = vec![Reply::Int(0), Reply::Int(5_460), entry(0), entry(3)];
    assert_eq!(runs[0], Reply::Array(first));
    let (master, replica) = (lab.peer(1, 0), lab.peer(1, 3));
    lab.act(1, |node, _| {
        node.bus.table.set_flags(master, Flags::FAIL);
        node.bus.table.set_flags(replica, Flags::FAIL);
    });
    let Reply::Array(runs) = lab.ask(1, "CLUSTER SLOTS") else { panic!("no array") };
    let first = vec![Reply::Int(0), Reply::Int(5_460), entry(0)];
    assert_eq!(runs[0], Reply::Array(first));
}

#[test]
fn a_slot_is_moved_from_node_to_node_9_9() {
    let mut lab = formed();
    ok(&mut lab, 0, "SET {b}1 v");
    ok(&mut lab, 0, "SET {b}2 v");
    ok(&mut lab, 1, &format!("CLUSTER SETSLOT 3300 IMPORTING {}", id(0)));
    ok(&mut lab, 0, &format!("CLUSTER SETSLOT 3300 MIGRATING {}", id(1)));
    let open = lab.ask(0, "CLUSTER NODES").text().unwrap().to_owned();
    assert!(open.contains(&format!(" 0-5460 [3300->-{}]", id(1))), "{open}");
    let held = "ERR Can't assign hashslot 3300 to a different node while I still hold keys for \
                this hash slot.";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER SETSLOT 3300 NODE {}", id(1))), held);
    let moved = lab.ask_as(
        0,
        CLIENT,
        args(["MIGRATE", "10.0.0.2", "7000", "", "0", "100", "KEYS", "{b}1", "{b}2", "{b}3"]),
    );
    assert_eq!(moved, Reply::ok());
    assert_eq!(lab.ask(1, "CLUSTER COUNTKEYSINSLOT 3300"), Reply::Int(2));
    assert_eq!(lab.ask(0, "CLUSTER COUNTKEYSINSLOT 3300"), Reply::Int(0));
    let pongs = lab.count(1, 2, MessageType::Pong);
    ok(&mut lab, 1, &format!("CLUSTER SETSLOT 3300 NODE {}", id(1)));
    assert_eq!(lab.count(1, 2, MessageType::Pong), pongs + 1, "everybody is told at once");
    assert!(lab.logged(1, "configEpoch updated after importing slot 3300"));
    ok(&mut lab, 0, &format!("CLUSTER SETSLOT 3300 NODE {}", id(1)));
    lab.run(2_000);
    assert_eq!(lab.ask(2, "GET {b}1").error(), Some("MOVED 3300 10.0.0.2:7000"));
    assert!(!lab.ask(0, "CLUSTER NODES").text().unwrap().contains('['));
    assert_eq!(lab.ask(1, "CLUSTER GETKEYSINSLOT 3300 9"), lab.ask(1, "KEYS {b}*"));
}

#[test]
fn setslot_checks_who_owns_the_slot_9_9() {
    let mut lab = formed();
    let replica = "ERR Please use SETSLOT only with masters.";
    assert_eq!(error(&mut lab, 3, "CLUSTER SETSLOT 0 STABLE"), replica);
    let foreign = "ERR I'm not the owner of hash slot 16383";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER SETSLOT 16383 MIGRATING {}", id(1))), foreign);
    let own = "ERR I'm already the owner of hash slot 0";
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER SETSLOT 0 IMPORTING {}", id(1))), own);
}

#[test]
fn stable_closes_a_slot_on_both_sides_9_9() {
    let mut lab = formed();
    ok(&mut lab, 0, &format!("CLUSTER SETSLOT 0 MIGRATING {}", id(1)));
    ok(&mut lab, 0, "CLUSTER SETSLOT 0 STABLE");
    assert!(lab.node(0).bus.slots.migrating.is_empty());
    ok(&mut lab, 1, &format!("CLUSTER SETSLOT 0 IMPORTING {}", id(0)));
    ok(&mut lab, 1, "CLUSTER SETSLOT 0 STABLE");
    assert!(lab.node(1).bus.slots.importing.is_empty());
}

#[test]
fn delslots_takes_anybodys_slots_in_my_own_view_only_9_8() {
    let mut lab = formed();
    ok(&mut lab, 0, "CLUSTER DELSLOTS 16383");
    assert_eq!(lab.node(0).bus.slots.owner(slot(16_383)), None);
    assert!(!lab.node(0).bus.state_ok);
    assert!(lab.node(1).bus.state_ok);
    assert!(lab.node(1).bus.slots.owner(slot(16_383)).is_some());
}

#[test]
fn set_config_epoch_is_for_those_who_know_nobody_9_16() {
    let mut lab = formed();
    let known = "ERR The user can assign a config epoch only when the node does not know any other \
                 node.";
    assert_eq!(error(&mut lab, 0, "CLUSTER SET-CONFIG-EPOCH 9"), known);
}

#[test]
fn bumpepoch_makes_mine_the_greatest_9_10() {
    let mut lab = formed();
    assert_eq!(lab.ask(0, "CLUSTER BUMPEPOCH"), Reply::Status("BUMPED 4".to_owned()));
    assert_eq!(lab.ask(0, "CLUSTER BUMPEPOCH"), Reply::Status("STILL 4".to_owned()));
    assert_eq!(lab.node(0).bus.current_epoch, Epoch(4));
}

#[test]
fn failure_reports_are_counted_9_20() {
    let mut lab = formed();
    assert_eq!(lab.ask(0, &format!("CLUSTER COUNT-FAILURE-REPORTS {}", id(2))), Reply::Int(0));
    let unknown = format!("ERR Unknown node {}", id(9));
    assert_eq!(error(&mut lab, 0, &format!("CLUSTER COUNT-FAILURE-REPORTS {}", id(9))), unknown);
}

#[test]
fn a_replica_that_is_reset_keeps_nothing_of_its_master_9_21() {
    let mut lab = formed();
    lab.act(3, |node, _| node.keys.insert_string(b"{b}", b"v"));
    ok(&mut lab, 3, "CLUSTER RESET HARD");
    assert!(lab.node(3).bus.is_master());
    assert!(lab.node(3).keys.is_empty());
    assert_eq!(lab.node(3).bus.table.len(), 1);
}

#[test]
fn who_watches_a_key_notices_that_a_reset_has_deleted_it_9_21() {
    let mut lab = formed();
    lab.act(3, |node, _| node.keys.insert_string(b"{b}", b"v"));
    for words in ["READONLY", "WATCH {b}", "MULTI"] {
        ok(&mut lab, 3, words);
    }
    let other = crate::node::effect::LinkId(1_000_005);
    assert_eq!(lab.ask_as(3, other, args(["CLUSTER", "RESET"])), Reply::ok());
    assert_eq!(lab.ask(3, "EXEC"), Reply::NilArray);
}

#[test]
fn a_published_message_reaches_listeners_of_other_nodes_4_7() {
    let mut lab = formed();
    lab.input(1, Input::Command(CLIENT, args(["SUBSCRIBE", "news"]).into()));
    assert_eq!(lab.ask(0, "PUBLISH news hi"), Reply::Int(0));
    let heard = Reply::Array(["message", "news", "hi"].map(Reply::bulk).to_vec());
    assert!(lab.replies.contains(&(1, CLIENT, Some(heard))), "{:?}", lab.replies);
}

#[test]
fn migrate_tells_what_the_target_said_11_16() {
    let mut lab = formed();
    ok(&mut lab, 0, "SET {b} v");
    // Node 1 does not import the slot.
    let moved = "ERR Target instance replied with error: MOVED 3300 10.0.0.1:7000";
    assert_eq!(error(&mut lab, 0, "MIGRATE 10.0.0.2 7000 {b} 0 100"), moved);
    ok(&mut lab, 1, &format!("CLUSTER SETSLOT 3300 IMPORTING {}", id(0)));
    ok(&mut lab, 0, "MIGRATE 10.0.0.2 7000 {b} 0 100 COPY");
    let busy = "ERR Target instance replied with error: BUSYKEY Target key name already exists.";
    assert_eq!(error(&mut lab, 0, "MIGRATE 10.0.0.2 7000 {b} 0 100"), busy);
    let other_db =
        "ERR Target instance replied with error: ERR SELECT is not allowed in cluster mode";
    assert_eq!(error(&mut lab, 0, "MIGRATE 10.0.0.2 7000 {b} 1 100 REPLACE"), other_db);
    ok(&mut lab, 0, "MIGRATE 10.0.0.2 7000 {b} 0 100 REPLACE");
    assert_eq!(lab.ask(0, "EXISTS {b}"), Reply::Int(0));
    assert_eq!(lab.ask(0, "MIGRATE 10.0.0.2 7000 {b} 0 100").text(), Some("NOKEY"));
    ok(&mut lab, 0, "SET {b} v");
    let nobody = "IOERR error or timeout writing to target instance";
    assert_eq!(error(&mut lab, 0, "MIGRATE 10.0.0.99 7000 {b} 0 100"), nobody);
}

#[test]
fn a_transaction_goes_on_after_a_migrate_in_it() {
    let mut lab = formed();
    ok(&mut lab, 1, &format!("CLUSTER SETSLOT 3300 IMPORTING {}", id(0)));
    ok(&mut lab, 0, "MULTI");
    for words in ["SET {b} v", "MIGRATE 10.0.0.2 7000 {b} 0 100", "EXISTS {b}"] {
        assert_eq!(lab.ask(0, words).text(), Some("QUEUED"));
    }
    let replies = vec![Reply::ok(), Reply::ok(), Reply::Int(0)];
    assert_eq!(lab.ask(0, "EXEC"), Reply::Array(replies));
}

fn text(lab: &mut Lab, node: usize, words: &str) -> String {
    lab.ask(node, words).text().expect("a text").to_owned()
}

#[test]
fn subcommands_ignore_case_and_count_their_words_9_0_1() {
    let mut lab = formed();
    assert_eq!(text(&mut lab, 0, "cluster MyId"), id(0));
    let unknown = "ERR Unknown subcommand or wrong number of arguments for 'MyId'. Try CLUSTER \
                   HELP.";
    assert_eq!(error(&mut lab, 0, "cluster MyId extra"), unknown);
}

#[test]
fn bad_numbers_and_slots_have_texts_of_their_own_9_0_5_9_0_6() {
    let mut lab = formed();
    let integer = "ERR value is not an integer or out of range";
    assert_eq!(error(&mut lab, 0, "CLUSTER COUNTKEYSINSLOT x"), integer);
    let slot = "ERR Invalid or out of range slot";
    for words in ["CLUSTER ADDSLOTS x", "CLUSTER DELSLOTS 16384", "CLUSTER SETSLOT -1 STABLE"] {
        assert_eq!(error(&mut lab, 0, words), slot, "{words}");
    }
}

#[test]
fn myid_names_who_is_asked_and_a_hard_reset_changes_it_9_3() {
    let mut lab = formed();
    for node in 0..4 {
        assert_eq!(text(&mut lab, node, "CLUSTER MYID"), id(node));
    }
    ok(&mut lab, 3, "CLUSTER RESET HARD");
    assert_ne!(text(&mut lab, 3, "CLUSTER MYID"), id(3));
}

#[test]
fn nodes_lists_everybody_in_the_order_of_my_own_table_9_4() {
    let mut lab = formed();
    let listed = text(&mut lab, 2, "CLUSTER NODES");
    let order = lab.node(2).bus.table.order().to_vec();
    let expected: Vec<String> = order
        .iter()
        .map(|&ix| lab.nodes[2].as_ref().unwrap().bus.node_line(&lab.ids, ix))
        .collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(listed.matches("myself").count(), 1);
}

#[test]
fn slots_is_empty_where_no_slot_has_an_owner_9_5() {
    let mut lab = Lab::alone(1);
    assert_eq!(lab.ask(0, "CLUSTER SLOTS"), Reply::Array(Vec::new()));
    ok(&mut lab, 0, "CLUSTER ADDSLOTS 5 6 8");
    let Reply::Array(ranges) = lab.ask(0, "CLUSTER SLOTS") else { panic!("an array") };
    let bounds: Vec<&[Reply]> = ranges
        .iter()
        .map(|range| match range {
            Reply::Array(parts) => &parts[..2],
            other => panic!("{other:?} is no range"),
        })
        .collect();
    assert_eq!(bounds, [[Reply::Int(5), Reply::Int(6)], [Reply::Int(8), Reply::Int(8)]]);
}

#[test]
fn info_tells_the_view_of_who_is_asked_9_6() {
    let mut lab = formed();
    ok(&mut lab, 0, "CLUSTER DELSLOTS 16000");
    lab.run(100);
    for (node, state, assigned) in [(0, "fail", 16_383), (1, "ok", 16_384)] {
        let info = text(&mut lab, node, "CLUSTER INFO");
        assert!(info.starts_with(&format!(
            "cluster_state:{state}\r\ncluster_slots_assigned:{assigned}\r\n"
        )));
    }
}

#[test]
fn flushslots_is_for_nodes_without_keys_9_7() {
    let mut lab = Lab::alone(1);
    ok(&mut lab, 0, "CLUSTER ADDSLOTS 3300");
    lab.act(0, |node, _| node.keys.insert_string(b"{b}", b"v"));
    let refused = "ERR DB must be empty to perform CLUSTER FLUSHSLOTS.";
    assert_eq!(error(&mut lab, 0, "CLUSTER FLUSHSLOTS"), refused);
    lab.act(0, |node, _| node.keys.clear());
    ok(&mut lab, 0, "CLUSTER FLUSHSLOTS");
    assert_eq!(lab.node(0).bus.slots.assigned(), 0);
}

#[test]
fn saveconfig_saves_at_once_and_to_the_disk_9_11() {
    let mut lab = formed();
    lab.forget_records();
    ok(&mut lab, 0, "CLUSTER SAVECONFIG");
    assert_eq!(lab.saves, [(0, true)]);
}

#[test]
fn countkeysinslot_counts_what_is_here_whoever_owns_the_slot_9_13() {
    let mut lab = formed();
    ok(&mut lab, 0, "SET {b}1 v");
    ok(&mut lab, 0, "SET {b}2 v");
    for (node, count) in [(0, 2), (3, 2), (1, 0)] {
        assert_eq!(lab.ask(node, "CLUSTER COUNTKEYSINSLOT 3300"), Reply::Int(count));
    }
    let slot = "ERR Invalid slot";
    assert_eq!(error(&mut lab, 0, "CLUSTER COUNTKEYSINSLOT 16384"), slot);
}

#[test]
fn info_says_that_this_is_a_cluster_10_4() {
    let mut lab = formed();
    assert_eq!(text(&mut lab, 0, "INFO cluster"), "# Cluster\r\ncluster_enabled:1\r\n");
}
