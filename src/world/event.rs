//! What can be waiting in the event queue.

use crate::network::NodeNo;
use crate::network::message::Message;
use crate::node::effect::LinkId;
use crate::time::Time;
use crate::world::queue::EventId;

/// An event and why it happens.
#[derive(Debug)]
pub(crate) struct Event {
    /// The event during which this one was scheduled.
    pub(crate) cause: EventId,
    pub(crate) what: Happening,
}

/// What happens.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A node of a formed cluster is started.
    Start(NodeNo),
    /// Something is due in a process, if it is still the same process.
    Due(NodeNo, Incarnation, Due),
    /// A SYN reaches the host that is dialled.
    Syn(LinkId),
    /// The answer to a SYN reaches the opener: the connection is established.
    SynAck(LinkId),
    /// The RST for a SYN reaches the opener that was sent when nobody listened. It arrived in between,
    /// perhaps when somebody did.
    Unheard(LinkId),
    /// The RST for a SYN reaches the opener, or its last attempt has timed out.
    Refused(LinkId),
    /// The opener sends its SYN again, for the given time.
    Retry(LinkId, u32),
    /// A message reaches an end.
    Arrival(LinkId, Message),
    /// A kernel sends again what an end holds, unless it does not hold it since this time any more.
    Resend(LinkId, Time),
    /// A kernel gives up what a closed end holds.
    Orphan(LinkId),
}

/// How many processes were started for a node before this one.
pub(crate) type Incarnation = u32;

/// What can be due in a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// The next stage of starting up.
    BootStep,
    /// The end of a child with this process id.
    ChildExit(u32),
    /// The end of writing the part of a data set of this number.
    TransferDone(u32),
    /// The end of its sleep.
    Awake,
    /// The time limit of its reading, unless something has come since.
    ReadTimeout(u32),
    /// The end of its crash report.
    Death,
    /// The time limit of its call, unless the call has come further since.
    CallTimeout(u32),
}

impl Happening {
    /// The connection that it refers to.
    pub(crate) fn link(&self) -> Option<LinkId> {
        match self {
            Happening::Start(_) | Happening::Due(..) => None,
            Happening::Syn(link)
            | Happening::SynAck(link)
            | Happening::Unheard(link)
            | Happening::Refused(link)
            | Happening::Retry(link, _)
            | Happening::Arrival(link, _)
            | Happening::Resend(link, _)
            | Happening::Orphan(link) => Some(*link),
        }
    }
}
