//! Lists.

use std::collections::VecDeque;

use crate::node::command::error::{self, Answer, integer};
use crate::node::command::{Call, CommandError};
use crate::node::keyspace::{Key, Value};
use crate::resp::Reply;

pub(super) type List = VecDeque<Vec<u8>>;

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Head,
    Tail,
}

impl End {
    pub(super) fn parse(word: &[u8]) -> Result<End, CommandError> {
        if word.eq_ignore_ascii_case(b"left") {
            Ok(End::Head)
        } else if word.eq_ignore_ascii_case(b"right") {
            Ok(End::Tail)
        } else {
            Err(CommandError::SYNTAX)
        }
    }

    /// The command that pops from it.
    pub(super) fn pop_word(self) -> &'static str {
        match self {
            End::Head => "LPOP",
            End::Tail => "RPOP",
        }
    }

    /// The word for it.
    pub(super) fn word(self) -> &'static str {
        match self {
            End::Head => "LEFT",
            End::Tail => "RIGHT",
        }
    }

    pub(super) fn push(self, list: &mut List, element: Vec<u8>) {
        match self {
            End::Head => list.push_front(element),
            End::Tail => list.push_back(element),
        }
    }

    pub(super) fn pop(self, list: &mut List) -> Option<Vec<u8>> {
        match self {
            End::Head => list.pop_front(),
            End::Tail => list.pop_back(),
        }
    }
}

