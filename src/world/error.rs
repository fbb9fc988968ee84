//! Why something could not be done to a world.

use crate::network::NodeNo;
use crate::world::machine::ProcessStatus;

/// Why a fault could not be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// There is no such node.
    #[error("there is no node number {}", .0.0)]
    NoSuchNode(NodeNo),
    /// It has a process already.
    #[error("the node is running already")]
    AlreadyRunning,
    /// It has no process.
    #[error("the node is not running")]
    NotRunning,
    /// It is stopped already.
    #[error("the node is paused already")]
    AlreadyPaused,
    /// It is not stopped.
    #[error("the node is not paused ({0:?})")]
    NotPaused(ProcessStatus),
    /// It dies anyway.
    #[error("the node is crashing already")]
    AlreadyCrashing,
    /// A trap for the same packets is set already.
    #[error("an earlier step waits for these messages already")]
    TrapIsSet,
    /// It is to die at some point already.
    #[error("an earlier step waits for the node to get to a point already")]
    IsArmed,
    /// There is no nodes.conf.
    #[error("the node has written no nodes.conf yet")]
    NoConfig,
    /// Nothing is on the disk.
    #[error("its disk is empty already")]
    NoFiles,
    /// Nobody has copied what is on its disk.
    #[error("no earlier step has made a snapshot of its disk")]
    NoSnapshot,
    /// The disk is as it was.
    #[error("its disk is as it was when the snapshot was made")]
    NothingChanged,
    /// It runs, and would go on with what it has in memory.
    #[error("the node is running: what it finds on its disk matters when it is started")]
    ReadsNothing,
    /// A node that runs has the address.
    #[error("another node that runs has this address")]
    AddressInUse,
}

/// The run was stopped because it processed as many events as it was allowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run has used up its budget of {budget} events")]
pub struct BudgetSpent {
    /// How many it was allowed.
    pub budget: u64,
}
