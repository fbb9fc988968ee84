//! Gossip: whom a PING speaks of, and what its receiver makes of it (§4.4, §5.9).
//!
//! This is the loop that a large cluster spends its time in: each packet of a thousand nodes carries
//! a hundred entries. Drawing and merging touch nothing but the small arrays of the
//! [table](crate::node::table).

use crate::id::Ids;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Gossip, Packet};
use crate::node::table::{PeerIx, PeerSet, Table};
use crate::time::Millis;

/// A pong may be this far in the future of my cached clock (§5.9.2).
const PONG_TOLERANCE: Millis = Millis(500);

/// Working memory for choosing gossip: it holds nothing in between.
#[derive(Debug, Default)]
pub struct Drawn {
    /// Whom a packet speaks of already.
    seen: PeerSet,
    /// The same, in order, and one more place.
    chosen: Vec<PeerIx>,
}

impl Bus {
    /// Chooses whom a message speaks of (§4.4).
    pub(crate) fn select_gossip(&mut self, drawn: &mut Drawn, gossip: &mut Vec<Gossip>) {
        let added = self.draw_gossip(drawn);
        self.table.describe(&drawn.chosen[..added], gossip);
        if self.pfail_nodes > 0 {
            self.append_pfail(&mut drawn.chosen);
            self.table.describe(&drawn.chosen, gossip);
        }
    }

    /// Draws nodes at random (§4.4); returns how many were chosen. Who was drawn already is written
    /// over by the next one rather than branched upon: the draws of a large table would otherwise
    /// wait for each other.
    fn draw_gossip(&mut self, drawn: &mut Drawn) -> usize {
        let known = self.table.len();
        let hoped_for = known.saturating_sub(2);
        let wanted = (known / 10).max(3).min(hoped_for);
        let mut draws = 3 * wanted;
        let mut useless = 0;
        let mut goal = wanted;
        let mut added = 0;
        drawn.seen.reset(self.table.capacity());
        drawn.chosen.resize(wanted + 1, self.myself);
        let mut lottery = self.table.lottery(&mut self.gossip_draws);
        while added < goal && draws > 0 {
            let ticket = lottery.ticket();
            draws -= usize::from(ticket.drawn);
            if !ticket.fit {
                if !ticket.drawn {
                    continue;
                }
                match self.table.suitability(ticket.peer) {
                    Suitability::Skipped => continue,
                    Suitability::Useless => {
                        useless += 1;
                        goal = wanted.min(hoped_for.saturating_sub(useless));
                        continue;
                    }
                    Suitability::Usable => {}
                }
            }
            drawn.chosen[added] = ticket.peer;
            added += usize::from(drawn.seen.insert_if(ticket.drawn, ticket.peer));
        }
        added
    }

    /// Nodes in PFAIL are always spoken of, as far as the last cron counted them (§4.4).
    fn append_pfail(&self, chosen: &mut Vec<PeerIx>) {
        let hidden = Flags::HANDSHAKE | Flags::NOADDR;
        let failing = self.table.order().iter().copied().filter(|&ix| {
            let flags = self.table.flags(ix);
            flags.any(Flags::PFAIL) && !flags.any(hidden)
        });
        chosen.clear();
        chosen.extend(failing.take(self.pfail_nodes as usize));
    }
}

/// What becomes of a draw (§4.4).
enum Suitability {
    /// It is lost.
    Skipped,
    /// It is lost, and there is one node less to be hoped for.
    Useless,
    /// The node can be spoken of.
    Usable,
}

impl Table {
    /// Looks closer at a node that is not simply fit to be spoken of (§4.4).
    #[cold]
    fn suitability(&self, ix: PeerIx) -> Suitability {
        let flags = self.flags(ix);
        if flags.any(Flags::MYSELF | Flags::PFAIL) {
            return Suitability::Skipped;
        }
        let isolated = self.link(ix).is_none() && self.peer(ix).slot_count == 0;
        match isolated || flags.any(Flags::HANDSHAKE | Flags::NOADDR) {
            true => Suitability::Useless,
            false => Suitability::Usable,
        }
    }
}

impl Node {
    /// Merges what a known sender says of others (§5.9).
    pub(crate) fn merge_gossip(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, packet: &Packet) {
        if self.logs(ctx, Level::Debug) {
            self.log_gossip(ctx, packet);
        }
        let limit = ((self.process.cached_time + PONG_TOLERANCE).0 as u64 / 1_000) as u32;
        let mut rest = &packet.gossip[..];
        loop {
            rest = &rest[self.bus.table.merge(rest, limit)..];
            let Some((gossip, behind)) = rest.split_first() else { return };
            rest = behind;
            match self.bus.table.find(gossip.node) {
                Some(ix) => self.merge_doubtful(ctx, sender, ix, gossip, limit),
                None => self.add_gossiped(ctx, gossip),
            }
        }
    }

    /// Merges an entry when somebody thinks that the node fails (§5.9.2).
    #[cold]
    fn merge_doubtful(
        &mut self,
        ctx: &mut Ctx<'_>,
        sender: PeerIx,
        ix: PeerIx,
        gossip: &Gossip,
        limit: u32,
    ) {
        if self.bus.table.flags(sender).is_master() && ix != self.bus.myself {
            self.hear_report(ctx, sender, ix, gossip.flags.is_failing());
        }
        if gossip.flags.is_failing() {
            return;
        }
        let idle = self.bus.table.ping_sent(ix).is_never();
        if idle && self.failure_report_count(ctx, ix) == 0 && gossip.pong_received <= limit {
            self.bus.table.advance_pulse(ix, gossip.pong_received);
        }
        if self.bus.table.flags(ix).is_failing() && !gossip.flags.any(Flags::NOADDR) {
            self.try_other_address(ctx, ix, gossip);
        }
    }

    /// A failing node that others reach at another address is tried there (§5.9.2).
    fn try_other_address(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx, gossip: &Gossip) {
        let mine = ctx.ids.endpoint(self.bus.table.endpoint(ix));
        let theirs = ctx.ids.endpoint(gossip.endpoint);
        if (mine.ip, mine.port, mine.cport) != (theirs.ip, theirs.port, theirs.cport) {
            self.bus.close_link(ctx, ix);
            self.bus.table.set_endpoint(ix, gossip.endpoint);
            self.bus.table.clear_flags(ix, Flags::NOADDR);
        }
    }

    /// Adds a node that I hear of for the first time (§5.9.3).
    #[cold]
    fn add_gossiped(&mut self, ctx: &mut Ctx<'_>, gossip: &Gossip) {
        let cached_seconds = self.process.cached_time.0 / 1_000;
        if gossip.flags.any(Flags::NOADDR) || self.bus.blacklisted(gossip.node, cached_seconds) {
            return;
        }
        let now = ctx.now.millis();
        self.bus.add_node(ctx.ids, gossip.node, gossip.flags, gossip.endpoint, now);
    }

    pub(crate) fn log_gossip(&self, ctx: &mut Ctx<'_>, packet: &Packet) {
        for gossip in &packet.gossip {
            let id = ctx.ids.id(gossip.node);
            let at = address(ctx.ids, gossip);
            let flags = gossip.flags;
            self.log(ctx, Level::Debug, format_args!("GOSSIP {id} {at} {flags}"));
        }
    }
}

fn address(ids: &Ids, gossip: &Gossip) -> String {
    let endpoint = ids.endpoint(gossip.endpoint);
    format!("{}:{}@{}", endpoint.ip_text(), endpoint.port, endpoint.cport)
}
