//! Steps about time and truth: `wait 5s`, `wait 1s..2s`, `wait until cluster ok within 30s`, `expect …`.

use crate::scenario::condition::{self, Condition};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::inquiry;
use crate::scenario::step::{Step, client, workload};
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word};
use crate::time::Span;

/// `wait 5s`, `wait 1s..2s`, `wait until CONDITION [within 30s]`, `wait for redis-cli [within 30s]`
pub(super) fn wait(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if cursor.take_if("for").is_some() {
        cursor.keyword("redis-cli")?;
        return Ok(Step::WaitForTool(limit(cursor)?));
    }
    if cursor.take_if("until").is_none() {
        let what = "a duration or a range of them, `until` and a condition, or `for redis-cli`";
        return Ok(Step::Wait(cursor.value(what, units::span_range)?));
    }
    if inquiry::begins(cursor) {
        let (inquiry, limit) = inquiry::parse_with_limit(cursor)?;
        return Ok(Step::WaitReply(inquiry, limit));
    }
    if let Some(text) = client::heard(cursor)? {
        return Ok(Step::WaitHeard(text, limit(cursor)?));
    }
    let first = cursor.peek().map(|word| word.span.clone());
    let condition = condition::parse(cursor)?;
    if let (Condition::Output(_), Some(first)) = (innermost(&condition), first) {
        let message = "output does not change while one waits";
        return Err(Diagnostic::new(message, first, "this can only be expected")
            .hint("use `expect output contains …` behind the command"));
    }
    Ok(Step::WaitUntil(condition, limit(cursor)?))
}

/// `within 30s`, if it is there.
fn limit(cursor: &mut Cursor<'_>) -> Result<Option<Span>, Diagnostic> {
    match cursor.take_if("within") {
        Some(_) => cursor.value("a duration", units::positive).map(Some),
        None => Ok(None),
    }
}

/// `expect CONDITION`, `expect workload NAME …`
pub(super) fn expect(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if inquiry::begins(cursor) {
        return inquiry::parse(cursor).map(Step::ExpectReply);
    }
    if let Some(text) = client::heard(cursor)? {
        return Ok(Step::ExpectHeard(text));
    }
    if cursor.take_if("workload").is_some() {
        return workload::expect(cursor);
    }
    condition::parse(cursor).map(Step::Expect)
}

fn innermost(condition: &Condition) -> &Condition {
    match condition {
        Condition::Not(inner) => innermost(inner),
        other => other,
    }
}
