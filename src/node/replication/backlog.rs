//! The recent past of the replication stream, kept for replicas that come back (A.3, A.8).
//!
//! Redis keeps bytes in a ring; here whole commands are kept, because nobody ever asks for half of
//! one: a replica's position is always the end of a command.

use std::collections::VecDeque;

use crate::node::replication::message::StreamCommand;

/// The last bytes of the stream.
#[derive(Debug, Clone)]
pub struct Backlog {
    size: u64,
    /// How many bytes are held, at most `size`.
    held: u64,
    /// Commands with the offset of their last byte.
    commands: VecDeque<(u64, StreamCommand)>,
}

impl Backlog {
    /// An empty backlog that holds up to `size` bytes.
    #[must_use]
    pub fn new(size: u64) -> Backlog {
        Backlog { size, held: 0, commands: VecDeque::new() }
    }

    /// How many bytes can be held.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes are held (`repl_backlog_histlen`).
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Adds a command of so many bytes, the last of which has the offset `end`.
    pub fn push(&mut self, end: u64, bytes: u64, command: StreamCommand) {
        self.held = (self.held + bytes).min(self.size);
        self.commands.push_back((end, command));
        let lost = end - self.held;
        while self.commands.front().is_some_and(|(end, _)| *end <= lost) {
            self.commands.pop_front();
        }
    }

    /// The commands after the offset `known`.
    pub fn after(&self, known: u64) -> impl Iterator<Item = &StreamCommand> {
        let first = self.commands.partition_point(|(end, _)| *end <= known);
        self.commands.range(first..).map(|(_, command)| command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(len: usize) -> StreamCommand {
        StreamCommand::write(vec![vec![b'x'; len]])
    }

    proptest! {
        #[test]
        fn a_backlog_holds_the_last_commands_up_to_its_size(
            lengths in prop::collection::vec(0_usize..200, 1..60),
            size in 300_u64..2_000,
        ) {
            let mut backlog = Backlog::new(size);
            let mut ends = vec![0];
            for len in &lengths {
                let bytes = write(*len).wire_bytes();
                let end = ends[ends.len() - 1] + bytes;
                backlog.push(end, bytes, write(*len));
                ends.push(end);
            }
            let total = ends[ends.len() - 1];
            prop_assert_eq!(backlog.held(), total.min(size));
            for (index, known) in ends.iter().enumerate().filter(|(_, at)| total - **at <= size) {
                let rest: Vec<_> = lengths[index..].iter().map(|len| write(*len)).collect();
                prop_assert!(backlog.after(*known).eq(rest.iter()));
            }
        }
    }
}
