//! Writing nodes.conf, and becoming who it says I am (§12).

use std::fmt::Write as _;

use crate::id::{Endpoint, Ids, NodeId};
use crate::node::Node;
use crate::node::bus::address::announced_endpoint;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Effect};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::nodes_conf::{Entry, NodesConf, NodesConfError};
use crate::node::table::PeerIx;
use crate::node::text::written_behind;
use crate::slot::Slot;
use crate::time::Millis;

impl Bus {
    /// The text of nodes.conf (§12.1).
    #[must_use]
    pub fn config_text(&self, ids: &Ids) -> String {
        let (current, vote) = (self.current_epoch, self.last_vote_epoch);
        written_behind(self.nodes_text(ids, true), |out| {
            writeln!(out, "vars currentEpoch {current} lastVoteEpoch {vote}")
        })
    }

    /// A new member of an unknown cluster: myself (§12.3.1).
    pub(crate) fn begin_alone(&mut self, ids: &mut Ids, id: NodeId, now: Millis) {
        let node = ids.intern(id);
        let flags = Flags::MYSELF | Flags::MASTER;
        self.myself = self.table.insert(ids, node, flags, Ids::NOWHERE, now);
    }

    /// Takes over what a nodes.conf says (§12.3).
    ///
    /// # Errors
    /// If no entry, or more than one, is mine.
    pub(crate) fn load(
        &mut self,
        ids: &mut Ids,
        conf: &NodesConf,
        now: Millis,
    ) -> Result<(), NodesConfError> {
        self.current_epoch = conf.current_epoch;
        self.last_vote_epoch = conf.last_vote_epoch;
        let mut myself = None;
        for entry in &conf.entries {
            let ix = self.load_entry(ids, entry, now);
            if self.table.flags(ix).any(Flags::MYSELF) && myself.replace(ix).is_some() {
                return Err(NodesConfError::Corrupted);
            }
        }
        self.myself = myself.ok_or(NodesConfError::Corrupted)?;
        self.current_epoch = self.max_epoch();
        Ok(())
    }

    fn load_entry(&mut self, ids: &mut Ids, entry: &Entry, now: Millis) -> PeerIx {
        let ix = self.known_or_new(ids, entry.id, now);
        self.table.set_flags(ix, entry.flags);
        if entry.flags.any(Flags::FAIL) {
            self.table.history_mut(ix).fail_time = now;
        }
        let endpoint = ids.intern_endpoint(entry.endpoint);
        self.table.set_endpoint(ix, endpoint);
        if entry.ping_pending {
            self.table.set_ping_sent(ix, now);
        }
        if entry.answered {
            self.table.set_pong_received(ix, now);
        }
        self.table.peer_mut(ix).config_epoch = entry.config_epoch;
        if let Some(master) = entry.master {
            let master = self.known_or_new(ids, master, now);
            self.table.peer_mut(ix).set_replica_of(Some(master));
            self.add_replica(master, ix);
        }
        for &(slot, to) in &entry.migrating {
            let to = self.known_or_new(ids, to, now);
            self.slots.migrating.insert(slot, to);
        }
        for &(slot, from) in &entry.importing {
            let from = self.known_or_new(ids, from, now);
            self.slots.importing.insert(slot, from);
        }
        self.take_free_slots(&entry.slots, ix);
        ix
    }

    /// A node that is named before its own line is known without flags until then (§12.3.3).
    fn known_or_new(&mut self, ids: &mut Ids, id: NodeId, now: Millis) -> PeerIx {
        let node = ids.intern(id);
        match self.table.find(node) {
            Some(ix) => ix,
            None => self.table.insert(ids, node, Flags::NONE, Ids::NOWHERE, now),
        }
    }
}

impl Node {
    /// Writes nodes.conf now (§12.2).
    pub(crate) fn save_config(&mut self, ctx: &mut Ctx<'_>, fsync: bool) {
        self.bus.todo.clear(if fsync { Todo::SAVE | Todo::FSYNC } else { Todo::SAVE });
        let text = self.bus.config_text(ctx.ids);
        ctx.out.effects.push(Effect::SaveConfig { text, fsync });
    }

