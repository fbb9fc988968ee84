//! A replica's election: when to ask for votes, and why not (§8.1-§8.3).
//!
//! The record of an election outlives a change of role, and nobody clears it (15.11, 15.12). So a
//! node that must fail over again soon after it won finds the votes of last time and believes them.
//! That is how the real one behaves, too.

use std::fmt;

use crate::node::Node;
use crate::node::bus::{PongTo, Todo};
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Body, Epoch, MessageType};
use crate::node::table::PeerIx;
use crate::rng::Stream;
use crate::time::Millis;

/// The record of my last election (§8.1).
#[derive(Debug)]
pub struct Election {
    /// When it starts or started.
    pub time: Millis,
    /// How many votes were counted.
    pub votes: u32,
    /// Whether votes were asked for.
    pub asked: bool,
    /// How many other replicas know more, as far as I know (§8.3).
    pub rank: u32,
    /// The epoch in which I asked.
    pub epoch: Epoch,
    /// Why I did not fail over when I last looked.
    pub obstacle: Option<Obstacle>,
    /// When that was last logged, in Unix seconds.
    pub obstacle_logged: i64,
    /// Draws for the random part of the delay.
    pub draws: Stream,
}

/// Why a replica does not fail over (§8.3b).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Its data is too old.
    DataAge,
    /// The delay is not over.
    WaitingDelay,
    /// It asked for votes too long ago.
    Expired,
    /// Not enough votes yet.
    WaitingVotes,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Obstacle::DataAge => {
                "Disconnected from master for longer than allowed. Please check the \
                 'cluster-replica-validity-factor' configuration option."
            }
            Obstacle::WaitingDelay => "Waiting the delay before I can start a new failover.",
            Obstacle::Expired => "Failover attempt expired.",
            Obstacle::WaitingVotes => "Waiting for votes, but majority still not reached.",
        })
    }
}

/// The part of the delay that is the same for everybody: news of the failure shall spread first.
const FIXED_DELAY: Millis = Millis(500);
/// The random part is shorter than this.
const RANDOM_DELAY: u32 = 500;
/// What each better replica costs.
const RANK_DELAY: Millis = Millis(1_000);
/// How often an unchanged obstacle is logged, in seconds.
const OBSTACLE_PERIOD: i64 = 300;
/// Obstacles are not logged in the first node timeout and this long after the master's failure.
const OBSTACLE_QUIET: Millis = Millis(5_000);
/// An election is valid for this many node timeouts, at least two seconds.
const ELECTION_TIMEOUTS: i64 = 2;
const SHORTEST_ELECTION: Millis = Millis(2_000);

impl Election {
    /// No election yet (§2.6).
    #[must_use]
    pub fn new(draws: Stream) -> Election {
        Election {
            time: Millis::NEVER,
            votes: 0,
            asked: false,
            rank: 0,
            epoch: Epoch(0),
            obstacle: None,
            obstacle_logged: 0,
            draws,
        }
    }
}

impl Node {
    /// Decides whether to take my master's place, and takes the next step (§8.2).
    pub(crate) fn failover_step(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.millis();
        // Before anything is rescheduled.
        let age = now - self.bus.election.time;
        self.bus.todo.clear(Todo::FAILOVER);
        let Some(master) = self.master_to_replace() else {
            self.bus.election.obstacle = None;
            return;
        };
        if self.data_is_too_old() {
            return self.cannot_fail_over(ctx, master, Obstacle::DataAge);
        }
        let timeout = Millis(self.config.node_timeout.0.saturating_mul(ELECTION_TIMEOUTS))
            .max(SHORTEST_ELECTION);
        if age > timeout + timeout {
            return self.schedule_election(ctx, master);
        }
        if !self.bus.election.asked && !self.bus.manual_failover.runs() {
            self.raise_rank(ctx, master);
        }
        if now < self.bus.election.time {
            return self.cannot_fail_over(ctx, master, Obstacle::WaitingDelay);
        }
        if age > timeout {
            return self.cannot_fail_over(ctx, master, Obstacle::Expired);
        }
        if !self.bus.election.asked {
            return self.ask_for_votes(ctx);
        }
        if self.bus.election.votes <= self.bus.size / 2 {
            return self.cannot_fail_over(ctx, master, Obstacle::WaitingVotes);
        }
        self.election_won(ctx);
    }

