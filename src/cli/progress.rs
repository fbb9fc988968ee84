//! A bar on the terminal for runs that take long, and the only clock that is not simulated.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scenario::record::{Record, Sink};
use crate::time::{Span, Time};

/// A run that takes no longer needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Measures how long a run takes on this machine.
#[derive(Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    // Nothing that is measured here reaches a run.
    #[allow(clippy::disallowed_methods)]
    pub(super) fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Shows how far a run has got, while another sink prints what happens.
#[derive(Debug)]
pub(super) struct Progress<S> {
    inner: S,
    stopwatch: Stopwatch,
    bar: ProgressBar,
    limit: Span,
}

impl<S> Progress<S> {
    /// A bar for a run that ends at `limit` at the latest. Without a terminal nothing is shown.
    pub(super) fn new(inner: S, limit: Span) -> Progress<S> {
        Progress { inner, stopwatch: Stopwatch::start(), bar: ProgressBar::hidden(), limit }
    }

    pub(super) fn into_inner(self) -> S {
        self.bar.finish_and_clear();
        self.inner
    }

    fn show(&mut self) {
        let target = ProgressDrawTarget::stderr();
        if !self.bar.is_hidden() || target.is_hidden() || self.stopwatch.elapsed() < PATIENCE {
            return;
        }
        self.bar = ProgressBar::with_draw_target(Some(self.limit.as_micros()), target);
        if let Ok(style) = ProgressStyle::with_template("{elapsed} {wide_bar} {msg}") {
            self.bar.set_style(style);
        }
    }
}

impl<S: Sink> Sink for Progress<S> {
    fn record(&mut self, record: &Record) -> ControlFlow<()> {
        let Progress { inner, bar, .. } = self;
        bar.suspend(|| inner.record(record))
    }

    fn progress(&mut self, now: Time) {
        self.show();
        self.bar.set_position(now.0);
        self.bar.set_message(format!("+{}s of virtual time", now.0 / 1_000_000));
    }
}
