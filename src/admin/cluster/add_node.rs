//! `add-node`: a new master, or with `--cluster-slave` a new replica (cli §6).

use super::join::JOIN_START;
use super::{Host, Manager, Member, MemberIx, REFERENCE, Stop};
use crate::resp::args;

impl<H: Host> Manager<'_, H> {
    /// `add-node new_host:new_port existing_host:existing_port`
    pub(super) async fn add_node(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let existing = self.address_argument(&arguments[1..])?;
        let new = self.address_argument(&arguments[..1])?;
        self.info(format_args!(">>> Adding node {new} to cluster {existing}\n"));
        self.load(existing).await?;
        self.check_cluster(true).await?;
        let master = if self.options.slave { Some(self.master_of_new_replica()?) } else { None };

        let node = MemberIx(self.nodes.len());
        self.nodes.push(Member::new(new.clone()));
        if self.connect(node).await.is_err() {
            self.error(format_args!("[ERR] Sorry, can't connect to node {new}\n"));
            return Err(Stop::Failed);
        }
        self.vet(node).await?;
        self.info(format_args!(
            ">>> Send CLUSTER MEET to node {new} to make it join the cluster.\n"
        ));
        let first = self[REFERENCE].address.clone();
        let meet = args(["CLUSTER", "MEET", &first.host, &first.port.to_string()]);
        self.demand(node, meet).await?;
        if let Some(master) = master {
            self.make_replica(node, master).await?;
        }
        self.success("[OK] New node added correctly.\n");
        Ok(())
    }

    /// The node with the id that was given, master or not, or the master with the fewest replicas.
    fn master_of_new_replica(&mut self) -> Result<MemberIx, Stop> {
        if let Some(id) = &self.options.master_id {
            return self.by_name(id).ok_or_else(|| {
                self.error(format_args!("[ERR] No such master ID {id}\n"));
                Stop::Failed
            });
        }
        let master = self.master_with_least_replicas().ok_or(Stop::Failed)?;
        let line = format!("Automatically selected master {}\n", self[master].address);
        self.say(line);
        Ok(master)
    }

    async fn make_replica(&mut self, node: MemberIx, master: MemberIx) -> Result<(), Stop> {
        self.host.sleep(JOIN_START).await;
        self.wait_for_join().await;
        let (address, name) = (self[master].address.clone(), self[master].name.to_string());
        self.info(format_args!(">>> Configure node as replica of {address}.\n"));
        self.demand(node, args(["CLUSTER", "REPLICATE", &name])).await.map(drop)
    }
}
