//! Every scenario that the project ships, and what it prints.
//!
//! A change of the simulator that changes what happens shows up here; `cargo insta review` accepts it.

mod common;

#[test]
fn every_scenario_goes_well_and_prints_what_it_did_before() {
    let directory = common::path("scenarios");
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 7, "the scenarios are there");
    for name in names {
        let (text, _) = common::run(&common::load(&format!("scenarios/{name}"), &[]));
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name.trim_end_matches(".toml"), text));
    }
}
