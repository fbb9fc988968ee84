//! Names of replication histories.

use std::fmt;
use std::str::FromStr;

use crate::id::{BadNodeId, NodeId};
use crate::rng::Stream;

/// The name of a replication history: 40 hexadecimal digits, as a node id has (§0.5). Two servers
/// with the same name and the same offset hold the same data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicationId(NodeId);

impl ReplicationId {
    /// What is printed where there is no id.
    pub const NONE: &str = "0000000000000000000000000000000000000000";

    /// The name of a history that begins now.
    #[must_use]
    pub fn random(stream: &mut Stream) -> ReplicationId {
        ReplicationId(NodeId::random(stream))
    }
}

impl fmt::Display for ReplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReplicationId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<ReplicationId, BadNodeId> {
        text.parse().map(ReplicationId)
    }
}
