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
use crate::node::table::{PeerIx, PeerSet};
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
        gossip.extend(drawn.chosen[..added].iter().map(|&ix| self.gossip_about(ix)));
        if self.pfail_nodes > 0 {
            self.append_pfail(gossip);
        }
    }

    /// Draws nodes at random (§4.4); returns how many were chosen. Who was drawn already is written
    /// over by the next one rather than branched upon: the draws of a large table would otherwise
    /// wait for each other.
    fn draw_gossip(&mut self, drawn: &mut Drawn) -> usize {
        let known = self.table.len() as i64;
        let mut fresh = known - 2;
        let wanted = (known / 10).max(3).min(fresh).max(0);
        let mut draws = 3 * wanted;
        let mut added = 0;
        drawn.seen.reset(self.table.capacity());
        drawn.chosen.resize(wanted as usize + 1, self.myself);
        let layout = self.table.layout();
        while fresh > 0 && added < wanted && draws > 0 {
            draws -= 1;
            let ix = layout.random(&mut self.gossip_draws);
            if !self.table.is_fit(ix) {
                match self.suitability(ix) {
                    Suitability::Skipped => continue,
                    Suitability::Useless => {
                        fresh -= 1;
                        continue;
                    }
                    Suitability::Usable => {}
                }
            }
            drawn.chosen[added as usize] = ix;
            let new = i64::from(drawn.seen.insert(ix));
            added += new;
            fresh -= new;
        }
        added as usize
    }

    /// Looks closer at a node that is not simply fit to be spoken of (§4.4).
    #[cold]
    fn suitability(&self, ix: PeerIx) -> Suitability {
        let flags = self.table.flags(ix);
        if flags.any(Flags::MYSELF | Flags::PFAIL) {
            return Suitability::Skipped;
        }
        let isolated = self.table.link(ix).is_none() && self.table.peer(ix).slot_count == 0;
        match flags.any(Flags::HANDSHAKE | Flags::NOADDR) || isolated {
            true => Suitability::Useless,
            false => Suitability::Usable,
        }
    }

    /// What I say of a node (§4.2.1).
    #[inline]
    fn gossip_about(&self, ix: PeerIx) -> Gossip {
        let calm = self.table.is_calm(ix);
        Gossip {
            node: self.table.node(ix),
            endpoint: self.table.endpoint(ix),
            ping_sent: if calm { 0 } else { self.table.ping_sent(ix).secs() as u32 },
            pong_received: self.table.pulse(ix),
            flags: self.table.flags(ix),
        }
    }

    /// Nodes in PFAIL are always spoken of, as far as the last cron counted them (§4.4).
    fn append_pfail(&self, gossip: &mut Vec<Gossip>) {
        let hidden = Flags::HANDSHAKE | Flags::NOADDR;
        let failing = self.table.order().iter().filter(|&&ix| {
            let flags = self.table.flags(ix);
            flags.any(Flags::PFAIL) && !flags.any(hidden)
        });
        let failing = failing.take(self.pfail_nodes as usize);
        gossip.extend(failing.map(|&ix| self.gossip_about(ix)));
    }
}

/// What a draw makes of a node (§4.4).
enum Suitability {
    /// The draw is lost.
    Skipped,
    /// The draw is lost, and there is one node less to be hoped for.
    Useless,
    /// It can be spoken of.
    Usable,
}

impl Node {
    /// Merges what a known sender says of others (§5.9).
    pub(crate) fn merge_gossip(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, packet: &Packet) {
        if ctx.out.logs(Level::Debug) {
            self.log_gossip(ctx, packet);
        }
        let limit = ((self.process.cached_time + PONG_TOLERANCE).0 as u64 / 1_000) as u32;
        for gossip in &packet.gossip {
            let Some(ix) = self.bus.table.find(gossip.node) else {
                self.add_gossiped(ctx, gossip);
                continue;
            };
            if gossip.flags.is_failing() || !self.bus.table.is_calm(ix) {
                self.merge_doubtful(ctx, sender, ix, gossip, limit);
            } else if gossip.pong_received <= limit {
                self.bus.table.advance_pulse(ix, gossip.pong_received);
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
