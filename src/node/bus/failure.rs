//! Failure detection: reports, PFAIL, FAIL, and back (§6).

use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// A report is valid for this many node timeouts (§1.1).
const REPORT_VALIDITY_TIMEOUTS: i64 = 2;

impl Bus {
    /// Drops reports about a node that are too old (§6.4).
    fn purge_reports(&mut self, about: PeerIx, now: Millis, node_timeout: Millis) {
        let valid = Millis(node_timeout.0.saturating_mul(REPORT_VALIDITY_TIMEOUTS));
        let reports = &mut self.table.peer_mut(about).fail_reports;
        reports.retain(|report| now - report.time <= valid);
        self.table.hot_mut(about).reports = self.table.peer(about).fail_reports.len() as u16;
    }

    /// Takes back what `reporter` said about a node; returns whether it had said anything (§6.4).
    pub(crate) fn remove_report(&mut self, about: PeerIx, reporter: PeerIx) -> bool {
        if self.table.hot(about).reports == 0 {
            return false;
        }
        let reports = &mut self.table.peer_mut(about).fail_reports;
        let before = reports.len();
        reports.retain(|report| report.reporter != reporter);
        let after = reports.len();
        self.table.hot_mut(about).reports = after as u16;
        after < before
    }
}

impl Node {
    /// How many masters say that a node fails (§6.4).
    pub(crate) fn failure_report_count(&mut self, ctx: &mut Ctx<'_>, about: PeerIx) -> u32 {
        if self.bus.table.hot(about).reports > 0 {
            self.bus.purge_reports(about, ctx.now.millis(), self.config.node_timeout);
        }
        u32::from(self.bus.table.hot(about).reports)
    }
}
