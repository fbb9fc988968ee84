//! `sim sweep`: a scenario under many seeds, and how long things took.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::args::{SweepArgs, SweepFormat};
use crate::cli::error::{CliError, Outcome, load, say, show};
use crate::report::sweep::SweepReport;
use crate::scenario::plan::Plan;
use crate::scenario::record::Ending;
use crate::sweep::{BadMeasure, Measure, Results, Sweep};

pub(super) fn run(
    args: &SweepArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> Result<Outcome, CliError> {
    seeds_are_said_once(args)?;
    let plan = load(&args.file, &args.set)?;
    let measures = measures(args, &plan)?;
    // Nobody should wait for numbers that cannot be kept.
    let file = args
        .output
        .as_ref()
        .map(|path| File::create(path).map_err(|error| CliError::Create(path.clone(), error)));
    let file = file.transpose()?;
    let sweep = Sweep { plan: &plan, measures: &measures, seeds: args.seeds };
    let results = carry_out(&sweep, threads(args))?;
    let report = SweepReport { title: &plan.header.title, seeds: args.seeds, results: &results };
    match file {
        Some(file) => {
            let mut file = BufWriter::new(file);
            print(args.format, &report, &mut file)?;
            file.flush()?;
        }
        None => print(args.format, &report, out)?,
    }
    out.flush()?;
    tell_failures(args, &plan, &results, err);
    Ok(outcome(&results))
}

/// The seed of a scenario counts for nothing here, so nobody may believe to have set it.
fn seeds_are_said_once(args: &SweepArgs) -> Result<(), CliError> {
    for pair in &args.set {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if key.trim().trim_matches(['"', '\'']) == "seed" {
            let message = format!("`--set {pair}` has no effect: `--seeds` gives the seeds");
            let hint = format!("a single one is `--seeds {}`", value.trim());
            return Err(CliError::Usage(message, hint));
        }
    }
    Ok(())
}

/// What is to be measured: whatever can be, if nothing is asked for.
fn measures(args: &SweepArgs, plan: &Plan) -> Result<Vec<Measure>, CliError> {
    let asked: Result<Vec<Measure>, BadMeasure> =
        args.measure.iter().map(|text| Measure::parse(text, plan)).collect();
    let asked = asked.map_err(|BadMeasure { message, hint }| CliError::Usage(message, hint))?;
    for (at, measure) in asked.iter().enumerate() {
        if asked[..at].contains(measure) {
            let message = format!("`{}` is asked for twice", measure.name);
            return Err(CliError::Usage(message, "each measure has one line".to_owned()));
        }
    }
    if !args.measure.is_empty() {
        return Ok(asked);
    }
    let all = Measure::all_of(plan);
    if all.is_empty() {
        let message = "nothing in this scenario has a measure of its own".to_owned();
        let hint = "say what to measure, for example `--measure \"heal -> ok last\"`".to_owned();
        return Err(CliError::Usage(message, hint));
    }
    Ok(all)
}

fn threads(args: &SweepArgs) -> NonZeroUsize {
    let asked = args.threads.and_then(|threads| NonZeroUsize::new(threads.into()));
    asked.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Runs it, with a bar if somebody sits at a terminal.
fn carry_out(sweep: &Sweep<'_>, threads: NonZeroUsize) -> Result<Results, CliError> {
    let bar = match io::stderr().is_terminal() {
        true => ProgressBar::new(sweep.seeds.count() as u64),
        false => ProgressBar::hidden(),
    };
    if let Ok(style) = ProgressStyle::with_template("{elapsed} {wide_bar} {pos}/{len} {per_sec}") {
        bar.set_style(style);
    }
    let results = sweep.run(threads, &|| bar.inc(1));
    bar.finish_and_clear();
    results.map_err(|error| CliError::Usage(error.to_string(), "try `--threads 1`".to_owned()))
}

fn print(format: SweepFormat, report: &SweepReport<'_>, out: &mut dyn io::Write) -> io::Result<()> {
    match format {
        SweepFormat::Table => report.table(out),
        SweepFormat::Csv => report.csv(out),
        SweepFormat::Json => report.json(out),
    }
}

/// Shows the first run that went wrong, and how to see it.
fn tell_failures(args: &SweepArgs, plan: &Plan, results: &Results, err: &mut dyn io::Write) {
    let Some(first) = results.failures().next() else { return };
    if let Some(failure) = &first.failure {
        show(err, plan, failure);
    }
    let (failed, of, seed) = (results.failures().count(), results.runs.len(), first.seed.0);
    let mut replay = format!("sim run {} --seed {seed}", args.file.display());
    for pair in &args.set {
        replay.push_str(&format!(" --set '{pair}'"));
    }
    let message = format!("{failed} of {of} runs did not go well, the first with seed {seed}");
    // The exit code tells it, too, should nobody read this.
    let _ = say(err, &message, &format!("`{replay}` shows it"));
}

/// A failed expectation counts most, then a step that could not be done, then what did not come.
fn outcome(results: &Results) -> Outcome {
    let failures = results.failures().filter(|run| run.ending != Ending::Stopped);
    failures.map(|run| Outcome::from(run.ending)).min().unwrap_or(Outcome::Fine)
}
