//! The kinds of values that directives take, and what is said when a value is not of its kind.

use std::fmt;
use std::net::IpAddr;

use crate::node::number;

/// What a directive accepts.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`
    YesNo,
    /// Only `no`: the other choice needs something that a virtual node does not have.
    No,
    /// An integer between two bounds.
    Integer(i64, i64),
    /// A number of bytes between two bounds, with a unit if one likes.
    Bytes(i64, i64),
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A directory that exists; a virtual node has no other than the one it starts in.
    Directory,
    /// A file name without a directory.
    FileName,
    /// An IP address or nothing.
    Address,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Groups of a client class, two sizes and seconds.
    OutputLimits,
    /// Letters of keyspace events.
    Events,
    /// Nothing: a cluster node's master is not configured.
    NoMaster,
    /// Nothing: virtual nodes know no passwords.
    NoPassword,
}

/// A value of the right kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting<'a> {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(&'a str),
    /// Save points.
    SavePoints(Vec<SavePoint>),
}

/// A `save` point: an RDB file is written after so many seconds with so many changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavePoint {
    /// How many seconds since the last save.
    pub seconds: i64,
    /// How many changes since the last save.
    pub changes: u64,
}

/// `appendfsync`: when the append-only file is synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFsync {
    /// `always`: before anybody gets a reply.
    Always,
    /// `everysec`: when a new second has begun.
    EverySecond,
    /// `no`: that is left to the kernel.
    No,
}

/// Why a value is not of the kind that a directive takes. Shown, it says what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// Said in the words of Redis.
    Said(String),
    /// Redis says nothing more than that the value is wrong.
    Unsaid(&'static str),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mismatch::Said(text) => text,
            Mismatch::Unsaid(text) => text,
        })
    }
}

/// `yes` or `no`.
#[must_use]
pub const fn yes_no(on: bool) -> &'static str {
    if on { "yes" } else { "no" }
}

impl fmt::Display for Setting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Flag(on) => f.write_str(yes_no(*on)),
            Setting::Number(number) => number.fmt(f),
            Setting::Text(text) => f.write_str(text),
            Setting::SavePoints(points) => {
                let pairs: Vec<String> =
                    points.iter().map(|p| format!("{} {}", p.seconds, p.changes)).collect();
                f.write_str(&pairs.join(" "))
            }
        }
    }
}

impl Kind {
    /// Reads a value of this kind.
    ///
    /// # Errors
    /// If it is not of this kind.
    pub fn parse(self, text: &str) -> Result<Setting<'_>, Mismatch> {
        match self {
            Kind::YesNo | Kind::No => self.parse_flag(text),
            Kind::Integer(low, high) => {
                let number = number::parse(text.as_bytes())
                    .ok_or_else(|| said("argument couldn't be parsed into an integer"))?;
                within(number, low, high)
            }
            Kind::Bytes(low, high) => {
                let bytes = number::parse_bytes(text)
                    .filter(|&bytes| bytes >= 0)
                    .ok_or_else(|| said("argument must be a memory value"))?;
                within(bytes, low, high)
            }
            Kind::Choice(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(text))
                .map(|word| Setting::Text(word))
                .ok_or_else(|| {
                    said(format!("argument must be one of the following: {}", words.join(", ")))
                }),
            Kind::SavePoints => save_points(text).map(Setting::SavePoints),
            _ => self.check_text(text).map(|()| Setting::Text(text)),
        }
    }

    fn parse_flag(self, text: &str) -> Result<Setting<'static>, Mismatch> {
        let on = match text.to_ascii_lowercase().as_str() {
            "yes" => true,
            "no" => false,
            _ => return Err(said("argument must be 'yes' or 'no'")),
        };
        match (self, on) {
            (Kind::No, true) => Err(said(
                "Active defragmentation cannot be enabled: it requires a Redis server compiled \
                 with a modified Jemalloc like the one shipped by default with the Redis source \
                 distribution",
            )),
            _ => Ok(Setting::Flag(on)),
        }
    }

    fn check_text(self, text: &str) -> Result<(), Mismatch> {
        let problem = match self {
            Kind::FileName if text.contains('/') => {
                return Err(said("dbfilename can't be a path, just a filename"));
            }
            Kind::Address if !text.is_empty() && text.parse::<IpAddr>().is_err() => {
                "argument must be an IP address or empty"
            }
            Kind::OutputLimits if !is_output_limits(text) => {
                "argument must be groups of: normal|replica|pubsub hard-limit soft-limit seconds"
            }
            Kind::Events if !text.chars().all(|c| "KEg$lshzxetmdA".contains(c)) => {
                "argument must be letters out of KEg$lshzxetmdA"
            }
            Kind::NoMaster if !text.is_empty() => {
                "argument must be empty: use CLUSTER REPLICATE in a cluster"
            }
            Kind::NoPassword if !text.is_empty() => {
                "argument must be empty: passwords are not modelled"
            }
            _ => return Ok(()),
        };
        Err(Mismatch::Unsaid(problem))
    }
}

fn said(text: impl Into<String>) -> Mismatch {
    Mismatch::Said(text.into())
}

fn within(number: i64, low: i64, high: i64) -> Result<Setting<'static>, Mismatch> {
    if (low..=high).contains(&number) {
        Ok(Setting::Number(number))
    } else {
        Err(said(format!("argument must be between {low} and {high} inclusive")))
    }
}

fn save_points(text: &str) -> Result<Vec<SavePoint>, Mismatch> {
    let wrong = Mismatch::Unsaid("argument must be pairs of seconds (1 or more) and changes");
    let words: Vec<&str> = text.split_whitespace().collect();
    words
        .chunks(2)
        .map(|pair| match pair {
            [seconds, changes] => {
                let seconds = seconds.parse().ok().filter(|&seconds: &i64| seconds >= 1)?;
                Some(SavePoint { seconds, changes: changes.parse().ok()? })
            }
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or(wrong)
}

fn is_output_limits(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').collect();
    words.len().is_multiple_of(4)
        && words.chunks(4).all(|group| {
            ["normal", "replica", "slave", "pubsub"].contains(&group[0])
                && group[1..].iter().all(|size| number::parse_bytes(size).is_some_and(|n| n >= 0))
        })
}

/// Limits for each class of clients, of which some are said anew.
pub(super) fn merge_limits(before: &str, said: &str) -> String {
    let class = |word: &str| if word == "replica" { "slave" } else { word }.to_owned();
    let bytes = |word: &str| number::parse_bytes(word).unwrap_or_default();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (before, said) = (words(before), words(said));
    let merged = before.chunks(4).map(|old| {
        let new = said.chunks(4).rfind(|group| class(&group[0]) == old[0]);
        match new {
            Some([_, hard, soft, seconds]) => {
                format!("{} {} {} {}", old[0], bytes(hard), bytes(soft), bytes(seconds))
            }
            _ => old.join(" "),
        }
    });
    merged.collect::<Vec<_>>().join(" ")
}
