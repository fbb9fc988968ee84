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
    /// Something happens to a connection, which is not forgotten before.
    At(LinkId, LinkEvent),
}

/// What happens to an end of a connection.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// A SYN reaches the host that is dialled.
    Syn,
    /// The answer to a SYN reaches the opener: the connection is established.
    SynAck,
    /// The RST for a SYN reaches the opener that was sent when nobody listened. It arrived in between,
    /// perhaps when somebody did.
    Unheard,
    /// The RST for a SYN reaches the opener, or its last attempt has timed out.
    Refused,
    /// The opener sends its SYN again, for the given time.
    Retry(u32),
    /// A message reaches an end.
    Arrival(Message),
    /// A kernel sends again what an end holds, unless it does not hold it since this time any more.
    Resend(Time),
    /// A kernel gives up what a closed end holds.
    Orphan,
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
