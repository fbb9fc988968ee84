//! What a process counts since its start or since CONFIG RESETSTAT.

use std::collections::BTreeMap;

/// Counters that INFO shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections of clients and replicas that were accepted.
    pub connections: u64,
    /// Commands that were carried out.
    pub commands: u64,
    /// What became of them, by their names.
    pub calls: BTreeMap<&'static str, Calls>,
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
}

/// What became of a command, over all calls of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    /// How often it was carried out.
    pub carried_out: u64,
    /// How often it was refused before that.
    pub rejected: u64,
    /// How often it answered with an error.
    pub failed: u64,
}

impl Stats {
    /// Counts a command that was carried out.
    pub(crate) fn count_call(&mut self, name: &'static str, failed: bool) {
        self.commands += 1;
        let calls = self.calls.entry(name).or_default();
        calls.carried_out += 1;
        calls.failed += u64::from(failed);
    }

    /// Counts a command that was refused before it was carried out.
    pub(crate) fn count_rejection(&mut self, name: &'static str) {
        self.calls.entry(name).or_default().rejected += 1;
    }

    /// Counts a command that has failed after it was counted as carried out.
    pub(crate) fn count_failure(&mut self, name: &'static str) {
        self.calls.entry(name).or_default().failed += 1;
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
