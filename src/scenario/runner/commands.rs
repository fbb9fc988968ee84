//! What is typed at the terminal: redis-cli, redis-server, cat.

use std::collections::VecDeque;

use crate::admin::tools::{Invocation, Printed, Source, Status, ToolNo};
use crate::admin::{ExitCode, Shell, Stuck};
use crate::network::NodeNo;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::record::{Channel, Ending, What};
use crate::scenario::runner::{FOREVER, Halt, Outcome, Runner};
use crate::scenario::step::{Command, DocumentFile, ProcessAction, RedisCli, TypedLine};

/// What `redis-server -v` prints.
const VERSION: &str = "Redis server v=6.2.3 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 \
    build=a0976c4a01bcd8ee\n";

impl Runner<'_> {
    pub(super) fn command(&mut self, command: &Command, text: &str) -> Outcome {
        self.say(What::Command(text.to_owned()))?;
        self.output.clear();
        match command {
            Command::RedisCli(cli) => self.redis_cli(cli),
            Command::Version => self.print(Channel::Stdout, VERSION),
            Command::Server(node) => {
                self.launch(ProcessAction::Start, *node)?;
                self.wait_for_ports(*node)
            }
            Command::Show(node, file) => self.show_file(*node, *file),
            Command::Nothing => Ok(()),
        }
    }

    fn print(&mut self, channel: Channel, text: &str) -> Outcome {
        self.output.push_str(text);
        self.say(What::Output(channel, text.to_owned()))
    }

    fn show_file(&mut self, node: NodeNo, file: DocumentFile) -> Outcome {
        let text: Option<String> = match file {
            DocumentFile::Config => {
                let lines = self.plan.nodes[node.index()].directives.iter();
                Some(lines.map(|(name, value)| format!("{name} {value}\n")).collect())
            }
            DocumentFile::Nodes => {
                self.world.disk(node).and_then(|disk| disk.nodes_conf.as_deref().map(str::to_owned))
            }
            DocumentFile::Log => {
                let logs = self.logs.borrow();
                let text: String = logs.all_of(node).map(|line| format!("{line}\n")).collect();
                (!text.is_empty()).then_some(text)
            }
        };
        match text {
            Some(text) => self.print(Channel::Stdout, &text),
            None => {
                let (name, file) = (self.plan.name(node), file.name());
                let message = format!("cat: {name}/{file}: No such file or directory\n");
                self.print(Channel::Stderr, &message)
            }
        }
    }

    /// Runs redis-cli to its end.
    fn redis_cli(&mut self, cli: &RedisCli) -> Outcome {
        self.pass(self.plan.header.start_up)?;
        let shell = Shell { stdin_is_terminal: true, stdout_is_terminal: true, ..Shell::default() };
        let words = cli.words.clone();
        let invocation = Invocation { words, shell, ..Invocation::default() };
        let tool = self.tools.start(&mut self.world, invocation);
        let mut terminal = Terminal { tool, typed: cli.typed.iter().collect(), shown: (0, 0) };
        loop {
            self.show_printed(&mut terminal)?;
            match self.tools.status(tool) {
                Status::Running => {
                    self.advance_until(FOREVER, |_, tools| tools.status(tool) != Status::Running)?;
                }
                Status::Asks { question } => {
                    self.answer(&mut terminal, cli.is_session(), &question)?;
                }
                Status::Ended(ExitCode(code)) => {
                    self.say(What::Exited(code))?;
                    break;
                }
                Status::Stuck(Stuck::AsksForEver(question)) => return self.unanswered(&question),
                Status::Stuck(stuck) => {
                    let message = "redis-cli cannot go on";
                    return self.fail(Ending::Impossible, message, stuck.to_string());
                }
                Status::Interrupted => unreachable!("nobody interrupts it"),
            }
        }
        terminal.typed.front().map_or(Ok(()), |line| Err(self.unread(line)))
    }

    /// Shows what a tool has printed since the last time.
    fn show_printed(&mut self, terminal: &mut Terminal<'_>) -> Outcome {
        let (piece, bytes) = terminal.shown;
        // The last piece may have grown since it was shown.
        let fresh: Vec<(Source, String)> = self.tools.printed(terminal.tool, |printed| {
            let rest = printed.get(piece..).unwrap_or_default().iter().enumerate();
            let text = |at: usize, printed: &Printed| {
                let from = if at == 0 { bytes } else { 0 };
                String::from_utf8_lossy(&printed.text[from..]).into_owned()
            };
            terminal.shown = match printed.split_last() {
                Some((last, before)) => (before.len(), last.text.len()),
                None => (0, 0),
            };
            rest.map(|(at, printed)| (printed.source, text(at, printed))).collect()
        });
        for (source, text) in fresh.into_iter().filter(|(_, text)| !text.is_empty()) {
            match source {
                Source::Stdout => self.print(Channel::Stdout, &text)?,
                Source::Stderr => self.print(Channel::Stderr, &text)?,
                Source::Typed => {
                    self.output.push_str(&text);
                    self.say(What::Typed(text.trim_end_matches('\n').to_owned()))?;
                }
            }
        }
        Ok(())
    }

    /// Types the next line, or ends the input of a session.
    fn answer(&mut self, terminal: &mut Terminal<'_>, in_session: bool, question: &str) -> Outcome {
        match terminal.typed.pop_front() {
            Some(line) => {
                self.pass(self.plan.header.typing)?;
                self.tools.type_line(&mut self.world, terminal.tool, &line.text);
            }
            None if in_session => self.tools.end_input(&mut self.world, terminal.tool),
            None => return self.unanswered(question),
        }
        Ok(())
    }

    fn unanswered(&self, question: &str) -> Outcome {
        let label = format!("it asks `{}`", question.trim_end());
        let mistake = Diagnostic::new("an answer is missing", self.span.clone(), label);
        let hint = "answer with a step such as \"> yes\" behind this one";
        Err(Halt::Failed(Ending::Impossible, mistake.hint(hint)))
    }

    fn unread(&self, line: &TypedLine) -> Halt {
        let label = "redis-cli has ended without reading this line";
        let mistake = Diagnostic::new("nobody reads this line", line.span.clone(), label);
        Halt::Failed(Ending::Impossible, mistake.see(self.span.clone(), "typed into this"))
    }
}

/// The terminal at which redis-cli runs.
struct Terminal<'a> {
    tool: ToolNo,
    /// What is to be typed and was not yet.
    typed: VecDeque<&'a TypedLine>,
    /// How much of what can be seen was shown: the number of the last piece, and its length then.
    shown: (usize, usize),
}
