//! CLUSTER RESET (§9.21).

use crate::node::Node;
use crate::node::effect::Ctx;

impl Node {
    /// Forgets the cluster (§9.21). If I was a replica, the caller deletes my keys: a replica that is
    /// reset keeps nothing of its master's.
    pub(crate) fn reset_cluster(&mut self, ctx: &mut Ctx<'_>, hard: bool) {
        let _ = (ctx, hard);
        todo!("follows")
    }
}
