//! Loading a data set: at the start, or to synchronize with a master (A.9, §13.3.11).
//!
//! A process that loads does nothing else. Only at the end of each part of a file it looks at what has
//! come in: it answers INFO and the like, refuses other commands with -LOADING (§9.0.2), and reads what
//! its peers say; but neither a cron runs nor is anything done before it sleeps (§0.2, 15.37).
//!
//! What is loaded comes from a file, or straight from the connection to the master
//! (`repl-diskless-load`). In the second case it may end too soon; then the keys from before come back,
//! if they were to be kept (`swapdb`).

use std::sync::Arc;

use crate::node::Node;
use crate::node::config::DisklessLoad;
use crate::node::dump::{self, Dump, MEMORY_WHEN_CREATED, Mark, NOTICEABLE};
use crate::node::effect::{Ctx, Effect, Exit, LinkEnd, LinkId, Loss};
use crate::node::info::percentage;
use crate::node::keyspace::Keyspace;
use crate::node::log::Level;
use crate::node::replication::message::{Position, ReplMessage};
use crate::time::{Span, Wall};

/// A data set that is being loaded.
#[derive(Debug)]
pub struct Loading {
    dump: Arc<Dump>,
    /// How many parts are loaded.
    done: usize,
    source: Source,
    purpose: Purpose,
    /// Whether only its end tells how long it is.
    marked: bool,
    /// The keys from before.
    before: Keyspace,
    /// When it began.
    started: Wall,
    /// When the master was last told that I am still here, in Unix seconds.
    newline_at: i64,
    /// What came from the master meanwhile and is read afterwards.
    unread: Vec<Unread>,
}

/// Where the data set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From a file.
    File,
    /// From the connection to the master.
    Connection {
        /// How many parts have arrived.
        arrived: usize,
        /// Whether nothing more will arrive.
        cut: bool,
        /// Whether the process waits for more.
        reading: bool,
    },
}

/// What for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The process is starting.
    Start,
    /// To be in this position of the master's history.
    Synchronize { link: LinkId, goal: Position },
}

/// What came on the connection to the master.
#[derive(Debug)]
enum Unread {
    Message(ReplMessage),
    Lost(LinkEnd, Loss),
}

impl Loading {
    fn is_from(&self, link: LinkId) -> bool {
        matches!(self.purpose, Purpose::Synchronize { link: mine, .. } if mine == link)
    }

    /// How much is loaded.
    fn progress(&self) -> Mark {
        self.dump.part_begins(self.done)
    }

    /// What INFO says of it.
    pub(crate) fn info(&self, now: i64) -> String {
        let loaded = self.progress().bytes;
        let total = if self.marked { 0 } else { self.dump.bytes() };
        // Of what is streamed nobody knows the size; the memory that it needed is a bad estimate.
        let (share, rest) = match total {
            0 if loaded >= MEMORY_WHEN_CREATED => ("99.99".to_owned(), 1),
            0 => (percentage(loaded, MEMORY_WHEN_CREATED), MEMORY_WHEN_CREATED - loaded),
            _ => (percentage(loaded, total), total - loaded),
        };
        let eta = match now - self.started.secs() {
            0 => 1,
            elapsed => elapsed * rest as i64 / (loaded as i64 + 1),
        };
        format!(
            "loading_start_time:{}\r\nloading_total_bytes:{total}\r\n\
             loading_rdb_used_mem:{MEMORY_WHEN_CREATED}\r\nloading_loaded_bytes:{loaded}\r\n\
             loading_loaded_perc:{share}\r\nloading_eta_seconds:{eta}\r\n",
            self.started.secs(),
        )
    }

    /// What is on disk meanwhile, if all changes are written there: what was there before.
    pub(crate) fn keys_on_disk(&self) -> &Keyspace {
        match self.purpose {
            Purpose::Start => &self.dump.keys,
            Purpose::Synchronize { .. } => &self.before,
        }
    }

    /// The same, when nobody loads any more.
    pub(crate) fn into_surviving_keys(self) -> Keyspace {
        match self.purpose {
            Purpose::Start => Arc::unwrap_or_clone(self.dump).keys,
            Purpose::Synchronize { .. } => self.before,
        }
    }
}

