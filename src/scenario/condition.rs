//! What a step can wait for or expect: `7000 sees 7002 fail`, `cluster ok`, `slot 5 owner 7001`.
//!
//! A condition is a question about what nodes themselves say or hold; none asks for a truth that no
//! node knows.

use crate::network::NodeNo;
use crate::node::packet::MessageType;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::suggest;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word, bad_unit, node, unknown};
use crate::slot::{SLOTS, Slot};

/// A question with yes or no for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The opposite of another condition.
    Not(Box<Condition>),
    /// Something is so for each of these nodes that runs.
    Every(Vec<(NodeNo, Condition)>),
    /// Every running node says this of the cluster's state.
    Cluster(State),
    /// Every running node assigns every slot to the same node.
    NodesAgree,
    /// In the table of every running node, no two masters have the same config epoch.
    EpochsDiffer,
    /// Every running node assigns this slot to that node, or to nobody.
    SlotOwner(Slot, Option<NodeNo>),
    /// A node's process is up and accepts clients, or not.
    Running(NodeNo, bool),
    /// A node says this of the cluster's state.
    State(NodeNo, State),
    /// A node knows that many nodes, itself included.
    Knows(NodeNo, u64),
    /// How a node sees another.
    Sees(NodeNo, NodeNo, Sight),
    /// A number of a node's CLUSTER INFO.
    Field(NodeNo, Field, Comparison, Operand),
    /// A node holds a key with this string value.
    Key(NodeNo, String, String),
    /// The previous command printed this.
    Output(String),
}

/// What a node says of the cluster's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `cluster_state:ok`
    Ok,
    /// `cluster_state:fail`
    Fail,
}

/// How a node sees another: what its CLUSTER NODES line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// The flag `fail`.
    Fail,
    /// The flag `fail?`.
    Pfail,
    /// Known, and none of the flags that mean trouble.
    Ok,
    /// The word `connected`.
    Connected,
    /// The word `disconnected`.
    Disconnected,
    /// The flag `handshake`.
    Handshake,
    /// The flag `master`.
    Master,
    /// The flag `slave`.
    Replica,
    /// No line at all.
    Unknown,
}

/// The name of a number in CLUSTER INFO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(pub String);

/// What a number is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Number(u64),
    /// Another number of the same CLUSTER INFO.
    Field(Field),
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

const STATES: [(&str, State); 2] = [("ok", State::Ok), ("fail", State::Fail)];

/// The words behind `sees NODE`.
pub const SIGHTS: [(&str, Sight); 9] = [
    ("ok", Sight::Ok),
    ("fail", Sight::Fail),
    ("pfail", Sight::Pfail),
    ("connected", Sight::Connected),
    ("disconnected", Sight::Disconnected),
    ("handshake", Sight::Handshake),
    ("master", Sight::Master),
    ("replica", Sight::Replica),
    ("unknown", Sight::Unknown),
];

/// The signs of comparisons.
pub(crate) const COMPARISONS: [(&str, Comparison); 5] = [
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    ("<=", Comparison::AtMost),
    (">", Comparison::More),
    (">=", Comparison::AtLeast),
];

/// The words that a condition can begin with, besides a node.
pub const OPENINGS: [&str; 7] = ["not", "all", "cluster", "nodes", "epochs", "slot", "output"];
/// The words that can follow a node.
pub const PREDICATES: [&str; 5] = ["sees", "state", "knows", "running", "stopped"];

/// The numbers of CLUSTER INFO, with the greatest value that each can have.
fn fields() -> Vec<(String, u64)> {
    let slots = ["assigned", "ok", "pfail", "fail"]
        .map(|kind| (format!("cluster_slots_{kind}"), u64::from(SLOTS)));
    let others = ["known_nodes", "size", "current_epoch", "my_epoch"]
        .map(|name| (format!("cluster_{name}"), u64::MAX));
    let messages = ["sent", "received"].into_iter().flat_map(|way| {
        let kinds = MessageType::ALL.iter().map(|kind| format!("{}_", kind.counter_name()));
        let kinds = kinds.chain([String::new()]);
        kinds.map(move |kind| (format!("cluster_stats_messages_{kind}{way}"), u64::MAX))
    });
    slots.into_iter().chain(others).chain(messages).collect()
}

impl Comparison {
    /// Whether the comparison holds.
    #[must_use]
    pub fn holds<T: Ord>(self, left: T, right: T) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::Less => left < right,
            Comparison::AtMost => left <= right,
            Comparison::More => left > right,
            Comparison::AtLeast => left >= right,
        }
    }
}

/// Reads a condition up to the end of the line, or up to `within`.
///
/// # Errors
/// If there is none.
pub fn parse(cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    let word = cursor.take("a condition")?;
    match word.text.as_str() {
        "not" => opposite(cursor),
        "cluster" => Ok(Condition::Cluster(cursor.one_of("`ok` or `fail`", &STATES)?)),
        "nodes" => cursor.keyword("agree").map(|_| Condition::NodesAgree),
        "epochs" => cursor.keyword("differ").map(|_| Condition::EpochsDiffer),
        "slot" => slot_owner(cursor),
        "all" => every(cursor),
        "output" => {
            cursor.keyword("contains")?;
            Ok(Condition::Output(cursor.take("a text, in quotes")?.text.clone()))
        }
        _ => of_node(word, cursor),
    }
}

