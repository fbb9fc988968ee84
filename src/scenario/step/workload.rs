//! Steps about workloads: `start workload shop`, `stop workload shop`, `expect workload shop lost = 0`.

use crate::scenario::condition::COMPARISONS;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word, unknown};
use crate::workload::Figure;

const NAME: &str = "the name of a workload";

/// `start workload NAME`, `stop workload NAME`
pub(super) fn parse(cursor: &mut Cursor<'_>, verb: &Word) -> Result<Step, Diagnostic> {
    let step = match verb.text.as_str() {
        "start" => Step::StartWorkload,
        "stop" => Step::StopWorkload,
        _ => return Err(unknown(verb, "`start` or `stop`", &[("start", ()), ("stop", ())])),
    };
    cursor.keyword("workload")?;
    Ok(step(cursor.take(NAME)?.text.clone()))
}

/// `NAME FIGURE COMPARISON NUMBER`
pub(super) fn expect(cursor: &mut Cursor<'_>) -> Result<Step, Diagnostic> {
    let name = cursor.take(NAME)?.text.clone();
    let figure = cursor.one_of("a number of the workload", &Figure::ALL)?;
    let comparison = cursor.one_of("a comparison: `=`, `<`, `<=`, `>` or `>=`", &COMPARISONS)?;
    let number = cursor.value("a number", |text| units::count(text, 0, u64::MAX))?;
    Ok(Step::ExpectWorkload(name, figure, comparison, number))
}
