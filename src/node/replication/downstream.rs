//! A master's side of the links to its replicas: answer the handshake, decide what each one needs,
//! feed the stream, hear acknowledgements (A.8, A.9). A replica has replicas in the same way.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::node::Node;
use crate::node::client::Registration;
use crate::node::command::propagate::Transacting;
use crate::node::command::{self, LOADING};
use crate::node::dump::Dump;
use crate::node::effect::{Ctx, Effect, LinkEnd, LinkId};
use crate::node::log::Level;
use crate::node::replication::Replication;
use crate::node::replication::history::Refusal;
use crate::node::replication::message::{Position, ReplMessage, StreamCommand, Write};
use crate::resp::Args;
use crate::slot::Slot;

/// A connection whose other end has not asked for synchronization yet.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    /// Its address.
    pub ip: IpAddr,
    /// The port that it listens on, once it has said so.
    pub port: u16,
    /// What CLIENT LIST tells of the connection.
    pub registration: Registration,
}

/// What is said to those who ask for a data set while I have no master to get one from.
pub(crate) const NO_MASTER_LINK: &str =
    "NOMASTERLINK Can't SYNC while not connected with my master";

/// A replica of mine.
#[derive(Debug, Clone)]
pub struct Replica {
    /// My end of the connection.
    pub link: LinkId,
    /// Its address.
    pub ip: IpAddr,
    /// The port that it listens on; 0 if it has not said so.
    pub port: u16,
    /// What CLIENT LIST tells of the connection.
    pub registration: Registration,
    /// It is a client that said SYNC, which gets the data set and nothing else.
    pub is_client: bool,
    /// How far it has come.
    pub stage: Stage,
    /// The greatest offset that it acknowledged.
    pub acknowledged: u64,
    /// When it last did, in Unix seconds.
    pub ack_time: i64,
    /// What is kept back until it has the data set.
    pub held_back: Vec<StreamCommand>,
    /// The data set that is being sent to it.
    pub(super) sending: Option<Sending>,
    /// When it asked for synchronization, in Unix seconds.
    pub(super) asked: i64,
}

/// A data set on its way to a replica.
#[derive(Debug, Clone)]
pub(super) struct Sending {
    pub(super) dump: Arc<Dump>,
    /// The part that is being written.
    pub(super) part: usize,
}

/// The stages of a replica as its master sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a child to be started.
    WaitSave,
    /// It waits for the end of a child whose data set is that of this position.
    Saving(Position),
    /// A part of the data set is being sent to it, in the transfer of this number.
    SendBulk(u32),
    /// A child has sent it the data set; it gets the stream as soon as it says that it has all.
    Streamed,
    /// It gets the stream.
    Online,
}

impl Stage {
    /// The name in INFO (A.2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Stage::WaitSave | Stage::Saving(_) => "wait_bgsave",
            Stage::SendBulk(_) => "send_bulk",
            Stage::Streamed | Stage::Online => "online",
        }
    }
}

impl Stage {
    /// Whether it has the data set.
    pub(super) const fn is_online(self) -> bool {
        matches!(self, Stage::Streamed | Stage::Online)
    }
}

impl Replica {
    /// One that has just asked for synchronization.
    pub(super) fn new(link: LinkId, caller: Caller, unix_now: i64) -> Replica {
        Replica {
            link,
            ip: caller.ip,
            port: caller.port,
            registration: caller.registration,
            is_client: false,
            stage: Stage::WaitSave,
            acknowledged: 0,
            ack_time: unix_now,
            held_back: Vec::new(),
            sending: None,
            asked: unix_now,
        }
    }
}

impl fmt::Display for Replica {
    /// As log lines name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => write!(f, "{}:<unknown-replica-port>", self.ip),
            port => write!(f, "{}:{port}", self.ip),
        }
    }
}

impl Replication {
    /// Somebody has connected who may become a replica.
    pub(crate) fn meet_caller(&mut self, end: LinkEnd, registration: Registration) {
        self.callers.insert(end.id, Caller { ip: end.remote_ip, port: 0, registration });
    }

    fn note_command(&mut self, link: LinkId, name: &'static str) {
        if let Some(replica) = self.replica_mut(link) {
            replica.registration.last_command = name;
        } else if let Some(caller) = self.callers.get_mut(&link) {
            caller.registration.last_command = name;
        }
    }

    pub(super) fn replica_mut(&mut self, link: LinkId) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.link == link)
    }

    /// The replicas that have the data set.
    pub fn online(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.iter().filter(|replica| replica.stage.is_online())
    }
}

impl Node {
    /// A replica, or somebody who might have become one, is gone (A.10).
    pub(crate) fn replica_gone(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        self.replication.callers.remove(&link);
        if let Some(at) = self.replication.replicas.iter().position(|other| other.link == link) {
            self.remove_replica_at(ctx, at);
        }
    }

