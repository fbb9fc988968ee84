//! One virtual client: its connections, its map of the slots, and the commands it has under way.

mod answers;
mod probe;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::network::NodeNo;
use crate::rng::SmallStream;
use crate::time::{Span, Time};
use crate::workload::books::Key;
use crate::workload::settings::{Library, Pace};
use crate::workload::shared::Shared;
use crate::workload::slot_map::SlotMap;
use crate::world::{Addressee, ClientNo, World};

/// A virtual client.
#[derive(Debug)]
pub(crate) struct Client {
    number: u32,
    draws: SmallStream,
    map: SlotMap,
    refresh: Refresh,
    /// By node.
    connections: Vec<Option<Connection>>,
    /// Places for commands under way.
    commands: Vec<Option<Command>>,
    /// The nodes that may still be asked for another one, for each place, if it looks for nodes so.
    untried: Vec<Vec<NodeNo>>,
    /// How often it has asked in vain for the map of the slots, since it last got it.
    in_vain: u32,
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
    /// From a node that was looked for on behalf of the command in this place.
    Pong(usize, u64),
}

#[derive(Debug, Clone, Copy)]
struct Command {
    key: Key,
    is_read: bool,
    /// For a write: which one of the workload it is.
    number: u64,
    began: Time,
    /// For a read: how far the key had been counted before.
    floor: u32,
    redirections: u32,
    retries: u32,
    /// How often it was sent.
    attempts: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// It was not sent yet.
    Fresh(Time),
    /// It is sent once more then, to whomever chance has it.
    Resting(Time),
    /// This node was asked whether it is there.
    Probing { number: u64, to: NodeNo, until: Time },
    Sent {
        number: u64,
        to: NodeNo,
        until: Time,
        /// The answer to the write; the one to WAIT is still to come.
        value: Option<u32>,
    },
}

