//! The command line: arguments, progress, exit codes.
//!
//! *Architecture invariant:* this is the only place that knows of the machine the simulator itself
//! runs on: its files, its terminal, its clock. Nothing of that reaches a run.

mod args;
mod check;
mod error;
mod graph;
mod progress;
mod run;
mod schema;
mod sweep;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anstream::AutoStream;
use clap::Parser as _;

use crate::cli::args::{Args, Command};
use crate::cli::error::{CliError, Outcome};

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            return match printed {
                // Nothing is left to tell anybody.
                _ if error.use_stderr() => Outcome::Invalid.into(),
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => CliError::from(error).report(&mut AutoStream::auto(io::stderr())),
            };
        }
    };
    let color = args.color.choice();
    let mut out = AutoStream::new(io::stdout().lock(), color);
    let mut err = AutoStream::new(io::stderr(), color);
    let result = run(&args, &mut out, &mut err).and_then(|outcome| match out.flush() {
        // The exit code counts, also if nobody reads the rest.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(outcome),
    });
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => error.report(&mut err),
    }
}

fn run(args: &Args, out: &mut dyn io::Write, err: &mut dyn io::Write) -> Result<Outcome, CliError> {
    match &args.command {
        Command::Run(args) => run::run(args, out, err),
        Command::Graph(args) => graph::run(args, out, err),
        Command::Check(args) => check::run(args, out, err),
        Command::Schema => schema::run(out),
        Command::Sweep(args) => sweep::run(args, out, err),
    }
}
