//! Steps of clients that are no redis-cli: `send via 7000 set key Hello`, `begin writes via 7000`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::inquiry;
use crate::scenario::step::Step;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word};
use crate::time::Span;

/// How long the background client rests between two writes if nothing is said.
const PAUSE: Span = Span::millis(10);

/// `send [N times] on NODE… COMMAND`, `send [N times] via NODE COMMAND`
pub(super) fn send(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    inquiry::parse_untested(cursor).map(Step::Send)
}

/// `listen on NODE… COMMAND`
pub(super) fn listen(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if !cursor.peek_is("on") {
        cursor.keyword("on")?;
    }
    inquiry::parse_listening(cursor).map(Step::Listen)
}

/// `listeners heard TEXT`, behind `expect` and `wait until`.
pub(super) fn heard(cursor: &mut Cursor<'_>) -> Result<Option<String>, Diagnostic> {
    if cursor.take_if("listeners").is_none() {
        return Ok(None);
    }
    cursor.keyword("heard")?;
    Ok(Some(cursor.take("a text, in quotes")?.text.clone()))
}

/// `begin writes via NODE [every 5ms]`
pub(super) fn begin(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    cursor.keyword("writes")?;
    cursor.keyword("via")?;
    let node = cursor.node()?;
    let pause = match cursor.take_if("every") {
        Some(_) => cursor.value("a duration", units::duration)?,
        None => PAUSE,
    };
    Ok(Step::BeginWrites(node, pause))
}

/// `end writes`
pub(super) fn end(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    cursor.keyword("writes").map(|_| Step::EndWrites)
}
