//! Clients: connections that are opened from outside the simulated machines.
//!
//! Most clients are at one place of the network. Partitions between nodes do not separate them from
//! anybody; cutting the path between [`Site::Clients`] and a node does. Clients can also sit beside a
//! node ([`Site::Beside`]), on its side of every partition.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::network::message::{Kind, Message};
use crate::network::{Dial, NodeNo, Site};
use crate::node::effect::LinkId;
use crate::resp::{Args, Reply};
use crate::time::Time;
use crate::world::fingerprint::{EventTag, OutsideTag};
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

/// Whom the news of a client are for, in the words of whoever opened it: the world hands them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addressee {
    /// A group of those who open clients.
    pub group: u32,
    /// One of the group.
    pub member: u32,
    /// The node that the connection leads to.
    pub to: NodeNo,
}

/// Something that a client has experienced whose opener is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Who is told.
    pub addressee: Addressee,
    /// The client.
    pub client: ClientNo,
    /// What it has experienced.
    pub event: ClientEvent,
}

/// All clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    all: Vec<Client>,
    /// What those have experienced whose openers are told.
    news: VecDeque<News>,
    /// How many events clients have had.
    events: u64,
}

#[derive(Debug)]
struct Client {
    /// Its end, as long as that is open.
    link: Option<LinkId>,
    kept: Kept,
}

/// What becomes of what a client experiences.
#[derive(Debug)]
enum Kept {
    /// It waits here until it is taken.
    Mailbox(VecDeque<ClientEvent>),
    /// It is told in one stream with that of others.
    News(Addressee),
}

impl<P: Program> World<P> {
    /// Opens a client's connection to an address. What is sent before it is established waits.
    pub fn client_connect(&mut self, ip: IpAddr, port: u16) -> ClientNo {
        self.open_client(Site::Clients, ip, port, Kept::Mailbox(VecDeque::new()))
    }

    /// Opens the connection of a client that sits at a certain place. What it experiences is told by
    /// [`World::client_news`], in one stream for all who were opened in this way.
    pub fn client_connect_from(
        &mut self,
        from: Site,
        address: SocketAddr,
        addressee: Addressee,
    ) -> ClientNo {
        self.open_client(from, address.ip(), address.port(), Kept::News(addressee))
    }

    fn open_client(&mut self, from: Site, ip: IpAddr, port: u16, kept: Kept) -> ClientNo {
        let client = ClientNo(u32::try_from(self.clients.all.len()).unwrap_or(u32::MAX));
        self.begin_outside(OutsideTag::ClientConnect, client.0);
        let link = self.out.new_link();
        self.clients.all.push(Client { link: Some(link), kept });
        self.dial(Dial { link, kind: Kind::Client, tag: client.0, from, to_ip: ip, to_port: port });
        client
    }

    /// Sends a command. If the connection is lost, nobody gets it.
    pub fn client_send(&mut self, client: ClientNo, args: impl Into<Arc<Args>>) {
        self.begin_outside(OutsideTag::ClientSend, client.0);
        if let Some(link) = self.clients.all[client.0 as usize].link {
            self.transmit(link, Message::Request(args.into()));
        }
    }

    /// The next thing that a client has experienced and that was not taken yet.
    pub fn client_take(&mut self, client: ClientNo) -> Option<ClientEvent> {
        match &mut self.clients.all[client.0 as usize].kept {
            Kept::Mailbox(events) => events.pop_front(),
            Kept::News(_) => None,
        }
    }

    /// The next thing that somebody has experienced whose opener is told.
    #[inline]
    pub fn client_news(&mut self) -> Option<News> {
        self.clients.news.pop_front()
    }

    /// Lets time pass until there are news of clients, or a node has reached a turn that observers
    /// are told of, but not beyond `limit`. Says whether there was any; if not, it is `limit` now.
    ///
    /// # Errors
    /// When the budget of events is used up.
    pub fn run_until_news(&mut self, limit: Time) -> Result<bool, BudgetSpent> {
        let before = self.notices;
        while self.step_until(limit)? {
            if !self.clients.news.is_empty() || self.notices != before {
                return Ok(true);
            }
        }
        self.run_until(limit)?;
        Ok(false)
    }

    /// Closes a client's connection. What it has experienced can still be taken.
    pub fn client_close(&mut self, client: ClientNo) {
        self.begin_outside(OutsideTag::ClientClose, client.0);
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
        self.fingerprint.absorb_event(EventTag::Client, client);
        self.clients.events += 1;
        let its = &mut self.clients.all[client as usize];
        if matches!(event, ClientEvent::Refused | ClientEvent::Closed) {
            its.link = None;
        }
        match &mut its.kept {
            Kept::Mailbox(events) => events.push_back(event),
            &mut Kept::News(addressee) => {
                let client = ClientNo(client);
                self.clients.news.push_back(News { addressee, client, event });
            }
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
