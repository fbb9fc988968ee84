//! `sim check`: are these scenarios right?

use std::io;

use crate::cli::args::CheckArgs;
use crate::cli::error::{CliError, Outcome, load};

pub(super) fn run(
    args: &CheckArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> Result<Outcome, CliError> {
    let mut outcome = Outcome::Fine;
    for path in &args.files {
        match load(path, &[]) {
            Ok(plan) => {
                let (nodes, steps) = (plan.nodes.len(), plan.steps.len());
                let said = writeln!(out, "{}: ok, {nodes} nodes, {steps} steps", path.display());
                match said {
                    // The exit code tells whether all files are right, also if nobody reads this.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                    said => said?,
                }
            }
            Err(error) => {
                error.report(err);
                outcome = Outcome::Invalid;
            }
        }
    }
    Ok(outcome)
}
