//! Commands that a step sends to nodes, and what their replies are held against:
//! `on 7000 get key = "Hello"`, `100 times via 7000 get key:{n} = "value:{n}"`,
//! `7000 info connected_slaves >= 1`.
//!
//! Unlike a [`condition`](crate::scenario::condition), which looks at nodes from outside and takes no
//! time, an inquiry is a client's: it has to reach a node, and the node has to answer.

use crate::network::NodeNo;
use crate::node::command;
use crate::scenario::condition::{COMPARISONS, Comparison};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::not_modelled;
use crate::scenario::suggest;
use crate::scenario::units;
use crate::scenario::words::{Counted, Cursor, Word, bad_unit, expand, node, unknown};
use crate::time::Span;

/// More repetitions than this are a slip.
const TIMES_MAX: u64 = 1_000_000;

const WHOM: &str = "`on` or `via`, and a node";
const WAYS: [(&str, ()); 2] = [("on", ()), ("via", ())];

/// A command and what is made of its reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Whether the opposite is meant.
    pub negated: bool,
    /// How often it is asked.
    pub times: u64,
    /// Whether that is said. `{n}` in the command and in the test counts from 0 then.
    pub counts: bool,
    /// Who is asked.
    pub asked: Asked,
    /// The command.
    pub command: Vec<Counted>,
    /// The line of INFO that is meant, if it is one.
    pub field: Option<String>,
    /// What the reply has to be.
    pub test: Test,
}

impl Inquiry {
    /// The command when it was sent `n` times before.
    pub fn command_at(&self, n: u64) -> impl Iterator<Item = String> + '_ {
        self.command.iter().map(move |word| word.at(n))
    }

    fn counted(&self, word: &Word) -> Counted {
        if self.counts { Counted::new(word) } else { Counted::plain(word.text.clone()) }
    }
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Each of these nodes.
    Nodes(Vec<NodeNo>),
    /// Each node that runs.
    Running,
    /// This node first, and then whomever the cluster points to.
    Cluster(NodeNo),
}

/// What a reply has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// No error.
    Answered,
    /// This text.
    Equal(Counted),
    /// A number that compares so with this one.
    Number(Comparison, i64),
    /// A text that has this in it.
    Contains(Counted),
    /// A text that has this in it so often.
    ContainsTimes(Counted, Comparison, u64),
    /// A text that this glob pattern matches.
    Matches(Counted),
    /// The same from all who are asked.
    Same,
    /// Another from each who is asked.
    Different,
}

/// Whether an inquiry begins here, maybe behind `not`.
#[must_use]
pub fn begins(cursor: &Cursor<'_>) -> bool {
    let words = cursor.ahead();
    let words = match words.split_first() {
        Some((first, rest)) if first.text == "not" => rest,
        _ => words,
    };
    let word = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let is_node = |word: &&Word| word.text == "all" || cursor.roster().find(&word.text).is_ok();
    let behind_nodes = words.iter().take_while(is_node).count();
    matches!(word(0), "on" | "via")
        || word(1) == "times"
        || (behind_nodes > 0 && word(behind_nodes) == "info")
}

/// Reads an inquiry up to the end of the line.
///
/// # Errors
/// If there is none.
pub fn parse(cursor: &mut Cursor<'_>) -> Result<Inquiry, Diagnostic> {
    let negated = cursor.take_if("not").is_some();
    let inquiry = opening(cursor)?;
    let (command, test) = with_test(cursor, cursor.ahead(), &inquiry)?;
    cursor.rest_words();
    finish(cursor, Inquiry { negated, test, ..inquiry }, command)
}

/// Reads an inquiry and `within 5s` behind it, if that is there.
///
/// # Errors
/// If there is none.
pub fn parse_with_limit(cursor: &mut Cursor<'_>) -> Result<(Inquiry, Option<Span>), Diagnostic> {
    let negated = cursor.take_if("not").is_some();
    let inquiry = opening(cursor)?;
    let words = cursor.rest_words();
    let (words, limit) = match words {
        [before @ .., within, span] if within.text == "within" && !within.quoted => {
            let limit = units::positive(&span.text);
            let limit = limit.map_err(|error| bad_unit("a duration", span.span.clone(), error))?;
            (before, Some(limit))
        }
        _ => (words, None),
    };
    let (command, test) = with_test(cursor, words, &inquiry)?;
    Ok((finish(cursor, Inquiry { negated, test, ..inquiry }, command)?, limit))
}