/// How long it takes to handle keys that each cost so many microseconds. Negative, so many keys cost one.
pub(crate) fn key_delay(keys: usize, delay: i64) -> Span {
    let keys = keys as u64;
    match u64::try_from(delay) {
        Ok(micros) => Span::micros(keys * micros),
        Err(_) => Span::micros(keys / delay.unsigned_abs()),
    }
}

impl Node {
    /// Whether this process is loading a data set.
    pub(crate) fn is_loading(&self) -> bool {
        self.loading.is_some()
    }

    /// Whether it reads from the bus while it loads: not before it has begun to serve (15.37).
    pub(crate) fn takes_in_peers(&self) -> bool {
        self.loading.as_ref().is_none_or(|loading| loading.purpose != Purpose::Start)
    }

    /// Loads what was found on disk.
    pub(super) fn load_at_start(&mut self, ctx: &mut Ctx<'_>, dump: Arc<Dump>) {
        if dump.marks().len() > 1 {
            // Clients can connect already.
            self.process.listens = true;
            ctx.out.effects.push(Effect::Listen);
        }
        self.begin_loading(ctx, dump, Source::File, Purpose::Start);
    }

    /// Puts a data set from the master in the place of my keys (A.9): from a file, or from the
    /// connection, on which so many parts of it have arrived.
    pub(super) fn load_for_master(
        &mut self,
        ctx: &mut Ctx<'_>,
        (link, goal): (LinkId, Position),
        dump: Arc<Dump>,
        arrived: Option<usize>,
    ) {
        let source = match arrived {
            Some(arrived) => Source::Connection { arrived, cut: false, reading: false },
            None => Source::File,
        };
        let saved = dump.keys.saved_at.unwrap_or(ctx.now.secs());
        self.tell_of_file(ctx, saved);
        self.begin_loading(ctx, dump, source, Purpose::Synchronize { link, goal });
    }

    fn begin_loading(
        &mut self,
        ctx: &mut Ctx<'_>,
        dump: Arc<Dump>,
        source: Source,
        purpose: Purpose,
    ) {
        self.touch_watched_keys();
        let present = std::mem::take(&mut self.keys);
        // A load that another one cuts short leaves nothing.
        let mut before = self.loading.take().map_or(present, |cut_short| cut_short.before);
        if self.process.disk_syncs {
            // Nothing is appended meanwhile, so the file was synced and closed.
            before.end_journal();
        }
        self.loading = Some(Loading {
            dump,
            done: 0,
            source,
            purpose,
            marked: self.replication.upstream.is_marked_transfer(),
            before,
            started: ctx.now,
            newline_at: 0,
            unread: Vec::new(),
        });
        self.load_on(ctx);
    }

    /// Loads the next part, or waits for it.
    fn load_on(&mut self, ctx: &mut Ctx<'_>) {
        let delay = self.config.key_load_delay;
        let limit = Span::secs(self.config.repl_timeout.unsigned_abs());
        let Some(loading) = &mut self.loading else { return };
        let part = loading.done;
        let mut takes = key_delay(loading.dump.part(part).keys, delay);
        match &mut loading.source {
            Source::File => {
                takes = takes + dump::handling_time(loading.dump.part(part).bytes);
            }
            Source::Connection { arrived, .. } if *arrived > part => {}
            Source::Connection { cut: true, .. } => return self.break_off_loading(ctx),
            Source::Connection { reading, .. } => {
                *reading = true;
                if let Purpose::Synchronize { link, .. } = loading.purpose {
                    ctx.out.effects.push(Effect::ReadFrom(link, limit));
                }
                return;
            }
        }
        loading.done += 1;
        if !loading.dump.is_last(part) {
            let (from, keys) = (loading.dump.part_begins(part).keys, loading.dump.part(part).keys);
            self.keys.load_part(&loading.dump.keys, from, keys);
            ctx.out.effects.push(Effect::LoadFor(takes));
            return;
        }
        if takes < NOTICEABLE {
            takes = Span::ZERO;
        } else {
            ctx.out.effects.push(Effect::Sleep(takes));
        }
        self.finish_loading(ctx, takes);
    }

    /// A part is loaded, and what came in meanwhile is served.
    pub(super) fn load_step(&mut self, ctx: &mut Ctx<'_>) {
        self.process.cached_time = ctx.now.millis();
        self.tell_master_that_i_load(ctx);
        self.load_on(ctx);
    }

