//! The bus in words: CLUSTER NODES and CLUSTER INFO (§10.1, §10.2).

use std::fmt::{self, Write};

use crate::id::{Ids, NodeId};
use crate::node::bus::Bus;
use crate::node::flags::Flags;
use crate::node::packet::{Epoch, MessageType};
use crate::node::table::PeerIx;
use crate::slot::Slot;

/// How many slots are in which condition (§10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct SlotCounts {
    ok: u32,
    pfail: u32,
    fail: u32,
}

impl Bus {
    /// A node's id.
    #[must_use]
    pub fn id_of(&self, ids: &Ids, ix: PeerIx) -> NodeId {
        ids.id(self.table.node(ix))
    }

    /// One node's line of CLUSTER NODES, without the newline (§10.2).
    #[must_use]
    pub fn node_line(&self, ids: &Ids, ix: PeerIx) -> String {
        let mut line = String::new();
        self.write_line(&mut line, ids, ix).expect("a string takes any text");
        line
    }

    /// The lines of CLUSTER NODES, each with its newline (§10.2).
    #[must_use]
    pub fn nodes_text(&self, ids: &Ids, skip_handshake: bool) -> String {
        let mut text = String::with_capacity(160 * self.table.len());
        for &ix in self.table.order() {
            if !(skip_handshake && self.table.flags(ix).any(Flags::HANDSHAKE)) {
                self.write_line(&mut text, ids, ix).expect("a string takes any text");
                text.push('\n');
            }
        }
        text
    }

    fn write_line(&self, out: &mut String, ids: &Ids, ix: PeerIx) -> fmt::Result {
        let (table, peer) = (&self.table, self.table.peer(ix));
        let at = ids.endpoint(table.endpoint(ix));
        write!(out, "{} ", self.id_of(ids, ix))?;
        if let Some(ip) = at.ip {
            write!(out, "{ip}")?;
        }
        write!(out, ":{}@{} {} ", at.port, at.cport, table.flags(ix))?;
        match peer.replica_of() {
            Some(master) => write!(out, "{}", self.id_of(ids, master))?,
            None => out.push('-'),
        }
        let epoch = self.shown_epoch(ix);
        write!(out, " {} {} {epoch} ", table.ping_sent(ix), table.pong_received(ix))?;
        let connected = table.link(ix).is_some() || ix == self.myself;
        out.push_str(if connected { "connected" } else { "disconnected" });
        for (first, last) in peer.slots.runs() {
            match first == last {
                true => write!(out, " {first}")?,
                false => write!(out, " {first}-{last}")?,
            }
        }
        if ix == self.myself { self.write_open_slots(out, ids) } else { Ok(()) }
    }

    /// A replica shows its master's epoch (§10.2).
    fn shown_epoch(&self, ix: PeerIx) -> Epoch {
        let master = self.table.peer(ix).replica_of().filter(|_| self.table.flags(ix).is_replica());
        self.table.peer(master.unwrap_or(ix)).config_epoch
    }

    fn write_open_slots(&self, out: &mut String, ids: &Ids) -> fmt::Result {
        if self.slots.migrating.is_empty() && self.slots.importing.is_empty() {
            return Ok(());
        }
        for slot in Slot::all() {
            if let Some(&to) = self.slots.migrating.get(&slot) {
                write!(out, " [{slot}->-{}]", self.id_of(ids, to))?;
            } else if let Some(&from) = self.slots.importing.get(&slot) {
                write!(out, " [{slot}-<-{}]", self.id_of(ids, from))?;
            }
        }
        Ok(())
    }

    /// The text of CLUSTER INFO (§10.1).
    #[must_use]
    pub fn info_text(&self) -> String {
        let mut text = String::new();
        self.write_info(&mut text).expect("a string takes any text");
        text
    }

    fn write_info(&self, out: &mut String) -> fmt::Result {
        let counts = self.slot_counts();
        let state = if self.state_ok { "ok" } else { "fail" };
        write!(out, "cluster_state:{state}\r\n")?;
        write!(out, "cluster_slots_assigned:{}\r\n", self.slots.assigned())?;
        write!(out, "cluster_slots_ok:{}\r\n", counts.ok)?;
        write!(out, "cluster_slots_pfail:{}\r\n", counts.pfail)?;
        write!(out, "cluster_slots_fail:{}\r\n", counts.fail)?;
        write!(out, "cluster_known_nodes:{}\r\n", self.table.len())?;
        write!(out, "cluster_size:{}\r\n", self.size)?;
        write!(out, "cluster_current_epoch:{}\r\n", self.current_epoch)?;
        write!(out, "cluster_my_epoch:{}\r\n", self.shown_epoch(self.myself))?;
        write_counters(out, "sent", &self.sent)?;
        write_counters(out, "received", &self.received)
    }

    fn slot_counts(&self) -> SlotCounts {
        let mut counts = SlotCounts::default();
        for &ix in self.table.order() {
            let flags = self.table.flags(ix);
            let count = u32::from(self.table.peer(ix).slot_count);
            if flags.any(Flags::FAIL) {
                counts.fail += count;
            } else if flags.any(Flags::PFAIL) {
                counts.pfail += count;
            } else {
                counts.ok += count;
            }
        }
        counts
    }
}

/// The counters of one direction: types that were never used are left out, the total never is
/// (§10.1).
fn write_counters(
    out: &mut String,
    way: &str,
    counters: &[u64; MessageType::COUNT],
) -> fmt::Result {
    for (kind, &count) in MessageType::ALL.iter().zip(counters) {
        if count > 0 {
            write!(out, "cluster_stats_messages_{}_{way}:{count}\r\n", kind.counter_name())?;
        }
    }
    write!(out, "cluster_stats_messages_{way}:{}\r\n", counters.iter().sum::<u64>())
}
