//! What a replica and its master say to each other (Appendix A), as typed values that know their
//! exact length on the wire.
//!
//! The first half of the conversation is the handshake: PING, two REPLCONFs and PSYNC, each answered
//! by one line. Then comes, if the replica must start anew, a whole data set, and after it the
//! stream of commands, for ever. Offsets count the bytes of that stream, so lengths matter: a wrong
//! one would change who wins an election.

use std::sync::Arc;

use crate::node::dump::Dump;
use crate::node::replication::id::ReplicationId;
use crate::resp::Args;
use crate::slot::Slot;

/// A message on a replication link.
#[derive(Debug, Clone)]
pub enum ReplMessage {
    /// Replica: are you there?
    Ping,
    /// Replica: `REPLCONF listening-port`, so that the master can name it.
    ListeningPort(u16),
    /// Replica: `REPLCONF capa eof capa psync2`.
    Capabilities,
    /// Replica: let me continue from here, or give me everything.
    Psync(Option<Position>),
    /// Replica: `REPLCONF ACK`, how far it has come.
    Ack(u64),
    /// An empty line, either way: "I am still here". It counts in no offset.
    Newline,
    /// Master: a plain answer of the handshake, `+PONG` or `+OK`.
    Fine(&'static str),
    /// Master: an error, with its code, without the dash.
    Refused(&'static str),
    /// Master: everything follows; the data set is that of this position.
    FullResync(Position),
    /// Master: the stream goes on from where you asked, in the history of this name.
    Continue(ReplicationId),
    /// Master: the data set that follows has this many bytes.
    DumpSize(u64),
    /// Master: a data set follows whose end will be marked, and its first bytes.
    DumpBegins(Arc<Dump>),
    /// Master: this part of the data set.
    DumpPart(Arc<Dump>, usize),
    /// Master: one command of the stream.
    Command(StreamCommand),
}

/// A place in a replication history: everything up to `offset` is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The history.
    pub id: ReplicationId,
    /// How many bytes of it are known.
    pub offset: u64,
}

/// A command in the stream from a master.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamCommand {
    /// `PING`, which keeps the link alive.
    Ping,
    /// `SELECT 0`, said before the first write after the stream began anew.
    Select,
    /// `REPLCONF GETACK *`, which asks for an acknowledgement at once.
    GetAck,
    /// A write.
    Write(Write),
}

/// A write in the stream. What every stage of its way asks for is found out once: its length, and the
/// slot of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    args: Arc<Args>,
    wire_bytes: u64,
    slot: Option<Slot>,
}

impl Write {
    /// A write of these words, all keys among which are in this slot, if that is known.
    #[must_use]
    pub fn new(args: impl Into<Arc<Args>>, slot: Option<Slot>) -> Write {
        let args = args.into();
        let wire_bytes = command_bytes(args.iter().map(Vec::len));
        Write { args, wire_bytes, slot }
    }

    /// The words of the command.
    #[must_use]
    pub fn args(&self) -> &Arc<Args> {
        &self.args
    }

    /// The slot of all its keys, if that is known.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        self.slot
    }
}

impl ReplMessage {
    /// The name of the command, if it is one that a replica sends.
    #[must_use]
    pub fn command(&self) -> Option<&'static str> {
        match self {
            ReplMessage::Ping => Some("ping"),
            ReplMessage::ListeningPort(_) | ReplMessage::Capabilities | ReplMessage::Ack(_) => {
                Some("replconf")
            }
            ReplMessage::Psync(_) => Some("psync"),
            _ => None,
        }
    }

    /// The exact length on the wire, in bytes.
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        match self {
            ReplMessage::Ping => StreamCommand::Ping.wire_bytes(),
            ReplMessage::ListeningPort(port) => {
                command_bytes(["REPLCONF".len(), "listening-port".len(), digits((*port).into())])
            }
            ReplMessage::Capabilities => command_bytes([8, 4, 3, 4, 6]),
            ReplMessage::Psync(None) => command_bytes(["PSYNC".len(), "?".len(), "-1".len()]),
            ReplMessage::Psync(Some(known)) => {
                command_bytes(["PSYNC".len(), 40, digits(known.offset + 1)])
            }
            ReplMessage::Ack(offset) => {
                command_bytes(["REPLCONF".len(), "ACK".len(), digits(*offset)])
            }
            ReplMessage::Newline => 1,
            ReplMessage::Fine(text) | ReplMessage::Refused(text) => line_bytes(text.len()),
            ReplMessage::FullResync(at) => {
                line_bytes("FULLRESYNC ".len() + 40 + 1 + digits(at.offset))
            }
            ReplMessage::Continue(_) => line_bytes("CONTINUE ".len() + 40),
            ReplMessage::DumpSize(bytes) => line_bytes(digits(*bytes)),
            ReplMessage::DumpBegins(_) => line_bytes("EOF:".len() + 40),
            ReplMessage::DumpPart(dump, part) => dump.part(*part).bytes,
            ReplMessage::Command(command) => command.wire_bytes(),
        }
    }
}

