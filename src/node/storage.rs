//! What of a node's keys is on disk, and how it gets there (Appendix B.1, §12.4, §13.3).
//!
//! With `appendonly yes` every change is in the append-only file before anybody hears of it, so all
//! keys survive the process. Without, what survives is the last RDB file, written by SAVE, BGSAVE, a
//! save point, FLUSHALL, or at shutdown.
//!
//! What a failure of the power leaves is in [`append_only`](crate::node::append_only), how a process
//! gets its keys back in [`loading`](crate::node::loading), and what child processes do in
//! [`child`](crate::node::child).

use std::sync::Arc;

use crate::node::Node;
use crate::node::append_only::Syncs;
use crate::node::child::{Child, Task};
use crate::node::client::Clients;
use crate::node::config::Config;
use crate::node::dump::Dump;
use crate::node::effect::{Ctx, Effect, Exit};
use crate::node::keyspace::Keyspace;
use crate::node::loading::{Loading, key_delay};
use crate::node::log::Level;
use crate::node::process::Death;
use crate::time::{Millis, Span};

/// What is on disk and what is not yet.
#[derive(Debug, Default)]
pub struct Storage {
    /// Changes since the last save.
    pub dirty: u64,
    /// When the keys were last saved, in Unix seconds; at first the start of the process.
    pub last_save: i64,
    /// How long the last background save took, in seconds, if there was one.
    pub last_duration: Option<i64>,
    /// How long the last rewrite of the append-only file took, in seconds, if there was one.
    pub last_rewrite_duration: Option<i64>,
    /// The RDB file.
    pub(crate) file: Option<Arc<Dump>>,
    pub(crate) child: Option<Child>,
    pub(crate) save_scheduled: bool,
    pub(crate) rewrite_scheduled: bool,
    /// When the append-only file was last rewritten, in Unix seconds, if it ever was.
    pub(crate) rewritten_at: Option<i64>,
    pub(crate) syncs: Syncs,
    save_at_exit: bool,
    /// INFO's `avg_ttl` as of the last tick, in milliseconds.
    pub(crate) mean_ttl: i64,
}

/// What SHUTDOWN saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhatToSave {
    /// Everything, if save points are configured.
    Configured,
    /// SHUTDOWN SAVE
    Everything,
    /// SHUTDOWN NOSAVE
    Nothing,
}

impl Storage {
    /// Whether a child process is saving.
    pub(crate) fn is_saving(&self) -> bool {
        self.saving_since().is_some()
    }

    /// Since when a child process is saving, be it to a file or to replicas, if one does.
    pub(crate) fn saving_since(&self) -> Option<i64> {
        self.running(Task::Save).or(self.running(Task::Stream))
    }

    /// Since when a child process does this, if one does.
    pub(crate) fn running(&self, task: Task) -> Option<i64> {
        self.child.as_ref().filter(|child| child.task == task).map(|child| child.started)
    }
}

impl Node {
    /// Takes over the keys that were found on disk, before the node answers anybody (§13.3.11).
    pub(crate) fn load_dataset(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.secs();
        self.server.storage.last_save = now;
        let Some(found) = self.process.disk.keys.take() else { return self.serve(ctx) };
        let dump = Arc::new(Dump::new(found));
        if self.config.appendonly {
            self.server.storage.rewritten_at = dump.keys.saved_at;
            self.begin_append_only_file(ctx);
        } else {
            self.tell_of_file(ctx, dump.keys.saved_at.unwrap_or(now));
            self.server.storage.file = Some(Arc::clone(&dump));
        }
        self.load_at_start(ctx, dump);
    }

    /// An append-only file that was ever rewritten begins with an RDB file.
    fn begin_append_only_file(&self, ctx: &mut Ctx<'_>) {
        let Some(rewritten) = self.server.storage.rewritten_at else { return };
        let text = format_args!("Reading RDB preamble from AOF file...");
        self.log(ctx, Level::Notice, text);
        self.tell_of_file(ctx, rewritten);
        self.log(ctx, Level::Notice, format_args!("RDB has an AOF tail"));
        self.log(ctx, Level::Notice, format_args!("Reading the remaining AOF tail..."));
    }

