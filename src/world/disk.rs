//! A node's virtual disk: what its next process finds there.

use std::sync::Arc;

use crate::node::append_only::WRITE_BACK;
use crate::node::keyspace::Keyspace;
use crate::node::process::{Death, Disk};
use crate::time::{Span, Time, Wall};

/// How disks behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskConfig {
    /// Whether a disk has what it is told to sync; else it only says so, and has what the kernel writes
    /// back of its own accord.
    pub syncs: bool,
    /// Whether a failure of the power loses what was written and not synced.
    pub loses_unsynced: bool,
    /// Whether it leaves half of a nodes.conf that was not synced, in the place of the one before.
    pub tears: bool,
    /// Whether a process writes and syncs nodes.conf before it sends anything (§0.1.2).
    pub save_first: bool,
    /// How long a sync takes.
    pub sync_takes: Span,
}

impl Default for DiskConfig {
    fn default() -> DiskConfig {
        DiskConfig {
            syncs: true,
            loses_unsynced: true,
            tears: false,
            save_first: true,
            sync_takes: Span::ZERO,
        }
    }
}

/// The files of one node.
///
/// A process that dies leaves what it wrote, synced or not: the kernel has it. Only a machine that
/// loses its power loses what was not synced, unless the kernel has written it back meanwhile.
#[derive(Debug, Clone)]
pub struct VirtualDisk {
    files: Disk,
    synced: Option<Arc<str>>,
    /// Since when nodes.conf is another one than that on the disk.
    dirty_since: Option<Time>,
    /// When the sync of nodes.conf ends that was begun last.
    sync_ends: Option<Time>,
    config: DiskConfig,
}

impl VirtualDisk {
    /// A disk with these files, all of them safely on it.
    #[must_use]
    pub fn new(mut files: Disk, config: DiskConfig) -> VirtualDisk {
        files.ignores_syncs = !config.syncs;
        VirtualDisk {
            synced: files.nodes_conf.clone(),
            files,
            dirty_since: None,
            sync_ends: None,
            config,
        }
    }

    /// What a process finds.
    #[must_use]
    pub fn files(&self) -> &Disk {
        &self.files
    }

    /// Replaces nodes.conf, and begins to sync it if it is said how long that takes.
    pub(crate) fn write_config(&mut self, text: Arc<str>, sync: Option<Span>, now: Time) {
        self.write_back(now);
        self.files.nodes_conf = Some(text);
        self.dirty_since.get_or_insert(now);
        self.sync_ends = sync.filter(|_| self.config.syncs).map(|takes| now + takes);
    }

    /// What was written is on the disk.
    pub(crate) fn sync(&mut self) {
        self.synced.clone_from(&self.files.nodes_conf);
        self.dirty_since = None;
        self.sync_ends = None;
    }

    /// What was to be synced by now is on the disk, and what the kernel has held for long.
    fn write_back(&mut self, now: Time) {
        let is_old = self.dirty_since.is_some_and(|since| now.since(since) >= WRITE_BACK);
        if is_old || self.sync_ends.is_some_and(|end| end <= now) {
            self.sync();
        }
    }

    /// Whether a process finds the same on both.
    pub(crate) fn holds_the_same(&self, other: &VirtualDisk) -> bool {
        let formed = |disk: &VirtualDisk| disk.files.formed.is_some();
        self.files.nodes_conf == other.files.nodes_conf
            && self.files.keys == other.files.keys
            && formed(self) == formed(other)
    }

    /// Removes everything. Says whether there was anything.
    pub(crate) fn lose_everything(&mut self) -> bool {
        let had_keys = self.files.keys.take().is_some();
        self.lose_config() || had_keys
    }

    /// Removes nodes.conf. Says whether there was one.
    pub(crate) fn lose_config(&mut self) -> bool {
        let text = self.files.nodes_conf.take();
        let formed = self.files.formed.take();
        self.sync();
        text.is_some() || formed.is_some()
    }

    /// Leaves the first half of nodes.conf. Says whether there was anything to tear.
    pub(crate) fn tear_config(&mut self) -> bool {
        let Some(torn) = self.files.nodes_conf.as_deref().and_then(first_half) else {
            return false;
        };
        self.files.nodes_conf = Some(torn.into());
        self.sync();
        true
    }