    /// My master, if somebody should take its place and it may be me (§8.2.1).
    fn master_to_replace(&self) -> Option<PeerIx> {
        let manual = self.bus.manual_failover.may_go_on();
        if self.bus.is_master() || (self.config.replica_no_failover && !manual) {
            return None;
        }
        let master = self.bus.my_master()?;
        let failed = self.bus.table.flags(master).any(Flags::FAIL);
        let serves = self.bus.table.peer(master).slot_count > 0;
        ((failed || manual) && serves).then_some(master)
    }

    /// Whether I have not heard from my master for so long that I should not take its place
    /// (§8.2.2, §8.2.3).
    fn data_is_too_old(&self) -> bool {
        let factor = self.config.replica_validity_factor;
        if factor == 0 || self.bus.manual_failover.may_go_on() {
            return false;
        }
        let node_timeout = self.config.node_timeout.0;
        let mut age = self.replication.silence(self.unix_now()).saturating_mul(1_000);
        if age > node_timeout {
            age -= node_timeout;
        }
        let limit = (self.config.repl_ping_replica_period.saturating_mul(1_000))
            .saturating_add(node_timeout.saturating_mul(factor));
        age > limit
    }

    /// Sets the time of a new election (§8.2.4).
    fn schedule_election(&mut self, ctx: &mut Ctx<'_>, master: PeerIx) {
        let now = ctx.now.millis();
        let rank = self.rank(master);
        let manual = self.bus.manual_failover.runs();
        let election = &mut self.bus.election;
        let random = Millis(i64::from(election.draws.below(RANDOM_DELAY)));
        election.votes = 0;
        election.asked = false;
        election.rank = rank;
        election.time = now + FIXED_DELAY + random + Millis(RANK_DELAY.0 * i64::from(rank));
        if manual {
            election.time = now;
            election.rank = 0;
            self.bus.todo.add(Todo::FAILOVER);
        }
        let (delay, rank) = (self.bus.election.time - now, self.bus.election.rank);
        let offset = self.replication.processed_offset();
        self.log(
            ctx,
            Level::Warning,
            format_args!(
                "Start of election delayed for {delay} milliseconds (rank #{rank}, offset \
                 {offset})."
            ),
        );
        self.broadcast_pong(ctx, PongTo::LocalReplicas);
    }

    /// How many of my master's other replicas are ahead of me, dead ones included (§8.3, 15.23).
    fn rank(&self, master: PeerIx) -> u32 {
        let mine = self.replication.processed_offset();
        let table = &self.bus.table;
        let others = table.replicas(master).iter().filter(|&&ix| ix != self.bus.myself);
        let ahead = others.filter(|&&ix| {
            !table.flags(ix).any(Flags::NOFAILOVER) && table.peer(ix).repl_offset > mine
        });
        ahead.count() as u32
    }

    /// Waits longer if others turn out to be ahead; never shorter (§8.2.5).
    fn raise_rank(&mut self, ctx: &mut Ctx<'_>, master: PeerIx) {
        let rank = self.rank(master);
        let election = &mut self.bus.election;
        if rank <= election.rank {
            return;
        }
        let added = Millis(RANK_DELAY.0 * i64::from(rank - election.rank));
        election.time = election.time + added;
        election.rank = rank;
        self.log(
            ctx,
            Level::Warning,
            format_args!("Replica rank updated to #{rank}, added {added} milliseconds of delay."),
        );
    }

    /// Begins an epoch and asks everybody for their vote (§8.2.8, §4.6).
    fn ask_for_votes(&mut self, ctx: &mut Ctx<'_>) {
        let bus = &mut self.bus;
        bus.current_epoch = bus.current_epoch.next();
        bus.election.epoch = bus.current_epoch;
        bus.election.asked = true;
        bus.todo.add(Todo::SAVE | Todo::UPDATE | Todo::FSYNC);
        let epoch = bus.current_epoch;
        self.log(
            ctx,
            Level::Warning,
            format_args!("Starting a failover election for epoch {epoch}."),
        );
        self.broadcast(ctx, MessageType::AuthRequest, &Body::Empty);
    }

    fn election_won(&mut self, ctx: &mut Ctx<'_>) {
        self.log(ctx, Level::Warning, format_args!("Failover election won: I'm the new master."));
        let epoch = self.bus.election.epoch;
        let mine = &mut self.bus.table.peer_mut(self.bus.myself).config_epoch;
        if *mine < epoch {
            *mine = epoch;
            self.log(
                ctx,
                Level::Warning,
                format_args!("configEpoch set to {epoch} after successful failover"),
            );
        }
        self.replace_my_master(ctx);
    }

