//! `create`: masters, slots, replicas, and then telling the nodes (5).

use super::join::JOIN_START;
use super::{Host, Manager, Member, MemberIx, REFERENCE, Stop, split_address};
use crate::admin::host::Address;
use crate::resp::{Reply, args};
use crate::slot::SLOTS;

impl<H: Host> Manager<'_, H> {
    /// `create host1:port1 ... hostN:portN`
    pub(super) async fn create(&mut self, arguments: &[String]) -> Result<(), Stop> {
        for argument in arguments {
            self.take_in(argument).await?;
        }
        let replicas = self.options.replicas;
        let masters = self.count_masters(replicas)?;
        self.info(format_args!(
            ">>> Performing hash slots allocation on {} nodes...\n",
            self.nodes.len()
        ));
        let sequence = self.interleave_by_host();
        let (masters, pool) = sequence.split_at(masters.min(sequence.len()));
        self.allot_slots(masters);
        self.allot_replicas(masters, pool, replicas);
        self.optimize_anti_affinity();
        self.show_nodes();
        if !self.options.yes && !self.confirm("Can I set the above configuration?").await {
            return Ok(());
        }
        self.apply().await
    }

    /// Looks at a node that is to be part of the cluster (cli §5.1).
    async fn take_in(&mut self, argument: &str) -> Result<(), Stop> {
        let Some(address) = split_address(argument) else {
            let shown = argument.rsplit_once('@').map_or(argument, |(address, _)| address);
            self.complain(format!("Invalid address format: {shown}\n"));
            return Err(Stop::Failed);
        };
        let node = MemberIx(self.nodes.len());
        self.nodes.push(Member::new(address));
        self.connect(node).await?;
        self.vet(node).await
    }

    /// At least three masters, or an explanation (cli §5.2).
    fn count_masters(&mut self, replicas: i32) -> Result<usize, Stop> {
        let total = self.nodes.len();
        let each = i64::from(replicas) + 1;
        let masters = (total as i64).checked_div(each).unwrap_or(0);
        if masters >= 3 {
            return Ok(masters as usize);
        }
        self.error(format_args!(
            "*** ERROR: Invalid configuration for cluster creation.\n\
             *** Redis Cluster requires at least 3 master nodes.\n\
             *** This is not possible with {total} nodes and {replicas} replicas per node."
        ));
        self.error(format_args!("\n*** At least {} nodes are required.\n", 3 * each));
        Err(Stop::Failed)
    }

    /// The hosts in the order in which they were first named, each with its nodes.
    pub(super) fn nodes_by_host(&self) -> Vec<Vec<MemberIx>> {
        let mut groups: Vec<Vec<MemberIx>> = Vec::new();
        for node in self.all() {
            let host = &self[node].address.host;
            match groups.iter_mut().find(|group| self[group[0]].address.host == *host) {
                Some(group) => group.push(node),
                None => groups.push(vec![node]),
            }
        }
        groups
    }

    /// One node of each host in turn, until none is left (cli §5.3).
    fn interleave_by_host(&self) -> Vec<MemberIx> {
        let groups = self.nodes_by_host();
        let longest = groups.iter().map(Vec::len).max().unwrap_or(0);
        (0..longest)
            .flat_map(|round| groups.iter().filter_map(move |group| group.get(round).copied()))
            .collect()
    }

    /// Cuts the slots into one range for each master, in 32-bit floats (cli §5.3).
    fn allot_slots(&mut self, masters: &[MemberIx]) {
        let step = f32::from(SLOTS) / masters.len() as f32;
        let mut cursor = 0.0_f32;
        let mut first = 0_i32;
        for (index, &master) in masters.iter().enumerate() {
            let rounded = f64::from(cursor + step - 1.0).round() as i32;
            let is_last = index + 1 == masters.len();
            let last = if is_last { i32::from(SLOTS) - 1 } else { rounded }.max(first);
            self.say(format!("Master[{index}] -> Slots {first} - {last}\n"));
            let range = (first..=last).filter_map(super::model::slot_number);
            let member = &mut self[master];
            range.for_each(|slot| member.slots.insert(slot));
            member.slot_count = last - first + 1;
            member.dirty = true;
            first = last + 1;
            cursor += step;
        }
    }

    /// Gives each master its replicas, and then what is left over (cli §5.4).
    fn allot_replicas(&mut self, masters: &[MemberIx], pool: &[MemberIx], replicas: i32) {
        let mut pool = pool.to_vec();
        if !pool.is_empty() {
            pool.rotate_left(1);
        }
        for &master in masters {
            for _ in 0..replicas {
                self.allot_replica(&mut pool, master);
            }
        }
        if pool.is_empty() {
            return;
        }
        self.say("Adding extra replicas...\n");
        for &master in masters {
            self.allot_replica(&mut pool, master);
        }
    }

    /// Takes the first node of the pool that lives at another host, else the first of all.
    fn allot_replica(&mut self, pool: &mut Vec<MemberIx>, master: MemberIx) {
        if pool.is_empty() {
            return;
        }
        let Address { host, .. } = &self[master].address;
        let elsewhere = pool.iter().position(|&node| self[node].address.host != *host);
        let replica = pool.remove(elsewhere.unwrap_or(0));
        let name = self[master].name.clone();
        self[replica].master = Some(name);
        self[replica].dirty = true;
        let line =
            format!("Adding replica {} to {}\n", self[replica].address, self[master].address);
        self.say(line);
    }

    /// Tells the nodes, joins them and checks the result, whose outcome does not matter (cli §5.6).
    async fn apply(&mut self) -> Result<(), Stop> {
        for node in self.all() {
            self.flush(node).await;
        }
        self.info(">>> Nodes configuration updated\n");
        self.info(">>> Assign a different config epoch to each node\n");
        for (node, epoch) in self.all().zip(1..) {
            let epoch: u32 = epoch;
            self.ask(node, args(["cluster", "set-config-epoch", &epoch.to_string()])).await;
        }
        self.info(">>> Sending CLUSTER MEET messages to join the cluster\n");
        for node in self.all().skip(1) {
            self.meet_first(node).await?;
        }
        self.host.sleep(JOIN_START).await;
        self.wait_for_join().await;
        for node in self.all() {
            self.flush(node).await;
        }
        self.reload().await?;
        match self.check_cluster(true).await {
            Ok(()) | Err(Stop::Failed) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Sends a node what was planned for it. A replica may not know its master yet; it stays dirty
    /// then. What a master answers to its slots is nobody's concern.
    async fn flush(&mut self, node: MemberIx) {
        let member = &self[node];
        if !member.dirty {
            return;
        }
        if let Some(master) = &member.master {
            let command = args(["CLUSTER", "REPLICATE", master.as_str()]);
            let reply = self.ask(node, command).await;
            self[node].dirty = reply.is_none_or(|reply| reply.error().is_some());
            return;
        }
        let mut command = args(["CLUSTER", "ADDSLOTS"]);
        // As many as were allotted, even if others came before them.
        let count = usize::try_from(member.slot_count).unwrap_or(0);
        command.extend(member.slots.iter().take(count).map(|slot| slot.to_string().into_bytes()));
        self.ask(node, command).await;
        self[node].dirty = false;
    }

    async fn meet_first(&mut self, node: MemberIx) -> Result<(), Stop> {
        let first = self[REFERENCE].address.clone();
        let command = args(["cluster", "meet", &first.host, &first.port.to_string()]);
        match self.ask(node, command).await {
            Some(Reply::Error(text)) => {
                self.print_reply_error(node, &text);
                Err(Stop::Failed)
            }
            Some(_) => Ok(()),
            None => {
                self.complain("Failed to send CLUSTER MEET command.\n");
                Err(Stop::Failed)
            }
        }
    }
}