    /// Nothing came from the master for too long: as if the connection were gone.
    pub(super) fn read_timeout(&mut self, ctx: &mut Ctx<'_>) {
        if let Some(Loading { source: Source::Connection { reading, cut, .. }, .. }) =
            &mut self.loading
            && *reading
        {
            (*reading, *cut) = (false, true);
            self.load_on(ctx);
        }
    }

    fn tell_master_that_i_load(&mut self, ctx: &mut Ctx<'_>) {
        let now = self.unix_now();
        let Some(loading) = &mut self.loading else { return };
        if let Purpose::Synchronize { link, .. } = loading.purpose
            && loading.newline_at != now
            && self.replication.upstream.link() == Some(link)
        {
            loading.newline_at = now;
            ctx.out.effects.push(Effect::ReplSend(link, ReplMessage::Newline));
        }
    }

    /// A message from the master that comes while I load what it sent before: the next part of that, or
    /// something to be read afterwards. Gives it back if it has nothing to do with loading.
    pub(super) fn keep_while_loading(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        message: ReplMessage,
    ) -> Option<ReplMessage> {
        let Some(loading) = self.loading.as_mut().filter(|loading| loading.is_from(link)) else {
            return Some(message);
        };
        match (&mut loading.source, message) {
            (Source::Connection { arrived, reading, .. }, ReplMessage::DumpPart(_, part)) => {
                *arrived = part + 1;
                if std::mem::take(reading) {
                    self.load_on(ctx);
                }
            }
            (_, message) => loading.unread.push(Unread::Message(message)),
        }
        None
    }

    /// The connection to the master is lost while I load what it sent. Says whether that is so.
    pub(super) fn cut_while_loading(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: LinkEnd,
        loss: Loss,
    ) -> bool {
        let Some(loading) = self.loading.as_mut().filter(|loading| loading.is_from(end.id)) else {
            return false;
        };
        match &mut loading.source {
            Source::Connection { cut, reading, .. } => {
                *cut = true;
                if std::mem::take(reading) {
                    self.load_on(ctx);
                }
            }
            Source::File => loading.unread.push(Unread::Lost(end, loss)),
        }
        true
    }

    /// I have closed the connection from which I load.
    pub(super) fn stop_reading_from(&mut self, link: LinkId) {
        if let Some(loading) = self.loading.as_mut().filter(|loading| loading.is_from(link))
            && let Source::Connection { cut, .. } = &mut loading.source
        {
            *cut = true;
        }
    }

    fn finish_loading(&mut self, ctx: &mut Ctx<'_>, took: Span) {
        let Some(loading) = self.loading.take() else { return };
        self.keys = match (loading.purpose, self.config.appendonly) {
            // The changes are made again, one after the other.
            (Purpose::Start, true) => loading.dump.keys.replayed(),
            _ => loading.dump.keys.loaded(),
        };
        match loading.purpose {
            Purpose::Start => {
                let in_all = Span::micros(ctx.now.0 - loading.started.0) + took;
                self.loaded_at_start(ctx, &loading.dump, in_all);
            }
            Purpose::Synchronize { link, goal } => {
                self.synchronized(ctx, link, goal);
                self.read_on(ctx, link, loading.unread);
            }
        }
    }

    /// The rest of the data set will never come.
    fn break_off_loading(&mut self, ctx: &mut Ctx<'_>) {
        let Some(loading) = self.loading.take() else { return };
        let offset = loading.progress().bytes;
        for text in [
            "Short read or OOM loading DB. Unrecoverable error, aborting now.".to_owned(),
            format!(
                "Internal error in RDB reading offset {offset}, function at rdb.c:2626 -> Unexpected \
                 EOF reading RDB file. Failure loading rdb format from socket, assuming connection \
                 error, resuming operation."
            ),
            "Failed trying to load the MASTER synchronization DB from socket".to_owned(),
        ] {
            self.log(ctx, Level::Warning, format_args!("{text}"));
        }
        if let Purpose::Synchronize { link, .. } = loading.purpose
            && self.replication.upstream.link() == Some(link)
        {
            self.retry_upstream(ctx);
        }
        self.empty_keys();
        if self.config.repl_diskless_load == DisklessLoad::SwapDb {
            self.keys = loading.before;
        }
    }

