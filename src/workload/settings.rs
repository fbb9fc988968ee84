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
    /// What a write does.
    pub command: Write,
    /// How many of a thousand commands only read.
    pub reads_per_mille: u16,
    /// How many commands each client has under way at most.
    pub pipeline: u32,
    /// Whether a client reads each key before it writes to it, and compares.
    pub checks: bool,
    /// What the clients are made with.
    pub library: Library,
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

/// What a write does to its key. Either way the reply says how many writes the key has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Write {
    /// INCR: it counts the key up.
    #[default]
    Count,
    /// RPUSH: it appends the number of the write to a list, which is right only if every element is
    /// where the reply said.
    Push,
}

impl Write {
    /// The commands that can be chosen, by name.
    pub const NAMED: [(&'static str, Write); 2] = [("incr", Write::Count), ("rpush", Write::Push)];
}

/// How fast a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A command each so often. What could not be sent in time is not made up for.
    Every(Span),
    /// The next command as soon as there is an answer to the one before.
    Unbounded,
}

/// What clients are made with, which decides how they go on when something does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Library {
    /// As most are: a command without an answer is sent to any node, after a pause that gets longer
    /// each time. The map of slots is looked up again after a MOVED and when a connection is lost, at
    /// any node.
    #[default]
    Usual,
    /// redis-rb-cluster, with which Redis Cluster was tested at first. One limit holds for MOVED, ASK
    /// and commands without an answer together. After one of those, a node is looked for that answers
    /// a PING, without a pause in the first half of the attempts. Any other error is final. The map of
    /// slots is looked up again after a MOVED only: at the client's own node, or if there is none at
    /// the first one that answers.
    RedisRbCluster,
}

impl Library {
    /// The libraries that can be chosen, by name.
    pub const NAMED: [(&'static str, Library); 1] = [("redis-rb-cluster", Library::RedisRbCluster)];
    /// How often redis-rb-cluster sends a command at most.
    pub(crate) const ATTEMPTS: u32 = 16;
    /// How long redis-rb-cluster waits in the second half of the attempts.
    pub(crate) const LATE_PAUSE: Span = Span::millis(100);
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
            command: Write::Count,
            reads_per_mille: 0,
            checks: false,
            library: Library::Usual,
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
