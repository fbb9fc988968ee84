//! Loading the cluster from one of its nodes (cli §3.1-cli §3.3).

use super::model::{Member, NodesLine, nodes_lines};
use super::{Host, Manager, MemberIx, REFERENCE, Stop, split_address};
use crate::admin::host::Address;
use crate::resp::{Reply, args};

impl<H: Host> Manager<'_, H> {
    /// Makes the list of nodes from what the node at this address knows.
    pub(super) async fn load(&mut self, reference: Address) -> Result<(), Stop> {
        self.nodes = vec![Member::new(reference)];
        self.connect(REFERENCE).await?;
        self.load_from_reference().await
    }

    /// Loads the cluster anew over the connection to the first node (cli §5.6 step 9).
    pub(super) async fn reload(&mut self) -> Result<(), Stop> {
        for connection in self.nodes.iter().skip(1).filter_map(|node| node.connection) {
            self.host.close(connection);
        }
        self.nodes.truncate(1);
        self.load_from_reference().await
    }

    async fn load_from_reference(&mut self) -> Result<(), Stop> {
        self.require_cluster_mode(REFERENCE).await?;
        let reply = self.demand(REFERENCE, args(["CLUSTER", "NODES"])).await?;
        for friend in self.read_reference(text_of(&reply))? {
            self.load_friend(friend).await;
        }
        self.count_replicas();
        Ok(())
    }

    /// Opens the connection to a node (cli §3.1).
    pub(super) async fn connect(&mut self, node: MemberIx) -> Result<(), Stop> {
        let address = self[node].address.clone();
        let connection = match self.host.connect(&address).await {
            Ok(connection) => connection,
            Err(error) => {
                self.complain(format!("Could not connect to Redis at {address}: {error}\n"));
                return Err(Stop::Failed);
            }
        };
        self[node].connection = Some(connection);
        if let Some(command) = self.credentials.auth_command() {
            self.demand(node, command).await?;
        }
        Ok(())
    }

    /// The reference node's own line fills it; every other line is a friend to ask.
    fn read_reference(&mut self, text: &str) -> Result<Vec<Member>, Stop> {
        let mut friends = Vec::new();
        for line in nodes_lines(text) {
            if line.is_myself() {
                self.apply_own_line(REFERENCE, &line);
                continue;
            }
            let Some(address) = split_address(line.address) else {
                self.complain("Error: invalid CLUSTER NODES reply\n");
                return Err(Stop::Failed);
            };
            let mut friend = Member::new(address);
            friend.apply_identity(&line);
            friends.push(friend);
        }
        Ok(friends)
    }

    fn apply_own_line(&mut self, node: MemberIx, line: &NodesLine<'_>) {
        self[node].apply_slots(line);
        self[node].apply_identity(line);
    }

    /// Asks a friend about itself, and drops it if it cannot be used (cli §3.3).
    async fn load_friend(&mut self, friend: Member) {
        let node = MemberIx(self.nodes.len());
        self.nodes.push(friend);
        if self.ask_friend(node).await.is_err() {
            if !self[node].flags.slave {
                self.unreachable_masters += 1;
            }
            if let Some(connection) = self[node].connection {
                self.host.close(connection);
            }
            self.nodes.pop();
        }
    }

    async fn ask_friend(&mut self, node: MemberIx) -> Result<(), Stop> {
        let Address { host, port } = &self[node].address;
        if host.is_empty() || *port == 0 {
            return Err(Stop::Failed);
        }
        self.connect(node).await?;
        let reply = self.ask(node, args(["CLUSTER", "NODES"])).await;
        let Some(reply) = reply.filter(|reply| reply.error().is_none()) else {
            let address = self[node].address.clone();
            self.error(format_args!("[ERR] Unable to load info for node {address}\n"));
            return Err(Stop::Failed);
        };
        self.read_own_line(node, text_of(&reply));
        let flags = self[node].flags;
        if flags.noaddr || flags.disconnected || flags.fail { Err(Stop::Failed) } else { Ok(()) }
    }

    /// What a node says of itself; it knows others too, but nobody listens to that.
    pub(super) fn read_own_line(&mut self, node: MemberIx, text: &str) {
        if let Some(line) = nodes_lines(text).find(NodesLine::is_myself) {
            self.apply_own_line(node, &line);
        }
    }

    fn count_replicas(&mut self) {
        for node in self.all() {
            let Some(master) = self[node].master.clone() else { continue };
            match self.by_name(master.as_str()) {
                Some(master) => self[master].replica_count += 1,
                None => {
                    let address = self[node].address.clone();
                    self.warn(format_args!(
                        "*** WARNING: {address} claims to be slave of unknown node ID {master}.\n"
                    ));
                }
            }
        }
    }
}

/// The text of a reply that is text; a reply of another type has none.
pub(super) fn text_of(reply: &Reply) -> &str {
    reply.text().unwrap_or_default()
}
