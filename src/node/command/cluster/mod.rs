//! CLUSTER: every subcommand with its checks in Redis's order (§9).
//!
//! A subcommand that is known but has the wrong number of arguments is as unknown as any other word
//! (§9.0.1).

mod nodes;
mod report;
mod slots;
#[cfg(test)]
mod tests;

use crate::id::NodeId;
use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError, help};
use crate::node::table::PeerIx;

/// CLUSTER subcommand …
pub(super) fn cluster(call: &mut Call<'_, '_>) -> Answer {
    let subcommand = text(call.word(1)).to_ascii_lowercase();
    match (subcommand.as_str(), call.args.len()) {
        ("help", 2) => Ok(help::cluster()),
        ("meet", 4 | 5) => nodes::meet(call),
        ("nodes", 2) => report::nodes(call),
        ("myid", 2) => report::my_id(call),
        ("slots", 2) => report::slots(call),
        ("flushslots", 2) => slots::flush(call),
        ("addslots", 3..) => slots::add(call),
        ("delslots", 3..) => slots::delete(call),
        ("setslot", 4..) => slots::set(call),
        ("bumpepoch", 2) => nodes::bump_epoch(call),
        ("info", 2) => report::info(call),
        ("saveconfig", 2) => nodes::save_config(call),
        ("keyslot", 3) => slots::key_slot(call),
        ("countkeysinslot", 3) => slots::count_keys(call),
        ("getkeysinslot", 4) => slots::get_keys(call),
        ("forget", 3) => nodes::forget(call),
        ("replicate", 3) => nodes::replicate(call),
        ("slaves" | "replicas", 3) => report::replicas(call),
        ("count-failure-reports", 3) => report::failure_reports(call),
        ("failover", 2 | 3) => nodes::failover(call),
        ("set-config-epoch", 3) => nodes::set_config_epoch(call),
        ("reset", 2 | 3) => nodes::reset(call),
        _ => Err(CommandError::subcommand(call.args)),
    }
}

/// The node that an argument names, if it is known (§9.0.4).
fn find(call: &Call<'_, '_>, at: usize) -> Option<PeerIx> {
    let id = NodeId::from_argument(call.word(at))?;
    call.node.bus.table.find_id(call.ctx.ids, id)
}

/// The node that an argument names.
fn known(call: &Call<'_, '_>, at: usize) -> Result<PeerIx, CommandError> {
    find(call, at)
        .ok_or_else(|| CommandError::err(format_args!("Unknown node {}", text(call.word(at)))))
}
