//! Commands of clients: the checks before a command, in Redis's order, and carrying it out.
//!
//! Arguments come in as words, replies leave as [effects](crate::node::effect::Effect::Reply). One file
//! for each family of commands; `table` knows all commands of 6.2, also those that a virtual node does
//! not model.

mod blocking;
mod call;
mod client_list;
mod cluster;
mod connection;
mod debug;
mod error;
mod hash;
mod help;
mod key;
mod list;
pub(crate) mod migrate;
mod outcome;
pub(crate) mod propagate;
mod publish;
mod replicate;
mod scan;
mod server;
mod set;
pub(crate) mod slowlog;
mod spec;
mod standalone;
mod stream;
mod string;
mod table;
pub(crate) mod transaction;
mod wait;

pub(crate) use call::Call;
pub(crate) use error::CommandError;
pub(crate) use list::End;
pub use migrate::call_done;
pub(crate) use outcome::Outcome;
pub(crate) use server::VERSION;
pub(crate) use spec::{Spec, Traits};

use std::sync::Arc;

use crate::node::Node;
use crate::node::client::{Block, Client, Pause, Standing};
use crate::node::command::error::text;
use crate::node::command::spec::Action;
use crate::node::effect::{Ctx, LinkId};
use crate::node::redirect;
use crate::resp::{Args, Reply};
use crate::slot::Slot;

/// What a process says that is loading its data set (§9.0.2).
pub(crate) const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// The names of all commands, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    table::COMMANDS.iter().map(|spec| spec.name)
}

/// Whether a virtual node can carry out a command of this name for a client.
#[must_use]
pub fn is_modelled(name: &str) -> bool {
    // Replication links are connections of their own here.
    let for_replicas = ["psync", "sync"];
    let spec = table::COMMANDS.iter().find(|spec| spec.name.eq_ignore_ascii_case(name));
    spec.is_some_and(|spec| {
        !matches!(spec.action, Action::NotModelled) && !for_replicas.contains(&spec.name)
    })
}

/// Carries out a client's command. The reply, if it is due now, is among the effects.
pub fn execute(node: &mut Node, client: LinkId, args: &Arc<Args>, ctx: &mut Ctx<'_>) {
    if args.is_empty() {
        return;
    }
    let Some(state) = node.clients.get_mut(client) else { return };
    state.last_seen = ctx.now.secs();
    if state.block.is_some() {
        state.pending.push_back(Arc::clone(args));
        return;
    }
    process(node, client, args, ctx);
}

/// The command that these words are.
pub(crate) fn spec_of(args: &[Vec<u8>]) -> Option<&'static Spec> {
    args.first().and_then(|name| table::find(name))
}

/// The command of this name, which Redis has.
pub(crate) fn known(name: &str) -> &'static Spec {
    // Only literal names of commands of Redis are asked for, and a test meets each of them.
    table::find(name.as_bytes()).expect("a command of Redis")
}

/// A client closed its connection.
pub fn client_gone(node: &mut Node, client: LinkId, ctx: &mut Ctx<'_>) {
    node.clients.leave(client);
    node.replica_gone(ctx, client);
}

/// Carries out a command of a client that does not wait, and answers.
fn process(node: &mut Node, client: LinkId, args: &Arc<Args>, ctx: &mut Ctx<'_>) {
    let outcome = dispatch(node, client, args, ctx);
    let asking = args[0].eq_ignore_ascii_case(b"asking");
    outcome::conclude(node, client, outcome, asking, ctx);
    blocking::serve(node, ctx);
}

/// The checks before a command, in Redis's order, then the command itself.
fn dispatch(node: &mut Node, client: LinkId, args: &Arc<Args>, ctx: &mut Ctx<'_>) -> Outcome {
    if args[0].eq_ignore_ascii_case(b"quit") {
        return Outcome::Farewell(Reply::ok());
    }
    let Some(spec) = table::find(&args[0]) else {
        return reject(node, client, None, unknown(args));
    };
    let mut standing = Standing::default();
    if let Some(state) = node.clients.get_mut(client) {
        state.registration.last_command = spec.name;
        standing = state.standing();
    }
    let slot = match check(node, client, standing, spec, args, ctx) {
        Ok(slot) => slot,
        Err(instead) => {
            if matches!(instead, Outcome::Reply(_)) {
                node.server.stats.of_command(spec).rejected += 1;
            }
            return instead;
        }
    };
    if standing.in_transaction && !transaction::runs_at_once(spec) {
        transaction::enqueue(node, client, args);
        return Outcome::Reply(Reply::Status("QUEUED".to_owned()));
    }
    call(node, client, spec, args, slot, false, ctx)
}

/// Whether a command may be carried out now, or queued; then the slot of its keys, if it has any. If
/// not, what to answer instead.
fn check(
    node: &mut Node,
    client: LinkId,
    standing: Standing,
    spec: &'static Spec,
    args: &Arc<Args>,
    ctx: &mut Ctx<'_>,
) -> Result<Option<Slot>, Outcome> {
    if !spec.takes(args.len()) {
        return Err(reject(node, client, Some(spec), CommandError::arity(spec.name)));
    }
    if matches!(spec.action, Action::NotModelled) {
        let error = CommandError::not_modelled(spec);
        return Err(reject(node, client, Some(spec), error));
    }
    let mut slot = None;
    if spec.may_have_keys() || spec.name == "exec" {
        slot = redirect::check(node, client, standing, spec, args, ctx).map_err(|redirect| {
            let error = CommandError::coded(redirect.text(node, ctx));
            transaction::redirected(node, client, spec, error)
        })?;
    }
    let traits = transaction::traits(node, client, spec);
    if let Err(error) = check_role(node, client, standing, spec, traits) {
        return Err(reject(node, client, Some(spec), error));
    }
    let held_back = match node.clients.pause {
        None => false,
        Some(Pause::Writes) => traits.any(Traits::WRITE | Traits::MAY_REPLICATE),
        Some(Pause::All) => true,
    };
    if held_back {
        return Err(Outcome::Blocked(Block::Paused(Arc::clone(args))));
    }
    Ok(slot)
}

