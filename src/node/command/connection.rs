//! A client's own connection: PING, CLIENT, ASKING and the like.

use crate::node::client::{Block, Client, Replies};
use crate::node::command::error::{self, Answer, integer, text};
use crate::node::command::{Call, CommandError, Outcome, help, server, state, transaction, wait};
use crate::node::effect::{Effect, LinkId};
use crate::resp::Reply;

/// `PING [message]`
pub(super) fn ping(call: &mut Call<'_, '_>) -> Answer {
    let message = match call.args {
        [_] => None,
        [_, message] => Some(message),
        _ => return Err(CommandError::arity("ping")),
    };
    if state(call.node, call.client, call.ctx).subscriptions() > 0 {
        let message = message.map(Vec::as_slice).unwrap_or_default();
        return Ok(Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(message)]));
    }
    Ok(message.map_or_else(|| Reply::Status("PONG".to_owned()), Reply::bulk))
}

/// ECHO message
pub(super) fn echo(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::bulk(call.word(1)))
}

/// SELECT index: a cluster has one database (§11.15).
pub(super) fn select(call: &mut Call<'_, '_>) -> Answer {
    match error::database(call.word(1))? {
        0 => Ok(Reply::ok()),
        _ => Err(CommandError::fixed("ERR SELECT is not allowed in cluster mode")),
    }
}

/// `AUTH [username] password`: virtual nodes know no passwords.
pub(super) fn auth(call: &mut Call<'_, '_>) -> Answer {
    match call.args {
        [_, _] => Err(CommandError::fixed(
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?",
        )),
        [_, user, _] if user == b"default" => Ok(Reply::ok()),
        [_, _, _] => Err(CommandError::fixed(
            "WRONGPASS invalid username-password pair or user is disabled.",
        )),
        _ => Err(CommandError::SYNTAX),
    }
}

/// `HELLO [2 [SETNAME name]]`: there is no RESP3 here.
pub(super) fn hello(call: &mut Call<'_, '_>) -> Answer {
    if let Some(version) = call.args.get(1) {
        let version = integer(version).map_err(|_| {
            CommandError::fixed("ERR Protocol version is not an integer or out of range")
        })?;
        if version != 2 {
            return Err(CommandError::fixed("NOPROTO unsupported protocol version"));
        }
    }
    let mut at = 2;
    while at < call.args.len() {
        if call.is(at, "setname") && at + 1 < call.args.len() {
            set_name(call, at + 1)?;
            at += 2;
        } else {
            return Err(CommandError::err(format_args!(
                "Syntax error in HELLO option '{}'",
                text(call.word(at))
            )));
        }
    }
    let role = if call.node.replication.master.is_some() { "replica" } else { "master" };
    let id = state(call.node, call.client, call.ctx).id;
    let fields = [
        ("server", Reply::bulk("redis")),
        ("version", Reply::bulk(server::VERSION)),
        ("proto", Reply::Int(2)),
        ("id", Reply::Int(id as i64)),
        ("mode", Reply::bulk("cluster")),
        ("role", Reply::bulk(role)),
        ("modules", Reply::Array(Vec::new())),
    ];
    let fields = fields.into_iter().flat_map(|(name, value)| [Reply::bulk(name), value]);
    Ok(Reply::Array(fields.collect()))
}

/// RESET
pub(super) fn reset(call: &mut Call<'_, '_>) -> Outcome {
    transaction::discard(call.node, call.client);
    if let Some(client) = call.node.clients.get(call.client).cloned() {
        call.node.clients.subscriptions.leave(call.client, &client);
    }
    let client = state(call.node, call.client, call.ctx);
    *client = Client {
        id: client.id,
        since: client.since,
        last_seen: client.last_seen,
        last_command: client.last_command,
        ..Client::default()
    };
    Outcome::Reply(Reply::Status("RESET".to_owned()))
}

/// ASKING (§11.11)
pub(super) fn asking(call: &mut Call<'_, '_>) -> Answer {
    state(call.node, call.client, call.ctx).asking = true;
    Ok(Reply::ok())
}

/// READONLY (§11.7)
pub(super) fn readonly(call: &mut Call<'_, '_>) -> Answer {
    state(call.node, call.client, call.ctx).readonly = true;
    Ok(Reply::ok())
}

/// READWRITE (§11.11)
pub(super) fn readwrite(call: &mut Call<'_, '_>) -> Answer {
    state(call.node, call.client, call.ctx).readonly = false;
    Ok(Reply::ok())
}

/// CLIENT subcommand …
pub(super) fn client(call: &mut Call<'_, '_>) -> Outcome {
    let subcommand = text(call.word(1)).to_ascii_lowercase();
    match (subcommand.as_str(), call.args.len()) {
        ("reply", 3) => reply(call),
        ("kill", _) => kill(call),
        _ => client_answer(call, &subcommand).into(),
    }
}

