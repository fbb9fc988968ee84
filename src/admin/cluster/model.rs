//! What the tool remembers of a node, and how it reads `CLUSTER NODES` (cli §3.2, cli §3.3).
//!
//! A node's slots and open slots are believed only when the node itself tells of them.

use std::fmt;

use crate::admin::host::{Address, Connection};
use crate::admin::numbers::{atoi, strtol};
use crate::slot::{Slot, SlotSet};

/// A node id as text. The tool never looks inside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NodeName(String);

impl NodeName {
    pub(super) fn new(text: impl Into<String>) -> NodeName {
        NodeName(text.into())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The eight characters that stand for a node in a summary.
    pub(super) fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The flags that the tool acts on. Once set, they are never cleared (cli §3.2).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) noaddr: bool,
    pub(super) disconnected: bool,
    pub(super) fail: bool,
    pub(super) slave: bool,
}

/// A slot that is being moved, and the node at the other side.
#[derive(Debug, Clone)]
pub(super) struct OpenSlot {
    pub(super) slot: Slot,
    pub(super) other: NodeName,
}

/// A node of the cluster.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: NodeName,
    pub(super) address: Address,
    pub(super) connection: Option<Connection>,
    pub(super) flags: Flags,
    /// The words of the flags column.
    pub(super) flag_words: Vec<String>,
    /// Whom it replicates, or (during `create`) is to replicate.
    pub(super) master: Option<NodeName>,
    pub(super) config_epoch: u64,
    pub(super) slots: SlotSet,
    /// How many slots it had when it was loaded. Moving slots does not change this number.
    pub(super) slot_count: i32,
    pub(super) migrating: Vec<OpenSlot>,
    pub(super) importing: Vec<OpenSlot>,
    pub(super) replica_count: u32,
    /// `create` has plans for it that it was not told yet.
    pub(super) dirty: bool,
    pub(super) weight: f32,
    /// How many slots it has too many; negative: too few.
    pub(super) balance: i32,
}

impl Member {
    pub(super) fn new(address: Address) -> Member {
        Member {
            name: NodeName::default(),
            address,
            connection: None,
            flags: Flags::default(),
            flag_words: Vec::new(),
            master: None,
            config_epoch: 0,
            slots: SlotSet::default(),
            slot_count: 0,
            migrating: Vec::new(),
            importing: Vec::new(),
            replica_count: 0,
            dirty: false,
            weight: 1.0,
            balance: 0,
        }
    }

    /// Takes over what a line of `CLUSTER NODES` says of the node's identity and role.
    pub(super) fn apply_identity(&mut self, line: &NodesLine<'_>) {
        self.name = NodeName::new(line.name);
        self.flag_words = line.flags.split(',').map(str::to_owned).collect();
        for word in &self.flag_words {
            match word.as_str() {
                "noaddr" => self.flags.noaddr = true,
                "disconnected" => self.flags.disconnected = true,
                "fail" => self.flags.fail = true,
                "slave" => {
                    self.flags.slave = true;
                    self.master = Some(NodeName::new(line.master));
                }
                _ => {}
            }
        }
        self.config_epoch = strtol(line.config_epoch).0 as u64;
    }

    /// Takes over what a node's own line says of its slots.
    pub(super) fn apply_slots(&mut self, line: &NodesLine<'_>) {
        self.slots = SlotSet::default();
        self.slot_count = 0;
        for column in line.slots.split(' ').filter(|column| !column.is_empty()) {
            if let Some(open) = column.strip_prefix('[') {
                self.apply_open_slot(open.trim_end_matches(']'));
            } else {
                let (first, last) = column.split_once('-').unwrap_or((column, column));
                for number in atoi(first)..=atoi(last) {
                    self.slots.extend_one(number);
                    self.slot_count += 1;
                }
            }
        }
        self.dirty = false;
    }

    fn apply_open_slot(&mut self, text: &str) {
        let (list, parts) = match (text.split_once("->-"), text.split_once("-<-")) {
            (Some(parts), _) => (&mut self.migrating, parts),
            (None, Some(parts)) => (&mut self.importing, parts),
            (None, None) => return,
        };
        if let Some(slot) = slot_number(atoi(parts.0)) {
            list.push(OpenSlot { slot, other: NodeName::new(parts.1) });
        }
    }

    /// The slots as ranges: `[0-5460],[6000]` (cli §3.5).
    pub(super) fn slots_text(&self) -> String {
        ranges_text(&self.slots)
    }

    /// The flags without `myself`.
    pub(super) fn flags_text(&self) -> String {
        let words: Vec<&str> =
            self.flag_words.iter().map(String::as_str).filter(|&word| word != "myself").collect();
        words.join(",")
    }

