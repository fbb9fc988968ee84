//! SCAN and its like.
//!
//! The cursor of Redis is a position in a hash table; here it is a position in the order of keys. It is
//! the number of keys that were passed, so a key that is added or deleted before it may be seen twice
//! or not at all, while Redis only ever repeats.

use crate::node::command::error::{Answer, integer};
use crate::node::command::{Call, CommandError};
use crate::node::glob;
use crate::node::keyspace::Value;
use crate::node::value::Set;
use crate::resp::Reply;

/// The options of SCAN and its like.
struct Options<'a> {
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
}

fn options<'a>(args: &'a [Vec<u8>], keyspace: bool) -> Result<Options<'a>, CommandError> {
    let mut options = Options { count: 10, pattern: None, type_name: None };
    let mut words = args.iter();
    while let Some(name) = words.next() {
        let value = words.next().ok_or(CommandError::SYNTAX)?;
        if name.eq_ignore_ascii_case(b"count") {
            let count = integer(value)?;
            options.count = usize::try_from(count)
                .ok()
                .filter(|&count| count > 0)
                .ok_or(CommandError::SYNTAX)?;
        } else if name.eq_ignore_ascii_case(b"match") {
            options.pattern = Some(value);
        } else if keyspace && name.eq_ignore_ascii_case(b"type") {
            options.type_name = Some(value);
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    Ok(options)
}

impl Options<'_> {
    fn match_key(&self, key: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, key))
    }
}

/// A cursor; a negative one wraps around, as C reads it.
fn cursor(word: &[u8]) -> Result<usize, CommandError> {
    let invalid = CommandError::fixed("ERR invalid cursor");
    let (digits, negative) = match word.strip_prefix(b"-") {
        Some(digits) => (digits, true),
        None => (word, false),
    };
    let text = std::str::from_utf8(digits).map_err(|_| invalid.clone())?;
    let cursor: usize = text.parse().map_err(|_| invalid)?;
    Ok(if negative { cursor.wrapping_neg() } else { cursor })
}

fn page(cursor: usize, elements: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(cursor.to_string()), Reply::Array(elements)])
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`
pub(super) fn scan(call: &mut Call<'_, '_>) -> Answer {
    let cursor = cursor(call.word(1))?;
    let options = options(&call.args[2..], true)?;
    let now = call.now();
    let keys = &call.node.keys;
    let next = cursor.saturating_add(options.count);
    let seen = keys.iter().skip(cursor).take(options.count).filter(|(key, entry)| {
        let right_type = options
            .type_name
            .is_none_or(|name| entry.value.type_name().as_bytes().eq_ignore_ascii_case(name));
        right_type && options.match_key(key) && entry.expires.is_none_or(|deadline| now <= deadline)
    });
    let seen = seen.map(|(key, _)| Reply::bulk(key)).collect();
    Ok(page(if next < keys.len() { next } else { 0 }, seen))
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn sscan(call: &mut Call<'_, '_>) -> Answer {
    let cursor = cursor(call.word(2))?;
    let Some(value) = call.read(&call.args[1]) else { return Ok(page(0, Vec::new())) };
    let Value::Set(set) = value else { return Err(CommandError::WRONG_TYPE) };
    let (members, whole) = (set.members(), matches!(set, Set::Integers(_)));
    let options = options(&call.args[3..], false)?;
    let (next, range) = window(cursor, options.count, members.len(), whole);
    let seen = members[range].iter().filter(|member| options.match_key(member));
    Ok(page(next, seen.map(Reply::bulk).collect()))
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn hscan(call: &mut Call<'_, '_>) -> Answer {
    let cursor = cursor(call.word(2))?;
    let args = call.args;
    let Some(value) = call.read(&args[1]) else { return Ok(page(0, Vec::new())) };
    let Value::Hash(hash) = value else { return Err(CommandError::WRONG_TYPE) };
    let options = options(&args[3..], false)?;
    let (next, range) = window(cursor, options.count, hash.fields.len(), !hash.table);
    let seen = range
        .filter_map(|at| hash.fields.get_index(at))
        .filter(|(field, _)| options.match_key(field))
        .flat_map(|(field, value)| [Reply::bulk(field), Reply::bulk(value)]);
    Ok(page(next, seen.collect()))
}

/// Which elements one call shows, and the next cursor. Small encodings are shown whole.
fn window(cursor: usize, count: usize, len: usize, whole: bool) -> (usize, std::ops::Range<usize>) {
    if whole {
        return (0, 0..len);
    }
    let start = cursor.min(len);
    let end = start.saturating_add(count).min(len);
    (if end < len { end } else { 0 }, start..end)
}
