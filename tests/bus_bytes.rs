//! A virtual node's packets hold all that a real node's hold: they can be written as the bytes of
//! the bus and read back (§4.2).

#[path = "support/bus_bytes.rs"]
mod bus_bytes;

use std::net::IpAddr;
use std::sync::Arc;

use bus_bytes::{FORCE_ACK, WireError, decode, encode};
use proptest::prelude::*;
use redis_cluster_sim::id::{Endpoint, Ids, NodeId};
use redis_cluster_sim::node::flags::Flags;
use redis_cluster_sim::node::packet::{Body, Epoch, MessageType, Packet};
use redis_cluster_sim::node::section::Gossip;
use redis_cluster_sim::slot::{SLOTS, SlotSet};

fn an_id() -> impl Strategy<Value = NodeId> {
    "[0-9a-f]{40}".prop_map(|text| text.parse().unwrap())
}

fn an_endpoint() -> impl Strategy<Value = Endpoint> {
    (any::<Option<IpAddr>>(), any::<[u16; 3]>()).prop_map(|(ip, [port, cport, pport])| Endpoint {
        ip,
        port,
        cport,
        pport,
    })
}

fn slots() -> impl Strategy<Value = Arc<SlotSet>> {
    prop::collection::vec(0..SLOTS, 0..50).prop_map(|numbers| {
        Arc::new(numbers.into_iter().filter_map(redis_cluster_sim::slot::Slot::new).collect())
    })
}

prop_compose! {
    fn a_packet()(
        kind in prop::sample::select(&MessageType::ALL[..MessageType::Module as usize]),
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
    let mut packet =
        redis_cluster_sim::node::packet::PacketPool::default().take(MessageType::Pong, sender);
    packet.endpoint = endpoint;
    packet.current_epoch = Epoch(5);
    packet.flags = Flags::MASTER | Flags::MYSELF;
    packet.slots = Arc::new([redis_cluster_sim::slot::Slot::new(9).unwrap()].into_iter().collect());
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
