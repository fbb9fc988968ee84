//! SYNC said by a client, as `redis-cli --cluster backup` does: it counts as a replica until it closes
//! its connection, gets the data set as an RDB file, and nobody asks it how far it has come.

use std::net::{IpAddr, Ipv4Addr};

use crate::node::Node;
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::node::log::Level;
use crate::node::replication::downstream::{Caller, NO_MASTER_LINK, Replica};
use crate::node::replication::message::ReplMessage;
use crate::resp::Reply;

impl Node {
    /// A client asks for the data set (A.9). If it is a replica already, nothing happens.
    ///
    /// # Errors
    /// If I have to get the data set myself.
    pub(crate) fn snapshot_asked(
        &mut self,
        ctx: &mut Ctx<'_>,
        client: LinkId,
    ) -> Result<(), &'static str> {
        if self.replication.replica(client).is_some() {
            return Ok(());
        }
        if self.lacks_master() {
            return Err(NO_MASTER_LINK);
        }
        let registration = self.clients.get(client).map(|it| it.registration).unwrap_or_default();
        let caller = Caller { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, registration };
        let asking = Replica { is_client: true, ..Replica::new(client, caller, self.unix_now()) };
        self.log(ctx, Level::Notice, format_args!("Replica {asking} asks for synchronization"));
        self.server.stats.sync_full += 1;
        self.restart_replica(ctx, asking);
        Ok(())
    }
}

impl Replica {
    /// Sends it something. A client hears of the data set only, and when that is complete.
    pub(super) fn tell(&self, ctx: &mut Ctx<'_>, message: ReplMessage) {
        let effects = &mut ctx.out.effects;
        match message {
            message if !self.is_client => effects.push(Effect::ReplSend(self.link, message)),
            ReplMessage::DumpPart(dump, part) if dump.is_last(part) => {
                effects.push(Effect::Reply(self.link, Reply::Bulk(dump.file())));
            }
            _ => {}
        }
    }
}
