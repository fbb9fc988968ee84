//! The network: TCP-like connections between sites, and what can be wrong with the paths between
//! them.
//!
//! A connection has two ends and two directions. In each direction messages arrive in the order in
//! which they were sent. What its closer sent before still arrives, then the other end sees the
//! close; what was on its way to the closer is lost. A path that is cut loses nothing either: the
//! sender's kernel holds what is sent, tries again with growing pauses, and delivers all of it at
//! once some time after the path is mended (§3.9).
//!
//! *Architecture invariant:* the network never looks into a message, and knows nothing of processes
//! and of the event queue. It says when something arrives; the engine makes that happen. Messages
//! that were under way when a path was cut arrive: their fate was decided when they were sent.
//!
//! A process that ends before it has read everything resets its connections instead of closing them.
//!
//! Not modelled: bandwidth, congestion and receive windows, the RST that a kernel sends for data to
//! a closed socket (the close that caused it is seen instead).

mod addresses;
pub mod connection;
pub mod fate;
pub mod graph;
mod held;
pub mod message;
pub(crate) mod ports;
mod transport;

use std::net::{IpAddr, Ipv4Addr};

pub use crate::network::transport::Network;

use crate::network::message::{Kind, Message};
use crate::node::effect::LinkId;
use crate::time::{Span, Time};

/// A node of the run: its index among the nodes that the run was set up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNo(pub u32);

impl NodeNo {
    /// The node's number as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A place on the network. Each node is a place of its own, also where nodes share an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Site {
    /// Where a node runs.
    Node(NodeNo),
    /// Where all clients are that are nowhere else.
    Clients,
    /// Where clients are that sit beside a node: what cuts the node off cuts them off with it.
    Beside(NodeNo),
}

impl Site {
    /// The node that runs here.
    #[must_use]
    pub const fn node(self) -> Option<NodeNo> {
        match self {
            Site::Node(node) => Some(node),
            Site::Clients | Site::Beside(_) => None,
        }
    }

    /// The site whose paths lead to this one.
    #[must_use]
    pub const fn gate(self) -> Site {
        match self {
            Site::Beside(node) => Site::Node(node),
            other => other,
        }
    }
}

impl From<NodeNo> for Site {
    fn from(node: NodeNo) -> Site {
        Site::Node(node)
    }
}

/// How the network behaves when nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The shortest time that a message takes from process to process.
    pub latency_low: Span,
    /// The longest.
    pub latency_high: Span,
    /// How long a kernel goes on trying to deliver what a process has sent and then closed the
    /// connection (§3.9.2).
    pub orphan_life: Span,
    /// Where clients come from.
    pub client_ip: IpAddr,
    /// Whether a bus link within one host holds a message back while an earlier one is not
    /// acknowledged, and the other side waits with the acknowledgement for something to send along
    /// (Nagle's algorithm and delayed acknowledgements, §3.9.3). Between hosts a message fills more
    /// than one segment and is acknowledged at once.
    pub nagle: bool,
    /// Whether what a process has closed with unsent data goes on being sent (§3.9.2).
    pub orphans: bool,
    /// Whether a kernel waits twice as long for the next answer to a SYN each time (§3.9.1). Else it
    /// sends one after each second.
    pub syn_back_off: bool,
    /// Whether a kernel waits twice as long each time before it sends a segment again. Else it sends
    /// it again every 200 ms.
    pub back_off: bool,
}

impl Default for NetworkConfig {
    fn default() -> NetworkConfig {
        NetworkConfig {
            latency_low: Span::micros(200),
            latency_high: Span::millis(1),
            orphan_life: fate::ORPHAN_LIFE,
            client_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            nagle: true,
            orphans: true,
            syn_back_off: true,
            back_off: true,
        }
    }
}

/// What became of a message that was sent.
#[derive(Debug)]
pub enum Sent {
    /// It arrives at the other end at this time.
    Arrives(Time, Message),
    /// The sender's kernel holds it.
    Held,
    /// The sender's kernel holds it until an acknowledgement comes, which is at this time at the
    /// latest.
    HeldUntil(Time),
    /// Nobody will ever get it.
    Lost(Message),
    /// Nobody will ever get it, and the sender learns at this time that its connection is lost.
    Rejected(Time, Message),
}

/// What became of an attempt to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The other host sees it at this time, and somebody listens there now.
    Arrives(Time),
    /// Nobody listens on the other host now, and its answer comes at this time.
    Unheard(Time),
    /// It was lost; the next attempt is made at this time.
    RetryAt(Time),
    /// It was lost and was the last one; the connect fails at this time.
    FailsAt(Time),
}

/// Whom to dial.
#[derive(Debug, Clone, Copy)]
pub struct Dial {
    /// The end that the opener holds.
    pub link: LinkId,
    /// What the connection is for.
    pub kind: Kind,
    /// A number that the opener knows the connection by: a peer, a client.
    pub tag: u32,
    /// Where the opener is.
    pub from: Site,
    /// The address that is dialled.
    pub to_ip: IpAddr,
    /// The port that is dialled.
    pub to_port: u16,
}