/// Reads a command without a test, up to the end of the line.
///
/// # Errors
/// If there is none.
pub fn parse_untested(cursor: &mut Cursor<'_>) -> Result<Inquiry, Diagnostic> {
    let words = cursor.ahead();
    let repeated = words.get(1).is_some_and(|word| word.text == "times");
    if let Some(word) = words.get(if repeated { 2 } else { 0 })
        && !matches!(word.text.as_str(), "on" | "via")
    {
        return Err(unknown(word, WHOM, &WAYS));
    }
    let inquiry = opening(cursor)?;
    let command = cursor.rest_words();
    refuse_listening(command)?;
    finish(cursor, inquiry, command)
}

/// The commands that make a client listen.
const SUBSCRIBING: [&str; 2] = ["subscribe", "psubscribe"];

/// Reads a command that makes its senders listen, up to the end of the line.
///
/// # Errors
/// If it is another one, or none.
pub fn parse_listening(cursor: &mut Cursor<'_>) -> Result<Inquiry, Diagnostic> {
    let inquiry = opening(cursor)?;
    let words = cursor.rest_words();
    match words.first().filter(|word| !subscribes(word)) {
        None => finish(cursor, inquiry, words),
        Some(word) => {
            let message = format!("nobody hears anything after `{}`", word.text);
            let label = "expected `subscribe` or `psubscribe`";
            Err(Diagnostic::new(message, word.span.clone(), label))
        }
    }
}

fn subscribes(word: &Word) -> bool {
    SUBSCRIBING.iter().any(|name| word.text.eq_ignore_ascii_case(name))
}

/// Complains of a command after which its sender would have to stay.
fn refuse_listening(words: &[Word]) -> Result<(), Diagnostic> {
    let Some(word) = words.first().filter(|word| subscribes(word)) else { return Ok(()) };
    let message = format!("who sends `{}` has to stay to hear anything", word.text);
    let mistake = Diagnostic::new(message, word.span.clone(), "this client goes at once");
    Err(mistake.hint("for example `listen on 7000 subscribe news`"))
}

/// `[N times] on NODE…`, `[N times] via NODE`, `NODE… info FIELD`
fn opening(cursor: &mut Cursor<'_>) -> Result<Inquiry, Diagnostic> {
    let mut times = 1;
    let counts = cursor.ahead().get(1).is_some_and(|word| word.text == "times");
    if counts {
        times = cursor.value("how often", |text| units::count(text, 1, TIMES_MAX))?;
        cursor.keyword("times")?;
    }
    let begin = |asked| Inquiry {
        negated: false,
        times,
        counts,
        asked,
        command: Vec::new(),
        field: None,
        test: Test::Answered,
    };
    if cursor.take_if("via").is_some() {
        return Ok(begin(Asked::Cluster(cursor.node()?)));
    }
    if cursor.take_if("on").is_some() {
        return Ok(begin(nodes(cursor)?));
    }
    if !cursor.peek().is_some_and(|word| word.text == "all" || node(word, cursor.roster()).is_ok())
    {
        return Err(unknown(cursor.take(WHOM)?, WHOM, &WAYS));
    }
    let asked = nodes(cursor)?;
    cursor.keyword("info")?;
    let field = cursor.take("a line of INFO, such as `role`")?.text.clone();
    Ok(Inquiry { field: Some(field), ..begin(asked) })
}

/// `all`, or nodes up to a word that names none.
fn nodes(cursor: &mut Cursor<'_>) -> Result<Asked, Diagnostic> {
    if cursor.take_if("all").is_some() {
        return Ok(Asked::Running);
    }
    let mut nodes = vec![cursor.node()?];
    while cursor.peek().is_some_and(|word| cursor.roster().find(&word.text).is_ok()) {
        nodes.push(cursor.node()?);
    }
    Ok(Asked::Nodes(nodes))
}

