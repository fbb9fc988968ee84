//! redis-cli as a program under way: what it waits for, and what it has printed.
//!
//! The tool is a future that owns a [`Desk`]; the runner holds the other end of it. Whenever the
//! tool cannot go on it leaves its request on the desk, and the runner lets virtual time pass until
//! it can lay the answer there. So a tool never holds the world, several can be under way at once,
//! and one that is dropped is a person who pressed ^C.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::admin::executor::Task;
use crate::admin::{self, Address, Channel, Connection, Echo, ExitCode, Host, Lost, Shell, Stuck};
use crate::resp::{Args, Reply};
use crate::rng::{Purpose, Seed, Stream};
use crate::time::{Span, Wall};

/// What a tool waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// A connection.
    Connect(Address),
    /// The reply to a command.
    Call(Connection, Args),
    /// Some time.
    Sleep(Span),
    /// Something to be typed.
    Read(Echo),
}

/// What comes back.
#[derive(Debug)]
pub(super) enum Answer {
    /// A connection, or what the operating system says.
    Connected(Result<Connection, String>),
    /// A reply, unless the connection is lost.
    Replied(Result<Reply, Lost>),
    /// The time is over.
    Awake,
    /// What was typed, with its newline; nothing at the end of input.
    Typed(Vec<u8>),
}

/// What lies between a tool and the runner.
#[derive(Debug)]
struct Desk {
    seed: Seed,
    now: Wall,
    request: Option<Request>,
    answer: Option<Answer>,
    printed: VecDeque<(Channel, Vec<u8>)>,
    closed: Vec<Connection>,
}

/// A run of redis-cli.
pub(super) struct Tool {
    task: Task<'static, Result<ExitCode, Stuck>>,
    desk: Rc<RefCell<Desk>>,
}

impl Tool {
    /// The program, with these words behind its name, at a terminal.
    pub(super) fn new(words: Vec<String>, seed: Seed) -> Tool {
        let desk = Rc::new(RefCell::new(Desk {
            seed,
            now: Wall(0),
            request: None,
            answer: None,
            printed: VecDeque::new(),
            closed: Vec::new(),
        }));
        let mut host = Seat { desk: Rc::clone(&desk), unread: VecDeque::new(), draws: None };
        let shell = Shell { stdin_is_terminal: true, stdout_is_terminal: true, ..Shell::default() };
        let task = Task::new(async move { admin::run(&mut host, &shell, &words).await });
        Tool { task, desk }
    }

    /// Lets it go on until it ends or waits for something.
    pub(super) fn run(&mut self, now: Wall) -> Option<Result<ExitCode, Stuck>> {
        self.desk.borrow_mut().now = now;
        self.task.run()
    }

    /// What it has printed and nobody has taken yet.
    pub(super) fn take_printed(&mut self) -> Option<(Channel, Vec<u8>)> {
        self.desk.borrow_mut().printed.pop_front()
    }

    /// The connections that it has closed and nobody has taken yet.
    pub(super) fn take_closed(&mut self) -> Vec<Connection> {
        std::mem::take(&mut self.desk.borrow_mut().closed)
    }

    /// What it waits for.
    pub(super) fn take_request(&mut self) -> Option<Request> {
        self.desk.borrow_mut().request.take()
    }

    /// Gives it what it waits for.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.desk.borrow_mut().answer = Some(answer);
    }
}

/// The tool's side of the desk.
struct Seat {
    desk: Rc<RefCell<Desk>>,
    /// What was typed and not read yet.
    unread: VecDeque<u8>,
    draws: Option<Stream>,
}

impl Seat {
    async fn ask(&mut self, request: Request) -> Answer {
        self.desk.borrow_mut().request = Some(request);
        poll_fn(|_| match self.desk.borrow_mut().answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        })
        .await
    }
}

impl Host for Seat {
    async fn connect(&mut self, to: &Address) -> Result<Connection, String> {
        match self.ask(Request::Connect(to.clone())).await {
            Answer::Connected(result) => result,
            other => unreachable!("{other:?} is no connection"),
        }
    }

    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost> {
        match self.ask(Request::Call(connection, command)).await {
            Answer::Replied(result) => result,
            other => unreachable!("{other:?} is no reply"),
        }
    }

    fn close(&mut self, connection: Connection) {
        self.desk.borrow_mut().closed.push(connection);
    }

    async fn sleep(&mut self, span: Span) {
        self.ask(Request::Sleep(span)).await;
    }

    fn now(&self) -> Wall {
        self.desk.borrow().now
    }

    fn print(&mut self, channel: Channel, text: &[u8]) {
        self.desk.borrow_mut().printed.push_back((channel, text.to_vec()));
    }

    async fn read(&mut self, limit: usize, echo: Echo) -> Vec<u8> {
        if self.unread.is_empty()
            && let Answer::Typed(line) = self.ask(Request::Read(echo)).await
        {
            self.unread.extend(line);
        }
        let end = self.unread.len().min(limit);
        self.unread.drain(..end).collect()
    }

    fn seed_draws(&mut self) {
        let desk = self.desk.borrow();
        let second = desk.now.secs().unsigned_abs();
        self.draws = Some(desk.seed.stream(Purpose::Admin, second, 0));
    }

    fn draw(&mut self, bound: u32) -> u32 {
        if self.draws.is_none() {
            self.seed_draws();
        }
        self.draws.as_mut().map_or(0, |draws| draws.below(bound))
    }

    /// The person's disk takes everything; nobody reads it.
    fn write_file(&mut self, _path: &str, _contents: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
