//! Letting time pass, and asking whether something is so.

use crate::admin::tools::{Status, Tools};
use crate::network::NodeNo;
use crate::scenario::condition::{Condition, State};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::{
    FOREVER, Halt, LiveLogs, Outcome, PROGRESS, Question, Runner, Terminal,
};
use crate::scenario::units::human;
use crate::time::{Span, Time};
use crate::world::{ProcessStatus, World};

impl Runner<'_> {
    /// Lets time pass until `time`.
    pub(super) fn advance(&mut self, time: Time) -> Outcome {
        let end = time.min(self.horizon);
        // Where nobody looks at every moment, the world goes through many of them at once.
        let unwatched = self.options.live_logs == LiveLogs::None && self.background.is_none();
        while unwatched && self.world.now() < end {
            // Where nothing happens for long, that is passed over at once.
            let next = self.world.next_event().into_iter().chain(self.crew.wakes_at()).min();
            let pause = (self.world.now() + PROGRESS).max(next.unwrap_or(FOREVER)).min(end);
            // No tool is at work but one in the background, and there is none.
            let result = match self.crew.is_empty() {
                true => self.tools.run_until(&mut self.world, pause),
                false => self.crew.run_until(&mut self.world, pause),
            };
            // There is no budget of events that could be spent.
            if result.is_err() {
                break;
            }
            self.report_progress();
        }
        self.advance_until(time, |_, _| false)?;
        Ok(())
    }

    /// Lets time pass until something is so, or until `time`. Says which of them came first.
    pub(super) fn advance_until(
        &mut self,
        time: Time,
        mut done: impl FnMut(&World, &Tools) -> bool,
    ) -> Outcome<bool> {
        let end = time.min(self.horizon);
        let alone = self.only_the_world_moves();
        loop {
            if done(&self.world, &self.tools) {
                return Ok(true);
            }
            let happened = if alone { self.next_event(end) } else { self.go_on(end)? };
            if !happened {
                break;
            }
        }
        if time > self.horizon { Err(Halt::TimeUp) } else { Ok(false) }
    }

    /// Whether no client, no tool and nobody who reads has to be asked after each event.
    fn only_the_world_moves(&self) -> bool {
        let unread = self.options.live_logs == LiveLogs::None && self.background.is_none();
        unread && self.crew.is_empty() && !self.tools.are_at_work()
    }

    /// Lets the next event of the world happen. Says whether there was one until `end`.
    fn next_event(&mut self, end: Time) -> bool {
        // There is no budget of events that could be spent.
        let happened = self.world.step_until(end).is_ok_and(|happened| happened);
        if !happened {
            let _ = self.world.run_until(end);
        }
        self.report_progress();
        happened
    }

    /// Lets the next thing happen, and whatever clients and tools do because of it. Says whether
    /// anything did until `end`.
    pub(super) fn go_on(&mut self, end: Time) -> Outcome<bool> {
        let wakes = self.crew.wakes_at().unwrap_or(FOREVER);
        // There is no budget of events that could be spent.
        let step = self.tools.step(&mut self.world, end.min(wakes));
        let happened = step.is_ok_and(|happened| happened) || wakes <= end;
        self.crew.advance(&mut self.world);
        self.show_fresh_logs()?;
        self.show_background()?;
        self.report_progress();
        Ok(happened)
    }

    fn report_progress(&mut self) {
        if self.world.now() >= self.progress {
            self.progress = self.world.now() + PROGRESS;
            self.sink.progress(self.world.now());
        }
    }

    /// Waits until the nodes of a cluster that exists from the beginning run and serve.
    pub(super) fn settle(&mut self) -> Outcome {
        let Some(formation) = self.plan.formation else { return Ok(()) };
        let mut waiting = self.plan.roster.all().take(formation.nodes() as usize).peekable();
        self.advance_until(FOREVER, |world, _| {
            let runs = |node: NodeNo| world.status(node) == ProcessStatus::Running;
            while waiting.next_if(|&node| runs(node)).is_some() {}
            waiting.peek().is_none()
        })?;
        let serves = Condition::Cluster(State::Ok);
        let mut question = Question::new(self.plan, &serves, "");
        self.advance_until(FOREVER, |world, _| question.holds(world))?;
        // How they started is not what the script is about.
        self.logs.borrow_mut().pass_over_all();
        Ok(())
    }

    /// Lets some time pass.
    pub(super) fn pass(&mut self, span: Span) -> Outcome {
        self.advance(self.world.now() + span)
    }

    /// `wait until CONDITION`
    pub(super) fn wait_until(&mut self, condition: &Condition, within: Option<Span>) -> Outcome {
        let begin = self.world.now();
        let deadline = within.map_or(FOREVER, |within| begin + within);
        let mut question = Question::new(self.plan, condition, "");
        match self.advance_until(deadline, |world, _| question.holds(world)) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.in_vain(begin, false, question.found(&self.world))),
            Err(Halt::TimeUp) => self.time_up(begin, question.found(&self.world)),
            Err(halt) => Err(halt),
        }
    }

    /// `wait for redis-cli`
    pub(super) fn wait_for_tool(&mut self, within: Option<Span>) -> Outcome {
        let begin = self.world.now();
        let deadline = within.map_or(FOREVER, |within| begin + within);
        let Some(tool) = self.background.as_ref().map(Terminal::tool) else { return Ok(()) };
        let found = "redis-cli still works";
        match self.advance_until(deadline, |_, tools| tools.status(tool) != Status::Running) {
            Ok(true) => self.end_background(),
            Ok(false) => Err(self.in_vain(begin, false, found)),
            Err(Halt::TimeUp) => self.time_up(begin, found),
            Err(halt) => Err(halt),
        }
    }

    /// The run is over while something is waited for.
    fn time_up(&self, begin: Time, found: impl Into<String>) -> Outcome {
        let is_asked_for = self.options.until == Some(self.horizon);
        Err(if is_asked_for { Halt::TimeUp } else { self.in_vain(begin, true, found) })
    }

    /// The complaint that something did not come true in time.
    pub(super) fn in_vain(&self, begin: Time, limited: bool, found: impl Into<String>) -> Halt {
        let waited = self.world.now().since(begin);
        let message = format!("waited {} in vain", human(waited));
        let mistake = Diagnostic::new(message, self.span.clone(), found);
        if !limited {
            return Halt::Failed(Ending::InVain, mistake);
        }
        let hint = format!(
            "the run has reached its limit of {}; `limit` at the top of the file sets it",
            human(self.plan.header.limit)
        );
        Halt::Failed(Ending::Limit, mistake.hint(hint))
    }

    /// `expect CONDITION`
    pub(super) fn hold_to(&mut self, condition: &Condition, text: &str) -> Outcome {
        let mut question = Question::new(self.plan, condition, &self.output);
        if question.holds(&self.world) {
            return self.say(What::Met(text.to_owned()));
        }
        let found = question.found(&self.world);
        self.fail(Ending::Unexpected, "this expectation is not met", found)
    }
}
