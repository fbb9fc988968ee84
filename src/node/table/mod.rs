//! The table of known nodes (§2.1, §0.6): dense records indexed by [`PeerIx`], and the hash table
//! order in which Redis walks them and draws from them.
//!
//! What the inner loop touches for every peer lies in [`Hot`], two to a cache line; the rest is in
//! [`Peer`]. Both are indexed by the same [`PeerIx`], which stays the same for as long as the node is
//! known, also when a handshake gives it its real id.
//!
//! Flags and links change only through the table, because it counts them: what nobody can need
//! (a node without a link, a handshake) is then known without looking at every record.

mod order;

use std::sync::Arc;

use crate::id::{EndpointIx, Ids, NodeId, NodeIx};
use crate::node::effect::LinkId;
use crate::node::flags::Flags;
use crate::node::packet::Epoch;
use crate::rng::Stream;
use crate::slot::SlotSet;
use crate::time::Millis;

pub use order::Layout;
use order::Order;

/// A node's index in one process's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIx(pub u32);

/// What the cron and the gossip merge look at for every peer.
#[derive(Debug, Clone, Copy)]
pub struct Hot {
    /// When the oldest unanswered ping left; never = none is pending.
    pub ping_sent: Millis,
    /// When it last answered me, or when somebody else said it answered (§5.9.2).
    pub pong_received: Millis,
    /// Its id; a random one during the handshake.
    node: NodeIx,
    /// Its address.
    pub endpoint: EndpointIx,
    /// My outbound link to it; `NO_LINK` = none.
    link: u32,
    /// Its flags as I see them.
    flags: Flags,
    /// How many failure reports I hold about it (expired ones included until they are purged).
    pub reports: u16,
}

const NO_LINK: u32 = u32::MAX;

/// The rest of what a process knows of a node (§2.1).
#[derive(Debug, Clone)]
pub struct Peer {
    /// When this record was made.
    pub ctime: Millis,
    /// When anything last came from it, on any link (§5.1.4).
    pub data_received: Millis,
    /// When the current outbound link was made.
    pub link_ctime: Millis,
    /// When it was marked FAIL.
    pub fail_time: Millis,
    /// When I last voted for a replica of it.
    pub voted_time: Millis,
    /// Since when it has no working replica (§8.7).
    pub orphaned_time: Millis,
    /// The replication offset it last announced.
    pub repl_offset: u64,
    /// When it announced that offset.
    pub repl_offset_time: Millis,
    /// Its configEpoch.
    pub config_epoch: Epoch,
    /// The slots I assign to it.
    pub slots: Arc<SlotSet>,
    /// How many they are.
    pub slot_count: u16,
    /// Its master, if it is a replica and its master is known.
    pub replica_of: Option<PeerIx>,
    /// Its replicas, in the order in which they were added (§2.4).
    replicas: Vec<PeerIx>,
    /// Who says that it fails, in order of arrival (§6.4).
    pub fail_reports: Vec<FailReport>,
}

/// A master's word that a node fails (§6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailReport {
    /// Who says so.
    pub reporter: PeerIx,
    /// When it last said so.
    pub time: Millis,
}

/// How many nodes there are of the kinds that make the cron look closer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Census {
    /// Nodes that should have an outbound link and have none (§3.1).
    pub unlinked: u32,
    /// Nodes in handshake.
    pub handshakes: u32,
    /// Nodes in PFAIL with a known address (§7.2).
    pub pfail: u32,
}

/// The table of known nodes of one process, itself included.
#[derive(Debug)]
pub struct Table {
    hot: Vec<Hot>,
    peers: Vec<Peer>,
    free: Vec<PeerIx>,
    /// By interned id; `NOBODY` = not known.
    by_node: Vec<u32>,
    order: Order,
    census: Census,
    /// How many entries the lists of replicas have together.
    replicas: u32,
}

const NOBODY: u32 = u32::MAX;

impl Hot {
    /// The node's interned id; a random one during the handshake.
    #[must_use]
    #[inline]
    pub fn node(&self) -> NodeIx {
        self.node
    }

    /// The node's flags as I see them.
    #[must_use]
    #[inline]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// My outbound link to it, also while it is still connecting (§3.1.3).
    #[must_use]
    #[inline]
    pub fn link(&self) -> Option<LinkId> {
        (self.link != NO_LINK).then_some(LinkId(self.link))
    }

