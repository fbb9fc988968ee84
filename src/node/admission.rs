//! Who may connect: clients and replicas, until there are as many connections as `maxclients` allows
//! (§1.2).
//!
//! The links of the cluster bus count as well, two for each other node that is known, whether they are
//! there or not; but nobody is refused on the bus.

use crate::node::Node;
use crate::node::effect::{Ctx, Effect, LinkEnd, LinkId};
use crate::node::replication::message::ReplMessage;
use crate::resp::Reply;

/// What those are told for whom there is no place.
const FULL: &str = "ERR max number of clients + cluster connections reached";
/// The same where nothing else counts.
const FULL_OF_CLIENTS: &str = "ERR max number of clients reached";

impl Node {
    /// How many connections of clients there are: replicas count, and so does my master once I follow
    /// the stream.
    fn client_connections(&self) -> usize {
        let replication = &self.replication;
        let replicas = replication.replicas.iter().filter(|replica| !replica.is_client).count();
        let master = usize::from(replication.upstream.is_connected());
        self.clients.len() + replication.callers.len() + replicas + master
    }

    /// How many of them are not those of replicas.
    pub(crate) fn connected_clients(&self) -> usize {
        self.client_connections() - self.replication.replicas.len()
    }

    /// How many connections of the bus are counted.
    pub(crate) fn cluster_connections(&self) -> usize {
        2 * self.bus.table.len().saturating_sub(1)
    }

    /// Whether there is a place for one more. If not, that is counted.
    fn admits_another(&mut self) -> bool {
        let taken = self.client_connections() + self.cluster_connections();
        let admits = taken < self.config.maxclients as usize;
        let stats = &mut self.server.stats;
        *if admits { &mut stats.connections } else { &mut stats.refused_connections } += 1;
        admits
    }

    fn refusal(&self) -> &'static str {
        if self.in_cluster_mode() { FULL } else { FULL_OF_CLIENTS }
    }

    /// A client opened a connection.
    pub(crate) fn client_accepted(&mut self, ctx: &mut Ctx<'_>, client: LinkId) {
        if self.admits_another() {
            self.clients.enter(client, ctx.now.secs());
        } else {
            ctx.out.effects.push(Effect::Reply(client, Reply::Error(self.refusal().to_owned())));
            ctx.out.effects.push(Effect::CloseClient(client));
        }
    }

    /// Somebody opened a connection who may become a replica.
    pub(crate) fn replica_accepted(&mut self, ctx: &mut Ctx<'_>, end: LinkEnd) {
        if self.admits_another() {
            let registration = self.clients.register(ctx.now.secs());
            self.replication.meet_caller(end, registration);
        } else {
            ctx.out.effects.push(Effect::ReplSend(end.id, ReplMessage::Refused(self.refusal())));
            ctx.out.effects.push(Effect::ReplClose(end.id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FULL;
    use crate::node::effect::{Input, LinkId};
    use crate::node::lab::{CLIENT, Lab};
    use crate::resp::Reply;

    /// Another client than [`CLIENT`].
    const OTHER: LinkId = LinkId(1_000_011);

    fn accept(lab: &mut Lab, client: LinkId) -> Vec<Option<Reply>> {
        lab.replies.clear();
        lab.input(0, Input::ClientAccepted(client));
        lab.replies.drain(..).map(|(.., reply)| reply).collect()
    }

    #[test]
    fn who_comes_when_there_is_no_place_is_told_and_closed_1_2() {
        let mut lab = Lab::alone(1);
        assert_eq!(lab.ask(0, "CONFIG SET maxclients 2"), Reply::ok());
        assert_eq!(accept(&mut lab, OTHER), []);
        let refused = [Some(Reply::Error(FULL.to_owned())), None];
        assert_eq!(accept(&mut lab, LinkId(1_000_021)), refused);
        lab.input(0, Input::ClientGone(OTHER));
        assert_eq!(accept(&mut lab, LinkId(1_000_031)), []);
        let info = lab.ask(0, "INFO");
        for line in ["maxclients:2", "rejected_connections:1", "total_connections_received:3"] {
            assert!(info.text().unwrap().contains(&format!("\r\n{line}\r\n")), "{line}");
        }
    }

    #[test]
    fn links_of_the_bus_count_and_are_never_refused() {
        let mut lab = Lab::formed(3, 0, 15_000);
        lab.ask(0, "CONFIG SET maxclients 5");
        assert_eq!(lab.node(0).cluster_connections(), 4);
        assert_eq!(accept(&mut lab, OTHER).len(), 2, "four links and the one who asks");
        lab.ask(0, "CONFIG SET maxclients 1");
        lab.kill(1);
        lab.boot(1);
        lab.run(3_000);
        assert!(lab.line(1, 0).contains(" connected"));
        assert_eq!(lab.ask_as(0, CLIENT, vec![b"PING".to_vec()]), Reply::Status("PONG".into()));
    }

    #[test]
    fn a_replica_counts_and_may_be_refused() {
        let mut lab = Lab::formed(1, 1, 15_000);
        lab.run_until(10_000, |lab| lab.node(1).replication.upstream.is_connected());
        lab.ask(1, "PING");
        assert_eq!(lab.node(0).client_connections(), 1);
        assert_eq!((lab.node(0).connected_clients(), lab.node(1).connected_clients()), (0, 2));
        lab.ask(0, "CONFIG SET maxclients 3");
        lab.node(0).replication.replicas.clear();
        lab.act(1, |node, ctx| node.drop_master(ctx));
        assert!(lab.logged(1, &format!("Error reply to PING from master: '-{FULL}'")));
        assert!(!lab.node(1).replication.upstream.is_connected());
        lab.ask(0, "CONFIG SET maxclients 10");
        lab.run_until(10_000, |lab| lab.node(1).replication.upstream.is_connected());
    }
}
