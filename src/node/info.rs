//! INFO: what a server tells of itself, section by section.
//!
//! Names and order are those of 6.2.3. What a virtual process does not have (memory, processor time)
//! has fixed plausible values, so that tools find what they look for.

use std::fmt::{self, Write as _};

use crate::node::Node;
use crate::node::child::Task;
use crate::node::command::VERSION;
use crate::node::effect::Ctx;
use crate::node::text::written;

type Writer = fn(&mut String, &Node, &Ctx<'_>) -> fmt::Result;

/// The sections in order, and whether INFO shows them unasked.
const SECTIONS: [(&str, Writer, bool); 12] = [
    ("Server", server, true),
    ("Clients", clients, true),
    ("Memory", memory, true),
    ("Persistence", persistence, true),
    ("Stats", stats, true),
    ("Replication", replication, true),
    ("CPU", cpu, true),
    ("Modules", nothing, true),
    ("Commandstats", commands, false),
    ("Errorstats", errors, true),
    ("Cluster", cluster, true),
    ("Keyspace", keyspace, true),
];

/// The text of INFO for a section, or for `default`, `all` or `everything`.
#[must_use]
pub fn text(node: &Node, ctx: &Ctx<'_>, section: &str) -> String {
    let is = |name: &str| section.eq_ignore_ascii_case(name);
    let (all, default) = (is("all") || is("everything"), is("default"));
    written(|out| {
        for (name, write_section, shown) in SECTIONS {
            if is(name) || all || (default && shown) {
                let separator = if out.is_empty() { "" } else { "\r\n" };
                write!(out, "{separator}# {name}\r\n")?;
                write_section(out, node, ctx)?;
            }
        }
        Ok(())
    })
}

/// Writes `name:value` lines.
macro_rules! lines {
    ($out:expr, $($name:literal: $value:expr),+ $(,)?) => {{
        $(write!($out, concat!($name, ":{}\r\n"), $value)?;)+
        Ok(())
    }};
}

fn nothing(_: &mut String, _: &Node, _: &Ctx<'_>) -> fmt::Result {
    Ok(())
}

fn server(out: &mut String, node: &Node, ctx: &Ctx<'_>) -> fmt::Result {
    let uptime = ctx.now.secs() - node.process.started.0 / 1_000;
    lines!(out,
        "redis_version": VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": "0",
        "redis_mode": node.config.mode.word(),
        "os": "Linux 5.4.0 x86_64",
        "arch_bits": 64,
        "multiplexing_api": "epoll",
        "atomicvar_api": "atomic-builtin",
        "gcc_version": "9.3.0",
        "process_id": node.process.pid,
        "process_supervised": "no",
        "run_id": node.server.run_id,
        "tcp_port": node.config.port,
        "server_time_usec": ctx.now.0,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime / 86_400,
        "hz": node.config.hz,
        "configured_hz": node.config.hz,
        "lru_clock": ctx.now.secs() & 0xff_ffff,
        "executable": "/usr/local/bin/redis-server",
        "config_file": "/data/redis.conf",
        "io_threads_active": 0,
    )
}

fn clients(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    lines!(out,
        "connected_clients": node.connected_clients(),
        "cluster_connections": node.cluster_connections(),
        "maxclients": node.config.maxclients,
        "client_recent_max_input_buffer": 24,
        "client_recent_max_output_buffer": 0,
        "blocked_clients": node.clients.waiting.len(),
        "tracking_clients": 0,
        "clients_in_timeout_table": 0,
    )
}

fn memory(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    lines!(out,
        "used_memory": 2_624_000,
        "used_memory_human": "2.50M",
        "used_memory_rss": 9_961_472,
        "used_memory_rss_human": "9.50M",
        "used_memory_peak": 2_705_000,
        "used_memory_peak_human": "2.58M",
        "maxmemory": node.config.get("maxmemory").unwrap_or_default(),
        "maxmemory_policy": node.config.get("maxmemory-policy").unwrap_or_default(),
        "mem_fragmentation_ratio": "3.80",
        "mem_allocator": "jemalloc-5.1.0",
        "active_defrag_running": 0,
        "lazyfree_pending_objects": 0,
        "lazyfreed_objects": 0,
    )
}

fn persistence(out: &mut String, node: &Node, ctx: &Ctx<'_>) -> fmt::Result {
    let storage = &node.server.storage;
    let passed = |since: Option<i64>| since.map(|since| ctx.now.secs() - since);
    let seconds = |span: Option<i64>| span.unwrap_or(-1);
    write!(
        out,
        "loading:{}\r\ncurrent_cow_size:0\r\ncurrent_cow_size_age:0\r\n",
        u8::from(node.is_loading())
    )?;
    write!(out, "current_fork_perc:0.00\r\ncurrent_save_keys_processed:0\r\n")?;
    write!(out, "current_save_keys_total:0\r\n")?;
    write!(out, "rdb_changes_since_last_save:{}\r\n", storage.dirty)?;
    write!(out, "rdb_bgsave_in_progress:{}\r\n", u8::from(storage.is_saving()))?;
    write!(out, "rdb_last_save_time:{}\r\n", storage.last_save)?;
    write!(out, "rdb_last_bgsave_status:ok\r\n")?;
    write!(out, "rdb_last_bgsave_time_sec:{}\r\n", seconds(storage.last_duration))?;
    write!(out, "rdb_current_bgsave_time_sec:{}\r\n", seconds(passed(storage.saving_since())))?;
    write!(out, "rdb_last_cow_size:0\r\n")?;
    let rewrite = passed(storage.running(Task::Rewrite));
    lines!(out,
        "aof_enabled": u8::from(node.config.appendonly),
        "aof_rewrite_in_progress": u8::from(rewrite.is_some()),
        "aof_rewrite_scheduled": u8::from(storage.rewrite_scheduled),
        "aof_last_rewrite_time_sec": seconds(storage.last_rewrite_duration),
        "aof_current_rewrite_time_sec": seconds(rewrite),
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    )?;
    match &node.loading {
        Some(loading) => out.write_str(&loading.info(ctx.now.secs())),
        None => Ok(()),
    }
}

/// How many hundredths this is of a whole, with two digits after the point.
pub(crate) fn percentage(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.00".to_owned();
    }
    let share = (u128::from(part) * 10_000 + u128::from(whole) / 2) / u128::from(whole);
    format!("{}.{:02}", share / 100, share % 100)
}

