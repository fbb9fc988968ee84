//! Steps about the network: `partition 7000 7001 | 7002`, `cut 7000 -> 7001`, `heal`.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::network::graph::Delay;
use crate::node::packet::MessageType;
use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::roster::NoNode;
use crate::scenario::source::Bytes;
use crate::scenario::step::{Step, sabotage};
use crate::scenario::suggest;
use crate::scenario::units::{self, BadUnit};
use crate::scenario::words::{Cursor, Word};
use crate::time::Span;
use crate::world::points::Armed;

/// A change of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nodes of different groups cannot reach each other.
    Partition(Vec<Vec<NodeNo>>),
    /// Nothing gets from the first to the second ones; the other direction is not touched.
    Cut(Vec<NodeNo>, Vec<NodeNo>),
    /// What goes from the first to the second ones takes so much longer.
    Delay(Vec<NodeNo>, Vec<NodeNo>, Delay),
    /// This share, per mille, of what goes from the first to the second ones is lost.
    Drop(Vec<NodeNo>, Vec<NodeNo>, u16),
    /// Everything that was cut works again.
    Heal,
    /// What goes from the first to the second ones gets there again.
    Mend(Vec<NodeNo>, Vec<NodeNo>),
    /// The clocks of these nodes change.
    Clock(Vec<NodeNo>, ClockChange),
    /// So many of the next messages of a type from the first to the second ones are lost, on each path.
    DropNext(u32, MessageType, Vec<NodeNo>, Vec<NodeNo>),
    /// The next message of a type from the first to the second ones is held, on each path.
    Hold(MessageType, Vec<NodeNo>, Vec<NodeNo>),
    /// What is held on the way from the first to the second ones goes on.
    Release(Vec<NodeNo>, Vec<NodeNo>),
    /// Groups are partitioned and healed in turn.
    Flap {
        /// The groups.
        groups: Vec<Vec<NodeNo>>,
        /// After this long it changes.
        every: Span,
        /// How long all of it lasts.
        lasts: Span,
    },
    /// Nodes are cut off one by one, and come back one by one in another order.
    Swizzle {
        /// The nodes.
        nodes: Vec<NodeNo>,
        /// The pause between two of them.
        every: Span,
    },
    /// A node dies when it gets to a point.
    Arm(NodeNo, Armed),
    /// A sync of nodes.conf takes so long.
    SlowDisk(Vec<NodeNo>, Span),
    /// nodes.conf is gone.
    LoseConfig(Vec<NodeNo>),
    /// Only the beginning of nodes.conf is left.
    TearConfig(Vec<NodeNo>),
    /// Everything on the disk is gone.
    LoseDisk(Vec<NodeNo>),
    /// What is on the disk is copied.
    Snapshot(Vec<NodeNo>),
    /// The disk is again as it was when it was copied.
    Restore(Vec<NodeNo>),
    /// A node that does not run gets another address.
    Move(NodeNo, SocketAddr),
}

/// How a clock changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockChange {
    /// It is set forward, or back, by so many microseconds.
    Jump(i64),
    /// From now on it gains so many microseconds in a second, or loses them.
    Drift(i32),
}

/// `partition NODE… | NODE… [| …]`; `rest` stands for all nodes that are not named.
pub(super) fn partition(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Network(Fault::Partition(groups(cursor, "partition", |_| false)?)))
}

/// `NODE… | NODE… [| …]` up to the end of the line or to a word that stops them.
pub(super) fn groups(
    cursor: &mut Cursor<'_>,
    verb: &str,
    stop: impl Fn(&str) -> bool,
) -> Result<Vec<Vec<NodeNo>>, Diagnostic> {
    let mut groups: Vec<Vec<NodeNo>> = Vec::new();
    let mut named: Vec<(NodeNo, Bytes)> = Vec::new();
    let mut rest_group = None;
    loop {
        if let Some(rest) = cursor.take_if("rest") {
            let here = (groups.len(), rest.span.clone());
            if rest_group.replace(here).is_some() {
                let message = "the rest can be in one group only";
                return Err(Diagnostic::new(message, rest.span.clone(), "a second `rest`"));
            }
            groups.push(Vec::new());
        } else {
            groups.push(group(cursor, &mut named, &|word| word == "|" || stop(word))?);
        }
        if cursor.take_if("|").is_none() {
            break;
        }
    }
    if groups.len() < 2 {
        return Err(cursor
            .missing("`|` and another group of nodes")
            .hint(format!("for example `{verb} 7000 7001 | rest`")));
    }
    if let Some((group, span)) = rest_group {
        let is_named = |node: &NodeNo| named.iter().any(|(other, _)| other == node);
        groups[group] = cursor.roster().all().filter(|node| !is_named(node)).collect();
        if groups[group].is_empty() {
            let message = "nobody is left for the rest";
            return Err(Diagnostic::new(message, span, "all nodes are in other groups"));
        }
    }
    Ok(groups)
}

/// The nodes up to a word that stops them, none of which may be in a group already.
fn group(
    cursor: &mut Cursor<'_>,
    named: &mut Vec<(NodeNo, Bytes)>,
    stop: &dyn Fn(&str) -> bool,
) -> Result<Vec<NodeNo>, Diagnostic> {
    let mut group = Vec::new();
    while group.is_empty() || cursor.peek().is_some_and(|word| !stop(&word.text)) {
        let nodes = cursor.node_or_group()?;
        cursor.refuse_twice(named, &nodes)?;
        group.extend(nodes.iter().map(|(node, _)| *node));
        named.extend(nodes);
    }
    Ok(group)
}

