//! Manual failover: a replica and its master agree on the moment (§8.5, §9.15).
//!
//! The replica asks; the master stops writing and says how far its stream goes; the replica waits
//! until it has processed all of it, and then has itself elected although the master is well.

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, LinkId};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{MessageType, Packet};
use crate::node::table::PeerIx;
use crate::resp::Reply;
use crate::time::Millis;

/// A manual failover, on either side of it (§8.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct ManualFailover {
    /// When it is given up; never = none is going on.
    pub end: Millis,
    /// Replica: whether nothing need be waited for any more.
    pub can_start: bool,
    /// Master: who wants my place.
    pub replica: Option<PeerIx>,
    /// Replica: where the paused master's stream ends.
    pub master_offset: Option<u64>,
}

/// The ways of CLUSTER FAILOVER (§9.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailoverMode {
    /// With the master's help.
    Agreed,
    /// FORCE: without the master, with the votes of the others.
    Force,
    /// TAKEOVER: without asking anybody.
    Takeover,
}

/// How it is begun.
enum Way {
    TakeOver,
    Force,
    /// By asking the master, to which this is my link.
    Ask(LinkId),
}

/// A manual failover that takes longer is given up.
const TIME_LIMIT: Millis = Millis(5_000);
/// The master stops writes for this long; nothing lifts the pause early in 6.2.3 (§8.5.4).
const PAUSE: Millis = Millis(10_000);

impl ManualFailover {
    /// Whether one is going on.
    #[must_use]
    pub fn runs(&self) -> bool {
        !self.end.is_never()
    }

    /// Whether the replica may have itself elected now.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        self.runs() && self.can_start
    }
}

impl Bus {
    /// Who wants my place. The cron pings it each time, so that it hears of the end of the stream at
    /// once (§7.4.4).
    pub(crate) fn successor(&self) -> Option<PeerIx> {
        let manual = self.manual_failover;
        manual.replica.filter(|_| manual.runs() && self.is_master())
    }
}

impl Node {
    /// CLUSTER FAILOVER (§9.15, §8.5.1).
    pub(crate) fn start_manual_failover(&mut self, ctx: &mut Ctx<'_>, mode: FailoverMode) -> Reply {
        if self.bus.is_master() {
            return Reply::err("You should send CLUSTER FAILOVER to a replica");
        }
        let Some(master) = self.bus.my_master() else {
            return Reply::err("I'm a replica but my master is unknown to me");
        };
        let link = self.bus.table.link(master);
        let reachable = link.filter(|_| !self.bus.table.flags(master).any(Flags::FAIL));
        let way = match (mode, reachable) {
            (FailoverMode::Takeover, _) => Way::TakeOver,
            (FailoverMode::Force, _) => Way::Force,
            (FailoverMode::Agreed, Some(link)) => Way::Ask(link),
            (FailoverMode::Agreed, None) => {
                return Reply::err("Master is down or failed, please use CLUSTER FAILOVER FORCE");
            }
        };
        self.reset_manual_failover();
        self.bus.manual_failover.end = ctx.now.millis() + TIME_LIMIT;
        let line = match way {
            Way::TakeOver => "Taking over the master (user request).",
            Way::Ask(_) => "Manual failover user request accepted.",
            Way::Force => "Forced failover user request accepted.",
        };
        self.log(ctx, Level::Warning, format_args!("{line}"));
        match way {
            Way::TakeOver => {
                self.bump_epoch_without_consensus(ctx);
                self.replace_my_master(ctx);
            }
            Way::Ask(link) => {
                let request = self.message(ctx, MessageType::MfStart);
                self.queue(ctx, link, request);
            }
            Way::Force => self.bus.manual_failover.can_start = true,
        }
        Reply::ok()
    }

    /// MFSTART: a replica wants my place. I stop writing and tell it how far my stream goes (§5.10).
    pub(crate) fn manual_failover_asked(&mut self, ctx: &mut Ctx<'_>, link: LinkId, from: PeerIx) {
        if self.bus.table.peer(from).replica_of() != Some(self.bus.myself) {
            return;
        }
        let now = ctx.now.millis();
        self.reset_manual_failover();
        self.bus.manual_failover.end = now + TIME_LIMIT;
        self.bus.manual_failover.replica = Some(from);
        self.pause_writes(now + PAUSE);
        let replica = ctx.ids.id(self.bus.table.node(from));
        self.log(
            ctx,
            Level::Warning,
            format_args!("Manual failover requested by replica {replica}."),
        );
        // The connection that it came on is nobody's, so no pending ping is overwritten.
        self.send_ping(ctx, link, None, MessageType::Ping);
    }

    /// The paused master has said how far its stream goes (§5.1.5d).
    pub(crate) fn note_paused_offset(&mut self, ctx: &mut Ctx<'_>, from: PeerIx, packet: &Packet) {
        let awaited = self.bus.manual_failover.runs()
            && self.bus.manual_failover.master_offset.is_none()
            && !self.bus.is_master()
            && self.bus.my_master() == Some(from);
        if !awaited || !packet.paused {
            return;
        }
        let offset = packet.offset;
        self.bus.manual_failover.master_offset = Some(offset);
        self.bus.todo.add(Todo::MANUAL_FAILOVER);
        self.log(
            ctx,
            Level::Warning,
            format_args!("Received replication offset for paused master manual failover: {offset}"),
        );
    }

    /// Looks whether all of the paused master's stream is processed (§8.5.6).
    pub(crate) fn manual_failover_step(&mut self, ctx: &mut Ctx<'_>) {
        let manual = self.bus.manual_failover;
        if !manual.runs() || manual.can_start {
            return;
        }
        let Some(goal) = manual.master_offset else { return };
        if goal != self.replication.processed_offset() {
            self.bus.todo.add(Todo::MANUAL_FAILOVER);
            return;
        }
        self.bus.manual_failover.can_start = true;
        self.bus.todo.add(Todo::FAILOVER);
        self.log(
            ctx,
            Level::Warning,
            format_args!("All master replication stream processed, manual failover can start."),
        );
    }

    /// Gives up a manual failover that takes too long (§7.6).
    pub(crate) fn time_out_manual_failover(&mut self, ctx: &mut Ctx<'_>) {
        let manual = self.bus.manual_failover;
        if manual.runs() && manual.end < ctx.now.millis() {
            self.log(ctx, Level::Warning, format_args!("Manual failover timed out."));
            self.reset_manual_failover();
        }
    }

    /// Forgets the manual failover (§8.5.8). The pause goes on until it expires.
    pub(crate) fn reset_manual_failover(&mut self) {
        if self.bus.manual_failover.runs() {
            self.clients_paused();
        }
        self.bus.manual_failover = ManualFailover::default();
    }
}

#[cfg(test)]
mod tests;
