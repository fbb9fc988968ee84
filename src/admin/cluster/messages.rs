//! Messages with a level, which is a colour if there are colours (cli §2.8).

use std::fmt;

use super::{Host, Manager};

/// A sequence that gives text its colour.
#[derive(Debug, Clone, Copy)]
enum Colour {
    /// What the tool is about to do.
    Info,
    /// What a person should look at.
    Warning,
    /// What is wrong.
    Error,
    /// What is well.
    Success,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Colour::Info => "29;1m",
            Colour::Warning => "33;1m",
            Colour::Error => "31;1m",
            Colour::Success => "32;1m",
        }
    }
}

impl<H: Host> Manager<'_, H> {
    pub(super) fn info(&mut self, text: impl fmt::Display) {
        self.log(Colour::Info, text);
    }

    pub(super) fn warn(&mut self, text: impl fmt::Display) {
        self.log(Colour::Warning, text);
    }

    pub(super) fn error(&mut self, text: impl fmt::Display) {
        self.log(Colour::Error, text);
    }

    pub(super) fn success(&mut self, text: impl fmt::Display) {
        self.log(Colour::Success, text);
    }

    /// An error that the check counts (4).
    pub(super) fn count_error(&mut self, text: impl fmt::Display) {
        self.errors += 1;
        self.error(format_args!("{text}\n"));
    }

    fn log(&mut self, colour: Colour, text: impl fmt::Display) {
        if self.colours {
            self.say(format!("\x1b[{}{text}\x1b[0m", colour.code()));
        } else {
            self.say(text.to_string());
        }
    }
}
