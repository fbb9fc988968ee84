//! Commands of clients: the table of commands, and carrying them out.

use crate::node::Node;
use crate::node::effect::{Ctx, LinkId};
use crate::resp::Args;

/// Carries out a client's command. The reply, if it is due now, is among the effects.
pub fn execute(node: &mut Node, client: LinkId, args: &Args, ctx: &mut Ctx<'_>) {
    let _ = (node, client, args, ctx);
    todo!("the command worktree writes this")
}