    /// Remembers why I do not fail over, and says so now and then (§8.3b).
    fn cannot_fail_over(&mut self, ctx: &mut Ctx<'_>, master: PeerIx, obstacle: Obstacle) {
        let seconds = ctx.now.secs();
        let election = &mut self.bus.election;
        let recent = seconds - election.obstacle_logged < OBSTACLE_PERIOD;
        if election.obstacle == Some(obstacle) && recent {
            return;
        }
        election.obstacle = Some(obstacle);
        let failed = self.bus.table.flags(master).any(Flags::FAIL);
        let since = ctx.now.millis() - self.bus.table.history(master).fail_time;
        if failed && since < self.config.node_timeout + OBSTACLE_QUIET {
            return;
        }
        self.bus.election.obstacle_logged = seconds;
        self.log(ctx, Level::Warning, format_args!("Currently unable to failover: {obstacle}"));
    }

    /// Takes over all that my master has, and tells everybody (§8.6).
    pub(crate) fn replace_my_master(&mut self, ctx: &mut Ctx<'_>) {
        let Some(old) = self.bus.my_master().filter(|_| !self.bus.is_master()) else { return };
        let me = self.bus.myself;
        self.bus.set_as_master(me);
        self.unfollow(ctx);
        let slots = std::sync::Arc::clone(&self.bus.table.peer(old).slots);
        for slot in slots.iter() {
            self.bus.del_slot(slot);
            self.bus.add_slot(slot, me);
        }
        self.update_state(ctx);
        self.save_config(ctx, true);
        self.broadcast_pong(ctx, PongTo::All);
        self.reset_manual_failover();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id};
    use crate::node::log::Level;
    use crate::node::packet::MessageType;

    /// Three masters and as many replicas, all connected and in sync.
    fn calm(replicas: usize, node_timeout: i64) -> Lab {
        let mut lab = Lab::formed(3, replicas, node_timeout);
        lab.run(4_000);
        lab
    }

    /// The lines of a node at the levels that people read, since a number of lines.
    fn told(lab: &Lab, node: usize, from: usize) -> Vec<String> {
        let lines = lab.lines[from..].iter();
        lines
            .filter(|line| line.node == node && line.level >= Level::Notice)
            .map(|line| line.text.clone())
            .collect()
    }

