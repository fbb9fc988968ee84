//! The bytes of the bus (§4.2): packets encoded as a real node would send them, and decoded as a
//! real node would read them.
//!
//! Virtual nodes exchange typed packets and need none of this. It proves that the typed packets carry
//! everything that the real ones do, and in as many bytes.

use std::net::IpAddr;
use std::sync::Arc;

use redis_cluster_sim::id::{Endpoint, Ids, NodeId, NodeIx};
use redis_cluster_sim::node::flags::Flags;
use redis_cluster_sim::node::packet::{Body, Epoch, HEADER_BYTES, MessageType, Packet};
use redis_cluster_sim::node::section::{Gossip, Section};
use redis_cluster_sim::slot::{SLOTS, SlotSet};

const SIGNATURE: &[u8; 4] = b"RCmb";
const VERSION: u16 = 1;
const NAME_BYTES: usize = 40;
const IP_BYTES: usize = 46;
const SLOT_BYTES: usize = SLOTS as usize / 8;
const RESERVED_BYTES: usize = 32;
const PAUSED: u8 = 1;
pub(crate) const FORCE_ACK: u8 = 2;

/// Why bytes are not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// The first bytes are not those of a bus packet, or announce less than a header (§3.6): a
    /// node closes such a link.
    #[error("bad message length or signature")]
    Signature,
    /// The packet has another length than its type and counts ask for, or another version: a node
    /// ignores it (§4.2.3).
    #[error("not a packet of this version")]
    Malformed,
    /// There is no such type, or it carries what virtual nodes have no use for (MODULE).
    #[error("unknown packet type {0}")]
    UnknownType(u16),
}

/// Encodes a packet.
#[must_use]
pub(crate) fn encode(packet: &Packet, ids: &Ids) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(packet.wire_bytes() as usize));
    out.header(packet, ids);
    match &packet.body {
        Body::Empty => packet.gossip.iter().for_each(|entry| out.gossip(&entry, ids)),
        Body::Fail(about) => out.name(Some(*about), ids),
        Body::Publish { channel, message } => {
            out.u32(channel.len() as u32);
            out.u32(message.len() as u32);
            out.0.extend_from_slice(channel);
            out.0.extend_from_slice(message);
        }
        Body::Update { node, config_epoch, slots } => {
            out.u64(config_epoch.0);
            out.name(Some(*node), ids);
            out.0.extend(slots.bytes());
        }
    }
    out.0
}

/// Decodes a packet; ids and addresses that are new are interned.
///
/// # Errors
/// If the bytes are not exactly one packet that a node would look at.
pub(crate) fn decode(bytes: &[u8], ids: &mut Ids) -> Result<Packet, WireError> {
    let mut input = Reader(bytes);
    let signed = input.take(4) == Ok(SIGNATURE.as_slice());
    let length = input.u32().map_err(|_| WireError::Signature)?;
    if !signed || length < HEADER_BYTES {
        return Err(WireError::Signature);
    }
    if length as usize != bytes.len() || input.u16()? != VERSION {
        return Err(WireError::Malformed);
    }
    let (mut packet, entries) = input.header(ids)?;
    match packet.kind {
        MessageType::Ping | MessageType::Pong | MessageType::Meet => {
            for _ in 0..entries {
                let entry = input.gossip(ids)?;
                packet.gossip.push(entry);
            }
        }
        MessageType::Fail => packet.body = Body::Fail(input.some_name(ids)?),
        MessageType::Publish => {
            let (channel, message) = (input.u32()? as usize, input.u32()? as usize);
            packet.body = Body::Publish {
                channel: input.take(channel)?.to_vec(),
                message: input.take(message)?.to_vec(),
            };
        }
        MessageType::Update => {
            packet.body = Body::Update {
                config_epoch: Epoch(input.u64()?),
                node: input.some_name(ids)?,
                slots: Arc::new(input.slots()?),
            };
        }
        MessageType::AuthRequest | MessageType::AuthAck | MessageType::MfStart => {}
        MessageType::Module => return Err(WireError::UnknownType(MessageType::Module as u16)),
    }
    if input.0.is_empty() { Ok(packet) } else { Err(WireError::Malformed) }
}

/// Appends fields, most significant byte first.
struct Writer(Vec<u8>);

impl Writer {
    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// 40 digits, or 40 zero bytes.
    fn name(&mut self, node: Option<NodeIx>, ids: &Ids) {
        match node {
            Some(node) => self.0.extend_from_slice(ids.id(node).to_string().as_bytes()),
            None => self.0.extend_from_slice(&[0; NAME_BYTES]),
        }
    }

    fn ip(&mut self, endpoint: &Endpoint) {
        let start = self.0.len();
        self.0.extend_from_slice(endpoint.ip_text().as_bytes());
        self.0.resize(start + IP_BYTES, 0);
    }

