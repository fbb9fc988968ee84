//! What replication does to the rest of a replica: its keys, its clients, its disk.

use crate::node::Node;
use crate::node::client::{Client, Pause};
use crate::node::command::Spec;
use crate::node::effect::{Ctx, Effect, Input};
use crate::node::replication::message::Position;
use crate::resp::Reply;
use crate::time::Millis;

impl Node {
    /// Something happened on a replication link, or to a child.
    pub(crate) fn handle_replication(&mut self, ctx: &mut Ctx<'_>, input: Input<'_>) {
        match input {
            Input::ReplUp(end) => self.upstream_up(ctx, end.id),
            Input::ReplLost(end, loss) => {
                self.upstream_lost(ctx, end, loss);
                self.replica_gone(ctx, end.id);
            }
            Input::ReplAccepted(end) => self.replica_accepted(ctx, end),
            Input::ReplMessage(end, message) => match end.id.is_opener() {
                true => self.upstream_message(ctx, end.id, message),
                false => self.replica_message(ctx, end.id, message),
            },
            Input::TransferDone(number) => self.transfer_done(ctx, number),
            Input::ChildExit(pid) => self.child_exit(ctx, pid),
            _ => {}
        }
    }

    /// What my master or a replica has sent is a command as any other: it is counted, and the cached
    /// clock is set when it is carried out (§0.3.2).
    pub(super) fn count_command(&mut self, ctx: &Ctx<'_>, spec: &Spec, failed: bool) {
        self.process.cached_time = ctx.now.millis();
        self.server.stats.count_call(spec, failed);
    }

    /// The cached clock in whole seconds (§0.3.2).
    pub(crate) fn unix_now(&self) -> i64 {
        self.process.cached_time.0 / 1_000
    }

    /// Whether clients are held back.
    pub(crate) fn clients_paused(&mut self) -> bool {
        self.clients.is_paused(self.process.cached_time)
    }

    /// Holds back writes until a time.
    pub(crate) fn pause_writes(&mut self, until: Millis) {
        self.clients.pause(until, Pause::Writes);
    }

    /// The file that I loaded tells where in which history I was: I may be able to go on from there
    /// (§13.3.11).
    pub(crate) fn resume_replication(&mut self, ctx: &mut Ctx<'_>, position: Position) {
        self.replication.history.adopt(position);
        self.cache_myself(ctx);
    }

    /// Clients that wait for something but the end of a pause must look elsewhere (§11.13).
    pub(crate) fn dismiss_waiting_clients(&mut self, ctx: &mut Ctx<'_>) {
        for client in self.clients.waiting.clone() {
            let waits = |client: &Client| client.block.as_ref().is_some_and(|it| !it.is_pause());
            if !self.clients.get(client).is_some_and(waits) {
                continue;
            }
            let error = "UNBLOCKED force unblock from blocking operation, instance state changed \
                         (master -> replica?)";
            ctx.out.effects.push(Effect::Reply(client, Reply::Error(error.to_owned())));
            ctx.out.effects.push(Effect::CloseClient(client));
            self.clients.leave(client);
        }
    }

    /// Whether a manual failover is going on (§8.5).
    pub(crate) fn manual_failover_runs(&self) -> bool {
        self.bus.manual_failover.runs()
    }
}
