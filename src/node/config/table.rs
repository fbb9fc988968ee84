//! All directives of redis.conf that a 6.2 node knows, in the order in which CONFIG GET shows them.
//!
//! Names, defaults and ranges are Redis's. A directive that a virtual node acts on is bound to a field
//! of [`Config`]; the others keep their text, so that files written for a real node are accepted and
//! CONFIG GET answers as a real node would.

use crate::node::config::directive::{Directive, Place};
use crate::node::config::setting::{AppendFsync, Kind, Setting, merge_limits, yes_no};
use crate::node::config::{Config, DisklessLoad, Mode};
use crate::node::log::Level;

const MAX: i64 = i64::MAX;
const INT_MAX: i64 = i32::MAX as i64;
const INT_MIN: i64 = i32::MIN as i64;
const UINT_MAX: i64 = u32::MAX as i64;

/// A directive whose text is kept.
const fn kept(
    name: &'static str,
    alias: Option<&'static str>,
    kind: Kind,
    default: &'static str,
) -> Directive {
    Directive { name, alias, kind, fixed: false, hidden: false, place: Place::Kept(default) }
}

/// A directive whose text is kept and that CONFIG SET cannot change.
const fn fixed(
    name: &'static str,
    alias: Option<&'static str>,
    kind: Kind,
    default: &'static str,
) -> Directive {
    Directive { name, alias, kind, fixed: true, hidden: false, place: Place::Kept(default) }
}

/// A directive bound to a `bool` field.
macro_rules! flag {
    ($name:literal, $alias:expr, $field:ident) => {
        Directive {
            name: $name,
            alias: $alias,
            kind: Kind::YesNo,
            fixed: false,
            hidden: false,
            place: Place::Field {
                get: |config| yes_no(config.$field).to_owned(),
                set: |config, setting| {
                    if let Setting::Flag(on) = setting {
                        config.$field = on;
                    }
                },
            },
        }
    };
}

/// A directive bound to an integer field. Its range fits the field's type.
macro_rules! number {
    ($name:literal, $alias:expr, $kind:expr, $field:ident $(. $part:tt)?) => {
        Directive {
            name: $name,
            alias: $alias,
            kind: $kind,
            fixed: false,
            hidden: false,
            place: Place::Field {
                get: |config| config.$field $(. $part)?.to_string(),
                set: |config, setting| {
                    if let Setting::Number(number) = setting {
                        config.$field $(. $part)? = number as _;
                    }
                },
            },
        }
    };
}

