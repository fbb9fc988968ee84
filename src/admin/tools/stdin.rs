//! Standard input: lines that somebody types, or bytes in a pipe (cli §2.9).

use std::collections::VecDeque;

use crate::admin::host::Echo;

/// What a tool can read, and what it has not read yet.
#[derive(Debug)]
pub(super) struct Stdin {
    kind: Kind,
    /// Nothing more will come.
    ended: bool,
}

#[derive(Debug)]
enum Kind {
    /// A read gets at most one line. The rest of a line stays for the next read.
    Terminal { lines: VecDeque<Vec<u8>>, rest: Vec<u8> },
    /// A read gets what is there.
    Pipe(Vec<u8>),
}

/// What a read brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    /// What the terminal shows, because this was typed just now.
    pub(super) shown: Vec<u8>,
}

impl Stdin {
    pub(super) fn new(is_terminal: bool) -> Stdin {
        let kind = if is_terminal {
            Kind::Terminal { lines: VecDeque::new(), rest: Vec::new() }
        } else {
            Kind::Pipe(Vec::new())
        };
        Stdin { kind, ended: false }
    }

    /// A line is typed, or written into the pipe.
    pub(super) fn push_line(&mut self, line: &str) {
        let line = [line.as_bytes(), b"\n"].concat();
        match &mut self.kind {
            Kind::Terminal { lines, .. } => lines.push_back(line),
            Kind::Pipe(bytes) => bytes.extend(line),
        }
    }

    /// Nothing more comes: `^D`, or the pipe is closed.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// One read; `None` if it has to wait.
    pub(super) fn read(&mut self, limit: usize, echo: Echo) -> Option<Piece> {
        let mut shown = Vec::new();
        let source = match &mut self.kind {
            Kind::Terminal { lines, rest } => {
                if rest.is_empty()
                    && let Some(line) = lines.pop_front()
                {
                    shown = match echo {
                        Echo::Plain => line.clone(),
                        Echo::Masked => stars(&line),
                    };
                    *rest = line;
                }
                rest
            }
            Kind::Pipe(bytes) => bytes,
        };
        if source.is_empty() && !self.ended {
            return None;
        }
        let rest = source.split_off(limit.min(source.len()));
        Some(Piece { bytes: std::mem::replace(source, rest), shown })
    }
}

fn stars(line: &[u8]) -> Vec<u8> {
    let mut shown = vec![b'*'; line.len().saturating_sub(1)];
    shown.push(b'\n');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: &str, shown: &str) -> Option<Piece> {
        Some(Piece { bytes: bytes.into(), shown: shown.into() })
    }

    #[test]
    fn a_terminal_gives_one_line_at_a_time_and_shows_it_once_2_9() {
        let mut stdin = Stdin::new(true);
        assert_eq!(stdin.read(4, Echo::Plain), None);
        stdin.push_line("yesplease");
        stdin.push_line("no");
        assert_eq!(stdin.read(4, Echo::Plain), piece("yesp", "yesplease\n"));
        assert_eq!(stdin.read(9, Echo::Plain), piece("lease\n", ""));
        assert_eq!(stdin.read(9, Echo::Masked), piece("no\n", "**\n"));
        stdin.end();
        assert_eq!(stdin.read(4, Echo::Plain), piece("", ""));
    }

    #[test]
    fn a_pipe_gives_whatever_is_there_and_shows_nothing_2_9() {
        let mut stdin = Stdin::new(false);
        stdin.push_line("no");
        stdin.push_line("");
        stdin.push_line("yes");
        assert_eq!(stdin.read(4, Echo::Plain), piece("no\n\n", ""));
        assert_eq!(stdin.read(4, Echo::Plain), piece("yes\n", ""));
        assert_eq!(stdin.read(4, Echo::Plain), None);
    }
}
