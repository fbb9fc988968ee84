//! The child that writes a data set to disk for replicas that start anew (A.9).
//!
//! It runs beside the server. Its end is noticed only by the next `serverCron`, which then sends the
//! file to whoever waits for it.

use std::sync::Arc;

use crate::node::Node;
use crate::node::effect::{Ctx, Effect};
use crate::node::log::{Level, Role};
use crate::node::replication::dump::Dump;
use crate::node::replication::upstream::Upstream;
use crate::time::Span;

/// A running or just ended child.
#[derive(Debug, Clone)]
pub struct BackgroundSave {
    /// Its process id.
    pub pid: u32,
    /// What it writes: the data set of the moment in which it was started.
    pub dump: Arc<Dump>,
    /// Whether it has ended.
    pub ended: bool,
}

/// Starting a process, opening and closing the file (observed: 1 to 3 ms for an empty data set).
const SAVE_BASE: (Span, Span) = (Span::micros(1_200), Span::micros(2_600));
/// How many bytes a child writes in a microsecond.
const BYTES_PER_MICRO: u64 = 100;

impl Node {
    /// Starts a child that saves the keys as they are now.
    pub(crate) fn start_save(&mut self, ctx: &mut Ctx<'_>) {
        let mut keys = self.keys.clone();
        keys.saved_at = Some(ctx.now.secs());
        keys.position = self.position_to_save();
        let dump = Arc::new(Dump::new(keys, self.replication.history.offset));
        let replication = &mut self.replication;
        let pid = replication.last_child + 1 + replication.draws.below(3);
        let base = replication.draws.span(SAVE_BASE.0, SAVE_BASE.1);
        let runs = base + Span::micros(dump.bytes() / BYTES_PER_MICRO);
        replication.last_child = pid;
        replication.save = Some(BackgroundSave { pid, dump, ended: false });
        ctx.out.effects.push(Effect::Fork { pid, runs });
        self.log(ctx, Level::Notice, format_args!("Background saving started by pid {pid}"));
    }

    /// A child has ended; its last words.
    pub(crate) fn child_exit(&mut self, ctx: &mut Ctx<'_>, pid: u32) {
        let Some(save) = self.replication.save.as_mut().filter(|save| save.pid == pid) else {
            return;
        };
        save.ended = true;
        if ctx.out.logs(Level::Notice) {
            for text in ["DB saved on disk", "RDB: 0 MB of memory used by copy-on-write"] {
                ctx.out.effects.push(Effect::Log {
                    level: Level::Notice,
                    role: Role::Fork(pid),
                    text: text.to_owned(),
                });
            }
        }
    }

    /// Notices that the child has ended (§0.1.4) and sends what it wrote to those who wait.
    pub(crate) fn reap_save(&mut self, ctx: &mut Ctx<'_>) {
        let Some(save) = self.replication.save.take_if(|save| save.ended) else { return };
        self.log(ctx, Level::Notice, format_args!("Background saving terminated with success"));
        self.process.dump = Some(Arc::clone(&save.dump));
        self.send_dump(ctx, &save.dump);
    }

    /// A data set from the master is about to be loaded: what the child writes is worth nothing now.
    pub(crate) fn kill_save(&mut self, ctx: &mut Ctx<'_>) {
        let Some(save) = self.replication.save.take() else { return };
        let pid = save.pid;
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

    /// What a file says about replication, if it can be told: a master without backlog has nothing
    /// to tell, a replica must have been connected.
    pub(crate) fn position_to_save(&self) -> Option<crate::node::replication::message::Position> {
        let replication = &self.replication;
        let known = match replication.master {
            None => replication.history.backlog.is_some(),
            Some(_) => {
                matches!(replication.upstream, Upstream::Connected { .. })
                    || replication.cached_master.is_some()
            }
        };
        known.then(|| replication.history.position())
    }
}
