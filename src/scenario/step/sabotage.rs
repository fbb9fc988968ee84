//! Steps about single messages, moments and files: `drop 2 FAIL 7001 -> 7003`, `crash 7001 before
//! fsync`, `tear nodes.conf 7002`, `swizzle 7000 7001 every 1s`.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::node::packet::MessageType;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::network::{ends, groups, number_at_end, value_behind_nodes};
use crate::scenario::step::{Fault, Step};
use crate::scenario::suggest;
use crate::scenario::units::{self, BadUnit};
use crate::scenario::words::{Cursor, Word};
use crate::time::Span;
use crate::world::points::{Armed, Blow, Point};

/// More single messages than these are a slip.
const MESSAGES_MAX: u64 = 1_000_000;

/// The messages of the bus by the names that CLUSTER INFO counts them under.
const MESSAGES: [(&str, MessageType); 9] = [
    ("PING", MessageType::Ping),
    ("PONG", MessageType::Pong),
    ("MEET", MessageType::Meet),
    ("FAIL", MessageType::Fail),
    ("PUBLISH", MessageType::Publish),
    ("AUTH-REQ", MessageType::AuthRequest),
    ("AUTH-ACK", MessageType::AuthAck),
    ("UPDATE", MessageType::Update),
    ("MFSTART", MessageType::MfStart),
];

/// Whether `drop` is about single messages: a number and a word that is no part of a path.
pub(super) fn is_about_messages(cursor: &Cursor<'_>) -> bool {
    let [first, second, ..] = cursor.ahead() else { return false };
    let is_number = first.text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = second.text.starts_with(char::is_alphabetic);
    is_number && is_name && !["zone", "host"].contains(&second.text.as_str())
}

fn message(cursor: &mut Cursor<'_>) -> Result<MessageType, Diagnostic> {
    let word = cursor.take("a type of messages, such as `FAIL`")?;
    let found = MESSAGES.iter().find(|(name, _)| *name == word.text);
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        let message = format!("unknown message type `{}`", word.text);
        let hint = suggest::hint(&word.text, MESSAGES.map(|(name, _)| name));
        Diagnostic::new(message, word.span.clone(), "no message of the bus is called this")
            .maybe_hint(hint)
    })
}

/// `drop COUNT TYPE NODE… -> NODE…`
pub(super) fn drop_next(cursor: &mut Cursor<'_>) -> Result<Step, Diagnostic> {
    let count = |text: &str| units::count(text, 1, MESSAGES_MAX);
    let count = cursor.value("a number of messages", count)? as u32;
    let kind = message(cursor)?;
    let (from, to) = ends(cursor, |_| false)?;
    Ok(Step::Network(Fault::DropNext(count, kind, from, to)))
}

/// `hold TYPE NODE… -> NODE…`
pub(super) fn hold(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let kind = message(cursor)?;
    let (from, to) = ends(cursor, |_| false)?;
    Ok(Step::Network(Fault::Hold(kind, from, to)))
}

/// `release NODE… -> NODE…`
pub(super) fn release(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let (from, to) = ends(cursor, |_| false)?;
    Ok(Step::Network(Fault::Release(from, to)))
}

/// `every 2s`
fn every(cursor: &mut Cursor<'_>) -> Result<Span, Diagnostic> {
    cursor.keyword("every")?;
    cursor.value("a duration", units::positive)
}

/// `flap NODE… | NODE… every 2s for 30s`
pub(super) fn flap(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let groups = groups(cursor, "flap", |word| word == "every")?;
    let every = every(cursor)?;
    cursor.keyword("for")?;
    let lasts = cursor.value("a duration", units::positive)?;
    if lasts < every {
        let message = "this ends before it changes for the first time";
        let label = format!("shorter than {every}");
        return Err(Diagnostic::new(message, cursor.last_span(), label));
    }
    Ok(Step::Network(Fault::Flap { groups, every, lasts }))
}

/// `swizzle NODE… every 1s`
pub(super) fn swizzle(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let nodes = cursor.nodes(&["every"])?;
    Ok(Step::Network(Fault::Swizzle { nodes, every: every(cursor)? }))
}

/// `crash NODE before fsync`, `crash NODE after vote`, `crash NODE before send FAIL`
pub(super) fn crash(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let node = cursor.node()?;
    if cursor.peek().is_none() {
        let hint = "a crash at once is `kill` or `segfault`";
        return Err(cursor.missing("a point, such as `before fsync`").hint(hint));
    }
    Ok(Step::Network(Fault::Arm(node, Armed { point: point(cursor)?, blow: Blow::Kill })))
}

