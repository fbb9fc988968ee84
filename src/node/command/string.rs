//! Strings.

use crate::node::command::error::Answer;
use crate::node::command::{Call, CommandError};
use crate::node::keyspace::{Entry, Key, Value};
use crate::node::number;
use crate::resp::Reply;
use crate::time::Millis;

/// The longest string (`proto-max-bulk-len`).
const MAX_BYTES: i64 = 512 << 20;

/// A value that must be a string.
fn string(value: &Value) -> Result<&Vec<u8>, CommandError> {
    match value {
        Value::String(bytes) => Ok(bytes),
        _ => Err(CommandError::WRONG_TYPE),
    }
}

/// A key's string, for a command that reads.
fn read<'c>(call: &'c mut Call<'_, '_>, key: Key<'_>) -> Result<Option<&'c Vec<u8>>, CommandError> {
    call.read(key).map(string).transpose()
}

/// A key's string, to be changed.
fn write<'c>(
    call: &'c mut Call<'_, '_>,
    key: Key<'_>,
) -> Result<Option<&'c mut Vec<u8>>, CommandError> {
    match call.write(key) {
        None => Ok(None),
        Some(Value::String(bytes)) => Ok(Some(bytes)),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

fn bulk_or_nil(bytes: Option<&Vec<u8>>) -> Reply {
    bytes.map_or(Reply::Nil, Reply::bulk)
}

/// What SET and GETEX do with a key's time to die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Expiry {
    /// SET takes it away, GETEX leaves it.
    #[default]
    Unsaid,
    /// KEEPTTL, or GETEX's PERSIST.
    Keyword,
    /// EX, PX, EXAT, PXAT: the index of the number, the number's unit, and whether it is a date.
    At { word: usize, unit: i64, date: bool },
}

/// The options of SET and GETEX.
#[derive(Debug, Default)]
struct Options {
    expiry: Expiry,
    absent: bool,
    present: bool,
    get: bool,
}

impl Options {
    /// Reads the words from `at` on.
    fn parse(
        call: &Call<'_, '_>,
        at: usize,
        keyword: &str,
        set: bool,
    ) -> Result<Options, CommandError> {
        let mut options = Options::default();
        let mut at = at;
        while at < call.args.len() {
            if set && call.is(at, "nx") && !options.present && !options.get {
                options.absent = true;
            } else if set && call.is(at, "xx") && !options.absent {
                options.present = true;
            } else if set && call.is(at, "get") && !options.absent {
                options.get = true;
            } else if call.is(at, keyword)
                && matches!(options.expiry, Expiry::Unsaid | Expiry::Keyword)
            {
                options.expiry = Expiry::Keyword;
            } else {
                options.expiry = options.time(call, at)?;
                at += 1;
            }
            at += 1;
        }
        Ok(options)
    }

    /// Reads one of EX, PX, EXAT, PXAT at `at`. Said twice, the last one holds.
    fn time(&self, call: &Call<'_, '_>, at: usize) -> Result<Expiry, CommandError> {
        const TIMES: [(&str, i64, bool); 4] =
            [("ex", 1_000, false), ("px", 1, false), ("exat", 1_000, true), ("pxat", 1, true)];
        let known = TIMES.iter().find(|(name, ..)| call.is(at, name));
        let Some(&(_, unit, date)) = known.filter(|_| at + 1 < call.args.len()) else {
            return Err(CommandError::SYNTAX);
        };
        match self.expiry {
            Expiry::Unsaid => {}
            Expiry::At { unit: other, date: other_date, .. }
                if (other, other_date) == (unit, date) => {}
            _ => return Err(CommandError::SYNTAX),
        }
        Ok(Expiry::At { word: at + 1, unit, date })
    }

    /// When the key shall die.
    fn deadline(&self, call: &Call<'_, '_>) -> Result<Option<Millis>, CommandError> {
        match self.expiry {
            Expiry::At { word, unit, date } => deadline(call, word, unit, date).map(Some),
            _ => Ok(None),
        }
    }
}

/// A time to die out of the word at `word`, in units of so many milliseconds.
fn deadline(
    call: &Call<'_, '_>,
    word: usize,
    unit: i64,
    date: bool,
) -> Result<Millis, CommandError> {
    let invalid = || CommandError::err(format_args!("invalid expire time in {}", call.spec.name));
    let number = call.integer(word)?;
    let span = number.checked_mul(unit).filter(|&span| span > 0).ok_or_else(invalid)?;
    if date {
        return Ok(Millis(span));
    }
    span.checked_add(call.now().0).map(Millis).ok_or_else(invalid)
}

