//! Crash points: a process dies between two things that one pass of its event loop does.
//!
//! A pass decides and logs, writes nodes.conf, syncs it, and only then sends (§0.1.2). Where a process
//! dies within it decides what its next process finds and what others have heard. A point is armed and
//! comes when the process gets there the next time.

use std::slice;

use crate::network::NodeNo;
use crate::node::effect::Effect;
use crate::node::packet::MessageType;
use crate::world::observe::Fault;
use crate::world::{FaultError, Program, What, World};

/// A point within a pass of the event loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It has decided to vote: nothing is written, nothing is sent.
    AfterVote,
    /// It is about to write nodes.conf.
    BeforeSave,
    /// It has written nodes.conf and is about to sync it.
    BeforeFsync,
    /// It has written nodes.conf, and synced it if it was to.
    AfterSave,
    /// It is about to send a packet of this type, or of any.
    BeforeSend(Option<MessageType>),
}

/// How a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It is killed; what it wrote is there, synced or not.
    Kill,
    /// Its machine loses its power; what it wrote and did not sync is gone.
    PowerOff,
}

/// A point that is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Armed {
    /// Where.
    pub point: Point,
    /// What happens there.
    pub blow: Blow,
}

impl Point {
    /// Whether a pass that does this gets there.
    fn is_reached(self, effects: &[Effect]) -> bool {
        effects.iter().any(|effect| match (self, effect) {
            (Point::AfterVote, Effect::Send(_, packet)) => packet.kind == MessageType::AuthAck,
            (Point::BeforeSave | Point::AfterSave, Effect::SaveConfig { .. }) => true,
            (Point::BeforeFsync, Effect::SaveConfig { fsync, .. }) => *fsync,
            (Point::BeforeSend(kind), Effect::Send(_, packet)) => {
                kind.is_none_or(|kind| packet.kind == kind)
            }
            _ => false,
        })
    }

    /// Whether something is done before a pass gets there.
    fn comes_after(self, effect: &mut Effect) -> bool {
        match effect {
            Effect::Log { .. } | Effect::Notice(_) | Effect::SyncKeys => true,
            Effect::SaveConfig { fsync, .. } => {
                *fsync &= self != Point::BeforeFsync;
                !matches!(self, Point::AfterVote | Point::BeforeSave)
            }
            _ => false,
        }
    }
}

/// Leaves of a pass whose output waits for nothing what it does before it gets to a point.
fn cut_as_it_comes(point: Point, effects: &mut Vec<Effect>) {
    let Some(at) = effects.iter().position(|effect| point.is_reached(slice::from_ref(effect)))
    else {
        return;
    };
    let keeps = matches!(point, Point::BeforeFsync | Point::AfterSave);
    if let Effect::SaveConfig { fsync, .. } = &mut effects[at] {
        *fsync &= point != Point::BeforeFsync;
    }
    effects.truncate(at + usize::from(keeps));
}

/// Whether others get to know of it.
fn leaves_the_process(effect: &Effect) -> bool {
    matches!(effect, Effect::Send(..) | Effect::ReplSend(..) | Effect::Reply(..))
}

/// Puts what is logged and written in front of what is sent by the same pass (§0.1.2). While writing
/// takes no time the order does not matter. Not so if `save_first` is off; but the append-only file is
/// always synced before a reply leaves.
pub(super) fn write_before_sending(effects: &mut [Effect], save_first: bool) {
    let is_end = |effect: &Effect| {
        matches!(
            effect,
            Effect::Sleep(_)
                | Effect::LoadFor(_)
                | Effect::ReadFrom(..)
                | Effect::Call { .. }
                | Effect::Exit(_)
        )
    };
    let end = effects.iter().position(is_end).unwrap_or(effects.len());
    if let Some(first) = effects[..end].iter().position(leaves_the_process) {
        let comes_first = |effect: &Effect| {
            matches!(effect, Effect::SyncKeys)
                || save_first
                    && matches!(
                        effect,
                        Effect::SaveConfig { .. } | Effect::Log { .. } | Effect::Notice(_)
                    )
        };
        effects[first..end].sort_by_key(|effect| !comes_first(effect));
    }
}

impl<P: Program> World<P> {
    /// Lets a node die when it gets to a point the next time.
    ///
    /// # Errors
    /// If it does not run, or is to die already.
    pub fn arm(&mut self, node: NodeNo, armed: Armed) -> Result<(), FaultError> {
        self.running(node)?;
        if self.armed.contains_key(&node) {
            return Err(FaultError::IsArmed);
        }
        self.interfere(Fault::Arm(node, armed));
        self.armed.insert(node, armed);
        Ok(())
    }

