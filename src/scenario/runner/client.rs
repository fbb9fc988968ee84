//! A client of a cluster, as applications use one: it remembers who owns which slot, and goes where
//! redirections point.
//!
//! It works for steps that wait for its replies. Those who work while the script goes on, and keep
//! books, are [workloads](crate::workload).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::resp::{Args, Reply, args};
use crate::slot::Slot;
use crate::time::{Span, Time};
use crate::world::{ClientEvent, ClientNo, World};

/// How long it waits before it tries once more.
const PATIENCE: Span = Span::millis(100);
/// How often it goes elsewhere, or tries once more, for one command.
const TRIES: u32 = 100;

/// A client and its connections.
#[derive(Debug)]
pub(super) struct Client {
    /// The address that it was given.
    home: SocketAddr,
    /// Whether it follows redirections.
    follows: bool,
    connections: BTreeMap<SocketAddr, ClientNo>,
    owners: BTreeMap<Slot, SocketAddr>,
    call: Option<Call>,
}

/// A command under way.
#[derive(Debug)]
struct Call {
    command: Args,
    to: SocketAddr,
    asking: bool,
    tries: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Connecting(ClientNo),
    /// ASKING was sent, and the command behind it.
    Asking(ClientNo),
    Waiting(ClientNo),
    /// It tries once more at this time.
    Resting(Time),
}

/// Why there is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoReply {
    /// Nobody listens: the command was certainly not executed.
    Refused,
    /// The connection was lost: the command was executed, or not.
    Lost,
}

impl Client {
    pub(super) fn new(home: SocketAddr, follows: bool) -> Client {
        Client { home, follows, connections: BTreeMap::new(), owners: BTreeMap::new(), call: None }
    }

    /// Begins a command. Its second word is taken for its key; a wrong guess costs a redirection.
    pub(super) fn begin(&mut self, world: &mut World, command: Args) {
        let slot = command.get(1).map(|key| Slot::of_key(key));
        let known = slot.filter(|_| self.follows).and_then(|slot| self.owners.get(&slot));
        let to = known.copied().unwrap_or(self.home);
        let stage = Stage::Resting(world.now());
        self.call = Some(Call { command, to, asking: false, tries: 0, stage });
        self.go(world);
    }

    /// When it has to be advanced again, whatever else happens.
    pub(super) fn wakes_at(&self) -> Option<Time> {
        match self.call.as_ref()?.stage {
            Stage::Resting(until) => Some(until),
            _ => None,
        }
    }

    /// Goes on if what it waits for is there. Gives the reply when that has come.
    pub(super) fn advance(&mut self, world: &mut World) -> Option<Result<Reply, NoReply>> {
        loop {
            let stage = self.call.as_ref()?.stage;
            match stage {
                Stage::Resting(until) if world.now() < until => return None,
                Stage::Resting(_) => self.go(world),
                Stage::Connecting(client) => match world.client_take(client)? {
                    ClientEvent::Connected => {
                        let call = self.call.as_ref()?;
                        self.connections.insert(call.to, client);
                        self.go(world);
                    }
                    _ => {
                        if let Some(end) = self.refused(world) {
                            return self.end(Err(end));
                        }
                    }
                },
                Stage::Asking(client) => match world.client_take(client)? {
                    ClientEvent::Reply(_) => self.call.as_mut()?.stage = Stage::Waiting(client),
                    _ => return self.lost(),
                },
                Stage::Waiting(client) => match world.client_take(client)? {
                    ClientEvent::Reply(reply) => {
                        if !self.redirected(world, &reply) {
                            return self.end(Ok(reply));
                        }
                    }
                    _ => return self.lost(),
                },
            }
        }
    }

    /// Closes all connections.
    pub(super) fn close(&mut self, world: &mut World) {
        for client in std::mem::take(&mut self.connections).into_values() {
            world.client_close(client);
        }
        if let Some(Call { stage: Stage::Connecting(client), .. }) = self.call.take() {
            world.client_close(client);
        }
    }

    fn end(&mut self, result: Result<Reply, NoReply>) -> Option<Result<Reply, NoReply>> {
        self.call = None;
        Some(result)
    }

    /// Sends the command, or connects first.
    fn go(&mut self, world: &mut World) {
        let Some(call) = &mut self.call else { return };
        call.stage = match self.connections.get(&call.to) {
            None => Stage::Connecting(world.client_connect(call.to.ip(), call.to.port())),
            Some(&client) => {
                let asking = std::mem::take(&mut call.asking);
                if asking {
                    world.client_send(client, args(["ASKING"]));
                }
                world.client_send(client, call.command.clone());
                if asking { Stage::Asking(client) } else { Stage::Waiting(client) }
            }
        };
    }

    /// Nobody listens there: perhaps the one it was told first knows who has taken over.
    fn refused(&mut self, world: &World) -> Option<NoReply> {
        let call = self.call.as_mut()?;
        let gone = call.to;
        self.owners.retain(|_, owner| *owner != gone);
        call.tries += 1;
        if !self.follows || gone == self.home || call.tries > TRIES {
            return Some(NoReply::Refused);
        }
        call.to = self.home;
        call.asking = false;
        call.stage = Stage::Resting(world.now() + PATIENCE);
        None
    }

    fn lost(&mut self) -> Option<Result<Reply, NoReply>> {
        let gone = self.call.as_ref()?.to;
        self.connections.remove(&gone);
        self.owners.retain(|_, owner| *owner != gone);
        self.end(Err(NoReply::Lost))
    }

    /// Whether a reply sends it elsewhere, or asks it to come back later. If so, it is on its way.
    fn redirected(&mut self, world: &mut World, reply: &Reply) -> bool {
        let (Some(text), Some(call)) = (reply.error(), &mut self.call) else { return false };
        if !self.follows || call.tries >= TRIES {
            return false;
        }
        let mut words = text.split(' ');
        let (code, slot, address) = (words.next(), words.next(), words.next());
        let place = || {
            let slot = slot.and_then(|slot| slot.parse().ok()).and_then(Slot::new)?;
            let (ip, port) = address?.rsplit_once(':')?;
            Some((slot, SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?)))
        };
        match (code, place()) {
            (Some("MOVED"), Some((slot, owner))) => {
                self.owners.insert(slot, owner);
                call.to = owner;
            }
            (Some("ASK"), Some((_, target))) => {
                call.to = target;
                call.asking = true;
            }
            (Some("TRYAGAIN"), _) => {
                call.tries += 1;
                call.stage = Stage::Resting(world.now() + PATIENCE);
                return true;
            }
            _ => return false,
        }
        call.tries += 1;
        self.go(world);
        true
    }
}
