//! The child that writes a data set to disk: for replicas that start anew (A.9), and to begin a new
//! append-only file after a replica has loaded its master's data.
//!
//! It runs beside the server, one at a time. Its end is noticed only by the next `serverCron`.

use std::sync::Arc;

use crate::node::Node;
use crate::node::effect::{Ctx, Effect};
use crate::node::log::{Level, Role};
use crate::node::replication::dump::Dump;
use crate::node::replication::message::Position;
use crate::time::Span;

/// A running or just ended child.
#[derive(Debug, Clone)]
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// What it does.
    pub task: Task,
    /// Whether it has ended.
    pub ended: bool,
}

/// What a child does.
#[derive(Debug, Clone)]
pub enum Task {
    /// It writes an RDB file of the data set as it was when the child was started.
    Save(Arc<Dump>),
    /// It rewrites the append-only file.
    RewriteLog,
}

/// Starting a process, opening and closing a file (observed for an empty data set).
const SAVE_BASE: (Span, Span) = (Span::micros(1_200), Span::micros(2_600));
/// The same, and 20 ms in which the child waits for the last changes from its parent (observed).
const REWRITE_BASE: (Span, Span) = (Span::millis(25), Span::millis(30));
/// How many bytes a child writes in a microsecond.
const BYTES_PER_MICRO: u64 = 100;

impl Node {
    fn fork(&mut self, ctx: &mut Ctx<'_>, task: Task, base: (Span, Span), bytes: u64) -> u32 {
        let replication = &mut self.replication;
        // Other processes start, too: the next number is not always free.
        let pid = replication.last_child + 1 + replication.draws.below(3);
        let base = replication.draws.span(base.0, base.1);
        let runs = base + Span::micros(bytes / BYTES_PER_MICRO);
        replication.last_child = pid;
        replication.child = Some(Child { pid, task, ended: false });
        ctx.out.effects.push(Effect::Fork { pid, runs });
        pid
    }

    /// Starts a child that saves the keys as they are now.
    pub(crate) fn start_save(&mut self, ctx: &mut Ctx<'_>) {
        let mut keys = self.keys.clone();
        keys.saved_at = Some(ctx.now.secs());
        keys.position = self.position_to_save();
        let dump = Arc::new(Dump::new(keys, self.replication.history.offset));
        let bytes = dump.bytes();
        let pid = self.fork(ctx, Task::Save(dump), SAVE_BASE, bytes);
        self.log(ctx, Level::Notice, format_args!("Background saving started by pid {pid}"));
    }

    /// Begins a new append-only file, because my data is new (A.9).
    pub(crate) fn restart_log(&mut self, ctx: &mut Ctx<'_>) {
        let bytes = Dump::new(self.keys.clone(), self.replication.history.offset).bytes();
        let pid = self.fork(ctx, Task::RewriteLog, REWRITE_BASE, bytes);
        self.log(
            ctx,
            Level::Notice,
            format_args!("Background append only file rewriting started by pid {pid}"),
        );
    }

    /// A child has ended; its last words.
    pub(crate) fn child_exit(&mut self, ctx: &mut Ctx<'_>, pid: u32) {
        let Some(child) = self.replication.child.as_mut().filter(|child| child.pid == pid) else {
            return;
        };
        child.ended = true;
        let last_words: &[&str] = match child.task {
            Task::Save(_) => &["DB saved on disk", "RDB: 0 MB of memory used by copy-on-write"],
            Task::RewriteLog => &[
                "Parent agreed to stop sending diffs. Finalizing AOF...",
                "Concatenating 0.00 MB of AOF diff received from parent.",
                "SYNC append only file rewrite performed",
                "AOF rewrite: 0 MB of memory used by copy-on-write",
            ],
        };
        if matches!(child.task, Task::RewriteLog) {
            self.log(
                ctx,
                Level::Notice,
                format_args!("AOF rewrite child asks to stop sending diffs."),
            );
        }
        if ctx.out.logs(Level::Notice) {
            ctx.out.effects.extend(last_words.iter().map(|&text| Effect::Log {
                level: Level::Notice,
                role: Role::Fork(pid),
                text: text.to_owned(),
            }));
        }
    }

    /// Notices that the child has ended (§0.1.4), and sends what it saved to those who wait for it.
    pub(crate) fn reap_child(&mut self, ctx: &mut Ctx<'_>) {
        let Some(child) = self.replication.child.take_if(|child| child.ended) else { return };
        match child.task {
            Task::Save(dump) => {
                self.log(
                    ctx,
                    Level::Notice,
                    format_args!("Background saving terminated with success"),
                );
                self.replication.dump_file = Some(Arc::clone(&dump));
                self.send_dump(ctx, &dump);
            }
            Task::RewriteLog => {
                for text in [
                    "Background AOF rewrite terminated with success",
                    "Residual parent diff successfully flushed to the rewritten AOF (0.00 MB)",
                    "Background AOF rewrite finished successfully",
                ] {
                    self.log(ctx, Level::Notice, format_args!("{text}"));
                }
            }
        }
    }

    /// My data is about to be replaced: a rewrite of the append-only file is worth nothing now.
    pub(crate) fn kill_rewrite(&mut self, ctx: &mut Ctx<'_>) {
        let rewrites = |child: &mut Child| matches!(child.task, Task::RewriteLog);
        let Some(child) = self.replication.child.take_if(rewrites) else { return };
        let pid = child.pid;
        self.log(ctx, Level::Notice, format_args!("Killing running AOF rewrite child: {pid}"));
    }

    /// My data is about to be replaced: what a child saves is worth nothing now.
    pub(crate) fn kill_save(&mut self, ctx: &mut Ctx<'_>) {
        let saves = |child: &mut Child| matches!(child.task, Task::Save(_));
        let Some(child) = self.replication.child.take_if(saves) else { return };
        let pid = child.pid;
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "Replica is about to load the RDB file received from the master, but there is a \
                 pending RDB child running. Killing process {pid} and removing its temp file to \
                 avoid any race"
            ),
        );
    }

    /// What an RDB file says about replication, if there is anything to say: a master without
    /// backlog counts nothing, a replica must have been connected.
    pub(crate) fn position_to_save(&self) -> Option<Position> {
        let replication = &self.replication;
        let known = match replication.master {
            None => replication.history.backlog.is_some(),
            Some(_) => replication.upstream.is_connected() || replication.cached_master.is_some(),
        };
        known.then(|| replication.history.position())
    }
}