impl StreamCommand {
    /// A write of these words.
    #[must_use]
    pub fn write(args: impl Into<Arc<Args>>) -> StreamCommand {
        StreamCommand::Write(Write::new(args, None))
    }

    /// Whether it is a command of one word, this one.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        matches!(self, StreamCommand::Write(write) if *write.args.as_slice() == [word.as_bytes()])
    }

    /// The exact length in the stream, by which offsets grow (A.3).
    #[must_use]
    pub fn wire_bytes(&self) -> u64 {
        match self {
            StreamCommand::Ping => 14,
            StreamCommand::Select => 23,
            StreamCommand::GetAck => 37,
            StreamCommand::Write(write) => write.wire_bytes,
        }
    }
}

/// The length of an array of bulk strings of these lengths.
fn command_bytes<I>(lengths: I) -> u64
where
    I: IntoIterator<Item = usize>,
    I::IntoIter: ExactSizeIterator,
{
    let lengths = lengths.into_iter();
    let head = line_bytes(digits(lengths.len() as u64));
    head + lengths.map(|len| line_bytes(digits(len as u64)) + len as u64 + 2).sum::<u64>()
}

/// The length of a line with one type character before it and the line end after it.
const fn line_bytes(text: usize) -> u64 {
    text as u64 + 3
}

/// How many digits a number has.
fn digits(number: u64) -> usize {
    match number {
        0..10 => 1,
        10..100 => 2,
        _ => number.ilog10() as usize + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args;
    use crate::rng::{Purpose, Seed};
    use proptest::prelude::*;

    /// The bytes themselves, the slow way.
    fn encoded(words: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n", word.len()).into_bytes());
            bytes.extend(word);
            bytes.extend(b"\r\n");
        }
        bytes
    }

    fn length_of(words: &str) -> u64 {
        encoded(&args(words.split(' '))).len() as u64
    }

    #[test]
    fn the_commands_that_a_master_adds_have_their_known_lengths_a3() {
        assert_eq!(StreamCommand::Ping.wire_bytes(), length_of("PING"));
        assert_eq!(StreamCommand::Select.wire_bytes(), length_of("SELECT 0"));
        assert_eq!(StreamCommand::GetAck.wire_bytes(), length_of("REPLCONF GETACK *"));
    }

    #[test]
    fn the_handshake_has_the_lengths_of_its_commands() {
        let id = ReplicationId::random(&mut Seed(1).stream(Purpose::Identity, 0, 0));
        let known = Position { id, offset: 99 };
        for (message, words) in [
            (ReplMessage::ListeningPort(7_000), "REPLCONF listening-port 7000".to_owned()),
            (ReplMessage::Capabilities, "REPLCONF capa eof capa psync2".to_owned()),
            (ReplMessage::Psync(None), "PSYNC ? -1".to_owned()),
            (ReplMessage::Psync(Some(known)), format!("PSYNC {id} 100")),
            (ReplMessage::Ack(0), "REPLCONF ACK 0".to_owned()),
        ] {
            assert_eq!(message.wire_bytes(), length_of(&words), "{words}");
        }
        let line = format!("+FULLRESYNC {id} 99\r\n");
        assert_eq!(ReplMessage::FullResync(known).wire_bytes(), line.len() as u64);
        assert_eq!(ReplMessage::Fine("OK").wire_bytes(), 5);
    }

    proptest! {
        #[test]
        fn a_write_grows_the_offset_by_its_encoded_length_a3(
            words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..130), 1..12)
        ) {
            let bytes = encoded(&words).len() as u64;
            prop_assert_eq!(StreamCommand::write(words).wire_bytes(), bytes);
        }
    }
}
