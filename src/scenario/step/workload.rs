//! Steps about workloads: `start workload shop`, `stop workload shop`, `expect workload shop lost = 0`.

use crate::scenario::condition::{COMPARISONS, Comparison};
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

/// What is asked of the numbers of a workload: `lost = 0`, `kept = acknowledged`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The number.
    pub figure: Figure,
    /// How it has to compare.
    pub comparison: Comparison,
    /// With what.
    pub operand: Operand,
}

/// What a number of a workload is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Number(u64),
    /// Another number of the same workload.
    Figure(Figure),
}

/// `NAME FIGURE COMPARISON NUMBER`, `NAME FIGURE COMPARISON FIGURE`
pub(super) fn expect(cursor: &mut Cursor<'_>) -> Result<Step, Diagnostic> {
    let name = cursor.take(NAME)?.text.clone();
    let figure = cursor.one_of("a number of the workload", &Figure::ALL)?;
    let comparison = cursor.one_of("a comparison: `=`, `<`, `<=`, `>` or `>=`", &COMPARISONS)?;
    const OPERAND: &str = "a number, or another one of the workload";
    let is_name = |word: &Word| word.text.starts_with(|first: char| first.is_ascii_alphabetic());
    let operand = if cursor.peek().is_some_and(is_name) {
        Operand::Figure(cursor.one_of(OPERAND, &Figure::ALL)?)
    } else {
        Operand::Number(cursor.value(OPERAND, |text| units::count(text, 0, u64::MAX))?)
    };
    Ok(Step::ExpectWorkload(name, Question { figure, comparison, operand }))
}
