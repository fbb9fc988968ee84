//! Opening, using and closing connections.
//!
//! A connect takes a round trip: the SYN goes there, a SYN and ACK comes back, and then the ACK
//! tells the other side, in front of the first data. The kernels do all this, also for a process
//! that is stopped.

use crate::network::connection::EndState;
use crate::network::message::{Kind, Message};
use crate::network::{Attempt, Dial, Sent, Site};
use crate::node::effect::{CallError, LinkId, Loss};
use crate::time::Time;
use crate::world::event::LinkEvent;
use crate::world::fingerprint::EventTag;
use crate::world::machine::Arrived;
use crate::world::{ClientEvent, Program, What, World};

impl<P: Program> World<P> {
    /// Begins to open a connection.
    pub(super) fn dial(&mut self, dial: Dial) {
        self.stats.dialled += 1;
        self.network.dial(self.now, dial);
        self.attempt(dial.link, 0);
    }

    fn attempt(&mut self, link: LinkId, attempt: u32) {
        match self.network.attempt(self.now, link, attempt) {
            Attempt::Arrives(at) => self.schedule_at(link, at, LinkEvent::Syn),
            Attempt::Unheard(at) => self.schedule_at(link, at, LinkEvent::Unheard),
            Attempt::RetryAt(at) => self.schedule_at(link, at, LinkEvent::Retry(attempt + 1)),
            Attempt::FailsAt(at) => self.schedule_at(link, at, LinkEvent::Refused),
        }
    }

    pub(super) fn retry(&mut self, link: LinkId, attempt: u32) {
        self.fingerprint.absorb_event(EventTag::SynRetry, link.0);
        if self.network.connection(link).end(link).state == EndState::Connecting {
            self.attempt(link, attempt);
        }
    }

    /// A SYN reaches the host that is dialled.
    pub(super) fn syn(&mut self, link: LinkId) {
        self.fingerprint.absorb_event(EventTag::Syn, link.0);
        let connection = self.network.connection(link);
        if connection.end(link).state != EndState::Connecting {
            return;
        }
        let answer = match self.network.listener(link) {
            Some(listener) => {
                self.network.accept(link, Site::Node(listener.node));
                LinkEvent::SynAck
            }
            None => LinkEvent::Refused,
        };
        let at = self.network.hop(self.now, link.other());
        self.schedule_at(link, at, answer);
    }

    /// An answer comes from where nobody listened when the SYN was sent. If somebody did when it
    /// arrived, the connection is established after all.
    pub(super) fn unheard(&mut self, link: LinkId) {
        let arrived = self.network.connection(link).flow(link).last_arrival();
        match self.network.listener(link).filter(|listener| listener.since <= arrived) {
            Some(listener) => {
                self.network.accept(link, Site::Node(listener.node));
                self.syn_ack(link);
            }
            None => self.refused(link),
        }
    }

    /// The other side has answered a SYN.
    pub(super) fn syn_ack(&mut self, link: LinkId) {
        self.fingerprint.absorb_event(EventTag::SynAck, link.0);
        if !self.network.establish(link) {
            return;
        }
        self.transmit_first(link, Message::Established);
        let connection = self.network.connection(link);
        match (connection.kind, connection.end(link).site()) {
            (Kind::Bus | Kind::Replication, Some(Site::Node(node))) => {
                self.take_in(node, Arrived::Connected(link));
            }
            (Kind::Call, Some(Site::Node(node))) => {
                self.send_held(link);
                self.call_connected(node);
            }
            _ => {
                let client = connection.tag;
                self.send_held(link);
                self.client_event(client, ClientEvent::Connected);
            }
        }
    }

    /// Nobody listens where a SYN was sent, or nobody ever answered.
    pub(super) fn refused(&mut self, link: LinkId) {
        self.fingerprint.absorb_event(EventTag::Refused, link.0);
        let connection = self.network.connection(link);
        if connection.end(link).state != EndState::Connecting {
            return;
        }
        match (connection.kind, connection.end(link).site()) {
            (Kind::Bus | Kind::Replication, Some(Site::Node(node))) => {
                self.take_in(node, Arrived::Lost(link, Loss::Refused));
            }
            (Kind::Call, Some(Site::Node(node))) => {
                self.forget_end(link);
                self.end_call(node, Some(CallError::Refused));
            }
            _ => {
                let client = connection.tag;
                self.forget_end(link);
                self.client_event(client, ClientEvent::Refused);
            }
        }
    }

    /// A message reaches an end.
    #[inline]
    pub(super) fn arrival(&mut self, link: LinkId, message: Message) {
        if link.is_opener() && self.network.connection_mut(link).acknowledge(self.now) {
            self.send_held(link);
        }
        let connection = self.network.connection(link);
        let end = *connection.end(link);
        if end.state != EndState::Open {
            self.lose(link.other(), message);
            return;
        }
        match end.site() {
            Some(Site::Node(node)) if connection.kind == Kind::Call && link.is_opener() => {
                self.answer(node, link, message);
            }
            Some(Site::Node(node)) => self.take_in(node, Arrived::Message(link, message)),
            _ => self.client_message(link, message),
        }
    }

