//! `del-node`: every other node forgets it, and it forgets every other node (cli §7).

use super::{Host, Manager, MemberIx, Stop};
use crate::resp::args;

impl<H: Host> Manager<'_, H> {
    /// `del-node host:port node_id`
    pub(super) async fn del_node(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(&arguments[..1])?;
        let id = &arguments[1];
        self.info(format_args!(">>> Removing node {id} from cluster {address}\n"));
        self.load(address).await?;
        let Some(doomed) = self.by_name(id) else {
            self.error(format_args!("[ERR] No such node ID {id}\n"));
            return Err(Stop::Failed);
        };
        if self[doomed].slot_count != 0 {
            let address = self[doomed].address.clone();
            self.error(format_args!(
                "[ERR] Node {address} is not empty! Reshard data away and try again.\n"
            ));
            return Err(Stop::Failed);
        }
        self.info(">>> Sending CLUSTER FORGET messages to the cluster...\n");
        for node in self.all().filter(|&node| node != doomed) {
            let master = self[node].master.as_ref();
            if master.is_some_and(|master| master.as_str().eq_ignore_ascii_case(id)) {
                self.give_another_master(node).await?;
            }
            self.demand(node, args(["CLUSTER", "FORGET", id])).await?;
        }
        self.info(">>> Sending CLUSTER RESET SOFT to the deleted node.\n");
        self.demand(doomed, args(["CLUSTER", "RESET", "SOFT"])).await.map(drop)
    }

    /// The new master may well be the node that is being deleted (cli §7).
    async fn give_another_master(&mut self, replica: MemberIx) -> Result<(), Stop> {
        let master = self.master_with_least_replicas().ok_or(Stop::Failed)?;
        let (here, there) = (self[replica].address.clone(), self[master].address.clone());
        self.info(format_args!(">>> {here} as replica of {there}\n"));
        let name = self[master].name.to_string();
        self.demand(replica, args(["CLUSTER", "REPLICATE", &name])).await.map(drop)
    }
}
