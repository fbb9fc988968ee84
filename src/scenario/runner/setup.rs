//! From a plan to the setup of a world.

use crate::node::process::Disk;
use crate::scenario::plan::{NodePlan, Plan};
use crate::world::{Formation, NodeSetup, Setup};

pub(super) fn of(plan: &Plan) -> Setup {
    let header = &plan.header;
    let node = |node: &NodePlan| NodeSetup {
        ip: node.address.ip(),
        config: node.config.clone(),
        id: node.id,
        pids: node.pids.clone(),
        disk: Disk { nodes_conf: node.nodes_conf.as_deref().map(Into::into), ..Disk::default() },
        host: header.host.clone(),
        clock_offset: node.clock_offset,
    };
    Setup {
        start: header.start,
        network: header.network.clone(),
        formed: plan.formation.map(|f| Formation::even(f.masters, f.replicas_per_master)),
        crash_report: header.crash_report,
        ..Setup::new(header.seed, plan.nodes.iter().map(node).collect())
    }
}
