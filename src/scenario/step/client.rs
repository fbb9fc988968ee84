//! Steps of clients that are no redis-cli: `send via 7000 set key Hello`, `listen on 7000 subscribe news`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::inquiry;
use crate::scenario::step::Step;
use crate::scenario::words::{Cursor, Word};

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
