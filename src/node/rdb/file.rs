//! A whole RDB file: what stands before the keys, the keys, and the checksum behind them.

use super::write::{length, string, value};
use super::{CHECKSUM, VERSION};
use crate::node::command::VERSION as SERVER_VERSION;
use crate::node::dump::MEMORY_WHEN_CREATED;
use crate::node::keyspace::Keyspace;

/// What stands before each part of a file.
mod mark {
    pub(super) const FACT: u8 = 0xfa;
    pub(super) const SIZES: u8 = 0xfb;
    pub(super) const EXPIRY: u8 = 0xfc;
    pub(super) const DATABASE: u8 = 0xfe;
    pub(super) const END: u8 = 0xff;
}

/// The file of these keys.
#[must_use]
pub fn file(keys: &Keyspace) -> Vec<u8> {
    let mut out = format!("REDIS{VERSION:04}").into_bytes();
    let mut fact = |name: &str, said: &str| {
        out.push(mark::FACT);
        string(&mut out, name.as_bytes());
        string(&mut out, said.as_bytes());
    };
    fact("redis-ver", SERVER_VERSION);
    fact("redis-bits", "64");
    fact("ctime", &keys.saved_at.unwrap_or_default().to_string());
    fact("used-mem", &MEMORY_WHEN_CREATED.to_string());
    if let Some(position) = keys.position {
        fact("repl-stream-db", "0");
        fact("repl-id", &position.id.to_string());
        fact("repl-offset", &position.offset.to_string());
    }
    fact("aof-preamble", "0");
    if !keys.is_empty() {
        out.extend([mark::DATABASE, 0, mark::SIZES]);
        length(&mut out, keys.len());
        length(&mut out, keys.expiring());
    }
    for (key, entry) in keys.iter() {
        if let Some(deadline) = entry.expires {
            out.push(mark::EXPIRY);
            out.extend(deadline.0.to_le_bytes());
        }
        let value = value(&entry.value);
        out.push(value[0]);
        string(&mut out, key);
        out.extend_from_slice(&value[1..]);
    }
    out.push(mark::END);
    let checksum = CHECKSUM.checksum(&out);
    out.extend(checksum.to_le_bytes());
    out
}
