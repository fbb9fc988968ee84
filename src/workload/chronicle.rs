//! What an observer writes down of the turns that can cost data.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::id::Ids;
use crate::network::NodeNo;
use crate::node::effect::Notice;
use crate::time::Time;
use crate::world::{Observer, Record, Wants, What};

/// A turn that can cost data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A replica took over what its master had.
    Promoted,
    /// A replica dropped its data for its master's.
    Loaded,
    /// A node deleted all its keys.
    Flushed,
    /// A process has loaded its data and takes commands.
    Serving,
}

/// Turns that were not looked at yet.
pub(crate) type Chronicle = Rc<RefCell<VecDeque<(Time, NodeNo, Turn)>>>;

/// Writes the chronicle.
#[derive(Debug)]
pub(crate) struct Chronicler(pub(crate) Chronicle);

impl Observer for Chronicler {
    fn wants(&self) -> Wants {
        Wants { notices: true, ..Wants::default() }
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        let (node, turn) = match record.what {
            What::Notice { node, notice: Notice::Promoted } => (node, Turn::Promoted),
            What::Notice { node, notice: Notice::Loaded } => (node, Turn::Loaded),
            What::Notice { node, notice: Notice::Flushed } => (node, Turn::Flushed),
            What::Notice { node, notice: Notice::Serving } => (node, Turn::Serving),
            _ => return,
        };
        self.0.borrow_mut().push_back((record.at, node, turn));
    }
}
