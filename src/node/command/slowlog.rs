//! SLOWLOG: the commands that took long. What takes time of a process here is DEBUG SLEEP; other
//! commands take none.

use std::collections::VecDeque;

use crate::node::Node;
use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError, Spec, Traits, client_list, help};
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::resp::Reply;
use crate::time::{Span, Wall};

/// How many words of a command are kept.
const WORDS: usize = 32;
/// How many bytes of a word are kept.
const BYTES: usize = 128;

/// The commands that took long, the last one first.
#[derive(Debug, Default)]
pub struct Slowlog {
    entries: VecDeque<Entry>,
    /// How many there were since the process was started: the number of the next one.
    count: i64,
}

#[derive(Debug)]
struct Entry {
    number: i64,
    /// When it was over, in Unix seconds.
    time: i64,
    took: Span,
    words: Vec<Vec<u8>>,
    client: String,
    name: Vec<u8>,
}

impl Entry {
    fn describe(&self) -> Reply {
        Reply::Array(vec![
            Reply::Int(self.number),
            Reply::Int(self.time),
            Reply::Int(self.took.as_micros() as i64),
            Reply::Array(self.words.iter().map(Reply::bulk).collect()),
            Reply::bulk(&self.client),
            Reply::bulk(&self.name),
        ])
    }
}

/// How long the process sleeps because of what it has just done.
pub(super) fn slept(effects: &[Effect]) -> Span {
    let sleeps = effects.iter().filter_map(|effect| match effect {
        Effect::Sleep(span) => Some(span.as_micros()),
        _ => None,
    });
    Span::micros(sleeps.sum())
}

/// Notes a command that was carried out, if it took long enough.
pub(super) fn note(
    node: &mut Node,
    client: LinkId,
    spec: &Spec,
    words: &[Vec<u8>],
    took: Span,
    ctx: &Ctx<'_>,
) {
    let Ok(slow) = u64::try_from(node.config.slowlog_log_slower_than) else { return };
    if took.as_micros() < slow || spec.traits.any(Traits::SKIP_SLOWLOG) {
        return;
    }
    let name = node.clients.get(client).and_then(|client| client.name.clone());
    let log = &mut node.server.slowlog;
    log.entries.push_front(Entry {
        number: log.count,
        time: Wall(ctx.now.0 + took.as_micros()).secs(),
        took,
        words: shortened(words),
        client: client_list::client_address(client),
        name: name.unwrap_or_default(),
    });
    log.count += 1;
    log.entries.truncate(usize::try_from(node.config.slowlog_max_len).unwrap_or(usize::MAX));
}

/// Not too many words, none too long.
fn shortened(words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let kept = if words.len() > WORDS { WORDS - 1 } else { words.len() };
    let mut short: Vec<Vec<u8>> = words[..kept].iter().map(|word| shortened_word(word)).collect();
    if kept < words.len() {
        short.push(format!("... ({} more arguments)", words.len() - kept).into_bytes());
    }
    short
}

fn shortened_word(word: &[u8]) -> Vec<u8> {
    let mut short = word[..word.len().min(BYTES)].to_vec();
    if word.len() > BYTES {
        short.extend(format!("... ({} more bytes)", word.len() - BYTES).bytes());
    }
    short
}

/// `SLOWLOG GET [count]|LEN|RESET`
pub(super) fn slowlog(call: &mut Call<'_, '_>) -> Answer {
    let log = &mut call.node.server.slowlog;
    match (text(&call.args[1]).to_ascii_lowercase().as_str(), call.args.len()) {
        ("help", 2) => Ok(help::slowlog()),
        ("len", 2) => Ok(Reply::Int(log.entries.len() as i64)),
        ("reset", 2) => {
            log.entries.clear();
            Ok(Reply::ok())
        }
        ("get", 2) => Ok(get(log, 10)),
        ("get", 3) => {
            let count = call.integer(2)?;
            // A negative count is never used up.
            Ok(get(&call.node.server.slowlog, usize::try_from(count).unwrap_or(usize::MAX)))
        }
        _ => Err(CommandError::subcommand(call.args)),
    }
}

