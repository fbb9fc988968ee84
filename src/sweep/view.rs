//! What an outsider who sees everything knows of a cluster: who lives, and who thinks what of whom.

use std::collections::BTreeSet;

use smallvec::{SmallVec, smallvec};

use crate::id::NodeIx;
use crate::network::NodeNo;
use crate::node::config::Mode;
use crate::node::effect::Notice;
use crate::resp::Args;
use crate::sweep::event::{Deed, Turn};
use crate::world::What;
use crate::world::observe::Fault;

/// The nodes, as what they said last makes them out.
#[derive(Debug, Default)]
pub(super) struct View {
    nodes: Vec<NodeView>,
}

/// A node and what it thinks.
#[derive(Debug, Default)]
struct NodeView {
    /// Its process runs, and is a node of the cluster.
    runs: bool,
    /// Its process answers nobody: it is stopped, or writes its crash report.
    mute: bool,
    name: Option<NodeIx>,
    state_ok: bool,
    doubted: BTreeSet<NodeIx>,
    failed: BTreeSet<NodeIx>,
    known: BTreeSet<NodeIx>,
    strangers: BTreeSet<NodeIx>,
}

/// Something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Something was done to the cluster, and perhaps to one node.
    Deed(Deed, Option<NodeNo>),
    /// A node took a turn, with regard to another one if it is of that kind.
    Turn(Turn, NodeNo, Option<NodeIx>),
    /// Something that has no name, but may make true what is asked of all.
    Other,
}

/// What a record amounts to.
pub(super) type Changes = SmallVec<[Change; 2]>;

impl View {
    /// Takes note of a record.
    pub(super) fn absorb(&mut self, what: &What<'_>) -> Changes {
        match *what {
            What::Fault(fault) => self.fault(fault),
            What::Started { node, mode, .. } => {
                let (runs, name) = (mode == Mode::Cluster, self.node(node).name);
                *self.node(node) = NodeView { runs, name, ..NodeView::default() };
                smallvec![Change::Deed(Deed::Restart, Some(node))]
            }
            What::Crashed { node } => {
                self.node(node).mute = true;
                let node = Some(node);
                smallvec![Change::Deed(Deed::Segfault, node), Change::Deed(Deed::Crash, node)]
            }
            What::Ended { node, .. } => {
                self.node(node).runs = false;
                smallvec![Change::Other]
            }
            What::Notice { node, notice } => self.notice(node, notice),
            What::Command { args, .. } if is_meet(args) => {
                smallvec![Change::Deed(Deed::Meet, None)]
            }
            _ => Changes::new(),
        }
    }

    fn fault(&mut self, fault: Fault<'_>) -> Changes {
        let deed = |deed, node| Change::Deed(deed, Some(node));
        match fault {
            Fault::Kill(node) => smallvec![deed(Deed::Kill, node), deed(Deed::Crash, node)],
            Fault::PowerOff(node) => smallvec![deed(Deed::Crash, node)],
            Fault::Terminate(node) => smallvec![deed(Deed::Stop, node)],
            Fault::Pause(node) => {
                self.node(node).mute = true;
                smallvec![deed(Deed::Pause, node)]
            }
            Fault::Resume(node) => {
                self.node(node).mute = false;
                smallvec![deed(Deed::Resume, node)]
            }
            Fault::Partition(_) | Fault::Cut(..) => smallvec![Change::Deed(Deed::Partition, None)],
            Fault::Heal => smallvec![Change::Deed(Deed::Heal, None)],
            // What happens then is told by `Crashed`.
            Fault::Crash(_)
            | Fault::Clock(..)
            | Fault::Drift(..)
            | Fault::Mend(..)
            | Fault::Delay(..)
            | Fault::Loss(..)
            | Fault::Trap(..)
            | Fault::Release(..)
            | Fault::Arm(..)
            | Fault::SlowDisk(..)
            | Fault::LoseConfig(_)
            | Fault::TearConfig(_)
            | Fault::Snapshot(_)
            | Fault::Restore(_)
            | Fault::LoseDisk(_)
            | Fault::Move(..) => Changes::new(),
        }
    }

