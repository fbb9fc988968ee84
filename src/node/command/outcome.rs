//! What comes of a command, and handing it to the client.

use crate::node::Node;
use crate::node::client::{Block, Replies};
use crate::node::command::CommandError;
use crate::node::command::migrate::Awaited;
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::resp::Reply;

/// What comes of a command.
pub(crate) enum Outcome {
    /// An answer.
    Reply(Reply),
    /// Several answers, or none at all.
    Replies(Vec<Reply>),
    /// An answer, then the connection is closed.
    Farewell(Reply),
    /// The client waits.
    Blocked(Block),
    /// The process waits for another server.
    Awaits(Box<Awaited>),
}

impl From<Result<Reply, CommandError>> for Outcome {
    fn from(answer: Result<Reply, CommandError>) -> Outcome {
        Outcome::Reply(answer.unwrap_or_else(Reply::from))
    }
}

/// Hands a command's outcome to the client. One that waits, be it only for the end of a pause, is not
/// over.
pub(super) fn conclude(
    node: &mut Node,
    client: LinkId,
    outcome: Outcome,
    asking: bool,
    ctx: &mut Ctx<'_>,
) {
    match outcome {
        Outcome::Reply(reply) => {
            let wanted = finish(node, client, asking);
            answer(node, client, reply, wanted, ctx);
        }
        Outcome::Replies(replies) => {
            let wanted = finish(node, client, asking);
            for reply in replies {
                answer(node, client, reply, wanted, ctx);
            }
        }
        Outcome::Farewell(reply) => {
            let wanted = finish(node, client, asking);
            answer(node, client, reply, wanted, ctx);
            node.clients.leave(client);
            ctx.out.effects.push(Effect::CloseClient(client));
        }
        Outcome::Blocked(block) => node.clients.block(client, block),
        Outcome::Awaits(awaited) => node.clients.awaited = Some(awaited),
    }
}

/// A command is over: what was said for it alone no longer holds. Says whether the client wants to hear
/// what has come of it.
fn finish(node: &mut Node, client: LinkId, asking: bool) -> bool {
    let Some(state) = node.clients.get_mut(client) else { return true };
    // ASKING holds for one command, or for a whole transaction (§11.11).
    state.asking &= asking || state.transaction.is_some();
    let (wanted, next) = match state.replies {
        Replies::On => (true, Replies::On),
        Replies::Off => (false, Replies::Off),
        Replies::SkipNext => (true, Replies::Skip),
        Replies::Skip => (false, Replies::On),
    };
    state.replies = next;
    wanted
}

fn answer(node: &mut Node, client: LinkId, reply: Reply, wanted: bool, ctx: &mut Ctx<'_>) {
    if let Some(error) = reply.error() {
        node.server.stats.count_error(error);
    }
    if wanted {
        ctx.out.effects.push(Effect::Reply(client, reply));
    }
}