    /// The point at which a node is to die, if it has not got there yet.
    #[must_use]
    pub fn armed(&self, node: NodeNo) -> Option<Armed> {
        self.armed.get(&node).copied()
    }

    /// Takes what a pass does no more because the process dies before. Says how it dies.
    pub(super) fn cut_short(&mut self, node: NodeNo, effects: &mut Vec<Effect>) -> Option<Blow> {
        let Armed { point, blow } = *self.armed.get(&node)?;
        if !point.is_reached(effects) {
            return None;
        }
        self.armed.remove(&node);
        match self.disk_config.save_first {
            true => effects.retain_mut(|effect| point.comes_after(effect)),
            false => cut_as_it_comes(point, effects),
        }
        Some(blow)
    }

    /// A process dies within a pass.
    pub(super) fn strike(&mut self, node: NodeNo, blow: Blow) {
        let fault = match blow {
            Blow::Kill => Fault::Kill(node),
            Blow::PowerOff => Fault::PowerOff(node),
        };
        if self.observers.wants.faults {
            self.record(What::Fault(fault));
        }
        match blow {
            Blow::Kill => self.end_process(node, None),
            Blow::PowerOff => self.lose_power(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIx;
    use crate::node::effect::{LinkId, Outbox};
    use crate::node::log::{Level, Role};

    fn send(kind: MessageType) -> Effect {
        Effect::Send(LinkId(0), Outbox::default().packets.take(kind, NodeIx(0)))
    }

    fn save(fsync: bool) -> Effect {
        Effect::SaveConfig { text: String::new(), fsync }
    }

    fn log() -> Effect {
        Effect::Log { level: Level::Warning, role: Role::Master, text: String::new() }
    }

    fn letter(effect: &Effect) -> char {
        match effect {
            Effect::Log { .. } => 'l',
            Effect::Send(..) => 's',
            Effect::SaveConfig { fsync: true, .. } => 'y',
            Effect::SaveConfig { .. } => 'w',
            other => panic!("{other:?}"),
        }
    }

    /// What of a vote is done before a point: `l`ogged, `s`ent, `w`ritten, written and s`y`nced.
    fn done(point: Point) -> String {
        let mut effects = vec![send(MessageType::AuthAck), log(), save(true)];
        write_before_sending(&mut effects, true);
        if point.is_reached(&effects) {
            effects.retain_mut(|effect| point.comes_after(effect));
        }
        effects.iter().map(letter).collect()
    }

    #[test]
    fn a_pass_decides_writes_syncs_and_then_sends_0_1_2() {
        assert_eq!(done(Point::AfterVote), "l");
        assert_eq!(done(Point::BeforeSave), "l");
        assert_eq!(done(Point::BeforeFsync), "lw");
        assert_eq!(done(Point::AfterSave), "ly");
        assert_eq!(done(Point::BeforeSend(None)), "ly");
        assert_eq!(done(Point::BeforeSend(Some(MessageType::AuthAck))), "ly");
        let other = done(Point::BeforeSend(Some(MessageType::Ping)));
        assert_eq!(other, "lys", "it does not get there");
    }

    #[test]
    fn output_that_waits_for_nothing_has_left_before_the_vote_is_written() {
        let done = |point| {
            let mut effects = vec![send(MessageType::Ping), send(MessageType::AuthAck), save(true)];
            cut_as_it_comes(point, &mut effects);
            effects.iter().map(letter).collect::<String>()
        };
        assert_eq!(done(Point::AfterVote), "s");
        assert_eq!(done(Point::BeforeSave), "ss");
        assert_eq!(done(Point::BeforeFsync), "ssw");
        assert_eq!(done(Point::AfterSave), "ssy");
        assert_eq!(done(Point::BeforeSend(Some(MessageType::AuthAck))), "s");
    }

    #[test]
    fn a_save_without_a_sync_is_not_the_point_before_a_sync() {
        assert!(!Point::BeforeFsync.is_reached(&[save(false)]));
        assert!(Point::BeforeFsync.is_reached(&[save(false), save(true)]));
        assert!(Point::BeforeSave.is_reached(&[save(false)]));
    }

    #[test]
    fn what_is_behind_a_sleep_is_not_written_before_it() {
        let mut effects =
            vec![send(MessageType::Ping), Effect::Sleep(crate::time::Span(1)), save(true)];
        write_before_sending(&mut effects, true);
        assert!(matches!(effects[2], Effect::SaveConfig { .. }));
    }

    #[test]
    fn keys_are_synced_before_a_reply_also_if_the_configuration_is_not() {
        let mut effects = vec![send(MessageType::Ping), save(true), Effect::SyncKeys];
        write_before_sending(&mut effects, false);
        assert!(matches!(effects[0], Effect::SyncKeys));
        assert!(matches!(effects[2], Effect::SaveConfig { .. }));
    }
}
