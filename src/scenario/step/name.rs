//! Giving a name to what is found out while the scenario runs: to a node, `let victim = any master`, or
//! to a number, `let epoch = cluster_my_epoch of 7000`.

use crate::network::NodeNo;
use crate::scenario::condition::{self, Field};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::Step;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word};
use crate::slot::{SLOTS, Slot};

/// What gets a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nameable {
    /// A node.
    Node(Selector),
    /// A number of a node's CLUSTER INFO, as it is now.
    Number(NodeNo, Field),
}

/// Which node is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// One that runs, by lot.
    AnyNode,
    /// A master with slots, by lot.
    AnyMaster,
    /// A replica, by lot.
    AnyReplica,
    /// The master that says of itself that it owns a slot.
    OwnerOf(Slot),
    /// A node that says of itself that it replicates this one, by lot.
    ReplicaOf(NodeNo),
    /// The one of which a node says that it replicates it.
    MasterOf(NodeNo),
}

const ANY: [(&str, Selector); 3] = [
    ("node", Selector::AnyNode),
    ("master", Selector::AnyMaster),
    ("replica", Selector::AnyReplica),
];

/// The words that a selector can begin with.
const OPENINGS: [(&str, ()); 4] = [("any", ()), ("owner", ()), ("replica", ()), ("master", ())];

/// `let NAME = SELECTOR`, `let NAME = FIELD of NODE`
pub(super) fn parse(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let name = cursor.take("a name")?;
    let is_name = name.text.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_name || name.text == "round" || name.text == "n" {
        let label = "expected a word of letters and digits that means nothing else";
        let message = format!("`{}` cannot be a name", name.text);
        return Err(Diagnostic::new(message, name.span.clone(), label));
    }
    cursor.keyword("=")?;
    let is_number = cursor.peek().is_some_and(|word| word.text.starts_with("cluster_"));
    let what = match is_number {
        true => number(cursor)?,
        false => Nameable::Node(selector(cursor)?),
    };
    Ok(Step::Let(name.text.clone(), what))
}

fn number(cursor: &mut Cursor<'_>) -> Result<Nameable, Diagnostic> {
    let field = condition::field(cursor)?;
    cursor.keyword("of")?;
    Ok(Nameable::Number(cursor.node()?, field))
}

fn selector(cursor: &mut Cursor<'_>) -> Result<Selector, Diagnostic> {
    let what = "which node, or a number of CLUSTER INFO";
    let opening = cursor.peek().cloned();
    cursor.one_of(what, &OPENINGS)?;
    match opening.as_ref().map_or("", |word| word.text.as_str()) {
        "any" => cursor.one_of("`node`, `master` or `replica`", &ANY),
        "owner" => {
            cursor.keyword("of")?;
            cursor.keyword("slot")?;
            let last = u64::from(SLOTS) - 1;
            let number = cursor.value("a slot", |text| units::count(text, 0, last))?;
            let slot = u16::try_from(number).ok().and_then(Slot::new);
            slot.map(Selector::OwnerOf).ok_or_else(|| cursor.missing("a slot"))
        }
        "replica" => {
            cursor.keyword("of")?;
            cursor.node().map(Selector::ReplicaOf)
        }
        _ => {
            cursor.keyword("of")?;
            cursor.node().map(Selector::MasterOf)
        }
    }
}
