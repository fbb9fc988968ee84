//! What a node remembers of each client between commands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::node::command::End;
use crate::node::command::migrate::Awaited;
use crate::node::effect::LinkId;
use crate::node::pubsub::Subscriptions;
use crate::node::stream::StreamId;
use crate::resp::Args;
use crate::time::Millis;

/// All clients, and what several of them have to do with.
#[derive(Debug, Default)]
pub struct Clients {
    by_link: BTreeMap<LinkId, Client>,
    /// How many ids were given away, those of replicas and masters included.
    ids_given: u64,
    /// Who watches which key (WATCH).
    watchers: BTreeMap<Vec<u8>, Vec<LinkId>>,
    /// Who listens to which channel.
    pub(crate) subscriptions: Subscriptions,
    /// Which commands are held back now, if any (§8.5.3).
    pub(crate) pause: Option<Pause>,
    /// When the last pause ends. A pause that was lifted leaves it as it is (fixed in 6.2.8), so that
    /// a later, shorter pause lasts as long as the earlier one would have.
    pause_end: Millis,
    /// Clients that wait, in the order in which they began to.
    pub(crate) waiting: Vec<LinkId>,
    /// Who waits for which key, in the order in which they began to.
    blocked: BTreeMap<Vec<u8>, Vec<LinkId>>,
    /// Keys that somebody waits for and that were changed by the command that is carried out.
    pub(crate) ready: Vec<Vec<u8>>,
    /// The client that the cron looked at last, by its number.
    pub(crate) last_looked_at: u64,
    /// The command that waits for another server's answer (MIGRATE).
    pub(crate) awaited: Option<Box<Awaited>>,
}

/// What a pause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pause {
    /// Commands that write or may write.
    Writes,
    /// All commands.
    All,
}

/// What CLIENT LIST tells of any connection, be it that of a client, a replica or the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// CLIENT ID: in the order of arrival.
    pub id: u64,
    /// When it came, in Unix seconds.
    pub since: i64,
    /// Its last command.
    pub last_command: &'static str,
}

impl Registration {
    fn next(given: &mut u64, now: i64) -> Registration {
        /// Two clients inside the server have the first ones.
        const OWN: u64 = 2;
        *given += 1;
        Registration { id: OWN + *given, since: now, ..Registration::default() }
    }
}

impl Default for Registration {
    fn default() -> Registration {
        Registration { id: 0, since: 0, last_command: "NULL" }
    }
}

/// The state of one client's connection.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// Its id, and what belongs to that.
    pub registration: Registration,
    /// The name it gave itself.
    pub name: Option<Vec<u8>>,
    /// When it last said anything, in Unix seconds.
    pub last_seen: i64,
    /// How far the replication stream had come after its last command.
    pub written: u64,
    /// ASKING was said: holds for the next command (§11.11).
    pub asking: bool,
    /// READONLY was said (§11.7).
    pub readonly: bool,
    /// Its transaction, after MULTI.
    pub transaction: Option<Transaction>,
    /// The keys that it watches.
    pub watched: Vec<Vec<u8>>,
    /// Whether one of them was touched.
    pub touched: bool,
    /// Why it gets no answer at the moment.
    pub block: Option<Block>,
    /// What it sent in the meantime.
    pub pending: VecDeque<Arc<Args>>,
    /// The channels it listens to.
    pub channels: BTreeSet<Vec<u8>>,
    /// The patterns of channels it listens to, in the order of subscription.
    pub patterns: Vec<Vec<u8>>,
    /// Whether it wants replies.
    pub replies: Replies,
}

/// What of a client's state decides whether its command is carried out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Standing {
    /// ASKING was said.
    pub(crate) asking: bool,
    /// READONLY was said.
    pub(crate) readonly: bool,
    /// It listens to channels.
    pub(crate) listens: bool,
    /// It has said MULTI.
    pub(crate) in_transaction: bool,
}

/// CLIENT REPLY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Replies {
    /// It wants them.
    #[default]
    On,
    /// It wants none.
    Off,
    /// It does not want the next one.
    SkipNext,
    /// It does not want this one.
    Skip,
}

/// The commands between MULTI and EXEC.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// What was queued.
    pub queue: Vec<Arc<Args>>,
    /// Whether a command could not be queued, so that EXEC will refuse.
    pub aborted: bool,
}

/// Why a client waits.
#[derive(Debug, Clone)]
pub enum Block {
    /// Its command was held back by a pause.
    Paused(Arc<Args>),
    /// WAIT: for acknowledgements of replicas.
    Wait {
        /// Until when at most. `None` is for ever.
        until: Option<Millis>,
        /// What must be acknowledged.
        offset: u64,
        /// By how many.
        replicas: i64,
    },
    /// BLPOP and the like: for an element of a list.
    List(Popping),
    /// XREAD: for items of streams.
    Stream(Reading),
}

/// What a client reads of a stream as soon as there is something.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Until when it waits. `None` is for ever.
    pub until: Option<Millis>,
    /// The streams, all of one slot.
    pub keys: Vec<Vec<u8>>,
    /// For each stream the last id that it knows.
    pub after: Vec<StreamId>,
    /// How many items it takes at most.
    pub count: usize,
}

/// What a client does with an element of a list as soon as there is one.
#[derive(Debug, Clone)]
pub struct Popping {
    /// Until when it waits. `None` is for ever.
    pub until: Option<Millis>,
    /// The lists, all of one slot.
    pub keys: Vec<Vec<u8>>,
    /// The end from which the element is taken.
    pub(crate) from: End,
    /// The list that it is moved to, if it is not for the client alone.
    pub(crate) target: Option<(Vec<u8>, End)>,
}

