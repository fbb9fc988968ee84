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

/// The flags that nearly all nodes have, by their number; 0 stands for all others.
const COMMON: [Flags; 4] =
    [Flags::NONE, Flags::MASTER, Flags::REPLICA, Flags(Flags::MASTER.0 | Flags::MIGRATE_TO.0)];

/// The number of some flags; 0 = they are not common.
pub(crate) fn common_number(flags: Flags) -> u8 {
    let number = COMMON.iter().skip(1).position(|&common| common == flags);
    number.map_or(0, |at| at as u8 + 1)
}

/// A node that is spoken of briefly: its index, and above it the number of its flags.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brief(u32);

impl Brief {
    pub(crate) const NOBODY: Brief = Brief(0);

    #[inline]
    pub(crate) const fn new(ix: PeerIx, common: u8) -> Brief {
        Brief(ix.0 as u32 | (common as u32) << 16)
    }

    #[inline]
    pub(crate) const fn ix(self) -> PeerIx {
        PeerIx(self.0 as u16)
    }

    fn flags(self) -> Flags {
        COMMON[(self.0 >> 16) as usize % COMMON.len()]
    }
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
    /// What the indices mean.
    names: Arc<Names>,
    /// The second that pulses count from.
    pub(crate) base: u32,
    /// No pulse is later.
    pub(crate) newest: u8,
    /// Who is spoken of, in order.
    pub(crate) who: Vec<Brief>,
    /// When each node last answered, by index, in seconds after the base; 0 = it is not spoken of.
    pub(crate) pulses: Vec<u8>,
}

impl Section {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.brief.who.len() + self.full.len()
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
        self.brief.who.reserve(entries + 1);
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: Gossip) {
        self.full.push(entry);
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = Gossip> + '_ {
        self.brief.iter().map(|(_, entry)| entry).chain(self.full.iter().copied())
    }

    /// The entries that are told in full.
    pub(crate) fn full(&self) -> &[Gossip] {
        &self.full
    }

    /// Forgets all entries.
    #[inline]
    pub fn clear(&mut self) {
        self.full.clear();
        self.brief.who.clear();
    }
}

impl Briefs {
    /// Makes room for speaking of the nodes with these names.
    #[inline]
    pub(crate) fn open(&mut self, names: &Arc<Names>, base: u32, newest: u8, nodes: usize) {
        if !Arc::ptr_eq(&self.names, names) {
            self.names = Arc::clone(names);
        }
        (self.base, self.newest) = (base, newest);
        self.pulses.clear();
        self.pulses.resize(nodes, 0);
    }

    /// Whether indices mean the same as in these names.
    #[inline]
    pub(crate) fn speaks_of(&self, names: &Arc<Names>) -> bool {
        Arc::ptr_eq(&self.names, names)
    }

    /// All entries and the indices that they stand for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerIx, Gossip)> + '_ {
        self.who.iter().map(|brief| {
            let ix = brief.ix();
            let entry = Gossip {
                node: self.names.node(ix),
                endpoint: self.names.endpoint(ix),
                ping_sent: 0,
                pong_received: self.base + u32::from(self.pulses[ix.index()]),
                flags: brief.flags(),
            };
            (ix, entry)
        })
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
    fn common_flags_have_numbers_and_others_have_none() {
        for (number, flags) in COMMON.into_iter().enumerate() {
            assert_eq!(usize::from(common_number(flags)), number);
            assert_eq!(Brief::new(PeerIx(9), number as u8).flags(), flags);
        }
        assert_eq!(common_number(Flags::MASTER | Flags::FAIL), 0);
    }

    #[test]
    fn brief_entries_say_all_that_others_say_4_2_1() {
        let named = [(NodeIx(4), EndpointIx(7)), (NodeIx(5), EndpointIx(8))];
        let names = Names::of(named);
        let mut section = Section::default();
        section.brief.open(&names, 1_000, 25, 2);
        section.brief.who.push(Brief::new(PeerIx(1), 2));
        section.brief.pulses[1] = 25;
        let entry = Gossip {
            node: NodeIx(5),
            endpoint: EndpointIx(8),
            ping_sent: 0,
            pong_received: 1_025,
            flags: Flags::REPLICA,
        };
        assert_eq!(section, [entry].into_iter().collect());
        section.clear();
        assert!(section.is_empty());
    }
}
