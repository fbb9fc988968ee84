//! One Redis process as a pure state machine: inputs in, effects out (see [`effect`]).
//!
//! *Architecture invariant:* a node never reads a clock, a file or the network, and never sees
//! another node. It gets what its wall clock says with each input and decides from its own table and
//! from the packets it got.
//!
//! Rules are cited by their number (`§6.3`); `docs/fidelity.md` lists them.

mod admission;
pub mod append_only;
mod boot;
pub mod bus;
pub mod child;
pub mod client;
pub mod command;
pub mod config;
pub mod digest;
pub mod dump;
pub mod effect;
pub mod flags;
pub mod glob;
pub mod info;
pub mod keyspace;
#[cfg(test)]
mod lab;
pub mod loading;
pub mod log;
pub mod names;
pub mod nodes_conf;
pub mod number;
pub mod packet;
pub mod process;
pub mod pubsub;
pub mod rdb;
pub mod redirect;
pub mod replication;
pub mod section;
pub mod server;
pub mod stats;
pub mod storage;
pub mod stream;
pub mod table;
mod text;
pub mod value;

use crate::node::bus::Bus;
use crate::node::client::Clients;
use crate::node::config::{Config, Mode};
use crate::node::effect::{Ctx, Effect, Input};
use crate::node::keyspace::Keyspace;
use crate::node::loading::Loading;
use crate::node::log::{Level, Role};
use crate::node::process::Process;
use crate::node::replication::Replication;
use crate::node::server::Server;
use crate::time::Span;

/// How often the cluster cron runs (§1.1).
const CLUSTER_CRON_PERIOD: Span = Span::millis(100);

/// How often the replication cron runs (A.4).
const REPLICATION_CRON_PERIOD: Span = Span::secs(1);

/// A Redis process.
#[derive(Debug)]
pub struct Node {
    /// The process itself: pid, boot stage, cached clocks, cron.
    pub(crate) process: Process,
    /// Its configuration as it is now.
    pub(crate) config: Config,
    /// Its side of the cluster bus. That of a plain server is empty, and nothing runs it: ask
    /// [`cluster`](Node::cluster) first.
    pub(crate) bus: Bus,
    /// Its keys.
    pub(crate) keys: Keyspace,
    /// Its clients.
    pub(crate) clients: Clients,
    /// Whom it replicates.
    pub(crate) replication: Replication,
    /// What it knows of itself as a program: counters, files, the configuration file.
    pub(crate) server: Server,
    /// The data set that it is loading, if it is.
    pub(crate) loading: Option<Loading>,
}

