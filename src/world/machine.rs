//! A node's machine: the process that runs on it, if any, and what outlives processes.

use std::collections::VecDeque;

use crate::network::message::Message;
use crate::node::effect::{CallResult, Effect, LinkId, Loss};
use crate::resp::Reply;
use crate::rng::Stream;
use crate::time::{Span, Time, Wall};
use crate::world::disk::VirtualDisk;
use crate::world::event::Incarnation;
use crate::world::queue::EventId;
use crate::world::setup::NodeSetup;

/// Where a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessStatus {
    /// There is no process.
    Down,
    /// It is starting up and listens to nobody yet.
    Starting,
    /// It runs.
    Running,
    /// It is stopped by SIGSTOP.
    Paused,
    /// It is busy with one thing and does nothing else: it sleeps, or waits for a call to end.
    Blocked,
    /// It writes its crash report and will die.
    Crashing,
}

/// One node's machine.
#[derive(Debug)]
pub(crate) struct Machine<P> {
    // What is rarely looked at is elsewhere: the engine walks over these records at random.
    pub(crate) setup: Box<NodeSetup>,
    pub(crate) disk: VirtualDisk,
    pub(crate) clock_offset: i64,
    /// How many microseconds its clock gains in a second.
    pub(crate) drift: i32,
    /// Since when it has gained them.
    pub(crate) drifts_since: Time,
    pub(crate) incarnations: Incarnation,
    pub(crate) pid_draws: Box<Stream>,
    pub(crate) running: Option<Box<Running<P>>>,
}

/// A process and what the kernel keeps for it.
#[derive(Debug)]
pub(crate) struct Running<P> {
    pub(crate) program: P,
    pub(crate) pid: u32,
    pub(crate) incarnation: Incarnation,
    pub(crate) listening: bool,
    pub(crate) paused: bool,
    pub(crate) busy: Busy,
    /// What it will do when it is no longer busy with what it does now.
    pub(crate) deferred: Vec<Effect>,
    /// What has come in and waits to be read.
    pub(crate) inbox: VecDeque<Pending>,
    /// A cron was due while it could not run.
    pub(crate) tick_overdue: bool,
    pub(crate) loop_draws: Stream,
    /// How many time limits of calls were set so far.
    pub(crate) call_timeouts: u32,
    /// It is loading: before anything but its input it goes on with that.
    pub(crate) load_step_due: bool,
    /// How many time limits of reading from one connection were set so far.
    pub(crate) read_timeouts: u32,
}

/// What keeps a process from doing anything else.
#[derive(Debug)]
pub(crate) enum Busy {
    /// Nothing.
    No,
    /// It sleeps.
    Sleeping,
    /// It waits for another server.
    Calling(Call),
    /// It reads from this connection, until the time limit of this number.
    Reading(LinkId, u32),
    /// It crashes.
    Crashing,
}

/// A synchronous call to another server.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) link: LinkId,
    pub(crate) connected: bool,
    /// The time for opening the connection is over: it is written to all the same.
    pub(crate) written_blindly: bool,
    pub(crate) timeout: Span,
    /// The number of the time limit that counts.
    pub(crate) limit: u32,
    pub(crate) expected: usize,
    pub(crate) replies: Vec<Reply>,
}

/// Something that waits until the process can take it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) id: EventId,
    pub(crate) cause: EventId,
    pub(crate) arrived: Arrived,
}

/// What comes in to a process.
#[derive(Debug)]
pub(crate) enum Arrived {
    BootStep,
    Connected(LinkId),
    Lost(LinkId, Loss),
    Message(LinkId, Message),
    CallDone(CallResult),
    ChildExit(u32),
    TransferDone(u32),
    ReadTimeout(u32),
    Terminate,
}

impl Arrived {
    pub(crate) fn link(&self) -> Option<LinkId> {
        match self {
            Arrived::Connected(link) | Arrived::Lost(link, _) | Arrived::Message(link, _) => {
                Some(*link)
            }
            Arrived::BootStep
            | Arrived::CallDone(_)
            | Arrived::ChildExit(_)
            | Arrived::TransferDone(_)
            | Arrived::ReadTimeout(_)
            | Arrived::Terminate => None,
        }
    }
}

impl<P> Machine<P> {
    /// What its clock shows.
    #[inline]
    pub(crate) fn clock(&self, start: Wall, now: Time) -> Wall {
        let offset = match self.drift {
            0 => self.clock_offset,
            _ => self.clock_offset.saturating_add(self.drifted(now)),
        };
        Wall((start.0 + now.0).saturating_add_signed(offset))
    }

    /// How far its clock has drifted since it last changed its pace, in microseconds.
    fn drifted(&self, now: Time) -> i64 {
        let drifted =
            i128::from(now.since(self.drifts_since).0) * i128::from(self.drift) / 1_000_000;
        i64::try_from(drifted).unwrap_or(i64::MAX)
    }

    /// Sets the pace of its clock, which goes on from what it shows now.
    pub(crate) fn set_drift(&mut self, drift: i32, now: Time) {
        self.clock_offset = self.clock_offset.saturating_add(self.drifted(now));
        self.drift = drift;
        self.drifts_since = now;
    }

    pub(crate) fn status(&self) -> ProcessStatus {
        match &self.running {
            None => ProcessStatus::Down,
            Some(running) => running.status(),
        }
    }

    /// The process id of the next process.
    pub(crate) fn next_pid(&mut self) -> u32 {
        match self.setup.pids.get(self.incarnations as usize) {
            Some(pid) => *pid,
            None => 2_000 + self.pid_draws.below(30_000),
        }
    }
}

impl<P> Running<P> {
    /// Whether it takes no input now.
    #[inline]
    pub(crate) fn is_blocked(&self) -> bool {
        self.paused || !matches!(self.busy, Busy::No)
    }

    /// Whether a cron is overdue and can run now; it is not overdue any more then.
    pub(crate) fn runs_overdue_cron(&mut self) -> bool {
        !self.is_blocked() && !self.load_step_due && std::mem::take(&mut self.tick_overdue)
    }

    /// Whether it takes this all the same: what it reads, and a signal that ends its loading.
    pub(crate) fn takes(&self, arrived: &Arrived) -> bool {
        let loads = self.load_step_due || matches!(self.busy, Busy::Reading(..));
        !self.paused
            && match arrived {
                Arrived::Terminate => loads,
                Arrived::ReadTimeout(number) => {
                    matches!(self.busy, Busy::Reading(_, current) if current == *number)
                }
                _ => matches!(self.busy, Busy::Reading(link, _) if arrived.link() == Some(link)),
            }
    }

    fn status(&self) -> ProcessStatus {
        match self.busy {
            Busy::Crashing => ProcessStatus::Crashing,
            _ if self.paused => ProcessStatus::Paused,
            Busy::Sleeping if !self.listening => ProcessStatus::Starting,
            Busy::Sleeping | Busy::Calling(_) | Busy::Reading(..) => ProcessStatus::Blocked,
            Busy::No if self.listening => ProcessStatus::Running,
            Busy::No => ProcessStatus::Starting,
        }
    }
}
