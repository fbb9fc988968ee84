//! A master's vote: one in each epoch, and not twice about the same master within two node timeouts
//! (§8.4, §5.10).

use crate::node::Node;
use crate::node::bus::Todo;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;
use crate::node::log::Level;
use crate::node::packet::{Epoch, MessageType, Packet};
use crate::node::table::PeerIx;
use crate::slot::Slot;
use crate::time::Millis;

/// Two votes about the same master are this many node timeouts apart.
const VOTE_SPACING_TIMEOUTS: i64 = 2;

/// Why a vote is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    /// I have no vote: said by silence.
    NoVote,
    OldRequest(Epoch),
    AlreadyVoted,
    IsMaster,
    MasterUnknown,
    MasterUp,
    TooSoon(Millis),
    OldSlot(Slot, Epoch),
}

impl Node {
    /// Gives a replica my vote, or says why not (§8.4).
    pub(crate) fn vote(&mut self, ctx: &mut Ctx<'_>, from: PeerIx, request: &Packet) {
        let replica = ctx.ids.id(self.bus.table.node(from));
        let master = match self.may_vote(ctx, from, request) {
            Ok(master) => master,
            Err(Denial::NoVote) => return,
            Err(denial) => return self.deny(ctx, replica, request, denial),
        };
        let bus = &mut self.bus;
        bus.last_vote_epoch = bus.current_epoch;
        bus.table.peer_mut(master).voted_time = ctx.now.millis();
        bus.todo.add(Todo::SAVE | Todo::FSYNC);
        if let Some(link) = bus.table.link(from) {
            let ack = self.message(ctx, MessageType::AuthAck);
            self.queue(ctx, link, ack);
        }
        let epoch = self.bus.current_epoch;
        self.log(
            ctx,
            Level::Warning,
            format_args!("Failover auth granted to {replica} for epoch {epoch}"),
        );
    }

    /// The master that the requester would replace, if it may have my vote. The order of the tests
    /// shows in the log (§8.4).
    fn may_vote(&self, ctx: &Ctx<'_>, from: PeerIx, request: &Packet) -> Result<PeerIx, Denial> {
        let bus = &self.bus;
        let table = &bus.table;
        if !bus.is_master() || table.peer(bus.myself).slot_count == 0 {
            return Err(Denial::NoVote);
        }
        if request.current_epoch < bus.current_epoch {
            return Err(Denial::OldRequest(request.current_epoch));
        }
        if bus.last_vote_epoch == bus.current_epoch {
            return Err(Denial::AlreadyVoted);
        }
        if table.flags(from).is_master() {
            return Err(Denial::IsMaster);
        }
        let master = table.peer(from).replica_of.ok_or(Denial::MasterUnknown)?;
        if !table.flags(master).any(Flags::FAIL) && !request.force_ack {
            return Err(Denial::MasterUp);
        }
        let spacing = Millis(self.config.node_timeout.0.saturating_mul(VOTE_SPACING_TIMEOUTS));
        let since = ctx.now.millis() - table.peer(master).voted_time;
        if since < spacing {
            return Err(Denial::TooSoon(spacing - since));
        }
        let newer = request.slots.iter().find_map(|slot| {
            let epoch = table.peer(bus.slots.owner(slot)?).config_epoch;
            (epoch > request.config_epoch).then_some(Denial::OldSlot(slot, epoch))
        });
        newer.map_or(Ok(master), Err)
    }

    fn deny(
        &self,
        ctx: &mut Ctx<'_>,
        replica: crate::id::NodeId,
        request: &Packet,
        denial: Denial,
    ) {
        let current = self.bus.current_epoch;
        let why = match denial {
            Denial::NoVote => return,
            Denial::OldRequest(epoch) => format!("reqEpoch ({epoch}) < curEpoch({current})"),
            Denial::AlreadyVoted => format!("already voted for epoch {current}"),
            Denial::IsMaster => "it is a master node".to_owned(),
            Denial::MasterUnknown => "I don't know its master".to_owned(),
            Denial::MasterUp => "its master is up".to_owned(),
            Denial::TooSoon(rest) => {
                format!("can't vote about this master before {rest} milliseconds")
            }
            Denial::OldSlot(slot, epoch) => {
                format!("slot {slot} epoch ({epoch}) > reqEpoch ({})", request.config_epoch)
            }
        };
        self.log(ctx, Level::Warning, format_args!("Failover auth denied to {replica}: {why}"));
    }

    /// Somebody voted for me, or for who I was when I last asked: nobody checks (§5.10, 15.11).
    pub(crate) fn vote_received(&mut self, from: PeerIx, ack: &Packet) {
        let table = &self.bus.table;
        let has_vote = table.flags(from).is_master() && table.peer(from).slot_count > 0;
        if has_vote && ack.current_epoch >= self.bus.election.epoch {
            self.bus.election.votes += 1;
            self.bus.todo.add(Todo::FAILOVER);
        }
    }
}
