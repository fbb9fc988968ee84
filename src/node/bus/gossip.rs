//! Gossip: whom a PING speaks of, and what its receiver makes of it (§4.4, §5.9).
//!
//! This is the loop that a large cluster spends its time in: each packet of a thousand nodes carries
//! a hundred entries. Drawing and merging touch nothing but the hot records.

use crate::id::Ids;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Gossip, Packet};
use crate::node::table::{Hot, PeerIx};
use crate::time::Millis;

/// A pong may be this far in the future of my cached clock (§5.9.2).
const PONG_TOLERANCE: Millis = Millis(500);

/// Which nodes were drawn already: one bit for each, kept between packets for its memory only.
#[derive(Debug, Default)]
pub struct Drawn(Vec<u64>);

impl Drawn {
    fn clear(&mut self, nodes: usize) {
        self.0.clear();
        self.0.resize(nodes.div_ceil(64), 0);
    }

    /// Notes a node; returns whether it is new.
    #[inline]
    fn insert(&mut self, ix: PeerIx) -> bool {
        let (word, bit) = (&mut self.0[ix.0 as usize / 64], 1_u64 << (ix.0 % 64));
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

impl Gossip {
    /// What I say of a node (§4.2.1).
    #[inline]
    fn about(hot: &Hot) -> Gossip {
        Gossip {
            node: hot.node(),
            endpoint: hot.endpoint,
            ping_sent: whole_seconds(hot.ping_sent),
            pong_received: whole_seconds(hot.pong_received),
            flags: hot.flags(),
        }
    }
}

/// Times travel as whole seconds in 32 bits (§0.3.3).
#[inline]
fn whole_seconds(time: Millis) -> u32 {
    (time.0 as u64 / 1_000) as u32
}

impl Bus {
    /// Chooses whom a message speaks of (§4.4).
    pub(crate) fn select_gossip(&mut self, drawn: &mut Drawn, gossip: &mut Vec<Gossip>) {
        let known = self.table.len() as i64;
        let mut fresh = known - 2;
        let wanted = (known / 10).max(3).min(fresh);
        let mut draws = 3 * wanted;
        let mut added = 0;
        drawn.clear(self.table.capacity());
        let layout = self.table.layout();
        while fresh > 0 && added < wanted && draws > 0 {
            draws -= 1;
            let ix = layout.random(&mut self.gossip_draws);
            let hot = self.table.hot(ix);
            let flags = hot.flags();
            if flags.any(Flags::MYSELF | Flags::PFAIL) {
                continue;
            }
            let unusable = flags.any(Flags::HANDSHAKE | Flags::NOADDR)
                || (hot.link().is_none() && self.table.peer(ix).slot_count == 0);
            if unusable {
                fresh -= 1;
            } else if drawn.insert(ix) {
                gossip.push(Gossip::about(hot));
                fresh -= 1;
                added += 1;
            }
        }
        self.append_pfail(gossip);
    }

    /// Nodes in PFAIL are always spoken of, as far as the last cron counted them (§4.4).
    fn append_pfail(&self, gossip: &mut Vec<Gossip>) {
        if self.pfail_nodes == 0 {
            return;
        }
        let failing = self.table.order().iter().map(|&ix| self.table.hot(ix)).filter(|hot| {
            hot.flags().any(Flags::PFAIL) && !hot.flags().any(Flags::HANDSHAKE | Flags::NOADDR)
        });
        gossip.extend(failing.take(self.pfail_nodes as usize).map(Gossip::about));
    }
}

impl Node {
    /// Merges what a known sender says of others (§5.9).
    pub(crate) fn merge_gossip(&mut self, ctx: &mut Ctx<'_>, sender: PeerIx, packet: &Packet) {
        if ctx.out.logs(Level::Debug) {
            self.log_gossip(ctx, packet);
        }
        let limit = self.process.cached_time + PONG_TOLERANCE;
        for gossip in &packet.gossip {
            let Some(ix) = self.bus.table.find(gossip.node) else {
                self.add_gossiped(ctx, gossip);
                continue;
            };
            let hot = self.bus.table.hot_mut(ix);
            if gossip.flags.is_failing() || hot.flags().is_failing() || hot.reports > 0 {
                self.merge_doubtful(ctx, sender, ix, gossip, limit);
            } else {
                advance_pong(hot, gossip, limit);
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
        limit: Millis,
    ) {
        if self.bus.table.flags(sender).is_master() && ix != self.bus.myself {
            self.hear_report(ctx, sender, ix, gossip.flags.is_failing());
        }
        if gossip.flags.is_failing() {
            return;
        }
        if self.bus.table.hot(ix).ping_sent.is_never() && self.failure_report_count(ctx, ix) == 0 {
            advance_pong(self.bus.table.hot_mut(ix), gossip, limit);
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
            self.bus.table.hot_mut(ix).endpoint = gossip.endpoint;
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

/// Takes over a later pong that somebody else has seen (§5.9.2).
#[inline]
fn advance_pong(hot: &mut Hot, gossip: &Gossip, limit: Millis) {
    let pong = Millis(i64::from(gossip.pong_received) * 1_000);
    if hot.ping_sent.is_never() && pong <= limit && pong > hot.pong_received {
        hot.pong_received = pong;
    }
}