impl Stage {
    /// When something is to be done about it.
    fn until(self) -> Time {
        match self {
            Stage::Fresh(until)
            | Stage::Resting(until)
            | Stage::Probing { until, .. }
            | Stage::Sent { until, .. } => until,
        }
    }
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
            map: SlotMap::default(),
            refresh: Refresh::At(Time::ZERO),
            connections: shared.addresses.iter().map(|_| None).collect(),
            commands: vec![None; shared.settings.pipeline as usize],
            untried: Vec::new(),
            in_vain: 0,
            due,
            sent: 0,
        }
    }

    /// Begins again now.
    pub(crate) fn start(&mut self, now: Time) {
        self.due = now + Span(self.due.0);
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
        let may_begin = shared.begins && matches!(self.refresh, Refresh::No);
        let places = self.commands.iter().filter_map(|command| match command {
            Some(command) => Some(command.stage.until()),
            None => may_begin.then_some(self.due),
        });
        places.chain(refresh).min()
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
                Some(Stage::Fresh(_)) => self.send_first(world, shared, place),
                Some(Stage::Resting(until)) if until <= now => match shared.settings.library {
                    Library::Usual => {
                        let to = self.somebody(shared);
                        self.send(world, shared, place, to, false);
                    }
                    Library::RedisRbCluster => self.ask_next(world, shared, place),
                },
                Some(Stage::Sent { until, to, .. } | Stage::Probing { until, to, .. })
                    if until <= now =>
                {
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
        self.put(now, shared, place, key, is_read || shared.settings.checks);
        self.send_first(world, shared, place);
    }

    /// Puts a command into a place. It is not sent yet.
    fn put(&mut self, now: Time, shared: &mut Shared, place: usize, key: Key, is_read: bool) {
        match is_read {
            true => shared.tally.reads += 1,
            false => shared.tally.writes += 1,
        }
        self.commands[place] = Some(Command {
            key,
            is_read,
            number: shared.tally.writes,
            began: now,
            floor: shared.books.value(key),
            redirections: 0,
            retries: 0,
            attempts: 0,
            stage: Stage::Fresh(now),
        });
    }

    /// A command is over, for better or worse. If it was the look before a write, that comes next.
    fn conclude(&mut self, now: Time, shared: &mut Shared, place: usize) {
        let Some(command) = self.commands[place].take() else { return };
        if command.is_read && shared.settings.checks {
            self.put(now, shared, place, command.key, false);
        }
    }

    fn send_first(&mut self, world: &mut World, shared: &mut Shared, place: usize) {
        let Some(Command { key, .. }) = self.commands[place] else { return };
        let to = self.map.get(shared.books.slot(key));
        let to = to.unwrap_or_else(|| self.somebody(shared));
        self.send(world, shared, place, to, false);
    }

    fn somebody(&mut self, shared: &Shared) -> NodeNo {
        shared.members[self.draws.below(shared.members.len() as u32) as usize]
    }

    /// The connection to a node, which is opened if there is none.
    fn connection(&mut self, world: &mut World, shared: &Shared, to: NodeNo) -> &mut Connection {
        let addressee = Addressee { group: shared.number, member: self.number, to };
        self.connections[to.index()].get_or_insert_with(|| {
            let (site, address) = (shared.settings.site, shared.addresses[to.index()]);
            let client = world.client_connect_from(site, address, addressee);
            Connection { client, awaited: VecDeque::new() }
        })
    }

    fn ask_for_slots(&mut self, world: &mut World, shared: &mut Shared) {
        let to = match (shared.settings.library, shared.settings.site) {
            (Library::Usual, _) => self.somebody(shared),
            (Library::RedisRbCluster, site) => {
                let own = site.gate().node();
                let first = shared.members.iter().position(|&node| Some(node) == own).unwrap_or(0);
                shared.members[(first + self.in_vain as usize) % shared.members.len()]
            }
        };
        self.in_vain = self.in_vain.wrapping_add(1);
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
        command.attempts += 1;
        let Command { key, is_read, number: write, .. } = *command;
        let words = match is_read {
            true => shared.phrases.read(key, &shared.books),
            false => shared.phrases.write(key, write, &shared.books),
        };
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

    /// A node has not answered in time: its connection is closed, and nothing more is read from it.
    fn give_up(&mut self, world: &mut World, shared: &mut Shared, on: NodeNo) {
        if let Some(connection) = &self.connections[on.index()] {
            world.client_close(connection.client);
        }
        self.disconnected(world, shared, on, NoAnswer::Lost);
    }

    /// The connection to a node is gone, and with it all answers that were to come.
    fn disconnected(&mut self, world: &World, shared: &mut Shared, from: NodeNo, why: NoAnswer) {
        let Some(connection) = self.connections[from.index()].take() else { return };
        let now = world.now();
        let looks_again = shared.settings.library == Library::Usual;
        if looks_again && !matches!(self.refresh, Refresh::At(_)) {
            self.refresh = Refresh::At(now);
        }
        for awaited in connection.awaited {
            match awaited {
                Awaited::Slots if looks_again => {
                    self.refresh = Refresh::At(now + shared.settings.back_off);
                }
                Awaited::Slots => self.refresh = Refresh::At(now),
                Awaited::Pong(place, number) => self.not_found(world, place, number),
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
        let (pause, is_over) = match shared.settings.library {
            Library::Usual => {
                (shared.settings.pause(command.retries), command.retries >= shared.settings.retries)
            }
            Library::RedisRbCluster if command.attempts > Library::ATTEMPTS / 2 => {
                (Library::LATE_PAUSE, command.attempts >= Library::ATTEMPTS)
            }
            Library::RedisRbCluster => (Span::ZERO, false),
        };
        command.retries += 1;
        command.stage = Stage::Resting(now + pause);
        if shared.settings.library == Library::RedisRbCluster {
            self.look_for_any_node(shared, place);
        }
        shared.outages.failed(shared.books.slot(key), began);
        if !is_read {
            match why {
                NoAnswer::Unreachable => shared.tally.unreachable += 1,
                NoAnswer::Lost => shared.tally.unanswered += 1,
            }
        }
        if is_over {
            self.fail(now, shared, place);
        }
    }

    /// The command in a place is given up.
    fn fail(&mut self, now: Time, shared: &mut Shared, place: usize) {
        match self.commands[place].is_some_and(|command| command.is_read) {
            true => shared.tally.failed_reads += 1,
            false => shared.tally.given_up += 1,
        }
        self.conclude(now, shared, place);
    }

    /// Closes all connections. Nothing is under way any more.
    pub(crate) fn close(&mut self, world: &mut World) {
        for connection in self.connections.iter_mut().filter_map(Option::take) {
            world.client_close(connection.client);
        }
        self.refresh = Refresh::At(Time::ZERO);
        self.due = Time::ZERO;
    }
}
