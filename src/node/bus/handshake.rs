//! How strangers become members, and how an impostor is found out (§3.8, §5.5).

use std::sync::Arc;

use crate::id::{Endpoint, EndpointIx, Ids, NodeId, NodeIx};
use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, LinkEnd};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::Packet;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// A handshake lasts a node timeout, but not less than this (§1.1).
const MIN_HANDSHAKE_TIMEOUT: Millis = Millis(1_000);

impl Bus {
    /// Begins to meet whoever listens at an address, unless that is under way already. Returns
    /// whether it began (§3.8.1). The plaintext port does not count for the comparison.
    pub fn start_handshake(&mut self, ctx: &mut Ctx<'_>, to: Endpoint) -> bool {
        let under_way = self.table.census().handshakes > 0
            && self.table.order().iter().any(|&ix| {
                let known = ctx.ids.endpoint(self.table.endpoint(ix));
                self.table.flags(ix).any(Flags::HANDSHAKE)
                    && (known.ip, known.port, known.cport) == (to.ip, to.port, to.cport)
            });
        if !under_way {
            self.add_stranger(ctx, Flags::HANDSHAKE | Flags::MEET, to);
        }
        !under_way
    }

    /// Somebody unknown wants to meet me: I shall call it in turn (§5.3.2).
    pub(crate) fn meet_back(&mut self, ctx: &mut Ctx<'_>, at: Endpoint) {
        self.add_stranger(ctx, Flags::HANDSHAKE, at);
        self.todo.add(Todo::SAVE);
    }

    /// Adds a node whose id is not known yet under a temporary one.
    fn add_stranger(&mut self, ctx: &mut Ctx<'_>, flags: Flags, at: Endpoint) {
        let temporary = NodeId::random(&mut self.identity_draws);
        let node = ctx.ids.intern(temporary);
        let endpoint = ctx.ids.intern_endpoint(at);
        self.add_node(ctx.ids, node, flags, endpoint, ctx.now.millis());
    }

    /// Adds a node to the table (§2.1).
    pub(crate) fn add_node(
        &mut self,
        ids: &Ids,
        node: NodeIx,
        flags: Flags,
        endpoint: EndpointIx,
        now: Millis,
    ) -> PeerIx {
        self.table.insert(ids, node, flags, endpoint, now, Arc::clone(&self.no_slots))
    }
}

impl Node {
    /// Deletes nodes whose handshake takes too long (§3.8.7).
    pub(crate) fn expire_handshakes(&mut self, ctx: &mut Ctx<'_>) {
        if self.bus.table.census().handshakes == 0 {
            return;
        }
        let timeout = self.config.node_timeout.max(MIN_HANDSHAKE_TIMEOUT);
        let now = ctx.now.millis();
        let expired = |&ix: &PeerIx| {
            let table = &self.bus.table;
            table.flags(ix).any(Flags::HANDSHAKE)
                && !table.flags(ix).any(Flags::NOADDR)
                && now - table.peer(ix).ctime > timeout
        };
        let expired: Vec<PeerIx> = self.bus.table.order().iter().copied().filter(expired).collect();
        for ix in expired {
            self.bus.remove_node(ctx, ix);
        }
    }

    /// Checks who answers on a link of mine. Returns whether the packet is to be processed further
    /// (§5.5).
    pub(crate) fn identify(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        peer: PeerIx,
        sender: Option<PeerIx>,
        packet: &Packet,
    ) -> bool {
        if !self.bus.table.flags(peer).any(Flags::HANDSHAKE) {
            let genuine = self.bus.table.node(peer) == packet.sender;
            if !genuine {
                self.lose_address(ctx, peer);
            }
            return genuine;
        }
        match sender {
            None => self.complete_handshake(ctx, peer, packet),
            Some(known) => self.drop_duplicate(ctx, end, peer, known, packet),
        }
        sender.is_none()
    }

    /// A stranger has told its id (§3.8.4).
    fn complete_handshake(&mut self, ctx: &mut Ctx<'_>, peer: PeerIx, packet: &Packet) {
        let (old, new) = (self.bus.id_of(ctx.ids, peer), ctx.ids.id(packet.sender));
        self.log(ctx, Level::Debug, format_args!("Renaming node {old} into {new}"));
        self.bus.table.rename(ctx.ids, peer, packet.sender);
        let text = format_args!("Handshake with node {new} completed.");
        self.log(ctx, Level::Debug, text);
        let role = packet.flags.intersection(Flags::MASTER | Flags::REPLICA);
        self.bus.table.clear_flags(peer, Flags::HANDSHAKE);
        self.bus.table.set_flags(peer, role);
        self.bus.todo.add(Todo::SAVE);
    }

    /// The stranger turns out to be a node that I know (§3.8.6).
    fn drop_duplicate(
        &mut self,
        ctx: &mut Ctx<'_>,
        end: &LinkEnd,
        stranger: PeerIx,
        known: PeerIx,
        packet: &Packet,
    ) {
        let id = ctx.ids.id(packet.sender);
        let text =
            format_args!("Handshake: we already know node {id}, updating the address if needed.");
        self.log(ctx, Level::Verbose, text);
        if self.update_address(ctx, known, end, packet) {
            self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
        }
        self.bus.remove_node(ctx, stranger);
    }

    /// Somebody else answers at a node's address: the node is not there any more (§5.5.4).
    fn lose_address(&mut self, ctx: &mut Ctx<'_>, peer: PeerIx) {
        let id = self.bus.id_of(ctx.ids, peer);
        let age = ctx.now.millis() - self.bus.table.peer(peer).ctime;
        let flags = self.bus.table.flags(peer).0;
        let text = format_args!(
            "PONG contains mismatching sender ID. About node {id} added {age} ms ago, having flags \
             {flags}"
        );
        self.log(ctx, Level::Debug, text);
        self.bus.table.set_flags(peer, Flags::NOADDR);
        self.bus.table.hot_mut(peer).endpoint = Ids::NOWHERE;
        self.bus.close_link(ctx, peer);
        self.bus.todo.add(Todo::SAVE);
    }
}
