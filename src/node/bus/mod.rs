//! The cluster bus side of a node: who is there, who owns what, who fails (§2-§8).
//!
//! One file for each concern of the protocol. All of it works on [`Bus`], the record that Redis
//! calls `clusterState` (§2.6).

use std::collections::BTreeMap;

use crate::id::NodeIx;
use crate::node::packet::{Epoch, MessageType};
use crate::node::table::{PeerIx, Table};
use crate::rng::Stream;
use crate::slot::{SLOTS, Slot};
use crate::time::Millis;

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
}

/// Who owns which slot in one process's view, and which slots are being moved.
#[derive(Debug)]
pub struct SlotMap {
    owner: Vec<Option<PeerIx>>,
    /// Slots that I give away, and to whom (§9.9).
    pub migrating: BTreeMap<Slot, PeerIx>,
    /// Slots that I take over, and from whom (§9.9).
    pub importing: BTreeMap<Slot, PeerIx>,
}

impl Default for SlotMap {
    fn default() -> SlotMap {
        SlotMap {
            owner: vec![None; SLOTS as usize],
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
        }
    }
}

impl SlotMap {
    /// The owner of a slot.
    #[must_use]
    #[inline]
    pub fn owner(&self, slot: Slot) -> Option<PeerIx> {
        self.owner[slot.index()]
    }
}

/// The before-sleep to-do set (§0.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Todo(pub u8);

impl Todo {
    /// Run the failover step.
    pub const FAILOVER: Todo = Todo(1);
    /// Evaluate the cluster state.
    pub const UPDATE: Todo = Todo(2);
    /// Write nodes.conf.
    pub const SAVE: Todo = Todo(4);
    /// … and have it on disk before going on.
    pub const FSYNC: Todo = Todo(8);
    /// Run the manual failover step.
    pub const MANUAL_FAILOVER: Todo = Todo(16);

    /// Adds to the set.
    pub fn add(&mut self, more: Todo) {
        self.0 |= more.0;
    }

    /// Takes from the set.
    pub fn clear(&mut self, done: Todo) {
        self.0 &= !done.0;
    }

    /// Whether any of `some` is in the set.
    #[must_use]
    pub fn any(self, some: Todo) -> bool {
        self.0 & some.0 != 0
    }
}

impl std::ops::BitOr for Todo {
    type Output = Todo;
    fn bitor(self, other: Todo) -> Todo {
        Todo(self.0 | other.0)
    }
}
