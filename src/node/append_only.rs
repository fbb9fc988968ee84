//! When the append-only file is synced, and so what of it is left when the power fails.
//!
//! A write is in the file before anybody hears of it, and the kernel keeps the file whatever happens to
//! the process. Only what was synced outlives a failure of the power, too: with `appendfsync always`
//! everything, with `everysec` all but what was written since the present second of the clock began, whose
//! first pass of the event loop syncs, with `no` what the kernel has written back of its own accord.

use crate::node::Node;
use crate::node::config::setting::AppendFsync;
use crate::node::effect::{Ctx, Effect};
use crate::time::{Span, Wall};

/// What a kernel has held for so long it writes to disk though nobody asks (Linux's
/// `vm.dirty_expire_centisecs`).
pub const WRITE_BACK: Span = Span::secs(30);

/// The syncs of the append-only file.
#[derive(Debug, Default)]
pub(crate) struct Syncs {
    /// When the file was last synced, in Unix seconds.
    last: i64,
    /// When the first write came that the disk does not have yet.
    dirty_since: Option<Wall>,
}

impl Node {
    /// The end of a pass: syncs the append-only file if that is due.
    #[inline]
    pub(crate) fn flush_append_only_file(&mut self, ctx: &mut Ctx<'_>) {
        match (self.config.appendonly, self.keys.has_journal()) {
            (false, false) => {}
            (false, true) => self.keys.end_journal(),
            (true, false) => self.is_synced(ctx.now),
            (true, true) if self.keys.is_changed() => self.sync_if_due(ctx),
            (true, true) => {}
        }
    }

    fn sync_if_due(&mut self, ctx: &mut Ctx<'_>) {
        let syncs = &mut self.server.storage.syncs;
        let now = ctx.now;
        syncs.dirty_since.get_or_insert(now);
        let policy = self.config.append_fsync;
        let is_told = match policy {
            AppendFsync::Always => self.keys.take_touched(),
            AppendFsync::EverySecond => now.secs() > syncs.last,
            AppendFsync::No => false,
        };
        if is_told && policy == AppendFsync::Always {
            ctx.out.effects.push(Effect::SyncKeys);
        }
        if syncs.is_written_back(now) || (is_told && self.process.disk_syncs) {
            self.is_synced(now);
        }
    }

    /// The disk has the whole file.
    fn is_synced(&mut self, now: Wall) {
        self.server.storage.syncs = Syncs { last: now.secs(), dirty_since: None };
        self.keys.begin_journal();
    }

    /// A child has written the file anew and synced it; it has heard of every write until now.
    pub(crate) fn append_only_file_is_rewritten(&mut self, now: Wall) {
        if self.keys.has_journal() && self.process.disk_syncs {
            self.is_synced(now);
        }
    }
}

impl Syncs {
    /// Whether the kernel has long written back what it was given.
    pub(crate) fn is_written_back(&self, now: Wall) -> bool {
        self.dirty_since.is_some_and(|since| now.0.saturating_sub(since.0) >= WRITE_BACK.0)
    }
}

#[cfg(test)]
mod tests {
    use crate::node::config::Config;
    use crate::node::effect::Effect;
    use crate::node::keyspace::Keyspace;
    use crate::node::lab::Lab;
    use crate::node::process::{Boot, Death, Disk};
    use crate::time::Span;

