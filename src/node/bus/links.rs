//! My outbound links, and those that others open to me (§3).

use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::{Ctx, Effect, LinkEnd, Loss};
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::MessageType;
use crate::node::table::PeerIx;
use crate::time::Millis;

impl Bus {
    /// Closes my link to a node, if there is one (§3.6).
    pub(crate) fn close_link(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        if let Some(link) = self.table.link(ix) {
            self.table.set_link(ix, None);
            ctx.out.effects.push(Effect::Close(link));
        }
    }
}

impl Node {
    /// Begins to connect to every node that I have no link to (§3.1).
    pub(crate) fn connect_missing(&mut self, ctx: &mut Ctx<'_>) {
        let mut from = 0;
        for _ in 0..self.bus.table.census().unlinked {
            let Some(place) = self.bus.table.next_unlinked(from) else { return };
            self.connect(ctx, self.bus.table.at(place));
            from = place + 1;
        }
    }

    /// Begins to connect. The link exists from now on, although nobody has answered yet (§3.1.3).
    fn connect(&mut self, ctx: &mut Ctx<'_>, ix: PeerIx) {
        let now = ctx.now.millis();
        let to = ctx.ids.endpoint(self.bus.table.endpoint(ix));
        if to.ip.is_none() {
            if self.bus.table.ping_sent(ix).is_never() {
                self.bus.table.set_ping_sent(ix, now);
            }
            let cport = to.cport;
            self.log(
                ctx,
                Level::Debug,
                format_args!(
                    "Unable to connect to Cluster Node []:{cport} -> Name or service not known"
                ),
            );
            return;
        }
        let link = ctx.out.new_link();
        self.bus.table.set_link(ix, Some(link));
        self.bus.table.history_mut(ix).link_ctime = now;
        ctx.out.effects.push(Effect::Connect { link, peer: ix, to });
    }

    /// My connection to a peer is established: the first packet leaves at once (§3.2).
    ///
    /// # Panics
    /// If it is not my link to the peer that it was opened for.
    pub(crate) fn link_up(&mut self, ctx: &mut Ctx<'_>, end: &LinkEnd) {
        // Who accepts a connection is told so by another input.
        let peer = end.peer.expect("only the opener is told that a link is up");
        assert_eq!(self.bus.table.link(peer), Some(end.id), "a closed link never comes up");
        let before = self.bus.table.ping_sent(peer);
        let meet = self.bus.table.flags(peer).any(Flags::MEET);
        let kind = if meet { MessageType::Meet } else { MessageType::Ping };
        self.send_ping(ctx, end.id, Some(peer), kind);
        if before != Millis::NEVER {
            self.bus.table.set_ping_sent(peer, before);
        }
        self.bus.table.clear_flags(peer, Flags::MEET);
        if self.logs(ctx, Level::Debug) {
            let (id, to) = self.name_and_address(ctx, peer);
            self.log(ctx, Level::Debug, format_args!("Connecting with Node {id} at {to}"));
        }
    }

    /// A connection failed, or the other side closed it (§3.2, §3.6).
    pub(crate) fn link_lost(&mut self, ctx: &mut Ctx<'_>, end: &LinkEnd, loss: Loss) {
        match (loss, end.peer) {
            (Loss::Refused, Some(peer)) => {
                if self.logs(ctx, Level::Verbose) {
                    let (id, to) = self.name_and_address(ctx, peer);
                    let text = format_args!(
                        "Connection with Node {id} at {to} failed: Connection refused"
                    );
                    self.log(ctx, Level::Verbose, text);
                }
            }
            (Loss::Reset, _) => {
                let text =
                    format_args!("I/O error reading from node link: Connection reset by peer");
                self.log(ctx, Level::Debug, text);
            }
            _ => {
                let text = format_args!("I/O error reading from node link: connection closed");
                self.log(ctx, Level::Debug, text);
            }
        }
        if let Some(peer) = end.peer {
            self.bus.table.set_link(peer, None);
        }
    }

    /// Somebody opened a link to me. It belongs to nobody (§3.3).
    pub(crate) fn link_accepted(&mut self, ctx: &mut Ctx<'_>, end: &LinkEnd) {
        let (ip, port) = (end.remote_ip, end.remote_port);
        let text = format_args!("Accepting cluster node connection from {ip}:{port}");
        self.log(ctx, Level::Verbose, text);
    }

