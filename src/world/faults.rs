//! What can be done to nodes and to the network from outside.

use crate::network::graph::{Delay, Paths};
use crate::network::{NodeNo, Site};
use crate::time::Time;
use crate::world::event::LinkEvent;
use crate::world::fingerprint::OutsideTag;
use crate::world::machine::{Arrived, Busy, Running};
use crate::world::observe::Fault;
use crate::world::{FaultError, Program, What, World};

impl<P: Program> World<P> {
    /// Starts a node's process.
    ///
    /// # Errors
    /// If it runs already.
    pub fn start(&mut self, node: NodeNo) -> Result<(), FaultError> {
        let machine = self.machines.get(node.index()).ok_or(FaultError::NoSuchNode(node))?;
        if machine.running.is_some() {
            return Err(FaultError::AlreadyRunning);
        }
        self.begin_outside(OutsideTag::Start, node.0);
        self.execute(node);
        Ok(())
    }

    /// Kills a node's process (SIGKILL).
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.running(node)?;
        self.interfere(Fault::Kill(node));
        self.end_process(node, None);
        Ok(())
    }

    /// Makes a node's process crash (SIGSEGV): it writes its report, answering nobody, and dies.
    ///
    /// # Errors
    /// If it does not run or crashes already.
    pub fn crash(&mut self, node: NodeNo) -> Result<(), FaultError> {
        if matches!(self.running(node)?.busy, Busy::Crashing) {
            return Err(FaultError::AlreadyCrashing);
        }
        self.interfere(Fault::Crash(node));
        self.begin_crash(node);
        Ok(())
    }

    /// Asks a node's process to shut down (SIGTERM).
    ///
    /// # Errors
    /// If it does not run.
    pub fn terminate(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.running(node)?;
        self.interfere(Fault::Terminate(node));
        self.take_in(node, Arrived::Terminate);
        Ok(())
    }

    /// Stops a node's process (SIGSTOP). Its kernel still accepts connections and keeps what comes
    /// in.
    ///
    /// # Errors
    /// If it does not run or is stopped already.
    pub fn pause(&mut self, node: NodeNo) -> Result<(), FaultError> {
        if self.running(node)?.paused {
            return Err(FaultError::AlreadyPaused);
        }
        self.interfere(Fault::Pause(node));
        self.running(node)?.paused = true;
        Ok(())
    }

    /// Lets a stopped process go on (SIGCONT).
    ///
    /// # Errors
    /// If it does not run or is not stopped.
    pub fn resume(&mut self, node: NodeNo) -> Result<(), FaultError> {
        if !self.running(node)?.paused {
            return Err(FaultError::NotPaused(self.status(node)));
        }
        self.interfere(Fault::Resume(node));
        self.running(node)?.paused = false;
        self.wake(node);
        Ok(())
    }

    /// Cuts the power of a node's machine: its process is gone without a word to anybody, and so is
    /// what it had written and not synced. Starting it again gives the machine its power back.
    ///
    /// # Errors
    /// If it does not run.
    pub fn power_off(&mut self, node: NodeNo) -> Result<(), FaultError> {
        self.running(node)?;
        self.interfere(Fault::PowerOff(node));
        self.lose_power(node);
        Ok(())
    }

    pub(super) fn lose_power(&mut self, node: NodeNo) {
        for link in self.network.ends_at(Site::Node(node)) {
            self.vanish(link);
        }
        self.network.set_power(node, false);
        let clock = self.clock(node);
        let death = self.machines[node.index()].disk.lose_power(self.now, clock);
        self.bury(node, None, death);
    }

    /// Sets a node's clock: how far it is ahead of the right time, in microseconds.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn set_clock(&mut self, node: NodeNo, offset: i64) -> Result<(), FaultError> {
        if self.machines.get(node.index()).is_none() {
            return Err(FaultError::NoSuchNode(node));
        }
        self.interfere(Fault::Clock(node, offset));
        self.machines[node.index()].clock_offset = offset;
        Ok(())
    }

    /// Sets a node's clock forward or back by so many microseconds.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn jump_clock(&mut self, node: NodeNo, by: i64) -> Result<(), FaultError> {
        let machine = self.machines.get(node.index()).ok_or(FaultError::NoSuchNode(node))?;
        self.set_clock(node, machine.clock_offset.saturating_add(by))
    }

    /// Lets a node's clock gain so many microseconds in a second from now on, or lose them.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn drift_clock(&mut self, node: NodeNo, drift: i32) -> Result<(), FaultError> {
        if self.machines.get(node.index()).is_none() {
            return Err(FaultError::NoSuchNode(node));
        }
        self.interfere(Fault::Drift(node, drift));
        let now = self.now;
        self.machines[node.index()].set_drift(drift, now);
        Ok(())
    }

    /// How many microseconds a node's clock gains in a second.
    #[must_use]
    pub fn drift(&self, node: NodeNo) -> i32 {
        self.machines.get(node.index()).map_or(0, |machine| machine.drift)
    }

    /// Cuts all paths between nodes of different groups, in both directions. Nodes that are in no
    /// group are one more group. Clients reach everybody still.
    pub fn partition(&mut self, groups: &[Vec<NodeNo>]) {
        self.disturb(Fault::Partition(groups), |paths| paths.partition(groups));
    }

    /// Cuts the path in one direction.
    pub fn cut(&mut self, from: impl Into<Site>, to: impl Into<Site>) {
        let (from, to) = (from.into(), to.into());
        self.disturb(Fault::Cut(from, to), |paths| paths.change(from, to, |path| path.cut = true));
    }

    /// Mends a path that was cut.
    pub fn mend(&mut self, from: impl Into<Site>, to: impl Into<Site>) {
        let (from, to) = (from.into(), to.into());
        self.disturb(Fault::Mend(from, to), |paths| {
            paths.change(from, to, |path| path.cut = false);
        });
    }

    /// Cuts these paths, all at once, or mends them.
    pub fn change_cuts(&mut self, pairs: &[(NodeNo, NodeNo)], cut: bool) {
        self.begin_outside(OutsideTag::Cuts, u32::from(cut));
        if self.observers.wants.faults {
            for &(from, to) in pairs {
                let (from, to) = (from.into(), to.into());
                let fault = if cut { Fault::Cut(from, to) } else { Fault::Mend(from, to) };
                self.record(What::Fault(fault));
            }
        }
        self.change_paths(|paths| {
            for &(from, to) in pairs {
                paths.change(from.into(), to.into(), |path| path.cut = cut);
            }
        });
    }

    /// All paths that anything met with something wrong on, and a time at which it did, not before the
    /// paths last changed if it still does.
    pub fn hits(&self) -> impl Iterator<Item = (Site, Site, Time)> {
        self.network.hits()
    }

    /// Mends everything that was cut. Delays and losses stay.
    pub fn heal(&mut self) {
        self.disturb(Fault::Heal, Paths::heal);
    }

    /// Makes one direction slower than usual by this much, from now on; zero makes it normal again.
    pub fn set_delay(
        &mut self,
        from: impl Into<Site>,
        to: impl Into<Site>,
        delay: impl Into<Delay>,
    ) {
        let (from, to, delay) = (from.into(), to.into(), delay.into());
        self.disturb(Fault::Delay(from, to, delay), |paths| {
            paths.change(from, to, |path| path.delay = delay);
        });
    }

    /// Makes one direction lose this many of a thousand segments, from now on.
    pub fn set_loss(&mut self, from: impl Into<Site>, to: impl Into<Site>, per_mille: u16) {
        let (from, to) = (from.into(), to.into());
        self.disturb(Fault::Loss(from, to, per_mille), |paths| {
            paths.change(from, to, |path| path.loss_per_mille = per_mille);
        });
    }

    pub(super) fn running(&mut self, node: NodeNo) -> Result<&mut Running<P>, FaultError> {
        let machine = self.machines.get_mut(node.index()).ok_or(FaultError::NoSuchNode(node))?;
        machine.running.as_deref_mut().ok_or(FaultError::NotRunning)
    }

    /// Begins a fault, and tells observers of it.
    pub(super) fn interfere(&mut self, fault: Fault<'_>) {
        let (tag, subject) = in_fingerprint(&fault);
        self.begin_outside(tag, subject);
        if self.observers.wants.faults {
            self.record(What::Fault(fault));
        }
    }

    /// Changes the network. Kernels that can send again what they hold will do so.
    fn disturb(&mut self, fault: Fault<'_>, change: impl FnOnce(&mut Paths)) {
        self.interfere(fault);
        self.change_paths(change);
    }

    fn change_paths(&mut self, change: impl FnOnce(&mut Paths)) {
        for (link, at, since) in self.network.change_paths(self.now, change) {
            self.schedule_at(link, at, LinkEvent::Resend(since));
        }
    }
}

