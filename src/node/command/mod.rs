//! Commands of clients: the table of commands, and carrying them out.

use crate::node::Node;
use crate::node::effect::{CallError, Ctx, LinkId};
use crate::resp::{Args, Reply};

/// Carries out a client's command. The reply, if it is due now, is among the effects.
pub fn execute(node: &mut Node, client: LinkId, args: &Args, ctx: &mut Ctx<'_>) {
    let _ = (node, client, args, ctx);
    todo!("the command worktree writes this")
}

/// Goes on with the command that waited for a synchronous call (§11.16).
pub fn call_done(node: &mut Node, result: Result<Vec<Reply>, CallError>, ctx: &mut Ctx<'_>) {
    let _ = (node, result, ctx);
    todo!("the command worktree writes this")
}

/// Ends the process as SIGTERM asked (Appendix B.1).
pub fn shutdown(node: &mut Node, ctx: &mut Ctx<'_>) {
    let _ = (node, ctx);
    todo!("the command worktree writes this")
}
