//! The process around the protocol: what it is started with, how far it has started, its clocks, and
//! what is left when it ends.

use std::net::IpAddr;
use std::sync::Arc;

use crate::id::NodeId;
use crate::node::bus::FormedCluster;
use crate::node::config::Config;
use crate::node::keyspace::Keyspace;
use crate::rng::{Purpose, Seed, Stream};
use crate::time::Millis;
use crate::time::Wall;

/// What a process is started with.
#[derive(Debug, Clone)]
pub struct Boot {
    /// Its configuration file.
    pub config: Config,
    /// The first address that it binds.
    pub ip: IpAddr,
    /// Its process id.
    pub pid: u32,
    /// The id to take if there is no nodes.conf (random if not given), and who it is in a formed
    /// cluster.
    pub id: Option<NodeId>,
    /// The seed of the run.
    pub seed: Seed,
    /// Which node of the run this is, to derive its streams of randomness from.
    pub subject: u64,
    /// How many processes were started for this node before.
    pub incarnation: u64,
    /// What it finds on its disk.
    pub disk: Disk,
    /// The machine it runs on.
    pub host: Host,
}

/// What a process finds on its disk when it starts.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// The text of nodes.conf, if the file exists.
    pub nodes_conf: Option<Arc<str>>,
    /// The cluster that it is to find itself in; counts while there is no text. All nodes of a
    /// cluster that starts formed share one.
    pub formed: Option<Arc<FormedCluster>>,
    /// Saved keys, if there is a dump or an append-only file.
    pub keys: Option<Keyspace>,
    /// Whether the disk only says that it syncs what it is told to, and has it no sooner.
    pub ignores_syncs: bool,
}

/// What the start-up log lines tell of the machine (§13.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The limit of open files, if it is low enough to be raised at start.
    pub open_files: Option<u32>,
    /// `/proc/sys/net/core/somaxconn`
    pub somaxconn: u32,
    /// Whether `overcommit_memory` is 0, which Redis warns of.
    pub overcommit_warning: bool,
}

impl Default for Host {
    fn default() -> Host {
        Host { open_files: None, somaxconn: 4_096, overcommit_warning: true }
    }
}

/// How a process ends (Appendix B).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// SHUTDOWN or SIGTERM: it saves what it is configured to save.
    Shutdown,
    /// SIGKILL, a crash: what was written to files before is there, nothing else.
    Killed,
    /// The machine has lost its power, at this time of its clock: only what was synced is there.
    PowerFailure(Wall),
}

/// How far a process has started (§13.3). Each stage is entered with the lines that are logged
/// before the process does something that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It reads its configuration.
    ReadingConfig,
    /// It sets up its server.
    SettingUp,
    /// It reads nodes.conf.
    ReadingNodesConf,
    /// It opens its ports.
    OpeningPorts,
    /// It loads its keys.
    LoadingKeys,
    /// It serves.
    Running,
    /// It has ended by its own doing.
    Ended,
}

/// The running process: identity, stage of starting up, cached clocks.
#[derive(Debug)]
pub struct Process {
    /// Its process id.
    pub pid: u32,
    /// The machine it runs on.
    pub host: Host,
    /// The first address that it binds.
    pub ip: IpAddr,
    /// When it was started.
    pub started: Millis,
    /// How far it has started.
    pub stage: Stage,
    /// What it found on its disk and has not read yet.
    pub disk: Disk,
    /// Whether its disk has what it is told to sync.
    pub disk_syncs: bool,
    /// The id that it was told to take.
    pub given_id: Option<NodeId>,
    /// `server.mstime`: the clock as of the last cron or command (§0.3.2).
    pub cached_time: Millis,
    /// How often `serverCron` has run (§0.1.4).
    pub cron_loops: u64,
    /// How many children it has started: what their process ids are counted from.
    pub forks: u32,
    /// Whether SIGTERM came: the next cron ends the process (Appendix B.1).
    pub terminating: bool,
    /// Whether its ports are open although it is still starting.
    pub listens: bool,
    /// Draws for how long things take.
    pub loop_draws: Stream,
}

impl Process {
    /// A process that has just been executed.
    #[must_use]
    pub fn new(boot: &mut Boot, now: Millis) -> Process {
        Process {
            pid: boot.pid,
            host: boot.host.clone(),
            ip: boot.ip,
            started: now,
            stage: Stage::ReadingConfig,
            disk_syncs: !boot.disk.ignores_syncs,
            disk: std::mem::take(&mut boot.disk),
            given_id: boot.id,
            cached_time: now,
            cron_loops: 0,
            forks: 0,
            terminating: false,
            listens: false,
            loop_draws: boot.seed.stream(Purpose::Loop, boot.subject, boot.incarnation),
        }
    }
}
