//! What a node tells of the cluster: NODES, INFO, SLOTS, MYID, REPLICAS, COUNT-FAILURE-REPORTS.

use crate::node::command::cluster::known;
use crate::node::command::error::Answer;
use crate::node::command::{Call, CommandError};
use crate::node::flags::Flags;
use crate::node::table::PeerIx;
use crate::resp::Reply;

/// CLUSTER NODES (§10.2)
pub(super) fn nodes(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::bulk(call.node.bus.nodes_text(call.ctx.ids, false)))
}

/// CLUSTER INFO (§10.1)
pub(super) fn info(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::bulk(call.node.bus.info_text()))
}

/// CLUSTER MYID (§9.3)
pub(super) fn my_id(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::bulk(id(call, call.node.bus.myself)))
}

fn id(call: &Call<'_, '_>, node: PeerIx) -> String {
    call.node.bus.id_of(call.ctx.ids, node).to_string()
}

/// CLUSTER SLOTS (§10.3)
pub(super) fn slots(call: &mut Call<'_, '_>) -> Answer {
    let described = call.node.bus.slots.runs().map(|(first, last, owner)| {
        let table = &call.node.bus.table;
        let replicas = table.replicas(owner).iter().copied();
        let alive = replicas.filter(|&replica| !table.flags(replica).any(Flags::FAIL));
        let nodes = std::iter::once(owner).chain(alive).map(|node| address(call, node));
        let bounds = [first, last].map(|slot| Reply::Int(slot.number().into()));
        Reply::Array(bounds.into_iter().chain(nodes).collect())
    });
    Ok(Reply::Array(described.collect()))
}

fn address(call: &Call<'_, '_>, node: PeerIx) -> Reply {
    let endpoint = call.ctx.ids.endpoint(call.node.bus.table.endpoint(node));
    let ip = Reply::bulk(endpoint.ip_text());
    Reply::Array(vec![ip, Reply::Int(endpoint.port.into()), Reply::bulk(id(call, node))])
}

/// CLUSTER REPLICAS id (§9.19)
pub(super) fn replicas(call: &mut Call<'_, '_>) -> Answer {
    let master = known(call, 2)?;
    let bus = &call.node.bus;
    if bus.table.flags(master).is_replica() {
        return Err(CommandError::fixed("ERR The specified node is not a master"));
    }
    let replicas = bus.table.replicas(master).iter();
    let lines = replicas.map(|&replica| Reply::bulk(bus.node_line(call.ctx.ids, replica)));
    Ok(Reply::Array(lines.collect()))
}

/// CLUSTER COUNT-FAILURE-REPORTS id (§9.20)
pub(super) fn failure_reports(call: &mut Call<'_, '_>) -> Answer {
    let about = known(call, 2)?;
    Ok(Reply::Int(call.node.failure_report_count(call.ctx, about).into()))
}
