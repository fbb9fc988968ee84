//! Replication: how a replica gets its master's data and stays up to date (Appendix A).
//!
//! It is a conversation over ordinary connections to the master's client port, apart from the
//! cluster bus. The bus decides *whom* to follow and tells it here (`follow`, `unfollow`); what comes
//! back is how much of the master's history is known (the offset by which replicas are ranked, §8.3),
//! and how old that knowledge is (§8.2.2).
//!
//! One file for each side of the conversation. [`upstream`] talks to the own master, with `handshake`
//! for how it begins and `transfer` for the data set that comes. [`downstream`] talks to the own
//! replicas, with `full` and `stream` for those that need everything and `snapshot` for clients that
//! want nothing else. [`cron`] does what is done once a second. A replica passes on to its own
//! replicas, byte for byte, what it gets; so all of them have one [`history`].
//!
//! What must not be known here: slots, epochs, votes.

mod apply;
pub mod backlog;
pub mod cron;
pub mod downstream;
mod full;
mod handshake;
pub mod history;
pub mod id;
pub mod info;
pub mod message;
mod snapshot;
mod stream;
mod transfer;
pub mod upstream;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::id::Endpoint;
use crate::node::client::Registration;
use crate::node::command::propagate::Transacting;
use crate::node::effect::LinkId;
use crate::node::replication::downstream::{Caller, Replica};
use crate::node::replication::history::History;
use crate::node::replication::message::{Position, StreamCommand};
use crate::node::replication::stream::Streaming;
use crate::node::replication::upstream::Upstream;
use crate::rng::Stream;

/// The replication side of a process.
#[derive(Debug)]
pub struct Replication {
    /// The address of the master that is configured, if any. It decides the role letter of log
    /// lines and the role in INFO (§13.1, A.2), not the role on the bus.
    pub master: Option<Endpoint>,
    /// How far the link to the master has come.
    pub upstream: Upstream,
    /// What CLIENT LIST tells of my master. It outlives the link, with what is known by that.
    pub master_client: Registration,
    /// What I knew when the link to the master ended, to go on from there.
    pub cached_master: Option<Position>,
    /// The history that I write or follow.
    pub history: History,
    /// Connections that may become replicas.
    pub callers: BTreeMap<LinkId, Caller>,
    /// My replicas, in the order in which they asked for synchronization.
    pub replicas: Vec<Replica>,
    /// How many parts of data sets were sent that took a while.
    pub(super) transfers: u32,
    /// What a child is writing to replicas.
    pub(super) streaming: Option<Streaming>,
    /// When the link to the master was lost, in Unix seconds; 0 = never, which makes my data look
    /// decades old (§8.2.2, 15.14).
    pub down_since: i64,
    /// Since when I have no replicas, in Unix seconds.
    pub alone_since: i64,
    /// How often the replication cron has run.
    pub cron_loops: i64,
    /// How many replicas acknowledged recently enough for `min-replicas-to-write`.
    pub good_replicas: u32,
    /// Whether what is propagated belongs to a transaction.
    pub(crate) transacting: Transacting,
    /// What came of a transaction that my master has not finished sending.
    pub(crate) unfinished: Vec<StreamCommand>,
    /// Whether replicas shall be asked to acknowledge before the process sleeps.
    pub acks_wanted: bool,
    /// Draws for names of histories.
    pub draws: Stream,
}

impl Replication {
    /// Nobody follows, nobody is followed.
    #[must_use]
    pub fn new(mut draws: Stream) -> Replication {
        Replication {
            master: None,
            upstream: Upstream::Idle,
            master_client: Registration::default(),
            cached_master: None,
            history: History::new(&mut draws),
            callers: BTreeMap::new(),
            replicas: Vec::new(),
            transfers: 0,
            streaming: None,
            down_since: 0,
            alone_since: 0,
            cron_loops: 0,
            good_replicas: 0,
            transacting: Transacting::No,
            unfinished: Vec::new(),
            acks_wanted: false,
            draws,
        }
    }

    /// How much of its master's stream a replica has processed (A.3): what the bus announces.
    #[must_use]
    pub fn processed_offset(&self) -> u64 {
        match (&self.upstream, self.cached_master) {
            _ if self.master.is_none() => 0,
            (Upstream::Connected { known, .. }, _) => known.offset,
            (_, Some(cached)) => cached.offset,
            _ => 0,
        }
    }

    /// For how long nothing was heard from the master, in seconds of the cached clock (§8.2.2).
    #[must_use]
    pub fn silence(&self, unix_now: i64) -> i64 {
        match self.upstream {
            Upstream::Connected { last_io, .. } => unix_now - last_io,
            _ => unix_now - self.down_since,
        }
    }

    /// What an RDB file says about replication, if there is anything to say: a master without
    /// backlog counts nothing, a replica must have been connected.
    #[must_use]
    pub fn position_to_save(&self) -> Option<Position> {
        let known = match self.master {
            None => self.history.backlog.is_some(),
            Some(_) => self.upstream.is_connected() || self.cached_master.is_some(),
        };
        known.then(|| self.history.position())
    }

    /// A replica of mine.
    #[must_use]
    pub fn replica(&self, link: LinkId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.link == link)
    }
}
