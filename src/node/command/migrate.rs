//! DUMP, RESTORE and MIGRATE: moving keys to another server (§11.16).

use crate::id::Endpoint;
use crate::node::Node;
use crate::node::command::error::{Answer, integer, text};
use crate::node::command::outcome::{Outcome, conclude};
use crate::node::command::transaction::{self, Execution};
use crate::node::command::{Call, CommandError, known, wait};
use crate::node::effect::{CallError, CallResult, Ctx, Effect, LinkId};
use crate::node::rdb::{self, Unreadable};
use crate::resp::{Args, Reply, args};
use crate::time::{Millis, Span};

/// DUMP key
pub(super) fn dump(call: &mut Call<'_, '_>) -> Answer {
    let key = call.word(1);
    Ok(call.read(key).map_or(Reply::Nil, |value| Reply::Bulk(rdb::dump(value))))
}

/// The options of RESTORE.
#[derive(Debug, Default)]
struct RestoreOptions {
    replace: bool,
    absolute: bool,
}

fn restore_options(words: &[Vec<u8>]) -> Result<RestoreOptions, CommandError> {
    let mut options = RestoreOptions::default();
    let (mut idle, mut frequency) = (None, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match text(word).to_ascii_lowercase().as_str() {
            "replace" => options.replace = true,
            "absttl" => options.absolute = true,
            "idletime" if frequency.is_none() => {
                let value = integer(words.next().ok_or(CommandError::SYNTAX)?)?;
                if value < 0 {
                    return Err(CommandError::err("Invalid IDLETIME value, must be >= 0"));
                }
                idle = Some(value);
            }
            "freq" if idle.is_none() => {
                let value = integer(words.next().ok_or(CommandError::SYNTAX)?)?;
                if !(0..=255).contains(&value) {
                    return Err(CommandError::err("Invalid FREQ value, must be >= 0 and <= 255"));
                }
                frequency = Some(value);
            }
            _ => return Err(CommandError::SYNTAX),
        }
    }
    Ok(options)
}

