//! A network that is never quiet: `random partitions every 20s for 0s..20s until 24h`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::units::{self, SpanRange};
use crate::scenario::words::{Cursor, Word};
use crate::time::{Span, Time};

/// Again and again some node, by chance, parts the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    /// How much time lies between two partitions on the average, whoever makes them.
    pub every: Span,
    /// How long two nodes are kept apart.
    pub lasts: SpanRange,
    /// When it is over and everything that was blocked is mended.
    pub until: Time,
}

/// `random partitions every 20s for 0s..20s until 24h`
pub(super) fn parse(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    cursor.keyword("partitions")?;
    cursor.keyword("every")?;
    let every = cursor.value("a duration", units::positive)?;
    cursor.keyword("for")?;
    let lasts = cursor.value("a duration or a range of them", units::some_span_range)?;
    cursor.keyword("until")?;
    // It is an offset in any case, with its sign or without.
    let read = |text: &str| units::duration(text.strip_prefix('+').unwrap_or(text));
    let until = cursor.value("how long after the start, such as `24h`", read)?;
    Ok(Step::Weather(Weather { every, lasts, until: Time::ZERO + until }))
}
