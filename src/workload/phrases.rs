//! What clients say to nodes. Most of it is said again and again, so it is put into words once.

use std::sync::Arc;

use crate::resp::{Args, args};
use crate::workload::books::{Books, Key};
use crate::workload::settings::{Settings, Write};

/// The words of everything that clients say.
#[derive(Debug)]
pub(crate) struct Phrases {
    write: Write,
    /// By key, as far as they were said. Those that push are different each time.
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
            write: settings.command,
            writes: Vec::new(),
            reads: Vec::new(),
            slots: args(["CLUSTER", "SLOTS"]).into(),
            asking: args(["ASKING"]).into(),
            ping: args(["PING"]).into(),
            wait,
        }
    }

    /// The command that reads a key.
    pub(crate) fn read(&mut self, key: Key, books: &Books) -> Arc<Args> {
        let verb = match self.write {
            Write::Count => "GET",
            Write::Push => "LLEN",
        };
        Phrases::say(&mut self.reads, verb, key, books)
    }

    /// The command that writes to a key, for the so many-th time in the workload.
    pub(crate) fn write(&mut self, key: Key, number: u64, books: &Books) -> Arc<Args> {
        match self.write {
            Write::Count => Phrases::say(&mut self.writes, "INCR", key, books),
            Write::Push => args([b"RPUSH", books.name(key), number.to_string().as_bytes()]).into(),
        }
    }

    fn say(said: &mut Vec<Option<Arc<Args>>>, verb: &str, key: Key, books: &Books) -> Arc<Args> {
        let at = key.0 as usize;
        if at >= said.len() {
            said.resize(at + 1, None);
        }
        Arc::clone(said[at].get_or_insert_with(|| args([verb.as_bytes(), books.name(key)]).into()))
    }
}
