//! A replica's side of the link to its master: connect, shake hands, get what is missing, follow
//! (A.1, A.5-A.10).

use crate::id::Endpoint;
use crate::node::Node;
use crate::node::command;
use crate::node::effect::{Ctx, Effect, LinkEnd, LinkId, Loss};
use crate::node::log::Level;
use crate::node::replication::id::ReplicationId;
use crate::node::replication::message::{Position, ReplMessage, StreamCommand};

/// How far the link to the master has come (A.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    /// I follow nobody.
    Idle,
    /// Not connected; the next replication cron will try.
    Waiting,
    /// The connection is being opened.
    Connecting {
        /// My end of it.
        link: LinkId,
        /// When it last made progress, in Unix seconds.
        last_io: i64,
    },
    /// Connected, but not yet agreed on where to start.
    Handshake {
        /// My end of the connection.
        link: LinkId,
        /// When it last made progress, in Unix seconds.
        last_io: i64,
        /// Whose answer is awaited.
        awaits: Step,
    },
    /// The master's whole data set is on its way.
    Transfer {
        /// My end of the connection.
        link: LinkId,
        /// When it last made progress, in Unix seconds.
        last_io: i64,
        /// What I shall know afterwards.
        goal: Position,
        /// The size of the data set, once it is known; 0 if its end will be marked.
        size: Option<u64>,
        /// How many bytes of it were written to a file.
        read: u64,
    },
    /// I follow the stream of commands.
    Connected {
        /// My end of the connection.
        link: LinkId,
        /// When anything last came, in Unix seconds.
        last_io: i64,
        /// What I have processed.
        known: Position,
    },
}

/// The steps of the handshake, by the question that is not answered yet (A.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// PING
    Ping,
    /// REPLCONF listening-port
    ListeningPort,
    /// REPLCONF capa
    Capabilities,
    /// PSYNC
    Psync,
}

impl Upstream {
    /// My end of the connection, if there is one.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        match *self {
            Upstream::Idle | Upstream::Waiting => None,
            Upstream::Connecting { link, .. }
            | Upstream::Handshake { link, .. }
            | Upstream::Transfer { link, .. }
            | Upstream::Connected { link, .. } => Some(link),
        }
    }

    /// When the connection last made progress, in Unix seconds.
    #[must_use]
    pub fn last_io(&self) -> Option<i64> {
        match *self {
            Upstream::Idle | Upstream::Waiting => None,
            Upstream::Connecting { last_io, .. }
            | Upstream::Handshake { last_io, .. }
            | Upstream::Transfer { last_io, .. }
            | Upstream::Connected { last_io, .. } => Some(last_io),
        }
    }

    fn touch(&mut self, now: i64) {
        match self {
            Upstream::Idle | Upstream::Waiting => {}
            Upstream::Connecting { last_io, .. }
            | Upstream::Handshake { last_io, .. }
            | Upstream::Transfer { last_io, .. }
            | Upstream::Connected { last_io, .. } => *last_io = now,
        }
    }

    /// Whether a data set is on its way of which only a mark tells where it ends.
    #[must_use]
    pub fn is_marked_transfer(&self) -> bool {
        matches!(self, Upstream::Transfer { size: Some(0), .. })
    }

    /// Whether I follow the stream (`master_link_status:up`).
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self, Upstream::Connected { .. })
    }
}

/// Why a link ended, as the C library says it. A close in good order is no error: what is told then
/// is the last error of the process, which in a busy cluster is that of a socket read to its end.
pub(super) const fn loss_text(loss: Loss) -> &'static str {
    match loss {
        Loss::Refused => "Connection refused",
        Loss::Closed => "Resource temporarily unavailable",
        Loss::Reset => "Connection reset by peer",
    }
}

impl Node {
    /// Follows this master from now on (A.5).
    pub(crate) fn follow(&mut self, ctx: &mut Ctx<'_>, master: Endpoint) {
        // The address is cleared while the old link is dropped, so that nothing reconnects and the
        // lines about it carry a master's letter (§13.1).
        let was_master = self.replication.master.take().is_none();
        // A link that works is closed and what was known by it kept, so that the next one can go on
        // from there.
        if self.replication.upstream.is_connected() {
            self.close_upstream(ctx);
            self.cache_master(ctx);
        }
        self.dismiss_waiting_clients(ctx);
        self.replication.master = Some(master);
        self.drop_replicas(ctx);
        // One that does not work yet is given up.
        self.close_upstream(ctx);
        if was_master {
            self.discard_cached_master(ctx);
            self.cache_myself(ctx);
        }
        self.replication.upstream = Upstream::Waiting;
        self.connect_upstream(ctx, "Connecting to MASTER", "");
    }

