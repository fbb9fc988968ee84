//! nodes.conf: what a process knew of the cluster when it last saved (§12).
//!
//! A [`NodesConf`] is what such a file says, without anything that depends on who reads it.

use std::str::FromStr;
use std::sync::Arc;

use crate::id::{Endpoint, NodeId};
use crate::node::flags::Flags;
use crate::node::packet::Epoch;
use crate::slot::{SLOTS, Slot, SlotSet};

/// What a nodes.conf says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodesConf {
    /// One entry for each line of a node, in order.
    pub entries: Vec<Entry>,
    /// `vars currentEpoch`
    pub current_epoch: Epoch,
    /// `vars lastVoteEpoch`
    pub last_vote_epoch: Epoch,
    /// Names of variables that nobody knows.
    pub unknown_vars: Vec<String>,
}

/// What a nodes.conf says of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: NodeId,
    /// Its address.
    pub endpoint: Endpoint,
    /// Its flags, as printed.
    pub flags: Flags,
    /// Its master.
    pub master: Option<NodeId>,
    /// Whether a ping was pending.
    pub ping_pending: bool,
    /// Whether it had ever answered.
    pub answered: bool,
    /// Its configEpoch.
    pub config_epoch: Epoch,
    /// Its slots.
    pub slots: Arc<SlotSet>,
    /// Slots that are given away, and to whom.
    pub migrating: Vec<(Slot, NodeId)>,
    /// Slots that are taken over, and from whom.
    pub importing: Vec<(Slot, NodeId)>,
}

/// Why a nodes.conf cannot be used (§12.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodesConfError {
    /// It is not in the format.
    #[error("Unrecoverable error: corrupted cluster config file.")]
    Corrupted,
    /// It contains a flag that does not exist, which makes Redis panic.
    #[error("Unknown flag in redis cluster config file")]
    UnknownFlag,
}

impl Entry {
    /// A member of a formed cluster: a master, or a replica of one (then with the master's epoch).
    #[must_use]
    pub fn member(
        id: NodeId,
        endpoint: Endpoint,
        master: Option<NodeId>,
        config_epoch: Epoch,
        slots: Arc<SlotSet>,
    ) -> Entry {
        Entry {
            id,
            endpoint,
            flags: if master.is_some() { Flags::REPLICA } else { Flags::MASTER },
            master,
            ping_pending: false,
            answered: true,
            config_epoch,
            slots,
            migrating: Vec::new(),
            importing: Vec::new(),
        }
    }

    fn parse(line: &str) -> Result<Entry, NodesConfError> {
        let mut words = line.split_ascii_whitespace();
        let mut word = || words.next().ok_or(NodesConfError::Corrupted);
        let mut entry = Entry::member(
            parse_word(word()?)?,
            parse_endpoint(word()?)?,
            None,
            Epoch(0),
            Arc::default(),
        );
        entry.flags = parse_flags(word()?)?;
        let master = word()?;
        entry.master = (!master.starts_with('-')).then(|| parse_word(master)).transpose()?;
        entry.ping_pending = leading_number(word()?) != 0;
        entry.answered = leading_number(word()?) != 0;
        entry.config_epoch = Epoch(leading_number(word()?));
        let _link_state = word()?;
        let mut slots = SlotSet::default();
        for word in words {
            entry.parse_slots(word, &mut slots)?;
        }
        entry.slots = Arc::new(slots);
        Ok(entry)
    }

    /// A run of slots, a single one, or an open one in brackets.
    fn parse_slots(&mut self, word: &str, slots: &mut SlotSet) -> Result<(), NodesConfError> {
        if let Some(open) = word.strip_prefix('[') {
            let (number, rest) = open.split_once('-').ok_or(NodesConfError::Corrupted)?;
            let slot = parse_slot(number)?;
            let node = rest.get(2..42).ok_or(NodesConfError::Corrupted)?;
            let list =
                if rest.starts_with('>') { &mut self.migrating } else { &mut self.importing };
            list.push((slot, parse_word(node)?));
            return Ok(());
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (parse_slot(first)?, parse_slot(last)?);
        slots.insert_run(first, last);
        Ok(())
    }
}

impl NodesConf {
    /// Reads the text of a nodes.conf (§12.3). Text after a line that breaks the format is not read.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub fn parse(text: &str) -> Result<NodesConf, NodesConfError> {
        let mut conf = NodesConf::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match line.split_ascii_whitespace().next() {
                None => return Err(NodesConfError::Corrupted),
                Some(word) if word.eq_ignore_ascii_case("vars") => conf.parse_vars(line)?,
                Some(_) => conf.entries.push(Entry::parse(line)?),
            }
        }
        Ok(conf)
    }

    fn parse_vars(&mut self, line: &str) -> Result<(), NodesConfError> {
        let words: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(NodesConfError::Corrupted) };
            if name.eq_ignore_ascii_case("currentEpoch") {
                self.current_epoch = Epoch(leading_number(value));
            } else if name.eq_ignore_ascii_case("lastVoteEpoch") {
                self.last_vote_epoch = Epoch(leading_number(value));
            } else {
                self.unknown_vars.push((*name).to_owned());
            }
        }
        Ok(())
    }
}

