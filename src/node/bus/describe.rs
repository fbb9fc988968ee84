//! The bus in words: CLUSTER NODES and CLUSTER INFO (§10.1, §10.2).

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::net::IpAddr;

use crate::id::{Ids, NodeId};
use crate::node::bus::Bus;
use crate::node::flags::Flags;
use crate::node::packet::{Epoch, MessageType};
use crate::node::table::PeerIx;
use crate::node::text::{push_number, written, written_behind};
use crate::slot::{Slot, SlotSet};

/// Few lines of CLUSTER NODES are longer.
const LINE_BYTES: usize = 160;

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
        written(|out| self.write_line(out, ids, ix))
    }

    /// The lines of CLUSTER NODES, each with its newline (§10.2).
    #[must_use]
    pub fn nodes_text(&self, ids: &Ids, skip_handshake: bool) -> String {
        let hidden = |ix| skip_handshake && self.table.flags(ix).any(Flags::HANDSHAKE);
        let mut shown = self.table.order().iter().filter(|&&ix| !hidden(ix));
        let room = String::with_capacity(LINE_BYTES * (self.table.len() + 1));
        written_behind(room, |out| {
            shown.try_for_each(|&ix| {
                self.write_line(out, ids, ix)?;
                out.write_char('\n')
            })
        })
    }

    fn write_line(&self, out: &mut String, ids: &Ids, ix: PeerIx) -> fmt::Result {
        let (table, peer) = (&self.table, self.table.peer(ix));
        let at = ids.endpoint(table.endpoint(ix));
        self.id_of(ids, ix).write_to(out)?;
        out.push(' ');
        if let Some(ip) = at.ip {
            write_ip(out, ip)?;
        }
        out.push(':');
        push_number(out, at.port);
        out.push('@');
        push_number(out, at.cport);
        out.push(' ');
        table.flags(ix).write_to(out)?;
        out.push(' ');
        match peer.replica_of() {
            Some(master) => self.id_of(ids, master).write_to(out)?,
            None => out.push('-'),
        }
        for time in [table.ping_sent(ix), table.pong_received(ix)] {
            out.push(' ');
            push_number(out, time.0);
        }
        out.push(' ');
        push_number(out, self.shown_epoch(ix).0);
        let connected = table.link(ix).is_some() || ix == self.myself;
        out.push_str(if connected { " connected" } else { " disconnected" });
        if peer.slot_count > 0 {
            write_slots(out, &peer.slots);
        }
        if ix == self.myself { self.write_open_slots(out, ids) } else { Ok(()) }
    }

    /// A replica shows its master's epoch (§10.2).
    fn shown_epoch(&self, ix: PeerIx) -> Epoch {
        self.table.peer(self.slot_speaker(ix).unwrap_or(ix)).config_epoch
    }

    fn write_open_slots(&self, out: &mut String, ids: &Ids) -> fmt::Result {
        let (migrating, importing) = (&self.slots.migrating, &self.slots.importing);
        let open: BTreeSet<Slot> = migrating.keys().chain(importing.keys()).copied().collect();
        for slot in open {
            if let Some(&to) = migrating.get(&slot) {
                write!(out, " [{slot}->-{}]", self.id_of(ids, to))?;
            } else if let Some(&from) = importing.get(&slot) {
                write!(out, " [{slot}-<-{}]", self.id_of(ids, from))?;
            }
        }
        Ok(())
    }

    /// The text of CLUSTER INFO (§10.1).
    #[must_use]
    pub fn info_text(&self) -> String {
        written(|out| self.write_info(out))
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

fn write_ip(out: &mut String, ip: IpAddr) -> fmt::Result {
    // What every line has is not left to the formatter.
    let IpAddr::V4(ip) = ip else { return write!(out, "{ip}") };
    let [first, rest @ ..] = ip.octets();
    push_number(out, first);
    for octet in rest {
        out.push('.');
        push_number(out, octet);
    }
    Ok(())
}

/// Slots in runs (§10.2).
fn write_slots(out: &mut String, slots: &SlotSet) {
    for (first, last) in slots.runs() {
        out.push(' ');
        push_number(out, first.number());
        if last != first {
            out.push('-');
            push_number(out, last.number());
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{Lab, id, slot};
    use crate::time::Millis;

    #[test]
    fn a_line_says_everything_10_2() {
        let mut lab = Lab::formed(3, 1, 15_000);
        let peer = lab.peer(0, 1);
        lab.node(0).bus.table.set_ping_sent(peer, Millis(1_622_092_214_001));
        lab.node(0).bus.table.set_pong_received(peer, Millis(1_622_092_214_158));
        let expected = format!(
            "{} 10.0.0.2:7000@17000 master - 1622092214001 1622092214158 2 disconnected 5461-10921",
            id(1)
        );
        assert_eq!(lab.line(0, 1), expected);
        let mine = lab.line(0, 0);
        assert!(mine.contains(" myself,master - 0 "), "{mine}");
        assert!(mine.ends_with(" 1 connected 0-5460"), "{mine}");
    }

    #[test]
    fn addresses_are_spelled_as_everywhere_else_10_2() {
        for text in ["0.0.0.0", "127.0.0.1", "10.20.255.9", "::1", "2001:db8::7"] {
            assert_eq!(written(|out| write_ip(out, text.parse().unwrap())), text);
        }
    }

    #[test]
    fn a_replica_shows_its_masters_id_and_epoch_10_2() {
        let mut lab = Lab::formed(3, 1, 15_000);
        let (replica, master) = (lab.peer(0, 3), lab.peer(0, 0));
        lab.node(0).bus.table.peer_mut(master).config_epoch = Epoch(33);
        lab.node(0).bus.table.peer_mut(replica).config_epoch = Epoch(7);
        let line = lab.line(0, 3);
        assert!(line.contains(&format!(" slave {} 0 ", id(0))), "{line}");
        assert!(line.ends_with(" 33 disconnected"), "{line}");
    }

    #[test]
    fn slots_are_told_in_runs_and_open_ones_last_10_2() {
        let mut lab = Lab::alone(2);
        let me = lab.peer(0, 0);
        let other = lab.peer(1, 1);
        let bus = &mut lab.node(0).bus;
        for number in [7, 1, 2, 3, 9, 10] {
            bus.add_slot(slot(number), me);
        }
        bus.slots.migrating.insert(slot(7), me);
        bus.slots.importing.insert(slot(7), me);
        bus.slots.importing.insert(slot(5), me);
        let line = lab.line(0, 0);
        let open = format!(" 1-3 7 9-10 [5-<-{0}] [7->-{0}]", id(0));
        assert!(line.ends_with(&open), "{line}");
        assert_eq!(other, me, "each is the first in its own table");
    }

    #[test]
    fn strangers_are_listed_but_not_saved_10_2() {
        let mut lab = Lab::alone(1);
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, crate::node::lab::endpoint(1)));
        let node = lab.nodes[0].as_ref().unwrap();
        assert_eq!(node.bus.nodes_text(&lab.ids, false).lines().count(), 2);
        assert_eq!(node.bus.nodes_text(&lab.ids, true).lines().count(), 1);
    }

    #[test]
    fn info_counts_slots_by_their_owners_condition_10_1() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.run(3_000);
        let (failing, suspected) = (lab.peer(0, 1), lab.peer(0, 2));
        let bus = &mut lab.node(0).bus;
        bus.table.set_flags(failing, Flags::FAIL);
        bus.table.set_flags(suspected, Flags::PFAIL);
        bus.del_slot(slot(0));
        (bus.sent, bus.received) = ([0; 10], [0; 10]);
        bus.sent[0] = 7;
        bus.sent[3] = 1;
        assert_eq!(
            bus.info_text(),
            "cluster_state:ok\r\n\
             cluster_slots_assigned:16383\r\n\
             cluster_slots_ok:5460\r\n\
             cluster_slots_pfail:5462\r\n\
             cluster_slots_fail:5461\r\n\
             cluster_known_nodes:4\r\n\
             cluster_size:3\r\n\
             cluster_current_epoch:3\r\n\
             cluster_my_epoch:1\r\n\
             cluster_stats_messages_ping_sent:7\r\n\
             cluster_stats_messages_fail_sent:1\r\n\
             cluster_stats_messages_sent:8\r\n\
             cluster_stats_messages_received:0\r\n"
        );
    }

    #[test]
    fn a_replicas_own_epoch_is_its_masters_10_1() {
        let mut lab = Lab::formed(3, 1, 15_000);
        let master = lab.peer(3, 0);
        lab.node(3).bus.table.peer_mut(master).config_epoch = Epoch(12);
        assert!(lab.node(3).bus.info_text().contains("cluster_my_epoch:12\r\n"));
    }
}
