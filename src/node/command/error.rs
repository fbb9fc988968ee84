//! Errors that commands answer with.

use std::borrow::Cow;
use std::fmt;

use crate::node::command::Spec;
use crate::node::number;
use crate::resp::Reply;

/// An error reply: its code, a space, its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandError(Cow<'static, str>);

/// What a command answers when it answers at once.
pub(crate) type Answer = Result<Reply, CommandError>;

impl CommandError {
    pub(crate) const SYNTAX: CommandError = CommandError::fixed("ERR syntax error");
    pub(crate) const NOT_AN_INTEGER: CommandError =
        CommandError::fixed("ERR value is not an integer or out of range");
    pub(crate) const NOT_AN_INT: CommandError = CommandError::fixed(
        "ERR value is out of range, value must between -2147483648 and 2147483647",
    );
    pub(crate) const NOT_POSITIVE: CommandError =
        CommandError::fixed("ERR value is out of range, must be positive");
    pub(crate) const WRONG_TYPE: CommandError =
        CommandError::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub(crate) const NO_SUCH_KEY: CommandError = CommandError::fixed("ERR no such key");
    pub(crate) const SAME_OBJECT: CommandError =
        CommandError::fixed("ERR source and destination objects are the same");

    /// A plain server was told something that only a node of a cluster knows.
    pub(crate) const NO_CLUSTER: CommandError =
        CommandError::fixed("ERR This instance has cluster support disabled");
    /// A plain server would have other databases than the first.
    pub(crate) const OTHER_DATABASE: CommandError =
        CommandError::fixed("ERR databases other than 0 are not modelled here");
    pub(crate) const NO_SUCH_DATABASE: CommandError =
        CommandError::fixed("ERR DB index is out of range");

    /// An error whose text, with its code, is known.
    pub(crate) const fn fixed(text: &'static str) -> CommandError {
        CommandError(Cow::Borrowed(text))
    }

    /// An error with this text, with its code. Line breaks become spaces: a reply is one line.
    pub(crate) fn coded(text: impl fmt::Display) -> CommandError {
        let mut text = text.to_string();
        if text.bytes().any(|byte| matches!(byte, b'\r' | b'\n')) {
            text = text.replace(['\r', '\n'], " ");
        }
        CommandError(Cow::Owned(text))
    }

    /// An error with the generic code.
    pub(crate) fn err(text: impl fmt::Display) -> CommandError {
        CommandError::coded(format_args!("ERR {text}"))
    }

    /// Redis would do it, a virtual node does not.
    pub(crate) fn not_modelled(spec: &Spec) -> CommandError {
        CommandError::err(format_args!("'{}' is not modelled here", spec.name))
    }

    /// A command was given with too few or too many arguments.
    pub(crate) fn arity(command: &str) -> CommandError {
        CommandError::err(format_args!("wrong number of arguments for '{command}' command"))
    }

    /// A command with subcommands does not have this one, or not with so many arguments (§9.0.1).
    pub(crate) fn subcommand(args: &[Vec<u8>]) -> CommandError {
        CommandError::err(format_args!(
            "Unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.",
            text(&args[1]),
            text(&args[0]).to_uppercase()
        ))
    }

    /// The text with its code.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<CommandError> for Reply {
    fn from(error: CommandError) -> Reply {
        Reply::Error(error.0.into_owned())
    }
}

/// An argument as text, for messages.
pub(crate) fn text(argument: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(argument)
}

/// An argument that must be an integer of 32 bits: the number of a database, if there is one.
pub(crate) fn database(argument: &[u8]) -> Result<i32, CommandError> {
    i32::try_from(integer(argument)?).map_err(|_| CommandError::NOT_AN_INT)
}

/// `databases`: of which a cluster uses the first only, and of which the others are always empty here.
const DATABASES: std::ops::Range<i32> = 0..16;

/// The number of a database that a plain server has; says whether it is the first, which is the only one
/// that can hold keys here.
pub(crate) fn is_first_database(number: i32) -> Result<bool, CommandError> {
    match number {
        0 => Ok(true),
        number if DATABASES.contains(&number) => Ok(false),
        _ => Err(CommandError::NO_SUCH_DATABASE),
    }
}

/// An argument that must be a count. What is not even a number is told to be out of range, too.
pub(crate) fn count(argument: &[u8]) -> Result<usize, CommandError> {
    let number = number::parse(argument).and_then(|number| usize::try_from(number).ok());
    number.ok_or(CommandError::NOT_POSITIVE)
}

/// An argument that must be an integer (§9.0.5).
pub(crate) fn integer(argument: &[u8]) -> Result<i64, CommandError> {
    number::parse(argument).ok_or(CommandError::NOT_AN_INTEGER)
}