impl Node {
    /// Handles one input: one pass of the event loop, including the work that is done before the
    /// process sleeps again (§0.1, §0.4).
    pub fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        match input {
            Input::BootStep => {
                self.boot_step(ctx);
                return;
            }
            // Whoever loads runs no cron (15.37).
            Input::Tick if self.is_loading() => {}
            Input::Tick => self.server_cron(ctx),
            Input::LoadStep => self.load_step(ctx),
            Input::ReadTimeout => self.read_timeout(ctx),
            Input::LinkUp(end) => self.link_up(ctx, &end),
            Input::LinkLost(end, loss) => self.link_lost(ctx, &end, loss),
            Input::Accepted(end) => self.link_accepted(ctx, &end),
            Input::Packet(end, packet) => self.receive(ctx, &end, packet),
            Input::ReplUp(_)
            | Input::ReplLost(..)
            | Input::ReplAccepted(_)
            | Input::ReplMessage(..)
            | Input::TransferDone(_)
            | Input::ChildExit(_) => self.handle_replication(ctx, input),
            Input::ClientAccepted(client) => self.client_accepted(ctx, client),
            Input::Command(client, args) => {
                self.process.cached_time = ctx.now.millis();
                command::execute(self, client, &args, ctx);
            }
            Input::ClientGone(client) => command::client_gone(self, client, ctx),
            Input::CallDone(result) => command::call_done(self, result, ctx),
            Input::Terminate if self.is_loading() => self.give_up_loading(ctx),
            Input::Terminate => self.process.terminating = true,
        }
        if !self.is_loading() {
            self.before_sleep(ctx);
            command::before_sleep(self, ctx);
            self.flush_append_only_file(ctx);
        }
    }

    /// Whether this is a node of a cluster, and no plain server.
    #[inline]
    pub(crate) fn in_cluster_mode(&self) -> bool {
        self.config.mode == Mode::Cluster
    }

    /// Its view of the cluster; a plain server has none.
    #[must_use]
    pub fn cluster(&self) -> Option<&Bus> {
        self.in_cluster_mode().then_some(&self.bus)
    }

    /// Whether it is a master: by its place in the cluster, or because it follows nobody.
    pub(crate) fn is_master(&self) -> bool {
        self.cluster().map_or(self.replication.master.is_none(), Bus::is_master)
    }

    /// How often `serverCron` runs: this long after its last run, plus what the run and the event
    /// loop took (§0.1.3).
    #[must_use]
    pub fn tick_period(&self) -> Span {
        Span::millis(1_000 / u64::from(self.config.hz.max(1)))
    }

    /// `serverCron` (§0.1.4).
    fn server_cron(&mut self, ctx: &mut Ctx<'_>) {
        self.process.cached_time = ctx.now.millis();
        if self.process.terminating {
            command::shutdown(self, ctx);
            return;
        }
        command::cron(self, ctx);
        if self.every(REPLICATION_CRON_PERIOD) {
            self.replication_cron(ctx);
        }
        if self.in_cluster_mode() && self.every(CLUSTER_CRON_PERIOD) {
            self.cluster_cron(ctx);
        }
        self.process.cron_loops += 1;
    }

    /// Whether something that is done every so often is due in this cron (§0.1.4).
    fn every(&self, period: Span) -> bool {
        let tick = self.tick_period();
        period <= tick
            || self.process.cron_loops.is_multiple_of(period.as_millis() / tick.as_millis())
    }

    /// Whether the configuration lets a log line of this level through and anybody wants it. Ask
    /// first where already the preparation of a line costs something.
    #[inline]
    pub(crate) fn logs(&self, ctx: &Ctx<'_>, level: Level) -> bool {
        level >= self.config.loglevel && ctx.out.logs(level)
    }

    /// Writes a log line, if the configuration lets it through and anybody wants it (§13.1).
    #[inline]
    pub(crate) fn log(&self, ctx: &mut Ctx<'_>, level: Level, text: std::fmt::Arguments<'_>) {
        if self.logs(ctx, level) {
            let role = self.log_role();
            ctx.out.effects.push(Effect::Log { level, role, text: text.to_string() });
        }
    }

    /// The letter of my log lines: a replica is who has a master configured for replication (§13.1).
    pub(crate) fn log_role(&self) -> Role {
        if self.replication.master.is_some() { Role::Replica } else { Role::Master }
    }
}

#[cfg(test)]
mod tests {
    use crate::node::effect::Input;
    use crate::node::lab::Lab;
    use crate::node::replication::upstream::Upstream;

    #[test]
    fn a_cron_saves_then_replicates_then_looks_after_the_cluster_0_1_4() {
        let mut lab = Lab::formed(3, 3, 15_000);
        lab.run(4_000);
        lab.ask(3, "CLUSTER FAILOVER FORCE");
        let node = lab.node(3);
        node.server.storage.dirty = 1;
        node.server.storage.last_save = 0;
        node.replication.upstream = Upstream::Waiting;
        node.process.cron_loops = node.process.cron_loops.next_multiple_of(10);
        lab.forget_records();
        lab.input(3, Input::Tick);
        let at = |start: &str| {
            let found = lab.lines.iter().position(|line| line.text.starts_with(start));
            found.unwrap_or_else(|| panic!("{start}: {:#?}", lab.lines))
        };
        let order = [
            at("1 changes in 3600 seconds. Saving..."),
            at("Connecting to MASTER"),
            at("Start of election delayed"),
        ];
        assert!(order.is_sorted(), "{order:?}");
    }
}
