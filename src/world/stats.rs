//! Counters of a run.

use crate::node::packet::MessageType;
use crate::time::Time;

/// What happened how often. Wall-clock time is the caller's to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Virtual time since the start.
    pub time: Time,
    /// Events processed.
    pub events: u64,
    /// Ticks among them.
    pub ticks: u64,
    /// Packets put into a link's output, by type.
    pub sent: [u64; MessageType::COUNT],
    /// Packets read.
    pub delivered: u64,
    /// Packets that nobody will ever read.
    pub lost: u64,
    /// Bytes of the packets that were sent.
    pub bytes: u64,
    /// Gossip entries in them.
    pub gossip_entries: u64,
    /// Messages sent on replication links.
    pub replication: u64,
    /// Connections that were dialled.
    pub dialled: u64,
    /// Clients' commands that were read.
    pub commands: u64,
}

impl Stats {
    /// Packets put into a link's output.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.sent.iter().sum()
    }
}
