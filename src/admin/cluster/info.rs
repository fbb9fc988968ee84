//! `info`, and the summary at the start of `check` and `fix` (cli §11).

use super::{Host, Manager, Stop};
use crate::resp::{Reply, args};
use crate::slot::SLOTS;

impl<H: Host> Manager<'_, H> {
    /// `info host:port`
    pub(super) async fn info_command(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(arguments)?;
        self.load(address).await?;
        self.show_summary().await;
        Ok(())
    }

    /// `check host:port` and `fix host:port`, which differ in what the check may do.
    pub(super) async fn check(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(arguments)?;
        self.load(address).await?;
        self.show_summary().await;
        self.check_cluster(true).await
    }

    /// Keys, slots and replicas of each master. Ends at the first node that does not say how many
    /// keys it has.
    async fn show_summary(&mut self) {
        let mut masters = 0;
        let mut keys = 0_i64;
        for node in self.masters() {
            let reply = self.ask(node, args(["DBSIZE"])).await;
            let Some(Reply::Int(count)) = reply else {
                let error = reply.as_ref().and_then(Reply::error).unwrap_or_default().to_owned();
                return self.print_reply_error(node, &error);
            };
            let member = &self[node];
            let replicas = self.nodes.iter().filter(|replica| {
                replica.flags.slave && replica.master.as_ref() == Some(&member.name)
            });
            let line = format!(
                "{} ({}...) -> {count} keys | {} slots | {} slaves.\n",
                member.address,
                member.name.short(),
                member.slot_count,
                replicas.count()
            );
            self.say(line);
            masters += 1;
            keys += count;
        }
        self.success(format_args!("[OK] {keys} keys in {masters} masters.\n"));
        let per_slot = keys as f32 / f32::from(SLOTS);
        self.say(format!("{per_slot:.2} keys per slot on average.\n"));
    }
}