    /// After loading, my own ports are those of the running configuration; the address is kept
    /// (§12.3.11).
    pub(crate) fn take_configured_ports(&mut self, ctx: &mut Ctx<'_>) {
        let me = self.bus.myself;
        let ip = ctx.ids.endpoint(self.bus.table.endpoint(me)).ip;
        let endpoint = Endpoint { ip, ..announced_endpoint(&self.config) };
        let endpoint = ctx.ids.intern_endpoint(endpoint);
        self.bus.table.set_endpoint(me, endpoint);
        self.sync_nofailover();
    }

    /// Makes the table agree with the keys that were found on disk (§12.4).
    pub(crate) fn verify_keys(&mut self, ctx: &mut Ctx<'_>) {
        if !self.bus.is_master() || self.keys.is_empty() {
            return;
        }
        let me = self.bus.myself;
        let mut changed = false;
        for slot in Slot::all() {
            let owner = self.bus.slots.owner(slot);
            let fine = owner == Some(me) || self.bus.slots.importing.contains_key(&slot);
            if fine || self.keys.count_in_slot(slot) == 0 {
                continue;
            }
            changed = true;
            if let Some(owner) = owner {
                let text = format_args!(
                    "I have keys for slot {slot}, but the slot is assigned to another node. Setting \
                     it to importing state."
                );
                self.log(ctx, Level::Warning, text);
                self.bus.slots.importing.insert(slot, owner);
            } else {
                let text = format_args!(
                    "I have keys for unassigned slot {slot}. Taking responsibility for it."
                );
                self.log(ctx, Level::Warning, text);
                self.bus.add_slot(slot, me);
            }
        }
        if changed {
            self.save_config(ctx, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::Config;
    use crate::node::lab::{Lab, id, slot};
    use crate::node::process::Disk;

    fn restarted(text: &str) -> Lab {
        let disk = |_| Disk { nodes_conf: Some(text.into()), ..Disk::default() };
        Lab::start(1, disk, Config::default())
    }

    #[test]
    fn what_is_saved_is_what_was_known_12_1() {
        let mut lab = Lab::formed(3, 2, 15_000);
        lab.run(3_000);
        let failing = lab.peer(0, 2);
        lab.act(0, |node, ctx| {
            node.bus.table.set_flags(failing, Flags::FAIL);
            node.bus.slots.migrating.insert(slot(3), failing);
            node.bus.last_vote_epoch = crate::node::packet::Epoch(2);
            node.save_config(ctx, false);
        });
        let text = lab.saved[0].clone().unwrap();
        assert!(text.ends_with("vars currentEpoch 3 lastVoteEpoch 2\n"));
        let mut again = restarted(&text);
        let saved: Vec<String> = (0..5).map(|node| lab.line(0, node)).collect();
        for (node, line) in saved.iter().enumerate() {
            let loaded = again.line(0, node);
            let stable = |line: &str| {
                let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                words.drain(4..6);
                words.retain(|word| !word.ends_with("connected"));
                words
            };
            assert_eq!(stable(&loaded), stable(line));
        }
        assert_eq!(again.node(0).bus.last_vote_epoch.0, 2);
    }

    #[test]
    fn pending_pings_and_old_pongs_are_as_of_now_12_3_6() {
        let text = format!(
            "{} :0@0 myself,master - 0 0 0 connected\n\
             {} 10.0.0.2:7000@17000 master - 1622092214001 0 1 connected\n\
             {} 10.0.0.3:7000@17000 master,fail - 0 1622092214001 2 connected\n",
            id(0),
            id(1),
            id(2)
        );
        let mut lab = restarted(&text);
        let [pinged, answered] = [1, 2].map(|node| lab.peer(0, node));
        let now = lab.now.millis();
        let table = &lab.node(0).bus.table;
        let recent = |time: Millis| !time.is_never() && now - time < Millis(10);
        assert!(recent(table.ping_sent(pinged)) && table.pong_received(pinged).is_never());
        assert!(recent(table.pong_received(answered)) && table.ping_sent(answered).is_never());
        assert!(recent(table.history(answered).fail_time), "FAIL begins anew (§12.3.4)");
        assert_eq!(lab.node(0).bus.current_epoch.0, 2, "the greatest epoch counts (§12.3.10)");
    }

    #[test]
    fn a_node_named_before_its_line_is_one_node_12_3_3() {
        let text = format!(
            "{} 10.0.0.2:7000@17000 slave {} 0 0 7 connected\n\
             {} :0@0 myself,master - 0 0 7 connected 0-5 [6->-{}]\n",
            id(1),
            id(0),
            id(0),
            id(3)
        );
        let mut lab = restarted(&text);
        let [me, replica, mentioned] = [0, 1, 3].map(|node| lab.peer(0, node));
        let bus = &lab.node(0).bus;
        assert_eq!(bus.table.len(), 3);
        assert_eq!(bus.table.replicas(me), [replica]);
        assert_eq!(bus.table.peer(replica).replica_of(), Some(me));
        assert_eq!(bus.table.flags(mentioned), Flags::NONE);
        assert_eq!(bus.slots.migrating.get(&slot(6)), Some(&mentioned));
        assert!(lab.line(0, 3).contains(" :0@0 noflags - 0 0 0 disconnected"));
    }

    #[test]
    fn the_first_claimant_of_a_slot_keeps_it_12_3_8() {
        let text = format!(
            "{} :0@0 myself,master - 0 0 1 connected 0-5\n\
             {} 10.0.0.2:7000@17000 master - 0 0 2 connected 3-9\n",
            id(0),
            id(1)
        );
        let mut lab = restarted(&text);
        assert!(lab.line(0, 0).ends_with(" 0-5"));
        assert!(lab.line(0, 1).ends_with(" 6-9"));
    }

    #[test]
    fn keys_without_an_owner_make_me_one_12_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.forget_records();
        lab.node(0).bus.del_slot(slot(12_182));
        for key in ["foo", "{06S}"] {
            lab.node(0).keys.insert_string(key.as_bytes(), b"");
        }
        lab.act(0, |node, ctx| node.verify_keys(ctx));
        let me = lab.peer(0, 0);
        assert_eq!(lab.node(0).bus.slots.owner(slot(12_182)), Some(me));
        assert!(
            lab.logged(0, "I have keys for unassigned slot 12182. Taking responsibility for it.")
        );
        assert_eq!(lab.saves, [(0, true)]);
    }

    #[test]
    fn keys_of_somebody_else_are_imported_12_4() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.node(0).keys.insert_string(b"foo", b"");
        lab.act(0, |node, ctx| node.verify_keys(ctx));
        let owner = lab.peer(0, 2);
        assert_eq!(lab.node(0).bus.slots.importing.get(&slot(12_182)), Some(&owner));
        assert!(lab.logged(
            0,
            "I have keys for slot 12182, but the slot is assigned to another node. Setting it to \
             importing state."
        ));
    }

    #[test]
    fn replicas_do_not_look_at_their_keys_12_4() {
        let mut lab = Lab::formed(3, 1, 15_000);
        lab.forget_records();
        lab.node(3).keys.insert_string(b"foo", b"");
        lab.act(3, |node, ctx| node.verify_keys(ctx));
        assert!(lab.lines.is_empty() && lab.saves.is_empty());
    }

    #[test]
    fn link_and_pong_changes_are_not_saved_12_2() {
        let mut lab = Lab::formed(3, 0, 3_000);
        lab.run(3_000);
        lab.forget_records();
        lab.run(5_000);
        assert!(lab.saves.is_empty());
        lab.kill(2);
        lab.run(3_500);
        let peer = lab.peer(0, 2);
        let saved = lab.saves.iter().filter(|(node, _)| *node == 0).count();
        let flags = lab.node(0).bus.table.flags(peer);
        assert!(saved == 0 || flags.any(Flags::FAIL), "suspicion is not saved either");
    }
}
