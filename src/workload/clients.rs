//! All clients of a workload, and when each of them goes on.

use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::rng::{Purpose, Seed};
use crate::time::Time;
use crate::workload::alarms::Alarms;
use crate::workload::books::Books;
use crate::workload::checks::Checks;
use crate::workload::chronicle::Turn;
use crate::workload::client::Client;
use crate::workload::outage::Outages;
use crate::workload::phrases::Phrases;
use crate::workload::settings::Settings;
use crate::workload::shared::Shared;
use crate::workload::summary::{Summary, Tally};
use crate::world::{News, World};

/// A number of virtual clients and their books.
#[derive(Debug)]
pub struct Workload {
    clients: Vec<Client>,
    shared: Shared,
    alarms: Alarms,
}

impl Workload {
    /// Clients that have not begun. `number` is the workload's place in its crew and sets its choices
    /// apart from those of others. `addresses` are those of all nodes of the run, and `members`, of whom
    /// there is one at least, the nodes of the cluster, whose addresses the clients know.
    #[must_use]
    pub fn new(
        seed: Seed,
        number: u32,
        settings: Settings,
        addresses: &[SocketAddr],
        members: &[NodeNo],
    ) -> Workload {
        let count = settings.clients;
        let shared = Shared {
            number,
            books: Books::new(&settings),
            checks: Checks::default(),
            phrases: Phrases::new(&settings),
            settings,
            addresses: addresses.to_vec(),
            members: members.to_vec(),
            directory: members.iter().map(|&node| (addresses[node.index()], node)).collect(),
            tally: Tally::default(),
            outages: Outages::new(),
            begins: false,
        };
        let client = |client: u32| {
            // The runner's own lots are drawn from subject 0.
            let subject = u64::from(number + 1) << 32 | u64::from(client);
            Client::new(client, seed.small_stream(Purpose::Workload, subject, 0), &shared)
        };
        let clients = (0..count).map(client).collect();
        Workload { clients, shared, alarms: Alarms::new(count) }
    }

    /// What it does.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Whether its clients begin commands.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared.begins
    }

    /// The clients begin.
    pub fn start(&mut self, world: &World) {
        self.shared.books.look_around(world);
        self.shared.begins = true;
        for number in 0..self.clients.len() {
            self.clients[number].start(world.now());
            self.set_alarm(number);
        }
    }

    /// The clients begin nothing new. What is under way goes on.
    pub fn stop(&mut self) {
        self.shared.begins = false;
        for number in 0..self.clients.len() {
            let alarm = self.clients[number].alarm(&self.shared);
            self.alarms.set(number, alarm);
        }
    }

    /// Whether nothing is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.clients.iter().all(Client::is_idle)
    }

    /// Closes all connections, once nothing is under way.
    pub fn close(&mut self, world: &mut World) {
        for client in &mut self.clients {
            client.close(world);
        }
        self.alarms.clear();
    }

    /// When it has to be advanced at the latest.
    #[inline]
    pub(crate) fn alarm(&self) -> Option<Time> {
        self.alarms.first().map(|(time, _)| time)
    }

    fn set_alarm(&mut self, number: usize) {
        let alarm = self.clients[number].alarm(&self.shared);
        self.alarms.bring_forward(number, alarm);
    }

    /// Tells a client what it has experienced.
    pub(crate) fn hear(&mut self, world: &mut World, news: News) {
        let number = news.addressee.member as usize;
        let connection = (news.addressee.to, news.client);
        self.clients[number].hear(world, &mut self.shared, connection, news.event);
        self.set_alarm(number);
    }

    /// Lets those clients go on whose time has come.
    #[inline]
    pub(crate) fn advance(&mut self, world: &mut World) {
        while let Some((time, number)) = self.alarms.first()
            && time <= world.now()
        {
            self.wake(world, number as usize);
        }
    }

    fn wake(&mut self, world: &mut World, number: usize) {
        self.clients[number].advance(world, &mut self.shared);
        let alarm = self.clients[number].alarm(&self.shared);
        self.alarms.set(number, alarm);
    }

    pub(crate) fn turn(&mut self, world: &World, at: Time, node: NodeNo, turn: Turn) {
        self.shared.books.turn(world, at, node, turn);
    }

    /// What has become of everything so far.
    pub fn summary(&mut self, world: &World) -> Summary {
        let balance = self.shared.books.balance(world);
        Summary::new(&self.shared, balance, world.now())
    }
}