    /// The lines that describe the node, without the last newline (cli §3.5).
    pub(super) fn describe(&self, indent: usize) -> String {
        let spaces = " ".repeat(indent);
        let Member { name, address, slot_count, .. } = self;
        if self.dirty
            && let Some(master) = &self.master
        {
            return format!("{spaces}S: {name} {address}\n{spaces}   replicates {master}");
        }
        let role = if self.flags.slave { 'S' } else { 'M' };
        let (slots, flags) = (self.slots_text(), self.flags_text());
        let mut text = format!(
            "{spaces}{role}: {name} {address}\n\
             {spaces}   slots:{slots} ({slot_count} slots) {flags}"
        );
        if let Some(master) = &self.master {
            text += &format!("\n{spaces}   replicates {master}");
        } else if self.replica_count > 0 {
            text += &format!("\n{spaces}   {} additional replica(s)", self.replica_count);
        }
        text
    }
}

/// Adding numbers to a set of slots that may be no slots.
trait ExtendOne {
    fn extend_one(&mut self, number: i32);
}

impl ExtendOne for SlotSet {
    fn extend_one(&mut self, number: i32) {
        if let Some(slot) = slot_number(number) {
            self.insert(slot);
        }
    }
}

/// The slot with this number, if there is one.
pub(super) fn slot_number(number: i32) -> Option<Slot> {
    u16::try_from(number).ok().and_then(Slot::new)
}

/// A set of slots as `[0-5460],[6000]` (cli §3.5).
pub(super) fn ranges_text(slots: &SlotSet) -> String {
    let ranges: Vec<String> = slots
        .runs()
        .map(
            |(first, last)| {
                if first == last { format!("[{first}]") } else { format!("[{first}-{last}]") }
            },
        )
        .collect();
    ranges.join(",")
}

/// A line of `CLUSTER NODES`.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodesLine<'a> {
    pub(super) name: &'a str,
    /// `ip:port@bus_port`
    pub(super) address: &'a str,
    pub(super) flags: &'a str,
    pub(super) master: &'a str,
    pub(super) config_epoch: &'a str,
    pub(super) link_state: &'a str,
    /// What follows: ranges of slots and open slots, separated by spaces.
    pub(super) slots: &'a str,
}

impl NodesLine<'_> {
    /// Whether a node tells of itself.
    pub(super) fn is_myself(&self) -> bool {
        self.flags.contains("myself")
    }
}

/// The complete lines of a `CLUSTER NODES` reply.
pub(super) fn nodes_lines(text: &str) -> impl Iterator<Item = NodesLine<'_>> {
    text.split_inclusive('\n').filter_map(|line| {
        let mut columns = line.strip_suffix('\n')?.splitn(9, ' ');
        let (name, address, flags) = (columns.next()?, columns.next()?, columns.next()?);
        let mut next = || columns.next().unwrap_or_default();
        let (master, _ping_sent, _pong_received) = (next(), next(), next());
        let (config_epoch, link_state, slots) = (next(), next(), next());
        Some(NodesLine { name, address, flags, master, config_epoch, link_state, slots })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "110c0352be94d74f10fe4ba4c95f25090564849b 127.0.0.1:7000@17000 \
        myself,master - 0 1622092213000 1 connected 0-9 12 [93->-d801] [77-<-e000]\n";

    fn member(line: &str) -> Member {
        let mut member = Member::new(Address::new("127.0.0.1", 7000));
        let line = nodes_lines(line).next().unwrap();
        member.apply_identity(&line);
        member.apply_slots(&line);
        member
    }

    #[test]
    fn a_node_is_printed_with_ranges_flags_and_replicas_3_5() {
        let mut member = member(LINE);
        assert_eq!(
            member.describe(0),
            "M: 110c0352be94d74f10fe4ba4c95f25090564849b 127.0.0.1:7000\n   \
             slots:[0-9],[12] (11 slots) master"
        );
        member.replica_count = 2;
        assert!(member.describe(4).ends_with("\n       2 additional replica(s)"));
        assert_eq!((member.migrating.len(), member.importing.len()), (1, 1));
        assert_eq!(member.importing[0].other.as_str(), "e000");
    }

    #[test]
    fn a_replica_is_printed_with_its_master_3_5() {
        let member = member("aa 127.0.0.1:7001@17001 myself,slave,nofailover bb 0 0 3 connected\n");
        assert_eq!(
            member.describe(0),
            "S: aa 127.0.0.1:7000\n   slots: (0 slots) slave,nofailover\n   replicates bb"
        );
        assert_eq!(member.config_epoch, 3);
    }

    #[test]
    fn flags_once_seen_are_never_cleared_3_2() {
        let mut member = member("aa :0@0 slave,fail bb 0 0 3 disconnected\n");
        member.apply_identity(&nodes_lines(LINE).next().unwrap());
        assert!(member.flags.slave && member.flags.fail);
        assert_eq!(member.master, Some(NodeName::new("bb")));
        assert_eq!(member.flags_text(), "master");
    }

    #[test]
    fn a_line_without_its_end_is_not_read_3_2() {
        assert_eq!(nodes_lines("aa :0@0 master").count(), 0);
    }
}