    /// What I know as a master is what I knew as a replica of the same history.
    pub(crate) fn cache_myself(&mut self, ctx: &mut Ctx<'_>) {
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "Before turning into a replica, using my own master parameters to synthesize a \
                 cached master: I may be able to synchronize with the new master with just a \
                 partial transfer."
            ),
        );
        self.replication.cached_master = Some(self.replication.history.position());
        self.replication.master_client = self.clients.register(self.unix_now());
    }

    /// Follows nobody any more and begins a history of its own (A.6).
    pub(crate) fn unfollow(&mut self, ctx: &mut Ctx<'_>) {
        if self.replication.master.take().is_none() {
            return;
        }
        // What is known by a link that works is kept for a moment only, as the log shows; one that
        // does not work yet is given up after that.
        if self.replication.upstream.is_connected() {
            self.close_upstream(ctx);
            self.cache_master(ctx);
        }
        self.discard_cached_master(ctx);
        self.close_upstream(ctx);
        let replication = &mut self.replication;
        let old = replication.history.id;
        let new = ReplicationId::random(&mut replication.draws);
        replication.history.rename(new);
        let limit = replication.history.offset + 1;
        self.log(
            ctx,
            Level::Warning,
            format_args!(
                "Setting secondary replication ID to {old}, valid up to offset: {limit}. \
                 New replication ID is {new}"
            ),
        );
        self.drop_replicas(ctx);
        let unix_now = self.unix_now();
        let replication = &mut self.replication;
        replication.upstream = Upstream::Idle;
        replication.history.select_pending = true;
        replication.alone_since = unix_now;
        replication.down_since = 0;
    }

    /// Tries to reach the master; the two lines say why, and that it has begun.
    pub(crate) fn connect_upstream(&mut self, ctx: &mut Ctx<'_>, why: &str, suffix: &str) {
        let Some(to) = self.replication.master else { return };
        let (ip, port) = (to.ip_text(), to.port);
        self.log(ctx, Level::Notice, format_args!("{why} {ip}:{port}{suffix}"));
        let link = ctx.out.new_link();
        ctx.out.effects.push(Effect::ReplConnect { link, to });
        self.replication.upstream = Upstream::Connecting { link, last_io: self.unix_now() };
        self.log(ctx, Level::Notice, format_args!("MASTER <-> REPLICA sync started"));
    }

    /// Gives up what is being tried and tries again at once (A.4).
    pub(crate) fn retry_upstream(&mut self, ctx: &mut Ctx<'_>) {
        self.close_upstream(ctx);
        self.connect_upstream(ctx, "Reconnecting to MASTER", " after failure");
    }

    /// Closes the connection to the master, in whatever state it is.
    pub(crate) fn close_upstream(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(link) = self.replication.upstream.link() {
            self.stop_reading_from(link);
            ctx.out.effects.push(Effect::ReplClose(link));
            if !self.replication.upstream.is_connected() {
                self.replication.upstream = Upstream::Waiting;
            }
        }
    }

    /// Drops the link to a silent master and tries to reach it anew.
    pub(crate) fn drop_master(&mut self, ctx: &mut Ctx<'_>) {
        self.close_upstream(ctx);
        self.master_lost(ctx);
    }

    /// The link to the master is gone: keep what is known and try again at once (A.10).
    fn master_lost(&mut self, ctx: &mut Ctx<'_>) {
        self.cache_master(ctx);
        self.connect_upstream(ctx, "Reconnecting to MASTER", "");
    }

    fn cache_master(&mut self, ctx: &mut Ctx<'_>) {
        let Upstream::Connected { known, .. } = self.replication.upstream else { return };
        self.replication.unfinished.clear();
        self.log(ctx, Level::Warning, format_args!("Connection with master lost."));
        self.log(ctx, Level::Notice, format_args!("Caching the disconnected master state."));
        self.replication.cached_master = Some(known);
        self.replication.upstream = Upstream::Waiting;
        self.replication.down_since = self.unix_now();
    }

    pub(super) fn discard_cached_master(&mut self, ctx: &mut Ctx<'_>) {
        if self.replication.cached_master.take().is_some() {
            self.log(
                ctx,
                Level::Notice,
                format_args!("Discarding previously cached master state."),
            );
        }
    }

    /// The connection to the master is established (A.7).
    pub(crate) fn upstream_up(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        let Upstream::Connecting { link: mine, last_io } = self.replication.upstream else {
            return;
        };
        if link != mine {
            return;
        }
        self.log(
            ctx,
            Level::Notice,
            format_args!("Non blocking connect for SYNC fired the event."),
        );
        self.replication.upstream = Upstream::Handshake { link, last_io, awaits: Step::Ping };
        ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Ping));
    }

    /// The connection to the master could not be opened or was lost.
    pub(crate) fn upstream_lost(&mut self, ctx: &mut Ctx<'_>, end: LinkEnd, loss: Loss) {
        if self.replication.upstream.link() != Some(end.id)
            || self.cut_while_loading(ctx, end, loss)
        {
            return;
        }
        let why = loss_text(loss);
        match self.replication.upstream {
            Upstream::Connecting { .. } => {
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!("Error condition on socket for SYNC: {why}"),
                );
                self.replication.upstream = Upstream::Waiting;
            }
            Upstream::Handshake { awaits, .. } => self.handshake_cut(ctx, awaits, loss),
            Upstream::Transfer { size: None, .. } => self.transfer_cut(ctx, loss),
            Upstream::Transfer { .. } => {
                let why = if loss == Loss::Reset { why } else { "connection lost" };
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!("I/O error trying to sync with MASTER: {why}"),
                );
                self.connect_upstream(ctx, "Reconnecting to MASTER", " after failure");
            }
            Upstream::Connected { .. } => self.master_lost(ctx),
            Upstream::Idle | Upstream::Waiting => {}
        }
    }

    /// The connection was lost while the data set was awaited.
    pub(super) fn transfer_cut(&mut self, ctx: &mut Ctx<'_>, loss: Loss) {
        let why = loss_text(loss);
        self.log(
            ctx,
            Level::Warning,
            format_args!("I/O error reading bulk count from MASTER: {why}"),
        );
        self.connect_upstream(ctx, "Reconnecting to MASTER", " after failure");
    }

    /// My data will be replaced: nobody may continue from what I remember (A.9).
    pub(super) fn void_history(&mut self, ctx: &mut Ctx<'_>) {
        self.drop_replicas(ctx);
        self.replication.history.backlog = None;
    }

    /// A message from the master.
    pub(crate) fn upstream_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        message: ReplMessage,
    ) {
        if self.replication.upstream.link() != Some(link) {
            return;
        }
        let Some(message) = self.keep_while_loading(ctx, link, message) else { return };
        let unix_now = self.unix_now();
        self.replication.upstream.touch(unix_now);
        match (self.replication.upstream.clone(), message) {
            (Upstream::Handshake { awaits, .. }, message) => {
                self.handshake_message(ctx, link, awaits, message);
            }
            (Upstream::Transfer { .. }, message) => self.transfer_message(ctx, link, message),
            (Upstream::Connected { .. }, ReplMessage::Command(command)) => {
                self.follow_stream(ctx, link, command);
            }
            _ => {}
        }
    }

    /// A command of the stream: carry it out, count it, pass it on (A.3).
    /// A transaction is kept until all of it is there: what is cut short has not happened.
    fn follow_stream(&mut self, ctx: &mut Ctx<'_>, link: LinkId, command: StreamCommand) {
        let begins = command.is("MULTI");
        if begins || !self.replication.unfinished.is_empty() {
            let ends = command.is("EXEC");
            self.replication.unfinished.push(command);
            if ends {
                for command in std::mem::take(&mut self.replication.unfinished) {
                    self.process_stream(ctx, link, command);
                }
            }
            return;
        }
        self.process_stream(ctx, link, command);
    }

    fn process_stream(&mut self, ctx: &mut Ctx<'_>, link: LinkId, command: StreamCommand) {
        let spec = match &command {
            StreamCommand::Ping => Some(command::known("ping")),
            StreamCommand::Select => Some(command::known("select")),
            StreamCommand::GetAck => Some(command::known("replconf")),
            StreamCommand::Write(write) => command::spec_of(write.args()),
        };
        if let Some(spec) = spec {
            self.count_command(ctx, spec, false);
            self.replication.master_client.last_command = spec.name;
        }
        match (&command, spec) {
            (StreamCommand::GetAck, _) => self.acknowledge(ctx, link),
            (StreamCommand::Write(write), Some(spec))
                if !command.is("MULTI") && !command.is("EXEC") =>
            {
                self.apply_from_master(ctx, link, spec, write);
            }
            _ => {}
        }
        if let Upstream::Connected { known, .. } = &mut self.replication.upstream {
            known.offset += command.wire_bytes();
        }
        self.feed(ctx, command);
    }

    /// Tells the master how far I am.
    pub(crate) fn acknowledge(&self, ctx: &mut Ctx<'_>, link: LinkId) {
        let Upstream::Connected { known, .. } = self.replication.upstream else { return };
        ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Ack(known.offset)));
    }
}
