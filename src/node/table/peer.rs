//! What a process knows of one node (§2.1).

use std::sync::Arc;

use crate::node::packet::Epoch;
use crate::node::table::PeerIx;
use crate::slot::SlotSet;
use crate::time::Millis;

/// What a packet of a node, or to it, touches: one cache line.
#[derive(Debug, Clone)]
#[repr(align(64))]
pub struct Peer {
    /// When the oldest unanswered ping left; never = none is pending.
    pub(super) ping_sent: Millis,
    /// When it last answered me.
    pub(super) answered: Millis,
    /// When anything last came from it, on any link (§5.1.4).
    pub data_received: Millis,
    /// Its configEpoch.
    pub config_epoch: Epoch,
    /// The replication offset it last announced.
    pub repl_offset: u64,
    /// The slots I assign to it.
    pub slots: Arc<SlotSet>,
    /// My outbound link to it; `NO_LINK` = none.
    pub(super) link: u32,
    /// Its master; `NOBODY` = it has none, or I do not know it.
    replica_of: u16,
    /// How many slots I assign to it; see [`set_slot_count`](super::Table::set_slot_count).
    pub slot_count: u16,
    /// Whether anybody reports that it fails; see [`History::fail_reports`].
    pub(super) reported: bool,
}

/// What is seldom needed.
#[derive(Debug, Clone)]
pub struct History {
    /// When this record was made.
    pub ctime: Millis,
    /// When the current outbound link was made.
    pub link_ctime: Millis,
    /// When it was marked FAIL.
    pub fail_time: Millis,
    /// When I last voted for a replica of it.
    pub voted_time: Millis,
    /// Since when it has no working replica (§8.7).
    pub orphaned_time: Millis,
    /// Its replicas, in the order in which they were added (§2.4).
    pub(super) replicas: Vec<PeerIx>,
    /// Who says that it fails, in order of arrival (§6.4).
    pub(super) fail_reports: Vec<FailReport>,
}

/// A master's word that a node fails (§6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailReport {
    /// Who says so.
    pub reporter: PeerIx,
    /// When it last said so.
    pub time: Millis,
}

pub(super) const NO_LINK: u32 = u32::MAX;
const NOBODY: u16 = u16::MAX;

impl Peer {
    pub(super) fn new(no_slots: Arc<SlotSet>) -> Peer {
        Peer {
            ping_sent: Millis::NEVER,
            answered: Millis::NEVER,
            data_received: Millis::NEVER,
            config_epoch: Epoch(0),
            repl_offset: 0,
            slots: no_slots,
            link: NO_LINK,
            replica_of: NOBODY,
            slot_count: 0,
            reported: false,
        }
    }

    /// Its master, if it is a replica and its master is known.
    #[must_use]
    #[inline]
    pub fn replica_of(&self) -> Option<PeerIx> {
        (self.replica_of != NOBODY).then_some(PeerIx(self.replica_of))
    }

    /// Notes its master, or that it has none.
    pub fn set_replica_of(&mut self, master: Option<PeerIx>) {
        self.replica_of = master.map_or(NOBODY, |ix| ix.0);
    }
}

impl History {
    pub(super) fn new(now: Millis) -> History {
        History {
            ctime: now,
            link_ctime: Millis::NEVER,
            fail_time: Millis::NEVER,
            voted_time: Millis::NEVER,
            orphaned_time: Millis::NEVER,
            replicas: Vec::new(),
            fail_reports: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_peer_fits_into_a_cache_line() {
        assert_eq!(std::mem::size_of::<super::Peer>(), 64);
    }
}