    fn notice(&mut self, node: NodeNo, notice: Notice) -> Changes {
        let its = self.node(node);
        let turn = |turn, about| Change::Turn(turn, node, about);
        match notice {
            Notice::Pfail(about) => {
                its.doubted.insert(about);
                smallvec![turn(Turn::Pfail, Some(about))]
            }
            Notice::PfailCleared(about) => {
                its.doubted.remove(&about);
                Changes::new()
            }
            Notice::Fail(about) => {
                let is_new = its.doubted.insert(about);
                its.failed.insert(about);
                let mut changes = Changes::new();
                changes.extend(is_new.then_some(turn(Turn::Pfail, Some(about))));
                changes.push(turn(Turn::Fail, Some(about)));
                changes
            }
            Notice::FailCleared(about) => {
                its.doubted.remove(&about);
                its.failed.remove(&about);
                smallvec![turn(Turn::Cleared, Some(about))]
            }
            Notice::State { ok } => {
                its.state_ok = ok;
                smallvec![turn(if ok { Turn::Ok } else { Turn::Down }, None)]
            }
            Notice::Election => smallvec![turn(Turn::Election, None)],
            Notice::Loaded | Notice::Serving | Notice::Flushed => Changes::new(),
            Notice::Promoted => smallvec![turn(Turn::Promotion, None)],
            Notice::Myself(name) => {
                its.name = Some(name);
                smallvec![Change::Other]
            }
            Notice::Stranger(about) => {
                its.strangers.insert(about);
                Changes::new()
            }
            Notice::Known(about) => {
                its.known.insert(about);
                smallvec![Change::Other]
            }
            Notice::Forgotten(about) => {
                for set in [&mut its.doubted, &mut its.failed, &mut its.known, &mut its.strangers] {
                    set.remove(&about);
                }
                smallvec![Change::Other]
            }
        }
    }

    fn node(&mut self, node: NodeNo) -> &mut NodeView {
        if node.index() >= self.nodes.len() {
            self.nodes.resize_with(node.index() + 1, NodeView::default);
        }
        &mut self.nodes[node.index()]
    }

    /// What others call a node.
    pub(super) fn name(&self, node: NodeNo) -> Option<NodeIx> {
        self.nodes.get(node.index())?.name
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the node has taken this turn and nothing has undone it; a node that does not live
    /// does not count, nor does the victim where others are asked about it.
    pub(super) fn stands(&self, turn: Turn, node: usize, victim: Option<NodeNo>) -> bool {
        let its = &self.nodes[node];
        let is_victim = victim.is_some_and(|victim| victim.index() == node);
        if !its.lives() || turn.is_about_victim() && is_victim {
            return true;
        }
        let about = victim.and_then(|victim| self.name(victim));
        let among = |set: &BTreeSet<NodeIx>| about.is_some_and(|about| set.contains(&about));
        match turn {
            Turn::Pfail => among(&its.doubted),
            Turn::Fail => among(&its.failed),
            Turn::Cleared => !among(&its.failed),
            Turn::Ok => its.state_ok,
            Turn::Down => !its.state_ok,
            // These are of one node, and nobody asks whether all have taken them.
            Turn::Election | Turn::Promotion => false,
        }
    }

    /// Whether a node, if it lives, knows all others that live, and greets nobody.
    pub(super) fn knows_all(&self, node: usize) -> bool {
        let its = &self.nodes[node];
        let is_known = |name: NodeIx| its.name == Some(name) || its.known.contains(&name);
        let mut living = self.nodes.iter().filter(|other| other.lives());
        !its.lives()
            || its.strangers.is_empty() && living.all(|other| other.name.is_some_and(is_known))
    }
}

impl NodeView {
    fn lives(&self) -> bool {
        self.runs && !self.mute
    }
}

fn is_meet(args: &Args) -> bool {
    let is = |at: usize, word: &str| {
        args.get(at).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    is(0, "cluster") && is(1, "meet")
}
