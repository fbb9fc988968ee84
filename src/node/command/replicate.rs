//! What a client may say of replication: ROLE, REPLCONF, SYNC and PSYNC. Replicas talk over links of
//! their own; a virtual client can only ask for the data set.

use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError, Outcome};
use crate::node::replication::downstream::NO_MASTER_LINK;
use crate::node::replication::upstream::Upstream;
use crate::resp::Reply;

/// ROLE
pub(super) fn role(call: &mut Call<'_, '_>) -> Answer {
    Ok(call.node.role_reply())
}

/// REPLCONF option value …: some options are answered by silence.
pub(super) fn replconf(call: &mut Call<'_, '_>) -> Outcome {
    if call.args.len().is_multiple_of(2) {
        return Outcome::Reply(CommandError::SYNTAX.into());
    }
    for pair in call.args[1..].chunks_exact(2) {
        match text(&pair[0]).to_ascii_lowercase().as_str() {
            "listening-port" | "rdb-only" => {
                if let Err(error) = crate::node::command::error::integer(&pair[1]) {
                    return Outcome::Reply(error.into());
                }
            }
            "ip-address" | "capa" => {}
            "ack" => return Outcome::Replies(Vec::new()),
            "getack" => {
                if let Upstream::Connected { link, .. } = call.node.replication.upstream {
                    call.node.acknowledge(call.ctx, link);
                }
                return Outcome::Replies(Vec::new());
            }
            _ => {
                let option = text(&pair[0]);
                let error = format_args!("Unrecognized REPLCONF option: {option}");
                return Outcome::Reply(CommandError::err(error).into());
            }
        }
    }
    Outcome::Reply(Reply::ok())
}

/// SYNC: the client gets the data set. A real one would get the stream of writes after it.
pub(super) fn sync(call: &mut Call<'_, '_>) -> Outcome {
    match call.node.snapshot_asked(call.ctx, call.client) {
        Ok(()) => Outcome::Replies(Vec::new()),
        Err(error) => Outcome::Reply(CommandError::fixed(error).into()),
    }
}

/// PSYNC id offset
pub(super) fn psync(call: &mut Call<'_, '_>) -> Answer {
    Err(match call.node.lacks_master() {
        true => CommandError::fixed(NO_MASTER_LINK),
        false => CommandError::fixed("ERR 'psync' is not modelled for clients"),
    })
}
