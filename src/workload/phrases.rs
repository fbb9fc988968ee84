//! What clients say to nodes. Most of it is said again and again, so it is put into words once.

use std::sync::Arc;

use crate::resp::{Args, args};
use crate::workload::books::{Books, Key};
use crate::workload::settings::Settings;

/// The words of everything that clients say.
#[derive(Debug)]
pub(crate) struct Phrases {
    /// By key, as far as they were said.
    writes: Vec<Option<Arc<Args>>>,
    reads: Vec<Option<Arc<Args>>>,
    pub(crate) slots: Arc<Args>,
    pub(crate) asking: Arc<Args>,
    pub(crate) ping: Arc<Args>,
    /// WAIT, if clients say it.
    pub(crate) wait: Option<Arc<Args>>,
}

impl Phrases {
    pub(crate) fn new(settings: &Settings) -> Phrases {
        let wait = settings.quorum.map(|quorum| {
            let (replicas, limit) = (quorum.replicas.to_string(), quorum.limit.as_millis());
            args(["WAIT", &replicas, &limit.to_string()]).into()
        });
        Phrases {
            writes: Vec::new(),
            reads: Vec::new(),
            slots: args(["CLUSTER", "SLOTS"]).into(),
            asking: args(["ASKING"]).into(),
            ping: args(["PING"]).into(),
            wait,
        }
    }

    /// The command that reads a key, or counts it up.
    pub(crate) fn command(&mut self, key: Key, is_read: bool, books: &Books) -> Arc<Args> {
        let (said, verb): (_, &[u8]) = match is_read {
            true => (&mut self.reads, b"GET"),
            false => (&mut self.writes, b"INCR"),
        };
        let at = key.0 as usize;
        if at >= said.len() {
            said.resize(at + 1, None);
        }
        Arc::clone(said[at].get_or_insert_with(|| args([verb, books.name(key)]).into()))
    }
}
