//! Whether a node may join a cluster: it runs in cluster mode and is empty (cli §5.1).

use super::load::text_of;
use super::{Host, Manager, MemberIx, Stop};
use crate::admin::numbers::strtol;
use crate::resp::{Reply, args};

const NOT_EMPTY: &str = "is not empty. Either the node already knows other nodes (check with \
    CLUSTER NODES) or contains some key in database 0.";

impl<H: Host> Manager<'_, H> {
    /// Looks at a node that shall join, over a connection that is open. Prints what speaks against
    /// it.
    pub(super) async fn vet(&mut self, node: MemberIx) -> Result<(), Stop> {
        self.require_cluster_mode(node).await?;
        let reply = self.demand(node, args(["CLUSTER", "NODES"])).await?;
        self.read_own_line(node, text_of(&reply));
        self.require_empty(node).await
    }

    /// The node must run in cluster mode.
    pub(super) async fn require_cluster_mode(&mut self, node: MemberIx) -> Result<(), Stop> {
        let objection = match self.ask(node, args(["INFO"])).await {
            Some(Reply::Error(text)) => text,
            Some(info) if info_field(text_of(&info), "cluster_enabled") != 0 => return Ok(()),
            _ => "is not configured as a cluster node.".to_owned(),
        };
        self.object(node, &objection)
    }

    async fn require_empty(&mut self, node: MemberIx) -> Result<(), Stop> {
        let objection = match self.ask(node, args(["INFO"])).await {
            Some(Reply::Error(text)) => text,
            Some(info) if !text_of(&info).contains("db0:") => {
                match self.ask(node, args(["CLUSTER", "INFO"])).await {
                    Some(Reply::Error(text)) => text,
                    Some(info) if info_field(text_of(&info), "cluster_known_nodes") == 1 => {
                        return Ok(());
                    }
                    _ => NOT_EMPTY.to_owned(),
                }
            }
            _ => NOT_EMPTY.to_owned(),
        };
        self.object(node, &objection)
    }

    fn object(&mut self, node: MemberIx, objection: &str) -> Result<(), Stop> {
        let address = self[node].address.clone();
        self.error(format_args!("[ERR] Node {address} {objection}\n"));
        Err(Stop::Failed)
    }
}

/// A number from INFO or CLUSTER INFO; a field that is not there counts as zero.
pub(super) fn info_field(info: &str, name: &str) -> i64 {
    let value = info.split_once(&format!("{name}:")).map(|(_, after)| after);
    value.map_or(0, |value| strtol(value).0)
}
