//! One virtual client: its connections, its map of the slots, and the commands it has under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::network::NodeNo;
use crate::resp::Reply;
use crate::rng::SmallStream;
use crate::slot::Slot;
use crate::time::Time;
use crate::workload::books::Key;
use crate::workload::settings::Pace;
use crate::workload::shared::Shared;
use crate::workload::slot_map::{Redirection, SlotMap, redirection};
use crate::world::{ClientEvent, ClientNo, World};

/// A virtual client.
#[derive(Debug)]
pub(crate) struct Client {
    number: u32,
    draws: SmallStream,
    map: SlotMap,
    refresh: Refresh,
    connections: BTreeMap<NodeNo, Connection>,
    /// Places for commands under way.
    commands: Vec<Option<Command>>,
    /// When it begins its next command.
    due: Time,
    sent: u64,
}

/// Whether the map of the slots is looked up again.
#[derive(Debug, Clone, Copy)]
enum Refresh {
    No,
    At(Time),
    /// A node was asked, which has time until then.
    Asked(NodeNo, Time),
}

#[derive(Debug)]
struct Connection {
    client: ClientNo,
    /// The answers that are to come, in their order.
    awaited: VecDeque<Awaited>,
}

#[derive(Debug, Clone, Copy)]
enum Awaited {
    Slots,
    Asking,
    /// To the command in this place, if that is still the one that was sent with this number.
    Command(usize, u64),
    Wait(usize, u64),
}

#[derive(Debug, Clone, Copy)]
struct Command {
    key: Key,
    is_read: bool,
    began: Time,
    /// For a read: how far the key had been counted before.
    floor: u32,
    redirections: u32,
    retries: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It is sent once more then, to whomever chance has it.
    Resting(Time),
    Sent {
        number: u64,
        to: NodeNo,
        until: Time,
        /// The answer to the write; the one to WAIT is still to come.
        value: Option<u32>,
    },
}

/// Why there is no answer to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoAnswer {
    /// It was not even sent.
    Unreachable,
    Lost,
}

impl Client {
    pub(crate) fn new(number: u32, mut draws: SmallStream, shared: &Shared) -> Client {
        let due = match shared.settings.pace {
            Pace::Every(span) => Time(draws.bits() % span.0.max(1)),
            Pace::Unbounded => Time::ZERO,
        };
        Client {
            number,
            draws,
            map: SlotMap::new(),
            refresh: Refresh::At(Time::ZERO),
            connections: BTreeMap::new(),
            commands: vec![None; shared.settings.pipeline as usize],
            due,
            sent: 0,
        }
    }

    /// Begins again now.
    pub(crate) fn start(&mut self, now: Time) {
        self.due = now + crate::time::Span(self.due.0);
    }

