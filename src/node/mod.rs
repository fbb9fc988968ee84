//! One Redis process as a pure state machine: inputs in, effects out (see [`effect`]).
//!
//! *Architecture invariant:* a node never reads a clock, a file or the network, and never sees
//! another node. It gets what its wall clock says with each input and decides from its own table and
//! from the packets it got.
//!
//! Rules are cited by their number (`§6.3`); `docs/fidelity.md` lists them.

pub mod bus;
pub mod client;
pub mod command;
pub mod config;
pub mod effect;
pub mod flags;
pub mod glob;
pub mod keyspace;
pub mod log;
pub mod number;
pub mod packet;
pub mod process;
pub mod replication;
pub mod table;
pub mod value;

use crate::node::bus::Bus;
use crate::node::client::Clients;
use crate::node::config::Config;
use crate::node::effect::{Ctx, Effect, Input};
use crate::node::keyspace::Keyspace;
use crate::node::log::{Level, Role};
use crate::node::process::{Boot, Death, Process};
use crate::node::replication::Replication;

/// A Redis process in cluster mode.
#[derive(Debug)]
pub struct Node {
    /// The process itself: pid, boot stage, cached clocks, cron.
    pub(crate) process: Process,
    /// Its configuration as it is now.
    pub(crate) config: Config,
    /// Its side of the cluster bus.
    pub(crate) bus: Bus,
    /// Its keys.
    pub(crate) keys: Keyspace,
    /// Its clients.
    pub(crate) clients: Clients,
    /// Whom it replicates.
    pub(crate) replication: Replication,
}

impl Node {
    /// Executes the program: the first log lines are written and the first
    /// [`BootStep`](Input::BootStep) is asked for. The node answers nobody before it says
    /// [`Listen`](effect::Effect::Listen).
    #[must_use]
    pub fn start(boot: Boot, ctx: &mut Ctx<'_>) -> Node {
        let _ = (boot, ctx);
        todo!("the bus worktree writes this")
    }

    /// Handles one input: one pass of the event loop, including the work that is done before the
    /// process sleeps again (§0.1, §0.4).
    pub fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        let _ = (input, ctx);
        todo!("the bus worktree writes this")
    }

    /// Writes a log line, if anybody wants it (§13.1).
    #[inline]
    pub(crate) fn log(&self, ctx: &mut Ctx<'_>, level: Level, text: std::fmt::Arguments<'_>) {
        if ctx.out.logs(level) {
            let role = self.log_role();
            ctx.out.effects.push(Effect::Log { level, role, text: text.to_string() });
        }
    }

    /// The letter of my log lines: a replica is who has a master configured for replication (§13.1).
    pub(crate) fn log_role(&self) -> Role {
        if self.replication.master.is_some() { Role::Replica } else { Role::Master }
    }

    /// The keys that the next process on the same disk will find, if this one ends in this way.
    #[must_use]
    pub fn surviving_keys(self, death: Death) -> Option<Keyspace> {
        let _ = death;
        todo!("the command worktree writes this")
    }
}
