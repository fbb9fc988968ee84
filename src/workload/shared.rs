//! What the clients of a workload have in common.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::time::Time;
use crate::workload::books::{Books, Key, Written};
use crate::workload::checks::Checks;
use crate::workload::outage::Outages;
use crate::workload::phrases::Phrases;
use crate::workload::settings::Settings;
use crate::workload::slot_map::Directory;
use crate::workload::summary::Tally;

/// What all clients of a workload share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The place of the workload in its crew.
    pub(crate) number: u32,
    pub(crate) settings: Settings,
    /// The address of each node of the run, by its number.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The nodes of the cluster, which are those that clients know. Plain servers are none.
    pub(crate) members: Vec<NodeNo>,
    /// The members by their addresses.
    pub(crate) directory: Directory,
    pub(crate) books: Books,
    pub(crate) checks: Checks,
    pub(crate) phrases: Phrases,
    pub(crate) tally: Tally,
    pub(crate) outages: Outages,
    /// Whether clients begin commands.
    pub(crate) begins: bool,
}

impl Shared {
    /// A write was acknowledged.
    pub(crate) fn acknowledged(&mut self, key: Key, written: Written, by: NodeNo, now: Time) {
        self.tally.acknowledged += 1;
        self.outages.succeeded(self.books.slot(key), now);
        self.books.acknowledged(key, written, by, now);
        if self.settings.checks {
            self.checks.told(key, written.value);
        }
    }

    /// A command was refused with an error.
    pub(crate) fn refused(&mut self, key: Key, began: Time, is_read: bool, error: &str) {
        self.outages.failed(self.books.slot(key), began);
        if is_read {
            self.tally.failed_reads += 1;
            return;
        }
        let code = error.split(' ').next().unwrap_or_default();
        match self.tally.refused.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.tally.refused.insert(code.to_owned(), 1);
            }
        }
    }
}
