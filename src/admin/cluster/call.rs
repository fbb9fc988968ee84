//! `call`: the same command to every node (cli §13).

use super::{Host, Manager, Stop};
use crate::admin::format;
use crate::resp::args;

impl<H: Host> Manager<'_, H> {
    /// `call host:port command arg arg .. arg`
    pub(super) async fn call_command(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(&arguments[..1])?;
        self.load(address).await?;
        let words = &arguments[1..];
        self.info(">>> Calling");
        self.say(format!(" {}\n", words.join(" ")));
        for node in self.all() {
            let is_replica = self[node].master.is_some();
            if (self.options.only_masters && is_replica)
                || (self.options.only_replicas && !is_replica)
            {
                continue;
            }
            let reply = self.ask(node, args(words)).await;
            let text = reply.map_or_else(|| b"Failed!".to_vec(), |reply| format::raw(&reply));
            let address = self[node].address.to_string();
            self.say([address.as_bytes(), b": ", &text, b"\n"].concat());
        }
        Ok(())
    }
}
