//! Sets.

use std::collections::BTreeSet;

use crate::node::command::error::{self, Answer, integer};
use crate::node::command::{Call, CommandError};
use crate::node::keyspace::{Key, Value};
use crate::node::value::Set;
use crate::resp::Reply;

fn read<'c>(call: &'c mut Call<'_, '_>, key: Key<'_>) -> Result<Option<&'c Set>, CommandError> {
    match call.read(key) {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

fn write<'c>(
    call: &'c mut Call<'_, '_>,
    key: Key<'_>,
) -> Result<Option<&'c mut Set>, CommandError> {
    match call.write(key) {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(set)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// Counts `changes` to a set, and deletes its key if nothing is left of it.
fn changed(call: &mut Call<'_, '_>, key: Key<'_>, changes: usize) {
    if changes == 0 {
        return;
    }
    if matches!(call.node.keys.get(key).map(|entry| &entry.value), Some(Value::Set(set)) if set.is_empty())
    {
        call.node.keys.remove(key);
    }
    call.node.clients.touch(&key);
    call.also_changed(changes);
}

/// `SADD key member [member …]`
pub(super) fn sadd(call: &mut Call<'_, '_>) -> Answer {
    let (key, members) = (call.key(1), &call.args[2..]);
    if write(call, key)?.is_none() {
        call.node.keys.insert(key, Value::Set(Set::default()));
    }
    let set = write(call, key)?;
    let added = set.map_or(0, |set| members.iter().filter(|member| set.insert(member)).count());
    changed(call, key, added);
    Ok(Reply::Int(added as i64))
}

/// `SREM key member [member …]`
pub(super) fn srem(call: &mut Call<'_, '_>) -> Answer {
    let (key, members) = (call.key(1), &call.args[2..]);
    let set = write(call, key)?;
    let removed = set.map_or(0, |set| members.iter().filter(|member| set.remove(member)).count());
    changed(call, key, removed);
    Ok(Reply::Int(removed as i64))
}

/// SMOVE source destination member
pub(super) fn smove(call: &mut Call<'_, '_>) -> Answer {
    let (source, target, member) = (call.key(1), call.key(2), call.word(3));
    if !call.exists(source) {
        return Ok(Reply::Int(0));
    }
    let found = write(call, source)?.is_some_and(|set| set.contains(member));
    let target_is_set = write(call, target)?.is_some();
    if *source == *target || !found {
        return Ok(Reply::Int(i64::from(found)));
    }
    if let Some(set) = write(call, source)? {
        set.remove(member);
    }
    if !target_is_set {
        call.node.keys.insert(target, Value::Set(Set::default()));
    }
    let added = write(call, target)?.is_some_and(|set| set.insert(member));
    call.node.clients.touch(&target);
    changed(call, source, 1 + usize::from(added));
    Ok(Reply::Int(1))
}

/// SISMEMBER key member
pub(super) fn sismember(call: &mut Call<'_, '_>) -> Answer {
    let (key, member) = (call.key(1), call.word(2));
    Ok(Reply::Int(i64::from(read(call, key)?.is_some_and(|set| set.contains(member)))))
}

/// `SMISMEMBER key member [member …]`
pub(super) fn smismember(call: &mut Call<'_, '_>) -> Answer {
    let (key, members) = (call.key(1), &call.args[2..]);
    let set = read(call, key)?;
    let found = |member: &Vec<u8>| set.is_some_and(|set| set.contains(member));
    Ok(Reply::Array(members.iter().map(|member| Reply::Int(i64::from(found(member)))).collect()))
}

/// SCARD key
pub(super) fn scard(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Int(read(call, key)?.map_or(0, Set::len) as i64))
}

/// SMEMBERS key
pub(super) fn smembers(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(bulks(read(call, key)?.map(Set::members).unwrap_or_default()))
}

fn bulks(members: impl IntoIterator<Item = Vec<u8>>) -> Reply {
    Reply::Array(members.into_iter().map(Reply::Bulk).collect())
}

/// Draws different members.
fn draw(call: &mut Call<'_, '_>, mut members: Vec<Vec<u8>>, count: usize) -> Vec<Vec<u8>> {
    let count = count.min(members.len());
    for at in 0..count {
        let left = (members.len() - at) as u32;
        let drawn = at + call.node.server.draws.below(left) as usize;
        members.swap(at, drawn);
    }
    members.truncate(count);
    members
}

/// `SPOP key [count]`
pub(super) fn spop(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let count = match call.args {
        [_, _] => None,
        [_, _, count] => Some(error::count(count)?),
        _ => return Err(CommandError::SYNTAX),
    };
    let members = write(call, key)?.map(|set| set.members()).unwrap_or_default();
    let mut popped = draw(call, members, count.unwrap_or(1));
    if let Some(set) = write(call, key)? {
        for member in &popped {
            set.remove(member);
        }
    }
    changed(call, key, popped.len());
    if count.is_some() && call.node.keys.get(key).is_none() {
        call.propagate_instead([b"DEL", key.bytes]);
    } else {
        popped.iter().for_each(|member| call.propagate_instead([b"SREM", key.bytes, member]));
    }
    Ok(match count {
        Some(_) => bulks(popped),
        None => popped.pop().map_or(Reply::Nil, Reply::Bulk),
    })
}

/// `SRANDMEMBER key [count]`: a negative count may repeat members.
pub(super) fn srandmember(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let count = match call.args {
        [_, _] => None,
        [_, _, count] => Some(integer(count)?),
        _ => return Err(CommandError::SYNTAX),
    };
    let members = read(call, key)?.map(Set::members).unwrap_or_default();
    Ok(match count {
        None => draw(call, members, 1).pop().map_or(Reply::Nil, Reply::Bulk),
        Some(count @ 0..) => bulks(draw(call, members, count as usize)),
        Some(_) if members.is_empty() => Reply::Array(Vec::new()),
        Some(count) => {
            let len = members.len() as u32;
            let draws = &mut call.node.server.draws;
            let drawn = (0..count.unsigned_abs()).map(|_| draws.below(len) as usize);
            bulks(drawn.map(|at| members[at].clone()).collect::<Vec<_>>())
        }
    })
}

/// How sets are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

/// Puts the sets of several keys together. The result is in the order of a set.
fn combine(
    call: &mut Call<'_, '_>,
    keys: &[Vec<u8>],
    operation: Operation,
) -> Result<Set, CommandError> {
    let mut result: Option<BTreeSet<Vec<u8>>> = None;
    for key in keys {
        let set = read(call, key.into())?;
        if set.is_none() && operation == Operation::Intersection {
            // Redis does not look at the keys behind.
            return Ok(Set::default());
        }
        let members: BTreeSet<Vec<u8>> =
            set.map(Set::members).unwrap_or_default().into_iter().collect();
        result = Some(match (result, operation) {
            (None, _) => members,
            (Some(before), Operation::Intersection) => &before & &members,
            (Some(before), Operation::Union) => &before | &members,
            (Some(before), Operation::Difference) => &before - &members,
        });
    }
    let mut set = Set::default();
    for member in result.unwrap_or_default() {
        set.insert(&member);
    }
    Ok(set)
}

fn show(call: &mut Call<'_, '_>, operation: Operation) -> Answer {
    Ok(bulks(combine(call, &call.args[1..], operation)?.members()))
}

fn store(call: &mut Call<'_, '_>, operation: Operation) -> Answer {
    let target = call.key(1);
    let set = combine(call, &call.args[2..], operation)?;
    let len = set.len();
    if len == 0 {
        call.delete(target);
    } else {
        call.put(target, Value::Set(set));
    }
    Ok(Reply::Int(len as i64))
}

/// `SINTER key [key …]`
pub(super) fn sinter(call: &mut Call<'_, '_>) -> Answer {
    show(call, Operation::Intersection)
}

/// `SUNION key [key …]`
pub(super) fn sunion(call: &mut Call<'_, '_>) -> Answer {
    show(call, Operation::Union)
}

/// `SDIFF key [key …]`
pub(super) fn sdiff(call: &mut Call<'_, '_>) -> Answer {
    show(call, Operation::Difference)
}

/// `SINTERSTORE destination key [key …]`
pub(super) fn sinterstore(call: &mut Call<'_, '_>) -> Answer {
    store(call, Operation::Intersection)
}

/// `SUNIONSTORE destination key [key …]`
pub(super) fn sunionstore(call: &mut Call<'_, '_>) -> Answer {
    store(call, Operation::Union)
}

/// `SDIFFSTORE destination key [key …]`
pub(super) fn sdiffstore(call: &mut Call<'_, '_>) -> Answer {
    store(call, Operation::Difference)
}
