//! What the administration of a process knows: counters, files, its configuration file.

use crate::id::NodeId;
use crate::node::command::slowlog::Slowlog;
use crate::node::config::Config;
use crate::node::process::Boot;
use crate::node::stats::Stats;
use crate::node::storage::Storage;
use crate::rng::{Purpose, Stream};

/// Everything that is about the server as a program rather than about the cluster.
#[derive(Debug)]
pub struct Server {
    /// Counters.
    pub stats: Stats,
    /// Commands that took long.
    pub slowlog: Slowlog,
    /// What is on disk and what is not yet.
    pub storage: Storage,
    /// The configuration file: as it was read at the start, or as CONFIG REWRITE last wrote it.
    pub config_file: Config,
    /// INFO's `run_id`.
    pub run_id: String,
    /// Whether keys are deleted as soon as their time has come, not only when somebody asks for them.
    pub active_expire: bool,
    /// Draws for commands that pick something at random.
    pub draws: Stream,
}

impl Server {
    /// The state of a process that was just started.
    #[must_use]
    pub fn new(boot: &Boot) -> Server {
        let mut draws = boot.seed.stream(Purpose::Command, boot.subject, boot.incarnation);
        // As long as a node's id, and drawn in the same way.
        let run_id = NodeId::random(&mut draws).to_string();
        Server {
            stats: Stats::default(),
            slowlog: Slowlog::default(),
            storage: Storage::default(),
            config_file: boot.config.clone(),
            run_id,
            active_expire: true,
            draws,
        }
    }
}