    /// Replaces the saved keys.
    pub(crate) fn write_keys(&mut self, keys: Option<Keyspace>) {
        self.files.keys = keys;
    }

    /// The power fails: what was not synced is gone. Says how much of the keys is.
    /// `clock` is the machine's own.
    pub(crate) fn lose_power(&mut self, now: Time, clock: Wall) -> Death {
        if !self.config.loses_unsynced {
            return Death::Killed;
        }
        self.write_back(now);
        let torn = self.files.nodes_conf.as_deref().and_then(first_half);
        match torn.filter(|_| self.config.tears && self.dirty_since.is_some()) {
            Some(torn) => self.files.nodes_conf = Some(torn.into()),
            None => self.files.nodes_conf.clone_from(&self.synced),
        }
        self.sync();
        Death::PowerFailure(clock)
    }
}

/// The first half of a file, up to the second word of the line that holds its middle.
fn first_half(text: &str) -> Option<&str> {
    let line = text.bytes().take(text.len() / 2).rposition(|byte| byte == b'\n');
    let line = line.map_or(0, |end| end + 1);
    let (end, _) = text[line..].match_indices(' ').take(2).last()?;
    Some(&text[..line + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Time = Time(1_000);
    /// How long a sync takes.
    const SYNC: Span = Span::millis(5);

    fn disk(config: DiskConfig) -> VirtualDisk {
        VirtualDisk::new(Disk::default(), config)
    }

    fn text(disk: &VirtualDisk) -> Option<&str> {
        disk.files().nodes_conf.as_deref()
    }

    #[test]
    fn a_torn_file_ends_within_a_line() {
        let mut disk = disk(DiskConfig::default());
        assert!(!disk.tear_config() && !disk.lose_config(), "there is none");
        let whole = "one two three four\nvars currentEpoch 0 lastVoteEpoch 0\n";
        disk.write_config(whole.into(), Some(Span::ZERO), LATER);
        assert!(disk.tear_config());
        assert_eq!(text(&disk), Some("one two three four\nvars currentEpoch"));
        disk.lose_power(LATER, Wall::default());
        assert!(disk.lose_config());
        assert_eq!(text(&disk), None);
        disk.write_config("öö öö öööööööö ö\n".into(), None, LATER);
        assert!(disk.tear_config(), "its middle is within a letter");
        assert_eq!(text(&disk), Some("öö öö"));
    }

    /// What is left of two files when the power fails so long after the second was written.
    fn left(config: DiskConfig, fsync: bool, after: Span) -> String {
        let mut disk = disk(config);
        disk.write_config("the first one".into(), Some(Span::ZERO), Time::ZERO);
        disk.write_back(LATER + WRITE_BACK);
        let then = LATER + WRITE_BACK;
        disk.write_config("the second one".into(), fsync.then_some(SYNC), then);
        assert_eq!(text(&disk), Some("the second one"), "a process finds it");
        disk.lose_power(then + after, Wall::default());
        text(&disk).unwrap_or("nothing").to_owned()
    }

    #[test]
    fn only_a_power_failure_loses_what_was_not_synced_or_written_back() {
        let config = DiskConfig::default();
        assert_eq!(left(config, true, SYNC), "the second one");
        assert_eq!(left(config, true, Span::millis(4)), "the first one", "it is being synced");
        assert_eq!(left(config, false, Span::secs(29)), "the first one");
        assert_eq!(left(config, false, Span::secs(30)), "the second one");
    }

    #[test]
    fn a_disk_that_lies_loses_what_it_said_was_synced() {
        let config = DiskConfig { syncs: false, ..DiskConfig::default() };
        assert_eq!(left(config, true, Span::secs(29)), "the first one");
        assert_eq!(left(config, true, Span::secs(30)), "the second one");
    }

    #[test]
    fn a_power_failure_may_tear_what_was_not_synced_or_lose_nothing() {
        let tears = DiskConfig { tears: true, ..DiskConfig::default() };
        assert_eq!(left(tears, false, Span::ZERO), "the second");
        assert_eq!(left(tears, true, SYNC), "the second one");
        let keeps = DiskConfig { loses_unsynced: false, ..DiskConfig::default() };
        assert_eq!(left(keeps, false, Span::ZERO), "the second one");
    }
}