fn stats(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    let stats = &node.server.stats;
    let subscriptions = &node.clients.subscriptions;
    write!(out, "total_connections_received:{}\r\n", stats.connections)?;
    write!(out, "total_commands_processed:{}\r\n", stats.commands)?;
    write!(out, "instantaneous_ops_per_sec:0\r\ntotal_net_input_bytes:0\r\n")?;
    write!(out, "total_net_output_bytes:0\r\ninstantaneous_input_kbps:0.00\r\n")?;
    write!(out, "instantaneous_output_kbps:0.00\r\n")?;
    write!(out, "rejected_connections:{}\r\n", stats.refused_connections)?;
    write!(out, "sync_full:{}\r\n", stats.sync_full)?;
    write!(out, "sync_partial_ok:{}\r\n", stats.sync_partial)?;
    write!(out, "sync_partial_err:{}\r\n", stats.sync_refused)?;
    write!(out, "expired_keys:{}\r\n", stats.expired)?;
    write!(out, "expired_stale_perc:0.00\r\nexpired_time_cap_reached_count:0\r\n")?;
    write!(out, "expire_cycle_cpu_milliseconds:0\r\nevicted_keys:0\r\n")?;
    write!(out, "keyspace_hits:{}\r\nkeyspace_misses:{}\r\n", stats.hits, stats.misses)?;
    write!(out, "pubsub_channels:{}\r\n", subscriptions.channels.len())?;
    write!(out, "pubsub_patterns:{}\r\n", subscriptions.patterns.len())?;
    write!(out, "latest_fork_usec:0\r\ntotal_forks:{}\r\n", stats.forks)?;
    write!(out, "migrate_cached_sockets:0\r\nslave_expires_tracked_keys:0\r\n")?;
    write!(out, "active_defrag_hits:0\r\nactive_defrag_misses:0\r\n")?;
    write!(out, "active_defrag_key_hits:0\r\nactive_defrag_key_misses:0\r\n")?;
    write!(out, "tracking_total_keys:0\r\ntracking_total_items:0\r\n")?;
    write!(out, "tracking_total_prefixes:0\r\nunexpected_error_replies:0\r\n")?;
    write!(out, "total_error_replies:{}\r\n", stats.errors.values().sum::<u64>())?;
    write!(out, "dump_payload_sanitizations:0\r\n")?;
    lines!(out,
        "total_reads_processed": stats.commands,
        "total_writes_processed": stats.commands,
        "io_threaded_reads_processed": 0,
        "io_threaded_writes_processed": 0,
    )
}

fn replication(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    out.push_str(&node.replication_info());
    Ok(())
}

fn cpu(out: &mut String, _: &Node, _: &Ctx<'_>) -> fmt::Result {
    lines!(out,
        "used_cpu_sys": "0.000000",
        "used_cpu_user": "0.000000",
        "used_cpu_sys_children": "0.000000",
        "used_cpu_user_children": "0.000000",
        "used_cpu_sys_main_thread": "0.000000",
        "used_cpu_user_main_thread": "0.000000",
    )
}

