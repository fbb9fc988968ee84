//! The record of one connection. There are a million of them in a cluster of a thousand nodes, and
//! each packet touches one twice, so it is kept small: places and addresses are numbers here.

use crate::network::addresses::AddressIx;
use crate::network::held::HeldList;
use crate::network::message::Kind;
use crate::network::ports::PortIx;
use crate::network::{NodeNo, Site};
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
    place: u32,
    pub(crate) state: EndState,
    /// Whether the path there or back is impaired: only then is it looked up for each message.
    pub(crate) impaired: bool,
    /// Whether nothing gets back, no acknowledgement either.
    pub(crate) deaf: bool,
    /// Whether it is noted that something from here met with what is wrong with the path.
    pub(crate) hit: bool,
}

/// What stands for the place of all clients, and for an address that nobody ever had.
const CLIENTS: u32 = u32::MAX - 1;
const NOWHERE: u32 = u32::MAX;
/// What is added to a node's number for the place of the clients beside it.
const BESIDE: u32 = 1 << 31;

impl End {
    fn new(site: Option<Site>, state: EndState) -> End {
        let mut end = End { place: NOWHERE, state, impaired: false, deaf: false, hit: false };
        end.set_site(site);
        end
    }

    /// Where it is.
    #[inline]
    pub(crate) fn site(&self) -> Option<Site> {
        match self.place {
            NOWHERE => None,
            CLIENTS => Some(Site::Clients),
            beside if beside >= BESIDE => Some(Site::Beside(NodeNo(beside - BESIDE))),
            node => Some(Site::Node(NodeNo(node))),
        }
    }

    pub(crate) fn set_site(&mut self, site: Option<Site>) {
        self.place = match site {
            None => NOWHERE,
            Some(Site::Clients) => CLIENTS,
            Some(Site::Node(node)) => node.0,
            Some(Site::Beside(node)) => BESIDE + node.0,
        };
    }
}

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Flow {
    /// When the last message arrives that was sent so far.
    last_arrival: Time,
    pub(crate) draws: SmallStream,
    /// What the sender's kernel holds.
    pub(crate) held: HeldList,
}

impl Flow {
    pub(crate) fn new(draws: SmallStream) -> Flow {
        Flow { last_arrival: Time::ZERO, draws, held: HeldList::default() }
    }

    /// When the last message arrives that was sent so far.
    #[inline]
    pub(crate) fn last_arrival(&self) -> Time {
        self.last_arrival
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
    flows: [Flow; 2],
    ends: [End; 2],
    nagle: Nagle,
    /// Known by this number to its opener.
    pub(crate) tag: u32,
    /// How many events and buffered inputs refer to it.
    pub(crate) references: u32,
    pub(crate) opener_ip: AddressIx,
    /// What was dialled.
    pub(crate) dialled: PortIx,
    pub(crate) opener_port: u16,
    pub(crate) kind: Kind,
    /// Whether what the opener sends is held back until what it sent before is acknowledged.
    pub(crate) holds_back: bool,
    /// Whether its number was given back.
    pub(crate) retired: bool,
}

impl Connection {
    pub(crate) fn new(
        kind: Kind,
        tag: u32,
        (from, to): (Option<Site>, Option<Site>),
        (opener_ip, dialled): (AddressIx, PortIx),
        mut flows: [Flow; 2],
    ) -> Connection {
        let opener_port = EPHEMERAL_FIRST + flows[0].draws.below(EPHEMERAL_COUNT) as u16;
        Connection {
            flows,
            ends: [End::new(from, EndState::Connecting), End::new(to, EndState::Absent)],
            nagle: Nagle::default(),
            tag,
            references: 0,
            opener_ip,
            dialled,
            opener_port,
            kind,
            holds_back: false,
            retired: false,
        }
    }

    /// What stands for a number that was never used.
    pub(crate) fn none() -> Connection {
        let nowhere = (AddressIx(0), PortIx(0));
        let flows = [(); 2].map(|()| Flow::new(Seed(0).small_stream(Purpose::Latency, 0, 0)));
        let mut none = Connection::new(Kind::Bus, 0, (None, None), nowhere, flows);
        none.ends[0].state = EndState::Absent;
        none.retired = true;
        none
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
        match self.holds_back && from.is_opener() {
            true => self.nagle.may_send_at(now),
            false => now,
        }
    }

    /// Something was sent whose acknowledgement comes back at this time at the latest.
    #[inline]
    pub(crate) fn sent(&mut self, from: LinkId, now: Time, acknowledged: Time) {
        if self.holds_back && from.is_opener() {
            self.nagle = Nagle { last_sent: now, acknowledged };
        }
    }

    /// Something came back to the opener: with it came the acknowledgement of all that it sent.
    /// Returns whether anything waits for that.
    #[inline]
    pub(crate) fn acknowledge(&mut self, now: Time) -> bool {
        self.nagle.acknowledged = now;
        self.holds_back && !self.flows[0].held.is_empty() && !self.ends[0].impaired
    }

    /// Whether nothing is left of it, so that its number can be used again.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.references == 0
            && self.ends.iter().all(|end| !end.state.is_in_use())
            && self.flows.iter().all(|flow| flow.held.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_connections_take_about_a_hundred_megabytes() {
        assert!(size_of::<Connection>() <= 104, "{}", size_of::<Connection>());
    }

    #[test]
    fn an_end_knows_its_place() {
        let beside = Site::Beside(NodeNo(999));
        for site in [None, Some(Site::Clients), Some(Site::Node(NodeNo(999))), Some(beside)] {
            assert_eq!(End::new(site, EndState::Open).site(), site);
        }
    }
}
