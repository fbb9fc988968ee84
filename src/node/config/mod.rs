//! The directives of redis.conf that a node knows (§1.2).
//!
//! What a virtual node acts on is a typed field of [`Config`]. Everything else that a 6.2 node accepts
//! is accepted, too, and kept as text ([`Config::kept`]); a directive that Redis does not know is an
//! error. [`Config::set`] is the one way in, for scenario files and for CONFIG SET.

mod directive;
pub mod rewrite;
pub mod setting;
mod table;

use std::collections::BTreeMap;
use std::net::IpAddr;

pub use crate::node::config::directive::Directive;
use crate::node::config::setting::{AppendFsync, Mismatch, SavePoint};
use crate::node::glob;
use crate::node::log::Level;
use crate::time::Millis;

/// A node's configuration, with Redis's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `port`
    pub port: u16,
    /// `cluster-enabled`
    pub mode: Mode,
    /// `cluster-node-timeout`, NT in the rules, in milliseconds.
    pub node_timeout: Millis,
    /// `cluster-replica-validity-factor`; 0 disables the data age test.
    pub replica_validity_factor: i64,
    /// `cluster-migration-barrier`
    pub migration_barrier: u32,
    /// `cluster-allow-replica-migration`
    pub allow_replica_migration: bool,
    /// `cluster-require-full-coverage`
    pub require_full_coverage: bool,
    /// `cluster-replica-no-failover`
    pub replica_no_failover: bool,
    /// `cluster-allow-reads-when-down`
    pub allow_reads_when_down: bool,
    /// `cluster-announce-ip`
    pub announce_ip: Option<IpAddr>,
    /// `cluster-announce-port`; 0 = unset
    pub announce_port: u16,
    /// `cluster-announce-bus-port`; 0 = unset
    pub announce_bus_port: u16,
    /// `appendonly`
    pub appendonly: bool,
    /// `appendfsync`
    pub append_fsync: AppendFsync,
    /// `save`: when an RDB file is written. With none, not even SHUTDOWN writes one.
    pub save: Vec<SavePoint>,
    /// `repl-ping-replica-period`, in seconds
    pub repl_ping_replica_period: i64,
    /// `repl-timeout`, in seconds
    pub repl_timeout: i64,
    /// `repl-backlog-size`, in bytes
    pub repl_backlog_size: u64,
    /// `repl-backlog-ttl`, in seconds
    pub repl_backlog_ttl: i64,
    /// `repl-diskless-sync`: a child writes the data set straight to replicas.
    pub repl_diskless_sync: bool,
    /// `repl-diskless-sync-delay`: for how long more replicas are waited for, in seconds
    pub repl_diskless_sync_delay: i64,
    /// `repl-diskless-load`
    pub repl_diskless_load: DisklessLoad,
    /// `rdb-key-save-delay`: how long each key takes to be written, in microseconds
    pub rdb_key_save_delay: i64,
    /// `key-load-delay`: how long each key takes to be loaded, in microseconds
    pub key_load_delay: i64,
    /// `replica-serve-stale-data`
    pub replica_serve_stale_data: bool,
    /// `replica-read-only`
    pub replica_read_only: bool,
    /// `min-replicas-to-write`
    pub min_replicas_to_write: u32,
    /// `min-replicas-max-lag`, in seconds
    pub min_replicas_max_lag: i64,
    /// `replica-priority`
    pub replica_priority: u32,
    /// `maxclients`
    pub maxclients: u32,
    /// `slowlog-log-slower-than`, in microseconds; negative = never
    pub slowlog_log_slower_than: i64,
    /// `slowlog-max-len`
    pub slowlog_max_len: u64,
    /// `hz`
    pub hz: u32,
    /// `loglevel`: less important lines are not written.
    pub loglevel: Level,
    /// Directives that a virtual node does not act on, as they were set.
    pub kept: BTreeMap<&'static str, String>,
    /// The lines of the file that it was read from, or that CONFIG REWRITE has written.
    pub lines: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            port: 6379,
            mode: Mode::Cluster,
            node_timeout: Millis(15_000),
            replica_validity_factor: 10,
            migration_barrier: 1,
            allow_replica_migration: true,
            require_full_coverage: true,
            replica_no_failover: false,
            allow_reads_when_down: false,
            announce_ip: None,
            announce_port: 0,
            announce_bus_port: 0,
            appendonly: false,
            append_fsync: AppendFsync::EverySecond,
            save: vec![
                SavePoint { seconds: 3_600, changes: 1 },
                SavePoint { seconds: 300, changes: 100 },
                SavePoint { seconds: 60, changes: 10_000 },
            ],
            repl_ping_replica_period: 10,
            repl_timeout: 60,
            repl_backlog_size: 1 << 20,
            repl_backlog_ttl: 3_600,
            repl_diskless_sync: false,
            repl_diskless_sync_delay: 5,
            repl_diskless_load: DisklessLoad::Disabled,
            rdb_key_save_delay: 0,
            key_load_delay: 0,
            replica_serve_stale_data: true,
            replica_read_only: true,
            min_replicas_to_write: 0,
            min_replicas_max_lag: 10,
            replica_priority: 100,
            maxclients: 10_000,
            slowlog_log_slower_than: 10_000,
            slowlog_max_len: 128,
            hz: 10,
            loglevel: Level::Notice,
            kept: BTreeMap::new(),
            lines: Vec::new(),
        }
    }
}

/// What a server is: `cluster-enabled`, which is `yes` here unless it is said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A node of a cluster.
    Cluster,
    /// A plain server: it has no bus, no nodes.conf and no slots, and sends nobody elsewhere.
    Standalone,
}

