//! Every scenario in `tests/data/bad` is refused, and this is what is said of it.

use std::fs;
use std::path::Path;

use redis_cluster_sim::scenario;

#[test]
fn what_is_wrong_with_a_scenario_is_pointed_at() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad");
    let mut paths: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 50, "the scenarios are there");
    for path in paths {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let rejected = match scenario::load(&format!("{name}.toml"), &bytes, &[]) {
            Ok(_) => panic!("{name} is accepted"),
            Err(rejected) => rejected,
        };
        let text = anstream::adapter::strip_str(&rejected.render()).to_string();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../snapshots/bad");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn an_override_is_pointed_at_in_its_own_words() {
    let text = "[cluster]\nmasters = 3\n[script]\nsteps = [\"start all\"]\n";
    let said = |pair: &str| {
        let rejected = scenario::load("a.toml", text.as_bytes(), &[pair.to_owned()]).unwrap_err();
        anstream::adapter::strip_str(&rejected.render()).to_string()
    };
    let all: Vec<String> =
        ["network.latency=soon", "masters", "cluster.masters=0", "sed=1", "a b=3"].map(said).into();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/bad");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("overrides", all.join("\n")));
}