/// The words of the command, and the test behind them.
fn with_test<'a>(
    cursor: &Cursor<'_>,
    words: &'a [Word],
    inquiry: &Inquiry,
) -> Result<(&'a [Word], Test), Diagnostic> {
    match words {
        [command @ .., last]
            if !last.quoted && matches!(last.text.as_str(), "same" | "different") =>
        {
            let alone = match &inquiry.asked {
                Asked::Nodes(nodes) => nodes.len() < 2,
                Asked::Running => false,
                Asked::Cluster(_) => true,
            };
            if alone {
                let message = "one reply is compared with nothing";
                let mistake =
                    Diagnostic::new(message, last.span.clone(), "expected two nodes or more");
                return Err(mistake.hint("for example `on 7000 7005 debug digest same`"));
            }
            let same = last.text == "same";
            Ok((command, if same { Test::Same } else { Test::Different }))
        }
        [command @ .., contains, part, comparison, number, times]
            if contains.text == "contains" && !contains.quoted && times.text == "times" =>
        {
            Ok((command, so_often(inquiry.counted(part), comparison, number)?))
        }
        [command @ .., operator, value] if !operator.quoted => {
            match test(operator, value, inquiry)? {
                Some(test) => Ok((command, test)),
                None => Err(untested(cursor)),
            }
        }
        _ => Err(untested(cursor)),
    }
}

/// `contains TEXT >= 2 times`, from the comparison on.
fn so_often(part: Counted, comparison: &Word, number: &Word) -> Result<Test, Diagnostic> {
    let Some((_, how)) = COMPARISONS.iter().find(|(sign, _)| *sign == comparison.text) else {
        return Err(unknown(comparison, "a comparison", &COMPARISONS));
    };
    let number = units::count(&number.text, 0, u64::MAX)
        .map_err(|error| bad_unit("how often", number.span.clone(), error))?;
    Ok(Test::ContainsTimes(part, *how, number))
}

fn test(operator: &Word, value: &Word, inquiry: &Inquiry) -> Result<Option<Test>, Diagnostic> {
    let text = || inquiry.counted(value);
    Ok(match operator.text.as_str() {
        "=" => Some(Test::Equal(text())),
        "contains" => Some(Test::Contains(text())),
        "matches" => Some(Test::Matches(text())),
        other => match COMPARISONS.iter().find(|(name, _)| *name == other) {
            Some((_, comparison)) => {
                let number = value.text.parse().map_err(|_| {
                    Diagnostic::new("expected a number", value.span.clone(), "not a whole number")
                })?;
                Some(Test::Number(*comparison, number))
            }
            None => None,
        },
    })
}

fn untested(cursor: &Cursor<'_>) -> Diagnostic {
    cursor
        .missing("what the reply has to be")
        .hint("one of: = VALUE, < <= > >= NUMBER, contains TEXT, contains TEXT >= NUMBER times, matches PATTERN, same, different")
}

/// Puts the command in, if it is one.
fn finish(cursor: &Cursor<'_>, inquiry: Inquiry, words: &[Word]) -> Result<Inquiry, Diagnostic> {
    if inquiry.field.is_some() {
        return match words.first() {
            None => {
                let command = ["info", "everything"].map(|word| Counted::plain(word.to_owned()));
                Ok(Inquiry { command: command.into(), ..inquiry })
            }
            Some(word) => {
                let message = format!("unexpected `{}`", word.text);
                Err(Diagnostic::new(message, word.span.clone(), "expected what the line has to be"))
            }
        };
    }
    let Some(first) = words.first() else { return Err(cursor.missing("a command")) };
    if !command::names().any(|name| name.eq_ignore_ascii_case(&first.text)) {
        let near = suggest::nearest(&first.text, command::names());
        let message = format!("Redis has no command `{}`", first.text);
        return Err(Diagnostic::new(message, first.span.clone(), "unknown to Redis 6.2")
            .maybe_hint(near.map(|near| format!("did you mean `{near}`?"))));
    }
    if !command::is_modelled(&first.text) {
        return Err(not_modelled(&first.text, first.span.clone()));
    }
    let command = expand(words)?.iter().map(|word| inquiry.counted(word)).collect();
    Ok(Inquiry { command, ..inquiry })
}
