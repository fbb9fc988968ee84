//! What writes leave in the replication stream (A.3).
//!
//! A command that changed something goes to the replicas as it was sent, unless its effect depends on
//! chance or on this node's view: then something goes that has the same effect everywhere. What a
//! transaction changed goes between MULTI and EXEC.

use std::sync::Arc;

use crate::node::Node;
use crate::node::command::spec::Action;
use crate::node::command::{Call, Spec, blocking};
use crate::node::effect::{Ctx, LinkId};
use crate::node::replication::message::Write;
use crate::resp::{Args, args};
use crate::slot::Slot;

/// Whether what is propagated belongs to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Transacting {
    /// It does not.
    #[default]
    No,
    /// It does, and nothing was changed yet.
    Begun,
    /// It does, and MULTI is in the stream.
    Announced,
}

impl Call<'_, '_> {
    /// Lets this go to the replicas in place of the command.
    pub(crate) fn propagate_instead<W: AsRef<[u8]>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.instead.push(args(words));
    }
}

/// A command has changed something.
pub(super) fn changed(
    node: &mut Node,
    ctx: &mut Ctx<'_>,
    slot: Option<Slot>,
    args: &Arc<Args>,
    instead: Vec<Args>,
) {
    if !node.has_stream() {
        return;
    }
    match instead.len() {
        0 => node.propagate_in(ctx, slot, Arc::clone(args)),
        1 => instead.into_iter().for_each(|args| node.propagate_in(ctx, slot, args)),
        _ => {
            let outer = begin(node);
            instead.into_iter().for_each(|args| node.propagate_in(ctx, slot, args));
            if outer == Transacting::No {
                end(node, ctx);
            }
        }
    }
}

/// What follows belongs to a transaction. Returns whether it did so before.
pub(super) fn begin(node: &mut Node) -> Transacting {
    let before = node.replication.transacting;
    if before == Transacting::No {
        node.replication.transacting = Transacting::Begun;
    }
    before
}

/// A transaction is over.
pub(super) fn end(node: &mut Node, ctx: &mut Ctx<'_>) {
    if std::mem::take(&mut node.replication.transacting) == Transacting::Announced {
        node.propagate(ctx, args(["EXEC"]));
    }
}

impl Node {
    /// Carries out a write of my master: without any of the checks that a client's command has to
    /// pass, and without an answer.
    pub(crate) fn apply_from_master(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        spec: &'static Spec,
        write: &Write,
    ) {
        let mut call = Call {
            node: self,
            ctx,
            client: link,
            args: write.args(),
            spec,
            slot: write.slot(),
            in_exec: false,
            instead: Vec::new(),
        };
        if let Action::Answer(command) = spec.action {
            // A write that failed at the master was not sent.
            let _ = command(&mut call);
        }
        // Whoever reads here may have waited for that.
        blocking::serve(self, ctx);
    }
}
