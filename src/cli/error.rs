//! How a command ends, and what is said when it cannot go on.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

use crate::cli::args::ScenarioArgs;
use crate::scenario::diagnostic::{Diagnostic, Rejected, render};
use crate::scenario::plan::Plan;
use crate::scenario::record::Ending;
use crate::scenario::units;
use crate::time::Time;

/// More than anybody writes; what never ends (`/dev/zero`) is told from a scenario by it.
const SCENARIO_BYTES_MAX: u64 = 16 << 20;

/// How a command ended, and with which exit code. (A panic, our own bug, ends with 101.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// All is well.
    Fine = 0,
    /// An expectation failed.
    Unexpected = 1,
    /// The arguments or the scenario are wrong.
    Invalid = 2,
    /// What was waited for did not come, or the limit was reached.
    Unfinished = 3,
}

/// Why a command could not go on.
#[derive(Debug)]
pub(super) enum CliError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// A file cannot be written.
    Create(PathBuf, io::Error),
    /// A scenario is wrong.
    Rejected(Box<Rejected>),
    /// An option's value means nothing: what is wrong, and what would do.
    Usage(String, String),
    /// The output cannot be written.
    Write(io::Error),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(outcome as u8)
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        CliError::Write(error)
    }
}

impl CliError {
    /// Says it, and how the program ends.
    pub(super) fn report(&self, err: &mut dyn io::Write) -> ExitCode {
        // Where stderr is gone, too, only the exit code is left to tell.
        let _ = match self {
            CliError::Read(path, error) => {
                let message = format!("cannot read {}: {}", path.display(), plain(error));
                say(err, &message, "a scenario is a file in TOML; docs/scenario.md describes it")
            }
            CliError::Create(path, error) => {
                say(err, &format!("cannot write {}: {}", path.display(), plain(error)), "")
            }
            CliError::Rejected(rejected) => write!(err, "{}", rejected.render()),
            CliError::Usage(message, hint) => say(err, message, hint),
            // Whoever read our output has had enough of it.
            CliError::Write(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::SUCCESS;
            }
            CliError::Write(error) => {
                say(err, &format!("cannot write the output: {}", plain(error)), "")
            }
        };
        Outcome::Invalid.into()
    }
}

/// An `error:` line, and a `hint:` line if there is a hint.
pub(super) fn say(err: &mut dyn io::Write, message: &str, hint: &str) -> io::Result<()> {
    const ERROR: Style = AnsiColor::BrightRed.on_default().bold();
    const HINT: Style = AnsiColor::BrightCyan.on_default().bold();
    writeln!(err, "{ERROR}error{ERROR:#}: {message}")?;
    if !hint.is_empty() {
        writeln!(err, "{HINT}hint{HINT:#}: {hint}")?;
    }
    Ok(())
}

/// Shows what went wrong in a run. The exit code tells it, too, should nobody read this.
pub(super) fn show(err: &mut dyn io::Write, plan: &Plan, failure: &Diagnostic) {
    let _ = writeln!(err, "{}", render(&plan.source, failure));
}

/// The operating system's words without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Outcome {
        match ending {
            Ending::Done | Ending::Stopped | Ending::Unheard => Outcome::Fine,
            Ending::Unexpected => Outcome::Unexpected,
            Ending::Impossible => Outcome::Invalid,
            Ending::InVain | Ending::Limit => Outcome::Unfinished,
        }
    }
}

/// A point in time that an option gives.
pub(super) fn time(
    option: &str,
    text: Option<&String>,
    plan: &Plan,
) -> Result<Option<Time>, CliError> {
    let Some(text) = text else { return Ok(None) };
    units::instant(text, plan.header.start).map(Some).map_err(|error| {
        let message = format!("`{option} {text}`: {}", error.problem);
        CliError::Usage(message, error.hint.unwrap_or_default())
    })
}

/// Reads the scenario that is to be run.
pub(super) fn load_to_run(args: &ScenarioArgs) -> Result<Plan, CliError> {
    let seed = args.seed.map(|seed| format!("seed={seed}"));
    let overrides: Vec<String> = args.set.iter().cloned().chain(seed).collect();
    load(&args.file, &overrides)
}

/// Reads a scenario from a file.
pub(super) fn load(path: &Path, overrides: &[String]) -> Result<Plan, CliError> {
    let bytes = read(path).map_err(|error| CliError::Read(path.to_owned(), error))?;
    let name = path.display().to_string();
    crate::scenario::load(&name, &bytes, overrides).map_err(CliError::Rejected)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SCENARIO_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SCENARIO_BYTES_MAX {
        return Err(io::Error::other(format!("more than {SCENARIO_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
