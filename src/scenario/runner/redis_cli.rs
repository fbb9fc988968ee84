//! redis-cli at its terminal: to its end, to a request at which it is killed, or in the background
//! while the script goes on.
//!
//! In the background it is as in a shell: what it prints appears between the steps, but only whole
//! lines, and never amid the output of another command.

use crate::admin::tools::{Invocation, Sent, Source, Status, ToolNo, Tools};
use crate::admin::{ExitCode, Shell, Stuck};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::{Channel, Ending, Job, What};
use crate::scenario::runner::{FOREVER, Halt, Outcome, Runner};
use crate::scenario::source::Bytes;
use crate::scenario::step::{Manner, RedisCli, TypedLine};
use crate::world::World;

/// The terminal at which a redis-cli runs.
pub(super) struct Terminal {
    tool: ToolNo,
    /// The step that has started it.
    span: Bytes,
    job: Job,
    /// How much of what can be seen was taken: the number of the last piece, and its length then.
    taken: (usize, usize),
    /// What was taken and not shown yet, because its line is not complete.
    held_back: Vec<(Source, String)>,
    /// Everything that was shown.
    output: String,
}

impl Terminal {
    pub(super) fn tool(&self) -> ToolNo {
        self.tool
    }
}

impl Runner<'_> {
    /// Runs redis-cli: to its end, or until it can work on alone.
    pub(super) fn redis_cli(&mut self, cli: &RedisCli) -> Outcome {
        self.pass(self.plan.header.start_up)?;
        let mut terminal = self.open_terminal(cli);
        let unread = self.converse(cli, &mut terminal)?;
        let tool = terminal.tool;
        if cli.manner == Manner::Background && unread.is_none() {
            if cli.is_session() {
                // It ends with its last command.
                self.tools.end_input(&mut self.world, tool);
            }
            terminal.job = Job::Background;
            self.background = Some(terminal);
            return Ok(());
        }
        self.conclude(terminal)?;
        let was_to_die = matches!(cli.manner, Manner::Aborted(_));
        if was_to_die && self.tools.status(tool) != Status::Interrupted {
            return self.never_aborted(tool);
        }
        unread.map_or(Ok(()), |line| Err(self.unread(line)))
    }

    /// Starts redis-cli at a terminal of its own.
    fn open_terminal(&mut self, cli: &RedisCli) -> Terminal {
        let dies_after = match cli.manner {
            Manner::Aborted(requests) => Some(requests),
            Manner::Whole | Manner::Background => None,
        };
        let shell = Shell { stdin_is_terminal: true, stdout_is_terminal: true, ..Shell::default() };
        let words = cli.words.clone();
        let invocation = Invocation { words, shell, dies_after, ..Invocation::default() };
        Terminal {
            tool: self.tools.start(&mut self.world, invocation),
            span: self.span.clone(),
            job: Job::Foreground,
            taken: (0, 0),
            held_back: Vec::new(),
            output: String::new(),
        }
    }

    /// Types a line whenever redis-cli asks for one, until it ends, or needs nobody any more who types.
    /// Gives back the first line that it has not read.
    fn converse<'c>(
        &mut self,
        cli: &'c RedisCli,
        terminal: &mut Terminal,
    ) -> Outcome<Option<&'c TypedLine>> {
        let tool = terminal.tool;
        let mut typed = cli.typed.iter().peekable();
        let mut last = None;
        loop {
            self.show(terminal)?;
            match self.tools.status(tool) {
                Status::Running if cli.manner == Manner::Background && typed.peek().is_none() => {
                    return Ok(None);
                }
                Status::Running => {
                    let pauses = |_: &World, tools: &Tools| tools.status(tool) != Status::Running;
                    let outcome = self.advance_until(FOREVER, pauses);
                    outcome.map_err(|halt| self.unanswered_line(halt, last))?;
                }
                Status::Asks { question } => match typed.next() {
                    Some(line) => {
                        self.pass(self.plan.header.typing)?;
                        last = Some(line);
                        self.tools.type_line(&mut self.world, tool, &line.text);
                    }
                    None if cli.is_session() => self.tools.end_input(&mut self.world, tool),
                    None => return Err(unanswered(terminal, &question)),
                },
                Status::Ended(_) | Status::Interrupted | Status::Stuck(_) => {
                    return Ok(typed.next());
                }
            }
        }
    }

    /// Shows what redis-cli in the background has printed, unless another command has the terminal.
    pub(super) fn show_background(&mut self) -> Outcome {
        if self.terminal_is_taken {
            return Ok(());
        }
        let Some(mut terminal) = self.background.take() else { return Ok(()) };
        let outcome = self.show(&mut terminal);
        self.background = Some(terminal);
        outcome
    }

    /// Ends what was in the background. From now on its output is that of the last command.
    pub(super) fn end_background(&mut self) -> Outcome {
        self.show_background()?;
        self.background.take().map_or(Ok(()), |terminal| self.conclude(terminal))
    }

    /// Says how a redis-cli that does not run any more has ended.
    fn conclude(&mut self, terminal: Terminal) -> Outcome {
        match self.tools.status(terminal.tool) {
            Status::Ended(ExitCode(code)) => self.say(What::Exited(terminal.job, code))?,
            Status::Interrupted => {
                let requests = self.tools.requests(terminal.tool);
                let last = self.tools.last_sent(terminal.tool).map(Sent::to_string);
                self.say(What::Aborted { requests, last: last.unwrap_or_default() })?;
            }
            Status::Asks { question } | Status::Stuck(Stuck::AsksForEver(question)) => {
                return Err(unanswered(&terminal, &question));
            }
            Status::Stuck(stuck) => {
                let message = "redis-cli cannot go on";
                let mistake = Diagnostic::new(message, terminal.span, stuck.to_string());
                return Err(Halt::Failed(Ending::Impossible, mistake));
            }
            Status::Running => unreachable!("it is over"),
        }
        self.output = terminal.output;
        Ok(())
    }

    /// Shows what a tool has printed since the last time.
    fn show(&mut self, terminal: &mut Terminal) -> Outcome {
        self.take_printed(terminal);
        let is_alive = self.tools.status(terminal.tool).is_alive();
        let rest = match terminal.job {
            Job::Background if is_alive => unfinished_line(&mut terminal.held_back),
            Job::Foreground | Job::Background => Vec::new(),
        };
        for (source, text) in std::mem::replace(&mut terminal.held_back, rest) {
            terminal.output.push_str(&text);
            self.say(match source {
                Source::Stdout => What::Output(terminal.job, Channel::Stdout, text),
                Source::Stderr => What::Output(terminal.job, Channel::Stderr, text),
                Source::Typed => What::Typed(text.trim_end_matches('\n').to_owned()),
            })?;
        }
        Ok(())
    }

    fn take_printed(&self, terminal: &mut Terminal) {
        let Terminal { tool, taken, held_back, .. } = terminal;
        let (piece, bytes) = *taken;
        self.tools.printed(*tool, |printed| {
            let Some((last, before)) = printed.split_last() else { return };
            *taken = (before.len(), last.text.len());
            for (at, printed) in printed[piece..].iter().enumerate() {
                // The last piece may have grown since it was taken.
                let fresh = &printed.text[if at == 0 { bytes } else { 0 }..];
                if !fresh.is_empty() {
                    held_back.push((printed.source, String::from_utf8_lossy(fresh).into_owned()));
                }
            }
        });
    }

    /// A fault that does not come shows nothing: the scenario means something else.
    fn never_aborted(&self, tool: ToolNo) -> Outcome {
        let requests = self.tools.requests(tool);
        let label = match requests {
            0 => "it has sent no request at all".to_owned(),
            1 => "it has sent 1 request only".to_owned(),
            _ => format!("it has sent {requests} requests only"),
        };
        self.fail(Ending::Unexpected, "redis-cli has ended before it was aborted", label)
    }

    /// Says what redis-cli waits for when the time is up.
    fn unanswered_line(&self, halt: Halt, last: Option<&TypedLine>) -> Halt {
        let is_asked_for = self.options.until == Some(self.horizon);
        let (Halt::TimeUp, Some(line), false) = (&halt, last, is_asked_for) else { return halt };
        let mut mistake = self.limit_reached();
        let step = std::mem::replace(&mut mistake.span, line.span.clone());
        mistake.label = "redis-cli still waits for what comes of this line".to_owned();
        let hint = "it is done with a line before it reads the next one; \
            `limit` at the top of the file sets how long";
        Halt::Failed(Ending::Limit, mistake.see(step, "typed into this").hint(hint))
    }

    fn unread(&self, line: &TypedLine) -> Halt {
        let label = "redis-cli has ended without reading this line";
        let mistake = Diagnostic::new("nobody reads this line", line.span.clone(), label);
        Halt::Failed(Ending::Impossible, mistake.see(self.span.clone(), "typed into this"))
    }
}

fn unanswered(terminal: &Terminal, question: &str) -> Halt {
    let label = format!("it asks `{}`", question.trim_end());
    let mistake = Diagnostic::new("an answer is missing", terminal.span.clone(), label);
    let hint = "answer with a step such as \"> yes\" behind this one";
    Halt::Failed(Ending::Impossible, mistake.hint(hint))
}

/// Takes out what stands behind the last newline.
fn unfinished_line(pieces: &mut Vec<(Source, String)>) -> Vec<(Source, String)> {
    let Some(last) = pieces.iter().rposition(|(_, text)| text.contains('\n')) else {
        return std::mem::take(pieces);
    };
    let mut rest = pieces.split_off(last + 1);
    let (source, text) = &mut pieces[last];
    let end = text.split_off(text.rfind('\n').map_or(0, |at| at + 1));
    if !end.is_empty() {
        rest.insert(0, (*source, end));
    }
    rest
}
