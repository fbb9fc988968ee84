//! How a replica and its master agree on where to start (A.7, A.8), from the replica's side: PING,
//! two REPLCONFs, PSYNC, each answered by one line.

use crate::node::Node;
use crate::node::effect::{Ctx, Effect, LinkId, Loss};
use crate::node::log::Level;
use crate::node::replication::id::ReplicationId;
use crate::node::replication::message::{Position, ReplMessage};
use crate::node::replication::upstream::{Step, Upstream, loss_text};

impl Node {
    /// The connection was lost in the middle of the handshake. Redis takes the error for the answer
    /// that it waits for, and goes on until an error matters.
    pub(super) fn handshake_cut(&mut self, ctx: &mut Ctx<'_>, awaits: Step, loss: Loss) {
        let why = loss_text(loss);
        self.replication.upstream = Upstream::Waiting;
        match awaits {
            Step::Ping => self.log(
                ctx,
                Level::Warning,
                format_args!("Error reply to PING from master: '-Reading from master: {why}'"),
            ),
            Step::ListeningPort => {
                self.port_cut(ctx, why);
                self.capabilities_cut(ctx, loss);
            }
            Step::Capabilities => self.capabilities_cut(ctx, loss),
            Step::Psync => self.psync_cut(ctx, loss, 1),
        }
    }

    fn port_cut(&self, ctx: &mut Ctx<'_>, why: &str) {
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "(Non critical) Master does not understand REPLCONF listening-port: -Reading from \
                 master: {why}"
            ),
        );
    }

    fn capabilities_cut(&mut self, ctx: &mut Ctx<'_>, loss: Loss) {
        let why = loss_text(loss);
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "(Non critical) Master does not understand REPLCONF capa: -Reading from master: \
                 {why}"
            ),
        );
        self.log_request(ctx);
        if loss != Loss::Reset {
            // The kernel takes what is written to an end that the other side has closed, once.
            return self.psync_cut(ctx, loss, 0);
        }
        for text in [
            "Unable to send PSYNC to master: -Writing to master: Success",
            "Sending command to master in replication handshake: Write error sending the PSYNC \
             command.",
        ] {
            self.log(ctx, Level::Warning, format_args!("{text}"));
        }
    }

    /// The error is the answer to PSYNC. Of what is still written to a closed connection, the kernel
    /// takes so many requests before it refuses; to one that was reset, none.
    fn psync_cut(&mut self, ctx: &mut Ctx<'_>, loss: Loss, writes_left: u32) {
        let why = loss_text(loss);
        self.log(
            ctx,
            Level::Warning,
            format_args!("Unexpected reply to PSYNC from master: -Reading from master: {why}"),
        );
        self.discard_cached_master(ctx);
        self.void_history(ctx);
        self.log(ctx, Level::Notice, format_args!("Retrying with SYNC..."));
        if loss == Loss::Reset || writes_left == 0 {
            let text = format_args!("I/O error writing to MASTER: Broken pipe");
            self.log(ctx, Level::Warning, text);
        } else {
            self.transfer_cut(ctx, loss);
        }
    }

    pub(super) fn handshake_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        awaits: Step,
        message: ReplMessage,
    ) {
        let next = match (awaits, message) {
            (Step::Ping, ReplMessage::Fine(_)) => {
                self.log(
                    ctx,
                    Level::Notice,
                    format_args!("Master replied to PING, replication can continue..."),
                );
                let port = ReplMessage::ListeningPort(self.config.port);
                ctx.out.effects.push(Effect::ReplSend(link, port));
                ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Capabilities));
                Step::ListeningPort
            }
            (Step::ListeningPort, ReplMessage::Fine(_)) => Step::Capabilities,
            (Step::Capabilities, ReplMessage::Fine(_)) => {
                self.ask_for_sync(ctx, link);
                Step::Psync
            }
            (Step::Psync, answer) => return self.psync_answered(ctx, link, answer),
            (_, ReplMessage::Refused(error)) => {
                self.log(
                    ctx,
                    Level::Warning,
                    format_args!("Error reply to PING from master: '-{error}'"),
                );
                return self.close_upstream(ctx);
            }
            _ => return,
        };
        if let Upstream::Handshake { awaits, .. } = &mut self.replication.upstream {
            *awaits = next;
        }
    }

    fn ask_for_sync(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        self.log_request(ctx);
        let known = self.replication.cached_master;
        ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Psync(known)));
    }

    fn log_request(&self, ctx: &mut Ctx<'_>) {
        match self.replication.cached_master {
            Some(Position { id, offset }) => self.log(
                ctx,
                Level::Notice,
                format_args!("Trying a partial resynchronization (request {id}:{}).", offset + 1),
            ),
            None => self.log(
                ctx,
                Level::Notice,
                format_args!("Partial resynchronization not possible (no cached master)"),
            ),
        }
    }

    fn psync_answered(&mut self, ctx: &mut Ctx<'_>, link: LinkId, answer: ReplMessage) {
        match answer {
            ReplMessage::FullResync(goal) => {
                self.log(
                    ctx,
                    Level::Notice,
                    format_args!("Full resync from master: {}:{}", goal.id, goal.offset),
                );
                self.discard_cached_master(ctx);
                self.void_history(ctx);
                let last_io = self.unix_now();
                self.replication.upstream =
                    Upstream::Transfer { link, last_io, goal, size: None, read: 0 };
            }
            ReplMessage::Continue(id) => self.continue_stream(ctx, link, id),
            ReplMessage::Refused(error) => {
                self.log(
                    ctx,
                    Level::Notice,
                    format_args!(
                        "Master is currently unable to PSYNC but should be in the future: -{error}"
                    ),
                );
                self.close_upstream(ctx);
            }
            _ => {}
        }
    }

    /// The master gives me only what I miss (A.8).
    fn continue_stream(&mut self, ctx: &mut Ctx<'_>, link: LinkId, id: ReplicationId) {
        let Some(mut known) = self.replication.cached_master.take() else { return };
        self.log(
            ctx,
            Level::Notice,
            format_args!("Successful partial resynchronization with master."),
        );
        if id != known.id {
            self.log(ctx, Level::Warning, format_args!("Master replication ID changed to {id}"));
            let history = &mut self.replication.history;
            history.former = Some((known.id, history.offset + 1));
            history.id = id;
            known.id = id;
            self.drop_replicas(ctx);
        }
        let last_io = self.unix_now();
        let size = self.config.repl_backlog_size;
        self.replication.upstream = Upstream::Connected { link, last_io, known };
        self.replication.down_since = 0;
        self.replication.history.remember(size);
        self.log(
            ctx,
            Level::Notice,
            format_args!("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization."),
        );
    }
}