fn get(log: &Slowlog, count: usize) -> Reply {
    Reply::Array(log.entries.iter().take(count).map(Entry::describe).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::lab::{CLIENT, Lab, OPENING};
    use crate::resp::args;

    fn entries(lab: &mut Lab, how: &str) -> Vec<Vec<Reply>> {
        let Reply::Array(entries) = lab.ask(0, &format!("SLOWLOG GET{how}")) else { panic!() };
        let fields = |entry| match entry {
            Reply::Array(fields) => fields,
            other => panic!("{other:?}"),
        };
        entries.into_iter().map(fields).collect()
    }

    #[test]
    fn a_command_that_takes_long_is_noted() {
        let mut lab = Lab::alone(1);
        lab.ask(0, "CLIENT SETNAME me");
        lab.ask(0, "DEBUG SLEEP 0.009999");
        lab.ask(0, "DEBUG SLEEP 1.5");
        lab.ask(0, "PING");
        assert_eq!(lab.ask(0, "SLOWLOG LEN"), Reply::Int(1));
        let entry = entries(&mut lab, "").remove(0);
        let time = Reply::Int(Wall(OPENING.0 + 1_500_000).secs());
        assert_eq!(entry[..3], [Reply::Int(0), time, Reply::Int(1_500_000)]);
        let words = ["DEBUG", "SLEEP", "1.5"].map(Reply::bulk).to_vec();
        assert_eq!(entry[3], Reply::Array(words));
        assert_eq!(entry[4], Reply::bulk(client_list::client_address(CLIENT)));
        assert_eq!(entry[5], Reply::bulk("me"));
        assert_eq!(lab.ask(0, "SLOWLOG RESET"), Reply::ok());
        assert_eq!(entries(&mut lab, ""), Vec::<Vec<Reply>>::new());
    }

    #[test]
    fn the_last_one_comes_first_and_the_oldest_are_forgotten() {
        let mut lab = Lab::alone(1);
        for _ in 0..12 {
            lab.ask(0, "DEBUG SLEEP 1");
        }
        let numbers = |lab: &mut Lab, how| -> Vec<i64> {
            let number = |entry: Vec<Reply>| match entry[0] {
                Reply::Int(number) => number,
                _ => panic!(),
            };
            entries(lab, how).into_iter().map(number).collect()
        };
        assert_eq!(numbers(&mut lab, ""), (2..12).rev().collect::<Vec<i64>>());
        assert_eq!(numbers(&mut lab, " 2"), [11, 10]);
        assert_eq!(numbers(&mut lab, " -1").len(), 12);
        lab.ask(0, "CONFIG SET slowlog-max-len 3");
        lab.ask(0, "DEBUG SLEEP 1");
        assert_eq!(numbers(&mut lab, " -1"), [12, 11, 10]);
        lab.ask(0, "CONFIG SET slowlog-log-slower-than -1");
        lab.ask(0, "DEBUG SLEEP 1");
        assert_eq!(numbers(&mut lab, " 1"), [12]);
    }

    #[test]
    fn a_transaction_is_noted_command_by_command_and_long_ones_are_shortened() {
        let mut lab = Lab::alone(1);
        for words in ["MULTI", "DEBUG SLEEP 1", "PING", "DEBUG SLEEP 2", "EXEC"] {
            lab.ask(0, words);
        }
        let took = |entry: &Vec<Reply>| entry[2].clone();
        let found: Vec<Reply> = entries(&mut lab, "").iter().map(took).collect();
        assert_eq!(found, [Reply::Int(2_000_000), Reply::Int(1_000_000)]);
        let short = shortened(&vec![vec![b'x'; 130]; 33]);
        assert_eq!(short.len(), 32);
        assert_eq!(short[0], format!("{}... (2 more bytes)", "x".repeat(128)).into_bytes());
        assert_eq!(short[31], b"... (2 more arguments)");
        assert_eq!(shortened(&args(["x"; 32])), args(["x"; 32]));
    }
}