/// `RESTORE key ttl dump [REPLACE] [ABSTTL] [IDLETIME s] [FREQ n]`; RESTORE-ASKING is the same for a
/// slot that is being imported (§11.6).
pub(super) fn restore(call: &mut Call<'_, '_>) -> Answer {
    let key = call.word(1);
    let options = restore_options(&call.args[4..])?;
    if !options.replace && call.exists(key) {
        return Err(CommandError::fixed("BUSYKEY Target key name already exists."));
    }
    let ttl = call.integer(2)?;
    if ttl < 0 {
        return Err(CommandError::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let value = rdb::restore(call.word(3)).map_err(|unreadable| match unreadable {
        Unreadable::Footer => CommandError::fixed("ERR DUMP payload version or checksum are wrong"),
        Unreadable::Value => CommandError::fixed("ERR Bad data format"),
    })?;
    let base = if options.absolute { Millis(0) } else { call.now() };
    let deadline = (ttl != 0).then(|| base + Millis(ttl));
    if deadline.is_some_and(|deadline| deadline <= call.now()) {
        call.delete(key);
        return Ok(Reply::ok());
    }
    call.put(key, value);
    call.node.keys.set_expiry(key, deadline);
    Ok(Reply::ok())
}

/// A MIGRATE that waits for its target.
#[derive(Debug)]
pub(crate) struct Awaited {
    client: LinkId,
    /// What is sent once more if the first connection breaks before any key has arrived.
    again: Option<Sending>,
    /// The keys that were sent, in order.
    keys: Vec<Vec<u8>>,
    /// How many replies come before those about keys.
    preamble: usize,
    /// Whether the keys stay.
    copy: bool,
    /// The transaction that it is part of.
    pub(crate) execution: Option<Execution>,
}

/// What is sent to a target, and how long each step of it may take.
#[derive(Debug, Clone)]
struct Sending {
    to: Endpoint,
    requests: Vec<Args>,
    timeout: Span,
}

impl Sending {
    fn call(self) -> Effect {
        Effect::Call { to: self.to, requests: self.requests, timeout: self.timeout }
    }
}

/// What MIGRATE was told.
struct Order<'a> {
    copy: bool,
    replace: bool,
    auth: Option<Args>,
    keys: &'a [Vec<u8>],
    timeout: Span,
    database: i64,
}

fn order<'a>(call: &Call<'a, '_>) -> Result<Order<'a>, CommandError> {
    /// What a time limit of zero or less means.
    const DEFAULT_TIMEOUT: i64 = 1_000;
    let words = call.args;
    let (mut copy, mut replace, mut auth, mut keys) = (false, false, None, &words[3..4]);
    let mut at = 6;
    while at < words.len() {
        let after = words.len() - at - 1;
        match text(&words[at]).to_ascii_lowercase().as_str() {
            "copy" => copy = true,
            "replace" => replace = true,
            "auth" if after >= 1 => {
                auth = Some(args([b"AUTH".as_slice(), &words[at + 1]]));
                at += 1;
            }
            "auth2" if after >= 2 => {
                auth = Some(args([b"AUTH".as_slice(), &words[at + 1], &words[at + 2]]));
                at += 2;
            }
            "keys" if !words[3].is_empty() => {
                return Err(CommandError::fixed(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                     string",
                ));
            }
            "keys" => {
                keys = &words[at + 1..];
                break;
            }
            _ => return Err(CommandError::SYNTAX),
        }
        at += 1;
    }
    let (timeout, database) = (call.integer(5)?, call.integer(4)?);
    let timeout = if timeout <= 0 { DEFAULT_TIMEOUT } else { timeout };
    Ok(Order { copy, replace, auth, keys, timeout: Span::millis(timeout as u64), database })
}

/// `MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password] [KEYS key …]`
pub(super) fn migrate(call: &mut Call<'_, '_>) -> Outcome {
    let order = match order(call) {
        Ok(order) => order,
        Err(error) => return Outcome::Reply(error.into()),
    };
    let present: Vec<Vec<u8>> =
        order.keys.iter().filter(|key| call.read(*key).is_some()).cloned().collect();
    if present.is_empty() {
        return Outcome::Reply(Reply::Status("NOKEY".to_owned()));
    }
    let (Ok(ip), Ok(port)) = (text(call.word(1)).parse(), text(call.word(2)).parse()) else {
        // There are no names here, and no such port: nobody is there.
        return Outcome::Reply(unreachable().into());
    };
    let mut requests: Vec<Args> = order.auth.into_iter().collect();
    requests.push(args(["SELECT".to_owned(), order.database.to_string()]));
    let preamble = requests.len();
    requests.extend(present.iter().filter_map(|key| send(call, key, order.replace)));
    let to = Endpoint { ip: Some(ip), port, cport: 0, pport: 0 };
    let sending = Sending { to, requests, timeout: order.timeout };
    call.ctx.out.effects.push(sending.clone().call());
    Outcome::Awaits(Box::new(Awaited {
        client: call.client,
        again: Some(sending),
        keys: present,
        preamble,
        copy: order.copy,
        execution: None,
    }))
}

/// The command that creates a key at the target.
fn send(call: &Call<'_, '_>, key: &[u8], replace: bool) -> Option<Args> {
    let entry = call.node.keys.get(key)?;
    let ttl = entry.expires.map_or(0, |deadline| (deadline - call.now()).0.max(1));
    let dump = rdb::dump(&entry.value);
    let restore: &[u8] = if call.node.in_cluster_mode() { b"RESTORE-ASKING" } else { b"RESTORE" };
    let mut words = args([restore, key, ttl.to_string().as_bytes(), &dump]);
    if replace {
        words.push(b"REPLACE".to_vec());
    }
    Some(words)
}

fn unreachable() -> CommandError {
    CommandError::fixed("IOERR error or timeout connecting to the client")
}

/// Goes on with the command that waited for a synchronous call (§11.16).
pub fn call_done(node: &mut Node, result: CallResult, ctx: &mut Ctx<'_>) {
    let Some(mut awaited) = node.clients.awaited.take() else { return };
    let CallResult { replies, error } = result;
    let broken = matches!(error, Some(CallError::Refused | CallError::Lost));
    if broken
        && replies.len() <= awaited.preamble
        && let Some(sending) = awaited.again.take()
    {
        ctx.out.effects.push(sending.call());
        node.clients.awaited = Some(awaited);
        return;
    }
    let Awaited { client, keys, preamble, copy, execution, .. } = *awaited;
    let settled = settle(node, ctx, &keys, preamble, copy, &replies);
    let reply = match (settled, error.map(failure)) {
        // What the target has said outweighs that it has not said everything.
        (Err(refusal), _) => refusal.into(),
        (Ok(_), Some(failure)) => failure.into(),
        (Ok(reply), None) => reply,
    };
    if reply.error().is_some() {
        node.server.stats.of_command(known("migrate")).failed += 1;
    }
    let outcome = match execution {
        Some(execution) => transaction::resume(node, client, execution, reply, ctx),
        None => Outcome::Reply(reply),
    };
    conclude(node, client, outcome, false, ctx);
    wait::catch_up(node, client, ctx);
}

/// Neither a refusal nor a connection that takes too long is noticed before it is written to.
fn failure(error: CallError) -> CommandError {
    CommandError::fixed(match error {
        CallError::Refused | CallError::Connect => {
            "IOERR error or timeout writing to target instance"
        }
        CallError::Timeout | CallError::Lost => "IOERR error or timeout reading to target instance",
    })
}

/// Deletes the keys that the target has taken.
fn settle(
    node: &mut Node,
    ctx: &mut Ctx<'_>,
    keys: &[Vec<u8>],
    preamble: usize,
    copy: bool,
    replies: &[Reply],
) -> Answer {
    let (before, about_keys) = replies.split_at(preamble.min(replies.len()));
    let refused = before.iter().find_map(Reply::error);
    // It is told only together with what was said of a key.
    let mut error = refused.filter(|_| !about_keys.is_empty());
    let mut deleted = vec![b"DEL".to_vec()];
    for (key, reply) in keys.iter().zip(about_keys) {
        match refused.or(reply.error()) {
            Some(text) => error = error.or(Some(text)),
            None if !copy => {
                node.keys.remove(key);
                node.clients.touch(key);
                node.server.storage.dirty += 1;
                deleted.push(key.clone());
            }
            None => {}
        }
    }
    if deleted.len() > 1 {
        node.propagate(ctx, deleted);
    }
    match error {
        None => Ok(Reply::ok()),
        Some(text) => {
            Err(CommandError::err(format_args!("Target instance replied with error: {text}")))
        }
    }
}
