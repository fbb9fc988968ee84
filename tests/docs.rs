//! The documents say what the program does.

use redis_cluster_sim::scenario::{self, condition, schema, step};
use redis_cluster_sim::sweep;

const SCENARIO: &str = include_str!("../docs/scenario.md");
const JSON: &str = include_str!("../docs/json.md");
const SWEEP: &str = include_str!("../docs/sweep.md");

#[test]
fn every_step_and_condition_is_described() {
    for verb in step::verbs().filter(|verb| *verb != "#") {
        assert!(
            SCENARIO.contains(&format!("`{verb} ")) || SCENARIO.contains(&format!("`{verb}`")),
            "{verb}"
        );
    }
    for word in condition::OPENINGS.iter().chain(&condition::PREDICATES) {
        assert!(
            SCENARIO.contains(&format!(" {word}")) || SCENARIO.contains(&format!("`{word}")),
            "{word}"
        );
    }
    for (sight, _) in condition::SIGHTS {
        assert!(SCENARIO.contains(&format!("`{sight}`")), "{sight}");
    }
}

#[test]
fn every_key_is_described() {
    let schema = schema::schema();
    let tables = schema["$defs"].as_object().unwrap().values().chain([&schema]);
    for key in
        tables.filter_map(|table| table["properties"].as_object()).flatten().map(|(key, _)| key)
    {
        let shown = ["`{}", "[{}", "[[{}"].map(|form| form.replace("{}", key));
        assert!(shown.iter().any(|form| SCENARIO.contains(form)), "{key}");
    }
}

#[test]
fn every_example_is_a_scenario() {
    let examples: Vec<&str> =
        SCENARIO.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        if let Err(rejected) = scenario::load("docs/scenario.md", example.as_bytes(), &[]) {
            panic!("{}", rejected.render());
        }
    }
}

#[test]
fn the_steps_that_the_schema_shows_are_a_script() {
    let shown = schema::schema()["$defs"]["ScriptTable"]["properties"]["steps"]["examples"].take();
    let steps = shown[0].to_string();
    assert!(steps.contains("abort after") && steps.contains("in background"), "{steps}");
    let tables = "[cluster]\nmasters = 3\n[[workload]]\nname = \"shop\"\n";
    let text = format!("{tables}[script]\nsteps = {steps}\n");
    if let Err(rejected) = scenario::load("schema.toml", text.as_bytes(), &[]) {
        panic!("{}", rejected.render());
    }
}

#[test]
fn every_example_of_json_is_json_of_this_version() {
    for document in [JSON, SWEEP] {
        let example = document.split("```json\n").nth(1);
        let lines = example.and_then(|rest| rest.split("```").next()).unwrap();
        for line in lines.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["v"], redis_cluster_sim::report::json::VERSION);
        }
    }
}

#[test]
fn every_measure_and_event_is_described() {
    for (name, spelled) in sweep::NAMED {
        assert!(SWEEP.contains(&format!("| `{name}` | `{spelled}` |")), "{name}");
    }
    for word in sweep::event::words() {
        assert!(SWEEP.contains(&format!("`{word}`")), "{word}");
    }
}
