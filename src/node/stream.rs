//! Streams: items in the order of their ids, to which only newer ones are added.

use std::fmt;

/// The id of an item: a time in milliseconds and a number within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct StreamId {
    /// The time.
    pub ms: u64,
    /// The number.
    pub seq: u64,
}

impl StreamId {
    /// The greatest of all.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// Reads `ms-seq`, or `ms` alone.
    #[must_use]
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<StreamId> {
        let text = std::str::from_utf8(text).ok()?;
        let (ms, seq) = match text.split_once('-') {
            Some((ms, seq)) => (ms, Some(seq)),
            None => (text, None),
        };
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<u64>().ok().filter(|_| plain)
        };
        Some(StreamId { ms: number(ms)?, seq: seq.map_or(Some(missing_seq), number)? })
    }

    /// The one behind it, if there is one.
    #[must_use]
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { seq, ..self }),
            None => Some(StreamId { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: StreamId,
    /// Its fields and values, in turn.
    pub words: Vec<Vec<u8>>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stream {
    /// The items, oldest first.
    pub items: Vec<Item>,
    /// The greatest id that there ever was.
    pub last_id: StreamId,
}

impl Stream {
    /// The id of an item that is added now without one; none if there are no ids left.
    #[must_use]
    pub fn next_id(&self, now_ms: u64) -> Option<StreamId> {
        match now_ms > self.last_id.ms {
            true => Some(StreamId { ms: now_ms, seq: 0 }),
            false => self.last_id.next(),
        }
    }

    /// Adds an item; says whether its id is great enough.
    pub fn add(&mut self, id: StreamId, words: Vec<Vec<u8>>) -> bool {
        let newer = id > self.last_id;
        if newer {
            self.last_id = id;
            self.items.push(Item { id, words });
        }
        newer
    }

    /// The items from one id to another, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = &Item> {
        let start = self.items.partition_point(|item| item.id < from);
        self.items[start..].iter().take_while(move |item| item.id <= to)
    }
}
