//! Clients: connections that are opened from outside the simulated machines.
//!
//! Most clients are at one place of the network. Partitions between nodes do not separate them from
//! anybody; cutting the path between [`Site::Clients`] and a node does. Clients can also sit beside a
//! node ([`Site::Beside`]), on its side of every partition.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use crate::network::message::{Kind, Message};
use crate::network::{Dial, Site};
use crate::node::effect::LinkId;
use crate::resp::{Args, Reply};
use crate::time::Time;
use crate::world::{BudgetSpent, Program, World};

/// A client: one connection, from dialling to closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientNo(pub u32);

/// What a client experiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEvent {
    /// Its connection is established.
    Connected,
    /// Nobody listens there.
    Refused,
    /// An answer came.
    Reply(Reply),
    /// The server closed the connection.
    Closed,
}

/// All clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    all: Vec<Client>,
    /// What those have experienced who are told in common.
    news: VecDeque<(ClientNo, ClientEvent)>,
    /// How many events clients have had.
    events: u64,
}

#[derive(Debug)]
struct Client {
    /// Its end, as long as that is open.
    link: Option<LinkId>,
    mailbox: VecDeque<ClientEvent>,
    /// Whether what it experiences is told in common with others.
    in_common: bool,
}

impl<P: Program> World<P> {
    /// Opens a client's connection to an address. What is sent before it is established waits.
    pub fn client_connect(&mut self, ip: IpAddr, port: u16) -> ClientNo {
        self.open_client(Site::Clients, ip, port, false)
    }

    /// Opens the connection of a client that sits at a certain place. What it experiences is told by
    /// [`World::client_news`], in one stream for all who were opened in this way.
    pub fn client_connect_from(&mut self, from: Site, ip: IpAddr, port: u16) -> ClientNo {
        self.open_client(from, ip, port, true)
    }

    fn open_client(&mut self, from: Site, ip: IpAddr, port: u16, in_common: bool) -> ClientNo {
        let client = ClientNo(u32::try_from(self.clients.all.len()).unwrap_or(u32::MAX));
        self.begin_outside(1, u64::from(client.0));
        let link = self.out.new_link();
        self.clients.all.push(Client { link: Some(link), mailbox: VecDeque::new(), in_common });
        self.dial(Dial {
            link,
            kind: Kind::Client,
            tag: client.0,
            from,
            from_ip: match from {
                Site::Node(node) | Site::Beside(node) => self.machines[node.index()].setup.ip,
                Site::Clients => self.network.config().client_ip,
            },
            to_ip: ip,
            to_port: port,
        });
        client
    }

    /// Sends a command. If the connection is lost, nobody gets it.
    pub fn client_send(&mut self, client: ClientNo, args: impl Into<Arc<Args>>) {
        self.begin_outside(2, u64::from(client.0));
        if let Some(link) = self.clients.all[client.0 as usize].link {
            self.transmit(link, Message::Request(args.into()));
        }
    }

    /// The next thing that a client has experienced and that was not taken yet.
    pub fn client_take(&mut self, client: ClientNo) -> Option<ClientEvent> {
        self.clients.all[client.0 as usize].mailbox.pop_front()
    }

    /// The next thing that somebody has experienced of those who are told in common.
    #[inline]
    pub fn client_news(&mut self) -> Option<(ClientNo, ClientEvent)> {
        self.clients.news.pop_front()
    }

    /// Lets time pass until there are news of clients, or a node has reached a turn that observers
    /// are told of, but not beyond `limit`. Says whether there was any; if not, it is `limit` now.
    ///
    /// # Errors
    /// When the budget of events is used up.
    pub fn run_until_news(&mut self, limit: Time) -> Result<bool, BudgetSpent> {
        let before = self.turns;
        while self.step_until(limit)? {
            if !self.clients.news.is_empty() || self.turns != before {
                return Ok(true);
            }
        }
        self.run_until(limit)?;
        Ok(false)
    }

    /// Closes a client's connection. What it has experienced can still be taken.
    pub fn client_close(&mut self, client: ClientNo) {
        self.begin_outside(3, u64::from(client.0));
        if let Some(link) = self.clients.all[client.0 as usize].link.take() {
            self.close(link);
        }
    }

    /// Lets time pass until any client experiences something new, but not beyond `limit`. Says
    /// whether one did; if not, it is `limit` now.
    ///
    /// # Errors
    /// When the budget of events is used up.
    pub fn run_until_client_event(&mut self, limit: Time) -> Result<bool, BudgetSpent> {
        let before = self.clients.events;
        while self.step_until(limit)? {
            if self.clients.events != before {
                return Ok(true);
            }
        }
        self.run_until(limit)?;
        Ok(false)
    }

    pub(super) fn client_event(&mut self, client: u32, event: ClientEvent) {
        self.fingerprint.absorb(u64::from(client) << 8 | 50);
        let number = ClientNo(client);
        let client = &mut self.clients.all[client as usize];
        if matches!(event, ClientEvent::Refused | ClientEvent::Closed) {
            client.link = None;
        }
        self.clients.events += 1;
        if client.in_common {
            self.clients.news.push_back((number, event));
        } else {
            client.mailbox.push_back(event);
        }
    }

    /// Something comes back to a client.
    pub(super) fn client_message(&mut self, link: LinkId, message: Message) {
        let client = self.network.connection(link).tag;
        match message {
            Message::Reply(reply) => {
                let reply = self.spare_replies.unpack(reply, Reply::Nil);
                self.client_event(client, ClientEvent::Reply(reply));
            }
            Message::Replication(_) => {}
            Message::Close | Message::Reset => {
                self.forget_end(link);
                self.client_event(client, ClientEvent::Closed);
            }
            Message::Established | Message::Packet(_) | Message::Request(_) => {}
        }
    }
}
