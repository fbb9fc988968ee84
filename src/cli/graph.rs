//! `sim graph`: who can reach whom, as a graph for Graphviz.

use std::io;

use crate::cli::args::GraphArgs;
use crate::cli::error::{CliError, Outcome, load_to_run, show, time};
use crate::network::Site;
use crate::scenario::plan::Plan;
use crate::scenario::record::Silence;
use crate::scenario::runner::{self, Options};
use crate::world::{ProcessStatus, World};

pub(super) fn run(
    args: &GraphArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> Result<Outcome, CliError> {
    let plan = load_to_run(&args.scenario)?;
    let until = time("--at", args.at.as_ref(), &plan)?;
    let options = Options { until, ..Options::default() };
    let finished = runner::run(&plan, &options, &mut Silence);
    let dot = finished.world.graph().dot(|site| name(&plan, &finished.world, site));
    write!(out, "{dot}")?;
    if let Some(failure) = &finished.summary.failure {
        show(err, &plan, failure);
    }
    Ok(finished.summary.ending.into())
}

/// What a place of the network is called.
fn name(plan: &Plan, world: &World, site: Site) -> String {
    let Some(node) = site.node() else { return "redis-cli".to_owned() };
    let name = plan.name(node);
    match world.status(node) {
        ProcessStatus::Running | ProcessStatus::Blocked => name,
        ProcessStatus::Down => format!("{name} (down)"),
        ProcessStatus::Starting => format!("{name} (starting)"),
        ProcessStatus::Paused => format!("{name} (paused)"),
        ProcessStatus::Crashing => format!("{name} (crashing)"),
    }
}
