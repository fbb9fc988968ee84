//! The one place where the fate of a message is decided.

use crate::network::NetworkConfig;
use crate::network::graph::Path;
use crate::rng::SmallStream;
use crate::time::{Span, Time};

/// What happens to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives after this long.
    Deliver(Span),
    /// It stays in the sender's kernel until the path carries data again.
    Hold,
    /// It is lost for good: nobody is there to get it.
    Drop,
    /// It arrives where nobody remembers the connection; the sender learns so after this long.
    Reject(Span),
}

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// A socket.
    There,
    /// Nothing: it was closed, and the sender is being told already, or its machine has no power.
    Gone,
    /// A machine that had no power and is up again.
    Forgetful,
}

/// Everything that the fate of a message depends on.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What is wrong with the way.
    pub path: Path,
    /// Since when the sender has had no acknowledgement, because the way back is cut.
    pub unanswered: Option<Span>,
    /// What is at the other end.
    pub receiver: Receiver,
    /// Whether earlier messages of the same direction are being held: order is kept.
    pub behind_others: bool,
}

impl Rule {
    /// Decides.
    ///
    /// A lost segment is not a lost message: the sender's kernel sends it again when its timer
    /// fires, so loss shows as delay (and delays what comes after it, too).
    ///
    /// Where only the way back is cut, data arrives but its acknowledgements do not: when the
    /// sender's timer fires for the first time it stops sending anything new. (Seen on Linux 6.18:
    /// what is sent in the first 200 ms arrives at once, the rest after the heal.)
    #[inline]
    pub fn judge(self, network: &NetworkConfig, draws: &mut SmallStream) -> Verdict {
        if self.receiver == Receiver::Gone {
            return Verdict::Drop;
        }
        let stopped = self.unanswered.is_some_and(|span| span >= RETRANSMIT_FIRST);
        if self.path.is_closed() || self.behind_others || stopped {
            return Verdict::Hold;
        }
        let mut delay = travel(self.path, network, draws);
        if self.path.loss_per_mille != 0 {
            delay = delay_by_losses(delay, self.path, network, draws);
        }
        match self.receiver {
            Receiver::Forgetful => {
                Verdict::Reject(delay + draws.span(network.latency_low, network.latency_high))
            }
            _ => Verdict::Deliver(delay),
        }
    }
}

/// How long a segment takes that is not lost.
#[inline]
pub(crate) fn travel(path: Path, network: &NetworkConfig, draws: &mut SmallStream) -> Span {
    draws.span(network.latency_low, network.latency_high)
        + draws.span(path.delay.low, path.delay.high)
}

/// How long a message takes whose last segment takes so long, with those that are lost before.
fn delay_by_losses(
    mut delay: Span,
    path: Path,
    network: &NetworkConfig,
    draws: &mut SmallStream,
) -> Span {
    let mut timeout = RETRANSMIT_FIRST;
    while lost(path, draws) && timeout < RETRANSMIT_LONGEST {
        delay = delay + timeout;
        if network.back_off {
            timeout = Span(timeout.0 * 2);
        } else if delay > RETRANSMIT_LONGEST {
            break;
        }
    }
    delay
}

/// Whether a segment is lost on this path.
pub(crate) fn lost(path: Path, draws: &mut SmallStream) -> bool {
    path.loss_per_mille != 0 && draws.below(1_000) < u32::from(path.loss_per_mille)
}

/// How long a kernel waits for something to send an acknowledgement along with (§3.9.3).
pub const DELAYED_ACK: Span = Span::millis(40);

/// How long the kernel waits for an acknowledgement before it sends a segment again; then twice as
/// long each time.
pub const RETRANSMIT_FIRST: Span = Span::millis(200);

/// The longest such wait.
pub const RETRANSMIT_LONGEST: Span = Span::secs(120);

/// How long Linux keeps a socket that its process has closed and that has data to send: eight
/// retransmissions and the wait after the last.
pub const ORPHAN_LIFE: Span = Span::millis(511 * 200);

/// When a segment that was first sent at `sent` and never got through is sent again for the first
/// time at or after `now`; with pauses that double, or all of the same length.
#[must_use]
pub fn next_retransmission(sent: Time, now: Time, back_off: bool) -> Time {
    if !back_off {
        let times = now.since(sent).0.div_ceil(RETRANSMIT_FIRST.0).max(1);
        return sent + Span(RETRANSMIT_FIRST.0 * times);
    }
    let mut timeout = RETRANSMIT_FIRST;
    let mut at = sent + timeout;
    while at < now {
        timeout = Span((timeout.0 * 2).min(RETRANSMIT_LONGEST.0));
        at += timeout;
    }
    at
}

/// How long the kernel waits for an answer to the `attempt`-th SYN (0 is the first) before it sends
/// another: SYNs go out after 0, 1, 3, 7, 15, 31 and 63 seconds (§3.9.1).
#[must_use]
pub const fn connect_retry(attempt: u32, back_off: bool) -> Span {
    Span::secs(if back_off { 1 << attempt } else { 1 })
}