    fn read_on(&mut self, ctx: &mut Ctx<'_>, link: LinkId, unread: Vec<Unread>) {
        for what in unread {
            match what {
                Unread::Message(message) => self.upstream_message(ctx, link, message),
                Unread::Lost(end, loss) => self.upstream_lost(ctx, end, loss),
            }
        }
    }

    /// SIGTERM, while nothing is there that could be saved (Appendix B.1).
    pub(super) fn give_up_loading(&mut self, ctx: &mut Ctx<'_>) {
        let text = format_args!("Received shutdown signal during loading, exiting now.");
        self.log(ctx, Level::Warning, text);
        ctx.out.effects.push(Effect::Exit(Exit::Shutdown));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::config::Config;
    use crate::node::keyspace::Value;
    use crate::node::lab::Lab;
    use crate::node::process::{Death, Disk};
    use crate::resp::Reply;

    /// A node that is starting with ten megabytes of keys.
    fn starting(appendonly: bool) -> Lab {
        let mut found = Keyspace::default();
        for number in 0..1_000 {
            found.insert(format!("{{b}}{number}").as_bytes(), Value::String(vec![b'x'; 10_000]));
        }
        let mut config = Config::default();
        config.set("appendonly", if appendonly { "yes" } else { "no" }).unwrap();
        Lab::start(1, |_| Disk { keys: Some(found.clone()), ..Disk::default() }, config)
    }

    #[test]
    fn a_process_that_starts_with_much_to_load_refuses_commands_and_peers_meanwhile_15_37() {
        let mut lab = starting(false);
        assert!(lab.node(0).is_loading());
        assert!(!lab.node(0).takes_in_peers());
        let refusal = Reply::Error("LOADING Redis is loading the dataset in memory".to_owned());
        assert_eq!(lab.ask(0, "CLUSTER INFO"), refusal);
        assert_eq!(lab.ask(0, "PING"), refusal);
        let info = lab.ask(0, "INFO persistence");
        let info = info.text().unwrap();
        for line in [
            "loading:1",
            "loading_total_bytes:10009988",
            "loading_loaded_bytes:2092163",
            "loading_loaded_perc:20.90",
            "loading_eta_seconds:1",
        ] {
            assert!(info.lines().any(|one| one == line), "{line} {info}");
        }
        lab.run(150);
        assert!(lab.node(0).takes_in_peers());
        let loaded =
            |line: &crate::node::lab::Line| line.text.starts_with("DB loaded from disk: 0.10");
        assert!(lab.lines.iter().any(loaded));
        assert!(lab.logged(0, "Ready to accept connections"));
        assert_eq!(lab.node(0).keys.len(), 1_000);
        assert_eq!(lab.ask(0, "PING"), Reply::Status("PONG".to_owned()));
    }

    #[test]
    fn a_process_that_dies_while_it_loads_leaves_its_files_as_they_were() {
        for appendonly in [false, true] {
            let mut lab = starting(appendonly);
            assert!(lab.node(0).is_loading());
            let keys = lab.nodes[0].take().unwrap().surviving_keys(Death::Killed).unwrap();
            assert_eq!(keys.len(), 1_000);
        }
    }

    #[test]
    fn a_process_that_is_told_to_end_while_it_loads_saves_nothing_b_1() {
        let mut lab = starting(false);
        lab.input(0, crate::node::effect::Input::Terminate);
        assert!(lab.logged(0, "Received shutdown signal during loading, exiting now."));
        assert_eq!(lab.exits, [(0, Exit::Shutdown)]);
        let mut lab = starting(false);
        lab.replies.clear();
        let words = crate::resp::args(["SHUTDOWN", "SAVE"]);
        lab.input(0, crate::node::effect::Input::Command(LinkId(1_001), words.into()));
        assert!(!lab.logged(0, "Saving the final RDB snapshot before exiting."));
        assert_eq!(lab.exits, [(0, Exit::Shutdown)]);
    }

    #[test]
    fn keys_can_take_their_time() {
        assert_eq!(key_delay(10, 50), Span::micros(500));
        assert_eq!(key_delay(10, -3), Span::micros(3));
        assert_eq!(key_delay(10, 0), Span::ZERO);
    }
}