fn parse_word<T: FromStr>(word: &str) -> Result<T, NodesConfError> {
    word.parse().map_err(|_| NodesConfError::Corrupted)
}

/// `<ip>:<port>[@<cport>]`; the address may be empty, or hold colons itself.
fn parse_endpoint(word: &str) -> Result<Endpoint, NodesConfError> {
    let (ip, ports) = word.rsplit_once(':').ok_or(NodesConfError::Corrupted)?;
    let ip = if ip.is_empty() { None } else { Some(parse_word(ip)?) };
    let (port, cport) = match ports.split_once('@') {
        Some((port, cport)) => (leading_number(port), leading_number(cport)),
        None => {
            (leading_number(ports), leading_number(ports) + u64::from(Endpoint::BUS_PORT_OFFSET))
        }
    };
    Ok(Endpoint { ip, port: port as u16, cport: cport as u16, pport: 0 })
}

fn parse_flags(word: &str) -> Result<Flags, NodesConfError> {
    let mut flags = Flags::NONE;
    for name in word.split(',') {
        let known = Flags::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        match known {
            Some((flag, _)) => flags.set(*flag),
            None if name.eq_ignore_ascii_case("noflags") => {}
            None => return Err(NodesConfError::UnknownFlag),
        }
    }
    Ok(flags)
}

fn parse_slot(word: &str) -> Result<Slot, NodesConfError> {
    let number = leading_number(word);
    let slot = u16::try_from(number).ok().filter(|number| *number < SLOTS).and_then(Slot::new);
    slot.ok_or(NodesConfError::Corrupted)
}

/// The number that a word begins with, or 0: numbers are read without complaint.
fn leading_number(word: &str) -> u64 {
    let digits = word.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: u64, digit| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "9f876cbd724438705f7a5ee8bfda9c4d7999aaba";
    const OTHER: &str = "ef04033f13d83f3fa3c20c32ac959ba8f098c85c";

    fn entry(rest: &str) -> Result<Entry, NodesConfError> {
        NodesConf::parse(&format!("{ID} {rest}\n")).map(|conf| conf.entries[0].clone())
    }

    #[test]
    fn a_real_file_is_read_12_1() {
        let text = include_str!("nodes_conf/recorded.conf");
        let conf = NodesConf::parse(text).unwrap();
        assert_eq!((conf.current_epoch, conf.last_vote_epoch), (Epoch(5), Epoch(0)));
        let slots: u32 = conf.entries.iter().map(|entry| u32::from(entry.slots.len())).sum();
        assert_eq!((conf.entries.len(), slots), (3, 16_384));
        let me = &conf.entries[1];
        assert_eq!(me.flags, Flags::MYSELF | Flags::MASTER);
        assert_eq!((me.endpoint.port, me.endpoint.cport), (22_000, 32_000));
        assert_eq!((me.config_epoch, me.ping_pending, me.answered), (Epoch(5), false, true));
    }

    #[test]
    fn a_line_without_a_bus_port_means_the_usual_one_12_3_3() {
        let read = entry("127.0.0.1:7000 master - 0 0 1 connected").unwrap();
        assert_eq!((read.endpoint.port, read.endpoint.cport), (7_000, 17_000));
        let read = entry("::1:7000@1 master - 0 0 1 connected").unwrap();
        assert_eq!(read.endpoint.ip, "::1".parse().ok(), "the last colon counts");
    }

    #[test]
    fn slots_are_single_runs_or_open_12_3_8() {
        let line =
            format!(":0@0 myself,master - 0 0 1 connected 5 7-9 [93->-{OTHER}] [77-<-{OTHER}]");
        let read = entry(&line).unwrap();
        let numbers: Vec<u16> = read.slots.iter().map(Slot::number).collect();
        assert_eq!(numbers, [5, 7, 8, 9]);
        let other = OTHER.parse().unwrap();
        assert_eq!(read.migrating, [(Slot::new(93).unwrap(), other)]);
        assert_eq!(read.importing, [(Slot::new(77).unwrap(), other)]);
    }

    #[test]
    fn blank_lines_are_skipped_12_3_2() {
        let text = format!("\n\n{ID} :0@0 myself,master - 0 0 0 connected\n\n");
        assert_eq!(NodesConf::parse(&text).unwrap().entries.len(), 1);
    }

    #[test]
    fn what_breaks_the_format_is_refused_12_3_9() {
        for line in [
            "",
            ":0@0 master - 0 0 0",
            "7000 master - 0 0 0 connected",
            ":0@0 master 9f87 0 0 0 connected",
            ":0@0 master - 0 0 0 connected 16384",
            ":0@0 master - 0 0 0 connected [1->-short]",
        ] {
            assert_eq!(entry(line).err(), Some(NodesConfError::Corrupted), "{line}");
        }
        assert_eq!(entry(":0@0 boss - 0 0 0 connected").err(), Some(NodesConfError::UnknownFlag));
        assert!(entry(":0@0 NoFlags - 0 0 0 connected").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_fall_over(text in "(\\PC{0,40}\n|[0-9a-f]{40} :0@0 master - 0 0 0 x [\\[\\]<>0-9a-f -]{0,60}\n){0,4}") {
            let _ = NodesConf::parse(&text);
        }
    }
}
