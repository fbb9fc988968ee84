//! `sim run`: carries out a scenario.

use std::io;

use crate::cli::args::{Format, RunArgs};
use crate::cli::error::{CliError, Outcome, load_to_run, show, time};
use crate::cli::progress::{Progress, Stopwatch};
use crate::network::NodeNo;
use crate::report::json::JsonLines;
use crate::report::stats::StatsTable;
use crate::report::transcript::Transcript;
use crate::scenario::plan::Plan;
use crate::scenario::record::{Silence, Summary};
use crate::scenario::runner::{self, LiveLogs, Options};
use crate::scenario::suggest;

pub(super) fn run(
    args: &RunArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> Result<Outcome, CliError> {
    let plan = load_to_run(&args.scenario)?;
    let options = Options {
        until: time("--until", args.until.as_ref(), &plan)?,
        live_logs: live_logs(&args.log, &plan)?,
        ..Options::default()
    };
    let stopwatch = Stopwatch::start();
    let summary = carry_out(args, &plan, &options, out)?;
    let wall_time = stopwatch.elapsed();
    if let Some(failure) = &summary.failure {
        out.flush()?;
        show(err, &plan, failure);
    }
    if args.stats {
        out.flush()?;
        // How the run ended counts more than whether somebody reads its numbers.
        let _ = write!(err, "{}", StatsTable { summary: &summary, wall_time });
    }
    Ok(summary.ending.into())
}

fn carry_out(
    args: &RunArgs,
    plan: &Plan,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<Summary> {
    let limit = plan.header.limit;
    if args.quiet {
        let finished = runner::run(plan, options, &mut Progress::new(Silence, limit));
        return Ok(finished.summary);
    }
    match args.format {
        Format::Text => {
            let mut sink = Progress::new(Transcript::new(out), limit);
            let finished = runner::run(plan, options, &mut sink);
            sink.into_inner().finish()?;
            Ok(finished.summary)
        }
        Format::Json => {
            let mut sink = Progress::new(JsonLines::new(out, plan), limit);
            let finished = runner::run(plan, options, &mut sink);
            sink.into_inner().finish()?;
            Ok(finished.summary)
        }
    }
}

fn live_logs(names: &[String], plan: &Plan) -> Result<LiveLogs, CliError> {
    if names.is_empty() {
        return Ok(LiveLogs::None);
    }
    if names.iter().any(|name| name == "all") {
        return Ok(LiveLogs::All);
    }
    let find = |name: &String| {
        plan.roster.find(name).map_err(|_| {
            let known = plan.roster.names();
            let hint = suggest::hint(name, known.iter().map(String::as_str).collect::<Vec<_>>());
            CliError::Usage(
                format!("`--log {name}`: no node is called this"),
                hint.unwrap_or_default(),
            )
        })
    };
    let nodes: Result<Vec<NodeNo>, CliError> = names.iter().map(find).collect();
    nodes.map(LiveLogs::Of)
}
