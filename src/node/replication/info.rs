//! What INFO and ROLE say about replication (A.1, A.2).

use std::fmt::Write as _;

use crate::node::Node;
use crate::node::info::percentage;
use crate::node::replication::upstream::Upstream;
use crate::resp::Reply;

impl Node {
    /// The lines of INFO's section `Replication`, without its title (A.2).
    pub(crate) fn replication_info(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            let _ = write!(text, "{name}:{value}\r\n");
        };
        line("role", &if self.replication.master.is_some() { "slave" } else { "master" });
        if self.replication.master.is_some() {
            self.upstream_info(&mut line);
        }
        self.downstream_info(&mut line);
        self.history_info(&mut line);
        text
    }

    fn upstream_info(&self, line: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        let replication = &self.replication;
        let Some(master) = replication.master else { return };
        let upstream = &replication.upstream;
        let connected = upstream.is_connected();
        let silence = if connected { replication.silence(self.unix_now()) } else { -1 };
        line("master_host", &master.ip_text());
        line("master_port", &master.port);
        line("master_link_status", &if connected { "up" } else { "down" });
        line("master_last_io_seconds_ago", &silence);
        let transfers = matches!(upstream, Upstream::Transfer { .. });
        line("master_sync_in_progress", &u8::from(transfers));
        line("slave_repl_offset", &replication.processed_offset());
        if let Upstream::Transfer { size, read, last_io, .. } = *upstream {
            let total = size.map_or(-1, |bytes| bytes as i64);
            line("master_sync_total_bytes", &total);
            line("master_sync_read_bytes", &read);
            line("master_sync_left_bytes", &(total - read as i64));
            let share = match size {
                // Nothing of an unknown size, which is shown as -1.
                None => "-0.00".to_owned(),
                Some(size) => percentage(read, size),
            };
            line("master_sync_perc", &share);
            line("master_sync_last_io_seconds_ago", &(self.unix_now() - last_io));
        }
        if !connected {
            let down = match replication.down_since {
                0 => -1,
                since => self.unix_now() - since,
            };
            line("master_link_down_since_seconds", &down);
        }
        line("slave_priority", &self.config.replica_priority);
        line("slave_read_only", &u8::from(self.config.replica_read_only));
        line("replica_announced", &1);
    }

    fn downstream_info(&self, line: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        let replication = &self.replication;
        line("connected_slaves", &replication.replicas.len());
        if self.config.min_replicas_to_write > 0 && self.config.min_replicas_max_lag > 0 {
            line("min_slaves_good_slaves", &replication.good_replicas);
        }
        for (number, replica) in replication.replicas.iter().enumerate() {
            let online = replica.stage.is_online();
            let lag = if online { self.unix_now() - replica.ack_time } else { 0 };
            let text = format!(
                "ip={},port={},state={},offset={},lag={lag}",
                replica.ip,
                replica.port,
                replica.stage.name(),
                replica.acknowledged,
            );
            line(&format!("slave{number}"), &text);
        }
    }

    fn history_info(&self, line: &mut dyn FnMut(&str, &dyn std::fmt::Display)) {
        let history = &self.replication.history;
        line("master_failover_state", &"no-failover");
        line("master_replid", &history.id);
        line("master_replid2", &history.former_text());
        line("master_repl_offset", &history.offset);
        line("second_repl_offset", &history.former.map_or(-1, |(_, limit)| limit as i64));
        line("repl_backlog_active", &u8::from(history.backlog.is_some()));
        line("repl_backlog_size", &self.config.repl_backlog_size);
        let held = history.backlog.as_ref().map(|backlog| backlog.held());
        line("repl_backlog_first_byte_offset", &held.map_or(0, |_| history.first_byte()));
        line("repl_backlog_histlen", &held.unwrap_or(0));
    }

    /// The reply to ROLE.
    pub(crate) fn role_reply(&self) -> Reply {
        let replication = &self.replication;
        let Some(master) = replication.master else {
            let replicas = replication.online().map(|replica| {
                Reply::Array(vec![
                    Reply::bulk(replica.ip.to_string()),
                    Reply::bulk(replica.port.to_string()),
                    Reply::bulk(replica.acknowledged.to_string()),
                ])
            });
            let offset = Reply::Int(replication.history.offset as i64);
            return Reply::Array(vec![
                Reply::bulk("master"),
                offset,
                Reply::Array(replicas.collect()),
            ]);
        };
        let (state, known) = match replication.upstream {
            Upstream::Idle => ("none", -1),
            Upstream::Waiting => ("connect", -1),
            Upstream::Connecting { .. } => ("connecting", -1),
            Upstream::Handshake { .. } => ("handshake", -1),
            Upstream::Transfer { .. } => ("sync", -1),
            Upstream::Connected { known, .. } => ("connected", known.offset as i64),
        };
        Reply::Array(vec![
            Reply::bulk("slave"),
            Reply::bulk(master.ip_text()),
            Reply::Int(i64::from(master.port)),
            Reply::bulk(state),
            Reply::Int(known),
        ])
    }
}
