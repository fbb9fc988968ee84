//! The server as a whole: INFO, CONFIG, COMMAND, saving, shutting down, and what a cluster node
//! refuses (§11.15).

use crate::node::child::Started;
use crate::node::command::error::{Answer, text};
use crate::node::command::spec::Traits;
use crate::node::command::{Call, CommandError, Outcome, Spec, help, table};
use crate::node::config::{self, ConfigError, setting::Mismatch};
use crate::node::effect::{Effect, Exit};
use crate::node::info;
use crate::node::log::Level;
use crate::node::storage::WhatToSave;
use crate::resp::Reply;

/// The version that is simulated.
pub(crate) const VERSION: &str = "6.2.3";

/// The smallest size to which CONFIG SET brings the backlog, in bytes.
const SMALLEST_BACKLOG: u64 = 16 << 10;

/// TIME
pub(super) fn time(call: &mut Call<'_, '_>) -> Answer {
    let now = call.ctx.now.0;
    let parts = [now / 1_000_000, now % 1_000_000];
    Ok(Reply::Array(parts.iter().map(|part| Reply::bulk(part.to_string())).collect()))
}

/// `INFO [section]`
pub(super) fn info(call: &mut Call<'_, '_>) -> Answer {
    match call.args {
        [_] => Ok(Reply::bulk(info::text(call.node, call.ctx, "default"))),
        [_, section] => Ok(Reply::bulk(info::text(call.node, call.ctx, &text(section)))),
        _ => Err(CommandError::SYNTAX),
    }
}

/// CONFIG GET|SET|RESETSTAT|REWRITE
pub(super) fn config(call: &mut Call<'_, '_>) -> Answer {
    match call.args {
        [_, _] if call.is(1, "help") => Ok(help::config()),
        [_, _, pattern] if call.is(1, "get") => Ok(config_get(call, pattern)),
        [_, _, name, value] if call.is(1, "set") => config_set(call, &text(name), &text(value)),
        [_, _] if call.is(1, "resetstat") => {
            call.node.server.stats = Default::default();
            Ok(Reply::ok())
        }
        [_, _] if call.is(1, "rewrite") => {
            call.node.config.lines = call.node.config.rewritten();
            call.node.server.config_file = call.node.config.clone();
            let done = format_args!("CONFIG REWRITE executed with success.");
            call.node.log(call.ctx, Level::Warning, done);
            Ok(Reply::ok())
        }
        _ => Err(CommandError::subcommand(call.args)),
    }
}

fn config_get(call: &Call<'_, '_>, pattern: &[u8]) -> Reply {
    let pairs = call.node.config.matching(pattern);
    let both = pairs.iter().any(|(name, _)| *name == "slaveof");
    let pairs = pairs.into_iter().filter(|(name, _)| !(both && *name == "replicaof"));
    let pairs = pairs.flat_map(|(name, value)| {
        // It is not configured in a cluster, but it is shown (A.5).
        let master =
            call.node.replication.master.filter(|_| matches!(name, "slaveof" | "replicaof"));
        let value = master.map_or(value, |to| format!("{} {}", to.ip_text(), to.port));
        [Reply::bulk(name), Reply::bulk(value)]
    });
    Reply::Array(pairs.collect())
}

