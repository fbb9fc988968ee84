//! Watching a run: a stream of typed records that observers subscribe to.
//!
//! *Architecture invariant:* nothing that looks can change what happens. An observer gets references
//! and gives nothing back; a run has the same fingerprint with and without it. What nobody wants is
//! not even put together.

use std::net::IpAddr;

use crate::id::Ids;
use crate::network::graph::Delay;
use crate::network::message::Kind;
use crate::network::{NodeNo, Site};
use crate::node::config::Mode;
use crate::node::effect::{Exit, LinkId, Loss, Notice};
use crate::node::log::{Level, Role};
use crate::node::packet::Packet;
use crate::resp::{Args, Reply};
use crate::time::{Span, Time, Wall};
use crate::world::points::Armed;
use crate::world::queue::EventId;
use crate::world::traps::{Bait, Trap};

/// Somebody who watches.
pub trait Observer {
    /// What it wants to see; asked once.
    fn wants(&self) -> Wants;

    /// Something happened that it wants to see.
    fn record(&mut self, record: &Record<'_>, ids: &Ids);
}

/// What an observer wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wants {
    /// Log lines from this level up.
    pub log: Option<Level>,
    /// Packets sent, delivered and lost.
    pub packets: bool,
    /// Bus links opened and lost.
    pub links: bool,
    /// Processes started, paused, resumed, crashed and ended, and faults of the network.
    pub faults: bool,
    /// Turns in the life of nodes.
    pub notices: bool,
    /// Clients' commands and the replies to them.
    pub commands: bool,
    /// Writes to disk.
    pub disk: bool,
}

impl Wants {
    /// Everything that there is to see, with log lines from this level up.
    #[must_use]
    pub const fn everything(log: Level) -> Wants {
        Wants {
            log: Some(log),
            packets: true,
            links: true,
            faults: true,
            notices: true,
            commands: true,
            disk: true,
        }
    }

    /// What either of two observers wants.
    #[must_use]
    pub fn or(self, other: Wants) -> Wants {
        Wants {
            log: match (self.log, other.log) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            packets: self.packets || other.packets,
            links: self.links || other.links,
            faults: self.faults || other.faults,
            notices: self.notices || other.notices,
            commands: self.commands || other.commands,
            disk: self.disk || other.disk,
        }
    }

