//! `sim schema`: the format of scenario files, for editors.

use std::io;

use crate::cli::error::{CliError, Outcome};
use crate::scenario::schema::schema;

pub(super) fn run(out: &mut dyn io::Write) -> Result<Outcome, CliError> {
    writeln!(out, "{:#}", schema())?;
    Ok(Outcome::Fine)
}
