//! A fingerprint of keys and values that does not depend on the order of keys (DEBUG DIGEST).

use std::fmt;

use sha1_smol::Sha1;

use crate::node::keyspace::{Entry, Keyspace, Value};

/// 20 bytes that are different for different data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose place does not matter.
    fn xor(&mut self, bytes: &[u8]) {
        for (mine, other) in self.0.iter_mut().zip(Sha1::from(bytes).digest().bytes()) {
            *mine ^= other;
        }
    }

    /// Adds something whose place matters.
    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::from(self.0).digest().bytes();
    }

    fn add_entry(&mut self, entry: &Entry) {
        self.mix(&type_number(&entry.value).to_be_bytes());
        match &entry.value {
            Value::String(bytes) => self.mix(bytes),
            Value::List(list) => list.iter().for_each(|element| self.mix(element)),
            Value::Set(set) => set.members().iter().for_each(|member| self.xor(member)),
            Value::Hash(hash) => {
                for (field, value) in &hash.fields {
                    let mut pair = Digest::default();
                    pair.mix(field);
                    pair.mix(value);
                    self.xor(&pair.0);
                }
            }
            Value::Stream(stream) => {
                for item in &stream.items {
                    self.mix(format!("{}.{}", item.id.ms, item.id.seq).as_bytes());
                    item.words.iter().for_each(|word| self.mix(word));
                }
            }
        }
        if entry.expires.is_some() {
            self.xor(b"!!expire!!");
        }
    }
}

fn type_number(value: &Value) -> u32 {
    match value {
        Value::String(_) => 0,
        Value::List(_) => 1,
        Value::Set(_) => 2,
        Value::Hash(_) => 4,
        Value::Stream(_) => 6,
    }
}

/// The digest of a value and of whether it has a time to die; zero for none.
#[must_use]
pub fn of_entry(entry: Option<&Entry>) -> Digest {
    let mut digest = Digest::default();
    if let Some(entry) = entry {
        digest.add_entry(entry);
    }
    digest
}

/// The digest of all keys; zero if there are none.
#[must_use]
pub fn of_keys(keys: &Keyspace) -> Digest {
    let mut all = Digest::default();
    if keys.is_empty() {
        return all;
    }
    // The number of the database.
    all.mix(&0_u32.to_be_bytes());
    for (key, entry) in keys.iter() {
        let mut one = Digest::default();
        one.mix(key);
        one.add_entry(entry);
        all.xor(&one.0);
    }
    all
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::stream::{Stream, StreamId};

    #[test]
    fn a_stream_has_the_digest_that_a_real_server_gives_it() {
        let words = |words: &[&str]| words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let mut stream = Stream::default();
        stream.add(StreamId { ms: 1, seq: 1 }, words(&["f", "v", "g", "17"]));
        stream.add(StreamId { ms: 5, seq: 3 }, words(&["f", "w"]));
        let mut keys = Keyspace::default();
        keys.insert(b"s", Value::Stream(stream));
        assert_eq!(of_keys(&keys).to_string(), "bbda0baa2bb46b72866a74656464998807377374");
        let alone = of_entry(keys.get(b"s")).to_string();
        assert_eq!(alone, "6d4bf1d14c03f81257b394c36e3b5277e65e71e0");
    }
}