const fn special(
    name: &'static str,
    kind: Kind,
    get: fn(&Config) -> String,
    set: fn(&mut Config, Setting<'_>),
) -> Directive {
    Directive {
        name,
        alias: None,
        kind,
        fixed: false,
        hidden: false,
        place: Place::Field { get, set },
    }
}

const ANNOUNCE_IP: Directive = special(
    "cluster-announce-ip",
    Kind::Address,
    |config| config.announce_ip.map(|ip| ip.to_string()).unwrap_or_default(),
    |config, setting| {
        if let Setting::Text(text) = setting {
            config.announce_ip = text.parse().ok();
        }
    },
);

/// A directive that is one of some words, each of which stands for a value of a field.
macro_rules! choice {
    ($name:literal, $field:ident, [$($word:literal => $value:path),+ $(,)?]) => {
        special(
            $name,
            Kind::Choice(&[$($word),+]),
            |config| match config.$field {
                $($value => $word.to_owned()),+
            },
            |config, setting| match setting {
                $(Setting::Text($word) => config.$field = $value,)+
                _ => {}
            },
        )
    };
}

const APPEND_FSYNC: Directive = choice!("appendfsync", append_fsync, [
    "everysec" => AppendFsync::EverySecond,
    "always" => AppendFsync::Always,
    "no" => AppendFsync::No,
]);

const DISKLESS_LOAD: Directive = choice!("repl-diskless-load", repl_diskless_load, [
    "disabled" => DisklessLoad::Disabled,
    "on-empty-db" => DisklessLoad::OnEmptyDb,
    "swapdb" => DisklessLoad::SwapDb,
]);

const LOG_LEVEL: Directive = choice!("loglevel", loglevel, [
    "debug" => Level::Debug,
    "verbose" => Level::Verbose,
    "notice" => Level::Notice,
    "warning" => Level::Warning,
]);

/// CONFIG SET cannot change what a server is.
const CLUSTER_ENABLED: Directive = Directive {
    fixed: true,
    ..special(
        "cluster-enabled",
        Kind::YesNo,
        |config| yes_no(config.mode == Mode::Cluster).to_owned(),
        |config, setting| {
            if let Setting::Flag(on) = setting {
                config.mode = if on { Mode::Cluster } else { Mode::Standalone };
            }
        },
    )
};

/// Out of range it is brought into range, not refused.
const HZ: Directive = special(
    "hz",
    Kind::Integer(0, INT_MAX),
    |config| config.hz.to_string(),
    |config, setting| {
        if let Setting::Number(number) = setting {
            config.hz = number.clamp(1, 500) as u32;
        }
    },
);

const SAVE: Directive = special(
    "save",
    Kind::SavePoints,
    |config| {
        let points: Vec<String> = config
            .save
            .iter()
            .map(|point| format!("{} {}", point.seconds, point.changes))
            .collect();
        points.join(" ")
    },
    |config, setting| {
        if let Setting::SavePoints(points) = setting {
            config.save = points;
        }
    },
);

/// What is not said of a class of clients stays as it is.
const OUTPUT_LIMITS: Directive =
    special("client-output-buffer-limit", Kind::OutputLimits, output_limits, |config, setting| {
        if let Setting::Text(said) = setting {
            let merged = merge_limits(&output_limits(config), said);
            config.kept.insert("client-output-buffer-limit", merged);
        }
    });

fn output_limits(config: &Config) -> String {
    match config.kept.get("client-output-buffer-limit") {
        Some(limits) => limits.clone(),
        None => "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60".to_owned(),
    }
}

/// Known to configuration files only.
const CONFIG_FILE: Directive = Directive {
    name: "cluster-config-file",
    alias: None,
    kind: Kind::Text,
    fixed: true,
    hidden: true,
    place: Place::Kept("nodes.conf"),
};

/// The directives.
#[rustfmt::skip]
pub(super) static DIRECTIVES: &[Directive] = &[
    fixed("rdbchecksum", None, Kind::YesNo, "yes"),
    fixed("daemonize", None, Kind::YesNo, "no"),
    fixed("io-threads-do-reads", None, Kind::YesNo, "no"),
    kept("lua-replicate-commands", None, Kind::YesNo, "yes"),
    fixed("always-show-logo", None, Kind::YesNo, "no"),
    kept("protected-mode", None, Kind::YesNo, "yes"),
    kept("rdbcompression", None, Kind::YesNo, "yes"),
    kept("rdb-del-sync-files", None, Kind::YesNo, "no"),
    kept("activerehashing", None, Kind::YesNo, "yes"),
    kept("stop-writes-on-bgsave-error", None, Kind::YesNo, "yes"),
    fixed("set-proc-title", None, Kind::YesNo, "yes"),
    kept("dynamic-hz", None, Kind::YesNo, "yes"),
    kept("lazyfree-lazy-eviction", None, Kind::YesNo, "no"),
    kept("lazyfree-lazy-expire", None, Kind::YesNo, "no"),
    kept("lazyfree-lazy-server-del", None, Kind::YesNo, "no"),
    kept("lazyfree-lazy-user-del", None, Kind::YesNo, "no"),
    kept("lazyfree-lazy-user-flush", None, Kind::YesNo, "no"),
    kept("repl-disable-tcp-nodelay", None, Kind::YesNo, "no"),
    flag!("repl-diskless-sync", None, repl_diskless_sync),
    kept("gopher-enabled", None, Kind::YesNo, "no"),
    kept("aof-rewrite-incremental-fsync", None, Kind::YesNo, "yes"),
    kept("no-appendfsync-on-rewrite", None, Kind::YesNo, "no"),
    flag!("cluster-require-full-coverage", None, require_full_coverage),
    kept("rdb-save-incremental-fsync", None, Kind::YesNo, "yes"),
    kept("aof-load-truncated", None, Kind::YesNo, "yes"),
    kept("aof-use-rdb-preamble", None, Kind::YesNo, "yes"),
    flag!("cluster-replica-no-failover", Some("cluster-slave-no-failover"), replica_no_failover),
    kept("replica-lazy-flush", Some("slave-lazy-flush"), Kind::YesNo, "no"),
    flag!("replica-serve-stale-data", Some("slave-serve-stale-data"), replica_serve_stale_data),
    flag!("replica-read-only", Some("slave-read-only"), replica_read_only),
    kept("replica-ignore-maxmemory", Some("slave-ignore-maxmemory"), Kind::YesNo, "yes"),
    kept("jemalloc-bg-thread", None, Kind::YesNo, "yes"),
    kept("activedefrag", None, Kind::No, "no"),
    fixed("syslog-enabled", None, Kind::YesNo, "no"),
    CLUSTER_ENABLED,
    flag!("appendonly", None, appendonly),
    flag!("cluster-allow-reads-when-down", None, allow_reads_when_down),
    kept("crash-log-enabled", None, Kind::YesNo, "yes"),
    kept("crash-memcheck-enabled", None, Kind::YesNo, "yes"),
    kept("use-exit-on-panic", None, Kind::YesNo, "no"),
    kept("disable-thp", None, Kind::YesNo, "yes"),
    flag!("cluster-allow-replica-migration", None, allow_replica_migration),
    kept("replica-announced", None, Kind::YesNo, "yes"),
    fixed("aclfile", None, Kind::Text, ""),
    fixed("unixsocket", None, Kind::Text, ""),
    fixed("pidfile", None, Kind::Text, ""),
    kept("replica-announce-ip", Some("slave-announce-ip"), Kind::Text, ""),
    kept("masteruser", None, Kind::Text, ""),
    ANNOUNCE_IP,
    fixed("syslog-ident", None, Kind::Text, "redis"),
    kept("dbfilename", None, Kind::FileName, "dump.rdb"),
    fixed("appendfilename", None, Kind::FileName, "appendonly.aof"),
    fixed("server_cpulist", None, Kind::Text, ""),
    fixed("bio_cpulist", None, Kind::Text, ""),
    fixed("aof_rewrite_cpulist", None, Kind::Text, ""),
    fixed("bgsave_cpulist", None, Kind::Text, ""),
    kept("ignore-warnings", None, Kind::Text, ""),
    kept("proc-title-template", None, Kind::Text, "{title} {listen-addr} {server-mode}"),
    kept("masterauth", None, Kind::Text, ""),
    kept("requirepass", None, Kind::NoPassword, ""),
    fixed("supervised", None, Kind::Choice(&["upstart", "systemd", "auto", "no"]), "no"),
    fixed("syslog-facility", None, Kind::Choice(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]), "local0"),
    DISKLESS_LOAD,
    LOG_LEVEL,
    kept("maxmemory-policy", None, Kind::Choice(&["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"]), "noeviction"),
    APPEND_FSYNC,
    kept("oom-score-adj", None, Kind::Choice(&["no", "yes", "relative", "absolute"]), "no"),
    kept("acl-pubsub-default", None, Kind::Choice(&["allchannels", "resetchannels"]), "allchannels"),
    kept("sanitize-dump-payload", None, Kind::Choice(&["no", "yes", "clients"]), "no"),
    fixed("databases", None, Kind::Integer(1, INT_MAX), "16"),
    number!("port", None, Kind::Integer(0, 65535), port),
    fixed("io-threads", None, Kind::Integer(1, 128), "1"),
    kept("auto-aof-rewrite-percentage", None, Kind::Integer(0, INT_MAX), "100"),
    number!("cluster-replica-validity-factor", Some("cluster-slave-validity-factor"), Kind::Integer(0, INT_MAX), replica_validity_factor),
    kept("list-max-ziplist-size", None, Kind::Integer(INT_MIN, INT_MAX), "-2"),
    kept("tcp-keepalive", None, Kind::Integer(0, INT_MAX), "300"),
    number!("cluster-migration-barrier", None, Kind::Integer(0, INT_MAX), migration_barrier),
    kept("active-defrag-cycle-min", None, Kind::Integer(1, 99), "1"),
    kept("active-defrag-cycle-max", None, Kind::Integer(1, 99), "25"),
    kept("active-defrag-threshold-lower", None, Kind::Integer(0, 1000), "10"),
    kept("active-defrag-threshold-upper", None, Kind::Integer(0, 1000), "100"),
    kept("lfu-log-factor", None, Kind::Integer(0, INT_MAX), "10"),
    kept("lfu-decay-time", None, Kind::Integer(0, INT_MAX), "1"),
    number!("replica-priority", Some("slave-priority"), Kind::Integer(0, INT_MAX), replica_priority),
    number!("repl-diskless-sync-delay", None, Kind::Integer(0, INT_MAX), repl_diskless_sync_delay),
    kept("maxmemory-samples", None, Kind::Integer(1, INT_MAX), "5"),
    kept("maxmemory-eviction-tenacity", None, Kind::Integer(0, 100), "10"),
    kept("timeout", None, Kind::Integer(0, INT_MAX), "0"),
    kept("replica-announce-port", Some("slave-announce-port"), Kind::Integer(0, 65535), "0"),
    fixed("tcp-backlog", None, Kind::Integer(0, INT_MAX), "511"),
    number!("cluster-announce-bus-port", None, Kind::Integer(0, 65535), announce_bus_port),
    number!("cluster-announce-port", None, Kind::Integer(0, 65535), announce_port),
    kept("cluster-announce-tls-port", None, Kind::Integer(0, 65535), "0"),
    number!("repl-timeout", None, Kind::Integer(1, INT_MAX), repl_timeout),
    number!("repl-ping-replica-period", Some("repl-ping-slave-period"), Kind::Integer(1, INT_MAX), repl_ping_replica_period),
    kept("list-compress-depth", None, Kind::Integer(0, INT_MAX), "0"),
    number!("rdb-key-save-delay", None, Kind::Integer(INT_MIN, INT_MAX), rdb_key_save_delay),
    number!("key-load-delay", None, Kind::Integer(INT_MIN, INT_MAX), key_load_delay),
    kept("active-expire-effort", None, Kind::Integer(1, 10), "1"),
    HZ,
    number!("min-replicas-to-write", Some("min-slaves-to-write"), Kind::Integer(0, INT_MAX), min_replicas_to_write),
    number!("min-replicas-max-lag", Some("min-slaves-max-lag"), Kind::Integer(0, INT_MAX), min_replicas_max_lag),
    number!("maxclients", None, Kind::Integer(1, UINT_MAX), maxclients),
    kept("active-defrag-max-scan-fields", None, Kind::Integer(1, MAX), "1000"),
    number!("slowlog-max-len", None, Kind::Integer(0, MAX), slowlog_max_len),
    kept("acllog-max-len", None, Kind::Integer(0, MAX), "128"),
    kept("lua-time-limit", None, Kind::Integer(0, MAX), "5000"),
    number!("cluster-node-timeout", None, Kind::Integer(0, MAX), node_timeout.0),
    number!("slowlog-log-slower-than", None, Kind::Integer(-1, MAX), slowlog_log_slower_than),
    kept("latency-monitor-threshold", None, Kind::Integer(0, MAX), "0"),
    kept("proto-max-bulk-len", None, Kind::Bytes(1 << 20, MAX), "536870912"),
    kept("stream-node-max-entries", None, Kind::Integer(0, MAX), "100"),
    number!("repl-backlog-size", None, Kind::Bytes(1, MAX), repl_backlog_size),
    kept("maxmemory", None, Kind::Bytes(0, MAX), "0"),
    kept("hash-max-ziplist-entries", None, Kind::Integer(0, MAX), "512"),
    kept("set-max-intset-entries", None, Kind::Integer(0, MAX), "512"),
    kept("zset-max-ziplist-entries", None, Kind::Integer(0, MAX), "128"),
    kept("active-defrag-ignore-bytes", None, Kind::Bytes(1, MAX), "104857600"),
    kept("hash-max-ziplist-value", None, Kind::Bytes(0, MAX), "64"),
    kept("stream-node-max-bytes", None, Kind::Bytes(0, MAX), "4096"),
    kept("zset-max-ziplist-value", None, Kind::Bytes(0, MAX), "64"),
    kept("hll-sparse-max-bytes", None, Kind::Bytes(0, MAX), "3000"),
    kept("tracking-table-max-keys", None, Kind::Integer(0, MAX), "1000000"),
    kept("client-query-buffer-limit", None, Kind::Bytes(1 << 20, MAX), "1073741824"),
    number!("repl-backlog-ttl", None, Kind::Integer(0, MAX), repl_backlog_ttl),
    kept("auto-aof-rewrite-min-size", None, Kind::Bytes(0, MAX), "67108864"),
    fixed("logfile", None, Kind::Text, ""),
    kept("watchdog-period", None, Kind::Integer(0, INT_MAX), "0"),
    kept("dir", None, Kind::Directory, "/data"),
    SAVE,
    OUTPUT_LIMITS,
    fixed("unixsocketperm", None, Kind::Text, "0"),
    fixed("replicaof", Some("slaveof"), Kind::NoMaster, ""),
    kept("notify-keyspace-events", None, Kind::Events, ""),
    kept("bind", None, Kind::Text, ""),
    kept("oom-score-adj-values", None, Kind::Text, "0 200 800"),
    CONFIG_FILE,
];
