//! Which node stands at which index of a table, and at which address.
//!
//! Nodes that have loaded the same formed cluster share these lists until one of them learns
//! something new: it then goes on with a copy of its own. That is storage, not knowledge.

use std::sync::Arc;

use crate::id::{EndpointIx, NodeIx};
use crate::node::flags::Flags;

/// A node's index in one process's own table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerIx(pub u16);

impl PeerIx {
    /// As an index.
    #[must_use]
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The index of the next node of a table that holds this many.
    ///
    /// # Panics
    /// If the table is full: a cluster has at most one master for each of its 16,384 slots.
    #[must_use]
    pub fn nth(count: usize) -> PeerIx {
        let index = u16::try_from(count).ok().filter(|&index| index < u16::MAX);
        // Memory ends first: each node knows each other one.
        PeerIx(index.expect("a table holds fewer than 65,535 nodes"))
    }
}

/// Ids, addresses and first flags by index, and indices by id.
#[derive(Debug, Clone, Default)]
pub struct Names {
    nodes: Vec<NodeIx>,
    endpoints: Vec<EndpointIx>,
    /// The flags with which the members of a formed cluster begin.
    flags: Vec<Flags>,
    /// By interned id; `NOBODY` = not known.
    by_node: Vec<u16>,
}

const NOBODY: u16 = u16::MAX;

impl Names {
    /// The names of a formed cluster's members, in order.
    ///
    /// # Panics
    /// If a node is named twice.
    #[must_use]
    pub fn of(members: impl IntoIterator<Item = (NodeIx, EndpointIx, Flags)>) -> Arc<Names> {
        let mut names = Names::default();
        for (at, (node, endpoint, flags)) in members.into_iter().enumerate() {
            names.put(PeerIx::nth(at), node, endpoint);
            names.flags.push(flags);
        }
        Arc::new(names)
    }

    /// How many indices have a name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether nobody has a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    #[inline]
    pub(crate) fn node(&self, ix: PeerIx) -> NodeIx {
        self.nodes[ix.index()]
    }

    #[inline]
    pub(crate) fn endpoint(&self, ix: PeerIx) -> EndpointIx {
        self.endpoints[ix.index()]
    }

    /// The flags with which a member of a formed cluster began.
    #[inline]
    pub(crate) fn first_flags(&self, ix: PeerIx) -> Option<Flags> {
        self.flags.get(ix.index()).copied()
    }

    #[inline]
    pub(crate) fn find(&self, node: NodeIx) -> Option<PeerIx> {
        match self.by_node.get(node.0 as usize) {
            Some(&at) if at != NOBODY => Some(PeerIx(at)),
            _ => None,
        }
    }

    /// Indices by interned id, out of range for who is not known.
    #[inline]
    pub(crate) fn by_node(&self) -> &[u16] {
        &self.by_node
    }

    pub(crate) fn set_endpoint(&mut self, ix: PeerIx, endpoint: EndpointIx) {
        self.endpoints[ix.index()] = endpoint;
    }

    /// Gives an index a name; it is the next new one, or one that was freed.
    pub(crate) fn put(&mut self, ix: PeerIx, node: NodeIx, endpoint: EndpointIx) {
        let at = ix.index();
        if at == self.nodes.len() {
            self.nodes.push(node);
            self.endpoints.push(endpoint);
        } else {
            self.nodes[at] = node;
            self.endpoints[at] = endpoint;
        }
        let key = node.0 as usize;
        if self.by_node.len() <= key {
            self.by_node.resize(key + 1, NOBODY);
        }
        assert_eq!(self.by_node[key], NOBODY, "a node is in the table once");
        self.by_node[key] = ix.0;
    }

    pub(crate) fn forget(&mut self, ix: PeerIx) {
        let key = self.node(ix).0 as usize;
        self.by_node[key] = NOBODY;
    }
}