    /// Sends a message from an end.
    pub(super) fn transmit(&mut self, from: LinkId, message: Message) {
        match self.network.send(self.now, from, message) {
            Sent::Arrives(at, message) => {
                self.schedule_at(from.other(), at, LinkEvent::Arrival(message));
            }
            Sent::Held => {}
            Sent::HeldUntil(at) => self.schedule_at(from, at, LinkEvent::Resend(self.now)),
            Sent::Lost(message) => self.lose(from, message),
            Sent::Rejected(at, message) => {
                self.lose(from, message);
                self.schedule_at(from, at, LinkEvent::Arrival(Message::Reset));
            }
        }
    }

    /// Sends a message in front of everything that waits at this end for the connection to be
    /// established.
    fn transmit_first(&mut self, from: LinkId, message: Message) {
        let mut waiting = self.network.take_held(from);
        self.transmit(from, message);
        while let Some(message) = self.network.next_held(&mut waiting) {
            self.network.hold(self.now, from, message);
        }
    }

    /// Sends everything that an end holds.
    pub(super) fn send_held(&mut self, from: LinkId) {
        if self.network.is_stopped(from) {
            return;
        }
        let mut waiting = self.network.take_held(from);
        while let Some(message) = self.network.next_held(&mut waiting) {
            self.transmit(from, message);
        }
    }

    /// A kernel's retransmission timer fires. If the path has been cut again meanwhile, mending it
    /// sets a new timer.
    pub(super) fn resend(&mut self, link: LinkId, since: Time) {
        self.fingerprint.absorb_event(EventTag::Resend, link.0);
        if self.network.resends_at(self.now, link).is_some_and(|(_, held)| held == since) {
            self.send_held(link);
        }
    }

    /// A process closes its end.
    pub(super) fn close(&mut self, link: LinkId) {
        self.close_with(link, Message::Close);
    }

    /// A process closes its end, and its kernel tells the other side so.
    pub(super) fn close_with(&mut self, link: LinkId, last: Message) {
        let connection = self.network.connection_mut(link);
        let was = std::mem::replace(&mut connection.end_mut(link).state, EndState::Closed);
        if !was.is_in_use() {
            connection.end_mut(link).state = was;
            return;
        }
        let other = link.other();
        if !self.network.connection(link).end(other).state.is_in_use() {
            self.drop_held(link);
            self.drop_held(other);
        } else if was == EndState::Connecting {
            self.drop_held(link);
            self.forget_end(other);
        } else {
            // What only waits for an acknowledgement goes at once.
            if self.network.connection_mut(link).acknowledge(self.now) {
                self.send_held(link);
            }
            self.transmit(link, last);
            if let Some(at) = self.network.gives_up_at(link) {
                self.schedule_at(link, at.max(self.now), LinkEvent::Orphan);
            }
        }
        self.reuse_if_over(link);
    }

    /// A kernel gives up what a closed end still holds (§3.9.2). The other side never learns that
    /// the connection is over.
    pub(super) fn orphan(&mut self, link: LinkId) {
        self.fingerprint.absorb_event(EventTag::OrphanGivenUp, link.0);
        if self.network.gives_up_at(link).is_some_and(|at| at <= self.now) {
            self.drop_held(link);
        }
    }

    /// The machine at an end loses its power: the end is gone and nobody is told.
    pub(super) fn vanish(&mut self, link: LinkId) {
        let end = self.network.connection_mut(link).end_mut(link);
        let was = std::mem::replace(&mut end.state, EndState::Vanished);
        self.drop_held(link);
        if was == EndState::Connecting {
            self.forget_end(link.other());
        }
        self.reuse_if_over(link);
    }

    /// An end has seen that its connection is lost.
    #[inline]
    pub(super) fn forget_end(&mut self, link: LinkId) {
        self.network.connection_mut(link).end_mut(link).state = EndState::Closed;
        self.drop_held(link);
        self.reuse_if_over(link);
    }

    #[inline]
    fn drop_held(&mut self, from: LinkId) {
        if self.network.may_hold(from) {
            self.lose_held(from);
        }
    }

    fn lose_held(&mut self, from: LinkId) {
        self.network.go_on(from);
        let mut held = self.network.take_held(from);
        while let Some(message) = self.network.next_held(&mut held) {
            self.lose(from, message);
        }
    }

    /// Nobody will ever read a message.
    pub(super) fn lose(&mut self, from: LinkId, message: Message) {
        if let Message::Packet(packet) = message {
            self.stats.lost += 1;
            if self.observers.wants.packets {
                self.record(What::Lost { link: from, packet: &packet });
            }
            self.out.packets.give(packet);
        }
    }

    #[inline]
    pub(super) fn reuse_if_over(&mut self, link: LinkId) {
        let connection = self.network.connection_mut(link);
        if connection.is_over() && !connection.retired {
            connection.retired = true;
            self.out.free_connections.push(link.connection() as u32);
        }
    }
}
