//! From a plan to the setup of a world.

use crate::node::process::Disk;
use crate::rng::Seed;
use crate::scenario::plan::{self, NodePlan, Plan};
use crate::world::{Formation, NodeSetup, Setup};

/// The setup of a run of this plan with this seed.
pub(super) fn of(plan: &Plan, seed: Seed) -> Setup {
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
        disks: header.disks,
        formed: plan.formation.map(formation),
        crash_report: header.crash_report,
        ..Setup::new(seed, plan.nodes.iter().map(node).collect())
    }
}

fn formation(planned: plan::Formation) -> Formation {
    let even = Formation::even(planned.masters, planned.replicas_per_master);
    Formation { spread: planned.spread, ..even }
}
