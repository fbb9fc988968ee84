//! Steps about processes: `start 7000 7001`, `kill 7002`, `pause 7001`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::step::{Step, sabotage, workload};
use crate::scenario::words::{Cursor, Word, unknown};

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessAction {
    /// The server is started and accepts clients when the step ends.
    Start,
    /// SIGTERM: it saves and exits.
    Stop,
    /// SIGKILL.
    Kill,
    /// SIGSEGV: it writes its report and dies.
    Segfault,
    /// It is started again; one that still runs is stopped first.
    Restart,
    /// SIGSTOP.
    Pause,
    /// SIGCONT.
    Resume,
    /// The power of its machine fails.
    PowerOff,
}

impl ProcessAction {
    /// Every action and its verb.
    pub const ALL: [(&'static str, ProcessAction); 8] = [
        ("start", ProcessAction::Start),
        ("stop", ProcessAction::Stop),
        ("kill", ProcessAction::Kill),
        ("segfault", ProcessAction::Segfault),
        ("restart", ProcessAction::Restart),
        ("pause", ProcessAction::Pause),
        ("resume", ProcessAction::Resume),
        ("power-off", ProcessAction::PowerOff),
    ];
}

/// `VERB NODE…`, or `VERB all`
pub(super) fn parse(cursor: &mut Cursor<'_>, verb: &Word) -> Result<Step, Diagnostic> {
    let action = ProcessAction::ALL.iter().find(|(name, _)| *name == verb.text);
    if cursor.peek_is("workload") {
        return workload::parse(cursor, verb);
    }
    let Some(&(_, action)) = action else {
        return Err(unknown(verb, "what is done to a process", &ProcessAction::ALL));
    };
    let nodes = match cursor.take_if("all") {
        Some(_) => cursor.roster().all().collect(),
        None => cursor.nodes(&[])?,
    };
    Ok(Step::Process(action, nodes))
}

/// `power-off NODE…`, or `power-off NODE before fsync`
pub(super) fn power_off(cursor: &mut Cursor<'_>, verb: &Word) -> Result<Step, Diagnostic> {
    match sabotage::power_off_at(cursor)? {
        Some(step) => Ok(step),
        None => parse(cursor, verb),
    }
}