    fn alone(appendfsync: &str, disk_syncs: bool) -> Lab {
        let mut config = Config::default();
        config.set("appendonly", "yes").unwrap();
        config.set("appendfsync", appendfsync).unwrap();
        let mut lab =
            Lab::start(1, |_| Disk { ignores_syncs: !disk_syncs, ..Disk::default() }, config);
        let slots: Vec<String> = (0..16_384).map(|slot| slot.to_string()).collect();
        lab.ask(0, &format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
        lab.run(6_000);
        lab
    }

    /// The keys that are left when the power fails so many milliseconds after the last write, which came
    /// so many after the one before.
    fn left(mut lab: Lab, between: u64, after: u64) -> Vec<String> {
        lab.ask(0, "SET first v");
        lab.run(between);
        lab.ask(0, "SET last v");
        lab.run(after);
        let node = lab.nodes[0].take().unwrap();
        let keys = node.surviving_keys(Death::PowerFailure(lab.now)).unwrap();
        let mut names: Vec<String> =
            keys.iter().map(|(key, _)| String::from_utf8_lossy(key).into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_synced_outlives_a_failure_of_the_power() {
        assert_eq!(left(alone("always", true), 10, 0), ["first", "last"]);
        assert_eq!(left(alone("everysec", true), 10, 0), ["first"]);
        assert_eq!(left(alone("everysec", true), 10, 1_200), ["first", "last"]);
        assert_eq!(left(alone("no", true), 10, 20_000), [""; 0]);
        assert_eq!(left(alone("no", true), 10, 30_200), ["first", "last"]);
        assert_eq!(left(alone("no", true), 31_000, 5_000), ["first"]);
    }

    #[test]
    fn a_disk_that_only_says_that_it_syncs_has_what_the_kernel_wrote_back() {
        for policy in ["always", "everysec"] {
            assert_eq!(left(alone(policy, false), 10, 5_000), [""; 0], "{policy}");
            assert_eq!(left(alone(policy, false), 10, 30_200), ["first", "last"], "{policy}");
        }
    }

    #[test]
    fn a_kernel_writes_back_also_if_the_process_does_nothing() {
        for (seconds, keys) in [(29, 0), (31, 1)] {
            let mut lab = alone("no", true);
            lab.ask(0, "SET k v");
            let node = lab.nodes[0].take().unwrap();
            let later = Death::PowerFailure(lab.now + Span::secs(seconds));
            assert_eq!(node.surviving_keys(later).unwrap().len(), keys);
        }
    }

    #[test]
    fn a_rewritten_file_is_synced() {
        let mut lab = alone("no", true);
        lab.ask(0, "SET k v");
        lab.ask(0, "BGREWRITEAOF");
        lab.run(2_000);
        assert_eq!(left(lab, 10, 10), ["k"]);
    }

    #[test]
    fn what_was_written_is_synced_once_also_if_the_disk_ignores_it() {
        let mut lab = alone("always", false);
        lab.ask(0, "SET k v");
        let is_sync = |effect: &Effect| matches!(effect, Effect::SyncKeys);
        for writes in [true, false, true] {
            lab.act(0, |node, ctx| {
                if writes {
                    node.keys.insert_string(b"k", b"w");
                }
                node.flush_append_only_file(ctx);
                assert_eq!(ctx.out.effects.iter().any(is_sync), writes);
            });
        }
    }

    #[test]
    fn only_a_failure_of_the_power_loses_what_was_written() {
        let mut lab = alone("no", true);
        lab.ask(0, "SET k v");
        let keys = lab.nodes[0].take().unwrap().surviving_keys(Death::Killed).unwrap();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_process_that_is_killed_before_it_has_read_its_keys_leaves_them() {
        let mut found = Keyspace::default();
        found.insert_string(b"k", b"v");
        for appendonly in [false, true] {
            let mut lab = Lab::alone(1);
            let boot = Boot {
                config: Config { appendonly, ..Config::default() },
                disk: Disk { keys: Some(found.clone()), ..Disk::default() },
                ..lab.boot_of(0)
            };
            let started = lab.starting(boot);
            assert_eq!(started.keys_on_disk(), Some(found.clone()));
            assert_eq!(started.surviving_keys(Death::Killed), Some(found.clone()));
        }
    }

    #[test]
    fn an_append_only_file_that_is_switched_on_later_begins_with_what_is_there() {
        let mut lab = alone("no", true);
        lab.ask(0, "CONFIG SET appendonly no");
        lab.ask(0, "SET k v");
        lab.ask(0, "CONFIG SET appendonly yes");
        assert_eq!(left(lab, 10, 10), ["k"]);
    }

    #[test]
    fn a_reply_waits_for_the_sync_only_if_every_write_is_synced() {
        for (policy, waits) in [("always", true), ("everysec", false)] {
            let mut lab = alone(policy, true);
            lab.ask(0, "SET k v");
            let is_sync = |effect: &Effect| matches!(effect, Effect::SyncKeys);
            lab.act(0, |node, ctx| {
                node.keys.insert_string(b"k", b"w");
                node.flush_append_only_file(ctx);
                assert_eq!(ctx.out.effects.iter().any(is_sync), waits, "{policy}");
            });
        }
    }
}
