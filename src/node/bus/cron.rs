//! The cluster cron, ten times a second (§7).

use crate::node::Node;
use crate::node::bus::{Bus, Todo};
use crate::node::effect::{Ctx, Notice};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::MessageType;
use crate::node::table::PeerIx;
use crate::time::Millis;

/// Every so many crons somebody is pinged at random (§1.1).
const RANDOM_PING_CRONS: u64 = 10;
/// Of so many draws the one that was silent for longest is pinged (§1.1).
const RANDOM_PING_DRAWS: u32 = 5;

impl Node {
    /// One run of the cluster cron (§7).
    pub(crate) fn cluster_cron(&mut self, ctx: &mut Ctx<'_>) {
        self.bus.cron_iteration += 1;
        self.sync_announced_ip(ctx);
        self.sync_nofailover();
        self.bus.pfail_nodes = self.bus.table.census().pfail;
        self.expire_handshakes(ctx);
        self.connect_missing(ctx);
        if self.bus.cron_iteration.is_multiple_of(RANDOM_PING_CRONS) {
            self.ping_at_random(ctx);
        }
        let suspects = self.check_peers(ctx);
        self.ping_successor(ctx);
        self.follow_known_master(ctx);
        self.time_out_manual_failover(ctx);
        if !self.bus.is_master() {
            self.manual_failover_step(ctx);
            self.failover_step(ctx);
            self.consider_migration(ctx);
        }
        if suspects || !self.bus.state_ok {
            self.update_state(ctx);
        }
    }

    /// Makes my NOFAILOVER flag what the configuration says (§7.1).
    pub(crate) fn sync_nofailover(&mut self) {
        let me = self.bus.myself;
        let wanted = self.config.replica_no_failover;
        if self.bus.table.flags(me).any(Flags::NOFAILOVER) == wanted {
            return;
        }
        if wanted {
            self.bus.table.set_flags(me, Flags::NOFAILOVER);
        } else {
            self.bus.table.clear_flags(me, Flags::NOFAILOVER);
        }
        self.bus.todo.add(Todo::SAVE | Todo::UPDATE);
    }

    /// Pings the node that was silent for longest among a few drawn ones (§7.3).
    fn ping_at_random(&mut self, ctx: &mut Ctx<'_>) {
        let Some(ix) = self.bus.draw_silent() else { return };
        let Some(link) = self.bus.table.link(ix) else { return };
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Debug, format_args!("Pinging node {id}"));
        self.send_ping(ctx, link, Some(ix), MessageType::Ping);
    }

    /// Looks at every peer that may need a ping, a new link, or PFAIL (§7.4). Returns whether PFAIL
    /// was set.
    fn check_peers(&mut self, ctx: &mut Ctx<'_>) -> bool {
        #[cfg(test)]
        if self.bus.naive {
            return tests::check_peers_naively(self, ctx);
        }
        let now = ctx.now.millis();
        let (peers, version) = (self.bus.table.len(), self.bus.table.order_version());
        let mut suspects = false;
        self.bus.watch.begin(peers, version, self.config.node_timeout, now);
        let mut from = 0;
        while let Some(place) = self.bus.watch.next(from) {
            let ix = self.bus.table.at(place);
            let timeout = self.config.node_timeout;
            let mut due = self.bus.calm_until(ix, timeout, now);
            if due <= now || !self.bus.table.is_calm(ix) || !self.bus.table.is_fit(ix) {
                suspects |= self.check_peer(ctx, ix, now);
                due = self.bus.nothing_due_before(ix, timeout, now);
            }
            self.bus.watch.set(place, due);
            from = place + 1;
        }
        suspects
    }

    /// Looks at one peer (§7.4.2-§7.4.6). Returns whether PFAIL was set.
    fn check_peer(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx, now: Millis) -> bool {
        let timeout = self.config.node_timeout;
        let table = &self.bus.table;
        let flags = table.flags(ix);
        if flags.any(Flags::MYSELF | Flags::NOADDR | Flags::HANDSHAKE) {
            return false;
        }
        let ping_sent = table.ping_sent(ix);
        if ping_sent.is_never() {
            if let Some(link) = table.link(ix)
                && now - table.pong_received(ix) > timeout.half()
            {
                self.send_ping(ctx, link, Some(ix), MessageType::Ping);
            }
            return false;
        }
        let silence = (now - ping_sent).min(now - table.peer(ix).data_received);
        if silence > timeout.half() && now - table.history(ix).link_ctime > timeout {
            self.bus.close_link(ctx, ix);
        }
        silence > timeout && !flags.is_failing() && self.set_pfail(ctx, ix)
    }

    /// I think that this node fails (§6.1).
    fn set_pfail(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) -> bool {
        let id = self.bus.id_of(ctx.ids, ix);
        self.log(ctx, Level::Debug, format_args!("*** NODE {id} possibly failing"));
        self.bus.table.set_flags(ix, Flags::PFAIL);
        ctx.out.notice(Notice::Pfail(self.bus.table.node(ix)));
        true
    }

    /// A replica that does not replicate yet begins as soon as it knows its master's address: this is
    /// how replication starts after a restart (§7.5).
    fn follow_known_master(&mut self, ctx: &mut Ctx<'_>) {
        if self.bus.is_master() || self.replication.master.is_some() {
            return;
        }
        if let Some(master) = self.bus.my_master()
            && !self.bus.table.flags(master).any(Flags::NOADDR)
        {
            let endpoint = ctx.ids.endpoint(self.bus.table.endpoint(master));
            self.follow(ctx, endpoint);
        }
    }
}