fn read<'c>(call: &'c mut Call<'_, '_>, key: Key<'_>) -> Result<Option<&'c List>, CommandError> {
    match call.read(key) {
        None => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

pub(super) fn write<'c, 'k>(
    call: &'c mut Call<'_, '_>,
    key: impl Into<Key<'k>>,
) -> Result<Option<&'c mut List>, CommandError> {
    match call.write(key) {
        None => Ok(None),
        Some(Value::List(list)) => Ok(Some(list)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// Counts `changes` to a list, and deletes its key if nothing is left of it.
pub(super) fn changed<'k>(call: &mut Call<'_, '_>, key: impl Into<Key<'k>>, changes: usize) {
    let key = key.into();
    if matches!(call.node.keys.get(key), Some(entry) if entry.value == Value::List(List::new())) {
        call.node.keys.remove(key);
    }
    call.node.clients.touch(&key);
    call.also_changed(changes);
}

fn push(call: &mut Call<'_, '_>, end: End, only_existing: bool) -> Answer {
    let key = call.key(1);
    let elements = &call.args[2..];
    if write(call, key)?.is_none() {
        if only_existing {
            return Ok(Reply::Int(0));
        }
        call.node.keys.insert(key, Value::List(List::new()));
    }
    let mut len = 0;
    if let Some(list) = write(call, key)? {
        for element in elements {
            end.push(list, element.clone());
        }
        len = list.len();
    }
    changed(call, key, elements.len());
    Ok(Reply::Int(len as i64))
}

/// `LPUSH key element [element …]`
pub(super) fn lpush(call: &mut Call<'_, '_>) -> Answer {
    push(call, End::Head, false)
}

/// `RPUSH key element [element …]`
pub(super) fn rpush(call: &mut Call<'_, '_>) -> Answer {
    push(call, End::Tail, false)
}

/// `LPUSHX key element [element …]`
pub(super) fn lpushx(call: &mut Call<'_, '_>) -> Answer {
    push(call, End::Head, true)
}

/// `RPUSHX key element [element …]`
pub(super) fn rpushx(call: &mut Call<'_, '_>) -> Answer {
    push(call, End::Tail, true)
}

/// LINSERT key BEFORE|AFTER pivot element
pub(super) fn linsert(call: &mut Call<'_, '_>) -> Answer {
    let after = match (call.is(2, "after"), call.is(2, "before")) {
        (false, false) => return Err(CommandError::SYNTAX),
        (after, _) => usize::from(after),
    };
    let (key, pivot, element) = (call.key(1), call.word(3), call.word(4));
    let Some(list) = write(call, key)? else { return Ok(Reply::Int(0)) };
    let Some(at) = list.iter().position(|other| other == pivot) else { return Ok(Reply::Int(-1)) };
    list.insert(at + after, element.to_vec());
    let len = list.len();
    changed(call, key, 1);
    Ok(Reply::Int(len as i64))
}

/// LLEN key
pub(super) fn llen(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Int(read(call, key)?.map_or(0, List::len) as i64))
}

/// The place that an index means; negative ones count from the tail.
fn place(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index + len as i64 } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

/// The places from `start` to `end`, both included; negative ones count from the tail.
fn places(start: i64, end: i64, len: usize) -> std::ops::Range<usize> {
    let from_tail = |index: i64| if index < 0 { index.saturating_add(len as i64) } else { index };
    let start = from_tail(start).max(0);
    let end = from_tail(end).min(len as i64 - 1);
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

/// LINDEX key index
pub(super) fn lindex(call: &mut Call<'_, '_>) -> Answer {
    let (key, index) = (call.key(1), call.word(2));
    let Some(list) = read(call, key)? else { return Ok(Reply::Nil) };
    let at = place(integer(index)?, list.len());
    Ok(at.map_or(Reply::Nil, |at| Reply::bulk(&list[at])))
}

/// LSET key index element
pub(super) fn lset(call: &mut Call<'_, '_>) -> Answer {
    let (key, index, element) = (call.key(1), call.word(2), call.word(3));
    let list = write(call, key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    let at =
        place(integer(index)?, list.len()).ok_or(CommandError::fixed("ERR index out of range"))?;
    list[at] = element.to_vec();
    changed(call, key, 1);
    Ok(Reply::ok())
}

fn pop(call: &mut Call<'_, '_>, end: End) -> Answer {
    let key = call.key(1);
    let count = match call.args {
        [_, _] => None,
        [_, _, count] => Some(error::count(count)?),
        _ => return Err(CommandError::arity(call.spec.name)),
    };
    if count == Some(0) {
        return Ok(Reply::NilArray);
    }
    let Some(list) = write(call, key)? else { return Ok(Reply::Nil) };
    let take = count.unwrap_or(1).min(list.len());
    let mut popped: Vec<Reply> = (0..take).filter_map(|_| end.pop(list)).map(Reply::Bulk).collect();
    changed(call, key, take);
    Ok(match count {
        Some(_) => Reply::Array(popped),
        None => popped.pop().unwrap_or(Reply::Nil),
    })
}

/// `LPOP key [count]`
pub(super) fn lpop(call: &mut Call<'_, '_>) -> Answer {
    pop(call, End::Head)
}

/// `RPOP key [count]`
pub(super) fn rpop(call: &mut Call<'_, '_>) -> Answer {
    pop(call, End::Tail)
}

/// LRANGE key start stop
pub(super) fn lrange(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = read(call, key)? else { return Ok(Reply::Array(Vec::new())) };
    let range = places(start, end, list.len());
    Ok(Reply::Array(list.range(range).map(Reply::bulk).collect()))
}

/// LTRIM key start stop
pub(super) fn ltrim(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = write(call, key)? else { return Ok(Reply::ok()) };
    let range = places(start, end, list.len());
    let removed = list.len() - range.len();
    list.truncate(range.end);
    list.drain(..range.start);
    changed(call, key, removed);
    Ok(Reply::ok())
}

/// The options of LPOS.
struct Search {
    rank: i64,
    count: Option<usize>,
    limit: usize,
}

fn search(call: &Call<'_, '_>) -> Result<Search, CommandError> {
    let mut search = Search { rank: 1, count: None, limit: usize::MAX };
    let mut at = 3;
    while at < call.args.len() {
        let (name, value) = (at, at + 1);
        if value >= call.args.len() {
            return Err(CommandError::SYNTAX);
        }
        let positive = |refusal| {
            let number = call.integer(value).map_err(|_| CommandError::fixed(refusal))?;
            usize::try_from(number).map_err(|_| CommandError::fixed(refusal))
        };
        if call.is(name, "rank") {
            search.rank = call.integer(value)?;
            if search.rank == 0 {
                return Err(CommandError::fixed(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the \
                     second, ...",
                ));
            }
        } else if call.is(name, "count") {
            search.count = Some(positive("ERR COUNT can't be negative")?);
        } else if call.is(name, "maxlen") {
            search.limit = match positive("ERR MAXLEN can't be negative")? {
                0 => usize::MAX,
                limit => limit,
            };
        } else {
            return Err(CommandError::SYNTAX);
        }
        at += 2;
    }
    Ok(search)
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN length]`
pub(super) fn lpos(call: &mut Call<'_, '_>) -> Answer {
    let search = search(call)?;
    let (key, element) = (call.key(1), call.word(2));
    let Some(list) = read(call, key)? else {
        return Ok(search.count.map_or(Reply::Nil, |_| Reply::Array(Vec::new())));
    };
    let forward = search.rank > 0;
    let places: Vec<usize> = if forward {
        (0..list.len()).take(search.limit).collect()
    } else {
        (0..list.len()).rev().take(search.limit).collect()
    };
    let skipped = usize::try_from(search.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let mut found =
        places.into_iter().filter(|&at| list[at] == element).skip(skipped).map(|at| at as i64);
    Ok(match search.count {
        None => found.next().map_or(Reply::Nil, Reply::Int),
        Some(0) => Reply::Array(found.map(Reply::Int).collect()),
        Some(count) => Reply::Array(found.take(count).map(Reply::Int).collect()),
    })
}

/// LREM key count element
pub(super) fn lrem(call: &mut Call<'_, '_>) -> Answer {
    let (key, element) = (call.key(1), call.word(3));
    let count = call.integer(2)?;
    let limit = match usize::try_from(count.unsigned_abs()) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(limit) => limit,
    };
    let Some(list) = write(call, key)? else { return Ok(Reply::Int(0)) };
    let hits = list.iter().enumerate().filter(|(_, other)| *other == element).map(|(at, _)| at);
    let doomed: Vec<usize> =
        if count < 0 { hits.rev().take(limit).collect() } else { hits.take(limit).collect() };
    let mut at = 0;
    list.retain(|_| {
        at += 1;
        !doomed.contains(&(at - 1))
    });
    if !doomed.is_empty() {
        changed(call, key, doomed.len());
    }
    Ok(Reply::Int(doomed.len() as i64))
}

pub(super) fn move_element(call: &mut Call<'_, '_>, from: End, to: End) -> Answer {
    let (source, target) = (call.key(1), call.key(2));
    if write(call, source)?.is_none() {
        return Ok(Reply::Nil);
    }
    if write(call, target)?.is_none() {
        call.node.keys.insert(target, Value::List(List::new()));
    }
    let element = write(call, source)?.and_then(|list| from.pop(list)).unwrap_or_default();
    if let Some(list) = write(call, target)? {
        to.push(list, element.clone());
    }
    call.node.clients.touch(&target);
    changed(call, source, 1);
    Ok(Reply::Bulk(element))
}

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
pub(super) fn lmove(call: &mut Call<'_, '_>) -> Answer {
    let (from, to) = (End::parse(call.word(3))?, End::parse(call.word(4))?);
    move_element(call, from, to)
}

/// RPOPLPUSH source destination
pub(super) fn rpoplpush(call: &mut Call<'_, '_>) -> Answer {
    move_element(call, End::Tail, End::Head)
}
