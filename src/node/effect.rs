//! How a node touches the rest of the world: [`Input`] comes in, [`Effect`]s go out.
//!
//! A node has no other way to learn or to change anything. The engine calls
//! [`Node::handle`](crate::node::Node::handle) with one input at a time and then carries out the
//! effects in the order in which they were produced. Everything an effect sends leaves the process
//! after the config file that the same input made it write (§0.1.2).

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::{Endpoint, Ids};
use crate::node::bus::Drawn;
use crate::node::log::{Level, Role};
use crate::node::packet::{Packet, PacketPool};
use crate::node::replication::message::ReplMessage;
use crate::node::table::PeerIx;
use crate::resp::{Args, Reply};
use crate::time::{Span, Wall};

/// One end of a connection. The two ends of a connection have numbers that differ in the lowest
/// bit: even at the side that opened it, odd at the side that accepted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

impl LinkId {
    /// The number of the connection.
    #[must_use]
    pub const fn connection(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// 0 at the side that opened the connection, 1 at the side that accepted it.
    #[must_use]
    pub const fn side(self) -> usize {
        (self.0 & 1) as usize
    }

    /// Whether this is the end at the side that opened the connection.
    #[must_use]
    pub const fn is_opener(self) -> bool {
        self.side() == 0
    }

    /// Of what belongs to the side that opened the connection and to the other side, first what
    /// belongs to this one.
    #[must_use]
    pub fn own_first<T>(self, opener: T, acceptor: T) -> (T, T) {
        if self.is_opener() { (opener, acceptor) } else { (acceptor, opener) }
    }

    /// The end at the other side.
    #[must_use]
    pub const fn other(self) -> LinkId {
        LinkId(self.0 ^ 1)
    }
}

/// A connection's end as seen by the process that reads from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkEnd {
    /// Which end.
    pub id: LinkId,
    /// The peer that this link was opened to; `None` for accepted links, which belong to nobody
    /// (§3.3).
    pub peer: Option<PeerIx>,
    /// The address of this end.
    pub local_ip: IpAddr,
    /// The address of the other end.
    pub remote_ip: IpAddr,
    /// The port of the other end: the peer's port, or an ephemeral one.
    pub remote_port: u16,
}

/// Why a connection could not be opened or was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nobody listens there.
    Refused,
    /// The other side closed it.
    Closed,
    /// The other side was gone before it had read everything.
    Reset,
}

/// What can happen to a process.
#[derive(Debug)]
pub enum Input<'a> {
    /// The next stage of starting up is due (asked for with [`Effect::BootStepIn`]).
    BootStep,
    /// `serverCron` is due (§0.1.4).
    Tick,
    /// A bus link that I opened is established (§3.2).
    LinkUp(LinkEnd),
    /// A bus link could not be opened or was closed by the other side (§3.2, §3.6).
    LinkLost(LinkEnd, Loss),
    /// A peer opened a bus link to me (§3.3).
    Accepted(LinkEnd),
    /// A packet came in on a bus link.
    Packet(LinkEnd, &'a Packet),
    /// The connection to my master's client port is established (A.7).
    ReplUp(LinkEnd),
    /// A replication link could not be opened or was closed by the other side; the links that I
    /// accepted, too.
    ReplLost(LinkEnd, Loss),
    /// Somebody who may become my replica opened a connection to my client port.
    ReplAccepted(LinkEnd),
    /// A message came in on a replication link.
    ReplMessage(LinkEnd, ReplMessage),
    /// The child with this process id has ended ([`Effect::Fork`]).
    ChildExit(u32),
    /// The part of a data set of this number is written to its connections ([`Effect::Transfer`]).
    TransferDone(u32),
    /// Go on loading: what has come in since the last step is served ([`Effect::LoadFor`]).
    LoadStep,
    /// Nothing came in time on the connection that the process reads from
    /// ([`Effect::ReadFrom`]).
    ReadTimeout,
    /// A client opened a connection to me.
    ClientAccepted(LinkId),
    /// A client sent a command. Clients are known by the accepting end of their connection.
    Command(LinkId, Arc<Args>),
    /// A client closed its connection.
    ClientGone(LinkId),
    /// The synchronous call that the process waited for ([`Effect::Call`]) has ended.
    CallDone(CallResult),
    /// SIGTERM arrived (Appendix B.1).
    Terminate,
}

/// What has come of a synchronous call to another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallResult {
    /// The replies that came, in the order of the requests.
    pub replies: Vec<Reply>,
    /// Why there is not one for each request, if that is so.
    pub error: Option<CallError>,
}

/// Why a synchronous call to another server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// Nobody listens there.
    Refused,
    /// The connection could not be opened in time, and nothing be written in the same time again.
    Connect,
    /// A reply did not come in time.
    Timeout,
    /// The connection was lost.
    Lost,
}

/// How a process ends by its own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// SHUTDOWN or SIGTERM: status 0.
    Shutdown,
    /// A fatal error: status 1.
    Fatal,
    /// It crashed (DEBUG SEGFAULT): the process writes its report, then dies.
    Crash,
}

