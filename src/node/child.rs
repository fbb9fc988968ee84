//! Child processes: they write the keys to disk beside the server, one child at a time.
//!
//! A child has the keys of the moment of its fork. It takes its time; when it ends it says its last
//! words, and the next `serverCron` notices (§0.1.4). What it saved then goes to the replicas that
//! wait for it, too (A.9).

use std::sync::Arc;

use crate::node::Node;
use crate::node::dump::{self, Dump};
use crate::node::effect::{Ctx, Effect};
use crate::node::loading::key_delay;
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
    /// The keys of the moment of its fork, if it writes them.
    pub(crate) dump: Option<Arc<Dump>>,
    end: Option<End>,
}

impl Child {
    /// Whether it has not ended yet.
    pub(crate) fn runs(&self) -> bool {
        self.end.is_none()
    }
}

/// How a child ended, which its parent has not noticed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It did what it was started for.
    Done,
    /// Its parent stopped it.
    Killed,
}

/// What a child process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// It writes an RDB file.
    Save,
    /// It writes the same to replicas, without a file.
    Stream,
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
/// How long a child that streams takes to end when it may.
const LAST_BREATH: Span = Span::micros(300);

impl Node {
    fn fork(&mut self, ctx: &mut Ctx<'_>, task: Task) -> u32 {
        let dump = Arc::new(self.dump(ctx));
        let (low, high) = match task {
            Task::Save | Task::Stream => SAVE_BASE,
            Task::Rewrite => REWRITE_BASE,
        };
        let base = self.process.loop_draws.span(low, high);
        let written = dump::handling_time(dump.bytes());
        let runs = base + written + key_delay(dump.keys.len(), self.config.rdb_key_save_delay);
        self.server.stats.forks += 1;
        self.process.forks += 1;
        let pid = self.process.pid + self.process.forks;
        let storage = &mut self.server.storage;
        storage.child = Some(Child {
            pid,
            task,
            started: ctx.now.secs(),
            dirty_at_start: storage.dirty,
            dump: (task != Task::Rewrite).then_some(dump),
            end: None,
        });
        match task {
            Task::Save | Task::Rewrite => ctx.out.effects.push(Effect::Fork { pid, runs }),
            Task::Stream => self.begin_stream(ctx, base),
        }
        pid
    }

    /// Writes the data set to replicas by a child process.
    pub(crate) fn stream_in_background(&mut self, ctx: &mut Ctx<'_>) {
        let pid = self.fork(ctx, Task::Stream);
        let text = format_args!("Background RDB transfer started by pid {pid}");
        self.log(ctx, Level::Notice, text);
    }

    /// The child has written all to replicas and may end.
    pub(crate) fn release_stream(&mut self, ctx: &mut Ctx<'_>) {
        let Some(pid) = self.server.storage.child.as_ref().map(|child| child.pid) else { return };
        self.child_log(ctx, pid, "RDB: 0 MB of memory used by copy-on-write");
        ctx.out.effects.push(Effect::Fork { pid, runs: LAST_BREATH });
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
            Some(Task::Save | Task::Stream) => {
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
        let runs = |child: &&mut Child| child.pid == pid && child.end.is_none();
        let Some(child) = child.filter(runs) else { return };
        child.end = Some(End::Done);
        match child.task {
            Task::Save => {
                self.server.storage.file.clone_from(&child.dump);
                self.child_log(ctx, pid, "DB saved on disk");
                self.child_log(ctx, pid, "RDB: 0 MB of memory used by copy-on-write");
            }
            // It said its last words when it had written all.
            Task::Stream => {}
            Task::Rewrite => {
                self.server.storage.rewritten_at = Some(child.started);
                self.append_only_file_is_rewritten(ctx.now);
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

    /// Notices that a child has ended, and starts at once what had to wait for that.
    pub(crate) fn reap_child(&mut self, ctx: &mut Ctx<'_>) {
        let ended = |child: &mut Child| child.end.is_some();
        let Some(child) = self.server.storage.child.take_if(ended) else { return };
        match child.task {
            Task::Save => self.save_ended(ctx, child),
            Task::Stream => self.stream_ended(ctx, &child),
            Task::Rewrite => self.rewrite_ended(ctx, &child),
        }
        self.start_pending_save(ctx);
    }

    fn save_ended(&mut self, ctx: &mut Ctx<'_>, child: Child) {
        let now = ctx.now.secs();
        let storage = &mut self.server.storage;
        storage.last_duration = Some(now - child.started);
        if child.end == Some(End::Killed) {
            let text = format_args!("Background saving terminated by signal 10");
            self.log(ctx, Level::Warning, text);
            self.drop_replicas_without_dump(ctx);
            return;
        }
        storage.dirty = storage.dirty.saturating_sub(child.dirty_at_start);
        storage.last_save = now;
        let text = format_args!("Background saving terminated with success");
        self.log(ctx, Level::Notice, text);
        if let Some(dump) = child.dump {
            self.send_dump(ctx, &dump);
        }
    }

    fn stream_ended(&mut self, ctx: &mut Ctx<'_>, child: &Child) {
        self.server.storage.last_duration = Some(ctx.now.secs() - child.started);
        if child.end == Some(End::Killed) {
            let text = format_args!("Background transfer terminated by signal 10");
            self.log(ctx, Level::Warning, text);
            return self.drop_replicas_without_dump(ctx);
        }
        let text = format_args!("Background RDB transfer terminated with success");
        self.log(ctx, Level::Notice, text);
        self.await_acks_of_streamed(ctx);
    }

    fn rewrite_ended(&mut self, ctx: &mut Ctx<'_>, child: &Child) {
        self.server.storage.last_rewrite_duration = Some(ctx.now.secs() - child.started);
        for line in [
            "Background AOF rewrite terminated with success",
            "Residual parent diff successfully flushed to the rewritten AOF (0.00 MB)",
            "Background AOF rewrite finished successfully",
        ] {
            self.log(ctx, Level::Notice, format_args!("{line}"));
        }
    }

    /// Stops a child that saves, if one does. That it is gone will be noticed as if it had ended by
    /// itself; one that has already ended can not be stopped any more.
    pub(crate) fn kill_save(&mut self) {
        let child = self.server.storage.child.as_mut();
        if let Some(child) = child.filter(|child| child.task != Task::Rewrite) {
            child.end.get_or_insert(End::Killed);
        }
    }

    /// Stops a child that rewrites the append-only file, if one does, and waits for its end.
    pub(crate) fn kill_rewrite(&mut self, ctx: &mut Ctx<'_>) {
        let rewrites = |child: &mut Child| child.task == Task::Rewrite;
        if let Some(child) = self.server.storage.child.take_if(rewrites) {
            let text = format_args!("Killing running AOF rewrite child: {}", child.pid);
            self.log(ctx, Level::Notice, text);
        }
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
        self.kill_save();
    }
}
