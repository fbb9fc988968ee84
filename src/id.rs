//! Node ids and addresses, interned once and then handled as small integers.
//!
//! A packet about a hundred nodes carries a hundred [`NodeIx`] and [`EndpointIx`], not a hundred
//! 40-character names and address strings. The table behind them ([`Ids`]) is shared by all nodes of
//! a run. That is storage, not knowledge: nobody learns anything from it but what an index that it
//! was sent stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::rng::Stream;

/// A node id: 40 lowercase hexadecimal digits. Compares as the text does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 20]);

/// An interned [`NodeId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(pub u32);

/// Where a node can be reached: what the bus header and gossip say of it (§4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Endpoint {
    /// The address; `None` is the protocol's empty string, "not known yet".
    pub ip: Option<IpAddr>,
    /// The port for clients.
    pub port: u16,
    /// The port of the cluster bus.
    pub cport: u16,
    /// The plaintext port of a TLS cluster, else 0 (§1.2.1).
    pub pport: u16,
}

impl Endpoint {
    /// The bus listens so much higher than the port for clients (§1.1).
    pub const BUS_PORT_OFFSET: u16 = 10_000;
}

/// An interned [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointIx(pub u32);

/// The shared table of interned ids and endpoints.
#[derive(Debug)]
pub struct Ids {
    ids: Vec<NodeId>,
    by_id: BTreeMap<NodeId, NodeIx>,
    endpoints: Vec<Endpoint>,
    by_endpoint: BTreeMap<Endpoint, EndpointIx>,
}

/// Text that is not a node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a node id is 40 lowercase hexadecimal digits")]
pub struct BadNodeId;

impl NodeId {
    /// A fresh random id (§0.5).
    #[must_use]
    pub fn random(stream: &mut Stream) -> NodeId {
        let mut bytes = [0; 20];
        stream.fill(&mut bytes);
        NodeId(bytes)
    }

    /// A 64-bit hash that depends on `seed`, for the order of a process's node table (§0.6).
    #[must_use]
    pub fn hash64(&self, seed: u64) -> u64 {
        // Any good mixer will do (§0.6.3): this is the finaliser of SplitMix64, word by word.
        let mut hash = seed;
        for chunk in self.0.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash ^= u64::from_le_bytes(word);
            hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            hash ^= hash >> 31;
        }
        hash
    }

    /// Writes the digits.
    ///
    /// # Errors
    /// If `out` does not take them.
    pub fn write_to(self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }

    /// The id that a command's argument names: its first 40 bytes, if they are an id (§9.0.4).
    #[must_use]
    pub fn from_argument(argument: &[u8]) -> Option<NodeId> {
        std::str::from_utf8(argument.get(..40)?).ok()?.parse().ok()
    }
}

impl FromStr for NodeId {
    type Err = BadNodeId;

    fn from_str(text: &str) -> Result<NodeId, BadNodeId> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return Err(BadNodeId);
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(NodeId(bytes))
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn hex_digit(digit: u8) -> Result<u8, BadNodeId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BadNodeId),
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Endpoint {
    /// The address as the protocol prints it; empty if unknown.
    #[must_use]
    pub fn ip_text(&self) -> String {
        self.ip.map(|ip| ip.to_string()).unwrap_or_default()
    }
}

impl Default for Ids {
    fn default() -> Ids {
        Ids::new()
    }
}

impl Ids {
    /// The index of the empty endpoint, `:0@0`.
    pub const NOWHERE: EndpointIx = EndpointIx(0);

    /// A table that knows only the empty endpoint.
    #[must_use]
    pub fn new() -> Ids {
        let nowhere = Endpoint::default();
        Ids {
            ids: Vec::new(),
            by_id: BTreeMap::new(),
            endpoints: vec![nowhere],
            by_endpoint: BTreeMap::from([(nowhere, Ids::NOWHERE)]),
        }
    }

    /// The index of an id, interning it if it is new.
    pub fn intern(&mut self, id: NodeId) -> NodeIx {
        let next = NodeIx(index_u32(self.ids.len()));
        let ix = *self.by_id.entry(id).or_insert(next);
        if ix == next {
            self.ids.push(id);
        }
        ix
    }

    /// The index of an id, if it was ever interned.
    #[must_use]
    pub fn find(&self, id: NodeId) -> Option<NodeIx> {
        self.by_id.get(&id).copied()
    }

    /// The id behind an index.
    #[must_use]
    pub fn id(&self, ix: NodeIx) -> NodeId {
        self.ids[ix.0 as usize]
    }

    /// The index of an endpoint, interning it if it is new.
    pub fn intern_endpoint(&mut self, endpoint: Endpoint) -> EndpointIx {
        let next = EndpointIx(index_u32(self.endpoints.len()));
        let ix = *self.by_endpoint.entry(endpoint).or_insert(next);
        if ix == next {
            self.endpoints.push(endpoint);
        }
        ix
    }

    /// The endpoint behind an index.
    #[must_use]
    pub fn endpoint(&self, ix: EndpointIx) -> Endpoint {
        self.endpoints[ix.0 as usize]
    }
}

/// # Panics
/// After four billion interned values: such a run does not fit into memory anyway.
fn index_u32(len: usize) -> u32 {
    // Each value takes more than a byte: so many are more than any machine's memory.
    u32::try_from(len).expect("fewer than 2^32 interned values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};

    #[test]
    fn an_id_survives_printing_and_parsing() {
        let id = NodeId::random(&mut Seed(1).stream(Purpose::Identity, 0, 0));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 40);
    }

    #[test]
    fn ids_are_lowercase_and_of_exact_length() {
        assert_eq!("9F876cbd724438705f7a5ee8bfda9c4d7999aaba".parse::<NodeId>(), Err(BadNodeId));
        assert_eq!("9f87".parse::<NodeId>(), Err(BadNodeId));
        assert_eq!("".parse::<NodeId>(), Err(BadNodeId));
    }

    #[test]
    fn an_argument_is_compared_on_its_first_40_bytes_9_0_4() {
        let text = "9f876cbd724438705f7a5ee8bfda9c4d7999aaba";
        let longer = format!("{text}ffff");
        assert_eq!(NodeId::from_argument(longer.as_bytes()), text.parse().ok());
        assert_eq!(NodeId::from_argument(&text.as_bytes()[..39]), None);
    }

    #[test]
    fn interning_twice_gives_the_same_index() {
        let mut ids = Ids::new();
        let mut stream = Seed(1).stream(Purpose::Identity, 0, 0);
        let (a, b) = (NodeId::random(&mut stream), NodeId::random(&mut stream));
        let (ia, ib) = (ids.intern(a), ids.intern(b));
        assert_eq!((ids.intern(a), ids.intern(b)), (ia, ib));
        assert_eq!((ids.id(ia), ids.id(ib)), (a, b));
        assert_eq!(ids.intern_endpoint(Endpoint::default()), Ids::NOWHERE);
    }
}
