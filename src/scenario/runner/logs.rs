//! The logs of all nodes, as an observer of the world collects them.

use std::cell::RefCell;
use std::rc::Rc;

use crate::id::Ids;
use crate::network::NodeNo;
use crate::node::log::Level;
use crate::scenario::record::LogLine;
use crate::world::{Observer, Record, Wants, What};

/// Every line that was written so far.
#[derive(Debug, Default)]
pub(super) struct LogBook {
    lines: Vec<LogLine>,
    /// How many of them were looked at as they came in.
    seen: usize,
    /// For each node: how many of all lines there were when its log was last shown.
    shown: Vec<usize>,
}

/// The log book, and the observer that fills it.
pub(super) type SharedLogBook = Rc<RefCell<LogBook>>;

/// Writes down every log line.
pub(super) struct Scribe(pub(super) SharedLogBook);

impl Observer for Scribe {
    fn wants(&self) -> Wants {
        // Each process writes only what its own `loglevel` lets through.
        Wants { log: Some(Level::Debug), ..Wants::default() }
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        if let What::Log { node, pid, wall, level, role, text } = record.what {
            let line = LogLine { node, pid, role, wall, level, text: text.to_owned() };
            self.0.borrow_mut().lines.push(line);
        }
    }
}

impl LogBook {
    /// A book for this many nodes.
    pub(super) fn new(nodes: usize) -> LogBook {
        LogBook { lines: Vec::new(), seen: 0, shown: vec![0; nodes] }
    }

    /// Whether lines came in that nobody looked at.
    pub(super) fn has_fresh(&self) -> bool {
        self.seen < self.lines.len()
    }

    /// The lines that came in since the last call.
    pub(super) fn take_fresh(&mut self) -> Vec<LogLine> {
        let fresh = self.lines[self.seen..].to_vec();
        self.seen = self.lines.len();
        fresh
    }

    /// A node's lines since its log was last shown.
    pub(super) fn take_new(&mut self, node: NodeNo) -> Vec<LogLine> {
        let from = std::mem::replace(&mut self.shown[node.index()], self.lines.len());
        self.lines[from..].iter().filter(|line| line.node == node).cloned().collect()
    }

    /// Takes everything that was written so far for shown.
    pub(super) fn pass_over_all(&mut self) {
        self.shown.fill(self.lines.len());
    }

    /// Everything that a node ever wrote.
    pub(super) fn all_of(&self, node: NodeNo) -> impl Iterator<Item = &LogLine> {
        self.lines.iter().filter(move |line| line.node == node)
    }
}
