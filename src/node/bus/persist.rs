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
use crate::slot::Slot;
use crate::time::Millis;

impl Bus {
    /// The text of nodes.conf (§12.1).
    #[must_use]
    pub fn config_text(&self, ids: &Ids) -> String {
        let mut text = self.nodes_text(ids, true);
        let (current, vote) = (self.current_epoch, self.last_vote_epoch);
        writeln!(text, "vars currentEpoch {current} lastVoteEpoch {vote}")
            .expect("a string takes any text");
        text
    }

    /// A new member of an unknown cluster: myself (§12.3.1).
    pub(crate) fn begin_alone(&mut self, ids: &mut Ids, id: NodeId, now: Millis) {
        let node = ids.intern(id);
        let flags = Flags::MYSELF | Flags::MASTER;
        self.myself = self.add_node(ids, node, flags, Ids::NOWHERE, now);
    }

    /// Takes over what a nodes.conf says (§12.3). In a formed cluster's, `me` says which entry is
    /// mine.
    ///
    /// # Errors
    /// If no entry, or more than one, is mine.
    pub(crate) fn load(
        &mut self,
        ids: &mut Ids,
        conf: &NodesConf,
        me: Option<NodeId>,
        now: Millis,
    ) -> Result<(), NodesConfError> {
        self.current_epoch = conf.current_epoch;
        self.last_vote_epoch = conf.last_vote_epoch;
        if let Some(names) = conf.names() {
            self.table.fill(ids, names, now, &self.no_slots);
        }
        let mut myself = None;
        for entry in &conf.entries {
            let ix = self.load_entry(ids, entry, now);
            if me == Some(entry.id) {
                self.table.set_flags(ix, Flags::MYSELF);
            }
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
        self.add_slots(&entry.slots, ix);
        ix
    }

    /// A node that is named before its own line is known without flags until then (§12.3.3).
    fn known_or_new(&mut self, ids: &mut Ids, id: NodeId, now: Millis) -> PeerIx {
        let node = ids.intern(id);
        match self.table.find(node) {
            Some(ix) => ix,
            None => self.add_node(ids, node, Flags::NONE, Ids::NOWHERE, now),
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
