//! Steps about the network: `partition 7000 7001 | 7002`, `cut 7000 -> 7001`, `heal`.

use crate::network::NodeNo;
use crate::network::graph::Delay;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word};

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
    /// Everything works again.
    Heal,
}

/// `partition NODE… | NODE… [| …]`; `rest` stands for all nodes that are not named.
pub(super) fn partition(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let mut groups: Vec<Vec<NodeNo>> = Vec::new();
    let mut spans: Vec<(NodeNo, std::ops::Range<usize>)> = Vec::new();
    let mut rest_group = None;
    loop {
        if let Some(rest) = cursor.take_if("rest") {
            if rest_group.replace(groups.len()).is_some() {
                let message = "the rest can be in one group only";
                return Err(Diagnostic::new(message, rest.span.clone(), "a second `rest`"));
            }
            groups.push(Vec::new());
        } else {
            groups.push(group(cursor, &mut spans)?);
        }
        if cursor.take_if("|").is_none() {
            break;
        }
    }
    if groups.len() < 2 {
        return Err(cursor
            .missing("`|` and another group of nodes")
            .hint("for example `partition 7000 7001 | rest`"));
    }
    if let Some(group) = rest_group {
        let named = |node: &NodeNo| spans.iter().any(|(other, _)| other == node);
        groups[group] = cursor.roster().all().filter(|node| !named(node)).collect();
    }
    Ok(Step::Network(Fault::Partition(groups)))
}

/// The nodes up to the next `|`, none of which may be in a group already.
fn group(
    cursor: &mut Cursor<'_>,
    spans: &mut Vec<(NodeNo, std::ops::Range<usize>)>,
) -> Result<Vec<NodeNo>, Diagnostic> {
    let mut group = Vec::new();
    while group.is_empty() || cursor.peek().is_some_and(|word| word.text != "|") {
        let node = cursor.node()?;
        let span = cursor.last_span();
        if let Some((_, before)) = spans.iter().find(|(other, _)| *other == node) {
            let message = format!("node {} is named twice", cursor.roster().name(node));
            return Err(
                Diagnostic::new(message, span, "again here").see(before.clone(), "first here")
            );
        }
        spans.push((node, span));
        group.push(node);
    }
    Ok(group)
}

/// `NODE… -> NODE…`, the last of them in front of `count` more words.
fn ends(
    cursor: &mut Cursor<'_>,
    stop: impl Fn(&str) -> bool,
) -> Result<(Vec<NodeNo>, Vec<NodeNo>), Diagnostic> {
    let from = cursor.nodes(&["->"])?;
    let arrow = cursor.keyword("->")?;
    let mut to = Vec::new();
    while to.is_empty() || cursor.peek().is_some_and(|word| !stop(&word.text)) {
        to.push(cursor.node()?);
    }
    if let Some(&both) = from.iter().find(|node| to.contains(node)) {
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

/// `heal`
pub(super) fn heal(_: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    Ok(Step::Network(Fault::Heal))
}

/// `delay NODE… -> NODE… 50ms..80ms`
pub(super) fn delay(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let (from, to) = ends(cursor, |word| word.contains(char::is_alphabetic))?;
    let range = cursor.value("a delay, such as `50ms..80ms`", units::span_range)?;
    let delay = Delay { low: range.low, high: range.high };
    Ok(Step::Network(Fault::Delay(from, to, delay)))
}

/// `drop NODE… -> NODE… 10%`
pub(super) fn drop(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let (from, to) = ends(cursor, |word| word.ends_with('%'))?;
    let share = cursor.value("a share, such as `10%`", units::per_mille)?;
    Ok(Step::Network(Fault::Drop(from, to, share)))
}