impl Block {
    /// The keys that it waits for.
    pub(crate) fn keys(&self) -> &[Vec<u8>] {
        match self {
            Block::List(popping) => &popping.keys,
            Block::Stream(reading) => &reading.keys,
            Block::Paused(_) | Block::Wait { .. } => &[],
        }
    }

    /// Whether it ends with the end of a pause alone.
    pub(crate) fn is_pause(&self) -> bool {
        matches!(self, Block::Paused(_))
    }
}

impl Clients {
    /// No clients.
    #[must_use]
    pub fn new() -> Clients {
        Clients::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_link.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_link.is_empty()
    }

    /// Gives an id to a new connection that is no client's.
    pub(crate) fn register(&mut self, now: i64) -> Registration {
        Registration::next(&mut self.ids_given, now)
    }

    /// The state of a client, which is new if it has just connected.
    pub(crate) fn enter(&mut self, link: LinkId, now: i64) -> &mut Client {
        let ids_given = &mut self.ids_given;
        self.by_link.entry(link).or_insert_with(|| {
            let registration = Registration::next(ids_given, now);
            Client { registration, last_seen: now, ..Client::default() }
        })
    }

    /// The state of a client, if it is still there.
    #[must_use]
    pub fn get(&self, link: LinkId) -> Option<&Client> {
        self.by_link.get(&link)
    }

    /// The state of a client, to be changed.
    pub fn get_mut(&mut self, link: LinkId) -> Option<&mut Client> {
        self.by_link.get_mut(&link)
    }

    /// All clients, in the order of their connections' numbers.
    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Client)> {
        self.by_link.iter().map(|(link, client)| (*link, client))
    }

    /// Forgets a client.
    pub(crate) fn leave(&mut self, link: LinkId) {
        self.unwatch(link);
        self.unblock(link);
        if let Some(client) = self.by_link.remove(&link) {
            self.subscriptions.leave(link, &client);
        }
    }

    /// Watches a key for a client.
    pub(crate) fn watch(&mut self, link: LinkId, key: &[u8]) {
        let Some(client) = self.by_link.get_mut(&link) else { return };
        if client.watched.iter().any(|watched| watched == key) {
            return;
        }
        client.watched.push(key.to_vec());
        self.watchers.entry(key.to_vec()).or_default().push(link);
    }

    /// Takes back all that a client watches.
    pub(crate) fn unwatch(&mut self, link: LinkId) {
        let Some(client) = self.by_link.get_mut(&link) else { return };
        client.touched = false;
        for key in std::mem::take(&mut client.watched) {
            if let Some(watchers) = self.watchers.get_mut(&key) {
                watchers.retain(|&other| other != link);
                if watchers.is_empty() {
                    self.watchers.remove(&key);
                }
            }
        }
    }

    /// A key was changed: the transactions of those who watch it will fail.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8]) {
        if !self.blocked.is_empty() || !self.watchers.is_empty() {
            self.touch_awaited(key);
        }
    }

    fn touch_awaited(&mut self, key: &[u8]) {
        if self.blocked.contains_key(key) && !self.ready.iter().any(|ready| ready == key) {
            self.ready.push(key.to_vec());
        }
        let Some(watchers) = self.watchers.get(key) else { return };
        for link in watchers {
            if let Some(client) = self.by_link.get_mut(link) {
                client.touched = true;
            }
        }
    }

    /// Lets a client wait.
    pub(crate) fn block(&mut self, link: LinkId, block: Block) {
        let Some(client) = self.by_link.get_mut(&link) else { return };
        for key in block.keys() {
            let blocked = self.blocked.entry(key.clone()).or_default();
            if !blocked.contains(&link) {
                blocked.push(link);
            }
        }
        client.block = Some(block);
        self.waiting.push(link);
    }

    /// Lets a client wait no more, and says what it waited for.
    pub(crate) fn unblock(&mut self, link: LinkId) -> Option<Block> {
        let block = self.by_link.get_mut(&link)?.block.take()?;
        for key in block.keys() {
            if let Some(blocked) = self.blocked.get_mut(key) {
                blocked.retain(|&other| other != link);
                if blocked.is_empty() {
                    self.blocked.remove(key);
                }
            }
        }
        Some(block)
    }

    /// Who waits for a key, in the order in which they began to.
    pub(crate) fn blocked_on(&self, key: &[u8]) -> Vec<LinkId> {
        self.blocked.get(key).cloned().unwrap_or_default()
    }

    /// Whether anybody waits for any key.
    pub(crate) fn wait_for_keys(&self) -> bool {
        !self.blocked.is_empty()
    }

    /// The keys that anybody watches.
    pub(crate) fn watched_keys(&self) -> Vec<Vec<u8>> {
        self.watchers.keys().cloned().collect()
    }

    /// Holds commands back until a time; a pause is never weakened nor shortened by another (§8.5.3).
    pub(crate) fn pause(&mut self, until: Millis, what: Pause) {
        self.pause = self.pause.max(Some(what));
        self.pause_end = self.pause_end.max(until);
    }

    /// Whether a pause is on. One that has expired is lifted by asking (§8.5.4).
    pub(crate) fn is_paused(&mut self, now: Millis) -> bool {
        if self.pause_end < now {
            self.pause = None;
        }
        self.pause.is_some()
    }
}

impl Client {
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            asking: self.asking,
            readonly: self.readonly,
            listens: self.subscriptions() > 0,
            in_transaction: self.transaction.is_some(),
        }
    }

    /// To how many channels and patterns it listens.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}
