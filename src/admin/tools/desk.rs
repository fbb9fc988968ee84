//! The desk between a tool and whoever runs it.
//!
//! A tool never touches the world. It puts a request on its desk and is suspended; whoever runs it
//! carries the request out, puts the answer there, and lets it go on. So a tool may die between any
//! two of its steps, and any number of tools can be under way at once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::directories;
use super::stdin::{Piece, Stdin};
use super::{Printed, Source};
use crate::admin::host::{Address, Channel, Connection, Echo, Host, Lost};
use crate::resp::{Args, Reply};
use crate::rng::{Purpose, Seed, Stream};
use crate::time::{Span, Time, Wall};

/// What a tool waits for.
#[derive(Debug)]
pub(super) enum Request {
    Connect(Address),
    Call(Connection, Args),
    Sleep(Span),
    Read { limit: usize, echo: Echo },
}

/// What has become of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Connected(Result<Connection, String>),
    Replied(Result<Reply, Lost>),
    Woken,
    Read(Piece),
}

/// What a tool and its runner share.
#[derive(Debug)]
pub(super) struct Desk {
    now: Time,
    wall: Wall,
    request: Option<Request>,
    answer: Option<Answer>,
    pub(super) printed: Vec<Printed>,
    pub(super) stdin: Stdin,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Connections that the tool has closed.
    closed: Vec<Connection>,
    seed: Seed,
    draws: Stream,
}

impl Desk {
    pub(super) fn new(seed: Seed, stdin: Stdin) -> Desk {
        Desk {
            now: Time::ZERO,
            wall: Wall::default(),
            request: None,
            answer: None,
            printed: Vec::new(),
            stdin,
            files: BTreeMap::new(),
            closed: Vec::new(),
            seed,
            draws: seed.stream(Purpose::Admin, 0, 0),
        }
    }

    /// What the tool finds when it goes on.
    pub(super) fn admit(&mut self, now: Time, wall: Wall, answer: Option<Answer>) {
        (self.now, self.wall, self.answer) = (now, wall, answer);
    }

    /// What the tool has left on its desk: connections to close, and what it waits for.
    pub(super) fn collect(&mut self) -> (Vec<Connection>, Option<Request>) {
        (std::mem::take(&mut self.closed), self.request.take())
    }

    fn print(&mut self, source: Source, text: &[u8]) {
        let at = self.now;
        match self.printed.last_mut() {
            Some(last) if last.source == source && last.at == at => last.text.extend(text),
            _ => self.printed.push(Printed { at, source, text: text.to_vec() }),
        }
    }

    /// What stands on the line that the tool has begun: the question, if it waits for an answer.
    pub(super) fn unfinished_line(&self) -> String {
        let mut line = Vec::new();
        for printed in self.printed.iter().rev() {
            let end = printed.text.rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
            line.splice(0..0, end.iter().copied());
            if end.len() < printed.text.len() {
                break;
            }
        }
        String::from_utf8_lossy(&line).into_owned()
    }
}

/// The tool's side of the desk.
#[derive(Debug)]
pub(super) struct DeskHost(pub(super) Rc<RefCell<Desk>>);

impl DeskHost {
    async fn ask(&mut self, request: Request) -> Answer {
        self.0.borrow_mut().request = Some(request);
        poll_fn(|_| match self.0.borrow_mut().answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }
}

impl Host for DeskHost {
    async fn connect(&mut self, to: &Address) -> Result<Connection, String> {
        match self.ask(Request::Connect(to.clone())).await {
            Answer::Connected(outcome) => outcome,
            other => unreachable!("a connection was asked for, not {other:?}"),
        }
    }

    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost> {
        match self.ask(Request::Call(connection, command)).await {
            Answer::Replied(outcome) => outcome,
            other => unreachable!("a reply was asked for, not {other:?}"),
        }
    }

    fn close(&mut self, connection: Connection) {
        self.0.borrow_mut().closed.push(connection);
    }

    async fn sleep(&mut self, span: Span) {
        self.ask(Request::Sleep(span)).await;
    }

    fn now(&self) -> Wall {
        self.0.borrow().wall
    }

    fn print(&mut self, channel: Channel, text: &[u8]) {
        let source = match channel {
            Channel::Stdout => Source::Stdout,
            Channel::Stderr => Source::Stderr,
        };
        self.0.borrow_mut().print(source, text);
    }

    async fn read(&mut self, limit: usize, echo: Echo) -> Vec<u8> {
        match self.ask(Request::Read { limit, echo }).await {
            Answer::Read(piece) => {
                if !piece.shown.is_empty() {
                    self.0.borrow_mut().print(Source::Typed, &piece.shown);
                }
                piece.bytes
            }
            other => unreachable!("input was asked for, not {other:?}"),
        }
    }

    fn seed_draws(&mut self) {
        let mut desk = self.0.borrow_mut();
        let second = desk.wall.secs() as u64;
        desk.draws = desk.seed.stream(Purpose::Admin, second, 0);
    }

    fn draw(&mut self, bound: u32) -> u32 {
        self.0.borrow_mut().draws.below(bound)
    }

    fn write_file(&mut self, path: &str, contents: &[u8]) -> Result<(), String> {
        directories::create(path)?;
        self.0.borrow_mut().files.insert(path.to_owned(), contents.to_vec());
        Ok(())
    }
}