    fn census(&self) -> Census {
        let hidden = self.flags.any(Flags::MYSELF | Flags::NOADDR);
        Census {
            unlinked: u32::from(!hidden && self.link == NO_LINK),
            handshakes: u32::from(self.flags.any(Flags::HANDSHAKE)),
            pfail: u32::from(!hidden && self.flags.any(Flags::PFAIL)),
        }
    }
}

impl Peer {
    fn new(now: Millis, no_slots: Arc<SlotSet>) -> Peer {
        Peer {
            ctime: now,
            data_received: Millis::NEVER,
            link_ctime: Millis::NEVER,
            fail_time: Millis::NEVER,
            voted_time: Millis::NEVER,
            orphaned_time: Millis::NEVER,
            repl_offset: 0,
            repl_offset_time: Millis::NEVER,
            config_epoch: Epoch(0),
            slots: no_slots,
            slot_count: 0,
            replica_of: None,
            replicas: Vec::new(),
            fail_reports: Vec::new(),
        }
    }

    /// Its replicas, in the order in which they were added (§2.4).
    #[must_use]
    pub fn replicas(&self) -> &[PeerIx] {
        &self.replicas
    }
}

impl Census {
    fn replace(&mut self, old: Census, new: Census) {
        self.unlinked = self.unlinked - old.unlinked + new.unlinked;
        self.handshakes = self.handshakes - old.handshakes + new.handshakes;
        self.pfail = self.pfail - old.pfail + new.pfail;
    }
}

impl Table {
    /// An empty table whose order derives from `seed`, fresh for each process (§0.6).
    #[must_use]
    pub fn new(seed: u64) -> Table {
        Table {
            hot: Vec::new(),
            peers: Vec::new(),
            free: Vec::new(),
            by_node: Vec::new(),
            order: Order::new(seed),
            census: Census::default(),
            replicas: 0,
        }
    }

