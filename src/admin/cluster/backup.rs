//! `backup`: a snapshot of each master and a description of the cluster (cli §16).

use super::model::{Member, OpenSlot};
use super::{Host, Manager, MemberIx, Stop};
use crate::resp::{Reply, args};

/// The exit code of a process that was ended by SIGSEGV.
const CRASHED: u8 = 139;

impl<H: Host> Manager<'_, H> {
    /// `backup host:port backup_directory`
    pub(super) async fn backup(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(&arguments[..1])?;
        self.load(address).await?;
        let healthy = match self.check_cluster(true).await {
            Ok(()) => true,
            // The real tool counts errors in a list that does not exist if there were none.
            Err(Stop::Failed) if self.errors == 0 => return Err(Stop::exit(CRASHED)),
            Err(Stop::Failed) => false,
            Err(stop) => return Err(stop),
        };
        let typed = &arguments[1];
        let directory = if typed.ends_with('/') { typed.clone() } else { format!("{typed}/") };
        let mut descriptions = Vec::new();
        for node in self.all() {
            let errors = if healthy { 0 } else { self.errors };
            descriptions.push(describe(&self[node], errors));
            if self[node].master.is_none() {
                self.save_data(node, &directory).await?;
            }
        }
        let file = format!("{directory}nodes.json");
        self.info(format_args!("Saving cluster configuration to: {file}\n"));
        let text = format!("[\n{}\n]", descriptions.join(",\n"));
        if self.host.write_file(&file, text.as_bytes()).is_err() {
            self.error(format_args!("Could not save nodes to: {file}\n"));
            self.success("[ERR] Failed to back cluster!\n");
            return Err(Stop::Failed);
        }
        if !healthy {
            self.warn(
                "*** Cluster seems to have some problems, please be aware of it if you're going to \
                 restore this backup.\n",
            );
        }
        self.success(format_args!("[OK] Backup created into: {typed}\n"));
        Ok(())
    }

    async fn save_data(&mut self, node: MemberIx, directory: &str) -> Result<(), Stop> {
        let Member { address, name, .. } = &self[node];
        let (address, file) = (
            address.clone(),
            format!("{directory}redis-node-{}-{}-{name}.rdb", address.host, address.port),
        );
        self.info(format_args!(">>> Node {address} -> Saving RDB...\n"));
        let data = match self.ask(node, args(["SYNC"])).await {
            Some(Reply::Bulk(data)) => data,
            Some(Reply::Error(error)) => {
                self.say(format!("SYNC with master failed: -{error}\n"));
                return Err(Stop::exit(1));
            }
            _ => {
                self.complain("Error reading bulk length while SYNCing\n");
                return Err(Stop::exit(1));
            }
        };
        // The server would go on with the stream of its writes.
        if let Some(connection) = self[node].connection.take() {
            self.host.close(connection);
        }
        self.complain(format!("SYNC sent to master, writing {} bytes to '{file}'\n", data.len()));
        if let Err(error) = self.host.write_file(&file, &data) {
            self.complain(format!("Error opening '{file}': {error}\n"));
            return Err(Stop::exit(1));
        }
        self.complain("Transfer finished with success.\n");
        Ok(())
    }
}

/// A node as an object of `nodes.json`. Its layout is the tool's own, not a serializer's.
fn describe(member: &Member, errors: u32) -> String {
    let master = member.master.as_ref().map_or("null".to_owned(), |name| format!("\"{name}\""));
    let mut text = format!(
        "  {{\n    \"name\": \"{}\",\n    \"host\": \"{}\",\n    \"port\": {},\n    \
         \"replicate\": {master},\n    \"slots\": [{}],\n    \"slots_count\": {},\n    \
         \"flags\": \"{}\",\n    \"current_epoch\": {}",
        member.name,
        member.address.host,
        member.address.port,
        member.slots_text().replace('-', ","),
        member.slot_count,
        member.flags_text(),
        member.config_epoch,
    );
    if errors > 0 {
        text += &format!(",\n    \"cluster_errors\": {errors}");
    }
    for (state, list) in [("migrating", &member.migrating), ("importing", &member.importing)] {
        if !list.is_empty() {
            text += &format!(",\n    \"{state}\": {{{}}}", open_slots(list));
        }
    }
    text + "\n  }"
}

fn open_slots(list: &[OpenSlot]) -> String {
    let entries: Vec<String> =
        list.iter().map(|entry| format!("\"{}\": \"{}\"", entry.slot, entry.other)).collect();
    entries.join(",")
}
