//! What can take acknowledged writes away.

use crate::network::NodeNo;
use crate::time::Time;

/// Something that took acknowledged writes away, or could have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When. For a merge: when the master began to be one that nobody follows any more, until it
    /// is over; then when that was.
    pub at: Time,
    /// What.
    pub cause: Cause,
    /// How many acknowledged writes it took.
    pub lost: u64,
}

/// How acknowledged writes are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A replica was promoted that had not got them.
    Failover {
        /// The replica.
        heir: NodeNo,
        /// Whose slots it took over, as far as the clients knew.
        master: Option<NodeNo>,
        /// The config epoch that it got.
        epoch: u64,
    },
    /// A master acknowledged them after its replica was promoted. They are gone when it drops its
    /// data for those of its new master.
    Merge {
        /// The master.
        master: NodeNo,
        /// Its replica that was promoted.
        heir: NodeNo,
        /// The config epoch that the replica got.
        epoch: u64,
        /// Whether the master has become a replica and has loaded the other's data.
        over: bool,
    },
    /// A process came back with less than it had.
    Restart(NodeNo),
    /// A node deleted all its keys.
    Flush(NodeNo),
    /// Nothing was seen that explains it.
    Unseen(NodeNo),
}

impl Cause {
    /// The cause in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cause::Failover { .. } => "failover",
            Cause::Merge { .. } => "merge",
            Cause::Restart(_) => "restart",
            Cause::Flush(_) => "flush",
            Cause::Unseen(_) => "unseen",
        }
    }
}
