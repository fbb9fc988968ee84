//! A client's own connection: PING, CLIENT, ASKING and the like.

use crate::node::client::{Block, Client, Replies};
use crate::node::command::error::{self, Answer, integer, text};
use crate::node::command::{
    Call, CommandError, Outcome, client_list, help, server, state, transaction, wait,
};
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
    let number = error::database(call.word(1))?;
    if call.node.in_cluster_mode() && number != 0 {
        return Err(CommandError::fixed("ERR SELECT is not allowed in cluster mode"));
    }
    match error::is_first_database(number)? {
        true => Ok(Reply::ok()),
        false => Err(CommandError::OTHER_DATABASE),
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
    let id = state(call.node, call.client, call.ctx).registration.id;
    let fields = [
        ("server", Reply::bulk("redis")),
        ("version", Reply::bulk(server::VERSION)),
        ("proto", Reply::Int(2)),
        ("id", Reply::Int(id as i64)),
        ("mode", Reply::bulk(call.node.config.mode.word())),
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
        registration: client.registration,
        last_seen: client.last_seen,
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
        ("kill", _) => client_list::kill(call),
        _ => client_answer(call, &subcommand).into(),
    }
}

fn client_answer(call: &mut Call<'_, '_>, subcommand: &str) -> Answer {
    let words = call.args.len();
    match (subcommand, words) {
        ("help", 2) => Ok(help::client()),
        ("id", 2) => Ok(Reply::Int(state(call.node, call.client, call.ctx).registration.id as i64)),
        ("getname", 2) => {
            let name = &state(call.node, call.client, call.ctx).name;
            Ok(name.as_ref().map_or(Reply::Nil, Reply::bulk))
        }
        ("setname", 3) => set_name(call, 2),
        ("info", 2) => Ok(client_list::info(call)),
        ("list", _) => client_list::list(call),
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
        client.registration.id as i64 == id
            && client.block.as_ref().is_some_and(|block| !block.is_pause())
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