impl Bus {
    /// Draws a few nodes; of those that could be pinged, the one whose last pong is oldest (§7.3).
    fn draw_silent(&mut self) -> Option<PeerIx> {
        let mut lottery = self.table.lottery(&mut self.gossip_draws);
        let mut silent: Option<(Millis, PeerIx)> = None;
        let mut draws = 0;
        while draws < RANDOM_PING_DRAWS {
            let ticket = lottery.ticket();
            draws += u32::from(ticket.drawn);
            let ix = ticket.peer;
            let idle = self.table.link(ix).is_some() && self.table.ping_sent(ix).is_never();
            let left_out = self.table.flags(ix).any(Flags::MYSELF | Flags::HANDSHAKE);
            if !ticket.drawn || !idle || left_out {
                continue;
            }
            let pong = self.table.pong_received(ix);
            if silent.is_none_or(|(oldest, _)| oldest > pong) {
                silent = Some((pong, ix));
            }
        }
        silent.map(|(_, ix)| ix)
    }

    /// A moment before which [`check_peer`](Node::check_peer) has nothing to do for this peer,
    /// whatever happens until then.
    fn nothing_due_before(&self, ix: PeerIx, node_timeout: Millis, now: Millis) -> Millis {
        let flags = self.table.flags(ix);
        if flags.any(Flags::MYSELF) {
            return Millis(i64::MAX);
        }
        if flags.any(Flags::NOADDR | Flags::HANDSHAKE) {
            return now;
        }
        // Gossip may have moved the pong a little into the future, from where a ping takes it back.
        let ping_sent = self.table.ping_sent(ix);
        let since =
            if ping_sent.is_never() { self.table.pong_received(ix).min(now) } else { ping_sent };
        since + node_timeout.half() + Millis(1)
    }

    /// As [`nothing_due_before`](Bus::nothing_due_before), but from what gossip touches anyway, and
    /// therefore up to a second too early. For peers that are calm.
    #[inline]
    fn calm_until(&self, ix: PeerIx, node_timeout: Millis, now: Millis) -> Millis {
        let pulse = Millis(i64::from(self.table.pulse(ix)) * 1_000);
        pulse.min(now) + node_timeout.half() + Millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §7.4 to the letter: every peer, every time.
    pub(super) fn check_peers_naively(node: &mut Node, ctx: &mut Ctx<'_>) -> bool {
        let mut suspects = false;
        for ix in node.bus.table.order().to_vec() {
            let now = ctx.now.millis();
            let timeout = node.config.node_timeout;
            let ping_sent = node.bus.table.ping_sent(ix);
            if node.bus.table.flags(ix).any(Flags::MYSELF | Flags::NOADDR | Flags::HANDSHAKE) {
                continue;
            }
            let ping_delay = now - ping_sent;
            let data_delay = now - node.bus.table.peer(ix).data_received;
            if node.bus.table.link(ix).is_some()
                && now - node.bus.table.history(ix).link_ctime > timeout
                && ping_sent.0 != 0
                && ping_delay > timeout.half()
                && data_delay > timeout.half()
            {
                node.bus.close_link(ctx, ix);
            }
            if let Some(link) = node.bus.table.link(ix)
                && ping_sent.0 == 0
                && now - node.bus.table.pong_received(ix) > timeout.half()
            {
                node.send_ping(ctx, link, Some(ix), MessageType::Ping);
                continue;
            }
            if ping_sent.0 == 0 {
                continue;
            }
            if ping_delay.min(data_delay) > timeout
                && !node.bus.table.flags(ix).any(Flags::PFAIL | Flags::FAIL)
            {
                suspects |= node.set_pfail(ctx, ix);
            }
        }
        suspects
    }
}
