use super::*;
use crate::node::config::Config;
use crate::node::lab::Lab;
use crate::node::process::Disk;

fn alone(settings: &[(&str, &str)], found: Option<Keyspace>) -> Lab {
    let mut config = Config::default();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    let disk = |_| Disk { keys: found.clone(), ..Disk::default() };
    let mut lab = Lab::start(1, disk, config);
    let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
    lab.ask(0, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
    lab.run(6_000);
    assert!(lab.node(0).bus.state_ok);
    lab
}

fn after(mut lab: Lab, death: Death) -> Vec<String> {
    let keys = lab.nodes[0].take().unwrap().surviving_keys(death).unwrap_or_default();
    keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect()
}

#[test]
fn with_an_append_only_file_everything_survives_a_crash() {
    let mut lab = alone(&[("appendonly", "yes"), ("save", "")], None);
    lab.ask(0, "SET k v");
    assert_eq!(after(lab, Death::Killed), ["k"]);
}

#[test]
fn without_one_only_what_was_saved_survives_a_crash() {
    let mut lab = alone(&[], None);
    lab.ask(0, "SET saved v");
    lab.ask(0, "SAVE");
    lab.ask(0, "SET lost v");
    assert_eq!(after(lab, Death::Killed), ["saved"]);
}

#[test]
fn a_shutdown_saves_if_there_are_save_points_b_1() {
    for (save, saved) in [("3600 1", vec!["k"]), ("", vec![])] {
        let mut lab = alone(&[("save", save)], None);
        lab.ask(0, "SET k v");
        lab.act(0, |node, ctx| node.terminate(ctx));
        let line = "Saving the final RDB snapshot before exiting.";
        assert_eq!(lab.logged(0, line), !saved.is_empty());
        assert!(lab.logged(0, "Redis is now ready to exit, bye bye..."));
        assert_eq!(lab.exits, [(0, Exit::Shutdown)]);
        assert_eq!(after(lab, Death::Shutdown), saved);
    }
}

#[test]
fn shutdown_can_be_told_what_to_save_b_1() {
    for (what, save, saved) in
        [(WhatToSave::Nothing, "3600 1", vec![]), (WhatToSave::Everything, "", vec!["k"])]
    {
        let mut lab = alone(&[("save", save)], None);
        lab.ask(0, "SET k v");
        lab.act(0, |node, ctx| node.prepare_for_shutdown(ctx, what));
        assert_eq!(after(lab, Death::Shutdown), saved);
    }
}

#[test]
fn a_save_point_is_checked_at_each_tick() {
    let mut lab = alone(&[("save", "2 2")], None);
    lab.ask(0, "SET a v");
    lab.run(4_000);
    assert!(!lab.logged(0, "2 changes in 2 seconds. Saving..."));
    lab.ask(0, "SET b v");
    lab.run(300);
    assert!(lab.logged(0, "2 changes in 2 seconds. Saving..."));
    assert!(lab.logged(0, "Background saving terminated with success"));
    assert_eq!(lab.node(0).server.storage.dirty, 0);
    assert_eq!(after(lab, Death::Killed), ["b", "a"], "in the order of slots");
}

#[test]
fn flushall_empties_the_file_too_if_there_are_save_points() {
    for (save, left) in [("3600 1", vec![]), ("", vec!["k"])] {
        let mut lab = alone(&[("save", save)], None);
        lab.ask(0, "SET k v");
        lab.ask(0, "SAVE");
        lab.ask(0, "FLUSHALL");
        assert_eq!(after(lab, Death::Killed), left);
    }
}

#[test]
fn the_next_process_finds_the_keys_that_are_still_alive_13_3_11() {
    let mut found = Keyspace::default();
    let now = crate::node::lab::OPENING;
    found.saved_at = Some(now.secs() - 7);
    found.insert_string(b"k", b"v");
    found.insert_string(b"dead", b"v");
    found.set_expiry(b"dead", Some(Millis(now.millis().0 - 1)));
    let mut lab =
        Lab::start(1, |_| Disk { keys: Some(found.clone()), ..Disk::default() }, Config::default());
    for line in [
        "Loading RDB produced by version 6.2.3",
        "RDB age 7 seconds",
        "DB loaded from disk: 0.000 seconds",
        "I have keys for unassigned slot 7629. Taking responsibility for it.",
    ] {
        assert!(lab.logged(0, line), "{line}: {:#?}", lab.lines);
    }
    assert_eq!(lab.node(0).keys.len(), 1);
    assert_eq!(after(lab, Death::Killed), ["k", "dead"], "the file is as it was");
}

#[test]
fn a_string_that_was_changed_in_place_is_raw_until_it_is_written_or_loaded_anew() {
    let mut lab = alone(&[], None);
    let encoding = |lab: &mut Lab, key: &str| {
        let reply = lab.ask(0, &format!("OBJECT ENCODING {key}"));
        reply.text().unwrap().to_owned()
    };
    for words in ["SET {k}a 1", "APPEND {k}a 0", "SETRANGE {k}b 5 x", "APPEND {k}c 7"] {
        lab.ask(0, words);
    }
    let all: Vec<String> =
        ["{k}a", "{k}b", "{k}c"].iter().map(|key| encoding(&mut lab, key)).collect();
    assert_eq!(all, ["raw", "raw", "int"]);
    assert_eq!(lab.ask(0, "OBJECT REFCOUNT {k}a"), crate::resp::Reply::Int(1));
    lab.ask(0, "RENAME {k}a {k}d");
    assert_eq!(encoding(&mut lab, "{k}d"), "raw");
    assert_eq!(lab.node(0).keys.loaded().get(b"{k}d").unwrap().encoding(), "int");
    lab.ask(0, "INCR {k}d");
    assert_eq!(encoding(&mut lab, "{k}d"), "int");
}

#[test]
fn keys_die_at_the_first_tick_after_their_time() {
    let mut lab = alone(&[], None);
    lab.ask(0, "SET k v PX 50");
    lab.run(200);
    assert!(lab.node(0).keys.is_empty());
    assert_eq!(lab.node(0).server.stats.expired, 1);
}

#[test]
fn a_replica_that_has_not_found_its_master_yet_deletes_no_dead_keys() {
    let mut lab = Lab::formed(2, 1, 15_000);
    let now = lab.now.millis();
    let replica = lab.node(2);
    assert!(!replica.bus.is_master());
    replica.replication.master = None;
    replica.keys.insert_string(b"k", b"v");
    replica.keys.set_expiry(b"k", Some(Millis(now.0 - 1)));
    lab.act(2, |node, ctx| node.active_expire(ctx));
    assert_eq!(lab.node(2).keys.len(), 1);
    lab.act(0, |node, _| {
        node.keys.insert_string(b"k", b"v");
        node.keys.set_expiry(b"k", Some(Millis(now.0 - 1)));
    });
    lab.act(0, |node, ctx| node.active_expire(ctx));
    assert!(lab.node(0).keys.is_empty(), "a master does");
}

#[test]
fn dead_keys_stay_while_debug_set_active_expire_is_off() {
    let mut lab = alone(&[], None);
    lab.ask(0, "DEBUG SET-ACTIVE-EXPIRE 0");
    lab.ask(0, "SET k v PX 50");
    lab.run(200);
    assert_eq!(lab.node(0).keys.len(), 1);
    lab.ask(0, "DEBUG SET-ACTIVE-EXPIRE 1");
    lab.run(200);
    assert!(lab.node(0).keys.is_empty());
}
