//! Letting time pass, and asking whether something is so.

use crate::admin::tools::Tools;
use crate::network::NodeNo;
use crate::scenario::condition::{Condition, State};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::{FOREVER, Halt, LiveLogs, Outcome, PROGRESS, Question, Runner};
use crate::scenario::units::human;
use crate::time::{Span, Time};
use crate::world::{ProcessStatus, World};

impl Runner<'_> {
    /// Lets time pass until `time`.
    pub(super) fn advance(&mut self, time: Time) -> Outcome {
        let end = time.min(self.horizon);
        // Where nobody looks at every moment, the world goes through many of them at once.
        while self.options.live_logs == LiveLogs::None && self.world.now() < end {
            let pause = end.min(self.world.now() + PROGRESS);
            // There is no budget of events that could be spent.
            if self.tools.run_until(&mut self.world, pause).is_err() {
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
        loop {
            if done(&self.world, &self.tools) {
                return Ok(true);
            }
            // There is no budget of events that could be spent.
            if !self.tools.step(&mut self.world, end).is_ok_and(|happened| happened) {
                break;
            }
            self.show_fresh_logs()?;
            self.report_progress();
        }
        if time > self.horizon { Err(Halt::TimeUp) } else { Ok(false) }
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
            Err(Halt::TimeUp) if self.options.until == Some(self.horizon) => Err(Halt::TimeUp),
            Ok(false) | Err(Halt::TimeUp) => {
                let waited = self.world.now().since(begin);
                let found = question.found(&self.world);
                let message = format!("waited {} in vain", human(waited));
                let mistake = Diagnostic::new(message, self.span.clone(), found);
                let limited = deadline > self.horizon;
                let ending = if limited { Ending::Limit } else { Ending::InVain };
                Err(Halt::Failed(ending, match limited {
                    true => mistake.hint(format!(
                        "the run has reached its limit of {}; `limit` at the top of the file sets it",
                        human(self.plan.header.limit)
                    )),
                    false => mistake,
                }))
            }
            Err(halt) => Err(halt),
        }
    }

    /// `expect CONDITION`
    pub(super) fn expect(&mut self, condition: &Condition, text: &str) -> Outcome {
        let mut question = Question::new(self.plan, condition, &self.output);
        if question.holds(&self.world) {
            return self.say(What::Met(text.to_owned()));
        }
        let found = question.found(&self.world);
        self.fail(Ending::Unexpected, "this expectation is not met", found)
    }
}