/// What stands for a fault in the fingerprint: its kind, and the node that it hits first.
fn in_fingerprint(fault: &Fault<'_>) -> (OutsideTag, u32) {
    let (tag, node) = match *fault {
        Fault::Kill(node) => (OutsideTag::Kill, node),
        Fault::Crash(node) => (OutsideTag::Crash, node),
        Fault::Terminate(node) => (OutsideTag::Terminate, node),
        Fault::Pause(node) => (OutsideTag::Pause, node),
        Fault::Resume(node) => (OutsideTag::Resume, node),
        Fault::PowerOff(node) => (OutsideTag::PowerOff, node),
        Fault::Clock(node, _) => (OutsideTag::Clock, node),
        Fault::Drift(node, _) => (OutsideTag::Drift, node),
        Fault::Partition(_)
        | Fault::Cut(..)
        | Fault::Mend(..)
        | Fault::Heal
        | Fault::Delay(..)
        | Fault::Loss(..) => return (OutsideTag::Paths, 0),
        Fault::Trap((from, ..), _) => (OutsideTag::Trap, from),
        Fault::Release(from, _) => (OutsideTag::Release, from),
        Fault::Arm(node, _) => (OutsideTag::Arm, node),
        Fault::SlowDisk(node, _) => (OutsideTag::SlowDisk, node),
        Fault::LoseConfig(node) => (OutsideTag::LoseConfig, node),
        Fault::TearConfig(node) => (OutsideTag::TearConfig, node),
        Fault::Snapshot(node) => (OutsideTag::Snapshot, node),
        Fault::Restore(node) => (OutsideTag::Restore, node),
        Fault::LoseDisk(node) => (OutsideTag::LoseDisk, node),
        Fault::Move(node, ..) => (OutsideTag::Move, node),
    };
    (tag, node.0)
}
