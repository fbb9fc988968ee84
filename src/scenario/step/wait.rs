//! Steps about time and truth: `wait 5s`, `wait 1s..2s`, `wait until cluster ok within 30s`, `expect …`.

use crate::scenario::condition::{self, Condition};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word};

/// `wait 5s`, `wait 1s..2s`, `wait until CONDITION [within 30s]`
pub(super) fn wait(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if cursor.take_if("until").is_none() {
        let what = "a duration or a range of them, or `until` and a condition";
        return Ok(Step::Wait(cursor.value(what, units::span_range)?));
    }
    let first = cursor.peek().map(|word| word.span.clone());
    let condition = condition::parse(cursor)?;
    if let (Condition::Output(_), Some(first)) = (innermost(&condition), first) {
        let message = "output does not change while one waits";
        return Err(Diagnostic::new(message, first, "this can only be expected")
            .hint("use `expect output contains …` behind the command"));
    }
    let limit = match cursor.take_if("within") {
        Some(_) => Some(cursor.value("a duration", units::duration)?),
        None => None,
    };
    Ok(Step::WaitUntil(condition, limit))
}

/// `expect CONDITION`
pub(super) fn expect(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    condition::parse(cursor).map(Step::Expect)
}

fn innermost(condition: &Condition) -> &Condition {
    match condition {
        Condition::Not(inner) => innermost(inner),
        other => other,
    }
}
