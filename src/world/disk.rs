//! A node's virtual disk: what its next process finds there.

use std::sync::Arc;

use crate::node::keyspace::Keyspace;
use crate::node::process::Disk;

/// The files of one node.
///
/// A process that dies leaves what it wrote, synced or not: the kernel has it. Only a machine that
/// loses its power loses what was not synced.
#[derive(Debug, Clone, Default)]
pub struct VirtualDisk {
    files: Disk,
    synced: Option<Arc<str>>,
}

impl VirtualDisk {
    /// A disk with these files, all of them safely on it.
    #[must_use]
    pub fn new(files: Disk) -> VirtualDisk {
        VirtualDisk { synced: files.nodes_conf.clone(), files }
    }

    /// What a process finds.
    #[must_use]
    pub fn files(&self) -> &Disk {
        &self.files
    }

    /// Replaces nodes.conf.
    pub(crate) fn write_config(&mut self, text: Arc<str>, fsync: bool) {
        if fsync {
            self.synced = Some(Arc::clone(&text));
        }
        self.files.nodes_conf = Some(text);
    }

    /// Removes nodes.conf. Says whether there was one.
    pub(crate) fn lose_config(&mut self) -> bool {
        let text = self.files.nodes_conf.take();
        let formed = self.files.formed.take();
        self.synced = None;
        text.is_some() || formed.is_some()
    }

    /// Leaves the first half of nodes.conf, up to the second word of the line that holds its middle.
    /// Says whether there was anything to tear.
    pub(crate) fn tear_config(&mut self) -> bool {
        let Some(text) = self.files.nodes_conf.as_deref() else { return false };
        let line = text[..text.len() / 2].rfind('\n').map_or(0, |end| end + 1);
        let words = text[line..].match_indices(' ');
        let Some((end, _)) = words.take(2).last() else { return false };
        let torn: Arc<str> = text[..line + end].into();
        self.synced = Some(Arc::clone(&torn));
        self.files.nodes_conf = Some(torn);
        true
    }

    /// Replaces the saved keys.
    pub(crate) fn write_keys(&mut self, keys: Option<Keyspace>) {
        self.files.keys = keys;
    }

    /// The power fails: what was not synced is gone.
    pub(crate) fn lose_power(&mut self) {
        self.files.nodes_conf.clone_from(&self.synced);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_file_ends_within_a_line() {
        let mut disk = VirtualDisk::default();
        assert!(!disk.tear_config() && !disk.lose_config(), "there is none");
        disk.write_config("one two three four\nvars currentEpoch 0 lastVoteEpoch 0\n".into(), true);
        assert!(disk.tear_config());
        assert_eq!(
            disk.files().nodes_conf.as_deref(),
            Some("one two three four\nvars currentEpoch")
        );
        disk.lose_power();
        assert!(disk.lose_config());
        assert_eq!(disk.files().nodes_conf, None);
    }

    #[test]
    fn only_a_power_failure_loses_what_was_not_synced() {
        let mut disk = VirtualDisk::default();
        disk.write_config("one".into(), true);
        disk.write_config("two".into(), false);
        assert_eq!(disk.files().nodes_conf.as_deref(), Some("two"));
        disk.lose_power();
        assert_eq!(disk.files().nodes_conf.as_deref(), Some("one"));
    }
}
