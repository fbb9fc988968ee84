//! WAIT: a client waits until enough replicas have acknowledged its last write.

use crate::node::Node;
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::node::replication::message::StreamCommand;
use crate::resp::Reply;
use crate::time::Millis;

/// A client that waits.
#[derive(Debug, Clone, Copy)]
pub struct Waiter {
    /// The client.
    pub client: LinkId,
    /// What must be acknowledged.
    pub offset: u64,
    /// By how many.
    pub replicas: i64,
    /// Until when it waits at most, on the wall clock.
    pub deadline: Option<Millis>,
}

impl Node {
    /// How many replicas have acknowledged this offset.
    pub(crate) fn acknowledged_by(&self, offset: u64) -> i64 {
        self.replication.online().filter(|one| one.acknowledged >= offset).count() as i64
    }

    /// Answers clients whose wait is over, and asks replicas to acknowledge if somebody began to
    /// wait (§0.2).
    pub(crate) fn serve_waiters(&mut self, ctx: &mut Ctx<'_>) {
        if !self.replication.waiters.is_empty() {
            let now = ctx.now.millis();
            let waiters = std::mem::take(&mut self.replication.waiters);
            for waiter in waiters {
                let count = self.acknowledged_by(waiter.offset);
                let over = waiter.deadline.is_some_and(|deadline| deadline <= now);
                if count >= waiter.replicas || over {
                    ctx.out.effects.push(Effect::Reply(waiter.client, Reply::Int(count)));
                    self.client_unblocked(ctx, waiter.client);
                } else {
                    self.replication.waiters.push(waiter);
                }
            }
        }
        if self.replication.acks_wanted && !self.clients_paused() {
            self.replication.acks_wanted = false;
            if self.replication.master.is_none() {
                self.feed(ctx, StreamCommand::GetAck);
            }
        }
    }
}