/// `NODE… -> NODE…` up to the end of the line or to a word that stops them.
pub(super) fn ends(
    cursor: &mut Cursor<'_>,
    stop: impl Fn(&str) -> bool,
) -> Result<(Vec<NodeNo>, Vec<NodeNo>), Diagnostic> {
    let mut named = Vec::new();
    let from = group(cursor, &mut named, &|word| word == "->")?;
    let arrow = cursor.keyword("->")?;
    let to = group(cursor, &mut Vec::new(), &stop)?;
    let both = from.iter().find(|node| to.contains(node));
    if let Some(&both) = both.filter(|_| !cursor.is_example()) {
        let message = format!("node {} is on both sides", cursor.roster().name(both));
        return Err(Diagnostic::new(message, arrow.span.clone(), "from a node to itself"));
    }
    Ok((from, to))
}

/// `cut NODE… -> NODE…`
pub(super) fn cut(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let (from, to) = ends(cursor, |_| false)?;
    Ok(Step::Network(Fault::Cut(from, to)))
}

/// `heal`, or `heal NODE… -> NODE…` for some paths
pub(super) fn heal(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if cursor.peek().is_none() {
        return Ok(Step::Network(Fault::Heal));
    }
    let (from, to) = ends(cursor, |_| false)?;
    Ok(Step::Network(Fault::Mend(from, to)))
}

/// What stands at the end of a line, if it begins like a number and names no node: a value behind
/// nodes, or a node that does not exist.
pub(super) fn number_at_end<'a>(cursor: &Cursor<'a>) -> Option<&'a str> {
    let last = cursor.ahead().last()?.text.as_str();
    let is_number = last.starts_with(|c: char| c.is_ascii_digit()) && !last.contains(':');
    let is_unknown = matches!(cursor.roster().find(last), Err(NoNode::Unknown));
    (is_number && is_unknown).then_some(last)
}

/// Takes the value that stands behind nodes. A number alone may be a value without its unit as well as
/// a misspelt node without a value behind it.
pub(super) fn value_behind_nodes<T>(
    cursor: &mut Cursor<'_>,
    what: &str,
    read: impl FnOnce(&str) -> Result<T, BadUnit>,
) -> Result<T, Diagnostic> {
    let names = cursor.roster().names();
    let is_bare = |word: &&Word| word.text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(word) = cursor.peek().filter(is_bare)
        && let Some(near) = suggest::nearest(&word.text, names.iter().map(String::as_str))
    {
        let label = "no node is called this, and a value needs a unit";
        return Err(Diagnostic::new(format!("expected {what}"), word.span.clone(), label)
            .hint(format!("did you mean node `{near}`? Then the value is missing behind it"))
            .about(Topic::UnknownNode));
    }
    cursor.value(what, read)
}

/// `delay NODE… -> NODE… 50ms..80ms`
pub(super) fn delay(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let last = number_at_end(cursor);
    let is_delay = |word: &str| word.contains(char::is_alphabetic) || last == Some(word);
    let (from, to) = ends(cursor, is_delay)?;
    let range = value_behind_nodes(cursor, "a delay, such as `50ms..80ms`", units::span_range)?;
    let delay = Delay { low: range.low, high: range.high };
    Ok(Step::Network(Fault::Delay(from, to, delay)))
}

/// `drop 10% NODE… -> NODE…`; the share may stand at the end as well. `drop 2 FAIL NODE… -> NODE…`
pub(super) fn drop(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    if sabotage::is_about_messages(cursor) {
        return sabotage::drop_next(cursor);
    }
    const SHARE: &str = "a share, such as `10%`";
    if cursor.peek().is_some_and(|word| word.text.ends_with('%')) {
        let share = cursor.value(SHARE, units::per_mille)?;
        let (from, to) = ends(cursor, |_| false)?;
        return Ok(Step::Network(Fault::Drop(from, to, share)));
    }
    let last = number_at_end(cursor);
    let (from, to) = ends(cursor, |word| word.ends_with('%') || last == Some(word))?;
    let share = value_behind_nodes(cursor, SHARE, units::per_mille)?;
    Ok(Step::Network(Fault::Drop(from, to, share)))
}

/// `clock NODE… +30s`, `clock NODE… drift -50ppm`
pub(super) fn clock(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let stop = |word: &str| word == "drift" || word.starts_with(['+', '-']);
    let nodes = group(cursor, &mut Vec::new(), &stop)?;
    let change = match cursor.take_if("drift") {
        Some(_) => ClockChange::Drift(cursor.value("a drift, such as `50ppm`", units::drift)?),
        None => {
            let what = "a jump, such as `+30s` or `-5s`, or `drift 50ppm`";
            ClockChange::Jump(cursor.value(what, units::signed_duration)?)
        }
    };
    if change == ClockChange::Jump(0) {
        let label = "no time at all";
        return Err(Diagnostic::new("this changes nothing", cursor.last_span(), label));
    }
    Ok(Step::Network(Fault::Clock(nodes, change)))
}
