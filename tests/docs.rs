//! The documents say what the program does.

use redis_cluster_sim::report::sweep::SweepReport;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::scenario::record::{Ending, Silence};
use redis_cluster_sim::scenario::runner::{self, Options};
use redis_cluster_sim::scenario::{self, condition, schema, step};
use redis_cluster_sim::sweep;

const README: &str = include_str!("../README.md");
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
fn every_example_is_a_scenario_that_comes_to_its_end() {
    for document in [README, SCENARIO] {
        let examples = blocks(document, "toml");
        assert!(!examples.is_empty());
        for example in examples {
            let plan = match scenario::load("example", example.as_bytes(), &[]) {
                Ok(plan) => plan,
                Err(rejected) => panic!("{}", rejected.render()),
            };
            let summary = runner::run(&plan, &Options::default(), &mut Silence).summary;
            assert_eq!(summary.ending, Ending::Done, "{example}\n{:?}", summary.failure);
        }
    }
}

/// The text between fences with this word behind them.
fn blocks<'a>(document: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    document.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn the_readme_opens_with_what_is_printed_now() {
    let shown = blocks(README, "console")[0].lines();
    let mut printed = include_str!("../snapshots/node_down.snap").lines().map(str::trim_end);
    for line in shown.skip(1).filter(|line| *line != "…") {
        assert!(printed.any(|other| other == line), "not printed, or not here: {line}");
    }
}

#[test]
fn the_example_of_a_sweep_is_what_a_sweep_prints() {
    let text = include_bytes!("../scenarios/master_dies.toml");
    let plan = scenario::load("master_dies.toml", text, &["seed=0".to_owned()]).unwrap();
    let measures = [sweep::Measure::parse("pfail", &plan).unwrap()];
    let seeds: sweep::Seeds = "0".parse().unwrap();
    let sweep = sweep::Sweep { plan: &plan, measures: &measures, seeds };
    let run = sweep.run_one(Seed(0));
    let results = sweep::Results { measures: measures.to_vec(), runs: vec![run] };
    let report = SweepReport { title: &plan.header.title, seeds, results: &results };
    let mut printed = Vec::new();
    report.json(&mut printed).unwrap();
    assert_eq!(blocks(SWEEP, "json")[0], String::from_utf8(printed).unwrap());
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