fn config_set(call: &mut Call<'_, '_>, name: &str, value: &str) -> Answer {
    let unsupported = || CommandError::err(format_args!("Unsupported CONFIG parameter: {name}"));
    let directive = config::find(name).filter(|it| !it.fixed).ok_or_else(unsupported)?;
    if directive.name == "dir" && call.node.config.get("dir").as_deref() != Some(value) {
        return Err(CommandError::fixed("ERR Changing directory: No such file or directory"));
    }
    let invalid = |reason: &str| {
        CommandError::err(format_args!(
            "Invalid argument '{value}' for CONFIG SET '{name}'{reason}"
        ))
    };
    let mut changed = call.node.config.clone();
    changed.set(directive.name, value).map_err(|error| match error {
        ConfigError::Value { mismatch: Mismatch::Said(reason), .. } => {
            invalid(&format!(" - {reason}"))
        }
        _ => invalid(""),
    })?;
    if changed.port != call.node.config.port {
        return Err(invalid(" - Unable to listen on this port. Check server logs."));
    }
    let appending = changed.appendonly && !call.node.config.appendonly;
    if changed.repl_backlog_size != call.node.config.repl_backlog_size {
        // The configuration file may ask for less (§1.2).
        changed.repl_backlog_size = changed.repl_backlog_size.max(SMALLEST_BACKLOG);
    }
    if changed.repl_backlog_size != call.node.config.repl_backlog_size {
        call.node.replication.history.resize(changed.repl_backlog_size);
    }
    call.node.config = changed;
    call.node.raise_open_files(call.ctx);
    if appending {
        call.node.rewrite_append_only_file(call.ctx);
    }
    Ok(Reply::ok())
}

/// `COMMAND [COUNT|INFO name …|GETKEYS command …]`
pub(super) fn command(call: &mut Call<'_, '_>) -> Answer {
    match call.args {
        [_] => Ok(Reply::Array(table::COMMANDS.iter().map(describe).collect())),
        [_, _] if call.is(1, "help") => Ok(help::command()),
        [_, _] if call.is(1, "count") => Ok(Reply::Int(table::COMMANDS.len() as i64)),
        [_, _, names @ ..] if call.is(1, "info") => {
            let found = names.iter().map(|name| table::find(name).map_or(Reply::Nil, describe));
            Ok(Reply::Array(found.collect()))
        }
        [_, _, command @ ..] if call.is(1, "getkeys") && !command.is_empty() => keys_of(command),
        _ => Err(CommandError::subcommand(call.args)),
    }
}

fn describe(spec: &Spec) -> Reply {
    let flags = Traits::NAMES.iter().filter(|(flag, _)| spec.traits.any(*flag));
    let flags = flags.map(|(_, name)| Reply::Status((*name).to_owned()));
    let keys = spec.keys;
    Reply::Array(vec![
        Reply::bulk(spec.name),
        Reply::Int(spec.arity.into()),
        Reply::Array(flags.collect()),
        Reply::Int(keys.first.into()),
        Reply::Int(keys.last.into()),
        Reply::Int(keys.step.into()),
        Reply::Array(categories(spec)),
    ])
}

/// A command's ACL categories: its own, and those that its traits imply.
fn categories(spec: &Spec) -> Vec<Reply> {
    const ORDER: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
    let implied = |category: &str| match category {
        "read" => spec.traits.any(Traits::READONLY),
        "write" => spec.traits.any(Traits::WRITE),
        "pubsub" => spec.traits.any(Traits::PUBSUB),
        "admin" | "dangerous" => spec.traits.any(Traits::ADMIN),
        "fast" => spec.traits.any(Traits::FAST),
        "slow" => !spec.traits.any(Traits::FAST),
        _ => false,
    };
    let has = |category: &&&str| implied(category) || spec.categories.contains(category);
    ORDER.iter().filter(has).map(|category| Reply::Status(format!("@{category}"))).collect()
}

fn keys_of(command: &[Vec<u8>]) -> Answer {
    let spec =
        table::find(&command[0]).ok_or(CommandError::fixed("ERR Invalid command specified"))?;
    if !spec.may_have_keys() {
        return Err(CommandError::fixed("ERR The command has no key arguments"));
    }
    if !spec.takes(command.len()) {
        return Err(CommandError::fixed("ERR Invalid number of arguments specified for command"));
    }
    let positions = spec.key_positions(command);
    if positions.len() == 0 {
        return Err(CommandError::fixed("ERR Invalid arguments specified for command"));
    }
    Ok(Reply::Array(positions.map(|at| Reply::bulk(&command[at])).collect()))
}