    /// Whether it waits for nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.commands.iter().all(Option::is_none)
    }

    /// When it has to go on, whatever it hears until then.
    pub(crate) fn alarm(&self, shared: &Shared) -> Option<Time> {
        let refresh = match self.refresh {
            Refresh::No => None,
            Refresh::At(time) | Refresh::Asked(_, time) => {
                (shared.begins || !self.is_idle()).then_some(time)
            }
        };
        let waits = self.commands.iter().flatten().map(|command| match command.stage {
            Stage::Resting(until) | Stage::Sent { until, .. } => until,
        });
        let may_begin = shared.begins
            && matches!(self.refresh, Refresh::No)
            && self.commands.iter().any(Option::is_none);
        waits.chain(refresh).chain(may_begin.then_some(self.due)).min()
    }

    /// Does what is due.
    pub(crate) fn advance(&mut self, world: &mut World, shared: &mut Shared) {
        let now = world.now();
        match self.refresh {
            Refresh::At(at) if at <= now && (shared.begins || !self.is_idle()) => {
                self.ask_for_slots(world, shared);
            }
            Refresh::Asked(node, until) if until <= now => self.give_up(world, shared, node),
            _ => {}
        }
        for place in 0..self.commands.len() {
            match self.commands[place].map(|command| command.stage) {
                Some(Stage::Resting(until)) if until <= now => {
                    let to = self.somebody(shared);
                    self.send(world, shared, place, to, false);
                }
                Some(Stage::Sent { until, to, .. }) if until <= now => {
                    self.give_up(world, shared, to);
                }
                None if shared.begins && self.due <= now && matches!(self.refresh, Refresh::No) => {
                    self.begin(world, shared, place);
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, world: &mut World, shared: &mut Shared, place: usize) {
        let now = world.now();
        if let Pace::Every(span) = shared.settings.pace {
            let next = self.due + span;
            self.due = if next < now { now + span } else { next };
        }
        let keys = shared.settings.keys;
        let mut key = Key(self.number * keys + self.draws.below(keys));
        // A key has one command under way at a time, so that every reply can be told apart.
        while self.commands.iter().flatten().any(|command| command.key == key) {
            key = Key(self.number * keys + (key.0 + 1) % keys);
        }
        let reads = shared.settings.reads_per_mille;
        let is_read = reads > 0 && self.draws.below(1_000) < u32::from(reads);
        match is_read {
            true => shared.tally.reads += 1,
            false => shared.tally.writes += 1,
        }
        self.commands[place] = Some(Command {
            key,
            is_read,
            began: now,
            floor: shared.books.value(key),
            redirections: 0,
            retries: 0,
            stage: Stage::Resting(now),
        });
        let to = self.map.get(shared.books.slot(key));
        let to = to.unwrap_or_else(|| self.somebody(shared));
        self.send(world, shared, place, to, false);
    }

    fn somebody(&mut self, shared: &Shared) -> NodeNo {
        NodeNo(self.draws.below(shared.addresses.len() as u32))
    }

    /// The connection to a node, which is opened if there is none.
    fn connection(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        to: NodeNo,
    ) -> &mut Connection {
        let number = self.number;
        self.connections.entry(to).or_insert_with(|| {
            let address = shared.addresses[to.index()];
            let site = shared.settings.site;
            let client = world.client_connect_from(site, address.ip(), address.port());
            shared.owners.insert(client, (number, to));
            Connection { client, awaited: VecDeque::new() }
        })
    }

    fn ask_for_slots(&mut self, world: &mut World, shared: &mut Shared) {
        let to = self.somebody(shared);
        self.refresh = Refresh::Asked(to, world.now() + shared.settings.timeout);
        let connection = self.connection(world, shared, to);
        connection.awaited.push_back(Awaited::Slots);
        world.client_send(connection.client, Arc::clone(&shared.phrases.slots));
    }

    fn send(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        place: usize,
        to: NodeNo,
        asking: bool,
    ) {
        self.sent += 1;
        let number = self.sent;
        let until = world.now() + shared.settings.timeout;
        let Some(command) = &mut self.commands[place] else { return };
        command.stage = Stage::Sent { number, to, until, value: None };
        let Command { key, is_read, .. } = *command;
        let words = shared.phrases.command(key, shared.books.name(key), is_read);
        let connection = self.connection(world, shared, to);
        if asking {
            connection.awaited.push_back(Awaited::Asking);
            world.client_send(connection.client, Arc::clone(&shared.phrases.asking));
        }
        connection.awaited.push_back(Awaited::Command(place, number));
        world.client_send(connection.client, words);
        if let Some(wait) = shared.phrases.wait.as_ref().filter(|_| !is_read) {
            connection.awaited.push_back(Awaited::Wait(place, number));
            world.client_send(connection.client, Arc::clone(wait));
        }
    }

    /// Something came in on the connection to a node.
    pub(crate) fn hear(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        from: NodeNo,
        event: ClientEvent,
    ) {
        let reply = match event {
            ClientEvent::Connected => return,
            ClientEvent::Refused => {
                return self.disconnected(world, shared, from, NoAnswer::Unreachable);
            }
            ClientEvent::Closed => return self.disconnected(world, shared, from, NoAnswer::Lost),
            ClientEvent::Reply(reply) => reply,
        };
        let Some(connection) = self.connections.get_mut(&from) else { return };
        match connection.awaited.pop_front() {
            None | Some(Awaited::Asking) => {}
            Some(Awaited::Slots) => self.learn_slots(world, shared, &reply),
            Some(Awaited::Command(place, number)) => {
                self.answered(world, shared, place, number, &reply);
            }
            Some(Awaited::Wait(place, number)) => self.waited(world, shared, place, number, &reply),
        }
    }

    fn learn_slots(&mut self, world: &World, shared: &mut Shared, reply: &Reply) {
        if self.map.learn(reply, &shared.directory) {
            self.refresh = Refresh::No;
            shared.outages.divide(|| self.map.ranges());
            shared.tally.refreshes += 1;
        } else {
            self.refresh = Refresh::At(world.now() + shared.settings.back_off);
        }
    }

    /// The command in a place, if it is the one that was sent with this number, and whom to.
    fn current(&mut self, place: usize, number: u64) -> Option<(&mut Command, NodeNo)> {
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
        let Command { key, is_read, floor, .. } = *command;
        if is_read {
            let text = reply.text().and_then(|text| text.parse().ok()).unwrap_or(0);
            shared.tally.stale_reads += u64::from(text < floor.min(shared.books.value(key)));
            self.commands[place] = None;
            return;
        }
        let Reply::Int(value) = reply else { return };
        let value = u32::try_from(*value).unwrap_or(u32::MAX);
        if shared.settings.quorum.is_some() {
            if let Stage::Sent { value: its, .. } = &mut command.stage {
                *its = Some(value);
            }
            return;
        }
        self.commands[place] = None;
        shared.acknowledged(key, value, from, now);
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
        let (Command { key, stage: Stage::Sent { value: Some(value), .. }, .. }, Reply::Int(count)) =
            (*command, reply)
        else {
            return;
        };
        self.commands[place] = None;
        if *count >= i64::from(quorum.replicas) {
            shared.acknowledged(key, value, from, world.now());
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
        if sent_on.is_some() && command.redirections < shared.settings.redirections {
            command.redirections += 1;
            shared.tally.redirections += 1;
        } else {
            let Command { key, began, is_read, .. } = *command;
            self.commands[place] = None;
            return shared.refused(key, began, is_read, error);
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

    /// A node has not answered in time: its connection is closed, and nothing more is read from it.
    fn give_up(&mut self, world: &mut World, shared: &mut Shared, on: NodeNo) {
        if let Some(connection) = self.connections.get(&on) {
            world.client_close(connection.client);
        }
        self.disconnected(world, shared, on, NoAnswer::Lost);
    }

    /// The connection to a node is gone, and with it all answers that were to come.
    fn disconnected(&mut self, world: &World, shared: &mut Shared, from: NodeNo, why: NoAnswer) {
        let Some(connection) = self.connections.remove(&from) else { return };
        shared.owners.remove(&connection.client);
        let now = world.now();
        if !matches!(self.refresh, Refresh::At(_)) {
            self.refresh = Refresh::At(now);
        }
        for awaited in connection.awaited {
            match awaited {
                Awaited::Slots => self.refresh = Refresh::At(now + shared.settings.back_off),
                Awaited::Command(place, number) | Awaited::Wait(place, number) => {
                    self.unanswered(now, shared, place, number, why);
                }
                Awaited::Asking => {}
            }
        }
    }

    fn unanswered(
        &mut self,
        now: Time,
        shared: &mut Shared,
        place: usize,
        number: u64,
        why: NoAnswer,
    ) {
        let Some((command, _)) = self.current(place, number) else { return };
        let Command { key, began, is_read, .. } = *command;
        let pause = shared.settings.pause(command.retries);
        command.retries += 1;
        command.stage = Stage::Resting(now + pause);
        let is_over = command.retries > shared.settings.retries;
        shared.outages.failed(shared.books.slot(key), began);
        if !is_read {
            match why {
                NoAnswer::Unreachable => shared.tally.unreachable += 1,
                NoAnswer::Lost => shared.tally.unanswered += 1,
            }
        }
        if is_over {
            self.commands[place] = None;
            match is_read {
                true => shared.tally.failed_reads += 1,
                false => shared.tally.given_up += 1,
            }
        }
    }

    /// Closes all connections. Nothing is under way any more.
    pub(crate) fn close(&mut self, world: &mut World, shared: &mut Shared) {
        for connection in std::mem::take(&mut self.connections).into_values() {
            shared.owners.remove(&connection.client);
            world.client_close(connection.client);
        }
        self.refresh = Refresh::At(Time::ZERO);
        self.due = Time::ZERO;
    }
}
