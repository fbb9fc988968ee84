//! Whom a process replicates (Appendix A).

use crate::id::Endpoint;

/// The replication side of a process.
#[derive(Debug, Default)]
pub struct Replication {
    /// The address of the master that is configured, if any. It decides the role letter of log
    /// lines and the role in INFO (§13.1, A.2), not the role on the bus.
    pub master: Option<Endpoint>,
    /// How far the replication stream has come; 0 until there is one (A.3).
    pub offset: u64,
}

impl Replication {
    /// Follows this master from now on (A.5).
    pub fn set_master(&mut self, master: Endpoint) {
        self.master = Some(master);
    }

    /// Follows nobody any more (A.6).
    pub fn unset_master(&mut self) {
        self.master = None;
    }
}
