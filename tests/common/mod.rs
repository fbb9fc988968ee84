//! What several tests need: running scenarios in this process, and masking what differs from run to
//! run.
#![allow(dead_code, reason = "each test uses its own part")]

use std::path::Path;

use redis_cluster_sim::report::transcript::Transcript;
use redis_cluster_sim::scenario::plan::Plan;
use redis_cluster_sim::scenario::record::{Ending, Summary};
use redis_cluster_sim::scenario::{self, runner};

/// A file of the project.
pub(crate) fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Reads a scenario of the project.
#[track_caller]
pub(crate) fn load(name: &str, overrides: &[&str]) -> Plan {
    let overrides: Vec<String> = overrides.iter().map(|pair| (*pair).to_owned()).collect();
    let bytes = std::fs::read(path(name)).unwrap();
    scenario::load(name, &bytes, &overrides).unwrap_or_else(|error| panic!("{}", error.render()))
}

/// Runs a plan, however that ends.
pub(crate) fn try_run(plan: &Plan) -> (String, Summary) {
    let mut text = Vec::new();
    let mut sink = Transcript::new(&mut text);
    let finished = runner::run(plan, &runner::Options::default(), &mut sink);
    sink.finish().unwrap();
    let text = String::from_utf8(text).unwrap();
    (anstream::adapter::strip_str(&text).to_string(), finished.summary)
}

/// Runs a plan that goes well.
#[track_caller]
pub(crate) fn run(plan: &Plan) -> (String, Summary) {
    let (text, summary) = try_run(plan);
    if let Some(failure) = &summary.failure {
        panic!("{}\n{}", text, scenario::diagnostic::render(&plan.source, failure));
    }
    assert_eq!(summary.ending, Ending::Done);
    (text, summary)
}

/// A log line's parts: process id, role, date, and the rest. `None` if it is no log line.
pub(crate) fn log_line(line: &str) -> Option<(&str, &str, &str, &str)> {
    let (pid, rest) = line.split_once(':')?;
    let (role, rest) = rest.split_once(' ')?;
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    if !is_pid || !matches!(role, "C" | "M" | "S" | "X") {
        return None;
    }
    // `27 May 2021 04:44:38.997`
    let (date, rest) = rest.split_at_checked(24)?;
    date.ends_with(|c: char| c.is_ascii_digit()).then_some((pid, role, date, rest.trim_start()))
}