/// Commands take no time of the processor here.
fn commands(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    node.server.stats.of_commands().try_for_each(|(name, stats)| {
        write!(out, "cmdstat_{name}:calls={},usec=0,usec_per_call=0.00,", stats.calls)?;
        write!(out, "rejected_calls={},failed_calls={}\r\n", stats.rejected, stats.failed)
    })
}

fn errors(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    node.server
        .stats
        .errors
        .iter()
        .try_for_each(|(code, count)| write!(out, "errorstat_{code}:count={count}\r\n"))
}

fn cluster(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    lines!(out, "cluster_enabled": u8::from(node.in_cluster_mode()))
}

fn keyspace(out: &mut String, node: &Node, _: &Ctx<'_>) -> fmt::Result {
    let keys = &node.keys;
    if keys.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "db0:keys={},expires={},avg_ttl={}\r\n",
        keys.len(),
        keys.expiring(),
        node.server.storage.mean_ttl
    )
}

#[cfg(test)]
mod tests {
    use crate::node::lab::{Lab, endpoint};
    use crate::resp::Reply;

    /// What INFO says of one thing.
    fn info(lab: &mut Lab, node: usize, name: &str) -> String {
        let Reply::Bulk(text) = lab.ask(node, "INFO everything") else { panic!("a text") };
        let text = String::from_utf8(text).unwrap();
        let mut values = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        values.next().unwrap_or_default().to_owned()
    }

    fn calls(carried_out: u32, rejected: u32, failed: u32) -> String {
        format!(
            "calls={carried_out},usec=0,usec_per_call=0.00,rejected_calls={rejected},failed_calls={failed}"
        )
    }

    #[test]
    fn commandstats_tell_refused_from_failed_commands() {
        let mut lab = Lab::formed(3, 0, 2_000);
        lab.run(3_000);
        for words in ["SET {b} v", "GET {b}", "GET {a}", "GET", "LPUSH {b} v", "MULTI", "INCR {b}"]
        {
            lab.ask(0, words);
        }
        lab.ask(0, "EXEC");
        for (name, expected) in [
            ("get", calls(1, 2, 0)),
            ("lpush", calls(1, 0, 1)),
            ("incr", calls(1, 0, 1)),
            ("exec", calls(1, 0, 0)),
            ("multi", calls(1, 0, 0)),
            ("del", String::new()),
        ] {
            assert_eq!(info(&mut lab, 0, &format!("cmdstat_{name}")), expected, "{name}");
        }
        lab.ask(0, "CONFIG RESETSTAT");
        assert_eq!(info(&mut lab, 0, "cmdstat_get"), "");
        assert_eq!(info(&mut lab, 0, "total_connections_received"), "0");
    }

    #[test]
    fn what_replicas_and_masters_say_counts_as_commands_0_3_2() {
        let mut lab = Lab::formed(3, 0, 2_000);
        lab.run(3_000);
        lab.act(1, |node, ctx| node.follow(ctx, endpoint(0)));
        lab.run(1_500);
        assert_eq!(info(&mut lab, 0, "cmdstat_ping"), calls(1, 0, 0), "the handshake");
        assert_eq!(info(&mut lab, 0, "cmdstat_psync"), calls(1, 0, 0));
        assert_eq!(info(&mut lab, 0, "total_connections_received"), "2");
        for node in [0, 1] {
            lab.ask(node, "CONFIG RESETSTAT");
        }
        lab.run(20_000);
        let told = (info(&mut lab, 0, "cmdstat_replconf"), info(&mut lab, 1, "cmdstat_ping"));
        assert_eq!(told, (calls(20, 0, 0), calls(2, 0, 0)));
        lab.ask(0, "SET {b} v");
        let now = lab.now.millis();
        assert_eq!(lab.node(1).process.cached_time, now, "set by the master's command");
    }

    #[test]
    fn looking_where_a_migrating_slot_is_counts_hits_and_misses_11_3() {
        let mut lab = Lab::formed(3, 0, 2_000);
        lab.run(3_000);
        lab.ask(0, "SET {b} v");
        lab.ask(0, &format!("CLUSTER SETSLOT 3300 MIGRATING {}", crate::node::lab::id(1)));
        lab.ask(0, "GET {b}x");
        lab.ask(0, "MGET {b}x {b}y");
        assert_eq!(info(&mut lab, 0, "keyspace_misses"), "3");
        lab.ask(0, "GET {b}");
        assert_eq!(info(&mut lab, 0, "keyspace_hits"), "2", "found twice");
    }
}