/// `SET key value [NX|XX] [GET] [EX s|PX ms|EXAT s|PXAT ms|KEEPTTL]`
pub(super) fn set(call: &mut Call<'_, '_>) -> Answer {
    let (key, value) = (call.key(1), call.word(2));
    if call.args.len() == 3 {
        call.put_string(key, value);
        return Ok(Reply::ok());
    }
    let options = Options::parse(call, 3, "keepttl", true)?;
    let deadline = options.deadline(call)?;
    if (options.absent && call.exists(key)) || (options.present && !call.exists(key)) {
        return Ok(Reply::Nil);
    }
    let reply = if options.get { bulk_or_nil(read(call, key)?) } else { Reply::ok() };
    let kept = match options.expiry {
        Expiry::Keyword => call.node.keys.get(key).and_then(|entry| entry.expires),
        _ => None,
    };
    call.put_string(key, value);
    if let Some(deadline) = deadline.or(kept) {
        call.node.keys.set_expiry(key, Some(deadline));
    }
    match deadline {
        Some(deadline) => propagate_set(call, &key, value, options.expiry, deadline),
        None if options.get => {
            let is_get = |word: &&Vec<u8>| word.eq_ignore_ascii_case(b"get");
            let (start, rest) = call.args.split_at(3);
            call.propagate_instead(start.iter().chain(rest.iter().filter(|word| !is_get(word))));
        }
        None => {}
    }
    Ok(reply)
}

/// A string with a time to die goes to the replicas in milliseconds, and relative if it was given so:
/// a replica counts from the moment in which it hears of it.
fn propagate_set(
    call: &mut Call<'_, '_>,
    key: &[u8],
    value: &[u8],
    expiry: Expiry,
    deadline: Millis,
) {
    let (keyword, number) = match expiry {
        Expiry::At { date: true, .. } => ("PXAT", deadline),
        _ => ("PX", deadline - call.now()),
    };
    let number = number.to_string();
    call.propagate_instead([b"SET", key, value, keyword.as_bytes(), number.as_bytes()]);
}

/// SETNX key value
pub(super) fn setnx(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    if call.exists(key) {
        return Ok(Reply::Int(0));
    }
    call.put_string(key, call.word(2));
    Ok(Reply::Int(1))
}

fn set_with_expiry(call: &mut Call<'_, '_>, unit: i64) -> Answer {
    let deadline = deadline(call, 2, unit, false)?;
    let key = call.key(1);
    call.put_string(key, call.word(3));
    call.node.keys.set_expiry(key, Some(deadline));
    propagate_set(call, &key, call.word(3), Expiry::Unsaid, deadline);
    Ok(Reply::ok())
}

/// SETEX key seconds value
pub(super) fn setex(call: &mut Call<'_, '_>) -> Answer {
    set_with_expiry(call, 1_000)
}

/// PSETEX key milliseconds value
pub(super) fn psetex(call: &mut Call<'_, '_>) -> Answer {
    set_with_expiry(call, 1)
}

/// GET key
pub(super) fn get(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(bulk_or_nil(read(call, key)?))
}

/// `GETEX key [EX s|PX ms|EXAT s|PXAT ms|PERSIST]`
pub(super) fn getex(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let options = Options::parse(call, 2, "persist", false)?;
    let Some(bytes) = read(call, key)? else { return Ok(Reply::Nil) };
    let reply = Reply::bulk(bytes);
    match (options.expiry, options.deadline(call)?) {
        (Expiry::At { date: true, .. }, Some(deadline)) if deadline <= call.now() => {
            call.delete(key);
            call.propagate_instead([b"DEL", key.bytes]);
        }
        (expiry, Some(deadline)) => {
            call.node.keys.set_expiry(key, Some(deadline));
            call.touched(&key);
            let (command, number) = match expiry {
                Expiry::At { date: true, .. } => ("PEXPIREAT", deadline),
                _ => ("PEXPIRE", deadline - call.now()),
            };
            call.propagate_instead([command.as_bytes(), key.bytes, number.to_string().as_bytes()]);
        }
        (Expiry::Keyword, None) if call.node.keys.set_expiry(key, None).is_some() => {
            call.touched(&key);
            call.propagate_instead([b"PERSIST", key.bytes]);
        }
        _ => {}
    }
    Ok(reply)
}

/// GETDEL key
pub(super) fn getdel(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let reply = bulk_or_nil(read(call, key)?);
    call.delete(key);
    call.propagate_instead([b"DEL", key.bytes]);
    Ok(reply)
}

/// GETSET key value
pub(super) fn getset(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let reply = bulk_or_nil(read(call, key)?);
    call.put_string(key, call.word(2));
    call.propagate_instead([b"SET", key.bytes, call.word(2)]);
    Ok(reply)
}

