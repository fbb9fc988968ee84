//! Every scenario that the project ships, and what it prints.
//!
//! A change of the simulator that changes what happens shows up here; `cargo insta review` accepts it.

mod common;

/// Scenarios that move thousands of slots. Without optimisation they take longer than all others together.
const LONG: [&str; 3] =
    ["12-replica-migration-2", "12.1-replica-migration-3", "21-many-slot-migration"];

fn names(directory: &str) -> Vec<String> {
    let files = std::fs::read_dir(common::path(directory)).unwrap();
    let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".toml")?.to_owned())).collect();
    names.sort();
    names
}

fn goes_well_and_prints_what_it_did_before(directory: &str, name: &str) {
    let (text, _) = common::run(&common::load(&format!("scenarios/{directory}{name}.toml"), &[]));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../snapshots/{directory}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_scenario_goes_well_and_prints_what_it_did_before() {
    let names = names("scenarios");
    assert!(names.len() >= 15, "the scenarios are there");
    // A day of virtual time; `tests/workloads.rs` runs a part of it.
    for name in names.into_iter().filter(|name| name != "antirez_partitions") {
        goes_well_and_prints_what_it_did_before("", &name);
    }
}

#[test]
fn the_clusters_of_redis_own_tests_behave_as_those_tests_demand() {
    let names = names("scenarios/redis-suite");
    assert!(names.len() >= 25, "the scenarios are there");
    for name in names {
        if cfg!(debug_assertions) && LONG.contains(&name.as_str()) {
            continue;
        }
        goes_well_and_prints_what_it_did_before("redis-suite/", &name);
    }
}
