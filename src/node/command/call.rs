//! A command being carried out: what every command may use.

use crate::node::Node;
use crate::node::command::error::{self, CommandError};
use crate::node::command::spec::Spec;
use crate::node::effect::{Ctx, LinkId};
use crate::node::keyspace::{Entry, Key, Value};
use crate::resp::{Args, args};
use crate::slot::Slot;
use crate::time::Millis;

/// A command being carried out.
pub(crate) struct Call<'a, 'c> {
    pub(crate) node: &'a mut Node,
    pub(crate) ctx: &'a mut Ctx<'c>,
    /// Who sent it.
    pub(crate) client: LinkId,
    /// Its words, its name first.
    pub(crate) args: &'a [Vec<u8>],
    pub(crate) spec: &'static Spec,
    /// The slot of all its keys, if that is known already.
    pub(crate) slot: Option<Slot>,
    /// Whether it is part of a transaction that is being carried out.
    pub(crate) in_exec: bool,
    /// What goes to the replicas in its place.
    pub(crate) instead: Vec<Args>,
}

impl<'a> Call<'a, '_> {
    /// The wall clock.
    pub(crate) fn now(&self) -> Millis {
        self.ctx.now.millis()
    }

    /// A word. The caller has made sure that there are as many.
    pub(crate) fn word(&self, at: usize) -> &'a [u8] {
        &self.args[at]
    }

    /// A word that is one of its keys.
    pub(crate) fn key(&self, at: usize) -> Key<'a> {
        let bytes = self.word(at);
        self.slot.map_or_else(|| Key::from(bytes), |slot| Key { bytes, slot })
    }

    /// Whether a word is this keyword, in any case.
    pub(crate) fn is(&self, at: usize, keyword: &str) -> bool {
        self.args[at].eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// A word that must be an integer.
    pub(crate) fn integer(&self, at: usize) -> Result<i64, CommandError> {
        error::integer(self.word(at))
    }

    /// The value of a key, for a command that reads. Counts as a hit or a miss.
    pub(crate) fn read<'k>(&mut self, key: impl Into<Key<'k>>) -> Option<&Value> {
        self.node.look_up(self.ctx, key).map(|entry| &entry.value)
    }

    /// The value of a key, for a command that writes.
    pub(crate) fn write<'k>(&mut self, key: impl Into<Key<'k>>) -> Option<&mut Value> {
        let key = key.into();
        self.node.expire_if_needed(self.ctx, key);
        self.node.keys.value_mut(key)
    }

    /// Whether a key is there, for a command that writes.
    pub(crate) fn exists<'k>(&mut self, key: impl Into<Key<'k>>) -> bool {
        self.write(key).is_some()
    }

    /// Gives a key a new value, without a time to die.
    pub(crate) fn put<'k>(&mut self, key: impl Into<Key<'k>>, value: Value) {
        let key = key.into();
        self.node.keys.insert(key, value);
        self.persist(key);
    }

    /// Gives a key a new string, without a time to die.
    pub(crate) fn put_string<'k>(&mut self, key: impl Into<Key<'k>>, string: &[u8]) {
        let key = key.into();
        self.node.keys.insert_string(key, string);
        self.persist(key);
    }

    fn persist(&mut self, key: Key<'_>) {
        if self.node.keys.expiring() > 0 {
            self.node.keys.set_expiry(key, None);
        }
        self.touched(&key);
    }

    /// Deletes a key; says whether it was there.
    pub(crate) fn delete<'k>(&mut self, key: impl Into<Key<'k>>) -> bool {
        let key = key.into();
        let deleted = self.node.keys.remove(key).is_some();
        if deleted {
            self.touched(&key);
        }
        deleted
    }

    /// A key was changed: it counts for save points, and whoever watches it shall know.
    pub(crate) fn touched(&mut self, key: &[u8]) {
        self.node.clients.touch(key);
        self.node.server.storage.dirty += 1;
    }

    /// More than one change was made by one command to one key.
    pub(crate) fn also_changed(&mut self, times: usize) {
        self.node.server.storage.dirty += times as u64;
    }
}

impl Node {
    /// Looks a key up for somebody who reads. Counts as a hit or a miss.
    pub(crate) fn look_up<'k>(
        &mut self,
        ctx: &mut Ctx<'_>,
        key: impl Into<Key<'k>>,
    ) -> Option<&Entry> {
        let key = key.into();
        let dead = self.expire_if_needed(ctx, key);
        let found = if dead { None } else { self.keys.get(key) };
        let stats = &mut self.server.stats;
        match found {
            Some(_) => stats.hits += 1,
            None => stats.misses += 1,
        }
        found
    }

    /// Whether a key's time to die has come. On a master it is deleted, unless a pause keeps the
    /// dataset as it is; a replica leaves that to its master.
    pub(crate) fn expire_if_needed<'k>(
        &mut self,
        ctx: &mut Ctx<'_>,
        key: impl Into<Key<'k>>,
    ) -> bool {
        if self.keys.expiring() == 0 {
            return false;
        }
        let key = key.into();
        let now = ctx.now.millis();
        let deadline = self.keys.get(key).and_then(|entry| entry.expires);
        if deadline.is_none_or(|deadline| now <= deadline) {
            return false;
        }
        if self.replication.master.is_none() && !self.clients.is_paused(now) {
            self.expire(ctx, &key);
        }
        true
    }

    /// Deletes a key because its time has come; my replicas must delete it, too.
    pub(crate) fn expire(&mut self, ctx: &mut Ctx<'_>, key: &[u8]) {
        self.keys.remove(key);
        self.clients.touch(key);
        self.server.stats.expired += 1;
        self.propagate(ctx, args([b"DEL", key]));
    }
}
