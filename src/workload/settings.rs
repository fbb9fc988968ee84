//! What a workload does: plain data.

use crate::network::Site;
use crate::time::Span;

/// What a workload does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What it is called.
    pub name: String,
    /// How many clients it has.
    pub clients: u32,
    /// Where they are.
    pub site: Site,
    /// How fast each of them is.
    pub pace: Pace,
    /// How many keys each of them writes to.
    pub keys: u32,
    /// What its keys begin with.
    pub prefix: String,
    /// How many of a thousand commands only read.
    pub reads_per_mille: u16,
    /// How many commands each client has under way at most.
    pub pipeline: u32,
    /// How many redirections a command follows.
    pub redirections: u32,
    /// How often a command that got no answer is sent once more.
    pub retries: u32,
    /// How long a client waits before it does so; twice as long each time.
    pub back_off: Span,
    /// How long a client waits for an answer.
    pub timeout: Span,
    /// How many replicas must have a write, if any.
    pub quorum: Option<Quorum>,
}

/// How fast a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A command each so often. What could not be sent in time is not made up for.
    Every(Span),
    /// The next command as soon as there is an answer to the one before.
    Unbounded,
}

/// `WAIT replicas limit` behind each write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// How many replicas must have acknowledged a write.
    pub replicas: u32,
    /// How long the node waits for them.
    pub limit: Span,
}

impl Settings {
    /// The longest that a client waits before it tries once more.
    pub const BACK_OFF_MAX: Span = Span::secs(1);

    /// One client outside that writes a hundred times a second to a thousand keys.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Settings {
        let name = name.into();
        Settings {
            prefix: name.clone(),
            name,
            clients: 1,
            site: Site::Clients,
            pace: Pace::Every(Span::millis(10)),
            keys: 1_000,
            reads_per_mille: 0,
            pipeline: 1,
            redirections: 16,
            retries: 8,
            back_off: Span::millis(100),
            timeout: Span::millis(500),
            quorum: None,
        }
    }

    /// How long a client waits before it tries for the so many-th time.
    #[must_use]
    pub(crate) fn pause(&self, attempt: u32) -> Span {
        let doubled = self.back_off.0.saturating_mul(1 << attempt.min(20));
        Span(doubled.min(Settings::BACK_OFF_MAX.0.max(self.back_off.0)))
    }
}
