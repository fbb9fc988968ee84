//! DEBUG: what tests and scenarios need of it.

use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError, Outcome, help, key};
use crate::node::digest;
use crate::node::effect::{Effect, Exit};
use crate::node::log::Level;
use crate::node::number;
use crate::node::rdb;
use crate::resp::Reply;
use crate::time::Span;

/// What Redis has beside them.
const NOT_MODELLED: [&str; 20] = [
    "aof-flush-sleep",
    "assert",
    "config-rewrite-force-all",
    "crash-and-recover",
    "htstats",
    "htstats-key",
    "leak",
    "loadaof",
    "lua-always-replicate-commands",
    "mallctl",
    "oom",
    "panic",
    "protocol",
    "reload",
    "restart",
    "sdslen",
    "set-skip-checksum-validation",
    "stringmatch-test",
    "structsize",
    "ziplist",
];

/// DEBUG subcommand …
pub(super) fn debug(call: &mut Call<'_, '_>) -> Outcome {
    let subcommand = text(call.word(1)).to_ascii_lowercase();
    match (subcommand.as_str(), call.args.len()) {
        // The process dies with its clients waiting (Appendix B.3).
        ("segfault", _) => {
            crash(call);
            Outcome::Replies(Vec::new())
        }
        _ => answer(call, &subcommand).into(),
    }
}

fn answer(call: &mut Call<'_, '_>, subcommand: &str) -> Answer {
    match (subcommand, call.args.len()) {
        ("help", 2) => Ok(help::debug()),
        ("sleep", 3) => {
            let span = Span::micros(number::micros_of_seconds(call.word(2)));
            call.ctx.out.effects.push(Effect::Sleep(span));
            Ok(Reply::ok())
        }
        ("log", 3) => {
            let message = format_args!("DEBUG LOG: {}", text(call.word(2)));
            call.node.log(call.ctx, Level::Warning, message);
            Ok(Reply::ok())
        }
        ("error", 3) => Ok(CommandError::coded(text(call.word(2))).into()),
        ("object", 3) => object(call),
        ("digest", 2) => Ok(Reply::Status(digest::of_keys(&call.node.keys).to_string())),
        ("digest-value", _) => {
            let digests = call.args[2..].iter().map(|key| {
                let entry = call.node.keys.get(key);
                Reply::Status(digest::of_entry(entry).to_string())
            });
            Ok(Reply::Array(digests.collect()))
        }
        ("set-active-expire", 3) => {
            // As atoi reads it: what is no number is 0.
            let enabled = text(call.word(2)).trim_start().parse::<i64>().unwrap_or(0) != 0;
            call.node.server.active_expire = enabled;
            Ok(Reply::ok())
        }
        ("populate", 3..=5) => populate(call),
        ("change-repl-id", 2) => {
            let text = format_args!("Changing replication IDs after receiving change-repl-id");
            call.node.log(call.ctx, Level::Notice, text);
            let replication = &mut call.node.replication;
            replication.history.restart(&mut replication.draws);
            Ok(Reply::ok())
        }
        (known, _) if NOT_MODELLED.contains(&known) => {
            Err(CommandError::err(format_args!("'debug {known}' is not modelled here")))
        }
        _ => Err(CommandError::subcommand(call.args)),
    }
}

/// Ends the process by its own fault, with the first lines of its report (Appendix B.3).
fn crash(call: &mut Call<'_, '_>) {
    for line in [
        "Redis 6.2.3 crashed by signal: 11, si_code: 1",
        "Accessing address: 0xffffffffffffffff",
        "Crashed running the instruction at: 0x55d0c0a0d1e0",
    ] {
        call.node.log(call.ctx, Level::Warning, format_args!("{line}"));
    }
    call.ctx.out.effects.push(Effect::Exit(Exit::Crash));
}

