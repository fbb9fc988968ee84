//! Hashes.

use crate::node::command::error::Answer;
use crate::node::command::{Call, CommandError};
use crate::node::keyspace::{Key, Value};
use crate::node::number;
use crate::node::value::Hash;
use crate::resp::Reply;

fn read<'c>(call: &'c mut Call<'_, '_>, key: Key<'_>) -> Result<Option<&'c Hash>, CommandError> {
    match call.read(key) {
        None => Ok(None),
        Some(Value::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

fn write<'c>(
    call: &'c mut Call<'_, '_>,
    key: Key<'_>,
) -> Result<Option<&'c mut Hash>, CommandError> {
    match call.write(key) {
        None => Ok(None),
        Some(Value::Hash(hash)) => Ok(Some(hash)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// Sets fields, in a new hash if there is none; returns how many are new.
fn put(call: &mut Call<'_, '_>, key: Key<'_>, pairs: &[Vec<u8>]) -> Result<usize, CommandError> {
    if write(call, key)?.is_none() {
        call.node.keys.insert(key, Value::Hash(Hash::default()));
    }
    let hash = write(call, key)?;
    let new = hash.map_or(0, |hash| {
        pairs.chunks_exact(2).filter(|pair| hash.insert(&pair[0], &pair[1])).count()
    });
    call.node.clients.touch(&key);
    call.also_changed(pairs.len() / 2);
    Ok(new)
}

fn put_all(call: &mut Call<'_, '_>) -> Result<usize, CommandError> {
    if !call.args.len().is_multiple_of(2) {
        return Err(CommandError::arity(call.spec.name));
    }
    put(call, call.key(1), &call.args[2..])
}

/// `HSET key field value [field value …]`
pub(super) fn hset(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(put_all(call)? as i64))
}

/// `HMSET key field value [field value …]`
pub(super) fn hmset(call: &mut Call<'_, '_>) -> Answer {
    put_all(call)?;
    Ok(Reply::ok())
}

/// HSETNX key field value
pub(super) fn hsetnx(call: &mut Call<'_, '_>) -> Answer {
    let (key, field) = (call.key(1), call.word(2));
    if write(call, key)?.is_some_and(|hash| hash.fields.contains_key(field)) {
        return Ok(Reply::Int(0));
    }
    put(call, key, &call.args[2..])?;
    Ok(Reply::Int(1))
}

/// HGET key field
pub(super) fn hget(call: &mut Call<'_, '_>) -> Answer {
    let (key, field) = (call.key(1), call.word(2));
    Ok(field_of(read(call, key)?, field))
}

fn field_of(hash: Option<&Hash>, field: &[u8]) -> Reply {
    hash.and_then(|hash| hash.fields.get(field)).map_or(Reply::Nil, Reply::bulk)
}

/// `HMGET key field [field …]`
pub(super) fn hmget(call: &mut Call<'_, '_>) -> Answer {
    let (key, fields) = (call.key(1), &call.args[2..]);
    let hash = read(call, key)?;
    Ok(Reply::Array(fields.iter().map(|field| field_of(hash, field)).collect()))
}

/// `HDEL key field [field …]`
pub(super) fn hdel(call: &mut Call<'_, '_>) -> Answer {
    let (key, fields) = (call.key(1), &call.args[2..]);
    let Some(hash) = write(call, key)? else { return Ok(Reply::Int(0)) };
    let deleted =
        fields.iter().filter(|field| hash.fields.shift_remove(field.as_slice()).is_some()).count();
    if hash.fields.is_empty() {
        call.node.keys.remove(key);
    }
    if deleted > 0 {
        call.node.clients.touch(&key);
        call.also_changed(deleted);
    }
    Ok(Reply::Int(deleted as i64))
}

/// HLEN key
pub(super) fn hlen(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Int(read(call, key)?.map_or(0, |hash| hash.fields.len()) as i64))
}

/// HSTRLEN key field
pub(super) fn hstrlen(call: &mut Call<'_, '_>) -> Answer {
    let (key, field) = (call.key(1), call.word(2));
    let value = read(call, key)?.and_then(|hash| hash.fields.get(field));
    Ok(Reply::Int(value.map_or(0, Vec::len) as i64))
}

/// HEXISTS key field
pub(super) fn hexists(call: &mut Call<'_, '_>) -> Answer {
    let (key, field) = (call.key(1), call.word(2));
    let found = read(call, key)?.is_some_and(|hash| hash.fields.contains_key(field));
    Ok(Reply::Int(i64::from(found)))
}

fn all(call: &mut Call<'_, '_>, fields: bool, values: bool) -> Answer {
    let key = call.key(1);
    let hash = read(call, key)?;
    let pairs = hash.into_iter().flat_map(|hash| &hash.fields);
    let shown = pairs.flat_map(|(field, value)| {
        let field = fields.then(|| Reply::bulk(field));
        field.into_iter().chain(values.then(|| Reply::bulk(value)))
    });
    Ok(Reply::Array(shown.collect()))
}

/// HKEYS key
pub(super) fn hkeys(call: &mut Call<'_, '_>) -> Answer {
    all(call, true, false)
}

/// HVALS key
pub(super) fn hvals(call: &mut Call<'_, '_>) -> Answer {
    all(call, false, true)
}

/// HGETALL key
pub(super) fn hgetall(call: &mut Call<'_, '_>) -> Answer {
    all(call, true, true)
}

/// HINCRBY key field increment
pub(super) fn hincrby(call: &mut Call<'_, '_>) -> Answer {
    let (key, field) = (call.key(1), call.word(2));
    let step = call.integer(3)?;
    let before = match write(call, key)?.and_then(|hash| hash.fields.get(field)) {
        None => 0,
        Some(value) => {
            number::parse(value).ok_or(CommandError::fixed("ERR hash value is not an integer"))?
        }
    };
    let after = before
        .checked_add(step)
        .ok_or(CommandError::fixed("ERR increment or decrement would overflow"))?;
    put(call, key, &[field.to_vec(), after.to_string().into_bytes()])?;
    Ok(Reply::Int(after))
}
