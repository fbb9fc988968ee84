//! The bus in words: CLUSTER NODES and CLUSTER INFO (§10.1, §10.2).

use crate::id::Ids;
use crate::node::Node;
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::table::PeerIx;

impl Bus {
    /// One node's line of CLUSTER NODES, without the newline (§10.2).
    #[must_use]
    pub fn node_line(&self, ids: &Ids, ix: PeerIx) -> String {
        let _ = (ids, ix);
        todo!("follows")
    }

    /// The lines of CLUSTER NODES, each with its newline (§10.2).
    #[must_use]
    pub fn nodes_text(&self, ids: &Ids, skip_handshake: bool) -> String {
        let _ = (ids, skip_handshake);
        todo!("follows")
    }

    /// The text of CLUSTER INFO (§10.1).
    #[must_use]
    pub fn info_text(&self) -> String {
        todo!("follows")
    }
}

impl Node {
    /// Writes nodes.conf now (§12.2).
    pub(crate) fn save_config(&mut self, ctx: &mut Ctx<'_>, fsync: bool) {
        let _ = (ctx, fsync);
        todo!("follows")
    }
}
