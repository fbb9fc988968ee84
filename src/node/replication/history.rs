//! A replication history: its name, how far it has come, and what is still known of it (A.3, A.8).
//!
//! A history has a second name after a failover: the promoted replica goes on from where its old
//! master's history ended, under a new name, and can serve everybody who knows the old one up to
//! that point.

use crate::node::replication::backlog::Backlog;
use crate::node::replication::id::ReplicationId;
use crate::node::replication::message::{Position, StreamCommand};
use crate::rng::Stream;

/// The history that a server writes or follows.
#[derive(Debug)]
pub struct History {
    /// Its name (`master_replid`).
    pub id: ReplicationId,
    /// Its former name, and the first offset that is not part of what had it (`master_replid2`,
    /// `second_repl_offset`).
    pub former: Option<(ReplicationId, u64)>,
    /// Its length in bytes (`master_repl_offset`).
    pub offset: u64,
    /// Its last part, if anybody was ever interested in it (15.27).
    pub backlog: Option<Backlog>,
    /// Whether the next write must be preceded by SELECT.
    pub select_pending: bool,
}

/// Why a replica must start anew (A.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It asked for that.
    Asked,
    /// It comes from another history.
    Mismatch,
    /// It knows more of the former history than belongs to mine.
    BeyondFormer {
        /// How far I could go.
        limit: u64,
    },
    /// I do not remember so far back, or it is ahead of me.
    NoBacklog {
        /// Whether it is ahead.
        ahead: bool,
    },
}

impl History {
    /// A history that begins now. Nothing of it is kept yet.
    #[must_use]
    pub fn new(draws: &mut Stream) -> History {
        History {
            id: ReplicationId::random(draws),
            former: None,
            offset: 0,
            backlog: None,
            select_pending: true,
        }
    }

    /// Forgets the past: a new name and no former one.
    pub fn restart(&mut self, draws: &mut Stream) {
        self.id = ReplicationId::random(draws);
        self.former = None;
    }

    /// Goes on under a new name (A.6); the old one stays valid up to here.
    pub fn rename(&mut self, new: ReplicationId) {
        self.former = Some((self.id, self.offset + 1));
        self.id = new;
    }

    /// Takes over somebody else's history as of `position`; the own past is void (A.9).
    pub fn adopt(&mut self, position: Position) {
        self.id = position.id;
        self.offset = position.offset;
        self.former = None;
    }

    /// The place where it is now.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { id: self.id, offset: self.offset }
    }

    /// Adds a command to the stream. Without a backlog nobody counts (A.3, 15.27).
    pub fn feed(&mut self, command: &StreamCommand) {
        if let Some(backlog) = &mut self.backlog {
            let bytes = command.wire_bytes();
            self.offset += bytes;
            backlog.push(self.offset, bytes, command.clone());
        }
    }

    /// Starts to remember, if it does not yet.
    pub fn remember(&mut self, size: u64) {
        self.backlog.get_or_insert_with(|| Backlog::new(size));
    }

    /// Remembers this much from now on; what was remembered is forgotten.
    pub fn resize(&mut self, size: u64) {
        if let Some(backlog) = &mut self.backlog {
            *backlog = Backlog::new(size);
        }
    }

    /// The offset of the first byte that is remembered.
    #[must_use]
    pub fn first_byte(&self) -> u64 {
        self.offset + 1 - self.backlog.as_ref().map_or(0, Backlog::held)
    }

    /// The part of the stream after this offset.
    pub fn after(&self, known: u64) -> impl Iterator<Item = &StreamCommand> {
        self.backlog.iter().flat_map(move |backlog| backlog.after(known))
    }

    /// Whether somebody who knows this much can go on with only what is missing (A.8).
    ///
    /// # Errors
    /// The reason why not.
    pub fn can_continue(&self, known: Option<Position>) -> Result<u64, Refusal> {
        let Some(known) = known else { return Err(Refusal::Asked) };
        let wanted = known.offset + 1;
        if known.id != self.id {
            match self.former {
                Some((id, limit)) if id == known.id && wanted > limit => {
                    return Err(Refusal::BeyondFormer { limit });
                }
                Some((id, _)) if id == known.id => {}
                _ => return Err(Refusal::Mismatch),
            }
        }
        let remembered = self.backlog.is_some();
        if !remembered || wanted < self.first_byte() || wanted > self.offset + 1 {
            return Err(Refusal::NoBacklog { ahead: known.offset > self.offset });
        }
        Ok(self.offset - known.offset)
    }

    /// The former name as it is printed.
    #[must_use]
    pub fn former_text(&self) -> String {
        self.former.map_or_else(|| ReplicationId::NONE.to_owned(), |(id, _)| id.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};

    fn draws() -> Stream {
        Seed(1).stream(Purpose::Replication, 0, 0)
    }

    /// A history of ten PINGs of which the last three are remembered.
    fn history() -> History {
        let mut history = History::new(&mut draws());
        history.remember(3 * 14);
        for _ in 0..10 {
            history.feed(&StreamCommand::Ping);
        }
        history
    }

    #[test]
    fn without_a_backlog_the_offset_stands_still_15_27() {
        let mut history = History::new(&mut draws());
        history.feed(&StreamCommand::Ping);
        assert_eq!(history.offset, 0);
        history.remember(1 << 20);
        history.feed(&StreamCommand::Ping);
        assert_eq!(history.offset, 14);
    }

    #[test]
    fn what_is_remembered_can_be_continued_a8() {
        let history = history();
        let known = |offset| Some(Position { id: history.id, offset });
        assert_eq!(history.first_byte(), 99);
        assert_eq!(history.can_continue(known(140)), Ok(0));
        assert_eq!(history.can_continue(known(98)), Ok(42));
        assert_eq!(history.after(98).count(), 3);
        assert_eq!(history.can_continue(known(84)), Err(Refusal::NoBacklog { ahead: false }));
        assert_eq!(history.can_continue(None), Err(Refusal::Asked));
    }

    #[test]
    fn somebody_who_is_ahead_must_start_anew_a8() {
        let history = history();
        let known = Some(Position { id: history.id, offset: 154 });
        assert_eq!(history.can_continue(known), Err(Refusal::NoBacklog { ahead: true }));
    }

    #[test]
    fn the_former_name_is_good_up_to_the_failover_15_26() {
        let mut history = history();
        let old = history.id;
        history.rename(ReplicationId::random(&mut Seed(2).stream(Purpose::Replication, 0, 0)));
        let known = |offset| Some(Position { id: old, offset });
        assert_eq!(history.can_continue(known(140)), Ok(0));
        assert_eq!(
            history.can_continue(known(154)),
            Err(Refusal::BeyondFormer { limit: 141 }),
            "the old master was fed one more PING while it was alone"
        );
        history.rename(ReplicationId::random(&mut Seed(3).stream(Purpose::Replication, 0, 0)));
        assert_eq!(history.can_continue(known(140)), Err(Refusal::Mismatch));
    }
}
