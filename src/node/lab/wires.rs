//! The laboratory's world: what nodes do is carried out, what they send arrives.

use crate::id::Endpoint;
use crate::node::effect::{Effect, Input, LinkEnd, LinkId, Loss};
use crate::node::lab::{Lab, Line, Sent, ip};
use crate::node::packet::Packet;
use crate::node::replication::message::ReplMessage;
use crate::node::table::PeerIx;
use crate::time::Wall;

#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    pub(super) opener: usize,
    pub(super) peer: PeerIx,
    pub(super) acceptor: usize,
    pub(super) up: bool,
    /// Whether it is a replication link, not one of the bus.
    pub(super) replicates: bool,
}

/// What takes its time beside a process.
#[derive(Clone, Copy)]
pub(super) enum Running {
    Child(u32),
    Transfer(u32),
    Load,
}

pub(super) enum Delivery {
    Packet(LinkId, Box<Packet>),
    Replication(LinkId, ReplMessage),
    Lost(LinkId, Loss),
    Up(LinkId),
    Boot(usize),
}

impl Lab {
    pub(super) fn settle(&mut self) {
        while let Some(delivery) = self.queue.pop_front() {
            match delivery {
                Delivery::Boot(node) => {
                    self.now = Wall(self.now.0 + 1_000);
                    self.input(node, Input::BootStep);
                }
                Delivery::Up(link) => self.come_up(link),
                Delivery::Lost(link, loss) => {
                    let replicates = self.replicates(link);
                    if let Some((node, end)) = self.end(link) {
                        self.input(
                            node,
                            match replicates {
                                true => Input::ReplLost(end, loss),
                                false => Input::LinkLost(end, loss),
                            },
                        );
                    }
                    self.connections.remove(&link.connection());
                }
                Delivery::Replication(link, message) => {
                    if let Some((node, end)) = self.end(link) {
                        self.input(node, Input::ReplMessage(end, message));
                    }
                }
                Delivery::Packet(link, packet) => {
                    if let Some((node, end)) = self.end(link) {
                        self.input(node, Input::Packet(end, &packet));
                    }
                    self.out.packets.give(packet);
                }
            }
        }
    }

    fn come_up(&mut self, link: LinkId) {
        let Some(connection) = self.connections.get_mut(&link.connection()) else { return };
        connection.up = true;
        let replicates = connection.replicates;
        if let Some((node, end)) = self.end(link.other()) {
            self.input(
                node,
                match replicates {
                    true => Input::ReplAccepted(end),
                    false => Input::Accepted(end),
                },
            );
        }
        if let Some((node, end)) = self.end(link) {
            self.input(
                node,
                match replicates {
                    true => Input::ReplUp(end),
                    false => Input::LinkUp(end),
                },
            );
        }
    }

    fn replicates(&self, link: LinkId) -> bool {
        self.connections.get(&link.connection()).is_some_and(|connection| connection.replicates)
    }

    pub(super) fn end(&self, link: LinkId) -> Option<(usize, LinkEnd)> {
        let connection = self.connections.get(&link.connection())?;
        let opened = link.is_opener();
        let (own, other) = link.own_first(connection.opener, connection.acceptor);
        let end = LinkEnd {
            id: link,
            peer: (opened && !connection.replicates).then_some(connection.peer),
            local_ip: ip(own),
            remote_ip: ip(other),
            remote_port: if opened { 17_000 } else { 40_000 },
        };
        Some((own, end))
    }

    pub(super) fn close(&mut self, by: usize, link: LinkId) {
        let Some(connection) = self.connections.get(&link.connection()).copied() else { return };
        let other = if connection.opener == by { connection.acceptor } else { connection.opener };
        if connection.up && !self.cut.contains(&(by, other)) {
            self.queue.push_back(Delivery::Lost(link.other(), Loss::Closed));
        } else {
            self.connections.remove(&link.connection());
        }
    }

    pub(super) fn carry_out(&mut self, node: usize) {
        for effect in std::mem::take(&mut self.out.effects) {
            match effect {
                Effect::BootStepIn(_) => self.queue.push_back(Delivery::Boot(node)),
                Effect::Listen => self.listening[node] = true,
                Effect::Connect { link, peer, to } => self.dial(node, link, Some(peer), to),
                Effect::ReplConnect { link, to } => self.dial(node, link, None, to),
                Effect::ReplSend(link, message) => self.post_replication(node, link, message),
                Effect::ReplClose(link) => self.close(node, link),
                // Nobody is blocked here.
                Effect::Sleep(_) | Effect::SyncKeys | Effect::ReadFrom(..) => {}
                Effect::LoadFor(span) => {
                    self.running.push((self.now + span, node, Running::Load));
                }
                Effect::Fork { pid, runs } => {
                    self.running.push((self.now + runs, node, Running::Child(pid)));
                }
                Effect::Transfer { number, takes } => {
                    self.running.push((self.now + takes, node, Running::Transfer(number)));
                }
                Effect::Send(link, packet) => self.post(node, link, packet),
                Effect::Close(link) => self.close(node, link),
                Effect::Log { level, role, text } => {
                    let at = self.now.millis();
                    self.lines.push(Line { node, at, level, role, text });
                }
                Effect::SaveConfig { text, fsync } => {
                    self.saved[node] = Some(text);
                    self.saves.push((node, fsync));
                }
                Effect::Notice(notice) => self.notices.push((node, notice)),
                Effect::Exit(exit) => self.exits.push((node, exit)),
                Effect::Reply(client, reply) => self.replies.push((node, client, Some(reply))),
                Effect::CloseClient(client) => self.replies.push((node, client, None)),
                Effect::Call { to, requests, .. } => self.call(node, to, requests),
            }
        }
    }

    /// Opens a bus link to a peer, or else a replication link.
    fn dial(&mut self, opener: usize, link: LinkId, peer: Option<PeerIx>, to: Endpoint) {
        let replicates = peer.is_none();
        let right_port = if replicates { to.port == 7_000 } else { to.cport == 17_000 };
        let found = (0..self.nodes.len()).find(|&node| Some(ip(node)) == to.ip && right_port);
        let peer = peer.unwrap_or(PeerIx(0));
        let acceptor = found.unwrap_or(opener);
        let connection = Connection { opener, peer, acceptor, up: false, replicates };
        self.connections.insert(link.connection(), connection);
        if self.cut.contains(&(opener, acceptor)) || self.cut.contains(&(acceptor, opener)) {
            return;
        }
        let open = found.is_some() && self.listening[acceptor];
        self.queue.push_back(match open {
            true => Delivery::Up(link),
            false => Delivery::Lost(link, Loss::Refused),
        });
    }

    fn post_replication(&mut self, from: usize, link: LinkId, message: ReplMessage) {
        let Some(connection) = self.connections.get(&link.connection()).copied() else { return };
        let to = if connection.opener == from { connection.acceptor } else { connection.opener };
        if !self.cut.contains(&(from, to)) {
            self.queue.push_back(Delivery::Replication(link.other(), message));
        }
    }

    fn post(&mut self, from: usize, link: LinkId, packet: Box<Packet>) {
        let Some(connection) = self.connections.get(&link.connection()).copied() else { return };
        let to = if connection.opener == from { connection.acceptor } else { connection.opener };
        self.sent.push(Sent { from, to, packet: (*packet).clone() });
        if self.cut.contains(&(from, to)) {
            self.out.packets.give(packet);
        } else {
            self.queue.push_back(Delivery::Packet(link.other(), packet));
        }
    }
}
