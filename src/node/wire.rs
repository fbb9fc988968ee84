//! The bytes of the bus (§4.2): packets encoded as a real node would send them, and decoded as a
//! real node would read them.
//!
//! Virtual nodes exchange typed packets and need none of this. It is here so that one of them can
//! talk to a real one, and it proves that the typed packets carry everything that the real ones do.

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::{Endpoint, Ids, NodeId, NodeIx};
use crate::node::flags::Flags;
use crate::node::packet::{Body, Epoch, HEADER_BYTES, MessageType, Packet};
use crate::node::section::{Gossip, Section};
use crate::slot::{SLOTS, SlotSet};

const SIGNATURE: &[u8; 4] = b"RCmb";
const VERSION: u16 = 1;
const NAME_BYTES: usize = 40;
const IP_BYTES: usize = 46;
const SLOT_BYTES: usize = SLOTS as usize / 8;
const RESERVED_BYTES: usize = 32;
const PAUSED: u8 = 1;
const FORCE_ACK: u8 = 2;

/// Why bytes are not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
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
pub fn encode(packet: &Packet, ids: &Ids) -> Vec<u8> {
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
pub fn decode(bytes: &[u8], ids: &mut Ids) -> Result<Packet, WireError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [MessageType; 9] = [
        MessageType::Ping,
        MessageType::Pong,
        MessageType::Meet,
        MessageType::Fail,
        MessageType::Publish,
        MessageType::AuthRequest,
        MessageType::AuthAck,
        MessageType::Update,
        MessageType::MfStart,
    ];

    fn an_id() -> impl Strategy<Value = NodeId> {
        "[0-9a-f]{40}".prop_map(|text| text.parse().unwrap())
    }

    fn an_endpoint() -> impl Strategy<Value = Endpoint> {
        (any::<Option<IpAddr>>(), any::<[u16; 3]>())
            .prop_map(|(ip, [port, cport, pport])| Endpoint { ip, port, cport, pport })
    }

    fn slots() -> impl Strategy<Value = Arc<SlotSet>> {
        prop::collection::vec(0..SLOTS, 0..50).prop_map(|numbers| {
            Arc::new(numbers.into_iter().filter_map(crate::slot::Slot::new).collect())
        })
    }

    prop_compose! {
        fn a_packet()(
            kind in prop::sample::select(KINDS.to_vec()),
            names in prop::collection::vec(an_id(), 3),
            master in prop::option::of(an_id()),
            endpoint in an_endpoint(),
            numbers in any::<[u64; 4]>(),
            bits in any::<[bool; 3]>(),
            flags in any::<u16>(),
            (slots, more) in (slots(), slots()),
            told in prop::collection::vec((an_id(), an_endpoint(), any::<[u32; 2]>(), any::<u16>()), 0..5),
            texts in any::<[Vec<u8>; 2]>(),
        ) -> (Packet, Ids) {
            let mut ids = Ids::new();
            let sender = ids.intern(names[0]);
            let about = ids.intern(names[1]);
            let [current, config, offset, other] = numbers;
            let chatty = matches!(kind, MessageType::Ping | MessageType::Pong | MessageType::Meet);
            let gossip = told.into_iter().filter(|_| chatty).map(|(id, at, times, flags)| Gossip {
                node: ids.intern(id),
                endpoint: ids.intern_endpoint(at),
                ping_sent: times[0],
                pong_received: times[1],
                flags: Flags(flags),
            }).collect();
            let body = match kind {
                MessageType::Fail => Body::Fail(about),
                MessageType::Publish => {
                    let [channel, message] = texts;
                    Body::Publish { channel, message }
                }
                MessageType::Update => {
                    Body::Update { node: about, config_epoch: Epoch(other), slots: more }
                }
                _ => Body::Empty,
            };
            let packet = Packet {
                kind,
                sender,
                endpoint: ids.intern_endpoint(endpoint),
                flags: Flags(flags),
                current_epoch: Epoch(current),
                config_epoch: Epoch(config),
                offset,
                slots,
                replica_of: master.map(|id| ids.intern(id)),
                state_ok: bits[0],
                paused: bits[1],
                force_ack: bits[2],
                gossip,
                body,
            };
            (packet, ids)
        }
    }

    proptest! {
        #[test]
        fn a_packet_survives_the_wire_4_2((packet, mut ids) in a_packet()) {
            let bytes = encode(&packet, &ids);
            prop_assert_eq!(bytes.len(), packet.wire_bytes() as usize);
            let back = decode(&bytes, &mut ids).unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{packet:?}"));
        }

        #[test]
        fn no_bytes_make_the_decoder_fall_over(
            (packet, mut ids) in a_packet(),
            cut in any::<prop::sample::Index>(),
            wrong in any::<u8>(),
        ) {
            let mut bytes = encode(&packet, &ids);
            let at = cut.index(bytes.len());
            bytes[at] ^= wrong;
            let _ = decode(&bytes, &mut ids);
            bytes.truncate(at);
            prop_assert!(decode(&bytes, &mut ids).is_err());
        }
    }

    #[test]
    fn fields_stand_where_the_server_expects_them_4_2() {
        let mut ids = Ids::new();
        let sender = ids.intern("9f876cbd724438705f7a5ee8bfda9c4d7999aaba".parse().unwrap());
        let ip = Some("127.0.0.1".parse().unwrap());
        let endpoint = ids.intern_endpoint(Endpoint { ip, port: 7_000, cport: 17_000, pport: 9 });
        let mut packet = crate::node::packet::PacketPool::default().take(MessageType::Pong, sender);
        packet.endpoint = endpoint;
        packet.current_epoch = Epoch(5);
        packet.flags = Flags::MASTER | Flags::MYSELF;
        packet.slots = Arc::new([crate::slot::Slot::new(9).unwrap()].into_iter().collect());
        packet.force_ack = true;
        let bytes = encode(&packet, &ids);
        assert_eq!(&bytes[..16], b"RCmb\0\0\x08\xd0\0\x01\x1b\x58\0\x01\0\0");
        assert_eq!(&bytes[16..24], &5_u64.to_be_bytes());
        assert_eq!(&bytes[40..80], b"9f876cbd724438705f7a5ee8bfda9c4d7999aaba");
        assert_eq!(bytes[80..83], [0, 2, 0], "slot 9 is bit 1 of byte 1");
        assert_eq!(&bytes[2_168..2_178], b"127.0.0.1\0");
        assert_eq!(&bytes[2_246..2_252], &[0, 9, 0x42, 0x68, 0, 17]);
        assert_eq!(&bytes[2_252..2_256], &[1, FORCE_ACK, 0, 0]);
    }

    #[test]
    fn what_is_not_a_bus_packet_closes_the_link_3_6() {
        let mut ids = Ids::new();
        assert_eq!(decode(b"GET / HTTP/1.1\r\n", &mut ids).err(), Some(WireError::Signature));
        assert_eq!(decode(b"RCmb\0\0\x08\xcf", &mut ids).err(), Some(WireError::Signature));
        assert_eq!(decode(b"RC", &mut ids).err(), Some(WireError::Signature));
    }
}
