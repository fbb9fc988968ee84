//! A master's part in a full synchronization without a file (`repl-diskless-sync`): a child writes the
//! data set, and the master passes it on to the replicas as it comes (A.9).
//!
//! How long the data set will be is not known when it begins, so its end is marked. Nothing may follow
//! the mark before the replica has found it, which it says by its first acknowledgement.

use std::sync::Arc;

use crate::node::Node;
use crate::node::child::Task;
use crate::node::dump::{self, Dump, Mark};
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::node::loading::key_delay;
use crate::node::log::Level;
use crate::node::replication::downstream::{Replica, Stage};
use crate::node::replication::message::ReplMessage;
use crate::time::Span;

/// What a child has written of a data set.
#[derive(Debug)]
pub(crate) struct Streaming {
    /// The transfer that is under way.
    number: u32,
    /// The part that is being written; none before the first block.
    part: Option<usize>,
}

impl Node {
    /// A child begins to write; it takes some time to start.
    pub(crate) fn begin_stream(&mut self, ctx: &mut Ctx<'_>, starts_in: Span) {
        let Some(dump) = self.streamed() else { return };
        let takes = starts_in + self.writing_takes(dump.first_block());
        self.write_next(ctx, None, takes);
    }

    /// The data set that a child is writing to replicas.
    fn streamed(&self) -> Option<Arc<Dump>> {
        let child = self.server.storage.child.as_ref();
        child.filter(|child| child.task == Task::Stream && child.runs())?.dump.clone()
    }

    fn writing_takes(&self, what: Mark) -> Span {
        let delay = key_delay(what.keys, self.config.rdb_key_save_delay);
        delay + dump::handling_time(what.bytes)
    }

    fn write_next(&mut self, ctx: &mut Ctx<'_>, part: Option<usize>, takes: Span) {
        self.replication.transfers += 1;
        let number = self.replication.transfers;
        self.replication.streaming = Some(Streaming { number, part });
        ctx.out.effects.push(Effect::Transfer { number, takes });
    }

    /// The child has written the next part: pass it on.
    pub(super) fn stream_on(&mut self, ctx: &mut Ctx<'_>, number: u32) {
        let part = match self.replication.streaming {
            Some(Streaming { number: mine, part }) if mine == number => part,
            _ => return,
        };
        let Some(dump) = self.streamed() else { return };
        let links: Vec<LinkId> = self.streamed_to().map(|replica| replica.link).collect();
        if links.is_empty() {
            let text = "Diskless rdb transfer, last replica dropped, killing fork child.";
            self.log(ctx, Level::Warning, format_args!("{text}"));
            return self.kill_save();
        }
        for link in &links {
            let message = match part {
                None => ReplMessage::DumpBegins(Arc::clone(&dump)),
                Some(part) => ReplMessage::DumpPart(Arc::clone(&dump), part),
            };
            ctx.out.effects.push(Effect::ReplSend(*link, message));
        }
        let next = part.map_or(0, |part| part + 1);
        if next < dump.marks().len() {
            let mut what = dump.part(next);
            if part.is_none() {
                let written = dump.first_block();
                what = Mark { bytes: what.bytes - written.bytes, keys: what.keys - written.keys };
            }
            return self.write_next(ctx, Some(next), self.writing_takes(what));
        }
        self.replication.streaming = None;
        self.release_stream(ctx);
        let text = format_args!(
            "Diskless rdb transfer, done reading from pipe, {} replicas still up.",
            links.len()
        );
        self.log(ctx, Level::Warning, text);
    }

    fn streamed_to(&self) -> impl Iterator<Item = &Replica> {
        let waits = |replica: &&Replica| matches!(replica.stage, Stage::Saving(_));
        self.replication.replicas.iter().filter(waits)
    }

    /// The child has ended: its replicas will say when they have found the end of the data set.
    pub(crate) fn await_acks_of_streamed(&mut self, ctx: &mut Ctx<'_>) {
        let unix_now = self.unix_now();
        let links: Vec<LinkId> = self.streamed_to().map(|replica| replica.link).collect();
        for link in links {
            let Some(replica) = self.replication.replica_mut(link) else { continue };
            replica.stage = Stage::Streamed;
            replica.ack_time = unix_now;
            let text = format!(
                "Streamed RDB transfer with replica {replica} succeeded (socket). Waiting for \
                 REPLCONF ACK from slave to enable streaming"
            );
            self.log(ctx, Level::Notice, format_args!("{text}"));
        }
    }

    /// A replica acknowledges: if it was sent a data set by a child, it has all of it. The child may
    /// have ended without anybody noticing yet.
    pub(super) fn streamed_all(&mut self, ctx: &mut Ctx<'_>, link: LinkId) {
        let stage = self.replication.replica(link).map(|replica| replica.stage);
        if matches!(stage, Some(Stage::Saving(_))) {
            self.reap_child(ctx);
        }
        let streamed = |replica: &Replica| replica.link == link && replica.stage == Stage::Streamed;
        if let Some(at) = self.replication.replicas.iter().position(streamed) {
            self.put_online(ctx, at);
        }
    }
}
