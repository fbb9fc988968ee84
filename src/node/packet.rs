//! The messages of the cluster bus (§4), as typed values that know their length on the wire.
//!
//! Packets are made by a node, carried by the network, read by another node, and then go back to
//! the pool they came from ([`PacketPool`]), so that the steady state allocates nothing.

use std::sync::Arc;

use crate::id::{EndpointIx, Ids, NodeIx};
use crate::node::flags::Flags;
use crate::node::section::Section;
use crate::slot::SlotSet;

/// A configuration epoch or the cluster's current epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The type of a message (§4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// "Are you there?", with gossip.
    Ping = 0,
    /// The answer to PING and MEET, or a broadcast of news about oneself.
    Pong = 1,
    /// A PING that asks the receiver to add the sender.
    Meet = 2,
    /// "This node is in FAIL."
    Fail = 3,
    /// A published message for subscribers elsewhere.
    Publish = 4,
    /// A replica asks for a vote.
    AuthRequest = 5,
    /// A master gives its vote.
    AuthAck = 6,
    /// "You are out of date about this node's slots."
    Update = 7,
    /// A replica asks its master to pause for a manual failover.
    MfStart = 8,
    /// A module's own message.
    Module = 9,
}

impl MessageType {
    /// How many types there are.
    pub const COUNT: usize = 10;

    /// Every type, in the order of its number.
    pub const ALL: [MessageType; MessageType::COUNT] = [
        MessageType::Ping,
        MessageType::Pong,
        MessageType::Meet,
        MessageType::Fail,
        MessageType::Publish,
        MessageType::AuthRequest,
        MessageType::AuthAck,
        MessageType::Update,
        MessageType::MfStart,
        MessageType::Module,
    ];

    /// The name in CLUSTER INFO's counters (§4.1).
    #[must_use]
    pub const fn counter_name(self) -> &'static str {
        match self {
            MessageType::Ping => "ping",
            MessageType::Pong => "pong",
            MessageType::Meet => "meet",
            MessageType::Fail => "fail",
            MessageType::Publish => "publish",
            MessageType::AuthRequest => "auth-req",
            MessageType::AuthAck => "auth-ack",
            MessageType::Update => "update",
            MessageType::MfStart => "mfstart",
            MessageType::Module => "module",
        }
    }
}

/// What follows the header, other than gossip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// The node that failed.
    Fail(NodeIx),
    /// A published message.
    Publish {
        /// The channel.
        channel: Vec<u8>,
        /// The message.
        message: Vec<u8>,
    },
    /// What a node owns, at which epoch.
    Update {
        /// The owner.
        node: NodeIx,
        /// Its configEpoch.
        config_epoch: Epoch,
        /// Its slots.
        slots: Arc<SlotSet>,
    },
}

/// A message of the cluster bus (§4.2).
#[derive(Debug, Clone)]
pub struct Packet {
    /// Its type.
    pub kind: MessageType,
    /// The sender's id.
    pub sender: NodeIx,
    /// The sender's announced address; its `ip` is `None` where the receiver shall use the address
    /// that the connection comes from.
    pub endpoint: EndpointIx,
    /// The sender's own flags.
    pub flags: Flags,
    /// The sender's currentEpoch.
    pub current_epoch: Epoch,
    /// The sender's configEpoch, or its master's if it is a replica.
    pub config_epoch: Epoch,
    /// The sender's replication offset.
    pub offset: u64,
    /// The slots of the sender, or of its master if it is a replica.
    pub slots: Arc<SlotSet>,
    /// The sender's master.
    pub replica_of: Option<NodeIx>,
    /// Whether the sender sees the cluster as ok.
    pub state_ok: bool,
    /// `mflags` bit PAUSED: a master in a manual failover.
    pub paused: bool,
    /// `mflags` bit FORCEACK: vote although the master is not in FAIL.
    pub force_ack: bool,
    /// The gossip section of PING, PONG and MEET.
    pub gossip: Section,
    /// Everything else behind the header.
    pub body: Body,
}

