//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::sweep::Seeds;

/// A deterministic simulator of Redis Cluster.
#[derive(Debug, Parser)]
#[command(name = "sim", version, about, max_term_width = 100)]
pub(super) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,

    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(super) color: Color,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario.
    Run(RunArgs),
    /// Run a scenario under many seeds and print how long things took.
    Sweep(SweepArgs),
    /// Check scenarios without running them.
    Check(CheckArgs),
    /// Print the JSON Schema of scenario files.
    Schema,
    /// Print the network of a scenario as a graph for Graphviz (DOT).
    Graph(GraphArgs),
}

/// `sim run`
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,

    /// Stop at this time: an offset (`+90s`), a time of day (`05:17:41`) or a date, in UTC.
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,

    /// Print only what goes wrong.
    #[arg(long, short)]
    pub(super) quiet: bool,

    /// Show the log lines of a node as they are written, or of all nodes.
    #[arg(long, value_name = "NODE|all")]
    pub(super) log: Vec<String>,

    /// The form of the output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    /// Print numbers about the run on stderr.
    #[arg(long)]
    pub(super) stats: bool,
}

/// `sim sweep`
#[derive(Debug, clap::Args)]
pub(super) struct SweepArgs {
    /// The scenario file.
    #[arg(value_name = "SCENARIO")]
    pub(super) file: PathBuf,

    /// The seeds, for example `0..999`: both are included.
    #[arg(long, value_name = "FIRST..LAST", allow_hyphen_values = true)]
    pub(super) seeds: Seeds,

    /// What to measure: pfail, fail-first, fail-last, election, promotion, ok, rejoin, restart-ok,
    /// known, or `FROM -> TO` (docs/sweep.md). Without it, whatever can occur in the scenario.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) measure: Vec<String>,

    /// How many runs go on at once; as many as there are cores if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,

    /// The form of the output.
    #[arg(long, value_enum, default_value_t = SweepFormat::Table)]
    pub(super) format: SweepFormat,

    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Set a key of the scenario, for example `network.latency=5ms`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

/// `sim graph`
#[derive(Debug, clap::Args)]
pub(super) struct GraphArgs {
    #[command(flatten)]
    pub(super) scenario: ScenarioArgs,

    /// When to look; at the end if not given.
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
}

/// Which scenario, and what is different about it this time.
#[derive(Debug, clap::Args)]
pub(super) struct ScenarioArgs {
    /// The scenario file.
    #[arg(value_name = "SCENARIO")]
    pub(super) file: PathBuf,

    /// The seed of everything random.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,

    /// Set a key of the scenario, for example `network.latency=5ms`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// A session at a terminal.
    Text,
    /// JSON, one object for each line.
    Json,
}

/// The form of a sweep's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SweepFormat {
    /// A table of seconds.
    Table,
    /// Comma-separated values, in microseconds, those of each run included.
    Csv,
    /// JSON, one object for each line, in microseconds, those of each run included.
    Json,
}

/// `sim check`
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The scenario files.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    pub(super) fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_well_formed() {
        super::Args::command().debug_assert();
    }
}
