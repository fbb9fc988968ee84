//! `set-timeout`: cluster-node-timeout on every node (cli §14).

use super::{Host, Manager, MemberIx, Stop};
use crate::admin::numbers::atoi;
use crate::resp::{Args, Reply, args};

impl<H: Host> Manager<'_, H> {
    /// `set-timeout host:port milliseconds`
    pub(super) async fn set_timeout(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(&arguments[..1])?;
        let timeout = atoi(&arguments[1]);
        if timeout < 100 {
            self.complain("Setting a node timeout of less than 100 milliseconds is a bad idea.\n");
            return Err(Stop::Failed);
        }
        self.load(address).await?;
        self.info(">>> Reconfiguring node timeout in every cluster node...\n");
        let (mut done, mut failed) = (0, 0);
        for node in self.all() {
            let outcome = self.set_and_save(node, timeout).await;
            let address = self[node].address.clone();
            match outcome {
                Ok(()) => {
                    self.warn(format_args!("*** New timeout set for {address}\n"));
                    done += 1;
                }
                Err(error) => {
                    self.error(format_args!("ERR setting node-timeot for {address}: {error}\n"));
                    failed += 1;
                }
            }
        }
        self.info(format_args!(">>> New node timeout set. {done} OK, {failed} ERR.\n"));
        Ok(())
    }

    async fn set_and_save(&mut self, node: MemberIx, timeout: i32) -> Result<(), String> {
        let set = args(["CONFIG", "SET", "cluster-node-timeout", &timeout.to_string()]);
        self.try_command(node, set).await?;
        self.try_command(node, args(["CONFIG", "REWRITE"])).await
    }

    /// The error is the node's text; there is none if the connection was lost.
    async fn try_command(&mut self, node: MemberIx, command: Args) -> Result<(), String> {
        match self.ask(node, command).await {
            Some(Reply::Error(text)) => Err(text),
            Some(_) => Ok(()),
            None => Err(String::new()),
        }
    }
}
