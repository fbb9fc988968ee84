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
        self.bus.watch.restart_soon();
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
mod tests {
    use super::*;
    use crate::node::client::Pause;
    use crate::node::lab::{Lab, id};
    use crate::node::packet::Epoch;

    fn calm() -> Lab {
        let mut lab = Lab::formed(3, 3, 2_000);
        lab.run(12_000);
        lab
    }

    fn fail_over(lab: &mut Lab, replica: usize, mode: FailoverMode) -> Reply {
        lab.act(replica, |node, ctx| node.start_manual_failover(ctx, mode))
    }

    /// What a node told people since some line, without what replication says.
    fn told(lab: &Lab, node: usize, from: usize) -> Vec<String> {
        let about_replication = [
            "MASTER <-> REPLICA",
            "Connecting",
            "Reconnecting",
            "Connection with",
            "Caching",
            "Discarding",
            "Setting secondary",
            "Replica ",
            "Partial",
            "Before turning",
            "Non block",
            "Master r",
            "Trying",
            "Successful",
        ];
        lab.lines[from..]
            .iter()
            .filter(|line| line.node == node && line.level >= Level::Notice)
            .map(|line| line.text.clone())
            .filter(|text| !about_replication.iter().any(|start| text.starts_with(start)))
            .collect()
    }

    #[test]
    fn the_whole_of_a_manual_failover_takes_no_cron_8_5_7() {
        let mut lab = calm();
        let (from, start) = (lab.lines.len(), lab.now);
        assert_eq!(fail_over(&mut lab, 4, FailoverMode::Agreed), Reply::ok());
        assert_eq!(lab.now, start, "all of it happens between two crons");
        assert_eq!(
            told(&lab, 4, from),
            [
                "Manual failover user request accepted.",
                "Received replication offset for paused master manual failover: 14",
                "All master replication stream processed, manual failover can start.",
                "Start of election delayed for 0 milliseconds (rank #0, offset 14).",
                "Starting a failover election for epoch 4.",
                "Currently unable to failover: Waiting for votes, but majority still not reached.",
                "Failover election won: I'm the new master.",
                "configEpoch set to 4 after successful failover",
            ]
        );
        let granted = format!("Failover auth granted to {} for epoch 4", id(4));
        assert_eq!(
            told(&lab, 1, from),
            [
                format!("Manual failover requested by replica {}.", id(4)),
                granted.clone(),
                format!(
                    "Configuration change detected. Reconfiguring myself as a replica of {}",
                    id(4)
                ),
            ],
            "the paused master votes as well"
        );
        assert_eq!(told(&lab, 0, from), [granted]);
        assert_eq!(lab.node(1).bus.my_master(), lab.find(1, 4));
        assert!(!lab.node(4).bus.manual_failover.runs());
    }

    #[test]
    fn only_a_replica_that_knows_its_master_can_fail_over_9_15() {
        let mut lab = calm();
        let error = |reply: Reply| reply.error().unwrap_or_default().to_owned();
        assert_eq!(
            error(fail_over(&mut lab, 1, FailoverMode::Force)),
            "ERR You should send CLUSTER FAILOVER to a replica"
        );
        let master = lab.peer(4, 1);
        lab.node(4).bus.table.set_flags(master, Flags::PFAIL);
        assert_eq!(fail_over(&mut lab, 4, FailoverMode::Force), Reply::ok(), "PFAIL is no matter");
        lab.node(4).bus.table.set_flags(master, Flags::FAIL);
        assert_eq!(
            error(fail_over(&mut lab, 4, FailoverMode::Agreed)),
            "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE"
        );
        let me = lab.node(4).bus.myself;
        lab.node(4).bus.table.peer_mut(me).set_replica_of(None);
        assert_eq!(
            error(fail_over(&mut lab, 4, FailoverMode::Takeover)),
            "ERR I'm a replica but my master is unknown to me"
        );
    }

    #[test]
    fn force_waits_for_the_next_cron_15_31() {
        let mut lab = calm();
        let start = lab.now;
        assert_eq!(fail_over(&mut lab, 4, FailoverMode::Force), Reply::ok());
        assert!(!lab.node(4).bus.is_master(), "OK means that it has begun");
        lab.run_until(100, |lab| lab.node(4).bus.is_master());
        assert!(lab.now > start);
        assert_eq!(lab.count(4, 1, MessageType::MfStart), 0);
    }

