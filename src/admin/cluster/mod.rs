//! `redis-cli --cluster`: one file for each sub-command and for each thing that they share.
//!
//! Every sub-command first loads the cluster as its nodes describe it ([`load`]) into a list of
//! [`Member`]s. The order of that list decides almost every order of commands and of
//! lines. Everything is strictly sequential: one command, one reply (cli §3.8).

mod add_node;
mod anti_affinity;
mod backup;
mod call;
mod check;
mod create;
mod del_node;
mod fix_coverage;
mod fix_open;
mod fix_owners;
mod hash_order;
mod help;
mod import;
mod info;
mod join;
mod load;
mod messages;
mod model;
mod move_slot;
mod plan;
mod questions;
mod rebalance;
mod reshard;
mod set_timeout;
mod vet;

use std::ops::{Index, IndexMut};

use super::host::{Address, Channel, Host};
use super::numbers::atoi;
use super::options::{ClusterCommand, ClusterOptions, Credentials, Options};
use super::{Shell, Stop};
use crate::resp::{Args, Reply};
use model::{Member, NodeName};

/// What every sub-command with an address says if it is none (cli §2.1).
const BAD_ADDRESS: &str = "[ERR] Invalid arguments: you need to pass either a valid address (ie. \
    120.0.0.1:7000) or space separated IP and port (ie. 120.0.0.1 7000)\n";

/// Runs a sub-command to its end.
pub(super) async fn run<H: Host>(
    host: &mut H,
    shell: &Shell,
    options: &Options,
    command: &ClusterCommand,
) -> Result<(), Stop> {
    let mut manager = Manager {
        host,
        options: &command.options,
        credentials: &options.credentials,
        colours: shell.colours,
        verbose: options.verbose,
        fixing: command.name == "fix",
        nodes: Vec::new(),
        unreachable_masters: 0,
        errors: 0,
    };
    let arguments = command.arguments.as_slice();
    let Some(arity) = help::arity(&command.name) else {
        manager.complain("Unknown --cluster subcommand\n");
        return Err(Stop::exit(1));
    };
    if !arity.allows(arguments.len()) {
        manager.complain("[ERR] Wrong number of arguments for specified --cluster sub command\n");
        return Err(Stop::exit(1));
    }
    match command.name.as_str() {
        "create" => manager.create(arguments).await,
        "check" | "fix" => manager.check(arguments).await,
        "info" => manager.info_command(arguments).await,
        "reshard" => manager.reshard(arguments).await,
        "rebalance" => manager.rebalance(arguments).await,
        "add-node" => manager.add_node(arguments).await,
        "del-node" => manager.del_node(arguments).await,
        "call" => manager.call_command(arguments).await,
        "set-timeout" => manager.set_timeout(arguments).await,
        "import" => manager.import(arguments).await,
        "backup" => manager.backup(arguments).await,
        _ => manager.help(),
    }
}

/// A sub-command under way.
struct Manager<'a, H> {
    host: &'a mut H,
    options: &'a ClusterOptions,
    credentials: &'a Credentials,
    colours: bool,
    verbose: bool,
    /// What the check finds is to be repaired.
    fixing: bool,
    /// The nodes, in the order in which they were loaded (cli §3.3).
    nodes: Vec<Member>,
    /// Masters that are known but did not make it into the list (cli §3.3).
    unreachable_masters: u32,
    /// What the check found to be wrong (cli §4).
    errors: u32,
}

/// A place in the list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MemberIx(usize);

/// The node that was given on the command line.
const REFERENCE: MemberIx = MemberIx(0);

impl<H> Index<MemberIx> for Manager<'_, H> {
    type Output = Member;

    fn index(&self, ix: MemberIx) -> &Member {
        &self.nodes[ix.0]
    }
}

impl<H> IndexMut<MemberIx> for Manager<'_, H> {
    fn index_mut(&mut self, ix: MemberIx) -> &mut Member {
        &mut self.nodes[ix.0]
    }
}

impl<H> Manager<'_, H> {
    /// Every node, in list order.
    fn all(&self) -> impl DoubleEndedIterator<Item = MemberIx> + use<H> {
        (0..self.nodes.len()).map(MemberIx)
    }

    /// The nodes without the replica flag, in list order.
    fn masters(&self) -> Vec<MemberIx> {
        self.all().filter(|&ix| !self[ix].flags.slave).collect()
    }

    /// The node with this name, which may be written in capitals (cli §3.4).
    fn by_name(&self, name: &str) -> Option<MemberIx> {
        let name = NodeName::new(name.to_ascii_lowercase());
        self.all().find(|&ix| self[ix].name == name)
    }

    /// The first node whose name begins with these letters (cli §3.4).
    fn by_abbreviated_name(&self, start: &str) -> Option<MemberIx> {
        let start = start.to_ascii_lowercase();
        self.all().find(|&ix| self[ix].name.as_str().starts_with(&start))
    }

    /// The first master with the fewest replicas, as counted when the cluster was loaded
    /// (cli §3.4).
    fn master_with_least_replicas(&self) -> Option<MemberIx> {
        self.masters().into_iter().min_by_key(|&ix| self[ix].replica_count)
    }
}

impl<H: Host> Manager<'_, H> {
    /// Sends a command to a node. No reply means that the connection is lost; nobody is told.
    async fn ask(&mut self, node: MemberIx, command: Args) -> Option<Reply> {
        let connection = self[node].connection?;
        self.host.call(connection, command).await.ok()
    }

    /// Sends a command to a node that must succeed; an error is printed (cli §3.7).
    async fn demand(&mut self, node: MemberIx, command: Args) -> Result<Reply, Stop> {
        let reply = self.ask(node, command).await;
        self.accept(node, reply)
    }

    /// Takes a reply that must not be an error; an error is printed (cli §3.7).
    fn accept(&mut self, node: MemberIx, reply: Option<Reply>) -> Result<Reply, Stop> {
        match reply {
            None => Err(Stop::Failed),
            Some(Reply::Error(text)) => {
                self.print_reply_error(node, &text);
                Err(Stop::Failed)
            }
            Some(reply) => Ok(reply),
        }
    }

    fn print_reply_error(&mut self, node: MemberIx, text: &str) {
        let address = self[node].address.clone();
        self.error(format_args!("Node {address} replied with error:\n{text}\n"));
    }

    /// The address that the arguments name, or the end with an explanation (cli §2.1).
    fn address_argument(&mut self, arguments: &[String]) -> Result<Address, Stop> {
        let address = match arguments {
            [single] => split_address(single),
            [host, port, ..] => Some(Address::new(host, atoi(port))),
            [] => None,
        };
        address.filter(|address| address.port != 0).ok_or_else(|| {
            self.complain(BAD_ADDRESS);
            Stop::Failed
        })
    }

    /// Prints on standard error.
    fn complain(&mut self, text: impl AsRef<[u8]>) {
        self.host.print(Channel::Stderr, text.as_ref());
    }

    /// Prints on standard output without a colour.
    fn say(&mut self, text: impl AsRef<[u8]>) {
        self.host.print(Channel::Stdout, text.as_ref());
    }
}

/// Host and port of `host:port` or `host:port@bus_port`.
fn split_address(text: &str) -> Option<Address> {
    let text = text.rsplit_once('@').map_or(text, |(address, _)| address);
    let (host, port) = text.rsplit_once(':')?;
    Some(Address::new(host, atoi(port)))
}