    /// How many nodes are known, of every kind (the protocol's N).
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// One more than the greatest index of a node.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.hot.len()
    }

    /// Whether nobody is known; never so once nodes.conf was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hot record of a node.
    #[must_use]
    #[inline]
    pub fn hot(&self, ix: PeerIx) -> &Hot {
        &self.hot[ix.0 as usize]
    }

    /// The hot record of a node, to change what is not counted.
    #[inline]
    pub fn hot_mut(&mut self, ix: PeerIx) -> &mut Hot {
        &mut self.hot[ix.0 as usize]
    }

    /// The record of a node.
    #[must_use]
    #[inline]
    pub fn peer(&self, ix: PeerIx) -> &Peer {
        &self.peers[ix.0 as usize]
    }

    /// The record of a node, to be changed.
    #[inline]
    pub fn peer_mut(&mut self, ix: PeerIx) -> &mut Peer {
        &mut self.peers[ix.0 as usize]
    }

    /// A node's interned id.
    #[must_use]
    #[inline]
    pub fn node(&self, ix: PeerIx) -> NodeIx {
        self.hot(ix).node
    }

    /// A node's address.
    #[must_use]
    #[inline]
    pub fn endpoint(&self, ix: PeerIx) -> EndpointIx {
        self.hot(ix).endpoint
    }

    /// A node's flags.
    #[must_use]
    #[inline]
    pub fn flags(&self, ix: PeerIx) -> Flags {
        self.hot(ix).flags
    }

    /// My outbound link to a node.
    #[must_use]
    #[inline]
    pub fn link(&self, ix: PeerIx) -> Option<LinkId> {
        self.hot(ix).link()
    }

    /// How many nodes there are of each kind that the cron cares for.
    #[must_use]
    #[inline]
    pub fn census(&self) -> Census {
        self.census
    }

    /// Sets flags of a node.
    #[inline]
    pub fn set_flags(&mut self, ix: PeerIx, flags: Flags) {
        self.change(ix, |hot| hot.flags.set(flags));
    }

    /// Clears flags of a node.
    #[inline]
    pub fn clear_flags(&mut self, ix: PeerIx, flags: Flags) {
        self.change(ix, |hot| hot.flags.clear(flags));
    }

    /// Notes my outbound link to a node, or that there is none any more.
    #[inline]
    pub fn set_link(&mut self, ix: PeerIx, link: Option<LinkId>) {
        self.change(ix, |hot| hot.link = link.map_or(NO_LINK, |link| link.0));
    }

    #[inline]
    fn change(&mut self, ix: PeerIx, change: impl FnOnce(&mut Hot)) {
        let hot = &mut self.hot[ix.0 as usize];
        let old = hot.census();
        change(hot);
        self.census.replace(old, hot.census());
    }

    /// Appends to a master's list of replicas; returns whether it was not there yet (§2.4).
    pub fn add_replica(&mut self, master: PeerIx, replica: PeerIx) -> bool {
        let replicas = &mut self.peer_mut(master).replicas;
        if replicas.contains(&replica) {
            return false;
        }
        replicas.push(replica);
        self.replicas += 1;
        true
    }

    /// Takes a replica from a master's list; returns whether it was there (§2.4).
    pub fn remove_replica(&mut self, master: PeerIx, replica: PeerIx) -> bool {
        let replicas = &mut self.peer_mut(master).replicas;
        let Some(at) = replicas.iter().position(|&other| other == replica) else { return false };
        replicas.remove(at);
        self.replicas -= 1;
        true
    }

    /// Takes away a node's list of replicas.
    pub fn take_replicas(&mut self, master: PeerIx) -> Vec<PeerIx> {
        let replicas = std::mem::take(&mut self.peer_mut(master).replicas);
        self.replicas -= replicas.len() as u32;
        replicas
    }

    /// Whether a node that is not a replica has replicas (§2.3).
    #[must_use]
    pub fn masters_have_replicas(&self) -> bool {
        self.replicas > 0
            && self
                .order()
                .iter()
                .any(|&ix| !self.flags(ix).is_replica() && !self.peer(ix).replicas.is_empty())
    }

    /// Looks a node up by its interned id.
    #[must_use]
    #[inline]
    pub fn find(&self, node: NodeIx) -> Option<PeerIx> {
        self.by_node.get(node.0 as usize).filter(|&&at| at != NOBODY).map(|&at| PeerIx(at))
    }

    /// Looks a node up by its id.
    #[must_use]
    pub fn find_id(&self, ids: &Ids, id: NodeId) -> Option<PeerIx> {
        self.find(ids.find(id)?)
    }

    /// Adds a node that is not in the table yet (§2.1).
    ///
    /// # Panics
    /// If a node with this id is already there.
    pub fn insert(
        &mut self,
        ids: &Ids,
        node: NodeIx,
        flags: Flags,
        endpoint: EndpointIx,
        now: Millis,
        no_slots: Arc<SlotSet>,
    ) -> PeerIx {
        let hot = Hot {
            ping_sent: Millis::NEVER,
            pong_received: Millis::NEVER,
            node,
            endpoint,
            link: NO_LINK,
            flags,
            reports: 0,
        };
        let peer = Peer::new(now, no_slots);
        let ix = match self.free.pop() {
            Some(ix) => {
                self.hot[ix.0 as usize] = hot;
                self.peers[ix.0 as usize] = peer;
                ix
            }
            None => {
                self.hot.push(hot);
                self.peers.push(peer);
                PeerIx(self.peers.len() as u32 - 1)
            }
        };
        self.census.replace(Census::default(), hot.census());
        self.name(node, ix);
        self.order.insert(ix, ids.id(node));
        ix
    }

    /// Takes a node out of the table. What points to it is the caller's business (§2.5).
    pub fn remove(&mut self, ix: PeerIx) {
        let hot = *self.hot(ix);
        self.by_node[hot.node.0 as usize] = NOBODY;
        self.census.replace(hot.census(), Census::default());
        self.order.remove(ix);
        self.free.push(ix);
    }

    /// Gives a node its real id (§3.8.4): it is taken out and put in again (§0.6.2).
    ///
    /// # Panics
    /// If a node with the new id is already there.
    pub fn rename(&mut self, ids: &Ids, ix: PeerIx, node: NodeIx) {
        let old = self.node(ix);
        self.by_node[old.0 as usize] = NOBODY;
        self.order.remove(ix);
        self.hot_mut(ix).node = node;
        self.name(node, ix);
        self.order.insert(ix, ids.id(node));
    }

    fn name(&mut self, node: NodeIx, ix: PeerIx) {
        let at = node.0 as usize;
        if self.by_node.len() <= at {
            self.by_node.resize(at + 1, NOBODY);
        }
        assert_eq!(self.by_node[at], NOBODY, "a node is in the table once");
        self.by_node[at] = ix.0;
    }

    /// All nodes in table order (§0.6.2).
    #[must_use]
    #[inline]
    pub fn order(&self) -> &[PeerIx] {
        self.order.layout().sequence()
    }

    /// The node at a place of the table order.
    #[must_use]
    #[inline]
    pub fn at(&self, place: usize) -> PeerIx {
        self.order()[place]
    }

    /// The table order, to draw from it many times.
    #[must_use]
    #[inline]
    pub fn layout(&self) -> &Layout {
        self.order.layout()
    }

    /// Counts the changes of the table order.
    #[must_use]
    #[inline]
    pub fn order_version(&self) -> u64 {
        self.order.version()
    }

    /// Draws a node as `dictGetRandomKey` does (§0.6.4).
    ///
    /// # Panics
    /// If the table is empty.
    #[inline]
    pub fn random(&self, stream: &mut Stream) -> PeerIx {
        self.layout().random(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};
    use std::collections::BTreeSet;

    fn filled(count: u64, seed: u64) -> (Table, Ids, Vec<PeerIx>) {
        let mut ids = Ids::new();
        let mut table = Table::new(seed);
        let mut stream = Seed(count).stream(Purpose::Identity, 0, 0);
        let peers = (0..count)
            .map(|_| {
                let node = ids.intern(NodeId::random(&mut stream));
                table.insert(&ids, node, Flags::MASTER, Ids::NOWHERE, Millis(1), Arc::default())
            })
            .collect();
        (table, ids, peers)
    }

    #[test]
    fn the_order_holds_every_node_once_0_6_2() {
        let (table, _, peers) = filled(100, 1);
        let all: BTreeSet<PeerIx> = table.order().iter().copied().collect();
        assert_eq!(all, peers.into_iter().collect());
        assert_eq!(table.order().len(), 100);
    }

    #[test]
    fn a_removed_node_is_gone_and_its_place_is_used_again() {
        let (mut table, mut ids, peers) = filled(5, 1);
        let node = table.node(peers[2]);
        table.remove(peers[2]);
        assert_eq!(table.find(node), None);
        assert_eq!(table.len(), 4);
        let fresh = ids.intern(NodeId::random(&mut Seed(99).stream(Purpose::Identity, 0, 0)));
        let again = table.insert(&ids, fresh, Flags::NONE, Ids::NOWHERE, Millis(2), Arc::default());
        assert_eq!(again, peers[2]);
        assert_eq!(table.find(fresh), Some(again));
    }

    #[test]
    fn a_renamed_node_keeps_its_index_3_8_4() {
        let (mut table, mut ids, peers) = filled(3, 1);
        let old = table.node(peers[1]);
        let real = ids.intern(NodeId::random(&mut Seed(99).stream(Purpose::Identity, 0, 0)));
        table.rename(&ids, peers[1], real);
        assert_eq!(table.find(old), None);
        assert_eq!(table.find(real), Some(peers[1]));
        assert_eq!(table.len(), 3);
    }

    #[test]
    fn the_census_follows_flags_and_links() {
        let (mut table, _, peers) = filled(3, 1);
        assert_eq!(table.census(), Census { unlinked: 3, handshakes: 0, pfail: 0 });
        table.set_flags(peers[0], Flags::MYSELF);
        table.set_link(peers[1], Some(LinkId(4)));
        table.set_flags(peers[1], Flags::PFAIL | Flags::HANDSHAKE);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 1, pfail: 1 });
        table.set_flags(peers[1], Flags::NOADDR);
        table.set_link(peers[1], None);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 1, pfail: 0 });
        table.remove(peers[2]);
        table.clear_flags(peers[1], Flags::NOADDR | Flags::HANDSHAKE);
        assert_eq!(table.census(), Census { unlinked: 1, handshakes: 0, pfail: 1 });
    }

    #[test]
    fn two_hot_records_fit_into_a_cache_line() {
        assert_eq!(std::mem::size_of::<Hot>(), 32);
    }
}