/// What is behind `not`. A second one would say nothing, and any number of them would have no end.
fn opposite(cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    if let Some(second) = cursor.take_if("not") {
        let mistake = Diagnostic::new(
            "a condition has one `not` at most",
            second.span.clone(),
            "this is the second",
        );
        return Err(mistake.hint("leave both out"));
    }
    Ok(Condition::Not(Box::new(parse(cursor)?)))
}

/// The same of every node that runs and is in cluster mode.
fn every(cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    let mut each = Vec::new();
    let mut end = cursor.clone();
    for node in cursor.roster().members() {
        end = cursor.clone();
        each.push((node, predicate(node, &mut end)?));
    }
    *cursor = end;
    Ok(Condition::Every(each))
}

fn slot_owner(cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    let last = u64::from(SLOTS) - 1;
    let number = cursor.value("a slot", |text| units::count(text, 0, last))?;
    cursor.keyword("owner")?;
    let owner = match cursor.take_if("none") {
        Some(_) => None,
        None => Some(cursor.node()?),
    };
    match u16::try_from(number).ok().and_then(Slot::new) {
        Some(slot) => Ok(Condition::SlotOwner(slot, owner)),
        None => Err(cursor.missing("a slot")),
    }
}

/// A condition that begins with a node.
fn of_node(first: &Word, cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    let looks_like_node = first.text.starts_with(|c: char| c.is_ascii_digit());
    if !looks_like_node {
        let choices = OPENINGS.map(|word| (word, ()));
        return Err(unknown(first, "a condition", &choices));
    }
    let node = node(first, cursor.roster())?;
    predicate(node, cursor)
}

/// What is asked of a node.
fn predicate(node: NodeNo, cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    let predicate = cursor.take("what is asked of the node")?;
    match predicate.text.as_str() {
        "sees" => {
            let subject = cursor.node()?;
            Ok(Condition::Sees(node, subject, cursor.one_of("how it sees it", &SIGHTS)?))
        }
        "state" => Ok(Condition::State(node, cursor.one_of("`ok` or `fail`", &STATES)?)),
        "knows" => {
            let most = cursor.roster().len() as u64;
            let what = "how many nodes it knows";
            Ok(Condition::Knows(node, cursor.value(what, |text| units::count(text, 1, most))?))
        }
        "running" => Ok(Condition::Running(node, true)),
        "stopped" => Ok(Condition::Running(node, false)),
        "cluster_state" => {
            cursor.take_if("=");
            Ok(Condition::State(node, cursor.one_of("`ok` or `fail`", &STATES)?))
        }
        _ => field_or_key(node, predicate, cursor),
    }
}

fn field_or_key(
    node: NodeNo,
    word: &Word,
    cursor: &mut Cursor<'_>,
) -> Result<Condition, Diagnostic> {
    let fields = fields();
    let Some((name, most)) = fields.iter().find(|(name, _)| *name == word.text) else {
        let key = cursor.peek_is("=") && !word.text.starts_with("cluster_");
        return if key { self::key(node, word, cursor) } else { Err(bad_predicate(word, &fields)) };
    };
    let compared =
        cursor.peek().filter(|word| COMPARISONS.iter().any(|(name, _)| *name == word.text));
    let comparison = match compared {
        Some(_) => cursor.one_of("a comparison", &COMPARISONS)?,
        None => Comparison::Equal,
    };
    let value = cursor.take("a number")?;
    let field = Field(name.clone());
    if fields.iter().any(|(name, _)| *name == value.text) {
        let other = Operand::Field(Field(value.text.clone()));
        return Ok(Condition::Field(node, field, comparison, other));
    }
    let number = units::count(&value.text, 0, *most);
    let number = number.map_err(|error| bad_unit("a number", value.span.clone(), error))?;
    Ok(Condition::Field(node, field, comparison, Operand::Number(number)))
}

fn key(node: NodeNo, word: &Word, cursor: &mut Cursor<'_>) -> Result<Condition, Diagnostic> {
    cursor.keyword("=")?;
    let value = cursor.take("the key's value, in quotes")?;
    Ok(Condition::Key(node, word.text.clone(), value.text.clone()))
}

/// Takes the name of a number of CLUSTER INFO.
pub(super) fn field(cursor: &mut Cursor<'_>) -> Result<Field, Diagnostic> {
    const WHAT: &str = "a number of CLUSTER INFO";
    let word = cursor.take(WHAT)?;
    let fields = fields();
    let choices: Vec<(&str, ())> = fields.iter().map(|(name, _)| (name.as_str(), ())).collect();
    match fields.iter().any(|(name, _)| *name == word.text) {
        true => Ok(Field(word.text.clone())),
        false => Err(unknown(word, WHAT, &choices)),
    }
}

fn bad_predicate(word: &Word, fields: &[(String, u64)]) -> Diagnostic {
    let known = PREDICATES.iter().copied().chain(fields.iter().map(|(name, _)| name.as_str()));
    let near = suggest::nearest(&word.text, known);
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if word.text.starts_with("cluster_") => {
            "the numbers of CLUSTER INFO, for example cluster_slots_ok, cluster_known_nodes"
                .to_owned()
        }
        None => {
            format!("one of: {}, a number of CLUSTER INFO, or KEY = VALUE", PREDICATES.join(", "))
        }
    };
    let message = format!("unexpected `{}`", word.text);
    Diagnostic::new(message, word.span.clone(), "expected what is asked of the node").hint(hint)
}
