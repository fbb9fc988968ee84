//! A master's part in a full synchronization: a child writes the data set, whoever waits for it gets
//! it, and then the stream (A.9).

use std::sync::Arc;

use crate::node::Node;
use crate::node::child::Task;
use crate::node::dump::{self, Dump, NOTICEABLE};
use crate::node::effect::{Ctx, Effect};
use crate::node::log::Level;
use crate::node::replication::downstream::{Replica, Sending, Stage};
use crate::node::replication::message::{Position, ReplMessage};

impl Node {
    /// Gives a replica everything: with the child that runs already, if that serves, or with a new
    /// one (A.9).
    pub(super) fn restart_replica(&mut self, ctx: &mut Ctx<'_>, replica: Replica) {
        self.replication.replicas.push(replica);
        let replication = &mut self.replication;
        if replication.replicas.len() == 1 && replication.history.backlog.is_none() {
            replication.history.restart(&mut replication.draws);
            replication.history.remember(self.config.repl_backlog_size);
            let history = &self.replication.history;
            self.log(
                ctx,
                Level::Notice,
                format_args!(
                    "Replication backlog created, my new replication IDs are '{}' and '{}'",
                    history.id,
                    history.former_text()
                ),
            );
        }
        match self.server.storage.child.as_ref().map(|child| child.task) {
            Some(Task::Save) => self.attach_to_save(ctx),
            Some(Task::Stream) => self.log(
                ctx,
                Level::Notice,
                format_args!("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"),
            ),
            _ if self.may_stream() && self.config.repl_diskless_sync_delay > 0 => {
                let text = format_args!("Delay next BGSAVE for diskless SYNC");
                self.log(ctx, Level::Notice, text);
            }
            None => self.save_for_replicas(ctx),
            Some(Task::Rewrite) => self.log(
                ctx,
                Level::Notice,
                format_args!(
                    "No BGSAVE in progress, but another BG operation is active. BGSAVE for \
                     replication delayed"
                ),
            ),
        }
    }

    /// Lets the newest replica wait for a child that already saves for another one, if it does.
    fn attach_to_save(&mut self, ctx: &mut Ctx<'_>) {
        // A client that said SYNC waits only with others of its kind.
        let is_client = self.replication.replicas.last().is_some_and(|newest| newest.is_client);
        let earlier = self.replication.replicas.iter().find_map(|other| match other.stage {
            Stage::Saving(position) if other.is_client || !is_client => {
                Some((position, other.held_back.clone()))
            }
            _ => None,
        });
        match earlier {
            Some((position, held_back)) => {
                if let Some(replica) = self.replication.replicas.last_mut() {
                    replica.held_back = held_back;
                }
                let last = self.replication.replicas.len() - 1;
                self.announce_dump(ctx, last, position);
                self.log(ctx, Level::Notice, format_args!("Waiting for end of BGSAVE for SYNC"));
            }
            None => self.log(
                ctx,
                Level::Notice,
                format_args!(
                    "Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for \
                     SYNC"
                ),
            ),
        }
    }

    /// Starts a child if replicas wait for one and none is at work. Before one streams, more replicas
    /// may come for a while.
    pub(crate) fn start_pending_save(&mut self, ctx: &mut Ctx<'_>) {
        let waits = |replica: &&Replica| replica.stage == Stage::WaitSave;
        let asked = self.replication.replicas.iter().filter(waits).map(|replica| replica.asked);
        let (Some(first), None) = (asked.min(), &self.server.storage.child) else { return };
        let delay = self.config.repl_diskless_sync_delay;
        if !self.config.repl_diskless_sync || self.unix_now() - first >= delay {
            self.save_for_replicas(ctx);
        }
    }

    /// Whether a child may write straight to those who wait for one: a client that said SYNC does not
    /// know how to read that.
    fn may_stream(&self) -> bool {
        let waits = |replica: &&Replica| replica.stage == Stage::WaitSave;
        self.config.repl_diskless_sync
            && !self.replication.replicas.iter().filter(waits).any(|replica| replica.is_client)
    }

