//! The cluster bus side of a node: who is there, who owns what, who fails (§2-§8).
//!
//! One file for each concern of the protocol. What concerns only the record that Redis calls
//! `clusterState` (§2.6) is a method of [`Bus`]; what also needs the configuration, the keys or
//! replication is a method of [`Node`](crate::node::Node).

mod describe;
pub mod election;
mod epoch;
mod failure;
mod handshake;
pub mod manual_failover;
mod membership;
mod migration;
mod reset;
mod roles;
mod send;
mod slots;
mod todo;
mod vote;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::id::NodeIx;
use crate::node::bus::election::Election;
use crate::node::bus::manual_failover::ManualFailover;
use crate::node::packet::{Epoch, MessageType};
use crate::node::table::{PeerIx, Table};
use crate::rng::Stream;
use crate::slot::SlotSet;
use crate::time::Millis;

pub use send::PongTo;
pub use slots::SlotMap;
pub use todo::Todo;

/// A node's view of the cluster and of its own place in it (§2.6).
#[derive(Debug)]
pub struct Bus {
    /// All known nodes, myself included.
    pub table: Table,
    /// Myself.
    pub myself: PeerIx,
    /// The greatest epoch I have heard of.
    pub current_epoch: Epoch,
    /// The epoch in which I last voted.
    pub last_vote_epoch: Epoch,
    /// `cluster_state`: whether I serve.
    pub state_ok: bool,
    /// Masters with at least one slot, as of the last evaluation of the state (§6.6).
    pub size: u32,
    /// Who owns which slot, and which slots are open.
    pub slots: SlotMap,
    /// What must be done before the process sleeps again (§0.4).
    pub todo: Todo,
    /// Messages queued on links since the start, by type (§4.3).
    pub sent: [u64; MessageType::COUNT],
    /// Messages received since the start, by type (§4.3).
    pub received: [u64; MessageType::COUNT],
    /// How many nodes were in PFAIL when the last cron counted them (§4.4).
    pub pfail_nodes: u32,
    /// Forgotten ids and when they may come back, in Unix seconds (§2.9).
    pub blacklist: BTreeMap<NodeIx, i64>,
    /// When the state was first evaluated (§6.6).
    pub first_state_check: Millis,
    /// When I was last in a minority (§6.6).
    pub among_minority: Millis,
    /// How often the cluster cron has run (§7.1).
    pub cron_iteration: u64,
    /// Draws for pings and gossip (§0.6.4).
    pub gossip_draws: Stream,
    /// Draws for ids (§0.5).
    pub identity_draws: Stream,
    /// My last election (§8.1).
    pub election: Election,
    /// The manual failover that is going on, if any (§8.5).
    pub manual_failover: ManualFailover,
    /// The empty set, shared by everybody who owns nothing.
    pub no_slots: Arc<SlotSet>,
}

impl Bus {
    /// Whether I am a master.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.table.flags(self.myself).is_master()
    }

    /// My master, if I am a replica and know it.
    #[must_use]
    pub fn my_master(&self) -> Option<PeerIx> {
        self.table.peer(self.myself).replica_of
    }
}
