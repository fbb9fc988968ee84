//! Keys whatever they hold: deleting, renaming, expiring, counting.

use crate::node::command::error::{self, Answer, text};
use crate::node::command::{Call, CommandError, help};
use crate::node::effect::Notice;
use crate::node::glob;
use crate::node::keyspace::{Entry, Keyspace, Value};
use crate::resp::Reply;
use crate::time::Millis;

/// `DEL key [key …]`; UNLINK is the same to whoever looks from outside.
pub(super) fn del(call: &mut Call<'_, '_>) -> Answer {
    let mut deleted = 0;
    for key in &call.args[1..] {
        call.node.expire_if_needed(call.ctx, key);
        deleted += i64::from(call.delete(key));
    }
    Ok(Reply::Int(deleted))
}

/// `EXISTS key [key …]` and `TOUCH key [key …]`
pub(super) fn exists(call: &mut Call<'_, '_>) -> Answer {
    let keys = &call.args[1..];
    Ok(Reply::Int(keys.iter().filter(|key| call.read(*key).is_some()).count() as i64))
}

/// KEYS pattern
pub(super) fn keys(call: &mut Call<'_, '_>) -> Answer {
    let pattern = call.word(1);
    let now = call.now();
    let matching = call.node.keys.iter().filter(|(key, entry)| {
        glob::matches(pattern, key) && entry.expires.is_none_or(|expires| now <= expires)
    });
    Ok(Reply::Array(matching.map(|(key, _)| Reply::bulk(key)).collect()))
}

/// RANDOMKEY
pub(super) fn randomkey(call: &mut Call<'_, '_>) -> Answer {
    /// A replica that holds nothing but dead keys gives up after so many draws.
    const DRAWS: u32 = 100;
    for _ in 0..DRAWS {
        let Ok(len) = u32::try_from(call.node.keys.len()) else { break };
        if len == 0 {
            return Ok(Reply::Nil);
        }
        let drawn = call.node.server.draws.below(len) as usize;
        let Some(key) = call.node.keys.iter().nth(drawn).map(|(key, _)| key.to_vec()) else {
            break;
        };
        let dead = call.node.expire_if_needed(call.ctx, &key);
        if !dead || call.node.keys.get(&key).is_some() {
            return Ok(Reply::Bulk(key));
        }
    }
    Ok(Reply::Nil)
}

/// DBSIZE
pub(super) fn dbsize(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(call.node.keys.len() as i64))
}

/// Reads the options of FLUSHALL and FLUSHDB: at most one of SYNC and ASYNC.
fn check_flush(call: &Call<'_, '_>) -> Result<(), CommandError> {
    match call.args {
        [_] => Ok(()),
        [_, _] if call.is(1, "sync") || call.is(1, "async") => Ok(()),
        _ => Err(CommandError::SYNTAX),
    }
}

fn flush(call: &mut Call<'_, '_>) {
    let flushed = call.node.empty_keys();
    call.ctx.out.notice(Notice::Flushed);
    call.also_changed(flushed);
}

/// `FLUSHDB [ASYNC|SYNC]`
pub(super) fn flushdb(call: &mut Call<'_, '_>) -> Answer {
    check_flush(call)?;
    flush(call);
    Ok(Reply::ok())
}

/// `FLUSHALL [ASYNC|SYNC]`: with save points, the file on disk becomes empty at once, too.
pub(super) fn flushall(call: &mut Call<'_, '_>) -> Answer {
    check_flush(call)?;
    flush(call);
    call.node.flush_file(call.ctx);
    call.also_changed(1);
    Ok(Reply::ok())
}

/// EXPIRE and its like: `unit` milliseconds each, counted from `base`.
fn expire_at(call: &mut Call<'_, '_>, base: Millis, unit: i64) -> Answer {
    let key = call.word(1);
    let time = call.integer(2)?;
    let deadline = time.checked_mul(unit).and_then(|span| span.checked_add(base.0));
    let Some(deadline) = deadline.map(Millis) else {
        return Err(CommandError::err(format_args!("invalid expire time in {}", call.spec.name)));
    };
    if !call.exists(key) {
        return Ok(Reply::Int(0));
    }
    if deadline <= call.now() && call.node.replication.master.is_none() {
        call.delete(key);
        call.propagate_instead([b"DEL", key]);
    } else {
        call.node.keys.set_expiry(key, Some(deadline));
        call.touched(key);
    }
    Ok(Reply::Int(1))
}

/// EXPIRE key seconds
pub(super) fn expire(call: &mut Call<'_, '_>) -> Answer {
    let now = call.now();
    expire_at(call, now, 1_000)
}

/// PEXPIRE key milliseconds
pub(super) fn pexpire(call: &mut Call<'_, '_>) -> Answer {
    let now = call.now();
    expire_at(call, now, 1)
}

/// EXPIREAT key seconds
pub(super) fn expireat(call: &mut Call<'_, '_>) -> Answer {
    expire_at(call, Millis(0), 1_000)
}

/// PEXPIREAT key milliseconds
pub(super) fn pexpireat(call: &mut Call<'_, '_>) -> Answer {
    expire_at(call, Millis(0), 1)
}

