//! Failure detection: what others report, PFAIL, FAIL, and back (§6).
//!
//! PFAIL is my own opinion and is set by the cron's clock (§6.1). FAIL is the majority's and is only
//! ever decided when gossip from a master arrives (§6.3).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Body, MessageType, Packet};
use crate::node::table::{FailReport, PeerIx};
use crate::time::Millis;

/// A report is valid for this many node timeouts (§1.1).
const REPORT_VALIDITY_TIMEOUTS: i64 = 2;
/// FAIL of a master with slots may be cleared after this many node timeouts (§1.1).
const FAIL_UNDO_TIMEOUTS: i64 = 2;

impl Bus {
    /// Adds or renews a report; returns whether it is new (§6.4).
    fn add_report(&mut self, about: PeerIx, reporter: PeerIx, now: Millis) -> bool {
        self.table.change_reports(about, |reports| {
            match reports.iter_mut().find(|report| report.reporter == reporter) {
                Some(report) => report.time = now,
                None => {
                    reports.push(FailReport { reporter, time: now });
                    return true;
                }
            }
            false
        })
    }

    /// Drops reports about a node that are too old (§6.4).
    fn purge_reports(&mut self, about: PeerIx, now: Millis, node_timeout: Millis) {
        let valid = node_timeout.times(REPORT_VALIDITY_TIMEOUTS);
        self.table.change_reports(about, |reports| reports.retain(|r| now - r.time <= valid));
    }

    /// Takes back what `reporter` said about a node; returns whether it had said anything (§6.4).
    pub(crate) fn remove_report(&mut self, about: PeerIx, reporter: PeerIx) -> bool {
        if self.table.fail_reports(about).is_empty() {
            return false;
        }
        self.table.change_reports(about, |reports| {
            let before = reports.len();
            reports.retain(|report| report.reporter != reporter);
            reports.len() < before
        })
    }

    /// Puts a node into FAIL (§6.3, §5.10).
    fn set_fail(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        self.table.clear_flags(ix, Flags::PFAIL);
        self.table.set_flags(ix, Flags::FAIL);
        self.table.history_mut(ix).fail_time = ctx.now.millis();
        self.todo.add(Todo::UPDATE | Todo::SAVE);
        ctx.out.notice(Notice::Fail(self.table.node(ix)));
    }
}

impl Node {
    /// How many masters say that a node fails (§6.4).
    pub(crate) fn failure_report_count(&mut self, ctx: &mut Ctx<'_>, about: PeerIx) -> u32 {
        if !self.bus.table.fail_reports(about).is_empty() {
            self.bus.purge_reports(about, ctx.now.millis(), self.config.node_timeout);
        }
        self.bus.table.fail_reports(about).len() as u32
    }

    /// A master says that a node fails, or that it does not (§5.9.2).
    pub(crate) fn hear_report(
        &mut self,
        ctx: &mut Ctx<'_>,
        reporter: PeerIx,
        about: PeerIx,
        failing: bool,
    ) {
        let now = ctx.now.millis();
        let news = if failing {
            self.bus.add_report(about, reporter, now).then_some("as not reachable.")
        } else if self.bus.remove_report(about, reporter) {
            self.bus.purge_reports(about, now, self.config.node_timeout);
            Some("is back online.")
        } else {
            None
        };
        if let Some(news) = news {
            let (by, id) = (self.bus.id_of(ctx.ids, reporter), self.bus.id_of(ctx.ids, about));
            self.log(ctx, Level::Verbose, format_args!("Node {by} reported node {id} {news}"));
        }
        if failing {
            self.mark_failing_if_needed(ctx, about);
        }
    }

    /// Puts a node into FAIL if I think that it fails and the majority of masters does (§6.3).
    fn mark_failing_if_needed(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let flags = self.bus.table.flags(ix);
        if !flags.any(Flags::PFAIL) || flags.any(Flags::FAIL) {
            return;
        }
        let votes = self.failure_report_count(ctx, ix) + u32::from(self.bus.is_master());
        if votes < self.bus.quorum() {
            return;
        }
        let id = self.bus.id_of(ctx.ids, ix);
        let text = format_args!("Marking node {id} as failing (quorum reached).");
        self.log(ctx, Level::Notice, text);
        self.bus.set_fail(ctx, ix);
        let body = Body::Fail(self.bus.table.node(ix));
        self.broadcast(ctx, MessageType::Fail, &body);
    }

    /// Somebody says that a node is in FAIL (§5.10).
    pub(crate) fn hear_fail(&mut self, ctx: &mut Ctx<'_>, sender: Option<PeerIx>, packet: &Packet) {
        let Body::Fail(about) = packet.body else { return };
        let (by, id) = (ctx.ids.id(packet.sender), ctx.ids.id(about));
        if sender.is_none() {
            let text = format_args!("Ignoring FAIL message from unknown node {by} about {id}");
            self.log(ctx, Level::Notice, text);
            return;
        }
        let Some(ix) = self.bus.table.find(about) else { return };
        if !self.bus.table.flags(ix).any(Flags::FAIL | Flags::MYSELF) {
            let text = format_args!("FAIL message received from {by} about {id}");
            self.log(ctx, Level::Notice, text);
            self.bus.set_fail(ctx, ix);
        }
    }

    /// A node answered on my own link: what I held against it is over, or nearly (§5.6.3).
    pub(crate) fn hear_pong(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        self.bus.table.set_pong_received(ix, ctx.now.millis());
        self.bus.table.set_ping_sent(ix, Millis::NEVER);
        let flags = self.bus.table.flags(ix);
        if flags.any(Flags::PFAIL) {
            self.bus.table.clear_flags(ix, Flags::PFAIL);
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
            ctx.out.notice(Notice::PfailCleared(self.bus.table.node(ix)));
        } else if flags.any(Flags::FAIL) {
            self.clear_fail_if_needed(ctx, ix);
        }
    }

    /// Takes a node that answers out of FAIL, unless somebody may still take its place (§6.5).
    fn clear_fail_if_needed(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let flags = self.bus.table.flags(ix);
        let slots = self.bus.table.peer(ix).slot_count;
        let failed = self.bus.table.history(ix).fail_time;
        let undo_after = self.config.node_timeout.times(FAIL_UNDO_TIMEOUTS);
        let why = if flags.is_replica() {
            "replica is reachable again."
        } else if slots == 0 {
            "master without slots is reachable again."
        } else if flags.is_master() && ctx.now.millis() - failed > undo_after {
            "is reachable again and nobody is serving its slots after some time."
        } else {
            return;
        };
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Notice, format_args!("Clear FAIL state for node {id}: {why}"));
        self.bus.table.clear_flags(ix, Flags::FAIL);
        self.bus.todo.add(Todo::UPDATE | Todo::SAVE);
        ctx.out.notice(Notice::FailCleared(self.bus.table.node(ix)));
    }
}
