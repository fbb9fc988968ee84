//! Traps for single packets: the next ones of a type on a path are lost, or the next one is held.
//!
//! The network never looks into a message, so it is here that packets are picked, before they are
//! given to it. A packet that is held stands where TCP would have it stand: everything that its sender
//! puts on the same connection later waits behind it, and the other direction goes on.

use std::collections::BTreeMap;

use crate::network::message::Message;
use crate::network::{NodeNo, Site};
use crate::node::effect::LinkId;
use crate::node::packet::{MessageType, Packet};
use crate::world::event::LinkEvent;
use crate::world::observe::Fault;
use crate::world::{FaultError, Program, World};

/// What a trap waits for: a type of packets on a path.
pub type Bait = (NodeNo, NodeNo, MessageType);

/// What happens to a packet that runs into a trap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trap {
    /// It is lost; the trap is set for so many packets.
    Lose(u32),
    /// It is held.
    Hold,
}

/// All traps that are set.
pub(crate) type Traps = BTreeMap<Bait, Trap>;

impl<P: Program> World<P> {
    /// Sets a trap for what one node sends to another.
    ///
    /// # Errors
    /// If one is set for the same packets already.
    pub fn set_trap(&mut self, bait: Bait, trap: Trap) -> Result<(), FaultError> {
        if self.traps.contains_key(&bait) {
            return Err(FaultError::TrapIsSet);
        }
        self.interfere(Fault::Trap(bait, trap));
        self.traps.insert(bait, trap);
        Ok(())
    }

    /// The trap that is set for these packets, if there is one.
    #[must_use]
    pub fn trap(&self, bait: Bait) -> Option<Trap> {
        self.traps.get(&bait).copied()
    }

    /// Lets go on what is held on the way from one node to another. Says on how many connections
    /// anything was.
    pub fn release(&mut self, from: NodeNo, to: NodeNo) -> usize {
        self.interfere(Fault::Release(from, to));
        let held = self.network.stopped_between(from.into(), to.into());
        for &link in &held {
            self.network.go_on(link);
            self.send_held(link);
        }
        held.len()
    }

    /// Takes a packet that runs into a trap; gives it back if it does not.
    pub(super) fn trapped(
        &mut self,
        node: NodeNo,
        link: LinkId,
        packet: Box<Packet>,
    ) -> Option<Box<Packet>> {
        let to = self.network.connection(link).end(link.other()).site();
        let Some(Site::Node(to)) = to else { return Some(packet) };
        let bait = (node, to, packet.kind);
        match self.traps.get_mut(&bait) {
            None => return Some(packet),
            Some(Trap::Lose(left)) => {
                *left -= 1;
                if *left == 0 {
                    self.traps.remove(&bait);
                }
                self.lose(link, Message::Packet(packet));
            }
            Some(Trap::Hold) => {
                self.traps.remove(&bait);
                self.send_what_is_in_front(link);
                self.network.stop(link);
                self.network.hold(self.now, link, Message::Packet(packet));
            }
        }
        None
    }

    /// What only waits for an acknowledgement is not behind what is held, so it goes.
    fn send_what_is_in_front(&mut self, link: LinkId) {
        if self.network.is_held_back(link) {
            return;
        }
        let mut waiting = self.network.take_held(link);
        while let Some(message) = self.network.next_held(&mut waiting) {
            let at = self.network.hop(self.now, link);
            self.schedule_at(link.other(), at, LinkEvent::Arrival(message));
        }
    }
}
