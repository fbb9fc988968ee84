//! Sweeps: one scenario under many seeds, and how long things took in all of them.
//!
//! A [`Measure`] is the time from one [`Event`] to another. What an event is
//! and who sees it is defined here once, by an observer of the world; `docs/sweep.md`
//! says it in words. A run of a sweep is the run that `sim run --seed` would make: nothing that is
//! measured changes it.
//!
//! *Architecture invariant:* the result depends on the plan, the measures and the seeds only, never on
//! how many threads there are or which of them was faster. Nothing here knows how results look.

mod clock;
mod distribution;
pub mod event;
mod measure;
mod seeds;
mod view;

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use rayon::prelude::*;

pub use crate::sweep::distribution::Distribution;
pub use crate::sweep::event::Event;
pub use crate::sweep::measure::{BadMeasure, Measure, NAMED};
pub use crate::sweep::seeds::{BadSeeds, Seeds};

use crate::rng::Seed;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::Plan;
use crate::scenario::record::{Ending, Silence};
use crate::scenario::runner::{self, Options};
use crate::sweep::clock::{Clocks, Timekeeper};
use crate::time::Span;

/// A scenario that is to run under many seeds.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// The scenario. Its own seed does not count.
    pub plan: &'a Plan,
    /// What is measured.
    pub measures: &'a [Measure],
    /// The seeds.
    pub seeds: Seeds,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its seed.
    pub seed: Seed,
    /// How it ended.
    pub ending: Ending,
    /// What was wrong, if anything was.
    pub failure: Option<Box<Diagnostic>>,
    /// What each measure came to, if it occurred.
    pub times: Vec<Option<Span>>,
}

/// What a sweep has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// What was measured.
    pub measures: Vec<Measure>,
    /// The runs, in the order of their seeds.
    pub runs: Vec<Run>,
}

/// Threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {threads} threads: {cause}")]
pub struct NoThreads {
    threads: NonZeroUsize,
    cause: rayon::ThreadPoolBuildError,
}

impl Sweep<'_> {
    /// Runs the scenario with one seed.
    #[must_use]
    pub fn run_one(&self, seed: Seed) -> Run {
        let clocks = Rc::new(RefCell::new(Clocks::new(self.measures)));
        let options = Options { seed: Some(seed), without_logs: true, ..Options::default() };
        let timekeeper = Box::new(Timekeeper(Rc::clone(&clocks)));
        let finished = runner::run_watched(self.plan, &options, &mut Silence, Some(timekeeper));
        let times = clocks.borrow().read();
        let failure = finished.summary.failure.map(Box::new);
        Run { seed, ending: finished.summary.ending, failure, times }
    }

    /// Runs the scenario with all seeds on so many threads; `done` is called after each run.
    ///
    /// # Errors
    /// If the threads cannot be started.
    pub fn run(
        &self,
        threads: NonZeroUsize,
        done: &(dyn Fn() + Sync),
    ) -> Result<Results, NoThreads> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build()
            .map_err(|cause| NoThreads { threads, cause })?;
        let one = |place| {
            let run = self.run_one(self.seeds.at(place));
            done();
            run
        };
        let runs = pool.install(|| (0..self.seeds.count()).into_par_iter().map(one).collect());
        Ok(Results { measures: self.measures.to_vec(), runs })
    }
}

impl Results {
    /// What a measure came to, in the runs in which it occurred.
    pub fn times(&self, measure: usize) -> impl Iterator<Item = Span> {
        self.runs.iter().filter_map(move |run| run.times[measure])
    }

    /// The distribution of a measure.
    #[must_use]
    pub fn distribution(&self, measure: usize) -> Distribution {
        self.times(measure).collect()
    }

    /// The runs that did not go well.
    pub fn failures(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| run.ending != Ending::Done)
    }
}