/// How many SYNs are sent before a connect fails, which it does after 127 s.
#[must_use]
pub const fn connect_attempts(back_off: bool) -> u32 {
    if back_off { 7 } else { 127 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::graph::Delay;
    use crate::rng::{Purpose, Seed};

    fn judge(path: Path) -> Verdict {
        let rule = Rule { path, unanswered: None, receiver: Receiver::There, behind_others: false };
        let mut draws = Seed(1).small_stream(Purpose::Latency, 0, 0);
        rule.judge(&NetworkConfig::default(), &mut draws)
    }

    #[test]
    fn an_intact_path_takes_its_latency() {
        let Verdict::Deliver(delay) = judge(Path::INTACT) else { panic!("not delivered") };
        let network = NetworkConfig::default();
        assert!((network.latency_low..=network.latency_high).contains(&delay));
    }

    #[test]
    fn a_slow_path_takes_longer_by_what_it_says() {
        let network = NetworkConfig::default();
        let delay = Delay { low: Span::millis(50), high: Span::millis(80) };
        let Verdict::Deliver(took) = judge(Path { delay, ..Path::INTACT }) else {
            panic!("not delivered")
        };
        assert!(
            (network.latency_low + delay.low..=network.latency_high + delay.high).contains(&took)
        );
    }

    #[test]
    fn a_cut_path_holds_and_a_dead_end_drops() {
        assert_eq!(judge(Path { cut: true, ..Path::INTACT }), Verdict::Hold);
        let rule = Rule {
            path: Path::INTACT,
            unanswered: None,
            receiver: Receiver::Gone,
            behind_others: true,
        };
        let mut draws = Seed(1).small_stream(Purpose::Latency, 0, 0);
        assert_eq!(rule.judge(&NetworkConfig::default(), &mut draws), Verdict::Drop);
    }

    #[test]
    fn without_acknowledgements_a_sender_stops_after_200_ms() {
        let after = |span| {
            let rule = Rule {
                path: Path::INTACT,
                unanswered: Some(span),
                receiver: Receiver::There,
                behind_others: false,
            };
            let mut draws = Seed(1).small_stream(Purpose::Latency, 0, 0);
            rule.judge(&NetworkConfig::default(), &mut draws)
        };
        assert!(matches!(after(Span::ZERO), Verdict::Deliver(_)));
        assert!(matches!(after(Span::millis(199)), Verdict::Deliver(_)));
        assert_eq!(after(Span::millis(200)), Verdict::Hold);
    }

    #[test]
    fn a_lost_segment_comes_200_ms_later_for_each_first_loss() {
        let losing = |loss_per_mille| judge(Path { loss_per_mille, ..Path::INTACT });
        let Verdict::Deliver(delay) = losing(999) else { panic!("not delivered") };
        assert!(delay > Span::secs(60), "{delay}");
        assert!(delay < Span::secs(205), "ten pauses, each twice the last: {delay}");
        assert_eq!(losing(1_000), Verdict::Hold, "a path that loses everything is closed");
        let mut draws = Seed(3).small_stream(Purpose::Latency, 0, 0);
        let rarely = Path { loss_per_mille: 100, ..Path::INTACT };
        let rule = Rule {
            path: rarely,
            unanswered: None,
            receiver: Receiver::There,
            behind_others: false,
        };
        let late = (0..10_000)
            .filter(|_| match rule.judge(&NetworkConfig::default(), &mut draws) {
                Verdict::Deliver(delay) => delay >= RETRANSMIT_FIRST,
                _ => false,
            })
            .count();
        assert!(late.abs_diff(1_000) < 100, "{late}");
    }

    #[test]
    fn retransmissions_back_off_by_doubling() {
        let sent = Time(1_000_000);
        let at = |ms: u64| next_retransmission(sent, sent + Span::millis(ms), true).since(sent);
        assert_eq!(at(0), Span::millis(200));
        assert_eq!(at(200), Span::millis(200));
        assert_eq!(at(201), Span::millis(600));
        assert_eq!(at(601), Span::millis(1_400));
        assert_eq!(at(10_000), Span::millis(12_600));
    }

    #[test]
    fn without_back_off_all_pauses_are_equal() {
        let sent = Time(1_000_000);
        let at = |ms: u64| next_retransmission(sent, sent + Span::millis(ms), false).since(sent);
        assert_eq!([0, 200, 201, 10_001].map(at), [200, 200, 400, 10_200].map(Span::millis));
        assert_eq!((0..3).map(|attempt| connect_retry(attempt, false)).max(), Some(Span::secs(1)));
        let steady = NetworkConfig { back_off: false, ..NetworkConfig::default() };
        let path = Path { loss_per_mille: 999, ..Path::INTACT };
        let (unanswered, receiver) = (None, Receiver::There);
        let rule = Rule { path, unanswered, receiver, behind_others: false };
        let mut draws = Seed(1).small_stream(Purpose::Latency, 0, 0);
        let Verdict::Deliver(delay) = rule.judge(&steady, &mut draws) else {
            panic!("not delivered")
        };
        assert!(delay < RETRANSMIT_LONGEST + Span::secs(1), "it is given up some time: {delay}");
    }

    #[test]
    fn connects_are_tried_again_after_1_3_and_7_seconds_3_9_1() {
        let mut at = Span::ZERO;
        let tries: Vec<u64> = (0..connect_attempts(true))
            .map(|attempt| {
                at = at + connect_retry(attempt, true);
                at.as_millis() / 1_000
            })
            .collect();
        assert_eq!(tries, [1, 3, 7, 15, 31, 63, 127], "the last is when the connect fails");
    }
}
