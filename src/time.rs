//! Virtual time: integer microseconds, never a float, never the machine's clock.
//!
//! Two kinds of time must not be mixed. [`Time`] is what the engine counts: microseconds since the
//! run began, the same for everybody. [`Wall`] is what one process reads from its own clock; it may
//! be offset from everybody else's. The protocol computes with milliseconds of the latter
//! ([`Millis`], Redis's `mstime()`, §0.3.1).

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// A point in virtual time, in microseconds since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

/// A length of virtual time, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

/// What a process reads from its wall clock: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(pub u64);

/// Milliseconds on a process's wall clock (or a length of such time). Signed, because the protocol
/// subtracts freely and 0 means "never" (§2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub i64);

impl Time {
    /// The start of the run.
    pub const ZERO: Time = Time(0);

    /// The span since `earlier`, or zero if `earlier` lies in the future.
    #[must_use]
    pub fn since(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    /// Saturates: the far future is as good as never.
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of whole microseconds.
    #[must_use]
    pub const fn micros(us: u64) -> Span {
        Span(us)
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn millis(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn secs(s: u64) -> Span {
        Span(s.saturating_mul(1_000_000))
    }

    /// Microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }
}

impl Add for Span {
    type Output = Span;
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Wall {
    /// Redis's `mstime()` (§0.3.1).
    #[must_use]
    pub const fn millis(self) -> Millis {
        Millis((self.0 / 1_000) as i64)
    }

    /// Whole Unix seconds.
    #[must_use]
    pub const fn secs(self) -> i64 {
        (self.0 / 1_000_000) as i64
    }
}

impl Add<Span> for Wall {
    type Output = Wall;
    fn add(self, span: Span) -> Wall {
        Wall(self.0.saturating_add(span.0))
    }
}

impl Millis {
    /// "Never", the initial value of every time stamp of the protocol (§2.1).
    pub const NEVER: Millis = Millis(0);

    /// Whether this time stamp was never set.
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// This length of time so many times over.
    #[must_use]
    pub const fn times(self, factor: i64) -> Millis {
        Millis(self.0.saturating_mul(factor))
    }

    /// Half of this length of time, rounded down.
    #[must_use]
    pub const fn half(self) -> Millis {
        Millis(self.0 / 2)
    }

    /// Whole seconds.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0 / 1_000
    }
}

impl Add for Millis {
    type Output = Millis;
    fn add(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Millis;
    fn sub(self, other: Millis) -> Millis {
        Millis(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Span {
    /// The shortest exact spelling that scenario files accept: `250us`, `3ms`, `1500ms`, `5s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us % 1_000_000 == 0 => write!(f, "{}s", us / 1_000_000),
            us if us % 1_000 == 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{us}us"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mstime_truncates_to_whole_milliseconds() {
        assert_eq!(Wall(1_622_092_657_507_999).millis(), Millis(1_622_092_657_507));
    }

    #[test]
    fn a_span_prints_in_its_largest_exact_unit() {
        assert_eq!(Span::secs(5).to_string(), "5s");
        assert_eq!(Span::millis(1_500).to_string(), "1500ms");
        assert_eq!(Span::micros(250).to_string(), "250us");
    }

    #[test]
    fn the_far_future_saturates() {
        assert_eq!(Time(u64::MAX) + Span::secs(1), Time(u64::MAX));
    }
}