fn client_answer(call: &mut Call<'_, '_>, subcommand: &str) -> Answer {
    let words = call.args.len();
    match (subcommand, words) {
        ("help", 2) => Ok(help::client()),
        ("id", 2) => Ok(Reply::Int(state(call.node, call.client, call.ctx).id as i64)),
        ("getname", 2) => {
            let name = &state(call.node, call.client, call.ctx).name;
            Ok(name.as_ref().map_or(Reply::Nil, Reply::bulk))
        }
        ("setname", 3) => set_name(call, 2),
        ("info", 2) => Ok(Reply::bulk(describe_all(call, |link, _| link == call.client))),
        ("list", _) => list(call),
        ("pause", 3 | 4) => wait::pause(call),
        ("unpause", 2) => {
            call.node.clients.pause = None;
            Ok(Reply::ok())
        }
        ("unblock", 3 | 4) => unblock(call),
        ("getredir", 2) => Ok(Reply::Int(-1)),
        ("tracking" | "caching" | "trackinginfo", _) => {
            Err(CommandError::err("client side caching is not modelled here"))
        }
        _ => Err(CommandError::subcommand(call.args)),
    }
}

fn set_name(call: &mut Call<'_, '_>, at: usize) -> Answer {
    let name = call.word(at);
    if !name.iter().all(u8::is_ascii_graphic) {
        return Err(CommandError::fixed(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    state(call.node, call.client, call.ctx).name =
        Some(name.to_vec()).filter(|name| !name.is_empty());
    Ok(Reply::ok())
}

/// CLIENT REPLY ON|OFF|SKIP
fn reply(call: &mut Call<'_, '_>) -> Outcome {
    let (on, off, skip) = (call.is(2, "on"), call.is(2, "off"), call.is(2, "skip"));
    let client = state(call.node, call.client, call.ctx);
    if on {
        client.replies = Replies::On;
        return Outcome::Reply(Reply::ok());
    } else if off {
        client.replies = Replies::Off;
    } else if !skip {
        return Outcome::Reply(CommandError::SYNTAX.into());
    } else if client.replies != Replies::Off {
        client.replies = Replies::SkipNext;
    }
    Outcome::Replies(Vec::new())
}

/// What a client is, for CLIENT LIST and CLIENT KILL.
fn client_type(client: &Client) -> &'static str {
    if client.subscriptions() > 0 { "pubsub" } else { "normal" }
}

fn parse_type(word: &[u8]) -> Result<&'static str, CommandError> {
    let types = [
        ("normal", "normal"),
        ("slave", "replica"),
        ("replica", "replica"),
        ("pubsub", "pubsub"),
        ("master", "master"),
    ];
    let known = types.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    known
        .map(|(_, kind)| *kind)
        .ok_or_else(|| CommandError::err(format_args!("Unknown client type '{}'", text(word))))
}

/// The address that a client seems to come from. A node learns only the number of the connection, so
/// the port is made from it.
fn address(link: LinkId) -> String {
    /// Where Linux begins to take ports from by itself.
    const EPHEMERAL: usize = 32_768;
    const PORTS: usize = 28_232;
    format!("127.0.0.1:{}", EPHEMERAL + link.connection() % PORTS)
}

/// `CLIENT LIST [TYPE type|ID id …]`
fn list(call: &mut Call<'_, '_>) -> Answer {
    match call.args {
        [_, _] => Ok(Reply::bulk(describe_all(call, |_, _| true))),
        [_, _, keyword, kind] if keyword.eq_ignore_ascii_case(b"type") => {
            let kind = parse_type(kind)?;
            Ok(Reply::bulk(describe_all(call, |_, client| client_type(client) == kind)))
        }
        [_, _, keyword, ids @ ..] if keyword.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            let ids: Vec<i64> = ids
                .iter()
                .map(|id| integer(id).map_err(|_| CommandError::err("Invalid client ID")))
                .collect::<Result<_, _>>()?;
            Ok(Reply::bulk(describe_all(call, |_, client| ids.contains(&(client.id as i64)))))
        }
        _ => Err(CommandError::SYNTAX),
    }
}

fn describe_all(call: &Call<'_, '_>, wanted: impl Fn(LinkId, &Client) -> bool) -> String {
    let mut clients: Vec<(LinkId, &Client)> =
        call.node.clients.iter().filter(|(link, client)| wanted(*link, client)).collect();
    clients.sort_by_key(|(_, client)| client.id);
    clients.into_iter().map(|(link, client)| describe(call, link, client) + "\n").collect()
}