impl Mode {
    /// What the server calls it, in its log and in INFO.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Mode::Cluster => "cluster",
            Mode::Standalone => "standalone",
        }
    }
}

/// Whether a replica loads what its master sends without a file in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisklessLoad {
    /// Never.
    Disabled,
    /// If it has no keys.
    OnEmptyDb,
    /// Always, and it keeps its old keys until it has loaded all.
    SwapDb,
}

/// A directive that cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Redis does not know it.
    #[error("there is no directive `{0}`")]
    Unknown(String),
    /// Its value is of the wrong kind.
    #[error("`{name}` cannot be `{value}`: {mismatch}")]
    Value {
        /// The directive.
        name: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        mismatch: Mismatch,
    },
}

impl Config {
    /// Sets a directive as a line of redis.conf would: by its name or alias, in any case.
    ///
    /// # Errors
    /// If Redis does not know the directive, or the value is of the wrong kind.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let directive = find(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        let setting = directive.kind.parse(value).map_err(|mismatch| ConfigError::Value {
            name: directive.name,
            value: value.to_owned(),
            mismatch,
        })?;
        directive.set(self, setting);
        Ok(())
    }

    /// The value of a directive, as CONFIG GET shows it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        find(name).map(|directive| directive.get(self))
    }

    /// The names that match a glob pattern, and their values, in CONFIG GET's order.
    #[must_use]
    pub fn matching(&self, pattern: &[u8]) -> Vec<(&'static str, String)> {
        directives()
            .filter(|directive| !directive.hidden)
            .flat_map(|directive| directive.names().map(move |name| (name, directive)))
            .filter(|(name, _)| glob::matches_ignoring_case(pattern, name.as_bytes()))
            .map(|(name, directive)| (name, directive.get(self)))
            .collect()
    }
}

/// The directive of this name or alias.
#[must_use]
pub fn find(name: &str) -> Option<&'static Directive> {
    directives().find(|directive| directive.is_called(name))
}

/// All directives.
pub fn directives() -> impl Iterator<Item = &'static Directive> {
    table::DIRECTIVES.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_is_set_by_its_alias_in_any_case_1_2() {
        let mut config = Config::default();
        config.set("Cluster-Slave-Validity-Factor", "0").unwrap();
        assert_eq!(config.replica_validity_factor, 0);
        config.set("cluster-node-timeout", "3000").unwrap();
        assert_eq!(config.node_timeout, Millis(3_000));
        assert_eq!(config.get("cluster-replica-validity-factor").as_deref(), Some("0"));
    }

    #[test]
    fn every_default_is_accepted_by_its_own_directive() {
        for directive in directives() {
            let mut config = Config::default();
            let default = directive.get(&config);
            config.set(directive.name, &default).unwrap();
            assert_eq!(directive.get(&config), default, "{}", directive.name);
        }
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut names: Vec<&str> = directives().flat_map(Directive::names).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn what_redis_accepts_but_a_virtual_node_ignores_is_kept() {
        let mut config = Config::default();
        config.set("maxmemory", "100mb").unwrap();
        config.set("daemonize", "yes").unwrap();
        config.set("cluster-config-file", "nodes-7000.conf").unwrap();
        assert_eq!(config.get("maxmemory").as_deref(), Some("104857600"));
        assert_eq!(config.matching(b"daemon*"), [("daemonize", "yes".to_owned())]);
        assert_eq!(config.matching(b"cluster-config*"), []);
    }

    #[test]
    fn an_error_says_what_was_expected() {
        let mut config = Config::default();
        let said = |error: Result<(), ConfigError>| error.unwrap_err().to_string();
        assert_eq!(said(config.set("clutser", "1")), "there is no directive `clutser`");
        assert_eq!(
            said(config.set("cluster-enabled", "maybe")),
            "`cluster-enabled` cannot be `maybe`: argument must be 'yes' or 'no'"
        );
        assert_eq!(
            said(config.set("repl-timeout", "0")),
            "`repl-timeout` cannot be `0`: argument must be between 1 and 2147483647 inclusive"
        );
        assert_eq!(
            said(config.set("save", "60")),
            "`save` cannot be `60`: argument must be pairs of seconds (1 or more) and changes"
        );
    }

    #[test]
    fn a_server_is_a_node_of_a_cluster_unless_it_is_said_otherwise_1_2() {
        let mut config = Config::default();
        assert_eq!(config.mode, Mode::Cluster);
        assert_eq!(config.get("cluster-enabled").as_deref(), Some("yes"));
        config.set("cluster-enabled", "no").unwrap();
        assert_eq!(config.mode, Mode::Standalone);
        assert_eq!(config.get("cluster-enabled").as_deref(), Some("no"));
    }

    #[test]
    fn save_points_can_be_many_or_none() {
        let mut config = Config::default();
        config.set("save", "900 1 300 10").unwrap();
        assert_eq!(config.get("save").as_deref(), Some("900 1 300 10"));
        config.set("save", "").unwrap();
        assert!(config.save.is_empty());
    }

    #[test]
    fn limits_of_one_class_leave_those_of_the_others_alone() {
        let mut config = Config::default();
        config.set("client-output-buffer-limit", "replica 1mb 2 3").unwrap();
        config.set("client-output-buffer-limit", "pubsub 4 5 6").unwrap();
        assert_eq!(
            config.get("client-output-buffer-limit").as_deref(),
            Some("normal 0 0 0 slave 1048576 2 3 pubsub 4 5 6")
        );
    }

    #[test]
    fn a_rate_of_ticks_out_of_range_is_brought_into_it() {
        let mut config = Config::default();
        config.set("hz", "1000").unwrap();
        assert_eq!(config.hz, 500);
    }
}