    /// Starts a child for all replicas that wait for one.
    fn save_for_replicas(&mut self, ctx: &mut Ctx<'_>) {
        let streams = self.may_stream();
        let target = if streams { "replicas sockets" } else { "disk" };
        let text = format_args!("Starting BGSAVE for SYNC with target: {target}");
        self.log(ctx, Level::Notice, text);
        if streams {
            self.stream_in_background(ctx);
        } else {
            self.save_in_background(ctx, false);
        }
        let position = self.replication.history.position();
        for at in 0..self.replication.replicas.len() {
            if self.replication.replicas[at].stage == Stage::WaitSave {
                self.announce_dump(ctx, at, position);
            }
        }
    }

    fn announce_dump(&mut self, ctx: &mut Ctx<'_>, at: usize, position: Position) {
        let replica = &mut self.replication.replicas[at];
        replica.stage = Stage::Saving(position);
        self.replication.history.select_pending = true;
        replica.tell(ctx, ReplMessage::FullResync(position));
    }

    /// The child was killed: whoever waits for what it was to write shall ask anew.
    pub(crate) fn drop_replicas_without_dump(&mut self, ctx: &mut Ctx<'_>) {
        let waiting = |replica: &&Replica| matches!(replica.stage, Stage::Saving(_));
        let replicas = self.replication.replicas.iter().filter(waiting);
        for link in replicas.map(|replica| replica.link).collect::<Vec<_>>() {
            self.drop_replica(ctx, link);
            let text = format_args!("SYNC failed. BGSAVE child returned an error");
            self.log(ctx, Level::Warning, text);
        }
    }

    /// The child has written the data set: whoever waits for it gets it, and then the stream.
    pub(crate) fn send_dump(&mut self, ctx: &mut Ctx<'_>, dump: &Arc<Dump>) {
        for at in 0..self.replication.replicas.len() {
            let replica = &mut self.replication.replicas[at];
            if matches!(replica.stage, Stage::Saving(_)) {
                replica.tell(ctx, ReplMessage::DumpSize(dump.bytes()));
                replica.sending = Some(Sending { dump: Arc::clone(dump), part: 0 });
                self.send_part(ctx, at);
            }
        }
    }

    /// Writes a part of the data set to a replica, which takes some time.
    fn send_part(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let replica = &mut self.replication.replicas[at];
        let Some(Sending { dump, part }) = &replica.sending else { return };
        let takes = dump::handling_time(dump.part(*part).bytes);
        if takes < NOTICEABLE {
            return self.part_sent(ctx, at);
        }
        self.replication.transfers += 1;
        let number = self.replication.transfers;
        replica.stage = Stage::SendBulk(number);
        ctx.out.effects.push(Effect::Transfer { number, takes });
    }

    /// A part of a data set is on its way.
    pub(super) fn transfer_done(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let mut replicas = self.replication.replicas.iter();
        if let Some(at) = replicas.position(|replica| replica.stage == Stage::SendBulk(number)) {
            self.part_sent(ctx, at);
        } else {
            self.stream_on(ctx, number);
        }
    }

    fn part_sent(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let replica = &mut self.replication.replicas[at];
        let Some(Sending { dump, part }) = replica.sending.take() else { return };
        replica.tell(ctx, ReplMessage::DumpPart(Arc::clone(&dump), part));
        if dump.is_last(part) {
            self.put_online(ctx, at);
        } else {
            replica.sending = Some(Sending { dump, part: part + 1 });
            self.send_part(ctx, at);
        }
    }

    /// A replica that was sent everything gets the stream from now on.
    pub(super) fn put_online(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let unix_now = self.unix_now();
        let replica = &mut self.replication.replicas[at];
        for command in std::mem::take(&mut replica.held_back) {
            replica.tell(ctx, ReplMessage::Command(command));
        }
        replica.stage = Stage::Online;
        replica.ack_time = unix_now;
        self.count_good_replicas();
        let replica = &self.replication.replicas[at];
        let text = format_args!("Synchronization with replica {replica} succeeded");
        self.log(ctx, Level::Notice, text);
    }
}
