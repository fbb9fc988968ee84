//! A sweep as a table for people, as CSV and as JSON. The forms are described in `docs/sweep.md`.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value as Json;

use crate::report::json::VERSION;
use crate::rng::Seed;
use crate::scenario::record::Ending;
use crate::sweep::{Distribution, Results, Seeds};
use crate::time::Span;

/// Failed runs beyond these are counted in the table, not listed.
const LISTED_MAX: usize = 12;

/// What is told of every distribution, and which per cent of the way it is.
const STATISTICS: [(&str, usize); 5] =
    [("min", 0), ("median", 50), ("p90", 90), ("p99", 99), ("max", 100)];

/// A sweep that is over.
#[derive(Debug, Clone, Copy)]
pub struct SweepReport<'a> {
    /// What the scenario shows; may be empty.
    pub title: &'a str,
    /// The seeds.
    pub seeds: Seeds,
    /// What it has come to.
    pub results: &'a Results,
}

impl SweepReport<'_> {
    fn distributions(&self) -> Vec<Distribution> {
        (0..self.results.measures.len()).map(|at| self.results.distribution(at)).collect()
    }

    /// Prints a table of seconds.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let of = self.results.runs.len();
        if !self.title.is_empty() {
            writeln!(out, "{}", self.title)?;
        }
        writeln!(out, "{}, in seconds", runs_of(self.seeds))?;
        writeln!(out)?;
        let names = self.results.measures.iter().map(|measure| measure.name.chars().count());
        let width = names.max().unwrap_or(0);
        write!(out, "{:width$}", "")?;
        for (name, _) in STATISTICS {
            write!(out, " {name:>9}")?;
        }
        writeln!(out, "  n")?;
        for (measure, all) in self.results.measures.iter().zip(self.distributions()) {
            write!(out, "{:width$}", measure.name)?;
            for (_, per_cent) in STATISTICS {
                let text = all.percentile(per_cent).map_or_else(|| "-".to_owned(), seconds);
                write!(out, " {text:>9}")?;
            }
            match all.count() {
                count if count == of => writeln!(out, "  {count}")?,
                count => writeln!(out, "  {count} of {of}")?,
            }
        }
        self.failures(out)
    }

    fn failures(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut endings: Vec<Ending> = Vec::new();
        for run in self.results.failures() {
            if !endings.contains(&run.ending) {
                endings.push(run.ending);
            }
        }
        if !endings.is_empty() {
            writeln!(out)?;
        }
        for ending in endings {
            let seeds: Vec<Seed> = self
                .results
                .failures()
                .filter(|run| run.ending == ending)
                .map(|run| run.seed)
                .collect();
            writeln!(out, "{}: {}", ending.word(), listed(&seeds))?;
        }
        Ok(())
    }

    /// Prints comma-separated values, in microseconds.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn csv(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "row,seed,ending")?;
        for measure in &self.results.measures {
            write!(out, ",{}", measure.name)?;
        }
        writeln!(out)?;
        let all = self.distributions();
        let counts = all.iter().map(|one| Some(one.count() as u64));
        cells(out, "n,,", counts)?;
        for (name, per_cent) in STATISTICS {
            let values = all.iter().map(|one| one.percentile(per_cent).map(Span::as_micros));
            cells(out, &format!("{name},,"), values)?;
        }
        for run in &self.results.runs {
            let start = format!("run,{},{}", run.seed.0, run.ending.word());
            cells(out, &start, run.times.iter().map(|time| time.map(Span::as_micros)))?;
        }
        Ok(())
    }

    /// Prints an object for each line.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let failed = self.results.failures().count();
        let (first_seed, last_seed) = (self.seeds.first().0, self.seeds.last().0);
        let runs = self.results.runs.len();
        let begin = Kind::Sweep { title: self.title, first_seed, last_seed, runs, failed };
        line(out, begin)?;
        for (measure, all) in self.results.measures.iter().zip(self.distributions()) {
            let statistic = |&(name, per_cent): &(&str, usize)| {
                let value = all.percentile(per_cent).map(Span::as_micros);
                (format!("{name}_us"), Json::from(value))
            };
            let statistics = STATISTICS.iter().map(statistic).collect();
            let name = &measure.name;
            line(out, Kind::Measure { name, n: all.count(), of: runs, statistics })?;
        }
        for run in &self.results.runs {
            let ending = run.ending.word();
            let times = run.times.iter().map(|time| time.map(Span::as_micros)).collect();
            let failure = run.failure.as_ref().map(|failure| failure.message.as_str());
            line(out, Kind::Run { seed: run.seed.0, ending, failure, us: times })?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    v: u32,
    #[serde(flatten)]
    what: Kind<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Kind<'a> {
    Sweep {
        title: &'a str,
        first_seed: u64,
        last_seed: u64,
        runs: usize,
        failed: usize,
    },
    Measure {
        name: &'a str,
        n: usize,
        of: usize,
        #[serde(flatten)]
        statistics: serde_json::Map<String, Json>,
    },
    Run {
        seed: u64,
        ending: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        failure: Option<&'a str>,
        us: Vec<Option<u64>>,
    },
}

fn line(out: &mut dyn Write, what: Kind<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &Line { v: VERSION, what })?;
    writeln!(out)
}

fn cells(
    out: &mut dyn Write,
    start: &str,
    values: impl Iterator<Item = Option<u64>>,
) -> io::Result<()> {
    write!(out, "{start}")?;
    for value in values {
        match value {
            Some(value) => write!(out, ",{value}")?,
            None => write!(out, ",")?,
        }
    }
    writeln!(out)
}

/// Seeds as people count them.
fn runs_of(seeds: Seeds) -> String {
    let (first, last) = (seeds.first().0, seeds.last().0);
    match seeds.count() {
        1 => format!("1 run, seed {first}"),
        count => format!("{count} runs, seeds {first} to {last}"),
    }
}

fn listed(seeds: &[Seed]) -> String {
    let shown: Vec<String> = seeds.iter().take(LISTED_MAX).map(|seed| seed.0.to_string()).collect();
    let rest = seeds.len().saturating_sub(LISTED_MAX);
    let word = if seeds.len() == 1 { "run, seed" } else { "runs, seeds" };
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{} {word} {}{more}", seeds.len(), shown.join(" "))
}

/// Seconds to the millisecond, which is as fine as the protocol counts.
fn seconds(span: Span) -> String {
    let us = span.as_micros();
    format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000)
}
