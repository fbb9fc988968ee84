//! What travels on a connection.

use std::sync::Arc;

use crate::node::packet::Packet;
use crate::node::replication::message::ReplMessage;
use crate::resp::{Args, Reply};

/// One message in one direction of a connection.
///
/// Everything large is behind a box, so that the event queue moves two words.
#[derive(Debug)]
pub enum Message {
    /// The acknowledgement that completes the three-way handshake: from here on the accepting
    /// process knows of the connection.
    Established,
    /// A packet of the cluster bus.
    Packet(Box<Packet>),
    /// A message between a replica and its master.
    Replication(Box<ReplMessage>),
    /// A client's command.
    Request(Arc<Args>),
    /// The answer to it.
    Reply(Box<Reply>),
    /// The sender has closed its end.
    Close,
    /// The sender's end is gone, and with it something that was sent to it and never read.
    Reset,
}

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A bus link of one node to another (§3).
    Bus,
    /// A replica's link to its master (Appendix A).
    Replication,
    /// A client's connection.
    Client,
    /// A connection that a node opened to another as its client (MIGRATE, §11.16).
    Call,
}
