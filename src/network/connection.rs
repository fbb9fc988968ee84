//! The record of one connection. There are a million of them in a cluster of a thousand nodes.

use std::net::{IpAddr, Ipv4Addr};

use crate::network::held::HeldList;
use crate::network::message::Kind;
use crate::network::{Dial, Site};
use crate::node::effect::LinkId;
use crate::rng::{Purpose, Seed, SmallStream};
use crate::time::Time;

/// The ephemeral ports of Linux, from which the opener's port is taken.
const EPHEMERAL_FIRST: u16 = 32_768;
const EPHEMERAL_COUNT: u32 = 28_232;

/// The state of one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndState {
    /// Nobody has accepted the connection yet.
    Absent,
    /// The opener waits for an answer.
    Connecting,
    /// Messages can be sent and received.
    Open,
    /// Closed by its own side, or the close of the other side was seen.
    Closed,
    /// Its machine lost its power: it is gone, and nobody was told.
    Vanished,
}

impl EndState {
    /// Whether there is a socket.
    #[must_use]
    pub const fn is_in_use(self) -> bool {
        matches!(self, EndState::Connecting | EndState::Open)
    }
}

/// One end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Where it is.
    pub(crate) site: Option<Site>,
    pub(crate) state: EndState,
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Flow {
    /// When the last message arrives that was sent so far.
    last_arrival: Time,
    pub(crate) draws: SmallStream,
    /// What the sender's kernel holds.
    pub(crate) held: HeldList,
    /// Whether the path there or back is impaired: only then is it looked up for each message.
    pub(crate) impaired: bool,
    /// When the first message was sent whose acknowledgement cannot come back.
    unanswered: Option<Time>,
}

impl Flow {
    pub(crate) fn new(draws: SmallStream) -> Flow {
        Flow {
            last_arrival: Time::ZERO,
            draws,
            held: HeldList::default(),
            impaired: false,
            unanswered: None,
        }
    }

    /// When the first message was sent of those that are not acknowledged because the way back is
    /// cut, if it is: this one, if there is no earlier one.
    pub(crate) fn unanswered(&mut self, now: Time, back_is_cut: bool) -> Option<Time> {
        self.unanswered = back_is_cut.then(|| self.unanswered.unwrap_or(now));
        self.unanswered
    }

    /// The time at which something arrives that would arrive at `at` if nothing were in front of
    /// it.
    #[inline]
    pub(crate) fn in_order(&mut self, at: Time) -> Time {
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }
}

/// What an opener's kernel remembers for Nagle's algorithm: while a piece of data is not
/// acknowledged, it sends no other one (§3.9.3).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nagle {
    last_sent: Time,
    /// When the acknowledgement of what was sent last comes back.
    acknowledged: Time,
}

impl Nagle {
    /// When something may be sent that is to be sent now. What is sent at the same moment as the
    /// piece before is one piece with it.
    fn may_send_at(self, now: Time) -> Time {
        if now == self.last_sent { now } else { self.acknowledged.max(now) }
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) kind: Kind,
    /// Known by this number to its opener.
    pub(crate) tag: u32,
    /// How many events and buffered inputs refer to it.
    pub(crate) references: u32,
    /// Whether its number was given back.
    pub(crate) retired: bool,
    ends: [End; 2],
    flows: [Flow; 2],
    /// Holds back what the opener sends, if that is done at all on this connection.
    pub(crate) nagle: Option<Nagle>,
    pub(crate) opener_ip: IpAddr,
    pub(crate) opener_port: u16,
    pub(crate) acceptor_ip: IpAddr,
    pub(crate) acceptor_port: u16,
}

impl Connection {
    pub(crate) fn new(dial: Dial, mut flows: [Flow; 2]) -> Connection {
        let opener_port = EPHEMERAL_FIRST + flows[0].draws.below(EPHEMERAL_COUNT) as u16;
        Connection {
            kind: dial.kind,
            tag: dial.tag,
            references: 0,
            retired: false,
            ends: [
                End { site: Some(dial.from), state: EndState::Connecting },
                End { site: dial.to, state: EndState::Absent },
            ],
            flows,
            nagle: None,
            opener_ip: dial.from_ip,
            opener_port,
            acceptor_ip: dial.to_ip,
            acceptor_port: dial.to_port,
        }
    }

    /// What stands for a number that was never used.
    pub(crate) fn none() -> Connection {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let end = End { site: None, state: EndState::Absent };
        let draws = || Seed(0).small_stream(Purpose::Latency, 0, 0);
        Connection {
            kind: Kind::Bus,
            tag: 0,
            references: 0,
            retired: true,
            ends: [end, end],
            flows: [Flow::new(draws()), Flow::new(draws())],
            nagle: None,
            opener_ip: nowhere,
            opener_port: 0,
            acceptor_ip: nowhere,
            acceptor_port: 0,
        }
    }

    #[inline]
    pub(crate) fn end(&self, link: LinkId) -> &End {
        &self.ends[link.side()]
    }

    #[inline]
    pub(crate) fn end_mut(&mut self, link: LinkId) -> &mut End {
        &mut self.ends[link.side()]
    }

    /// The direction in which an end sends.
    #[inline]
    pub(crate) fn flow(&self, from: LinkId) -> &Flow {
        &self.flows[from.side()]
    }

    #[inline]
    pub(crate) fn flow_mut(&mut self, from: LinkId) -> &mut Flow {
        &mut self.flows[from.side()]
    }

    /// When an end may send something that is to be sent now.
    #[inline]
    pub(crate) fn may_send_at(&self, from: LinkId, now: Time) -> Time {
        match self.nagle.filter(|_| from.is_opener()) {
            Some(nagle) => nagle.may_send_at(now),
            None => now,
        }
    }

    /// Something was sent whose acknowledgement comes back at this time at the latest.
    #[inline]
    pub(crate) fn sent(&mut self, from: LinkId, now: Time, acknowledged: Time) {
        if let Some(nagle) = self.nagle.as_mut().filter(|_| from.is_opener()) {
            *nagle = Nagle { last_sent: now, acknowledged };
        }
    }

    /// Something came back to the opener: with it came the acknowledgement of all that it sent.
    /// Returns whether anything waits for that.
    #[inline]
    pub(crate) fn acknowledge(&mut self, now: Time) -> bool {
        let Some(nagle) = &mut self.nagle else { return false };
        nagle.acknowledged = now;
        !self.flows[0].held.is_empty() && !self.flows[0].impaired
    }

    /// Whether nothing is left of it, so that its number can be used again.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.references == 0
            && self.ends.iter().all(|end| !end.state.is_in_use())
            && self.flows.iter().all(|flow| flow.held.is_empty())
    }
}
