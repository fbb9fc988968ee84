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
    fn only_a_power_failure_loses_what_was_not_synced() {
        let mut disk = VirtualDisk::default();
        disk.write_config("one".into(), true);
        disk.write_config("two".into(), false);
        assert_eq!(disk.files().nodes_conf.as_deref(), Some("two"));
        disk.lose_power();
        assert_eq!(disk.files().nodes_conf.as_deref(), Some("one"));
    }
}
