//! Child processes: they write the keys to disk beside the server, one child at a time.
//!
//! A child has the keys of the moment of its fork. It takes its time; when it ends it says its last
//! words, and the next `serverCron` notices (§0.1.4). What it saved then goes to the replicas that
//! wait for it, too (A.9).

use std::sync::Arc;

use crate::node::Node;
use crate::node::dump::Dump;
use crate::node::effect::{Ctx, Effect};
use crate::node::log::{Level, Role};
use crate::time::Span;

/// A child process that runs or has just ended.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    pid: u32,
    pub(crate) task: Task,
    /// When it was started, in Unix seconds.
    pub(crate) started: i64,
    dirty_at_start: u64,
    /// The keys of the moment of its fork, if it writes an RDB file.
    dump: Option<Arc<Dump>>,
    ended: bool,
}

/// What a child process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// It writes an RDB file.
    Save,
    /// It rewrites the append-only file.
    Rewrite,
}

/// What became of a request to do something in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Started {
    Now,
    Later,
    Not,
}

/// Starting a process, opening and closing a file (observed for an empty data set).
const SAVE_BASE: (Span, Span) = (Span::micros(1_200), Span::micros(2_600));
/// The same, and 20 ms in which the child waits for the last changes from its parent (observed).
const REWRITE_BASE: (Span, Span) = (Span::millis(25), Span::millis(30));
/// How many bytes a child writes in a microsecond.
const BYTES_PER_MICRO: u64 = 100;

impl Node {
    fn fork(&mut self, ctx: &mut Ctx<'_>, task: Task) -> u32 {
        let dump = Arc::new(self.dump(ctx));
        let (low, high) = match task {
            Task::Save => SAVE_BASE,
            Task::Rewrite => REWRITE_BASE,
        };
        let base = self.process.loop_draws.span(low, high);
        let runs = base + Span::micros(dump.bytes() / BYTES_PER_MICRO);
        self.server.stats.forks += 1;
        let pid = self.process.pid + self.server.stats.forks as u32;
        let storage = &mut self.server.storage;
        storage.child = Some(Child {
            pid,
            task,
            started: ctx.now.secs(),
            dirty_at_start: storage.dirty,
            dump: (task == Task::Save).then_some(dump),
            ended: false,
        });
        ctx.out.effects.push(Effect::Fork { pid, runs });
        pid
    }

    /// Writes the RDB file by a child process (BGSAVE), or later if another child is at work and
    /// `schedule` is said.
    pub(crate) fn save_in_background(&mut self, ctx: &mut Ctx<'_>, schedule: bool) -> Started {
        if self.server.storage.child.is_some() {
            self.server.storage.save_scheduled |= schedule;
            return if schedule { Started::Later } else { Started::Not };
        }
        let pid = self.fork(ctx, Task::Save);
        self.log(ctx, Level::Notice, format_args!("Background saving started by pid {pid}"));
        Started::Now
    }

    /// Rewrites the append-only file by a child process (BGREWRITEAOF).
    pub(crate) fn rewrite_append_only_file(&mut self, ctx: &mut Ctx<'_>) -> Started {
        match self.server.storage.child.as_ref().map(|child| child.task) {
            Some(Task::Rewrite) => return Started::Not,
            Some(Task::Save) => {
                self.server.storage.rewrite_scheduled = true;
                return Started::Later;
            }
            None => {}
        }
        let pid = self.fork(ctx, Task::Rewrite);
        self.log(
            ctx,
            Level::Notice,
            format_args!("Background append only file rewriting started by pid {pid}"),
        );
        Started::Now
    }

    /// A child has ended: its file is on disk, and it has said its last words.
    pub(crate) fn child_exit(&mut self, ctx: &mut Ctx<'_>, pid: u32) {
        let child = self.server.storage.child.as_mut();
        let Some(child) = child.filter(|child| child.pid == pid) else { return };
        child.ended = true;
        match child.task {
            Task::Save => {
                self.server.storage.file.clone_from(&child.dump);
                self.child_log(ctx, pid, "DB saved on disk");
                self.child_log(ctx, pid, "RDB: 0 MB of memory used by copy-on-write");
            }
            Task::Rewrite => {
                self.server.storage.rewritten_at = Some(child.started);
                let text = format_args!("AOF rewrite child asks to stop sending diffs.");
                self.log(ctx, Level::Notice, text);
                for text in [
                    "Parent agreed to stop sending diffs. Finalizing AOF...",
                    "Concatenating 0.00 MB of AOF diff received from parent.",
                    "SYNC append only file rewrite performed",
                    "AOF rewrite: 0 MB of memory used by copy-on-write",
                ] {
                    self.child_log(ctx, pid, text);
                }
            }
        }
    }

    fn child_log(&self, ctx: &mut Ctx<'_>, pid: u32, text: &str) {
        if self.logs(ctx, Level::Notice) {
            let (level, role) = (Level::Notice, Role::Fork(pid));
            ctx.out.effects.push(Effect::Log { level, role, text: text.to_owned() });
        }
    }

    /// Notices that a child has ended.
    pub(crate) fn reap_child(&mut self, ctx: &mut Ctx<'_>) {
        let Some(child) = self.server.storage.child.take_if(|child| child.ended) else { return };
        let now = ctx.now.secs();
        let storage = &mut self.server.storage;
        let lines: &[&str] = match child.task {
            Task::Save => {
                storage.dirty = storage.dirty.saturating_sub(child.dirty_at_start);
                storage.last_save = now;
                storage.last_duration = Some(now - child.started);
                &["Background saving terminated with success"]
            }
            Task::Rewrite => {
                storage.last_rewrite_duration = Some(now - child.started);
                &[
                    "Background AOF rewrite terminated with success",
                    "Residual parent diff successfully flushed to the rewritten AOF (0.00 MB)",
                    "Background AOF rewrite finished successfully",
                ]
            }
        };
        for line in lines {
            self.log(ctx, Level::Notice, format_args!("{line}"));
        }
        if let Some(dump) = child.dump {
            self.send_dump(ctx, &dump);
        }
    }

    /// Stops a child that does this. Returns whether there was one.
    pub(crate) fn kill_child(&mut self, ctx: &mut Ctx<'_>, task: Task) -> bool {
        let Some(child) = self.server.storage.child.take_if(|child| child.task == task) else {
            return false;
        };
        match task {
            Task::Save => {
                let text = format_args!("Background saving terminated by signal 10");
                self.log(ctx, Level::Warning, text);
            }
            Task::Rewrite => {
                let text = format_args!("Killing running AOF rewrite child: {}", child.pid);
                self.log(ctx, Level::Notice, text);
            }
        }
        true
    }

    /// The keys are about to be replaced by those of my master: what a child writes is worth nothing
    /// now (A.9).
    pub(crate) fn kill_save_before_load(&mut self, ctx: &mut Ctx<'_>) {
        let child = self.server.storage.child.as_ref();
        let Some(pid) = child.filter(|child| child.task == Task::Save).map(|child| child.pid)
        else {
            return;
        };
        self.log(
            ctx,
            Level::Notice,
            format_args!(
                "Replica is about to load the RDB file received from the master, but there is a \
                 pending RDB child running. Killing process {pid} and removing its temp file to \
                 avoid any race"
            ),
        );
        self.kill_child(ctx, Task::Save);
    }
}