    /// The keys that were found on disk are there.
    pub(crate) fn loaded_at_start(&mut self, ctx: &mut Ctx<'_>, dump: &Dump, took: Span) {
        let from = if self.config.appendonly { "append only file" } else { "disk" };
        let (seconds, millis) = (took.as_millis() / 1_000, took.as_millis() % 1_000);
        let text = format_args!("DB loaded from {from}: {seconds}.{millis:03} seconds");
        self.log(ctx, Level::Notice, text);
        if !self.config.appendonly {
            if let Some(position) = dump.keys.position.filter(|_| !self.is_master()) {
                self.resume_replication(ctx, position);
            }
            if self.is_master() {
                self.drop_dead_keys(ctx.now.millis());
            }
        }
        self.serve(ctx);
    }

    /// What an RDB file says of itself while it is being loaded.
    pub(crate) fn tell_of_file(&self, ctx: &mut Ctx<'_>, saved: i64) {
        let age = (ctx.now.secs() - saved).max(0);
        self.log(ctx, Level::Notice, format_args!("Loading RDB produced by version 6.2.3"));
        self.log(ctx, Level::Notice, format_args!("RDB age {age} seconds"));
        self.log(ctx, Level::Notice, format_args!("RDB memory usage when created 2.58 Mb"));
    }

    /// A master does not load keys from an RDB file whose time has come.
    fn drop_dead_keys(&mut self, now: Millis) {
        for key in self.dead_keys(now) {
            self.keys.remove(&key);
        }
    }

    fn dead_keys(&self, now: Millis) -> Vec<Vec<u8>> {
        let dead = self.keys.deadlines().take_while(|(deadline, _)| *deadline < now);
        dead.map(|(_, key)| key.to_vec()).collect()
    }

    /// Writes the RDB file while everybody waits (SAVE).
    pub(crate) fn save(&mut self, ctx: &mut Ctx<'_>) {
        let takes = key_delay(self.keys.len(), self.config.rdb_key_save_delay);
        if takes > Span::ZERO {
            ctx.out.effects.push(Effect::Sleep(takes));
        }
        self.write_file(ctx);
        let storage = &mut self.server.storage;
        storage.dirty = 0;
        storage.last_save = ctx.now.secs();
        self.log(ctx, Level::Notice, format_args!("DB saved on disk"));
    }

    fn write_file(&mut self, ctx: &Ctx<'_>) {
        self.server.storage.file = Some(Arc::new(self.dump(ctx)));
    }

    /// Deletes all keys, as those notice who watch them; returns how many there were.
    pub(crate) fn empty_keys(&mut self) -> usize {
        self.touch_watched_keys();
        self.keys.clear()
    }

    /// All keys are about to go: those notice who watch one.
    pub(crate) fn touch_watched_keys(&mut self) {
        for key in self.clients.watched_keys() {
            if self.keys.get(&key).is_some() {
                self.clients.touch(&key);
            }
        }
    }

    /// FLUSHALL also empties the file, if there are save points.
    pub(crate) fn flush_file(&mut self, ctx: &mut Ctx<'_>) {
        self.kill_save();
        if !self.config.save.is_empty() {
            let dirty = self.server.storage.dirty;
            self.save(ctx);
            self.server.storage.dirty = dirty;
        }
    }

    /// Children that have ended, save points, and what was put off (§0.1.4).
    pub(crate) fn storage_cron(&mut self, ctx: &mut Ctx<'_>) {
        if self.server.storage.child.is_none() && self.server.storage.rewrite_scheduled {
            self.server.storage.rewrite_scheduled = false;
            self.rewrite_append_only_file(ctx);
        } else if self.server.storage.child.is_some() {
            self.reap_child(ctx);
        } else {
            self.check_save_points(ctx);
        }
        if self.server.storage.child.is_none() && self.server.storage.save_scheduled {
            self.server.storage.save_scheduled = false;
            self.save_in_background(ctx, false);
        }
    }

    fn check_save_points(&mut self, ctx: &mut Ctx<'_>) {
        let storage = &self.server.storage;
        let since = ctx.now.secs() - storage.last_save;
        let points = &self.config.save;
        let due = points
            .iter()
            .find(|point| storage.dirty >= point.changes && since > point.seconds)
            .copied();
        if let Some(point) = due {
            self.log(
                ctx,
                Level::Notice,
                format_args!("{} changes in {} seconds. Saving...", point.changes, point.seconds),
            );
            self.save_in_background(ctx, false);
        }
    }