    fn covers(&self, what: &What<'_>) -> bool {
        match what {
            What::Log { level, .. } => self.log.is_some_and(|lowest| *level >= lowest),
            What::Sent { .. } | What::Delivered { .. } | What::Lost { .. } => self.packets,
            What::Connecting { .. } | What::LinkUp { .. } | What::LinkDown { .. } => self.links,
            What::Started { .. } | What::Crashed { .. } | What::Ended { .. } | What::Fault(_) => {
                self.faults
            }
            What::Notice { .. } => self.notices,
            What::Command { .. } | What::Reply { .. } => self.commands,
            What::Saved { .. } => self.disk,
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// When.
    pub at: Time,
    /// What a right clock showed.
    pub wall: Wall,
    /// The event during which it happened.
    pub event: EventId,
    /// The event that caused that event; zero if it came from outside.
    pub cause: EventId,
    /// What.
    pub what: What<'a>,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// A process wrote a log line.
    Log {
        /// Whose.
        node: NodeNo,
        /// The process id.
        pid: u32,
        /// What the node's own clock showed.
        wall: Wall,
        /// How important it is.
        level: Level,
        /// The letter before the date.
        role: Role,
        /// The message.
        text: &'a str,
    },
    /// A node put a packet into a link's output.
    Sent {
        /// The sender's end.
        link: LinkId,
        /// The sender.
        from: NodeNo,
        /// Where the link leads.
        to: Option<Site>,
        /// The packet.
        packet: &'a Packet,
    },
    /// A node read a packet. The record's cause is the event during which it was sent.
    Delivered {
        /// The receiver's end.
        link: LinkId,
        /// Where the link comes from.
        from: Option<Site>,
        /// The receiver.
        to: NodeNo,
        /// The packet.
        packet: &'a Packet,
    },
    /// Nobody will ever read a packet.
    Lost {
        /// The sender's end.
        link: LinkId,
        /// The packet.
        packet: &'a Packet,
    },
    /// A node began to open a bus link.
    Connecting {
        /// The opener's end.
        link: LinkId,
        /// The opener.
        from: NodeNo,
        /// Where the link will lead, if anybody ever had that address.
        to: Option<Site>,
    },
    /// A bus link is established, as its opener sees it.
    LinkUp {
        /// The opener's end.
        link: LinkId,
        /// The opener.
        from: NodeNo,
        /// Where it leads.
        to: Option<Site>,
    },
    /// A node sees that a bus link is lost, or has closed it itself (no loss).
    LinkDown {
        /// The end that sees it.
        link: LinkId,
        /// Who sees it.
        node: NodeNo,
        /// Why, if it is not the node's own doing.
        loss: Option<Loss>,
    },
    /// A process was started.
    Started {
        /// For which node.
        node: NodeNo,
        /// What it is.
        mode: Mode,
        /// Its process id.
        pid: u32,
        /// How many were started before.
        incarnation: u32,
    },
    /// A process got a SIGSEGV, from outside or by its own doing (DEBUG SEGFAULT): from now on it
    /// answers nobody.
    Crashed {
        /// Whose.
        node: NodeNo,
    },
    /// A process ended.
    Ended {
        /// Whose.
        node: NodeNo,
        /// Its process id.
        pid: u32,
        /// By what doing of its own; it was killed if there is none.
        exit: Option<Exit>,
    },
    /// Somebody interfered.
    Fault(Fault<'a>),
    /// A turn in a node's life.
    Notice {
        /// Whose.
        node: NodeNo,
        /// The turn.
        notice: Notice,
    },
    /// A node read a command.
    Command {
        /// The node.
        node: NodeNo,
        /// The node's end of the client's connection.
        client: LinkId,
        /// What the connection is used for.
        kind: Kind,
        /// The command.
        args: &'a Args,
    },
    /// A node answered a command.
    Reply {
        /// The node.
        node: NodeNo,
        /// The node's end of the client's connection.
        client: LinkId,
        /// The answer.
        reply: &'a Reply,
    },
    /// A node wrote its nodes.conf.
    Saved {
        /// The node.
        node: NodeNo,
        /// Whether it waited until it was on disk.
        fsync: bool,
    },
}

/// What somebody did to the nodes or to the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault<'a> {
    /// SIGKILL.
    Kill(NodeNo),
    /// SIGSEGV.
    Crash(NodeNo),
    /// SIGTERM.
    Terminate(NodeNo),
    /// SIGSTOP.
    Pause(NodeNo),
    /// SIGCONT.
    Resume(NodeNo),
    /// The machine lost its power.
    PowerOff(NodeNo),
    /// The clock was set.
    Clock(NodeNo, i64),
    /// The clock gains so many microseconds in a second from now on.
    Drift(NodeNo, i32),
    /// The network was partitioned.
    Partition(&'a [Vec<NodeNo>]),
    /// One direction was cut.
    Cut(Site, Site),
    /// One direction was mended.
    Mend(Site, Site),
    /// Everything that was cut was mended.
    Heal,
    /// One direction became slower or faster.
    Delay(Site, Site, Delay),
    /// One direction loses segments.
    Loss(Site, Site, u16),
    /// A trap was set for packets.
    Trap(Bait, Trap),
    /// What was held on the way from one node to another goes on.
    Release(NodeNo, NodeNo),
    /// The node is to die at some point.
    Arm(NodeNo, Armed),
    /// Syncing takes so long.
    SlowDisk(NodeNo, Span),
    /// nodes.conf was removed.
    LoseConfig(NodeNo),
    /// nodes.conf was torn.
    TearConfig(NodeNo),
    /// What is on the node's disk was copied.
    Snapshot(NodeNo),
    /// The node's disk holds again what it held when it was copied.
    Restore(NodeNo),
    /// Everything on the node's disk was lost.
    LoseDisk(NodeNo),
    /// The node got another address.
    Move(NodeNo, IpAddr, u16),
}

/// All observers of a run.
#[derive(Default)]
pub(crate) struct Observers {
    all: Vec<(Wants, Box<dyn Observer>)>,
    /// What any of them wants.
    pub(crate) wants: Wants,
}

impl std::fmt::Debug for Observers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Observers").field("wants", &self.wants).finish_non_exhaustive()
    }
}

impl Observers {
    pub(crate) fn add(&mut self, observer: Box<dyn Observer>) {
        let wants = observer.wants();
        self.wants = self.wants.or(wants);
        self.all.push((wants, observer));
    }

    pub(crate) fn record(&mut self, record: &Record<'_>, ids: &Ids) {
        for (wants, observer) in &mut self.all {
            if wants.covers(&record.what) {
                observer.record(record, ids);
            }
        }
    }
}
