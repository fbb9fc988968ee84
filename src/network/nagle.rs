//! Small messages that wait for acknowledgements (§3.9.3).
//!
//! Redis leaves Nagle's algorithm on where it opens a bus link: what is sent while earlier data is
//! not acknowledged waits, and leaves together with whatever else has been sent meanwhile. The other
//! side acknowledges at once if it has something to send back on the same connection, as it has to
//! PING and MEET; else its kernel delays the acknowledgement. So of two announcements in a row the
//! second arrives 40 ms late.
//!
//! Taken for granted here: a process answers at once (if it is stopped, nobody notices the
//! difference), and a message is smaller than a segment, as it is on loopback.

use crate::network::message::Message;
use crate::node::packet::MessageType;
use crate::time::{Span, Time};

/// How long a kernel delays an acknowledgement in the hope of data to send it with.
const DELAYED_ACK: Span = Span::millis(40);

/// The last thing that the opener of a link has sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nagle {
    /// When it leaves, or has left.
    departs: Time,
    /// When the opener knows that it has arrived.
    acknowledged: Time,
}

impl Nagle {
    /// When a message leaves that is sent now.
    #[inline]
    pub(crate) fn departure(self, now: Time) -> Time {
        if now < self.departs {
            // It joins the one that waits.
            self.departs
        } else {
            self.acknowledged.max(now)
        }
    }

    /// A message that takes `delay` leaves and arrives at these times.
    #[inline]
    pub(crate) fn sent(&mut self, departs: Time, arrives: Time, delay: Span, answered: bool) {
        let patience = if answered { Span::ZERO } else { DELAYED_ACK };
        self.departs = departs;
        self.acknowledged = self.acknowledged.max(arrives + patience + delay);
    }
}

/// Whether the receiver of a message answers it on the same connection; `None` if it is no data.
#[inline]
pub(crate) fn is_answered(message: &Message) -> Option<bool> {
    match message {
        Message::Packet(packet) => {
            Some(matches!(packet.kind, MessageType::Ping | MessageType::Meet))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Span = Span::micros(100);

    /// Sends a message; returns when it leaves.
    fn send(nagle: &mut Nagle, now: u64, answered: bool) -> u64 {
        let departs = nagle.departure(Time(now));
        nagle.sent(departs, departs + DELAY, DELAY, answered);
        departs.0
    }

    #[test]
    fn a_message_behind_an_unanswered_one_waits_for_its_acknowledgement_3_9_3() {
        let mut nagle = Nagle::default();
        assert_eq!(send(&mut nagle, 1_000, false), 1_000);
        assert_eq!(send(&mut nagle, 1_300, false), 1_000 + 100 + 40_000 + 100);
    }

    #[test]
    fn what_waits_leaves_together_3_9_3() {
        let mut nagle = Nagle::default();
        send(&mut nagle, 0, false);
        assert_eq!(send(&mut nagle, 500, false), 40_200);
        assert_eq!(send(&mut nagle, 9_000, false), 40_200);
        assert_eq!(send(&mut nagle, 40_199, true), 40_200);
        assert_eq!(send(&mut nagle, 40_201, true), 80_400);
    }

    #[test]
    fn an_answer_brings_the_acknowledgement_along_3_9_3() {
        let mut nagle = Nagle::default();
        send(&mut nagle, 0, true);
        assert_eq!(send(&mut nagle, 150, true), 200);
        assert_eq!(send(&mut nagle, 1_000_000, true), 1_000_000);
    }
}