/// SAVE
pub(super) fn save(call: &mut Call<'_, '_>) -> Answer {
    if call.node.server.storage.is_saving() {
        return Err(CommandError::fixed("ERR Background save already in progress"));
    }
    call.node.save(call.ctx);
    Ok(Reply::ok())
}

/// `BGSAVE [SCHEDULE]`
pub(super) fn bgsave(call: &mut Call<'_, '_>) -> Answer {
    let schedule = match call.args {
        [_] => false,
        [_, word] if word.eq_ignore_ascii_case(b"schedule") => true,
        _ => return Err(CommandError::SYNTAX),
    };
    if call.node.server.storage.is_saving() {
        return Err(CommandError::fixed("ERR Background save already in progress"));
    }
    let said = match call.node.save_in_background(call.ctx, schedule) {
        Started::Now => "Background saving started",
        Started::Later => "Background saving scheduled",
        Started::Not => {
            return Err(CommandError::fixed(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE \
                 SCHEDULE in order to schedule a BGSAVE whenever possible.",
            ));
        }
    };
    Ok(Reply::Status(said.to_owned()))
}

/// BGREWRITEAOF
pub(super) fn bgrewriteaof(call: &mut Call<'_, '_>) -> Answer {
    let said = match call.node.rewrite_append_only_file(call.ctx) {
        Started::Now => "Background append only file rewriting started",
        Started::Later => "Background append only file rewriting scheduled",
        Started::Not => {
            return Err(CommandError::fixed(
                "ERR Background append only file rewriting already in progress",
            ));
        }
    };
    Ok(Reply::Status(said.to_owned()))
}

/// LASTSAVE
pub(super) fn lastsave(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(call.node.server.storage.last_save))
}

/// `SHUTDOWN [NOSAVE|SAVE]` (Appendix B.1)
pub(super) fn shutdown(call: &mut Call<'_, '_>) -> Outcome {
    let what = match call.args {
        [_] => WhatToSave::Configured,
        [_, word] if word.eq_ignore_ascii_case(b"nosave") => WhatToSave::Nothing,
        [_, word] if word.eq_ignore_ascii_case(b"save") => WhatToSave::Everything,
        _ => return Outcome::Reply(CommandError::SYNTAX.into()),
    };
    call.node.prepare_for_shutdown(call.ctx, what);
    call.ctx.out.effects.push(Effect::Exit(Exit::Shutdown));
    Outcome::Replies(Vec::new())
}

#[cfg(test)]
mod tests {
    use crate::node::lab::Lab;
    use crate::resp::Reply;

    fn get(lab: &mut Lab, node: usize, pattern: &str) -> Vec<String> {
        let Reply::Array(pairs) = lab.ask(node, &format!("CONFIG GET {pattern}")) else {
            panic!("an array")
        };
        pairs.iter().map(|word| word.text().unwrap().to_owned()).collect()
    }

    #[test]
    fn config_set_knows_a_smallest_backlog_1_2() {
        let mut lab = Lab::alone(1);
        lab.ask(0, "CONFIG SET repl-backlog-size 100");
        assert_eq!(get(&mut lab, 0, "repl-backlog-size")[1], "16384");
        lab.ask(0, "CONFIG SET repl-backlog-size 20kb");
        assert_eq!(get(&mut lab, 0, "repl-backlog-size")[1], "20480");
    }

    #[test]
    fn config_get_shows_whom_a_replica_follows_by_either_name_a5() {
        let mut lab = Lab::formed(1, 1, 2_000);
        lab.run(2_000);
        for name in ["replicaof", "slaveof"] {
            assert_eq!(get(&mut lab, 1, name), [name, "10.0.0.1 7000"]);
        }
        let all = get(&mut lab, 1, "*");
        assert!(all.contains(&"slaveof".to_owned()) && !all.contains(&"replicaof".to_owned()));
    }
}
