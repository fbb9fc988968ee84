//! What the engine asks of a program that it runs on its nodes.
//!
//! There is one program, [`Node`]. The engine's own tests run smaller ones, in which every message
//! is the test's.

use crate::node::Node;
use crate::node::config::Config;
use crate::node::effect::{Ctx, Input};
use crate::node::keyspace::Keyspace;
use crate::node::process::{Boot, Death};
use crate::time::Span;

/// A process as a pure state machine.
pub trait Program: Sized {
    /// Executes the program.
    fn start(boot: Boot, ctx: &mut Ctx<'_>) -> Self;

    /// Handles one input.
    fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>);

    /// How long after one tick the next is due, apart from what the ticks themselves take.
    fn tick_period(&self) -> Span;

    /// Whether it takes in what comes on the bus while it is loading.
    fn takes_in_peers(&self) -> bool {
        true
    }

    /// The configuration file as it is on disk now, if the program may have rewritten it.
    fn config_file(&self) -> Option<&Config> {
        None
    }

    /// The keys that somebody finds who copies the files now.
    fn keys_on_disk(&self) -> Option<Keyspace> {
        None
    }

    /// The keys that the next process on the same disk will find.
    fn surviving_keys(self, death: Death) -> Option<Keyspace>;
}

impl Program for Node {
    fn start(boot: Boot, ctx: &mut Ctx<'_>) -> Node {
        Node::start(boot, ctx)
    }

    #[inline]
    fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        Node::handle(self, input, ctx);
    }

    fn takes_in_peers(&self) -> bool {
        Node::takes_in_peers(self)
    }

    fn tick_period(&self) -> Span {
        Node::tick_period(self)
    }

    fn config_file(&self) -> Option<&Config> {
        Some(Node::config_file(self))
    }

    fn keys_on_disk(&self) -> Option<Keyspace> {
        Node::keys_on_disk(self)
    }

    fn surviving_keys(self, death: Death) -> Option<Keyspace> {
        Node::surviving_keys(self, death)
    }
}