    fn starting_with<'a>(lines: &'a [String], start: &str) -> Vec<&'a String> {
        lines.iter().filter(|line| line.starts_with(start)).collect()
    }

    #[test]
    fn a_replica_of_a_failed_master_schedules_asks_and_wins_8_2() {
        let mut lab = calm(3, 1_000);
        let from = lab.lines.len();
        lab.kill(0);
        lab.run(5_000);
        let lines = told(&lab, 3, from);
        let at = |start: &str| {
            let found = lines.iter().position(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("no `{start}` in {lines:#?}"))
        };
        let fail = at("Cluster state changed: fail");
        let scheduled = at("Start of election delayed for ");
        let asked = at("Starting a failover election for epoch 4.");
        let won = at("Failover election won: I'm the new master.");
        let epoch = at("configEpoch set to 4 after successful failover");
        let ok = at("Cluster state changed: ok");
        assert!(fail < scheduled && scheduled < asked && asked < won && won < epoch && epoch < ok);
        let new = lab.peer(1, 3);
        assert!(lab.node(1).bus.table.flags(new).is_master());
        assert_eq!(lab.node(1).bus.table.peer(new).slot_count, 5_461);
        for voter in [1, 2] {
            let text = format!("Failover auth granted to {} for epoch 4", id(3));
            assert!(lab.logged(voter, &text));
        }
    }

    #[test]
    fn an_election_waits_500_to_999_ms_and_for_the_cron_15_22() {
        let mut delays = Vec::new();
        for seed in 0..20 {
            let mut lab = calm(3, 1_000);
            lab.node(3).bus.election.draws =
                crate::rng::Seed(seed).stream(crate::rng::Purpose::Election, 3, 0);
            lab.kill(0);
            lab.run(5_000);
            let time = |start: &str| {
                let mut lines = lab.lines.iter().rev().filter(|line| line.node == 3);
                lines.find(|line| line.text.starts_with(start)).map(|line| line.at).unwrap()
            };
            let announced = lab.lines.iter().find_map(|line| {
                let rest = line.text.strip_prefix("Start of election delayed for ")?;
                rest.split(' ').next()?.parse::<i64>().ok()
            });
            let announced = announced.unwrap();
            let waited = time("Starting a failover election").0 - time("Start of election").0;
            assert!((500..1_000).contains(&announced));
            assert!((0..100).contains(&(waited - announced)) && waited % 100 == 0);
            delays.push(announced);
        }
        delays.sort_unstable();
        delays.dedup();
        assert!(delays.len() > 10, "the delay is random");
    }

    #[test]
    fn whoever_knows_less_waits_a_second_for_each_better_one_8_3() {
        let mut lab = calm(9, 1_000);
        for (replica, offset) in [(3, 100), (6, 50), (9, 10)] {
            set_known(&mut lab, replica, offset);
        }
        lab.run(2_000);
        let from = lab.lines.len();
        lab.kill(0);
        lab.run_until(4_000, |lab| {
            lab.lines[from..].iter().filter(|l| l.text.starts_with("Start of election")).count()
                == 3
        });
        for (replica, rank, offset) in [(3, 0, 100), (6, 1, 50), (9, 2, 10)] {
            let lines = told(&lab, replica, from);
            let line = starting_with(&lines, "Start of election")[0].clone();
            assert!(line.ends_with(&format!("(rank #{rank}, offset {offset}).")), "{line}");
        }
    }

    /// Pretends that a replica has processed this much of its master's stream.
    fn set_known(lab: &mut Lab, replica: usize, offset: u64) {
        use crate::node::replication::upstream::Upstream;
        let Upstream::Connected { known, .. } = &mut lab.node(replica).replication.upstream else {
            panic!("it is not connected")
        };
        known.offset = offset;
    }

    #[test]
    fn replicas_that_know_the_same_have_the_same_rank_15_23() {
        let mut lab = calm(6, 1_000);
        let from = lab.lines.len();
        lab.kill(0);
        lab.run(3_000);
        for replica in [3, 6] {
            let lines = told(&lab, replica, from);
            assert!(starting_with(&lines, "Start of election")[0].contains("rank #0"));
        }
    }

    #[test]
    fn a_dead_replica_that_knew_more_still_costs_a_second_15_23() {
        let mut lab = calm(6, 1_000);
        set_known(&mut lab, 6, 500);
        lab.run(2_000);
        lab.kill(6);
        let from = lab.lines.len();
        lab.kill(0);
        lab.run(4_000);
        assert!(starting_with(&told(&lab, 3, from), "Start of election")[0].contains("rank #1"));
    }

    #[test]
    fn a_rank_that_gets_worse_adds_delay_and_never_takes_it_away_8_2_5() {
        let mut lab = calm(6, 1_000);
        let from = lab.lines.len();
        lab.kill(0);
        lab.run_until(4_000, |lab| {
            let now = lab.now.millis();
            lab.node(3).bus.election.time > now
        });
        let before = lab.node(3).bus.election.time;
        let other = lab.peer(3, 6);
        lab.node(3).bus.table.peer_mut(other).repl_offset = 1_000;
        lab.act(3, Node::failover_step);
        assert_eq!(lab.node(3).bus.election.time, before + Millis(1_000));
        let text = "Replica rank updated to #1, added 1000 milliseconds of delay.";
        assert_eq!(starting_with(&told(&lab, 3, from), text).len(), 1);
        lab.node(3).bus.table.peer_mut(other).repl_offset = 0;
        lab.act(3, Node::failover_step);
        assert_eq!(lab.node(3).bus.election.time, before + Millis(1_000));
    }

    #[test]
    fn a_replica_that_was_never_connected_does_not_fail_over_15_14() {
        let mut lab = Lab::formed(3, 3, 1_000);
        lab.run(4_000);
        lab.node(3).replication.down_since = 0;
        lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
        lab.kill(0);
        let from = lab.lines.len();
        lab.run(12_000);
        let lines = told(&lab, 3, from);
        assert!(starting_with(&lines, "Start of election").is_empty());
        let why = "Currently unable to failover: Disconnected from master for longer than allowed. \
                   Please check the 'cluster-replica-validity-factor' configuration option.";
        assert_eq!(starting_with(&lines, why).len(), 1, "{lines:#?}");
        lab.node(3).config.replica_validity_factor = 0;
        lab.run(2_000);
        assert_eq!(starting_with(&told(&lab, 3, from), "Start of election").len(), 1);
    }

    #[test]
    fn an_obstacle_is_not_told_until_a_timeout_and_5_s_after_the_failure_8_3b() {
        let mut lab = calm(3, 2_000);
        lab.node(3).replication.down_since = 0;
        lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
        lab.kill(0);
        let start = "Currently unable to failover: Disconnected";
        lab.run_until(20_000, |lab| lab.lines.iter().any(|line| line.text.starts_with(start)));
        let master = lab.peer(3, 0);
        let failed = lab.node(3).bus.table.history(master).fail_time;
        let told = lab.now.millis() - failed;
        assert!((7_000..=7_110).contains(&told.0), "{told}");
    }

    #[test]
    fn an_obstacle_is_told_again_every_300_s_8_3b() {
        let mut lab = calm(3, 1_000);
        lab.node(3).replication.down_since = 0;
        lab.node(3).replication.upstream = crate::node::replication::upstream::Upstream::Waiting;
        lab.kill(0);
        lab.run(330_000);
        let start = "Currently unable to failover";
        let times: Vec<Millis> =
            lab.lines.iter().filter(|l| l.text.starts_with(start)).map(|l| l.at).collect();
        assert_eq!(times.len(), 2);
        // Whole seconds are compared.
        assert!((299_000..301_100).contains(&(times[1] - times[0]).0));
    }

    #[test]
    fn a_replica_told_not_to_does_not_fail_over_8_2_1() {
        let mut lab = calm(3, 1_000);
        lab.node(3).config.replica_no_failover = true;
        lab.kill(0);
        let from = lab.lines.len();
        lab.run(8_000);
        assert!(starting_with(&told(&lab, 3, from), "Start of election").is_empty());
        assert_eq!(lab.node(3).bus.election.obstacle, None);
        let replica = lab.peer(1, 3);
        assert!(lab.node(1).bus.table.flags(replica).any(Flags::NOFAILOVER), "peers know");
    }

    #[test]
    fn a_master_without_slots_is_not_replaced_8_2_1() {
        let mut lab = calm(3, 1_000);
        let (gone, heir) = (lab.peer(3, 0), lab.peer(3, 1));
        let slots: Vec<_> = lab.node(3).bus.table.peer(gone).slots.iter().collect();
        for slot in slots {
            lab.node(3).bus.del_slot(slot);
            lab.node(3).bus.add_slot(slot, heir);
        }
        lab.node(3).bus.table.set_flags(gone, Flags::FAIL);
        let from = lab.lines.len();
        lab.act(3, Node::failover_step);
        assert!(starting_with(&told(&lab, 3, from), "Start of election").is_empty());
    }

    #[test]
    fn without_a_majority_votes_are_asked_for_again_every_4_timeouts_8_2() {
        let mut lab = calm(3, 1_000);
        lab.kill(0);
        lab.run_until(4_000, |lab| {
            let master = lab.peer(3, 0);
            lab.node(3).bus.table.flags(master).any(Flags::FAIL)
        });
        lab.isolate(1);
        lab.isolate(2);
        let from = lab.lines.len();
        lab.run(20_000);
        let start = "Start of election delayed";
        let times: Vec<Millis> = lab.lines[from..]
            .iter()
            .filter(|line| line.node == 3 && line.text.starts_with(start))
            .map(|line| line.at)
            .collect();
        assert!(times.len() >= 4, "{times:?}");
        for pair in times.windows(2) {
            // 4 s after the time that was set, which lies up to a second after the line.
            assert!((4_500..=5_100).contains(&(pair[1] - pair[0]).0), "{times:?}");
        }
        let lines = told(&lab, 3, from);
        let text =
            "Currently unable to failover: Waiting for votes, but majority still not reached.";
        assert!(!starting_with(&lines, text).is_empty());
        let text = "Currently unable to failover: Failover attempt expired.";
        assert!(!starting_with(&lines, text).is_empty());
        assert!(lab.node(3).bus.current_epoch.0 >= 6, "each attempt begins an epoch");
    }

    #[test]
    fn stale_votes_win_the_next_election_at_once_with_the_old_epoch_15_11() {
        let mut lab = calm(3, 1_000);
        lab.kill(0);
        lab.run_until(5_000, |lab| lab.node(3).bus.is_master());
        let won = lab.node(3).bus.election.time;
        // It follows somebody again, who fails within two timeouts of the election.
        let other = lab.peer(3, 1);
        lab.act(3, |node, ctx| {
            node.bus.del_node_slots(node.bus.myself);
            node.set_my_master(ctx, other);
            node.bus.table.set_flags(other, Flags::FAIL);
            node.replication.down_since = node.unix_now();
        });
        assert!(lab.now.millis() - won < Millis(2_000));
        let from = lab.lines.len();
        lab.sent.clear();
        lab.act(3, Node::failover_step);
        let lines = told(&lab, 3, from);
        assert!(lines[0].starts_with("Failover election won"), "{lines:#?}");
        assert!(starting_with(&lines, "configEpoch set to").is_empty(), "the epoch is the old one");
        assert!(lab.sent.iter().all(|sent| sent.packet.kind != MessageType::AuthRequest));
    }
}