    fn header(&mut self, packet: &Packet, ids: &Ids) {
        let endpoint = ids.endpoint(packet.endpoint);
        self.0.extend_from_slice(SIGNATURE);
        self.u32(packet.wire_bytes());
        self.u16(VERSION);
        self.u16(endpoint.port);
        self.u16(packet.kind as u16);
        self.u16(packet.gossip.len() as u16);
        self.u64(packet.current_epoch.0);
        self.u64(packet.config_epoch.0);
        self.u64(packet.offset);
        self.name(Some(packet.sender), ids);
        self.0.extend(packet.slots.bytes());
        self.name(packet.replica_of, ids);
        self.ip(&endpoint);
        self.0.extend_from_slice(&[0; RESERVED_BYTES]);
        self.u16(endpoint.pport);
        self.u16(endpoint.cport);
        self.u16(packet.flags.0);
        self.0.push(u8::from(!packet.state_ok));
        let paused = if packet.paused { PAUSED } else { 0 };
        let force_ack = if packet.force_ack { FORCE_ACK } else { 0 };
        self.0.extend_from_slice(&[paused | force_ack, 0, 0]);
    }

    fn gossip(&mut self, entry: &Gossip, ids: &Ids) {
        let endpoint = ids.endpoint(entry.endpoint);
        self.name(Some(entry.node), ids);
        self.u32(entry.ping_sent);
        self.u32(entry.pong_received);
        self.ip(&endpoint);
        self.u16(endpoint.port);
        self.u16(endpoint.cport);
        self.u16(entry.flags.0);
        self.u16(endpoint.pport);
        self.u16(0);
    }
}

/// Takes fields off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (field, rest) = self.0.split_at_checked(count).ok_or(WireError::Malformed)?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.take(N)?.try_into().map_err(|_| WireError::Malformed)
    }

    fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    fn name(&mut self, ids: &mut Ids) -> Result<Option<NodeIx>, WireError> {
        let digits = self.take(NAME_BYTES)?;
        if digits.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let id = NodeId::from_argument(digits).ok_or(WireError::Malformed)?;
        Ok(Some(ids.intern(id)))
    }

    fn some_name(&mut self, ids: &mut Ids) -> Result<NodeIx, WireError> {
        self.name(ids)?.ok_or(WireError::Malformed)
    }

    fn ip(&mut self) -> Result<Option<IpAddr>, WireError> {
        let field = self.take(IP_BYTES)?;
        let end = field.iter().position(|&byte| byte == 0).unwrap_or(IP_BYTES);
        if end == 0 {
            return Ok(None);
        }
        let text = std::str::from_utf8(&field[..end]).map_err(|_| WireError::Malformed)?;
        text.parse().map(Some).map_err(|_| WireError::Malformed)
    }

    fn slots(&mut self) -> Result<SlotSet, WireError> {
        Ok(SlotSet::from_bytes(&self.array::<SLOT_BYTES>()?))
    }

    /// The header from the port on, and the number of gossip entries.
    fn header(&mut self, ids: &mut Ids) -> Result<(Packet, u16), WireError> {
        let port = self.u16()?;
        let number = self.u16()?;
        let kind = MessageType::ALL.get(usize::from(number)).copied();
        let kind = kind.ok_or(WireError::UnknownType(number))?;
        let entries = self.u16()?;
        let [current_epoch, config_epoch] = [Epoch(self.u64()?), Epoch(self.u64()?)];
        let offset = self.u64()?;
        let sender = self.some_name(ids)?;
        let slots = Arc::new(self.slots()?);
        let replica_of = self.name(ids)?;
        let ip = self.ip()?;
        self.take(RESERVED_BYTES)?;
        let [pport, cport] = [self.u16()?, self.u16()?];
        let flags = Flags(self.u16()?);
        let state_ok = self.u8()? == 0;
        let [mflags, _, _] = self.array()?;
        let packet = Packet {
            kind,
            sender,
            endpoint: ids.intern_endpoint(Endpoint { ip, port, cport, pport }),
            flags,
            current_epoch,
            config_epoch,
            offset,
            slots,
            replica_of,
            state_ok,
            paused: mflags & PAUSED != 0,
            force_ack: mflags & FORCE_ACK != 0,
            gossip: Section::default(),
            body: Body::Empty,
        };
        Ok((packet, entries))
    }

    fn gossip(&mut self, ids: &mut Ids) -> Result<Gossip, WireError> {
        let node = self.some_name(ids)?;
        let [ping_sent, pong_received] = [self.u32()?, self.u32()?];
        let ip = self.ip()?;
        let [port, cport] = [self.u16()?, self.u16()?];
        let flags = Flags(self.u16()?);
        let [pport, _unused] = [self.u16()?, self.u16()?];
        let endpoint = ids.intern_endpoint(Endpoint { ip, port, cport, pport });
        Ok(Gossip { node, endpoint, ping_sent, pong_received, flags })
    }
}
