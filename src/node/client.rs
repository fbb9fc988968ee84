//! What a node remembers of each client between commands.

use std::collections::BTreeMap;

use crate::node::effect::LinkId;

/// All clients that have a state worth remembering.
pub type Clients = BTreeMap<LinkId, Client>;

/// The state of one client's connection.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// ASKING was said: holds for the next command (§11.11).
    pub asking: bool,
    /// READONLY was said (§11.7).
    pub readonly: bool,
}
