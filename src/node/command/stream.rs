//! Streams: adding to them, and reading what is new.

use crate::node::Node;
use crate::node::client::{Block, Reading};
use crate::node::command::error::{Answer, integer};
use crate::node::command::wait::limit_in_millis;
use crate::node::command::{Call, CommandError, Outcome};
use crate::node::keyspace::Value;
use crate::node::stream::{Item, Stream, StreamId};
use crate::resp::Reply;

const BAD_ID: CommandError =
    CommandError::fixed("ERR Invalid stream ID specified as stream command argument");

fn id(text: &[u8], missing_seq: u64) -> Result<StreamId, CommandError> {
    StreamId::parse(text, missing_seq).ok_or(BAD_ID)
}

fn read<'c>(call: &'c mut Call<'_, '_>, key: &[u8]) -> Result<Option<&'c Stream>, CommandError> {
    match call.read(key) {
        None => Ok(None),
        Some(Value::Stream(stream)) => Ok(Some(stream)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// `XADD key [NOMKSTREAM] *|id field value [field value …]`
pub(super) fn xadd(call: &mut Call<'_, '_>) -> Answer {
    let only_existing = call.is(2, "nomkstream");
    let at = 2 + usize::from(only_existing);
    if call.is(at, "maxlen") || call.is(at, "minid") {
        return Err(CommandError::err("trimming streams is not modelled here"));
    }
    let given = match call.word(at) {
        b"*" => None,
        text => Some(id(text, 0)?),
    };
    let words = &call.args[at + 1..];
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return Err(CommandError::fixed("ERR wrong number of arguments for XADD"));
    }
    if given == Some(StreamId::default()) {
        return Err(CommandError::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    let (key, now) = (call.word(1), call.now().0.unsigned_abs());
    let stream = match call.write(key) {
        Some(Value::Stream(stream)) => stream,
        Some(_) => return Err(CommandError::WRONG_TYPE),
        None if only_existing => return Ok(Reply::Nil),
        None => {
            call.node.keys.insert(key, Value::Stream(Stream::default()));
            match call.node.keys.value_mut(key) {
                Some(Value::Stream(stream)) => stream,
                _ => return Err(CommandError::WRONG_TYPE),
            }
        }
    };
    let next = stream.next_id(now).ok_or(CommandError::fixed(
        "ERR The stream has exhausted the last possible ID, unable to add more items",
    ))?;
    let id = given.unwrap_or(next);
    if !stream.add(id, words.to_vec()) {
        return Err(CommandError::fixed(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ));
    }
    call.touched(key);
    let mut told = call.args.to_vec();
    told[at] = id.to_string().into_bytes();
    call.instead.push(told);
    Ok(Reply::bulk(id.to_string()))
}

/// XLEN key
pub(super) fn xlen(call: &mut Call<'_, '_>) -> Answer {
    let key = call.word(1);
    Ok(Reply::Int(read(call, key)?.map_or(0, |stream| stream.items.len()) as i64))
}

/// An end of a range; one in front of which stands a parenthesis does not belong to it.
fn bound(text: &[u8], end: bool) -> Result<StreamId, CommandError> {
    match text {
        b"-" => return Ok(StreamId::default()),
        b"+" => return Ok(StreamId::MAX),
        _ => {}
    }
    let missing = if end { u64::MAX } else { 0 };
    let Some(open) = text.strip_prefix(b"(") else { return id(text, missing) };
    let id = id(open, missing)?;
    let (moved, what) = match end {
        true => (previous(id), "ERR invalid end ID for the interval"),
        false => (id.next(), "ERR invalid start ID for the interval"),
    };
    moved.ok_or(CommandError::fixed(what))
}

fn previous(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_sub(1) {
        Some(seq) => Some(StreamId { seq, ..id }),
        None => Some(StreamId { ms: id.ms.checked_sub(1)?, seq: u64::MAX }),
    }
}

/// `XRANGE key start end [COUNT count]`
pub(super) fn xrange(call: &mut Call<'_, '_>) -> Answer {
    let (from, to) = (bound(call.word(2), false)?, bound(call.word(3), true)?);
    let count = match call.args.len() {
        4 => usize::MAX,
        6 if call.is(4, "count") => {
            usize::try_from(integer(call.word(5))?.max(0)).unwrap_or(usize::MAX)
        }
        _ => return Err(CommandError::SYNTAX),
    };
    let key = call.word(1);
    let Some(stream) = read(call, key)? else { return Ok(Reply::Array(Vec::new())) };
    if count == 0 {
        return Ok(Reply::NilArray);
    }
    Ok(Reply::Array(stream.range(from, to).take(count).map(shown).collect()))
}

fn shown(item: &Item) -> Reply {
    let words = item.words.iter().map(Reply::bulk);
    Reply::Array(vec![Reply::bulk(item.id.to_string()), Reply::Array(words.collect())])
}

/// What XREAD was asked.
struct Question {
    blocks: bool,
    reading: Reading,
}

/// `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key …] id [id …]`
pub(super) fn xread(call: &mut Call<'_, '_>) -> Outcome {
    let Question { blocks, reading } = match question(call) {
        Ok(question) => question,
        Err(error) => return Outcome::Reply(error.into()),
    };
    let mut news = Vec::new();
    for (at, key) in reading.keys.iter().enumerate() {
        if let Some(Value::Stream(stream)) = call.read(key) {
            news.extend(of_stream(stream, key, &reading, at));
        }
    }
    if !news.is_empty() {
        return Outcome::Reply(Reply::Array(news));
    }
    // A transaction does not wait.
    if !blocks || call.in_exec {
        return Outcome::Reply(Reply::NilArray);
    }
    Outcome::Blocked(Block::Stream(reading))
}

fn question(call: &mut Call<'_, '_>) -> Result<Question, CommandError> {
    let (mut until, mut blocks, mut count, mut at) = (None, false, usize::MAX, 1);
    let words = call.args.len();
    while at < words && !(call.is(at, "streams") && at + 1 < words) {
        if call.is(at, "block") && at + 1 < words {
            (until, blocks) = (limit_in_millis(call, at + 1)?, true);
        } else if call.is(at, "count") && at + 1 < words {
            let limit = usize::try_from(integer(call.word(at + 1))?).unwrap_or(0);
            count = if limit == 0 { usize::MAX } else { limit };
        } else {
            return Err(CommandError::SYNTAX);
        }
        at += 2;
    }
    if at >= words {
        return Err(CommandError::SYNTAX);
    }
    let named = &call.args[at + 1..];
    if !named.len().is_multiple_of(2) {
        return Err(CommandError::fixed(
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be \
             specified.",
        ));
    }
    let (keys, ids) = named.split_at(named.len() / 2);
    let mut after = Vec::new();
    for (key, text) in keys.iter().zip(ids) {
        let last = read(call, key)?.map_or(StreamId::default(), |stream| stream.last_id);
        after.push(if text == b"$" { last } else { id(text, 0)? });
    }
    Ok(Question { blocks, reading: Reading { until, keys: keys.to_vec(), after, count } })
}

/// What somebody who waits for a key does not know yet.
pub(super) fn news(node: &Node, key: &[u8], reading: &Reading) -> Option<Reply> {
    let at = reading.keys.iter().position(|other| other == key)?;
    let Value::Stream(stream) = &node.keys.get(key)?.value else { return None };
    Some(Reply::Array(vec![of_stream(stream, key, reading, at)?]))
}

fn of_stream(stream: &Stream, key: &[u8], reading: &Reading, at: usize) -> Option<Reply> {
    let from = reading.after[at].next()?;
    let items: Vec<Reply> =
        stream.range(from, StreamId::MAX).take(reading.count).map(shown).collect();
    (!items.is_empty()).then(|| Reply::Array(vec![Reply::bulk(key), Reply::Array(items)]))
}

#[cfg(test)]
mod tests {
    use crate::node::effect::{Input, LinkId};
    use crate::node::lab::{Lab, slot};
    use crate::resp::{Reply, args};

    const READER: LinkId = LinkId(2_000_001);

    fn say(lab: &mut Lab, node: usize, words: &str) {
        lab.input(node, Input::Command(READER, args(words.split(' ')).into()));
    }

    fn told(lab: &Lab) -> Vec<Reply> {
        let own = lab.replies.iter().filter(|(_, to, _)| *to == READER);
        own.filter_map(|(.., reply)| reply.clone()).collect()
    }

    /// Three masters and a replica of the first, with a client that waits there for `{b}`.
    fn waiting_at_replica() -> Lab {
        let mut lab = Lab::formed(3, 1, 5_000);
        lab.run(3_000);
        say(&mut lab, 3, "READONLY");
        say(&mut lab, 3, "XREAD BLOCK 0 STREAMS {b} 0");
        lab.replies.clear();
        lab
    }

    #[test]
    fn who_waits_at_a_replica_reads_what_the_master_writes_11_13() {
        let mut lab = waiting_at_replica();
        lab.run(2_000);
        assert_eq!(told(&lab), [], "it may wait here");
        let added = lab.ask(0, "XADD {b} * foo bar");
        let item = Reply::Array(vec![
            added.clone(),
            Reply::Array(vec![Reply::bulk("foo"), Reply::bulk("bar")]),
        ]);
        let of_key = Reply::Array(vec![Reply::bulk("{b}"), Reply::Array(vec![item])]);
        let Reply::Bulk(text) = added else { panic!("an id") };
        assert_eq!(text, format!("{}-0", lab.now.millis().0).as_bytes());
        lab.replies.retain(|(node, ..)| *node == 3);
        assert_eq!(told(&lab), [Reply::Array(vec![of_key])]);
        let keys = lab.node(0).keys.clone();
        assert_eq!(keys, lab.node(3).keys, "with the id that the master gave");
    }

    #[test]
    fn who_waits_at_a_replica_is_sent_away_when_the_slot_leaves_its_master_11_13() {
        let mut lab = waiting_at_replica();
        let owner = lab.peer(3, 1);
        lab.act(3, |node, _| {
            node.bus.del_slot(slot(3_300));
            node.bus.add_slot(slot(3_300), owner);
        });
        lab.run(1_100);
        assert_eq!(told(&lab), [Reply::Error("MOVED 3300 10.0.0.2:7000".to_owned())]);
    }

    #[test]
    fn an_id_follows_the_clock_unless_that_went_back() {
        let mut lab = Lab::formed(3, 1, 5_000);
        lab.run(3_000);
        let ahead = lab.now.millis().0 + 10_000;
        lab.ask(0, &format!("XADD {{b}} {ahead}-5 f v"));
        assert_eq!(lab.ask(0, "XADD {b} * f v"), Reply::bulk(format!("{ahead}-6")));
        lab.run(10_500);
        let now = lab.now.millis().0;
        assert_eq!(lab.ask(0, "XADD {b} * f v"), Reply::bulk(format!("{now}-0")));
    }
}
