//! `redis-cli` at work on a virtual cluster: any number of runs at the same time.
//!
//! [`Tools::step`] lets the world and the tools go on together, one event at a time. A tool itself
//! takes no time; what takes time are its requests and its sleeps. Like clients, tools live outside
//! the simulated machines.

mod desk;
mod directories;
mod sent;
mod stdin;
mod tool;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::admin::{ExitCode, Shell, Stuck};
use crate::rng::Seed;
use crate::time::Time;
use crate::world::{BudgetSpent, Program, World};
pub use sent::Sent;
use tool::Tool;

/// How `redis-cli` is started.
#[derive(Debug, Clone, Default)]
pub struct Invocation {
    /// The words behind the program's name.
    pub words: Vec<String>,
    /// What it finds around it.
    pub shell: Shell,
    /// What is typed, or waits in the pipe, from the start.
    pub typed: Vec<String>,
    /// The tool is killed (SIGKILL) as soon as it has sent its request of this number. It reads no
    /// reply to it; the server still gets it, and behind it the end of the connection, as of every
    /// other connection that was open. What counts is what recordings of the wire list: every
    /// command, and neither connections nor sleeps.
    pub dies_after: Option<NonZeroU32>,
}

/// A run of `redis-cli`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToolNo(pub usize);

/// A piece of what can be seen at a tool's terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// When it appeared.
    pub at: Time,
    /// Where it came from.
    pub source: Source,
    /// The bytes.
    pub text: Vec<u8>,
}

/// Where text at a terminal comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The tool's standard output.
    Stdout,
    /// The tool's standard error.
    Stderr,
    /// The person in front of it.
    Typed,
}

/// Where a tool stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It waits for a server or sleeps.
    Running,
    /// It waits for somebody to type something.
    Asks {
        /// The question, or the prompt.
        question: String,
    },
    /// It ended by itself.
    Ended(ExitCode),
    /// It was interrupted, or killed after as many requests as it was to send.
    Interrupted,
    /// It has got to something that cannot be simulated.
    Stuck(Stuck),
}

impl Status {
    /// Whether anything may still come of it.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        matches!(self, Status::Running | Status::Asks { .. })
    }
}

/// All tools that were started.
#[derive(Debug)]
pub struct Tools {
    seed: Seed,
    tools: Vec<Tool>,
}

impl Tools {
    /// No tools yet. The seed decides what those who draw lots will draw.
    #[must_use]
    pub fn new(seed: Seed) -> Tools {
        Tools { seed, tools: Vec::new() }
    }

    /// Starts a tool.
    pub fn start<P: Program>(&mut self, world: &mut World<P>, invocation: Invocation) -> ToolNo {
        let mut tool = Tool::new(self.seed, invocation);
        tool.launch(world);
        self.tools.push(tool);
        ToolNo(self.tools.len() - 1)
    }

    /// Where a tool stands.
    #[must_use]
    pub fn status(&self, tool: ToolNo) -> Status {
        self.tools[tool.0].status()
    }

    /// What can be seen at a tool's terminal, from its start.
    pub fn printed<T>(&self, tool: ToolNo, look: impl FnOnce(&[Printed]) -> T) -> T {
        look(&self.tools[tool.0].desk().printed)
    }

    /// How many requests a tool has sent.
    #[must_use]
    pub fn requests(&self, tool: ToolNo) -> u32 {
        self.tools[tool.0].requests()
    }

    /// What a tool has sent last.
    #[must_use]
    pub fn last_sent(&self, tool: ToolNo) -> Option<&Sent> {
        self.tools[tool.0].last_sent()
    }

    /// The files that a tool has written.
    #[must_use]
    pub fn files(&self, tool: ToolNo) -> BTreeMap<String, Vec<u8>> {
        self.tools[tool.0].desk().files.clone()
    }

    /// Somebody types a line at a tool's terminal, or writes one into its pipe.
    pub fn type_line<P: Program>(&mut self, world: &mut World<P>, tool: ToolNo, line: &str) {
        let tool = &mut self.tools[tool.0];
        tool.desk().stdin.push_line(line);
        tool.advance(world);
    }

    /// Nothing more will be typed: `^D`, or the pipe is closed.
    pub fn end_input<P: Program>(&mut self, world: &mut World<P>, tool: ToolNo) {
        let tool = &mut self.tools[tool.0];
        tool.desk().stdin.end();
        tool.advance(world);
    }

    /// Kills a tool where it stands. Its connections are closed.
    pub fn interrupt<P: Program>(&mut self, world: &mut World<P>, tool: ToolNo) {
        self.tools[tool.0].interrupt(world);
    }

    /// Whether any tool is not over.
    #[must_use]
    pub fn are_at_work(&self) -> bool {
        self.tools.iter().any(|tool| tool.status().is_alive())
    }

    /// When the first sleeping tool wakes up.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.tools.iter().filter_map(Tool::wakes_at).min()
    }

    /// Lets the next thing happen, be it an event of the world or the end of a tool's sleep, and
    /// everything that the tools do because of it. If nothing is left to happen until `limit`, it
    /// is `limit` afterwards. Says whether anything happened.
    ///
    /// # Errors
    /// When the world's budget of events is used up.
    pub fn step<P: Program>(
        &mut self,
        world: &mut World<P>,
        limit: Time,
    ) -> Result<bool, BudgetSpent> {
        let wake = self.next_wake().unwrap_or(Time(u64::MAX));
        let mut happened = world.step_until(wake.min(limit))?;
        if !happened {
            world.run_until(wake.min(limit))?;
            happened = wake <= limit;
        }
        for tool in &mut self.tools {
            tool.advance(world);
        }
        Ok(happened)
    }

    /// Lets time pass for the world and all tools.
    ///
    /// # Errors
    /// When the world's budget of events is used up.
    pub fn run_until<P: Program>(
        &mut self,
        world: &mut World<P>,
        time: Time,
    ) -> Result<(), BudgetSpent> {
        // Nothing that happens concerns tools that are over.
        if !self.are_at_work() {
            return world.run_until(time);
        }
        while self.step(world, time)? {}
        Ok(())
    }

    /// Lets time pass until a tool is over or waits for input, but not beyond `limit`. What it says
    /// of the tool is where it stands then.
    ///
    /// # Errors
    /// When the world's budget of events is used up.
    pub fn run_tool<P: Program>(
        &mut self,
        world: &mut World<P>,
        tool: ToolNo,
        limit: Time,
    ) -> Result<Status, BudgetSpent> {
        loop {
            let status = self.status(tool);
            if status != Status::Running || !self.step(world, limit)? {
                return Ok(self.status(tool));
            }
        }
    }
}
