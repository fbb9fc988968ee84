//! A replica's election: when to ask for votes, and why not (§8.1-§8.3).
//!
//! The record of an election outlives a change of role, and nobody clears it (15.11, 15.12). So a
//! node that must fail over again soon after it won finds the votes of last time and believes them.
//! That is how the real one behaves, too.

use std::fmt;

use crate::node::Node;
use crate::node::bus::{PongTo, Todo};
use crate::node::effect::{Ctx, Notice};
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
        ctx.out.notice(Notice::Election);
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
        ctx.out.notice(Notice::Promoted);
        self.unfollow(ctx);
        let slots = std::sync::Arc::clone(&self.bus.table.peer(old).slots);
        self.bus.take_slots(&slots, me);
        self.update_state(ctx);
        self.save_config(ctx, true);
        self.broadcast_pong(ctx, PongTo::All);
        self.reset_manual_failover();
    }
}

#[cfg(test)]
mod tests;