    /// Deletes keys whose time has come, on a master. Redis deletes a sample at a time and may take
    /// some more ticks; here all go at once.
    pub(crate) fn active_expire(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now.millis();
        if !self.server.active_expire
            || self.keys.expiring() == 0
            // By its place in the cluster: right after its start a replica has no master to ask yet.
            || !self.is_master()
            || Clients::is_paused(&mut self.clients, now)
        {
            return;
        }
        for key in self.dead_keys(now) {
            self.expire(ctx, &key);
        }
        let mean = self.keys.mean_deadline().map_or(0, |mean| (mean - now).0.max(0));
        self.server.storage.mean_ttl = mean;
    }

    /// Saves what is to be saved before the process ends (Appendix B.1).
    pub(crate) fn prepare_for_shutdown(&mut self, ctx: &mut Ctx<'_>, what: WhatToSave) {
        self.log(ctx, Level::Warning, format_args!("User requested shutdown..."));
        if let Some(child) = self.server.storage.child.take() {
            let line = match child.task {
                Task::Save | Task::Stream => "There is a child saving an .rdb. Killing it!",
                Task::Rewrite => "There is a child rewriting the AOF. Killing it!",
            };
            self.log(ctx, Level::Warning, format_args!("{line}"));
        }
        if self.config.appendonly {
            self.log(ctx, Level::Notice, format_args!("Calling fsync() on the AOF file."));
        }
        let saves = match what {
            // What is not all there is not saved.
            _ if self.is_loading() => false,
            WhatToSave::Configured => !self.config.save.is_empty(),
            WhatToSave::Everything => true,
            WhatToSave::Nothing => false,
        };
        if saves {
            let line = format_args!("Saving the final RDB snapshot before exiting.");
            self.log(ctx, Level::Notice, line);
            self.log(ctx, Level::Notice, format_args!("DB saved on disk"));
            self.server.storage.save_at_exit = true;
            self.keys.saved_at = Some(ctx.now.secs());
            self.keys.position = self.replication.position_to_save();
        }
        let kept = |name| self.config.get(name).unwrap_or_default();
        if kept("daemonize") == "yes" || !kept("pidfile").is_empty() {
            self.log(ctx, Level::Notice, format_args!("Removing the pid file."));
        }
        self.log(ctx, Level::Warning, format_args!("Redis is now ready to exit, bye bye..."));
    }

    /// SIGTERM, at the next `serverCron` (Appendix B.1).
    pub(crate) fn terminate(&mut self, ctx: &mut Ctx<'_>) {
        self.prepare_for_shutdown(ctx, WhatToSave::Configured);
        ctx.out.effects.push(Effect::Exit(Exit::Shutdown));
    }

    /// The keys that the next process on the same disk will find, if this one ends in this way.
    #[must_use]
    pub fn surviving_keys(self, death: Death) -> Option<Keyspace> {
        if self.process.disk.keys.is_some() {
            // They were not even read.
            return self.process.disk.keys;
        }
        if self.config.appendonly {
            let written = match self.loading {
                Some(loading) => loading.into_surviving_keys(),
                None => self.keys,
            };
            let mut keys = match death {
                Death::PowerFailure(now) if !self.server.storage.syncs.is_written_back(now) => {
                    written.rolled_back()
                }
                _ => written,
            };
            keys.end_journal();
            keys.position = None;
            keys.saved_at = self.server.storage.rewritten_at;
            return Some(keys);
        }
        if death == Death::Shutdown && self.server.storage.save_at_exit {
            return Some(self.keys);
        }
        self.server.storage.file.map(|file| Arc::unwrap_or_clone(file).keys)
    }

    /// The keys that somebody finds who copies my files now.
    #[must_use]
    pub fn keys_on_disk(&self) -> Option<Keyspace> {
        let storage = &self.server.storage;
        if self.process.disk.keys.is_some() {
            return self.process.disk.keys.clone();
        }
        match self.config.appendonly {
            true => {
                let written = self.loading.as_ref().map_or(&self.keys, Loading::keys_on_disk);
                let mut keys = written.clone();
                keys.saved_at = storage.rewritten_at;
                Some(keys)
            }
            false => storage.file.as_ref().map(|file| file.keys.clone()),
        }
    }

    /// The configuration file that the next process will read: the one that this process read, or
    /// what CONFIG REWRITE made of it.
    #[must_use]
    pub fn config_file(&self) -> &Config {
        &self.server.config_file
    }
}

#[cfg(test)]
mod tests;