    #[test]
    fn takeover_asks_nobody_and_bumps_the_epoch_if_it_is_not_the_greatest_15_31() {
        let mut lab = calm();
        fail_over(&mut lab, 4, FailoverMode::Takeover);
        assert!(lab.node(4).bus.is_master(), "at once");
        assert_eq!(lab.count(4, 0, MessageType::AuthRequest), 0);
        let me = lab.node(4).bus.myself;
        assert_eq!(lab.node(4).bus.table.peer(me).config_epoch, Epoch(4));
        assert!(lab.logged(4, "New configEpoch set to 4"));

        let mut lab = calm();
        let me = lab.node(4).bus.myself;
        lab.node(4).bus.table.peer_mut(me).config_epoch = Epoch(3);
        let from = lab.lines.len();
        fail_over(&mut lab, 4, FailoverMode::Takeover);
        assert_eq!(lab.node(4).bus.table.peer(me).config_epoch, Epoch(3), "still the greatest");
        assert_eq!(told(&lab, 4, from), ["Taking over the master (user request)."]);
    }

    #[test]
    fn a_replica_that_lags_waits_for_the_end_of_the_stream_8_5_6() {
        let mut lab = calm();
        lab.node(1).replication.history.offset += 100;
        lab.act(4, |node, ctx| node.start_manual_failover(ctx, FailoverMode::Agreed));
        assert_eq!(lab.node(4).bus.manual_failover.master_offset, Some(114));
        lab.run(3_000);
        assert!(!lab.node(4).bus.is_master());
        let from = lab.lines.len();
        lab.run(2_200);
        for node in [1, 4] {
            assert_eq!(told(&lab, node, from), ["Manual failover timed out."], "after 5 s");
        }
        assert!(!lab.node(4).bus.manual_failover.runs());
    }

    #[test]
    fn a_paused_master_feeds_no_pings_8_5_3() {
        let mut lab = calm();
        lab.node(1).replication.history.offset += 100;
        let offset = lab.node(1).replication.history.offset;
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.node(1).replication.cron_loops = 0;
        lab.run(1_500);
        assert_eq!(lab.node(1).replication.history.offset, offset);
    }

    #[test]
    fn a_paused_master_pings_its_successor_at_every_cron_7_4_4() {
        let mut lab = calm();
        lab.node(1).replication.history.offset += 100;
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        let before = lab.count(1, 4, MessageType::Ping);
        lab.run(1_000);
        assert_eq!(lab.count(1, 4, MessageType::Ping) - before, 10);
        assert!(lab.sent.iter().rev().find(|sent| sent.from == 1).unwrap().packet.paused);
    }

    #[test]
    fn a_second_one_too_soon_wins_with_stale_votes_and_is_undone_15_12() {
        let mut lab = calm();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.run(600);
        fail_over(&mut lab, 1, FailoverMode::Agreed);
        lab.run(1_500);
        assert_eq!(lab.node(4).bus.my_master(), lab.find(4, 1));
        let (from, requests) = (lab.lines.len(), lab.count(4, 0, MessageType::AuthRequest));
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        let lines = told(&lab, 4, from);
        assert_eq!(
            lines[..4],
            [
                "Manual failover user request accepted.",
                "Received replication offset for paused master manual failover: 14",
                "All master replication stream processed, manual failover can start.",
                "Failover election won: I'm the new master.",
            ]
        );
        assert_eq!(lab.count(4, 0, MessageType::AuthRequest), requests, "nobody was asked");
        lab.run(3_000);
        let text = format!(
            "Configuration change detected. Reconfiguring myself as a replica of {}",
            id(1)
        );
        assert!(told(&lab, 4, from).contains(&text), "the real master's next packet undoes it");
        let start = "Full resync from master: ";
        assert!(lab.lines[from..].iter().any(|l| l.node == 4 && l.text.starts_with(start)));
    }

    #[test]
    fn a_second_one_between_two_and_four_timeouts_is_stuck_expired_15_12() {
        let mut lab = calm();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.run(600);
        fail_over(&mut lab, 1, FailoverMode::Agreed);
        // Its election was 4.0 s to 8.0 s ago: two to four timeouts.
        lab.run(3_500);
        let from = lab.lines.len();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        assert_eq!(
            told(&lab, 4, from).last().unwrap(),
            "Currently unable to failover: Failover attempt expired."
        );
        assert!(!lab.node(4).bus.is_master());
    }

