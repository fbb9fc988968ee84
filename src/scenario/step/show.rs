//! Steps that only print: `log 7000`, `note …`, `# …`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::words::{Cursor, Word};

/// `log NODE…`
pub(super) fn log(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Log(cursor.nodes(&[])?))
}

/// `note TEXT`, `# TEXT`
pub(super) fn note(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Note(cursor.rest().to_owned()))
}
