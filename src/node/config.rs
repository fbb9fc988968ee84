//! The directives of redis.conf that a node knows (§1.2).

use std::net::IpAddr;

use crate::time::Millis;

/// A node's configuration, with Redis's defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `port`
    pub port: u16,
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
    /// Whether `save` points are configured, so that SHUTDOWN writes an RDB file.
    pub save_points: bool,
    /// `repl-ping-replica-period`, in seconds
    pub repl_ping_replica_period: i64,
    /// `repl-timeout`, in seconds
    pub repl_timeout: i64,
    /// `repl-backlog-size`, in bytes
    pub repl_backlog_size: u64,
    /// `repl-backlog-ttl`, in seconds
    pub repl_backlog_ttl: i64,
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
    /// `hz`
    pub hz: u32,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            port: 6379,
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
            save_points: true,
            repl_ping_replica_period: 10,
            repl_timeout: 60,
            repl_backlog_size: 1 << 20,
            repl_backlog_ttl: 3_600,
            replica_serve_stale_data: true,
            replica_read_only: true,
            min_replicas_to_write: 0,
            min_replicas_max_lag: 10,
            replica_priority: 100,
            hz: 10,
        }
    }
}
