//! Virtual clients that keep books: what they wrote, what was acknowledged, and what became of it.
//!
//! A [`Workload`] is a number of clients that count up keys of their own (INCR), or append to lists
//! of their own (RPUSH), as fast as they are told to, and that behave as real cluster clients do: they
//! keep a map of the slots, follow redirections, give up waiting, and try again. Each key is written by one client only and by one
//! command at a time, so a reply says how many writes its key has seen, and every write has a name:
//! its key and the number that it brought the key to.
//!
//! What became of the writes is read off the data sets themselves, at the moments at which some may
//! be gone: when a replica is promoted, when a process is back, when keys are flushed, and at the end
//! ([`books`]). So each lost write is known by the event that took it ([`event`]).
//!
//! *Architecture invariant:* a workload looks at nodes but touches them only through connections, as
//! everybody; it knows nothing of scenarios. Its choices come from the stream
//! [`Workload`](crate::rng::Purpose::Workload) alone.

mod alarms;
pub mod books;
mod checks;
mod chronicle;
mod client;
mod clients;
pub mod crew;
pub mod event;
mod outage;
mod phrases;
pub mod settings;
mod shared;
mod slot_map;
pub mod summary;

pub use books::Loss;
pub use clients::Workload;
pub use crew::Crew;
pub use event::{Cause, Event};
pub use outage::Outage;
pub use settings::{Library, Pace, Quorum, Settings, Write};
pub use summary::{Figure, Summary};
