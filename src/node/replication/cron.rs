//! What replication does once a second, in its order (A.4).

use crate::node::Node;
use crate::node::child::Task;
use crate::node::effect::{Ctx, LinkId};
use crate::node::log::Level;
use crate::node::replication::downstream::{Replica, Stage};
use crate::node::replication::message::{ReplMessage, StreamCommand};
use crate::node::replication::upstream::Upstream;

impl Node {
    /// The replication cron (A.4).
    pub(crate) fn replication_cron(&mut self, ctx: &mut Ctx<'_>) {
        self.time_out_upstream(ctx);
        if self.replication.upstream == Upstream::Waiting {
            self.connect_upstream(ctx, "Connecting to MASTER", "");
        }
        if let Upstream::Connected { link, .. } = self.replication.upstream {
            self.acknowledge(ctx, link);
        }
        self.ping_replicas(ctx);
        self.keep_waiting_replicas_alive(ctx);
        self.drop_silent_replicas(ctx);
        self.forget_idle_backlog(ctx);
        self.start_pending_save(ctx);
        self.count_good_replicas();
        self.replication.cron_loops += 1;
    }

    /// Gives up on a master that says nothing for `repl-timeout`.
    fn time_out_upstream(&mut self, ctx: &mut Ctx<'_>) {
        let Some(last_io) = self.replication.upstream.last_io() else { return };
        if ctx.now.secs() - last_io <= self.config.repl_timeout {
            return;
        }
        match self.replication.upstream {
            Upstream::Connecting { .. } | Upstream::Handshake { .. } => {
                self.log(ctx, Level::Warning, format_args!("Timeout connecting to the MASTER..."));
                self.retry_upstream(ctx);
            }
            Upstream::Transfer { .. } => {
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!(
                        "Timeout receiving bulk data from MASTER... If the problem persists try to \
                         set the 'repl-timeout' parameter in redis.conf to a larger value."
                    ),
                );
                self.retry_upstream(ctx);
            }
            Upstream::Connected { .. } => {
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!("MASTER timeout: no data nor PING received..."),
                );
                self.drop_master(ctx);
            }
            Upstream::Idle | Upstream::Waiting => {}
        }
    }

    /// Feeds a PING from time to time; not while a manual failover waits for equal offsets (§8.5.3).
    /// A replica only passes on its master's.
    fn ping_replicas(&mut self, ctx: &mut Ctx<'_>) {
        if self.replication.cron_loops % self.config.repl_ping_replica_period != 0
            || self.replication.replicas.is_empty()
        {
            return;
        }
        let waits_for_equal_offsets = self.manual_failover_runs() && self.clients_paused();
        if !waits_for_equal_offsets && self.replication.master.is_none() {
            self.feed(ctx, StreamCommand::Ping);
        }
    }

    fn keep_waiting_replicas_alive(&self, ctx: &mut Ctx<'_>) {
        let streams = self.server.storage.running(Task::Stream).is_some();
        let waits = |replica: &&Replica| match replica.stage {
            // It gets something to read anyway.
            Stage::Saving(_) => !streams,
            stage => stage == Stage::WaitSave,
        };
        for replica in self.replication.replicas.iter().filter(waits) {
            replica.tell(ctx, ReplMessage::Newline);
        }
    }

    fn drop_silent_replicas(&mut self, ctx: &mut Ctx<'_>) {
        let limit = self.unix_now() - self.config.repl_timeout;
        let silent: Vec<LinkId> = self
            .replication
            .online()
            .filter(|replica| replica.ack_time < limit && !replica.is_client)
            .map(|replica| replica.link)
            .collect();
        for link in silent {
            if let Some(replica) = self.replication.replica(link) {
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!("Disconnecting timedout replica (streaming sync): {replica}"),
                );
            }
            self.drop_replica(ctx, link);
        }
    }

    /// A master without replicas stops remembering after a while, and then begins a new history,
    /// because from now on it does not count what it writes.
    fn forget_idle_backlog(&mut self, ctx: &mut Ctx<'_>) {
        let ttl = self.config.repl_backlog_ttl;
        let idle = self.unix_now() - self.replication.alone_since;
        let replication = &mut self.replication;
        let useless = replication.replicas.is_empty()
            && replication.history.backlog.is_some()
            && replication.master.is_none();
        if !useless || ttl == 0 || idle <= ttl {
            return;
        }
        replication.history.restart(&mut replication.draws);
        replication.history.backlog = None;
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "Replication backlog freed after {ttl} seconds without connected replicas."
            ),
        );
    }
}
