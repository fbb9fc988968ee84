//! A run as the session that a person would have seen.
//!
//! Commands stand behind `$ `, and programs print below them what they print. What no terminal can
//! do (faults, waits, remarks) stands between them as comments of a shell, with the time of day at
//! which it was done and, in parentheses, how long it took. Log lines look as they do in the log.

use std::io::{self, Write};
use std::ops::ControlFlow;

use anstyle::Style;

use crate::node::log::LogDate;
use crate::report::{keep_error, workload};
use crate::scenario::record::{Job, Record, Sink, What};
use crate::scenario::units::human;
use crate::time::{Span, Wall};

const COMMAND: Style = Style::new().bold();
const COMMENT: Style = Style::new().dimmed();

/// Prints a run as text.
#[derive(Debug)]
pub struct Transcript<W> {
    out: W,
    /// What was printed last.
    last: Last,
    error: Option<io::Error>,
}

/// What was printed last, which decides what has to be printed before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// Nothing at all.
    Nothing,
    /// A remark, which stands directly above what it is about.
    Note,
    /// A step that is no command.
    Step,
    /// Something typed: what is printed next is the answer to it.
    Typed,
    /// Output of the program in the background.
    Background,
    /// Something else that ended its line.
    Line,
    /// Something that did not end its line.
    Open,
}

impl<W: Write> Transcript<W> {
    /// Prints to `out`.
    pub fn new(out: W) -> Transcript<W> {
        Transcript { out, last: Last::Nothing, error: None }
    }

    /// Ends the last line.
    ///
    /// # Errors
    /// With the first error that printing met.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.end_line(),
        }
    }

    fn print(&mut self, record: &Record) -> io::Result<()> {
        match &record.what {
            What::Begin { title, .. } if title.is_empty() => Ok(()),
            What::Begin { title, .. } => self.comment(title, Last::Line),
            What::Note(text) => {
                if self.last != Last::Note {
                    self.end_block()?;
                }
                self.comment(text, Last::Note)
            }
            What::Command(text) => {
                if self.last != Last::Note {
                    self.end_block()?;
                }
                writeln!(self.out, "{COMMAND}$ {text}{COMMAND:#}")?;
                self.last = Last::Typed;
                Ok(())
            }
            What::Output(Job::Foreground, _, text) => self.raw(text, Last::Line),
            What::Output(Job::Background, _, text) => {
                // What comes by itself is not the output of the command or step above it.
                if !matches!(self.last, Last::Typed | Last::Background | Last::Open) {
                    self.end_block()?;
                }
                self.raw(text, Last::Background)
            }
            What::Typed(text) => self.raw(&format!("{text}\n"), Last::Typed),
            What::Exited(..) => self.end_line(),
            What::Aborted { requests, last } => {
                self.end_line()?;
                let time = time_of_day(record.wall);
                let text = format!("{time} aborted after request {requests}: {last}");
                self.comment(&text, Last::Line)
            }
            What::Step(text, took) => {
                let time = time_of_day(record.wall);
                if !matches!(self.last, Last::Note | Last::Step) {
                    self.end_block()?;
                }
                self.comment(&format!("{time} {text}{}", parenthesis(*took)), Last::Step)
            }
            What::Log(line) => {
                self.end_line()?;
                writeln!(self.out, "{line}")?;
                self.last = Last::Line;
                Ok(())
            }
            What::Workload(outcome) => {
                for line in workload::lines(outcome) {
                    self.comment(&format!("  {line}"), Last::Step)?;
                }
                Ok(())
            }
            What::Lost(_) | What::Met(_) | What::End(_) => Ok(()),
        }
    }

    fn comment(&mut self, text: &str, kind: Last) -> io::Result<()> {
        let line = format!("# {text}");
        writeln!(self.out, "{COMMENT}{}{COMMENT:#}", line.trim_end())?;
        self.last = kind;
        Ok(())
    }

    /// Output as it comes, in pieces of lines. `whole` is what it is if it ends its line.
    fn raw(&mut self, text: &str, whole: Last) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        write!(self.out, "{text}")?;
        self.last = if text.ends_with('\n') { whole } else { Last::Open };
        // A question is to be seen while its answer is typed.
        if self.last == Last::Open { self.out.flush() } else { Ok(()) }
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.last == Last::Open {
            writeln!(self.out)?;
            self.last = Last::Line;
        }
        Ok(())
    }

    fn end_block(&mut self) -> io::Result<()> {
        self.end_line()?;
        if self.last == Last::Nothing { Ok(()) } else { writeln!(self.out) }
    }
}

impl<W: Write> Sink for Transcript<W> {
    fn record(&mut self, record: &Record) -> ControlFlow<()> {
        let result = self.print(record);
        keep_error(result, &mut self.error)
    }
}

/// `05:17:41.276`
fn time_of_day(wall: Wall) -> String {
    let clock = LogDate(wall).to_string();
    clock.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// ` (3.157s)`; nothing for what took no time.
fn parenthesis(took: Span) -> String {
    if took == Span::ZERO { String::new() } else { format!(" ({})", human(took)) }
}