/// SETRANGE key offset value
pub(super) fn setrange(call: &mut Call<'_, '_>) -> Answer {
    let (key, piece) = (call.key(1), call.word(3));
    let offset = call.integer(2)?;
    if offset < 0 {
        return Err(CommandError::fixed("ERR offset is out of range"));
    }
    let length = write(call, key)?.map(|bytes| bytes.len());
    if piece.is_empty() {
        return Ok(Reply::Int(length.unwrap_or(0) as i64));
    }
    if offset.saturating_add(piece.len() as i64) > MAX_BYTES {
        return Err(CommandError::fixed(
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
        ));
    }
    if length.is_none() {
        call.node.keys.insert(key, Value::String(Vec::new()));
    }
    // It is small: the limit was checked.
    let offset = offset as usize;
    let mut length = 0;
    if let Some(bytes) = write(call, key)? {
        if bytes.len() < offset + piece.len() {
            bytes.resize(offset + piece.len(), 0);
        }
        bytes[offset..offset + piece.len()].copy_from_slice(piece);
        length = bytes.len();
        call.node.keys.make_raw(key);
    }
    call.touched(&key);
    Ok(Reply::Int(length as i64))
}

/// GETRANGE key start end; SUBSTR is its older name.
pub(super) fn getrange(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let Some(bytes) = read(call, key)? else { return Ok(Reply::bulk("")) };
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::bulk(""));
    }
    let len = bytes.len() as i64;
    let from_end = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    if start > end || len == 0 {
        return Ok(Reply::bulk(""));
    }
    Ok(Reply::bulk(&bytes[start as usize..=end as usize]))
}

/// `MGET key [key …]`
pub(super) fn mget(call: &mut Call<'_, '_>) -> Answer {
    let keys = &call.args[1..];
    let values = keys.iter().map(|key| match call.read(key) {
        Some(Value::String(bytes)) => Reply::bulk(bytes),
        _ => Reply::Nil,
    });
    Ok(Reply::Array(values.collect()))
}

/// The keys and values of MSET and MSETNX.
fn pairs<'a>(call: &Call<'a, '_>) -> Result<&'a [Vec<u8>], CommandError> {
    if call.args.len().is_multiple_of(2) {
        return Err(CommandError::fixed("ERR wrong number of arguments for MSET"));
    }
    Ok(&call.args[1..])
}

/// `MSET key value [key value …]`
pub(super) fn mset(call: &mut Call<'_, '_>) -> Answer {
    for pair in pairs(call)?.chunks_exact(2) {
        call.put_string(&pair[0], &pair[1]);
    }
    Ok(Reply::ok())
}

/// `MSETNX key value [key value …]`
pub(super) fn msetnx(call: &mut Call<'_, '_>) -> Answer {
    let pairs = pairs(call)?;
    if pairs.chunks_exact(2).any(|pair| call.exists(&pair[0])) {
        return Ok(Reply::Int(0));
    }
    for pair in pairs.chunks_exact(2) {
        call.put_string(&pair[0], &pair[1]);
    }
    Ok(Reply::Int(1))
}

fn add(call: &mut Call<'_, '_>, step: i64) -> Answer {
    let key = call.key(1);
    call.node.expire_if_needed(call.ctx, key);
    let plus = |before: i64| {
        let overflow = CommandError::fixed("ERR increment or decrement would overflow");
        before.checked_add(step).ok_or(overflow)
    };
    let after = match call.node.keys.entry_mut(key) {
        Some(Entry { value: Value::String(bytes), raw, .. }) => {
            let after = plus(number::parse(bytes).ok_or(CommandError::NOT_AN_INTEGER)?)?;
            bytes.clear();
            number::write(after, bytes);
            *raw = false;
            after
        }
        Some(_) => return Err(CommandError::WRONG_TYPE),
        None => {
            let after = plus(0)?;
            call.node.keys.insert_string(key, after.to_string().as_bytes());
            after
        }
    };
    call.touched(&key);
    Ok(Reply::Int(after))
}

/// INCR key
pub(super) fn incr(call: &mut Call<'_, '_>) -> Answer {
    add(call, 1)
}

/// DECR key
pub(super) fn decr(call: &mut Call<'_, '_>) -> Answer {
    add(call, -1)
}

/// INCRBY key increment
pub(super) fn incrby(call: &mut Call<'_, '_>) -> Answer {
    let step = call.integer(2)?;
    add(call, step)
}

/// DECRBY key decrement
pub(super) fn decrby(call: &mut Call<'_, '_>) -> Answer {
    // The smallest number has no opposite; negating it gives itself, as in C.
    let step = call.integer(2)?.wrapping_neg();
    add(call, step)
}

/// APPEND key value
pub(super) fn append(call: &mut Call<'_, '_>) -> Answer {
    let (key, tail) = (call.key(1), call.word(2));
    let length = match write(call, key)? {
        Some(bytes) => {
            bytes.extend_from_slice(tail);
            let length = bytes.len();
            call.node.keys.make_raw(key);
            length
        }
        None => {
            call.node.keys.insert_string(key, tail);
            tail.len()
        }
    };
    call.touched(&key);
    Ok(Reply::Int(length as i64))
}

/// STRLEN key
pub(super) fn strlen(call: &mut Call<'_, '_>) -> Answer {
    let key = call.key(1);
    Ok(Reply::Int(read(call, key)?.map_or(0, Vec::len) as i64))
}
