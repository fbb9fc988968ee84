//! What is known of a command before it is carried out: its name, how many arguments it takes, what it
//! may do, and where its keys are.

use std::iter::StepBy;
use std::ops::Range;

use crate::node::command::Outcome;
use crate::node::command::call::Call;
use crate::node::command::error::Answer;

/// Properties of a command, as COMMAND shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traits(pub(crate) u32);

impl Traits {
    pub(crate) const WRITE: Traits = Traits(1);
    pub(crate) const READONLY: Traits = Traits(1 << 1);
    pub(crate) const DENYOOM: Traits = Traits(1 << 2);
    pub(crate) const ADMIN: Traits = Traits(1 << 3);
    pub(crate) const PUBSUB: Traits = Traits(1 << 4);
    pub(crate) const NOSCRIPT: Traits = Traits(1 << 5);
    pub(crate) const RANDOM: Traits = Traits(1 << 6);
    pub(crate) const SORT_FOR_SCRIPT: Traits = Traits(1 << 7);
    pub(crate) const LOADING: Traits = Traits(1 << 8);
    pub(crate) const STALE: Traits = Traits(1 << 9);
    pub(crate) const SKIP_MONITOR: Traits = Traits(1 << 10);
    pub(crate) const SKIP_SLOWLOG: Traits = Traits(1 << 11);
    pub(crate) const ASKING: Traits = Traits(1 << 12);
    pub(crate) const FAST: Traits = Traits(1 << 13);
    pub(crate) const NO_AUTH: Traits = Traits(1 << 14);
    pub(crate) const MAY_REPLICATE: Traits = Traits(1 << 15);
    pub(crate) const MOVABLEKEYS: Traits = Traits(1 << 16);

    /// Names in the order in which COMMAND shows them.
    pub(crate) const NAMES: [(Traits, &'static str); 17] = [
        (Traits::WRITE, "write"),
        (Traits::READONLY, "readonly"),
        (Traits::DENYOOM, "denyoom"),
        (Traits::ADMIN, "admin"),
        (Traits::PUBSUB, "pubsub"),
        (Traits::NOSCRIPT, "noscript"),
        (Traits::RANDOM, "random"),
        (Traits::SORT_FOR_SCRIPT, "sort_for_script"),
        (Traits::LOADING, "loading"),
        (Traits::STALE, "stale"),
        (Traits::SKIP_MONITOR, "skip_monitor"),
        (Traits::SKIP_SLOWLOG, "skip_slowlog"),
        (Traits::ASKING, "asking"),
        (Traits::FAST, "fast"),
        (Traits::NO_AUTH, "no_auth"),
        (Traits::MAY_REPLICATE, "may_replicate"),
        (Traits::MOVABLEKEYS, "movablekeys"),
    ];

    /// Whether any of `traits` is there.
    pub(crate) const fn any(self, traits: Traits) -> bool {
        self.0 & traits.0 != 0
    }
}

impl std::ops::BitOr for Traits {
    type Output = Traits;
    fn bitor(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }
}

/// Where a command's keys are: the index of the first, of the last (from the end, if negative), and
/// from one to the next. All zero: it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPositions {
    pub(crate) first: u8,
    pub(crate) last: i8,
    pub(crate) step: u8,
}

/// How a command is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// It answers at once.
    Answer(fn(&mut Call<'_, '_>) -> Answer),
    /// It may also not answer, answer later, or several times.
    Control(fn(&mut Call<'_, '_>) -> Outcome),
    /// It answers at once, in cluster mode only.
    InCluster(fn(&mut Call<'_, '_>) -> Answer),
    /// Redis has it, a virtual node does not.
    NotModelled,
}

/// A command.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Its place in the table of commands.
    pub(crate) number: usize,
    pub(crate) name: &'static str,
    /// How many words it has; at least as many, if negative.
    pub(crate) arity: i8,
    pub(crate) traits: Traits,
    pub(crate) keys: KeyPositions,
    /// Its ACL categories, other than those that follow from its traits.
    pub(crate) categories: &'static [&'static str],
    pub(crate) action: Action,
}

/// The indices of a command's keys among its words.
pub(crate) type Positions = StepBy<Range<usize>>;

fn every(step: u8, words: Range<usize>) -> Positions {
    words.step_by(usize::from(step))
}

const NONE: Range<usize> = 0..0;

impl Spec {
    /// Whether it takes this many words, its name included.
    pub(crate) fn takes(&self, words: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { words >= arity } else { words == arity }
    }

    /// Whether it can have keys at all.
    pub(crate) fn may_have_keys(&self) -> bool {
        self.keys.first != 0 || self.traits.any(Traits::MOVABLEKEYS)
    }

    /// The indices of its keys among its words.
    #[inline]
    pub(crate) fn key_positions(&self, args: &[Vec<u8>]) -> Positions {
        if self.keys.first == 0 {
            return every(1, self.keys_behind_a_keyword(args));
        }
        let last = match usize::try_from(self.keys.last) {
            Ok(last) => last,
            Err(_) => args.len().saturating_sub(usize::from(self.keys.last.unsigned_abs())),
        };
        if last >= args.len() {
            // The command checks its arguments itself.
            return every(1, NONE);
        }
        every(self.keys.step, usize::from(self.keys.first)..last + 1)
    }

    /// Where the keys of a command are that does not name them at fixed places.
    fn keys_behind_a_keyword(&self, args: &[Vec<u8>]) -> Range<usize> {
        match self.name {
            "migrate" => migrate_keys(args),
            "xread" => xread_keys(args),
            _ => NONE,
        }
    }
}

/// XREAD names its keys behind STREAMS, and as many ids behind them.
fn xread_keys(args: &[Vec<u8>]) -> Range<usize> {
    let is = |at: usize, word: &str| args[at].eq_ignore_ascii_case(word.as_bytes());
    let mut at = 1;
    while at < args.len() && (is(at, "block") || is(at, "count")) {
        at += 2;
    }
    if at >= args.len() || !is(at, "streams") || !(args.len() - at - 1).is_multiple_of(2) {
        return NONE;
    }
    at + 1..at + 1 + (args.len() - at - 1) / 2
}

/// MIGRATE names one key, or several behind KEYS.
fn migrate_keys(args: &[Vec<u8>]) -> Range<usize> {
    let keyword = (6..args.len()).find(|&at| args[at].eq_ignore_ascii_case(b"keys"));
    match keyword {
        Some(keyword) if args[3].is_empty() => keyword + 1..args.len(),
        _ => 3..4,
    }
}