/// Bytes of a header (§4.2).
pub const HEADER_BYTES: u32 = 2_256;
/// Bytes of a gossip entry (§4.2.1).
pub const GOSSIP_BYTES: u32 = 104;

impl Packet {
    /// The exact length on the wire, in bytes (§4.2.2).
    #[must_use]
    pub fn wire_bytes(&self) -> u32 {
        let body = match &self.body {
            Body::Empty => GOSSIP_BYTES * self.gossip.len() as u32,
            Body::Fail(_) => 40,
            Body::Publish { channel, message } => 8 + (channel.len() + message.len()) as u32,
            Body::Update { .. } => 2_096,
        };
        HEADER_BYTES + body
    }
}

/// Packets at rest, to be used again.
#[derive(Debug)]
pub struct PacketPool {
    // Boxes, because that is how packets travel; reusing the box is the pool's purpose.
    #[allow(clippy::vec_box)]
    free: Vec<Box<Packet>>,
    no_slots: Arc<SlotSet>,
}

impl Default for PacketPool {
    fn default() -> PacketPool {
        PacketPool { free: Vec::new(), no_slots: Arc::new(SlotSet::default()) }
    }
}

impl PacketPool {
    /// A packet of this type and sender, everything else blank.
    pub fn take(&mut self, kind: MessageType, sender: NodeIx) -> Box<Packet> {
        let mut packet = self.free.pop().unwrap_or_else(|| {
            Box::new(Packet {
                kind,
                sender,
                endpoint: Ids::NOWHERE,
                flags: Flags::NONE,
                current_epoch: Epoch(0),
                config_epoch: Epoch(0),
                offset: 0,
                slots: Arc::clone(&self.no_slots),
                replica_of: None,
                state_ok: false,
                paused: false,
                force_ack: false,
                gossip: Section::default(),
                body: Body::Empty,
            })
        });
        packet.kind = kind;
        packet.sender = sender;
        packet
    }

    /// Takes a packet back. Its fields are left as they are, except for what could be large;
    /// whoever takes it next fills the whole header.
    pub fn give(&mut self, mut packet: Box<Packet>) {
        packet.gossip.clear();
        packet.body = Body::Empty;
        self.free.push(packet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::section::Gossip;

    #[test]
    fn messages_have_their_length_on_the_wire_4_2_2() {
        let mut pool = PacketPool::default();
        let mut packet = pool.take(MessageType::Ping, NodeIx(0));
        assert_eq!(packet.wire_bytes(), 2_256);
        let entry = Gossip {
            node: NodeIx(1),
            endpoint: Ids::NOWHERE,
            ping_sent: 0,
            pong_received: 0,
            flags: Flags::MASTER,
        };
        (0..3).for_each(|_| packet.gossip.push(entry));
        assert_eq!(packet.wire_bytes(), 2_568);
        packet.gossip.clear();
        packet.body = Body::Fail(NodeIx(1));
        assert_eq!(packet.wire_bytes(), 2_296);
        packet.body = Body::Publish { channel: b"ch".to_vec(), message: b"hello".to_vec() };
        assert_eq!(packet.wire_bytes(), 2_271);
        packet.body = Body::Update {
            node: NodeIx(1),
            config_epoch: Epoch(1),
            slots: Arc::new(SlotSet::default()),
        };
        assert_eq!(packet.wire_bytes(), 4_352);
    }

    #[test]
    fn each_type_has_its_number_and_its_name_in_the_counters_4_1() {
        let names = [
            "ping", "pong", "meet", "fail", "publish", "auth-req", "auth-ack", "update", "mfstart",
            "module",
        ];
        for (number, name) in names.iter().enumerate() {
            assert_eq!(MessageType::ALL[number] as usize, number, "{name}");
            assert_eq!(MessageType::ALL[number].counter_name(), *name);
        }
        assert_eq!(MessageType::COUNT, names.len());
    }
}
