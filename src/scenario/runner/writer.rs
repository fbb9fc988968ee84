//! A client that writes while other things happen, and knows afterwards what has to be there.
//!
//! It appends numbers to lists. A number that was acknowledged has to be in its list, in its order; one
//! whose reply was lost may be there; nothing else may.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::network::NodeNo;
use crate::resp::args;
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::client::{Client, NoReply};
use crate::scenario::runner::{Outcome, Runner, ask};
use crate::time::{Span, Time};
use crate::world::World;

/// How many lists it writes to, in turns.
const LISTS: u64 = 1_000;
/// Next to the golden ratio of them and prime to them: turns visit all, far apart.
const STRIDE: u64 = 619;

/// The client in the background.
#[derive(Debug)]
pub(super) struct Writer {
    client: Client,
    home: SocketAddr,
    pause: Span,
    lists: BTreeMap<u64, Vec<Entry>>,
    /// How many numbers it has sent.
    sent: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Resting(Time),
    Waiting,
    Ended,
}

/// What it knows of a number that it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    number: u64,
    /// Whether it was acknowledged; if not, nobody knows.
    certain: bool,
}

impl Writer {
    fn new(home: SocketAddr, pause: Span, now: Time) -> Writer {
        let client = Client::new(home, true);
        let state = State::Resting(now);
        Writer { client, home, pause, lists: BTreeMap::new(), sent: 0, state }
    }

    /// When it has to be advanced again, whatever else happens.
    pub(super) fn wakes_at(&self) -> Option<Time> {
        match self.state {
            State::Resting(until) => Some(until),
            State::Waiting => self.client.wakes_at(),
            State::Ended => None,
        }
    }

    /// Goes on if it can.
    pub(super) fn advance(&mut self, world: &mut World) {
        match self.state {
            State::Resting(until) if until <= world.now() => {
                self.sent += 1;
                let (list, number) = (list_of(self.sent), self.sent.to_string());
                self.client.begin(world, args(["RPUSH", &key(list), &number]));
                self.state = State::Waiting;
            }
            State::Waiting => {
                if let Some(result) = self.client.advance(world) {
                    let certain = match result {
                        Ok(reply) if reply.error().is_none() => Some(true),
                        Ok(_) | Err(NoReply::Refused) => None,
                        Err(NoReply::Lost) => Some(false),
                    };
                    self.note(certain);
                    self.state = State::Resting(world.now() + self.pause);
                }
            }
            State::Resting(_) | State::Ended => {}
        }
    }

    fn note(&mut self, certain: Option<bool>) {
        let entry = certain.map(|certain| Entry { number: self.sent, certain });
        self.lists.entry(list_of(self.sent)).or_default().extend(entry);
    }

    fn acknowledged(&self) -> usize {
        self.lists.values().flatten().filter(|entry| entry.certain).count()
    }
}

fn list_of(number: u64) -> u64 {
    number * STRIDE % LISTS
}

fn key(list: u64) -> String {
    format!("list:{list}")
}

/// What is wrong with the elements of a list, if anything is.
fn difference(written: &[Entry], found: &[u64]) -> Option<String> {
    let mut rest = found.iter().peekable();
    for entry in written {
        let there = rest.next_if(|number| **number == entry.number).is_some();
        if entry.certain && !there {
            return Some(format!("{} was acknowledged and is not in its place", entry.number));
        }
    }
    rest.next().map(|number| format!("{number} is there, and should not be"))
}

impl Runner<'_> {
    /// `begin writes via 7000`
    pub(super) fn begin_writes(&mut self, node: NodeNo, pause: Span) {
        let home = self.world.address(node);
        let now = self.world.now();
        match &mut self.writer {
            // What was written before is still looked for.
            Some(writer) => {
                writer.client = Client::new(home, true);
                (writer.home, writer.pause, writer.state) = (home, pause, State::Resting(now));
            }
            None => self.writer = Some(Writer::new(home, pause, now)),
        }
    }

    /// `end writes`
    pub(super) fn end_writes(&mut self, text: &str) -> Outcome {
        let begin = self.world.now();
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        while writer.state == State::Waiting {
            let wakes = writer.wakes_at().unwrap_or(self.horizon);
            self.go_on(wakes)?;
            writer.advance(&mut self.world);
            if self.world.now() >= self.horizon {
                return Err(super::Halt::TimeUp);
            }
        }
        writer.state = State::Ended;
        writer.client.close(&mut self.world);
        let (sent, acknowledged) = (writer.sent, writer.acknowledged());
        self.writer = Some(writer);
        let took = self.world.now().since(begin);
        self.say(What::Step(format!("{text}: {acknowledged} of {sent} acknowledged"), took))
    }

    /// `expect writes kept`
    pub(super) fn expect_writes_kept(&mut self, text: &str) -> Outcome {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let mut client = Client::new(writer.home, true);
        for (&list, written) in &writer.lists {
            let command = args(["LRANGE", &key(list), "0", "-1"]);
            let reply = self.call(&mut client, command, self.horizon)?;
            let text = match &reply {
                Ok(reply) => ask::text(reply),
                Err(why) => why.words().to_owned(),
            };
            let found: Option<Vec<u64>> = text.lines().map(|line| line.parse().ok()).collect();
            let wrong = match (&reply, found) {
                (Ok(_), Some(found)) => difference(written, &found),
                _ => Some(format!("it cannot be read: {text}")),
            };
            if let Some(wrong) = wrong {
                let message = "this expectation is not met";
                return self.fail(Ending::Unexpected, message, format!("{}: {wrong}", key(list)));
            }
        }
        client.close(&mut self.world);
        self.writer = Some(writer);
        self.say(What::Met(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(numbers: &[(u64, bool)]) -> Vec<Entry> {
        numbers.iter().map(|&(number, certain)| Entry { number, certain }).collect()
    }

    #[test]
    fn an_acknowledged_number_must_be_there_in_its_order() {
        let written = entries(&[(1, true), (2, true)]);
        assert_eq!(difference(&written, &[1, 2]), None);
        assert!(difference(&written, &[1]).unwrap().starts_with("2 "));
        assert!(difference(&written, &[2, 1]).unwrap().starts_with("1 "));
    }

    #[test]
    fn a_number_whose_reply_was_lost_may_be_there_once() {
        let written = entries(&[(1, true), (2, false), (3, true)]);
        assert_eq!(difference(&written, &[1, 3]), None);
        assert_eq!(difference(&written, &[1, 2, 3]), None);
        assert!(difference(&written, &[1, 2, 2, 3]).is_some());
        assert!(difference(&written, &[1, 3, 4]).unwrap().starts_with("4 "));
    }

    #[test]
    fn the_lists_take_turns() {
        let mut lists: Vec<u64> = (0..LISTS).map(list_of).collect();
        lists.sort_unstable();
        assert_eq!(lists, (0..LISTS).collect::<Vec<_>>());
    }
}
