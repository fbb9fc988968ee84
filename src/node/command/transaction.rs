//! MULTI, EXEC, DISCARD, WATCH (§11.9).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::node::Node;
use crate::node::client::Transaction;
use crate::node::command::error::Answer;
use crate::node::command::{
    Call, CommandError, Outcome, Spec, Traits, call, propagate, state, table,
};
use crate::node::effect::{Ctx, LinkId};
use crate::resp::{Args, Reply};

/// A transaction that is being carried out, and that has stopped at a command that waits for another
/// server.
#[derive(Debug)]
pub(crate) struct Execution {
    rest: VecDeque<Arc<Args>>,
    replies: Vec<Reply>,
}

/// Whether a command is carried out at once, also between MULTI and EXEC.
pub(crate) fn runs_at_once(spec: &Spec) -> bool {
    matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "reset")
}

/// What a command does, for the checks before it: EXEC does what was queued.
#[inline]
pub(crate) fn traits(node: &Node, client: LinkId, spec: &Spec) -> Traits {
    match spec.name {
        "exec" => spec.traits | queued_traits(node, client),
        _ => spec.traits,
    }
}

fn queued_traits(node: &Node, client: LinkId) -> Traits {
    queued(node, client).fold(Traits(0), |traits, (queued, _)| traits | queued.traits)
}

/// Whether a command has a trait, and if it is EXEC, whether everything that was queued has it, too.
pub(super) fn all_have(node: &Node, client: LinkId, spec: &Spec, wanted: Traits) -> bool {
    let exec = spec.name == "exec";
    spec.traits.any(wanted)
        && (!exec || queued(node, client).all(|(queued, _)| queued.traits.any(wanted)))
}

/// A client's queued commands.
fn queued(node: &Node, client: LinkId) -> impl Iterator<Item = (&'static Spec, &Arc<Args>)> {
    let transaction = node.clients.get(client).and_then(|state| state.transaction.as_ref());
    let queue = transaction.map(|transaction| transaction.queue.as_slice()).unwrap_or_default();
    queue.iter().filter_map(|args| table::find(&args[0]).map(|spec| (spec, args)))
}

/// A copy of a client's queued commands.
pub(crate) fn queue(node: &Node, client: LinkId) -> Vec<(&'static Spec, Arc<Args>)> {
    queued(node, client).map(|(spec, args)| (spec, Arc::clone(args))).collect()
}

/// A command was refused before it was carried out: its transaction will fail; if it is EXEC, it has
/// failed now.
pub(crate) fn rejected(
    node: &mut Node,
    client: LinkId,
    spec: Option<&Spec>,
    error: CommandError,
) -> CommandError {
    if spec.is_some_and(|spec| spec.name == "exec") {
        discard(node, client);
        let reason = error.as_str();
        let reason = reason.strip_prefix("ERR ").unwrap_or(reason);
        return CommandError::coded(format_args!(
            "EXECABORT Transaction discarded because of: {reason}"
        ));
    }
    abort(node, client);
    error
}

/// A command was redirected (§11.9).
pub(crate) fn redirected(
    node: &mut Node,
    client: LinkId,
    spec: &Spec,
    error: CommandError,
) -> Outcome {
    if spec.name == "exec" {
        discard(node, client);
    } else {
        abort(node, client);
    }
    Outcome::Reply(error.into())
}

/// Keeps a command for EXEC.
pub(super) fn enqueue(node: &mut Node, client: LinkId, args: &Arc<Args>) {
    let state = node.clients.get_mut(client);
    if let Some(transaction) = state.and_then(|state| state.transaction.as_mut())
        && !transaction.aborted
    {
        transaction.queue.push(Arc::clone(args));
    }
}

fn abort(node: &mut Node, client: LinkId) {
    let state = node.clients.get_mut(client);
    if let Some(transaction) = state.and_then(|state| state.transaction.as_mut()) {
        transaction.aborted = true;
    }
}

/// Forgets a client's transaction and what it watches.
pub(crate) fn discard(node: &mut Node, client: LinkId) {
    if let Some(state) = node.clients.get_mut(client) {
        state.transaction = None;
    }
    node.clients.unwatch(client);
}

/// MULTI
pub(crate) fn multi(call: &mut Call<'_, '_>) -> Answer {
    let state = state(call.node, call.client, call.ctx);
    if state.transaction.is_some() {
        return Err(CommandError::fixed("ERR MULTI calls can not be nested"));
    }
    state.transaction = Some(Transaction::default());
    Ok(Reply::ok())
}

/// DISCARD
pub(crate) fn discard_command(call: &mut Call<'_, '_>) -> Answer {
    if state(call.node, call.client, call.ctx).transaction.is_none() {
        return Err(CommandError::fixed("ERR DISCARD without MULTI"));
    }
    discard(call.node, call.client);
    Ok(Reply::ok())
}

/// `WATCH key [key …]`
pub(crate) fn watch(call: &mut Call<'_, '_>) -> Answer {
    if state(call.node, call.client, call.ctx).transaction.is_some() {
        return Err(CommandError::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    for key in &call.args[1..] {
        call.node.clients.watch(call.client, key);
    }
    Ok(Reply::ok())
}

/// UNWATCH
pub(crate) fn unwatch(call: &mut Call<'_, '_>) -> Answer {
    call.node.clients.unwatch(call.client);
    Ok(Reply::ok())
}

/// EXEC
pub(crate) fn exec(call: &mut Call<'_, '_>) -> Outcome {
    let state = state(call.node, call.client, call.ctx);
    let touched = state.touched;
    let Some(transaction) = state.transaction.take() else {
        return Err(CommandError::fixed("ERR EXEC without MULTI")).into();
    };
    call.node.clients.unwatch(call.client);
    if transaction.aborted {
        return Err(CommandError::fixed(
            "EXECABORT Transaction discarded because of previous errors.",
        ))
        .into();
    }
    if touched {
        return Outcome::Reply(Reply::NilArray);
    }
    let execution = Execution { rest: transaction.queue.into(), replies: Vec::new() };
    run(call.node, call.client, execution, call.ctx)
}

/// Carries out what is left of a transaction.
fn run(node: &mut Node, client: LinkId, mut execution: Execution, ctx: &mut Ctx<'_>) -> Outcome {
    propagate::begin(node);
    while let Some(args) = execution.rest.pop_front() {
        // It was found when it was queued.
        let Some(spec) = table::find(&args[0]) else { continue };
        match call(node, client, spec, &args, None, true, ctx) {
            Outcome::Reply(reply) | Outcome::Farewell(reply) => execution.push(node, reply),
            Outcome::Replies(replies) => {
                for reply in replies {
                    execution.push(node, reply);
                }
            }
            // Commands that can wait do not when they are part of a transaction.
            Outcome::Blocked(_) => {}
            Outcome::Awaits(mut awaited) => {
                awaited.execution = Some(execution);
                return Outcome::Awaits(awaited);
            }
        }
    }
    propagate::end(node, ctx);
    Outcome::Reply(Reply::Array(execution.replies))
}

/// Goes on with a transaction after the command that it stopped at was answered.
pub(crate) fn resume(
    node: &mut Node,
    client: LinkId,
    mut execution: Execution,
    reply: Reply,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    execution.push(node, reply);
    run(node, client, execution, ctx)
}

impl Execution {
    fn push(&mut self, node: &mut Node, reply: Reply) {
        if let Some(error) = reply.error() {
            node.server.stats.count_error(error);
        }
        self.replies.push(reply);
    }
}
