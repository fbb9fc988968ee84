//! What a run looks like: as a session at a terminal, as JSON, as numbers.
//!
//! *Architecture invariant:* reports read records and plans, and change nothing.

pub mod json;
pub mod stats;
pub mod sweep;
pub mod transcript;
mod workload;
mod workload_json;

use std::io;
use std::ops::ControlFlow;

/// Breaks off at the first error and keeps it.
fn keep_error(result: io::Result<()>, kept: &mut Option<io::Error>) -> ControlFlow<()> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            *kept = Some(error);
            ControlFlow::Break(())
        }
    }
}
