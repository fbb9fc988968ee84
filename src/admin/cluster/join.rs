//! Waiting for nodes to find each other (cli §5.6 step 7). This wait never ends by itself.

use super::hash_order::HashOrdered;
use super::load::text_of;
use super::model::{NodesLine, nodes_lines};
use super::{Host, Manager, MemberIx};
use crate::admin::host::Address;
use crate::admin::numbers::atoi;
use crate::resp::args;
use crate::time::Span;

/// How long the join is given before anybody is asked: until then all nodes agree because they know
/// of no slots at all.
pub(super) const JOIN_START: Span = Span::secs(1);

const BETWEEN_LOOKS: Span = Span::secs(1);

/// After how many dots broken links are looked for, apart from the number of nodes.
const PATIENCE: u32 = 20;

const BUS_PORT_ADVICE: &str = "Cluster bus ports must be reachable by every node.\n\
    Remember that cluster bus ports are different from standard instance ports.\n";

impl<H: Host> Manager<'_, H> {
    /// Waits until all nodes agree, with a dot for each second.
    pub(super) async fn wait_for_join(&mut self) {
        self.say("Waiting for the cluster to join\n");
        let patience = PATIENCE + (self.nodes.len() as f32 * 0.15) as u32;
        let mut dots = 0;
        while !self.nodes_agree().await {
            self.say(".");
            self.host.sleep(BETWEEN_LOOKS).await;
            dots += 1;
            if dots > patience {
                self.warn_of_broken_links().await;
                dots = 0;
            }
        }
        self.say("\n");
    }

    async fn warn_of_broken_links(&mut self) {
        let mut unreachable: HashOrdered<Vec<Address>> = HashOrdered::new();
        for node in self.all() {
            for address in self.broken_links(node).await {
                let seen_by = self[node].address.clone();
                match unreachable.find(&address) {
                    Some(from) => from.push(seen_by),
                    None => unreachable.insert(&address, vec![seen_by]),
                }
            }
        }
        if unreachable.len() == 0 {
            return;
        }
        self.say("\n");
        self.error(format_args!("Warning: {} node(s) may be unreachable\n", unreachable.len()));
        for (address, from) in unreachable.iter() {
            self.error(unreachable_line(address));
            for place in from {
                self.error(format_args!("   {place}\n"));
            }
            self.error(BUS_PORT_ADVICE);
        }
    }

    /// The addresses of nodes that this node has no working link to. Errors are printed.
    async fn broken_links(&mut self, node: MemberIx) -> Vec<String> {
        let Ok(reply) = self.demand(node, args(["CLUSTER", "NODES"])).await else {
            return Vec::new();
        };
        let broken = |line: &NodesLine<'_>| {
            line.link_state.contains("disconnected")
                || line.flags.contains("disconnected")
                || line.flags.contains("handshake")
        };
        nodes_lines(text_of(&reply))
            .filter(|line| !line.is_myself() && broken(line))
            .map(|line| line.address.to_owned())
            .collect()
    }
}

/// ` - …` for `ip:port@bus_port`. Without a bus port even the port is lost, as in the real tool.
fn unreachable_line(address: &str) -> String {
    let (place, bus_port) = address.rsplit_once('@').unwrap_or((address, ""));
    let host = place.rsplit_once(':').map(|(host, _)| host);
    match (host, atoi(bus_port)) {
        (Some(host), bus_port) if bus_port != 0 => {
            format!(" - The port {bus_port} of node {host} may be unreachable from:\n")
        }
        (host, _) => {
            format!(" - Node {} may be unreachable from:\n", host.unwrap_or(place))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_port_is_named_if_the_address_has_one_5_6() {
        let line = unreachable_line("127.0.0.1:7000@17000");
        assert_eq!(line, " - The port 17000 of node 127.0.0.1 may be unreachable from:\n");
        let line = unreachable_line("127.0.0.1:7000");
        assert_eq!(line, " - Node 127.0.0.1 may be unreachable from:\n");
    }
}