/// What a process does to the world outside.
#[derive(Debug)]
pub enum Effect {
    /// Ask for an [`Input::BootStep`] after this much time.
    BootStepIn(Span),
    /// Open the ports: from now on connections are accepted and `serverCron` ticks.
    Listen,
    /// Open a bus link to an address; the answer is [`Input::LinkUp`] or [`Input::LinkLost`].
    Connect {
        /// The end that the opener holds from now on.
        link: LinkId,
        /// Whom it is for; comes back in each [`LinkEnd`].
        peer: PeerIx,
        /// The address; its `cport` is dialled.
        to: Endpoint,
    },
    /// Append a packet to a link's output.
    Send(LinkId, Box<Packet>),
    /// Close a link.
    Close(LinkId),
    /// Open a replication link; the answer is [`Input::ReplUp`] or [`Input::ReplLost`].
    ReplConnect {
        /// The end that the opener holds from now on.
        link: LinkId,
        /// The address; its `port` is dialled.
        to: Endpoint,
    },
    /// Append a message to a replication link's output.
    ReplSend(LinkId, ReplMessage),
    /// Close a replication link.
    ReplClose(LinkId),
    /// Start a child process that runs for some time; its end is [`Input::ChildExit`].
    Fork {
        /// Its process id.
        pid: u32,
        /// How long it runs.
        runs: Span,
    },
    /// Write a part of a data set to connections, which takes some time; the end of it is
    /// [`Input::TransferDone`].
    Transfer {
        /// A number that the process has given to no other.
        number: u32,
        /// How long it takes.
        takes: Span,
    },
    /// Answer a client.
    Reply(LinkId, Reply),
    /// Close a client's connection after what was sent to it.
    CloseClient(LinkId),
    /// Write a log line.
    Log {
        /// How important it is.
        level: Level,
        /// The letter before the date (§13.1).
        role: Role,
        /// The message.
        text: String,
    },
    /// Replace the contents of nodes.conf (§12.2).
    SaveConfig {
        /// The whole new text.
        text: String,
        /// Whether it must be on disk before anything else happens.
        fsync: bool,
    },
    /// Sync the append-only file: nothing leaves the process before that is done (`appendfsync always`).
    SyncKeys,
    /// Block the process for some time (DEBUG SLEEP): it does nothing else meanwhile.
    Sleep(Span),
    /// Block the process for some time while it loads a part of a data set. Then what has come in
    /// meanwhile is served, and [`Input::LoadStep`] lets it go on; no cron runs in between.
    LoadFor(Span),
    /// Block the process until something comes in on this connection, and that alone is handed to
    /// it. Nothing within the time limit is [`Input::ReadTimeout`].
    ReadFrom(LinkId, Span),
    /// Connect to another server as a client, send these commands, and block until all are answered
    /// or the time is up (MIGRATE, §11.16). The result is [`Input::CallDone`].
    Call {
        /// The address; its `port` is dialled.
        to: Endpoint,
        /// The commands.
        requests: Vec<Args>,
        /// The time limit for connecting and for each answer.
        timeout: Span,
    },
    /// Something that leaves no line in the log but that an observer may want to know.
    Notice(Notice),
    /// End the process.
    Exit(Exit),
}

/// Turns in the life of a node that people measure. They cost nothing when nobody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// I think that this peer does not answer (§6.1).
    Pfail(crate::id::NodeIx),
    /// It answers again before the majority knew.
    PfailCleared(crate::id::NodeIx),
    /// It is in FAIL for me now (§6.3, §5.10).
    Fail(crate::id::NodeIx),
    /// It is in FAIL no more (§6.5).
    FailCleared(crate::id::NodeIx),
    /// `Cluster state changed` (§6.6).
    State {
        /// Whether the cluster is ok for me now.
        ok: bool,
    },
    /// I ask for votes (§8.2.8).
    Election,
    /// I was a replica and have taken over what my master had (§8.6).
    Promoted,
    /// My data set was dropped for my master's (A.9).
    Loaded,
    /// My process has loaded its data and takes commands.
    Serving,
    /// All my keys were deleted at once.
    Flushed,
    /// This is my name: I have just started, or have got a new one (§9.21.5).
    Myself(crate::id::NodeIx),
    /// Somebody whose name I do not know yet stands in my table under this one (§3.8).
    Stranger(crate::id::NodeIx),
    /// This node stands in my table under its real name.
    Known(crate::id::NodeIx),
    /// It stands in my table no more (§2.5).
    Forgotten(crate::id::NodeIx),
}

/// Where a node puts what it does, and the pools it takes from.
#[derive(Debug, Default)]
pub struct Outbox {
    /// What was done, in order.
    pub effects: Vec<Effect>,
    /// Packets to reuse.
    pub packets: PacketPool,
    /// Connection numbers that are free again.
    pub free_connections: Vec<u32>,
    /// The first connection number never used.
    pub next_connection: u32,
    /// Working memory for choosing gossip, shared by all nodes because it holds nothing in between.
    pub drawn: Drawn,
    /// Working memory for the cron: whom it looks at.
    pub silent: Vec<PeerIx>,
    /// Which log lines anybody wants; others are not even formatted.
    pub log_level: Option<Level>,
    /// Whether anybody wants notices.
    pub notices: bool,
}

impl Outbox {
    /// The opener's end of a new connection.
    ///
    /// # Panics
    /// With more than two billion connections open at once.
    pub fn new_link(&mut self) -> LinkId {
        let connection = self.free_connections.pop().unwrap_or_else(|| {
            let fresh = self.next_connection;
            self.next_connection += 1;
            fresh
        });
        // Numbers are used again, so this counts connections that are open, which all have a record.
        LinkId(connection.checked_mul(2).expect("fewer than 2^31 connections"))
    }

    /// Whether a log line of this level would be seen by anybody.
    #[must_use]
    pub fn logs(&self, level: Level) -> bool {
        self.log_level.is_some_and(|lowest| level >= lowest)
    }

    /// Reports a turn in the node's life, if anybody listens.
    pub fn notice(&mut self, notice: Notice) {
        if self.notices {
            self.effects.push(Effect::Notice(notice));
        }
    }
}

/// Everything a node may use while it handles an input.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// What its wall clock says.
    pub now: Wall,
    /// The shared table of ids and addresses.
    pub ids: &'a mut Ids,
    /// Where effects go.
    pub out: &'a mut Outbox,
}
