//! Which sub-commands there are, how many arguments they take, and `help` (cli §2.2, cli §17).

use super::{Host, Manager, Stop};

/// How many arguments a sub-command takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arity {
    Any,
    Exactly(usize),
    AtLeast(usize),
}

impl Arity {
    pub(super) fn allows(self, count: usize) -> bool {
        match self {
            Arity::Any => true,
            Arity::Exactly(number) => count == number,
            Arity::AtLeast(number) => count >= number,
        }
    }
}

/// A sub-command: its name, its arguments, and the options that belong to it.
struct Entry {
    name: &'static str,
    arity: Arity,
    arguments: &'static str,
    options: &'static [&'static str],
}

const fn entry(
    name: &'static str,
    arity: Arity,
    arguments: &'static str,
    options: &'static [&'static str],
) -> Entry {
    Entry { name, arity, arguments, options }
}

const ENTRIES: [Entry; 13] = [
    entry("create", Arity::AtLeast(2), "host1:port1 ... hostN:portN", &["replicas <arg>"]),
    entry("check", Arity::AtLeast(1), "host:port", &["search-multiple-owners"]),
    entry("info", Arity::AtLeast(1), "host:port", &[]),
    entry(
        "fix",
        Arity::AtLeast(1),
        "host:port",
        &["search-multiple-owners", "fix-with-unreachable-masters"],
    ),
    entry(
        "reshard",
        Arity::AtLeast(1),
        "host:port",
        &[
            "from <arg>",
            "to <arg>",
            "slots <arg>",
            "yes",
            "timeout <arg>",
            "pipeline <arg>",
            "replace",
        ],
    ),
    entry(
        "rebalance",
        Arity::AtLeast(1),
        "host:port",
        &[
            "weight <node1=w1...nodeN=wN>",
            "use-empty-masters",
            "timeout <arg>",
            "simulate",
            "pipeline <arg>",
            "threshold <arg>",
            "replace",
        ],
    ),
    entry(
        "add-node",
        Arity::Exactly(2),
        "new_host:new_port existing_host:existing_port",
        &["slave", "master-id <arg>"],
    ),
    entry("del-node", Arity::Exactly(2), "host:port node_id", &[]),
    entry(
        "call",
        Arity::AtLeast(2),
        "host:port command arg arg .. arg",
        &["only-masters", "only-replicas"],
    ),
    entry("set-timeout", Arity::Exactly(2), "host:port milliseconds", &[]),
    entry(
        "import",
        Arity::Exactly(1),
        "host:port",
        &["from <arg>", "from-user <arg>", "from-pass <arg>", "from-askpass", "copy", "replace"],
    ),
    entry("backup", Arity::Exactly(2), "host:port backup_directory", &[]),
    entry("help", Arity::Any, "", &[]),
];

/// The arity of a sub-command, if there is one of this name.
pub(super) fn arity(name: &str) -> Option<Arity> {
    ENTRIES.iter().find(|entry| entry.name == name).map(|entry| entry.arity)
}

impl<H: Host> Manager<'_, H> {
    /// `help` prints on standard error and never succeeds.
    pub(super) fn help(&mut self) -> Result<(), Stop> {
        let mut text = "Cluster Manager Commands:\n".to_owned();
        for entry in &ENTRIES {
            text += &format!("  {:15}{}\n", entry.name, entry.arguments);
            for option in entry.options {
                text += &format!("{:15}  --cluster-{option}\n", "");
            }
        }
        text += "\nFor check, fix, reshard, del-node, set-timeout you can specify the host and port \
            of any working node in the cluster.\n";
        text += "\nCluster Manager Options:\n";
        text +=
            &format!("  {:15}{}\n\n", "--cluster-yes", "Automatic yes to cluster commands prompts");
        self.complain(text);
        Err(Stop::Failed)
    }
}
