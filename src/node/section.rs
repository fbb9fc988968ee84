//! The gossip section of a packet: what it says of other nodes (§4.2.1).
//!
//! Most of what nodes tell each other is that somebody answered at some second. A sender whose
//! [`Names`] are those of the cluster's start says that *briefly*: by the node's index, and with the
//! second as a byte in a list of all nodes. A receiver with the same names then merges whole lists,
//! sixteen nodes at a time, which is what lets a thousand nodes run. Everybody else reads the same
//! entries one by one; what a section says does not depend on how it says it.

use std::sync::Arc;

use crate::id::{EndpointIx, NodeIx};
use crate::node::flags::Flags;
use crate::node::names::{Names, PeerIx};

/// One entry of a gossip section (§4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gossip {
    /// The node that is spoken of.
    pub node: NodeIx,
    /// Its address as the sender knows it.
    pub endpoint: EndpointIx,
    /// When the sender pinged it without an answer yet, in whole seconds (§0.3.3).
    pub ping_sent: u32,
    /// When it last answered the sender, in whole seconds (§0.3.3).
    pub pong_received: u32,
    /// Its flags as the sender sees them.
    pub flags: Flags,
}

/// The gossip section of a packet.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// The entries that are told in full.
    full: Vec<Gossip>,
    pub(crate) brief: Briefs,
}

/// The entries that are told briefly.
#[derive(Debug, Clone, Default)]
pub(crate) struct Briefs {
    /// What the indices mean. Who is spoken of has the flags it began with.
    names: Arc<Names>,
    /// The second that pulses count from.
    pub(crate) base: u32,
    /// No pulse is later.
    pub(crate) newest: u8,
    /// How many nodes are spoken of.
    pub(crate) count: usize,
    /// When each node last answered, by index, in seconds after the base.
    pub(crate) pulses: Vec<u8>,
}

/// The pulse of a node that is not spoken of.
pub(crate) const NOT_TOLD: u8 = 0;

/// The pulse of a node that is said never to have answered.
pub(crate) const NEVER_SEEN: u8 = 1;

impl Section {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.brief.count + self.full.len()
    }

    /// Whether nobody is spoken of.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for entries, so that a section that is used again needs none later.
    #[inline]
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.full.reserve(entries);
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Gossip) {
        self.full.push(entry);
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Gossip> + '_ {
        self.brief.iter().chain(self.full.iter().copied())
    }

    /// The entries that are told in full.
    pub(crate) fn full(&self) -> &[Gossip] {
        &self.full
    }

    /// Forgets all entries.
    #[inline]
    pub fn clear(&mut self) {
        self.full.clear();
        self.brief.count = 0;
    }
}

impl Briefs {
    /// Makes room for speaking of nodes with these names; nobody is spoken of yet.
    #[inline]
    pub(crate) fn open(&mut self, names: &Arc<Names>, base: u32) {
        if !Arc::ptr_eq(&self.names, names) {
            self.names = Arc::clone(names);
            self.pulses.resize(names.len(), NOT_TOLD);
        }
        self.base = base;
        self.close();
    }

    /// Speaks of nobody.
    #[inline]
    pub(crate) fn close(&mut self) {
        (self.newest, self.count) = (0, 0);
        self.pulses.fill(NOT_TOLD);
    }

    /// Speaks of a node that nobody has spoken of yet.
    #[inline]
    pub(crate) fn tell(&mut self, ix: PeerIx, pulse: u8) {
        let pulse = pulse.max(NEVER_SEEN);
        self.pulses[ix.index()] = pulse;
        self.newest = self.newest.max(pulse);
        self.count += 1;
    }

    /// Whether indices mean the same as in these names.
    #[inline]
    pub(crate) fn speaks_of(&self, names: &Arc<Names>) -> bool {
        Arc::ptr_eq(&self.names, names)
    }

    /// What is said of a node, if it is spoken of.
    pub(crate) fn entry(&self, ix: PeerIx) -> Option<Gossip> {
        let pulse = *self.pulses.get(ix.index()).filter(|_| self.count > 0)?;
        let flags = self.names.first_flags(ix).filter(|_| pulse != NOT_TOLD)?;
        Some(Gossip {
            node: self.names.node(ix),
            endpoint: self.names.endpoint(ix),
            ping_sent: 0,
            pong_received: if pulse == NEVER_SEEN { 0 } else { self.base + u32::from(pulse) },
            flags,
        })
    }

    /// All entries.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Gossip> + '_ {
        let nodes = if self.count > 0 { self.pulses.len() } else { 0 };
        (0..nodes).filter_map(|at| self.entry(PeerIx(at as u16)))
    }
}

impl PartialEq for Section {
    fn eq(&self, other: &Section) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<Gossip> for Section {
    fn from_iter<I: IntoIterator<Item = Gossip>>(entries: I) -> Section {
        Section { full: entries.into_iter().collect(), ..Section::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brief_entries_say_all_that_others_say_4_2_1() {
        let named =
            [(NodeIx(4), EndpointIx(7), Flags::MASTER), (NodeIx(5), EndpointIx(8), Flags::REPLICA)];
        let names = Names::of(named);
        let mut section = Section::default();
        section.brief.open(&names, 1_000);
        (section.brief.pulses[1], section.brief.count) = (25, 1);
        let entry = Gossip {
            node: NodeIx(5),
            endpoint: EndpointIx(8),
            ping_sent: 0,
            pong_received: 1_025,
            flags: Flags::REPLICA,
        };
        assert_eq!(section, [entry].into_iter().collect());
        section.brief.pulses[1] = NEVER_SEEN;
        let never = Gossip { pong_received: 0, ..entry };
        assert_eq!(section, [never].into_iter().collect());
        section.clear();
        assert!(section.is_empty());
    }
}