/// A line of CLIENT LIST. Sizes of buffers are not modelled.
fn describe(call: &Call<'_, '_>, link: LinkId, client: &Client) -> String {
    let now = call.ctx.now.secs();
    let flags: String = [
        (client.subscriptions() > 0, 'P'),
        (client.transaction.is_some(), 'x'),
        (client.block.is_some(), 'b'),
        (client.touched, 'd'),
        (client.readonly, 'r'),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .map(|(_, flag)| *flag)
    .collect();
    format!(
        "id={} addr={} laddr={}:{} fd=8 name={} age={} idle={} flags={} db=0 sub={} psub={} \
         multi={} qbuf=0 qbuf-free=0 argv-mem=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd={} \
         user=default redir=-1",
        client.id,
        address(link),
        call.node.process.ip,
        call.node.config.port,
        text(client.name.as_deref().unwrap_or_default()),
        now - client.since,
        now - client.last_seen,
        if flags.is_empty() { "N" } else { &flags },
        client.channels.len(),
        client.patterns.len(),
        client.transaction.as_ref().map_or(-1, |transaction| transaction.queue.len() as i64),
        client.last_command,
    )
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`
fn unblock(call: &mut Call<'_, '_>) -> Answer {
    let error = match call.args.get(3) {
        None => false,
        Some(how) if how.eq_ignore_ascii_case(b"timeout") => false,
        Some(how) if how.eq_ignore_ascii_case(b"error") => true,
        Some(_) => {
            return Err(CommandError::fixed(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    };
    let id = call.integer(2)?;
    let waiting = call.node.clients.iter().find(|(_, client)| {
        client.id as i64 == id && client.block.as_ref().is_some_and(|block| !block.is_pause())
    });
    let Some((link, client)) = waiting else { return Ok(Reply::Int(0)) };
    let reply = match &client.block {
        _ if error => Reply::Error("UNBLOCKED client unblocked via CLIENT UNBLOCK".to_owned()),
        Some(Block::List(_) | Block::Stream(_)) => Reply::NilArray,
        _ => Reply::Int(0),
    };
    wait::end_wait(call.node, link, reply, call.ctx);
    Ok(Reply::Int(1))
}

/// Which clients CLIENT KILL closes.
#[derive(Debug, Default)]
struct Victims {
    address: Option<String>,
    id: Option<u64>,
    kind: Option<&'static str>,
    /// Whether the one who says it is spared.
    spare_me: bool,
}

fn victims(call: &Call<'_, '_>) -> Result<Victims, CommandError> {
    if let [_, _, address] = call.args {
        return Ok(Victims { address: Some(text(address).into_owned()), ..Victims::default() });
    }
    let mut victims = Victims { spare_me: true, ..Victims::default() };
    let options = &call.args[2..];
    if options.is_empty() || !options.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    for pair in options.chunks_exact(2) {
        let value = &pair[1];
        match text(&pair[0]).to_ascii_lowercase().as_str() {
            "id" => victims.id = Some(integer(value)? as u64),
            "type" => victims.kind = Some(parse_type(value)?),
            "addr" => victims.address = Some(text(value).into_owned()),
            "laddr" => {}
            "user" if value == b"default" => {}
            "user" => {
                return Err(CommandError::err(format_args!("No such user '{}'", text(value))));
            }
            "skipme" if value.eq_ignore_ascii_case(b"yes") => victims.spare_me = true,
            "skipme" if value.eq_ignore_ascii_case(b"no") => victims.spare_me = false,
            _ => return Err(CommandError::SYNTAX),
        }
    }
    Ok(victims)
}

/// CLIENT KILL TYPE replica|master: the links of replication, which have neither an id nor an address
/// here. How many were closed?
fn kill_replication(call: &mut Call<'_, '_>, victims: &Victims) -> i64 {
    let replication = &call.node.replication;
    let killed = match victims {
        Victims { id: Some(1..), .. } | Victims { address: Some(_), .. } => 0,
        Victims { kind: Some("replica"), .. } => replication.replicas.len(),
        Victims { kind: Some("master"), .. } => usize::from(replication.upstream.is_connected()),
        _ => 0,
    };
    match victims.kind {
        _ if killed == 0 => {}
        Some("master") => call.node.drop_master(call.ctx),
        _ => call.node.drop_replicas(call.ctx),
    }
    killed as i64
}

/// CLIENT KILL address, or CLIENT KILL option value …
fn kill(call: &mut Call<'_, '_>) -> Outcome {
    let victims = match victims(call) {
        Ok(victims) => victims,
        Err(error) => return Outcome::Reply(error.into()),
    };
    let doomed: Vec<LinkId> = call
        .node
        .clients
        .iter()
        .filter(|(link, client)| {
            victims.address.as_ref().is_none_or(|wanted| *wanted == address(*link))
                && victims.id.is_none_or(|id| id == 0 || id == client.id)
                && victims.kind.is_none_or(|kind| kind == client_type(client))
                && !(victims.spare_me && *link == call.client)
        })
        .map(|(link, _)| link)
        .collect();
    for &link in doomed.iter().filter(|&&link| link != call.client) {
        call.node.clients.leave(link);
        call.node.replica_gone(call.ctx, link);
        call.ctx.out.effects.push(Effect::CloseClient(link));
    }
    let reply = match (call.args.len(), doomed.is_empty()) {
        (3, true) => CommandError::err("No such client").into(),
        (3, false) => Reply::ok(),
        _ => Reply::Int(doomed.len() as i64 + kill_replication(call, &victims)),
    };
    if doomed.contains(&call.client) { Outcome::Farewell(reply) } else { Outcome::Reply(reply) }
}