/// DEBUG OBJECT key
fn object(call: &mut Call<'_, '_>) -> Answer {
    let entry = call.node.keys.get(call.word(2)).ok_or(CommandError::NO_SUCH_KEY)?;
    Ok(Reply::Status(format!(
        "Value at:0x7f0000000000 refcount:{} encoding:{} serializedlength:{} lru:0 \
         lru_seconds_idle:0",
        key::references(entry),
        entry.encoding(),
        rdb::encode_value(&entry.value).len() - 1,
    )))
}

/// `DEBUG POPULATE count [prefix] [size]`
fn populate(call: &mut Call<'_, '_>) -> Answer {
    let count = call.integer(2)?;
    let size = match call.args.get(4) {
        Some(_) => call.integer(4)?,
        None => 0,
    };
    let (Ok(count), Ok(size)) = (u64::try_from(count), usize::try_from(size)) else {
        return Err(CommandError::NOT_POSITIVE);
    };
    let prefix = call.args.get(3).map_or("key".into(), |prefix| text(prefix));
    for number in 0..count {
        let key = format!("{prefix}:{number}");
        if call.exists(key.as_bytes()) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        call.node.keys.insert_string(key.as_bytes(), &value);
        call.node.clients.touch(key.as_bytes());
    }
    Ok(Reply::ok())
}

#[cfg(test)]
mod tests {
    use crate::node::effect::{Exit, Input};
    use crate::node::lab::{CLIENT, Lab};
    use crate::node::log::Level;
    use crate::resp::{Reply, args};

    #[test]
    fn a_subcommand_that_redis_has_is_not_called_unknown_b_4() {
        let mut lab = Lab::alone(1);
        for (words, said) in [
            ("DEBUG RESTART", "ERR 'debug restart' is not modelled here"),
            ("DEBUG RELOAD NOSAVE", "ERR 'debug reload' is not modelled here"),
            (
                "DEBUG NONSENSE",
                "ERR Unknown subcommand or wrong number of arguments for 'NONSENSE'. Try DEBUG HELP.",
            ),
        ] {
            assert_eq!(lab.ask(0, words), Reply::Error(said.to_owned()), "{words}");
        }
    }

    #[test]
    fn the_object_of_a_small_number_is_shared() {
        let mut lab = Lab::alone(1);
        for (value, said) in [
            ("9999", "refcount:2147483647 encoding:int "),
            ("10000", "refcount:1 encoding:int "),
            ("x", "refcount:1 encoding:embstr "),
        ] {
            lab.node(0).keys.insert_string(b"key", value.as_bytes());
            let reply = lab.ask(0, "DEBUG OBJECT key");
            assert!(reply.text().is_some_and(|text| text.contains(said)), "{value}: {reply:?}");
        }
    }

    #[test]
    fn a_history_can_be_given_a_new_name_a6() {
        let mut lab = Lab::alone(1);
        let before = lab.node(0).replication.history.id;
        assert_eq!(lab.ask(0, "DEBUG CHANGE-REPL-ID"), Reply::ok());
        assert_ne!(lab.node(0).replication.history.id, before);
    }

    #[test]
    fn a_crash_is_reported_and_nobody_is_answered_b_3() {
        let mut lab = Lab::alone(1);
        lab.forget_records();
        lab.replies.clear();
        lab.input(0, Input::Command(CLIENT, args(["DEBUG", "SEGFAULT"]).into()));
        let lines: Vec<(Level, &str)> =
            lab.lines.iter().map(|line| (line.level, line.text.as_str())).collect();
        assert_eq!(lines[0], (Level::Warning, "Redis 6.2.3 crashed by signal: 11, si_code: 1"));
        assert_eq!(lines[1].1, "Accessing address: 0xffffffffffffffff");
        assert!(lines[2].1.starts_with("Crashed running the instruction at: 0x"));
        assert_eq!(lab.exits, [(0, Exit::Crash)]);
        assert!(lab.replies.is_empty());
    }
}