    #[test]
    fn the_three_ways_begin_differently_8_5_1() {
        for (mode, line, asks) in [
            (FailoverMode::Agreed, "Manual failover user request accepted.", 1),
            (FailoverMode::Force, "Forced failover user request accepted.", 0),
            (FailoverMode::Takeover, "Taking over the master (user request).", 0),
        ] {
            let mut lab = calm();
            lab.isolate(4);
            lab.forget_records();
            assert_eq!(fail_over(&mut lab, 4, mode), Reply::ok());
            assert!(lab.logged(4, line), "{mode:?}");
            assert_eq!(lab.count(4, 1, MessageType::MfStart), asks, "{mode:?}");
            assert_eq!(lab.node(4).bus.is_master(), mode == FailoverMode::Takeover);
        }
    }

    #[test]
    fn a_master_that_is_asked_pauses_writes_and_says_so_at_once_8_5_2() {
        let mut lab = calm();
        lab.cut.insert((1, 4));
        lab.forget_records();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        assert!(lab.logged(1, &format!("Manual failover requested by replica {}.", id(4))));
        assert_eq!(lab.node(1).clients.pause, Some(Pause::Writes));
        let pings: Vec<bool> = lab
            .sent
            .iter()
            .filter(|sent| (sent.from, sent.packet.kind) == (1, MessageType::Ping))
            .map(|sent| sent.packet.paused)
            .collect();
        assert_eq!(pings, [true], "to the replica, and it says that writes are paused");
    }

    #[test]
    fn a_manual_failover_is_given_up_after_five_seconds_7_6() {
        let mut lab = calm();
        lab.cut.extend([(1, 4), (4, 1)]);
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.run(4_990);
        assert!(lab.node(4).bus.manual_failover.runs());
        lab.run(120);
        assert!(!lab.node(4).bus.manual_failover.runs());
        assert!(lab.logged(4, "Manual failover timed out."));
    }

    #[test]
    fn the_pause_outlives_the_failover_8_5_4() {
        let mut lab = calm();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        assert!(!lab.node(1).bus.is_master() && !lab.node(1).bus.manual_failover.runs());
        lab.run(9_900);
        assert_eq!(lab.node(1).clients.pause, Some(Pause::Writes));
        lab.run(300);
        assert_eq!(lab.node(1).clients.pause, None, "ten seconds are over");
    }

    #[test]
    fn a_master_hears_of_no_failover_from_somebody_elses_replica_5_10() {
        let mut lab = calm();
        let stranger = lab.peer(1, 3);
        let end = lab.outbound(1, stranger, 3);
        lab.act(1, |node, ctx| node.manual_failover_asked(ctx, end.id, stranger));
        assert!(!lab.node(1).bus.manual_failover.runs());
        assert_eq!(lab.node(1).clients.pause, None);
    }

    #[test]
    fn only_the_first_paused_offset_counts_8_5_5() {
        let mut lab = calm();
        lab.node(1).replication.history.offset += 100;
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.node(1).replication.history.offset += 100;
        lab.run(1_000);
        assert_eq!(lab.node(4).bus.manual_failover.master_offset, Some(114));
    }

    #[test]
    fn a_second_request_starts_all_over_8_5_8() {
        let mut lab = calm();
        lab.node(1).replication.history.offset += 100;
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        let end = lab.node(4).bus.manual_failover.end;
        lab.run(1_000);
        lab.node(1).replication.history.offset += 100;
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        let manual = lab.node(4).bus.manual_failover;
        assert_eq!(manual.end, end + Millis(1_000));
        assert_eq!(manual.master_offset, Some(214), "the offset was asked for again");
    }

    #[test]
    fn each_side_says_that_time_is_up_8_5_9() {
        let mut lab = calm();
        lab.cut.extend([(1, 4), (4, 1)]);
        let from = lab.lines.len();
        fail_over(&mut lab, 4, FailoverMode::Agreed);
        lab.run(5_200);
        let text = "Manual failover timed out.";
        assert!(told(&lab, 4, from).contains(&text.to_owned()));
        assert!(!told(&lab, 1, from).contains(&text.to_owned()), "it was never asked");
    }
}
