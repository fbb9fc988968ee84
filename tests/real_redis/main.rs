//! Our `redis-cli` and the real one against the same real servers must print the same.
//!
//! `REAL_REDIS_DIR` names the directory of `redis-server` and `redis-cli`; without it nothing is
//! compared. A real server lists its nodes in an order that changes when nodes come and go, so most
//! comparisons bring one and the same cluster into the same state twice.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod fixing;
mod joining;
mod looking;
mod moving;

use redis_cluster_sim::admin::Shell;
use support::masking;
use support::real::{Binaries, Servers};
use support::tcp_host::{Ran, run_ours};

/// A cluster of three masters, formed by the real tool, and some servers that are not part of it.
fn three_masters(binaries: &Binaries, spare: usize) -> Servers {
    let servers = Servers::start(binaries, 3 + spare);
    let addresses: Vec<String> = (0..3).map(|number| servers.address(number)).collect();
    let [a, b, c] = [0, 1, 2].map(|number| addresses[number].as_str());
    let ran = binaries.run_cli(&["--cluster", "create", a, b, c, "--cluster-yes"], &[]);
    assert_eq!(ran.exit, 0, "{ran:?}");
    servers.wait_until_settled(0..3);
    servers
}

/// Lets both tools run and compares everything they say.
struct Comparison<'a> {
    binaries: &'a Binaries,
}

impl Comparison<'_> {
    /// For commands that change nothing.
    fn same(&self, words: &[&str]) -> Ran {
        self.same_after(|| {}, words, &[])
    }

    /// Brings the servers into the same state before each run, and answers questions. Gossip of the
    /// servers may come between, so a difference counts only if it persists.
    fn same_after(&self, prepare: impl Fn(), words: &[&str], input: &[&str]) -> Ran {
        let run = || {
            prepare();
            let theirs = self.binaries.run_cli(words, input);
            prepare();
            (run_ours(words, &Shell::default(), input), theirs)
        };
        let (mut ours, mut theirs) = run();
        for _ in 0..2 {
            if ours != theirs {
                (ours, theirs) = run();
            }
        }
        assert_same(words, &ours, &theirs);
        ours
    }

    /// For runs that see another order or other ids.
    fn same_but_for_order_and_ids(&self, prepare: impl Fn(), words: &[&str]) -> Ran {
        prepare();
        let theirs = comparable(self.binaries.run_cli(words, &[]));
        prepare();
        let ours = comparable(run_ours(words, &Shell::default(), &[]));
        assert_same(words, &ours, &theirs);
        ours
    }
}

/// Without ids, without the order of nodes, and without the number of seconds that a join took.
fn comparable(ran: Ran) -> Ran {
    let text = masking::sort_by_address(&masking::sort_listings(&masking::ids(&ran.stdout)));
    let lines =
        text.split_inclusive('\n').filter(|line| !line.trim_matches(['.', '\n']).is_empty());
    Ran { stdout: lines.collect(), stderr: masking::ids(&ran.stderr), exit: ran.exit }
}

fn assert_same(words: &[&str], ours: &Ran, theirs: &Ran) {
    let mut lines = ours.stdout.lines().zip(theirs.stdout.lines());
    if let Some((ours, theirs)) = lines.find(|(ours, theirs)| ours != theirs) {
        panic!("{words:?}: where the real tool says\n{theirs}\nwe say\n{ours}");
    }
    assert_eq!(ours.stdout, theirs.stdout, "stdout of {words:?}");
    assert_eq!(ours.stderr, theirs.stderr, "stderr of {words:?}");
    assert_eq!(ours.exit, theirs.exit, "exit code of {words:?}");
}
