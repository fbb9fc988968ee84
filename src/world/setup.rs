//! What a run is made of, as plain data.

use std::net::IpAddr;

use crate::id::NodeId;
use crate::network::NetworkConfig;
use crate::node::config::Config;
use crate::node::process::{Disk, Host};
use crate::rng::Seed;
use crate::time::{Span, Wall};
use crate::world::disk::DiskConfig;
use crate::world::formation::Formation;

/// Everything that decides how a run begins.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where all randomness comes from.
    pub seed: Seed,
    /// What clocks that are right show at the start.
    pub start: Wall,
    /// The network.
    pub network: NetworkConfig,
    /// The nodes, by their number.
    pub nodes: Vec<NodeSetup>,
    /// If given, the nodes make up a cluster already and are started by the engine.
    pub formed: Option<Formation>,
    /// How long a crashing process writes its report before it dies. It answers nobody meanwhile,
    /// and its sockets stay open.
    pub crash_report: Span,
    /// How all disks behave.
    pub disks: DiskConfig,
    /// How many events may be processed before the run is stopped.
    pub event_budget: u64,
}

/// One node: a machine, a configuration file and a disk.
#[derive(Debug, Clone)]
pub struct NodeSetup {
    /// The address that its processes bind.
    pub ip: IpAddr,
    /// Its configuration file.
    pub config: Config,
    /// The id to take if there is no nodes.conf; random if not given.
    pub id: Option<NodeId>,
    /// The process ids of its first processes; later ones are drawn.
    pub pids: Vec<u32>,
    /// What is on its disk.
    pub disk: Disk,
    /// The machine.
    pub host: Host,
    /// How far its clock is ahead of the right time, in microseconds.
    pub clock_offset: i64,
}

impl Setup {
    /// Nodes that have never been started, on an undisturbed network.
    #[must_use]
    pub fn new(seed: Seed, nodes: Vec<NodeSetup>) -> Setup {
        Setup {
            seed,
            start: Wall(1_600_000_000_000_000),
            network: NetworkConfig::default(),
            nodes,
            formed: None,
            crash_report: Span::millis(166),
            disks: DiskConfig::default(),
            event_budget: u64::MAX,
        }
    }
}

impl NodeSetup {
    /// A node with an empty disk and a right clock.
    #[must_use]
    pub fn new(ip: IpAddr, config: Config) -> NodeSetup {
        NodeSetup {
            ip,
            config,
            id: None,
            pids: Vec::new(),
            disk: Disk::default(),
            host: Host::default(),
            clock_offset: 0,
        }
    }
}
