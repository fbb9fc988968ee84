//! The cluster bus side of a node: who is there, who owns what, who fails (§2-§8).
//!
//! One file for each concern of the protocol. What concerns only the record that Redis calls
//! `clusterState` (§2.6) is a method of [`Bus`]; what also needs the configuration, the keys or
//! replication is a method of [`Node`](crate::node::Node).

mod address;
mod before_sleep;
mod claims;
mod cron;
mod describe;
pub mod election;
mod epoch;
mod failure;
mod formed;
mod gossip;
mod handshake;
mod links;
pub mod manual_failover;
mod membership;
mod migration;
mod persist;
mod receive;
mod reset;
mod roles;
mod send;
mod slots;
mod state;
mod todo;
#[cfg(test)]
mod traps;
mod vote;

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::id::NodeIx;
use crate::node::bus::election::Election;
use crate::node::bus::manual_failover::ManualFailover;
use crate::node::packet::{Epoch, MessageType};
use crate::node::table::{PeerIx, Table};
use crate::rng::Stream;
use crate::time::Millis;

pub use address::Announced;
pub use formed::FormedCluster;
pub use gossip::Drawn;
pub use migration::Survey;
pub use send::PongTo;
pub use slots::SlotMap;
pub use state::MastersSeen;
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
    /// Messages queued since the last pass of the event loop (§0.4).
    pub queued: u32,
    /// What my headers announce.
    pub announced: Announced,
    /// `cluster-announce-ip` as of the last cron (§7.1).
    pub announced_ip_seen: Option<IpAddr>,
    /// What I last saw of everybody's replicas (§7.4.1).
    pub survey: Survey,
    /// What I last saw of the masters (§6.6).
    pub masters: MastersSeen,
    /// Makes the cron look at every peer every time, to compare.
    #[cfg(test)]
    pub(crate) naive: bool,
}

impl Bus {
    /// A view of nothing, before nodes.conf was read (§2.6). There is nobody in the table yet, not
    /// even myself.
    #[must_use]
    pub fn new(
        order_seed: u64,
        gossip_draws: Stream,
        identity_draws: Stream,
        election_draws: Stream,
    ) -> Bus {
        Bus {
            table: Table::new(order_seed),
            myself: PeerIx(0),
            current_epoch: Epoch(0),
            last_vote_epoch: Epoch(0),
            state_ok: false,
            size: 1,
            slots: SlotMap::default(),
            todo: Todo::NOTHING,
            sent: [0; MessageType::COUNT],
            received: [0; MessageType::COUNT],
            pfail_nodes: 0,
            blacklist: BTreeMap::new(),
            first_state_check: Millis::NEVER,
            among_minority: Millis::NEVER,
            cron_iteration: 0,
            gossip_draws,
            identity_draws,
            election: Election::new(election_draws),
            manual_failover: ManualFailover::default(),
            queued: 0,
            announced: Announced::default(),
            announced_ip_seen: None,
            survey: Survey::default(),
            masters: MastersSeen::default(),
            #[cfg(test)]
            naive: false,
        }
    }

    /// Whether I am a master.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.table.flags(self.myself).is_master()
    }

    /// Who speaks for a node's slots: itself, or its master if it is a replica and that is known.
    #[must_use]
    pub fn slot_speaker(&self, ix: PeerIx) -> Option<PeerIx> {
        match self.table.flags(ix).is_master() {
            true => Some(ix),
            false => self.table.peer(ix).replica_of(),
        }
    }

    /// My master, if I am a replica and know it.
    #[must_use]
    pub fn my_master(&self) -> Option<PeerIx> {
        self.table.peer(self.myself).replica_of()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::Lab;

    #[test]
    fn a_cluster_begins_down_with_a_size_of_one_and_nothing_counted_2_6() {
        let mut lab = Lab::alone(1);
        let bus = &lab.node(0).bus;
        assert_eq!((bus.current_epoch, bus.last_vote_epoch), (Epoch(0), Epoch(0)));
        assert_eq!((bus.state_ok, bus.size, bus.pfail_nodes), (false, 1, 0));
        assert_eq!(bus.slots.assigned(), 0);
        assert!(bus.slots.migrating.is_empty() && bus.slots.importing.is_empty());
        assert_eq!((bus.sent, bus.received), ([0; 10], [0; 10]));
        assert!(!bus.manual_failover.runs());
        assert!(bus.info_text().contains("cluster_size:1\r\ncluster_current_epoch:0\r\n"));
    }
}