    fn remove_replica_at(&mut self, ctx: &mut Ctx<'_>, at: usize) {
        let replica = &self.replication.replicas[at];
        self.log(ctx, Level::Warning, format_args!("Connection with replica {replica} lost."));
        self.replication.replicas.remove(at);
        if self.replication.replicas.is_empty() {
            self.replication.alone_since = self.unix_now();
        }
        self.count_good_replicas();
    }

    /// Closes the links of all replicas: they shall ask for synchronization anew.
    pub(crate) fn drop_replicas(&mut self, ctx: &mut Ctx<'_>) {
        while let Some(replica) = self.replication.replicas.first() {
            self.drop_replica(ctx, replica.link);
        }
    }

    /// Closes the link of one replica.
    pub(crate) fn drop_replica(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        ctx.out.effects.push(Effect::ReplClose(link));
        self.clients.leave(link);
        self.replica_gone(ctx, link);
    }

    /// A message from a replica or caller.
    pub(crate) fn replica_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        message: ReplMessage,
    ) {
        let asks = matches!(message, ReplMessage::Ping | ReplMessage::Psync(_));
        let loading = asks && self.is_loading();
        let refused = loading || matches!(message, ReplMessage::Psync(_)) && self.lacks_master();
        if let Some(name) = message.command() {
            self.count_command(ctx, command::known(name), refused);
            self.replication.note_command(link, name);
        }
        if loading {
            return self.refuse_caller(ctx, link, LOADING);
        }
        let answer = match message {
            ReplMessage::Ping => ReplMessage::Fine("PONG"),
            ReplMessage::ListeningPort(port) => {
                if let Some(caller) = self.replication.callers.get_mut(&link) {
                    caller.port = port;
                }
                ReplMessage::Fine("OK")
            }
            ReplMessage::Capabilities => ReplMessage::Fine("OK"),
            ReplMessage::Psync(known) => return self.sync_asked(ctx, link, known),
            ReplMessage::Ack(offset) => return self.replica_acknowledged(ctx, link, offset),
            ReplMessage::Newline => return self.replica_heard(link, 0),
            _ => return,
        };
        ctx.out.effects.push(Effect::ReplSend(link, answer));
    }

    fn refuse_caller(&mut self, ctx: &mut Ctx<'_>, link: LinkId, error: &'static str) {
        self.server.stats.count_error(error);
        ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Refused(error)));
    }

    fn replica_heard(&mut self, link: LinkId, offset: u64) {
        let unix_now = self.unix_now();
        if let Some(replica) = self.replication.replica_mut(link) {
            replica.acknowledged = replica.acknowledged.max(offset);
            replica.ack_time = unix_now;
        }
    }

    fn replica_acknowledged(&mut self, ctx: &mut Ctx<'_>, link: LinkId, offset: u64) {
        self.replica_heard(link, offset);
        self.streamed_all(ctx, link);
    }

    /// Whether I should follow somebody and do not.
    pub(crate) fn lacks_master(&self) -> bool {
        self.replication.master.is_some() && !self.replication.upstream.is_connected()
    }

    /// A caller asks for synchronization (A.8).
    fn sync_asked(&mut self, ctx: &mut Ctx<'_>, link: LinkId, known: Option<Position>) {
        if self.lacks_master() {
            return self.refuse_caller(ctx, link, NO_MASTER_LINK);
        }
        let Some(caller) = self.replication.callers.remove(&link) else { return };
        let replica = Replica::new(link, caller, self.unix_now());
        self.log(ctx, Level::Notice, format_args!("Replica {replica} asks for synchronization"));
        match self.replication.history.can_continue(known) {
            Ok(missing) => {
                self.server.stats.sync_partial += 1;
                self.continue_replica(ctx, replica, missing);
            }
            Err(refusal) => {
                self.server.stats.sync_refused += u64::from(known.is_some());
                self.server.stats.sync_full += 1;
                self.log_refusal(ctx, &replica, known, refusal);
                self.restart_replica(ctx, replica);
            }
        }
    }

    /// Sends a replica only what it misses.
    fn continue_replica(&mut self, ctx: &mut Ctx<'_>, mut replica: Replica, missing: u64) {
        let history = &self.replication.history;
        let (link, known) = (replica.link, history.offset - missing);
        let effects = &mut ctx.out.effects;
        effects.push(Effect::ReplSend(link, ReplMessage::Continue(history.id)));
        for command in history.after(known) {
            effects.push(Effect::ReplSend(link, ReplMessage::Command(command.clone())));
        }
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "Partial resynchronization request from {replica} accepted. Sending {missing} \
                 bytes of backlog starting from offset {}.",
                known + 1
            ),
        );
        replica.stage = Stage::Online;
        self.replication.replicas.push(replica);
        self.count_good_replicas();
    }

    fn log_refusal(
        &self,
        ctx: &mut Ctx<'_>,
        replica: &Replica,
        known: Option<Position>,
        refusal: Refusal,
    ) {
        let history = &self.replication.history;
        let wanted = known.map_or(0, |known| known.offset + 1);
        match (refusal, known) {
            (Refusal::Mismatch, Some(known)) => self.log(
                ctx,
                Level::Notice,
                format_args!(
                    "Partial resynchronization not accepted: Replication ID mismatch (Replica \
                     asked for '{}', my replication IDs are '{}' and '{}')",
                    known.id,
                    history.id,
                    history.former_text()
                ),
            ),
            (Refusal::BeyondFormer { limit }, _) => self.log(
                ctx,
                Level::Notice,
                format_args!(
                    "Partial resynchronization not accepted: Requested offset for second ID was \
                     {wanted}, but I can reply up to {limit}"
                ),
            ),
            (Refusal::NoBacklog { ahead }, _) => {
                self.log(
                    ctx,
                    Level::Notice,
                    format_args!(
                        "Unable to partial resync with replica {replica} for lack of backlog \
                         (Replica request was: {wanted})."
                    ),
                );
                if ahead {
                    self.log(
                        ctx,
                        Level::Warning,
                        format_args!(
                            "Warning: replica {replica} tried to PSYNC with an offset that is \
                             greater than the master replication offset."
                        ),
                    );
                }
            }
            (Refusal::Asked | Refusal::Mismatch, _) => self.log(
                ctx,
                Level::Notice,
                format_args!("Full resync requested by replica {replica}"),
            ),
        }
    }

    /// Whether this is a master that keeps a stream of its writes.
    pub(crate) fn has_stream(&self) -> bool {
        self.replication.master.is_none() && self.replication.history.backlog.is_some()
    }

    /// A write of this master goes into the stream, if anybody is interested (A.3).
    pub(crate) fn propagate(&mut self, ctx: &mut Ctx<'_>, args: impl Into<Arc<Args>>) {
        self.propagate_in(ctx, None, args);
    }

    /// A write to keys of a slot goes into the stream, if anybody is interested (A.3). Replicas do not
    /// add to the stream; they pass on what they get.
    pub(crate) fn propagate_in(
        &mut self,
        ctx: &mut Ctx<'_>,
        slot: Option<Slot>,
        args: impl Into<Arc<Args>>,
    ) {
        if !self.has_stream() {
            return;
        }
        if std::mem::take(&mut self.replication.history.select_pending) {
            self.feed(ctx, StreamCommand::Select);
        }
        if self.replication.transacting == Transacting::Begun {
            self.replication.transacting = Transacting::Announced;
            self.feed(ctx, StreamCommand::write(crate::resp::args(["MULTI"])));
        }
        self.feed(ctx, StreamCommand::Write(Write::new(args, slot)));
    }

    /// Adds a command to the stream and sends it to all who get the stream.
    pub(crate) fn feed(&mut self, ctx: &mut Ctx<'_>, command: StreamCommand) {
        self.replication.history.feed(&command);
        for replica in &mut self.replication.replicas {
            match replica.stage {
                Stage::WaitSave => {}
                Stage::Saving(_) | Stage::SendBulk(_) | Stage::Streamed => {
                    replica.held_back.push(command.clone());
                }
                Stage::Online => {
                    let message = ReplMessage::Command(command.clone());
                    replica.tell(ctx, message);
                }
            }
        }
    }

    /// How many replicas have acknowledged this offset (WAIT).
    pub(crate) fn acknowledged_by(&self, offset: u64) -> i64 {
        self.replication.online().filter(|one| one.acknowledged >= offset).count() as i64
    }

    /// Asks all replicas to acknowledge, because somebody has begun to wait for that, unless a pause keeps
    /// the stream as it is (§0.2).
    pub(crate) fn ask_for_acks(&mut self, ctx: &mut Ctx<'_>) {
        if self.clients_paused() {
            return;
        }
        self.replication.acks_wanted = false;
        if self.replication.master.is_none() {
            self.feed(ctx, StreamCommand::GetAck);
        }
    }

    /// Counts who acknowledged recently enough (`min-replicas-max-lag`).
    pub(crate) fn count_good_replicas(&mut self) {
        let (unix_now, max_lag) = (self.unix_now(), self.config.min_replicas_max_lag);
        let good = self.replication.online().filter(|one| unix_now - one.ack_time <= max_lag);
        self.replication.good_replicas = good.count() as u32;
    }

    /// Whether too few replicas are up to date for writes to be accepted
    /// (`min-replicas-to-write`).
    pub(crate) fn lacks_good_replicas(&self) -> bool {
        self.replication.master.is_none()
            && self.config.min_replicas_max_lag > 0
            && self.replication.good_replicas < self.config.min_replicas_to_write
    }
}