/// Reads where `power-off NODE` has a point behind it.
pub(super) fn power_off_at(cursor: &mut Cursor<'_>) -> Result<Option<Step>, Diagnostic> {
    let is_point = |word: &Word| word.text == "before" || word.text == "after";
    if !cursor.ahead().get(1).is_some_and(is_point) {
        return Ok(None);
    }
    let node = cursor.node()?;
    let armed = Armed { point: point(cursor)?, blow: Blow::PowerOff };
    Ok(Some(Step::Network(Fault::Arm(node, armed))))
}

fn point(cursor: &mut Cursor<'_>) -> Result<Point, Diagnostic> {
    let after = cursor.one_of("`before` or `after`", &[("before", false), ("after", true)])?;
    if after {
        let points = [("vote", Point::AfterVote), ("save", Point::AfterSave)];
        return cursor.one_of("what it has just done: `vote` or `save`", &points);
    }
    let points = [
        ("save", Point::BeforeSave),
        ("fsync", Point::BeforeFsync),
        ("send", Point::BeforeSend(None)),
    ];
    match cursor.one_of("what it is about to do: `save`, `fsync` or `send`", &points)? {
        Point::BeforeSend(_) if cursor.peek().is_some() => {
            Ok(Point::BeforeSend(Some(message(cursor)?)))
        }
        point => Ok(point),
    }
}

/// `slow disk NODE… 200ms`
pub(super) fn slow(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    const TIME: &str = "how long a sync takes, such as `200ms`";
    cursor.keyword("disk")?;
    let mut nodes: Vec<NodeNo> = Vec::new();
    while nodes.is_empty() || !ends_in_duration(cursor) {
        nodes.extend(cursor.node_or_group()?.into_iter().map(|(node, _)| node));
        if cursor.peek().is_none() {
            return Err(cursor.missing(TIME));
        }
    }
    let takes = value_behind_nodes(cursor, TIME, units::duration)?;
    Ok(Step::Network(Fault::SlowDisk(nodes, takes)))
}

/// Whether a duration is all that is left, maybe one whose unit is missing.
fn ends_in_duration(cursor: &Cursor<'_>) -> bool {
    let Some(Word { text, .. }) = cursor.peek() else { return false };
    let begins = text.starts_with(|c: char| c.is_ascii_digit());
    (begins && text.ends_with('s')) || number_at_end(cursor) == Some(text)
}

/// `lose nodes.conf NODE…`, `lose disk NODE…`
pub(super) fn lose(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let whole =
        cursor.one_of("`nodes.conf` or `disk`", &[("nodes.conf", false), ("disk", true)])?;
    let nodes = cursor.nodes(&[])?;
    Ok(Step::Network(if whole { Fault::LoseDisk(nodes) } else { Fault::LoseConfig(nodes) }))
}

/// `snapshot NODE…`
pub(super) fn snapshot(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Network(Fault::Snapshot(cursor.nodes(&[])?)))
}

/// `restore NODE…`
pub(super) fn restore(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Network(Fault::Restore(cursor.nodes(&[])?)))
}

/// `tear nodes.conf NODE…`
pub(super) fn tear(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    cursor.keyword("nodes.conf")?;
    Ok(Step::Network(Fault::TearConfig(cursor.nodes(&[])?)))
}

/// `move NODE to 10.0.0.9`, `move NODE to 10.0.0.9:7005`
pub(super) fn relocate(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let node = cursor.node()?;
    cursor.keyword("to")?;
    let own_port = cursor.roster().address(node).port();
    let to = cursor.value("an address, such as `10.0.0.9`", |text| address(text, own_port))?;
    Ok(Step::Network(Fault::Move(node, to)))
}

fn address(text: &str, port: u16) -> Result<SocketAddr, BadUnit> {
    /// The bus port is 10000 higher (§1.1).
    const PORT_MAX: u16 = u16::MAX - 10_000;
    let (ip, port) = match text.parse::<SocketAddr>() {
        Ok(address) => (units::address(&address.ip().to_string())?, address.port()),
        Err(_) => (units::address(text)?, port),
    };
    if (1..=PORT_MAX).contains(&port) {
        return Ok(SocketAddr::new(ip, port));
    }
    Err(BadUnit { problem: format!("the port is not between 1 and {PORT_MAX}"), hint: None })
}
