//! What a client may say of replication: ROLE, REPLCONF, SYNC and PSYNC. Replicas talk over links of
//! their own; a virtual client cannot become one.

use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError, Outcome};
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

/// SYNC, PSYNC id offset
pub(super) fn sync(call: &mut Call<'_, '_>) -> Answer {
    let replication = &call.node.replication;
    if replication.master.is_some() && !replication.upstream.is_connected() {
        return Err(CommandError::fixed(
            "NOMASTERLINK Can't SYNC while not connected with my master",
        ));
    }
    Err(CommandError::err(format_args!("'{}' is not modelled for clients", call.spec.name)))
}
