//! What a process counts since its start or since CONFIG RESETSTAT.

use std::collections::BTreeMap;

use crate::node::command::{self, Spec};

/// Counters that INFO shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections of clients and replicas that were accepted.
    pub connections: u64,
    /// Connections of clients and replicas that were closed at once, because there were too many.
    pub refused_connections: u64,
    /// Commands that were carried out.
    pub commands: u64,
    /// Lookups that found their key.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Keys deleted because their time had come.
    pub expired: u64,
    /// How often a child process was forked.
    pub forks: u64,
    /// Replicas that were given everything.
    pub sync_full: u64,
    /// Replicas that were given only what they missed.
    pub sync_partial: u64,
    /// Replicas that asked for that and were refused.
    pub sync_refused: u64,
    /// Errors by their code.
    pub errors: BTreeMap<String, u64>,
    /// What became of each command, by its number, as far as any was called or refused.
    by_command: Vec<CommandStats>,
}

/// What became of a command so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommandStats {
    /// How often it was carried out.
    pub calls: u64,
    /// How often it was refused before that, redirections included.
    pub rejected: u64,
    /// How often it was carried out and ended in an error.
    pub failed: u64,
}

impl Stats {
    /// What became of this command so far.
    pub(crate) fn of_command(&mut self, spec: &Spec) -> &mut CommandStats {
        if spec.number >= self.by_command.len() {
            self.by_command.resize_with(spec.number + 1, CommandStats::default);
        }
        &mut self.by_command[spec.number]
    }

    /// The names of the commands of which anything became, sorted, and what.
    pub(crate) fn of_commands(&self) -> impl Iterator<Item = (&'static str, CommandStats)> {
        let given = command::names().zip(self.by_command.iter().copied());
        given.filter(|(_, stats)| *stats != CommandStats::default())
    }

    /// Counts a command that was carried out.
    pub(crate) fn count_call(&mut self, spec: &Spec, failed: bool) {
        self.commands += 1;
        let stats = self.of_command(spec);
        stats.calls += 1;
        stats.failed += u64::from(failed);
    }

    /// Counts an error by the first word of its text.
    pub(crate) fn count_error(&mut self, text: &str) {
        let code = text.split(' ').next().unwrap_or_default();
        match self.errors.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.errors.insert(code.to_owned(), 1);
            }
        }
    }
}