/// How long a key has to live; −1 for ever, −2 if it is not there.
fn time_left(call: &mut Call<'_, '_>) -> i64 {
    let key = call.word(1);
    if call.read(key).is_none() {
        return -2;
    }
    match call.node.keys.get(key).and_then(|entry| entry.expires) {
        Some(deadline) => (deadline - call.now()).0.max(0),
        None => -1,
    }
}

/// TTL key: rounded to the nearest second.
pub(super) fn ttl(call: &mut Call<'_, '_>) -> Answer {
    let left = time_left(call);
    Ok(Reply::Int(if left < 0 { left } else { left.saturating_add(500) / 1_000 }))
}

/// PTTL key
pub(super) fn pttl(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(time_left(call)))
}

/// PERSIST key
pub(super) fn persist(call: &mut Call<'_, '_>) -> Answer {
    let key = call.word(1);
    let persisted = call.exists(key) && call.node.keys.set_expiry(key, None).is_some();
    if persisted {
        call.touched(key);
    }
    Ok(Reply::Int(i64::from(persisted)))
}

/// TYPE key
pub(super) fn type_of(call: &mut Call<'_, '_>) -> Answer {
    let key = call.word(1);
    Ok(Reply::Status(call.read(key).map_or("none", Value::type_name).to_owned()))
}

/// RENAME key newkey
pub(super) fn rename(call: &mut Call<'_, '_>) -> Answer {
    rename_to(call, true)?;
    Ok(Reply::ok())
}

/// RENAMENX key newkey
pub(super) fn renamenx(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(i64::from(rename_to(call, false)?)))
}

/// Renames a key, over another if `overwrite`; says whether it did.
fn rename_to(call: &mut Call<'_, '_>, overwrite: bool) -> Result<bool, CommandError> {
    let (from, to) = (call.word(1), call.word(2));
    if !call.exists(from) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    if from == to || (!overwrite && call.exists(to)) {
        return Ok(false);
    }
    call.node.keys.remove(to);
    if let Some(entry) = call.node.keys.remove(from) {
        insert(&mut call.node.keys, to, entry);
    }
    call.node.clients.touch(from);
    call.touched(to);
    Ok(true)
}

fn insert(keys: &mut Keyspace, key: &[u8], entry: Entry) {
    keys.insert(key, entry.value);
    keys.set_expiry(key, entry.expires);
    if entry.raw {
        keys.make_raw(key);
    }
}

/// `COPY source destination [DB 0] [REPLACE]`
pub(super) fn copy(call: &mut Call<'_, '_>) -> Answer {
    let (from, to) = (call.word(1), call.word(2));
    let mut replace = false;
    let mut is_elsewhere = false;
    let mut at = 3;
    while at < call.args.len() {
        if call.is(at, "replace") {
            replace = true;
        } else if call.is(at, "db") && at + 1 < call.args.len() {
            at += 1;
            let database = error::database(call.word(at))?;
            is_elsewhere = !error::is_first_database(database)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
        at += 1;
    }
    if is_elsewhere && !call.node.in_cluster_mode() {
        return Err(CommandError::OTHER_DATABASE);
    }
    if is_elsewhere {
        return Err(CommandError::fixed(
            "ERR Copying to another database is not allowed in cluster mode",
        ));
    }
    if from == to {
        return Err(CommandError::SAME_OBJECT);
    }
    if !call.exists(from) || (call.exists(to) && !replace) {
        return Ok(Reply::Int(0));
    }
    call.node.keys.remove(to);
    if let Some(entry) = call.node.keys.get(from).cloned() {
        insert(&mut call.node.keys, to, entry);
    }
    call.touched(to);
    Ok(Reply::Int(1))
}

/// OBJECT ENCODING|FREQ|IDLETIME|REFCOUNT key
pub(super) fn object(call: &mut Call<'_, '_>) -> Answer {
    if call.args.len() == 2 && call.is(1, "help") {
        return Ok(help::object());
    }
    let known = ["encoding", "freq", "idletime", "refcount"];
    if call.args.len() != 3 || !known.iter().any(|name| call.is(1, name)) {
        return Err(CommandError::subcommand(call.args));
    }
    let key = call.word(2);
    // It does not count as a lookup.
    let dead = call.node.expire_if_needed(call.ctx, key);
    let Some(entry) = call.node.keys.get(key).filter(|_| !dead) else { return Ok(Reply::Nil) };
    match text(call.word(1)).to_ascii_lowercase().as_str() {
        "encoding" => Ok(Reply::bulk(entry.encoding())),
        "freq" => Err(CommandError::fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take \
             some time to adjust.",
        )),
        "idletime" => Ok(Reply::Int(0)),
        _ => Ok(Reply::Int(references(entry))),
    }
}

/// Small numbers are shared by all keys that hold them and by the server itself.
pub(super) fn references(entry: &Entry) -> i64 {
    const SHARED: std::ops::Range<i64> = 0..10_000;
    let Value::String(bytes) = &entry.value else { return 1 };
    match crate::node::number::parse(bytes) {
        Some(number) if !entry.raw && SHARED.contains(&number) => i64::from(i32::MAX),
        _ => 1,
    }
}
