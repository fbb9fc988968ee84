//! What can be done to the disks of nodes, and to where the nodes are.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::id::{Endpoint, NodeId};
use crate::network::NodeNo;
use crate::time::Span;
use crate::world::disk::VirtualDisk;
use crate::world::observe::Fault;
use crate::world::{FaultError, Program, World};

/// A disk that takes its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SlowDisk {
    /// How long a sync takes.
    takes: Span,
    /// Whether anybody has waited for it.
    was_waited_for: bool,
}

/// What was on a node's disk at some time.
#[derive(Debug)]
pub(crate) struct Snapshot {
    disk: VirtualDisk,
    /// The id that a process takes if there is no nodes.conf.
    id: Option<NodeId>,
}

impl SlowDisk {
    /// The disks of so many nodes, if they take time.
    pub(super) fn all(takes: Span, nodes: u32) -> BTreeMap<NodeNo, SlowDisk> {
        let nodes = if takes > Span::ZERO { nodes } else { 0 };
        (0..nodes).map(|node| (NodeNo(node), SlowDisk { takes, was_waited_for: false })).collect()
    }
}

impl<P: Program> World<P> {
    /// Makes each sync of a node's nodes.conf take so long, from now on; its process does nothing else
    /// meanwhile. With zero it takes no time any more.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn slow_disk(&mut self, node: NodeNo, takes: Span) -> Result<(), FaultError> {
        self.check_node(node)?;
        self.interfere(Fault::SlowDisk(node, takes));
        match takes {
            Span::ZERO => self.slow_disks.remove(&node),
            takes => self.slow_disks.insert(node, SlowDisk { takes, was_waited_for: false }),
        };
        Ok(())
    }

    /// How long each sync of a node takes.
    #[must_use]
    pub fn sync_lasts(&self, node: NodeNo) -> Span {
        self.slow_disks.get(&node).map_or(Span::ZERO, |disk| disk.takes)
    }

    /// Whether a process has waited for a slow disk; `None` if the disk is not slow.
    #[must_use]
    pub fn was_waited_for(&self, node: NodeNo) -> Option<bool> {
        self.slow_disks.get(&node).map(|disk| disk.was_waited_for)
    }

    /// How long a sync takes that happens now, if it takes any time.
    pub(super) fn sync_takes(&mut self, node: NodeNo) -> Option<Span> {
        let disk = self.slow_disks.get_mut(&node)?;
        disk.was_waited_for = true;
        Some(disk.takes)
    }

    /// Removes a node's nodes.conf. A process that runs does not notice, and writes another.
    ///
    /// # Errors
    /// If there is none.
    pub fn lose_config(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.check_node(node)?;
        let machine = &mut self.machines[node.index()];
        if !machine.disk.lose_config() {
            return Err(FaultError::NoConfig);
        }
        // The id stood in that file and nowhere else.
        machine.setup.id = None;
        self.interfere(Fault::LoseConfig(node));
        Ok(())
    }

    /// Leaves only the beginning of a node's nodes.conf, up to the middle of a line.
    ///
    /// # Errors
    /// If there is none.
    pub fn tear_config(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.check_node(node)?;
        if !self.machines[node.index()].disk.tear_config() {
            return Err(FaultError::NoConfig);
        }
        self.interfere(Fault::TearConfig(node));
        Ok(())
    }

    /// Copies what is on a node's disk, with all that a process has written, synced or not.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn snapshot(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.check_node(node)?;
        self.interfere(Fault::Snapshot(node));
        let machine = &self.machines[node.index()];
        let mut disk = machine.disk.clone();
        if let Some(running) = &machine.running {
            disk.write_keys(running.program.keys_on_disk());
        }
        disk.sync();
        self.snapshots.insert(node, Snapshot { disk, id: machine.setup.id });
        Ok(())
    }

    /// Puts on a node's disk what it held when it was copied the last time.
    ///
    /// # Errors
    /// If the node runs, if nobody has copied its disk, or if nothing has changed since.
    pub fn restore(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.check_node(node)?;
        let Some(Snapshot { disk, id }) = self.snapshots.get(&node) else {
            return Err(FaultError::NoSnapshot);
        };
        let machine = &mut self.machines[node.index()];
        if machine.running.is_some() {
            return Err(FaultError::ReadsNothing);
        }
        if machine.disk.holds_the_same(disk) {
            return Err(FaultError::NothingChanged);
        }
        machine.disk = disk.clone();
        machine.setup.id = *id;
        self.interfere(Fault::Restore(node));
        Ok(())
    }

    /// Empties the disk of a node that does not run: its nodes.conf and its keys are gone.
    ///
    /// # Errors
    /// If it runs, or nothing is on its disk.
    pub fn lose_disk(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.check_node(node)?;
        let machine = &mut self.machines[node.index()];
        if machine.running.is_some() {
            return Err(FaultError::ReadsNothing);
        }
        if !machine.disk.lose_everything() {
            return Err(FaultError::NoFiles);
        }
        machine.setup.id = None;
        self.interfere(Fault::LoseDisk(node));
        Ok(())
    }

    /// Gives another address to a node that does not run. Who had the address before has it no more.
    ///
    /// # Errors
    /// If it runs, or a node that runs has the address.
    pub fn move_node(&mut self, node: NodeNo, ip: IpAddr, port: u16) -> Result<(), FaultError> {
        self.check_node(node)?;
        if self.machines[node.index()].running.is_some() {
            return Err(FaultError::AlreadyRunning);
        }
        self.check_address(node, SocketAddr::new(ip, port))?;
        self.interfere(Fault::Move(node, ip, port));
        let setup = &mut self.machines[node.index()].setup;
        setup.ip = ip;
        setup.config.port = port;
        setup.config.edit("port", &port.to_string());
        self.claim_address(node);
        Ok(())
    }

    /// What is sent to a node's address comes to this node from now on. Another node may have had the
    /// address meanwhile.
    pub(super) fn claim_address(&mut self, node: NodeNo) {
        let address = self.address(node);
        let (ip, port) = (address.ip(), address.port());
        self.network.set_address(node, ip);
        let ports = self.network.ports_mut();
        if !ports.belongs_to(ip, port, node) {
            let bus_port = port.saturating_add(Endpoint::BUS_PORT_OFFSET);
            ports.move_to(ip, [port, bus_port], node);
        }
    }

    /// Where a node is: the address and the port for clients.
    #[must_use]
    pub fn address(&self, node: NodeNo) -> SocketAddr {
        let setup = &self.machines[node.index()].setup;
        SocketAddr::new(setup.ip, setup.config.port)
    }

    /// Makes sure that nobody else who runs has an address.
    ///
    /// # Errors
    /// If somebody has.
    pub fn check_address(&self, node: NodeNo, address: SocketAddr) -> Result<(), FaultError> {
        let runs = |other: &NodeNo| self.machines[other.index()].running.is_some();
        let others = (0..self.machines.len() as u32).map(NodeNo).filter(|other| *other != node);
        match others.filter(runs).any(|other| self.address(other) == address) {
            true => Err(FaultError::AddressInUse),
            false => Ok(()),
        }
    }

    fn check_node(&self, node: NodeNo) -> Result<(), FaultError> {
        match self.machines.get(node.index()) {
            Some(_) => Ok(()),
            None => Err(FaultError::NoSuchNode(node)),
        }
    }
}