    fn name_and_address(&self, ctx: &Ctx<'_>, peer: PeerIx) -> (crate::id::NodeId, String) {
        let to = ctx.ids.endpoint(self.bus.table.endpoint(peer));
        (self.bus.id_of(ctx.ids, peer), format!("{}:{}", to.ip_text(), to.cport))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Endpoint, Ids};
    use crate::node::effect::Input;
    use crate::node::lab::{Lab, endpoint, id};

    #[test]
    fn a_link_counts_as_soon_as_it_is_dialled_3_1_3() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.isolate(0);
        assert!(lab.line(0, 1).contains(" disconnected "));
        lab.run(100);
        assert!(lab.line(0, 1).contains(" connected "));
        lab.run(1_600);
        let peer = lab.peer(0, 1);
        assert!(!lab.node(0).bus.table.ping_sent(peer).is_never(), "and it is pinged (15.2)");
    }

    #[test]
    fn who_has_no_address_counts_as_pinged_3_1_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let peer = lab.peer(0, 1);
        lab.node(0).bus.table.set_endpoint(peer, Ids::NOWHERE);
        lab.run(100);
        assert!(!lab.node(0).bus.table.ping_sent(peer).is_never());
        assert!(lab.node(0).bus.table.link(peer).is_none());
        assert!(lab.lines.iter().any(|line| line.text.starts_with("Unable to connect to Cluster")));
    }

    #[test]
    fn a_refused_connection_frees_the_link_3_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.kill(1);
        lab.run(100);
        let text =
            format!("Connection with Node {} at 10.0.0.2:17000 failed: Connection refused", id(1));
        assert!(lab.logged(0, &text));
        assert!(lab.line(0, 1).contains(" disconnected "));
    }

    #[test]
    fn a_lost_link_is_opened_again_by_the_next_cron_3_6() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(300);
        let peer = lab.peer(0, 1);
        let end = lab.outbound(0, peer, 1);
        lab.input(0, Input::LinkLost(end, Loss::Closed));
        assert!(lab.line(0, 1).contains(" disconnected "));
        assert!(lab.logged(0, "I/O error reading from node link: connection closed"));
        lab.run(101);
        assert!(lab.line(0, 1).contains(" connected "));
    }

    #[test]
    fn a_fresh_link_carries_a_ping_at_once_3_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.run(101);
        assert!(lab.count(0, 1, MessageType::Ping) >= 1);
        assert!(lab.logged(0, &format!("Connecting with Node {} at 10.0.0.2:17000", id(1))));
        assert!(lab.logged(1, "Accepting cluster node connection from 10.0.0.1:40000"));
    }

    #[test]
    fn an_old_ping_stays_the_pending_one_3_2() {
        let mut lab = Lab::formed(2, 0, 3_000);
        lab.isolate(0);
        lab.run(101);
        let peer = lab.peer(0, 1);
        lab.node(0).bus.table.set_ping_sent(peer, Millis(77));
        let end = lab.outbound(0, peer, 1);
        lab.input(0, Input::LinkUp(end));
        assert_eq!(lab.node(0).bus.table.ping_sent(peer), Millis(77));
    }

    #[test]
    fn a_meet_is_not_a_pending_ping_3_2() {
        let mut lab = Lab::alone(2);
        lab.isolate(0);
        lab.act(0, |node, ctx| node.bus.start_handshake(ctx, endpoint(1)));
        lab.run(101);
        let peer = lab.handshakes(0)[0];
        let end = lab.outbound(0, peer, 1);
        lab.input(0, Input::LinkUp(end));
        assert!(lab.node(0).bus.table.ping_sent(peer).is_never());
        assert!(!lab.node(0).bus.table.flags(peer).any(Flags::MEET));
    }

    #[test]
    fn a_node_without_a_link_is_dialled_at_its_bus_port_3_1_1() {
        let mut lab = Lab::formed(2, 0, 3_000);
        let peer = lab.peer(0, 1);
        let elsewhere = lab.ids.intern_endpoint(Endpoint { cport: 4, ..endpoint(1) });
        lab.node(0).bus.table.set_endpoint(peer, elsewhere);
        lab.run(101);
        assert!(lab.lines.iter().any(|line| line.text.contains("at 10.0.0.2:4 failed")));
    }
}
