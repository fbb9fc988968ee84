//! What a client makes of what comes in.

use crate::network::NodeNo;
use crate::resp::Reply;
use crate::slot::Slot;
use crate::time::Time;
use crate::workload::books::{Written, counted};
use crate::workload::client::{Awaited, Client, Command, NoAnswer, Refresh, Stage};
use crate::workload::settings::Library;
use crate::workload::shared::Shared;
use crate::workload::slot_map::{Redirection, redirection};
use crate::world::{ClientEvent, ClientNo, World};

/// How far a reply says that a key has been counted. It is below zero if somebody else has set it so.
fn counted_to(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

impl Client {
    /// Something came in on a connection to a node. It goes on at once, unless it has given that
    /// connection up.
    pub(crate) fn hear(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        (from, client): (NodeNo, ClientNo),
        event: ClientEvent,
    ) {
        let connection = self.connections[from.index()].as_mut();
        let Some(connection) = connection.filter(|its| its.client == client) else { return };
        match event {
            ClientEvent::Connected => {}
            ClientEvent::Refused => self.disconnected(world, shared, from, NoAnswer::Unreachable),
            ClientEvent::Closed => self.disconnected(world, shared, from, NoAnswer::Lost),
            ClientEvent::Reply(reply) => {
                if let Some(awaited) = connection.awaited.pop_front() {
                    self.read(world, shared, awaited, &reply);
                }
            }
        }
        self.advance(world, shared);
    }

    fn read(&mut self, world: &mut World, shared: &mut Shared, awaited: Awaited, reply: &Reply) {
        match awaited {
            Awaited::Asking => {}
            Awaited::Slots => self.learn_slots(world, shared, reply),
            Awaited::Command(place, number) => self.answered(world, shared, place, number, reply),
            Awaited::Wait(place, number) => self.waited(world, shared, place, number, reply),
            Awaited::Pong(place, number) if reply.error().is_some() => {
                self.not_found(world, place, number);
            }
            Awaited::Pong(place, number) => self.found(world, shared, place, number),
        }
    }

    fn learn_slots(&mut self, world: &World, shared: &mut Shared, reply: &Reply) {
        if self.map.learn(reply, &shared.directory) {
            self.refresh = Refresh::No;
            self.in_vain = 0;
            shared.outages.divide(|| self.map.runs());
            shared.tally.refreshes += 1;
        } else {
            self.refresh = Refresh::At(world.now() + shared.settings.back_off);
        }
    }

    /// The command in a place, if it is the one that was sent with this number, and whom to.
    pub(super) fn current(&mut self, place: usize, number: u64) -> Option<(&mut Command, NodeNo)> {
        let command = self.commands[place].as_mut()?;
        match command.stage {
            Stage::Sent { number: its, to, .. } if its == number => Some((command, to)),
            _ => None,
        }
    }

    fn answered(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        place: usize,
        number: u64,
        reply: &Reply,
    ) {
        let now = world.now();
        let Some((command, from)) = self.current(place, number) else { return };
        if let Some(error) = reply.error() {
            return self.refused(world, shared, place, from, error);
        }
        let Command { key, is_read, number: write, floor, .. } = *command;
        if is_read {
            let value = match reply {
                Reply::Bulk(text) => counted(text),
                Reply::Int(length) => counted_to(*length),
                _ => 0,
            };
            shared.tally.stale_reads += u64::from(value < floor.min(shared.books.value(key)));
            shared.checks.read(key, value);
            return self.conclude(now, shared, place);
        }
        let Reply::Int(value) = reply else { return };
        let value = counted_to(*value);
        if shared.settings.quorum.is_some() {
            if let Stage::Sent { value: its, .. } = &mut command.stage {
                *its = Some(value);
            }
            return;
        }
        self.commands[place] = None;
        shared.acknowledged(key, Written { value, number: write }, from, now);
    }

    /// WAIT has been answered.
    fn waited(
        &mut self,
        world: &World,
        shared: &mut Shared,
        place: usize,
        number: u64,
        reply: &Reply,
    ) {
        let Some(quorum) = shared.settings.quorum else { return };
        let Some((command, from)) = self.current(place, number) else { return };
        let Command { key, number: write, stage, .. } = *command;
        let (Stage::Sent { value: Some(value), .. }, Reply::Int(count)) = (stage, reply) else {
            return;
        };
        self.commands[place] = None;
        if *count >= i64::from(quorum.replicas) {
            let written = Written { value, number: write };
            shared.acknowledged(key, written, from, world.now());
        } else {
            shared.tally.too_few_replicas += 1;
        }
    }

    /// The answer to a command is an error.
    fn refused(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        place: usize,
        from: NodeNo,
        error: &str,
    ) {
        let now = world.now();
        let Some(command) = &mut self.commands[place] else { return };
        let sent_on = redirection(error, &shared.directory);
        let goes_on = match shared.settings.library {
            Library::Usual => {
                sent_on.is_some() && command.redirections < shared.settings.redirections
            }
            Library::RedisRbCluster => {
                matches!(sent_on, Some(Redirection::Moved(..) | Redirection::Ask(_)))
                    && command.attempts < Library::ATTEMPTS
            }
        };
        if goes_on {
            command.redirections += 1;
            shared.tally.redirections += 1;
        } else {
            let Command { key, began, is_read, .. } = *command;
            shared.refused(key, began, is_read, error);
            return self.conclude(now, shared, place);
        }
        match sent_on {
            Some(Redirection::Moved(slot, to)) => {
                self.moved(now, slot, to);
                self.send(world, shared, place, to, false);
            }
            Some(Redirection::Ask(to)) => self.send(world, shared, place, to, true),
            _ => {
                self.map.set(shared.books.slot(command.key), from);
                command.stage = Stage::Resting(now + shared.settings.back_off);
            }
        }
    }

    fn moved(&mut self, now: Time, slot: Slot, to: NodeNo) {
        self.map.set(slot, to);
        if matches!(self.refresh, Refresh::No) {
            self.refresh = Refresh::At(now);
        }
    }
}