/// Checks that have to do with the node being a master or a replica, and with the client listening
/// to channels.
fn check_role(
    node: &Node,
    client: LinkId,
    standing: Standing,
    spec: &Spec,
    traits: Traits,
) -> Result<(), CommandError> {
    let config = &node.config;
    let is_replica = node.replication.master.is_some();
    let writes = traits.any(Traits::WRITE);
    if writes && node.lacks_good_replicas() {
        return Err(CommandError::fixed("NOREPLICAS Not enough good replicas to write."));
    }
    if writes && is_replica && config.replica_read_only {
        return Err(CommandError::fixed("READONLY You can't write against a read only replica."));
    }
    if standing.listens && !publish::may_be_said_while_listening(spec) {
        return Err(CommandError::err(format_args!(
            "Can't execute '{}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
            spec.name
        )));
    }
    let cut_off = is_replica && !node.replication.upstream.is_connected();
    if cut_off
        && !config.replica_serve_stale_data
        && !transaction::all_have(node, client, spec, Traits::STALE)
    {
        return Err(CommandError::fixed(
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        ));
    }
    if node.is_loading() && !transaction::all_have(node, client, spec, Traits::LOADING) {
        return Err(CommandError::fixed(LOADING));
    }
    Ok(())
}

/// Carries a command out.
fn call(
    node: &mut Node,
    client: LinkId,
    spec: &'static Spec,
    args: &Arc<Args>,
    slot: Option<Slot>,
    in_exec: bool,
    ctx: &mut Ctx<'_>,
) -> Outcome {
    node.process.cached_time = ctx.now.millis();
    let (dirty, done) = (node.server.storage.dirty, ctx.out.effects.len());
    let mut call = Call { node, ctx, client, args, spec, slot, in_exec, instead: Vec::new() };
    let outcome = match spec.action {
        Action::Answer(command) => command(&mut call).into(),
        Action::InCluster(command) if call.node.in_cluster_mode() => command(&mut call).into(),
        Action::InCluster(_) => Outcome::Reply(CommandError::NO_CLUSTER.into()),
        Action::Control(command) => command(&mut call),
        // Refused before, by `check`.
        Action::NotModelled => Outcome::Replies(Vec::new()),
    };
    let instead = call.instead;
    // What EXEC changed was propagated command by command.
    if node.server.storage.dirty > dirty && spec.name != "exec" {
        propagate::changed(node, ctx, slot, args, instead);
    }
    let failed = matches!(&outcome, Outcome::Reply(reply) if reply.error().is_some());
    node.server.stats.count_call(spec, failed);
    let took = slowlog::slept(&ctx.out.effects[done..]);
    slowlog::note(node, client, spec, args, took, ctx);
    let written = node.replication.history.offset;
    if let Some(state) = node.clients.get_mut(client) {
        state.written = written;
    }
    outcome
}

/// Refuses a command before it is carried out: a transaction that it was meant for will fail, and
/// EXEC itself fails.
fn reject(
    node: &mut Node,
    client: LinkId,
    spec: Option<&'static Spec>,
    error: CommandError,
) -> Outcome {
    Outcome::Reply(transaction::rejected(node, client, spec, error).into())
}

fn unknown(args: &[Vec<u8>]) -> CommandError {
    /// How much of the arguments is shown.
    const SHOWN: usize = 128;
    let mut shown = String::new();
    for arg in &args[1..] {
        if shown.len() >= SHOWN {
            break;
        }
        let rest = SHOWN - shown.len();
        shown.push_str(&format!("`{}`, ", text(&arg[..arg.len().min(rest)])));
    }
    CommandError::err(format_args!(
        "unknown command `{}`, with args beginning with: {shown}",
        text(&args[0])
    ))
}

/// A client's state. It is there while its command is carried out.
fn state<'n>(node: &'n mut Node, client: LinkId, ctx: &Ctx<'_>) -> &'n mut Client {
    node.clients.enter(client, ctx.now.secs())
}

/// Ends the process as SIGTERM asked (Appendix B.1).
pub fn shutdown(node: &mut Node, ctx: &mut Ctx<'_>) {
    node.terminate(ctx);
}

/// What `serverCron` does for clients, keys and files (§0.1.4).
pub fn cron(node: &mut Node, ctx: &mut Ctx<'_>) {
    let now = ctx.now.millis();
    blocking::redirect(node, ctx);
    node.active_expire(ctx);
    node.storage_cron(ctx);
    node.clients.is_paused(now);
}

/// What is due before the process sleeps: clients whose wait is over are answered, and the commands
/// that a pause held back are carried out (§0.2).
#[inline]
pub fn before_sleep(node: &mut Node, ctx: &mut Ctx<'_>) {
    if !node.clients.waiting.is_empty() {
        wait::release(node, ctx);
    }
    if node.replication.acks_wanted {
        node.ask_for_acks(ctx);
    }
}
