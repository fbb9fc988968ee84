//! One run of `redis-cli`: carries out its requests and lets it go on when they are answered.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::rc::Rc;

use super::desk::{Answer, Desk, DeskHost, Request};
use super::stdin::Stdin;
use super::{Invocation, Sent, Status};
use crate::admin::executor::Task;
use crate::admin::host::{Address, Connection, Echo, Lost};
use crate::admin::{ExitCode, Stuck, run};
use crate::rng::Seed;
use crate::time::{Span, Time};
use crate::world::{ClientEvent, ClientNo, Program, World};

/// A connection that nobody answers is given up after this long: six doublings of a second.
const CONNECT_PATIENCE: Span = Span::secs(127);

/// A tool and its desk.
pub(super) struct Tool {
    /// The program, until it is over.
    task: Option<Task<'static, Result<ExitCode, Stuck>>>,
    desk: Rc<RefCell<Desk>>,
    waiting: Waiting,
    end: Option<Status>,
    /// The open connections, and where they lead. The tool's numbers are the world's.
    clients: BTreeMap<Connection, (ClientNo, Address)>,
    /// How many requests were sent, and the last of them.
    requests: u32,
    last_sent: Option<Sent>,
    dies_after: Option<NonZeroU32>,
}

/// What a tool's program is suspended at.
#[derive(Debug)]
enum Waiting {
    /// It is not: it was not started yet, or is running.
    Nothing,
    /// A connection, dialled at this time.
    Connect(ClientNo, Address, Time),
    Reply(Connection, ClientNo),
    Sleep(Time),
    Input(usize, Echo),
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("waiting", &self.waiting).field("end", &self.end).finish()
    }
}

impl Tool {
    pub(super) fn new(seed: Seed, invocation: Invocation) -> Tool {
        let Invocation { words, shell, typed, dies_after } = invocation;
        let mut stdin = Stdin::new(shell.stdin_is_terminal);
        typed.iter().for_each(|line| stdin.push_line(line));
        let desk = Rc::new(RefCell::new(Desk::new(seed, stdin)));
        let mut host = DeskHost(Rc::clone(&desk));
        Tool {
            task: Some(Task::new(async move { run(&mut host, &shell, &words).await })),
            desk,
            waiting: Waiting::Nothing,
            end: None,
            clients: BTreeMap::new(),
            requests: 0,
            last_sent: None,
            dies_after,
        }
    }

    pub(super) fn desk(&self) -> RefMut<'_, Desk> {
        self.desk.borrow_mut()
    }

    pub(super) fn status(&self) -> Status {
        match (&self.end, &self.waiting) {
            (Some(end), _) => end.clone(),
            (None, Waiting::Input(..)) => Status::Asks { question: self.desk().unfinished_line() },
            (None, _) => Status::Running,
        }
    }

    pub(super) fn requests(&self) -> u32 {
        self.requests
    }

    pub(super) fn last_sent(&self) -> Option<&Sent> {
        self.last_sent.as_ref()
    }

    pub(super) fn wakes_at(&self) -> Option<Time> {
        match self.waiting {
            Waiting::Sleep(until) if self.end.is_none() => Some(until),
            _ => None,
        }
    }

    /// Starts the program.
    pub(super) fn launch<P: Program>(&mut self, world: &mut World<P>) {
        let answer = self.resume(world, None);
        self.go_on(world, answer);
    }

    /// Goes on if what the program waits for is there.
    pub(super) fn advance<P: Program>(&mut self, world: &mut World<P>) {
        self.go_on(world, None);
    }

    fn go_on<P: Program>(&mut self, world: &mut World<P>, mut ready: Option<Answer>) {
        while self.end.is_none() {
            let Some(answer) = ready.take().or_else(|| self.take_answer(world)) else { return };
            ready = self.resume(world, Some(answer));
        }
    }

    /// What the program waits for, if it is there.
    fn take_answer<P: Program>(&mut self, world: &mut World<P>) -> Option<Answer> {
        Some(match self.waiting {
            Waiting::Nothing => return None,
            Waiting::Connect(client, ref to, since) => {
                let outcome = match world.client_take(client)? {
                    ClientEvent::Connected => {
                        let connection = Connection(client.0);
                        self.clients.insert(connection, (client, to.clone()));
                        Ok(connection)
                    }
                    _ if world.now().since(since) >= CONNECT_PATIENCE => {
                        Err("Connection timed out")
                    }
                    _ => Err("Connection refused"),
                };
                Answer::Connected(outcome.map_err(str::to_owned))
            }
            Waiting::Reply(connection, client) => {
                Answer::Replied(match world.client_take(client)? {
                    ClientEvent::Reply(reply) => Ok(reply),
                    _ => {
                        self.clients.remove(&connection);
                        Err(Lost)
                    }
                })
            }
            Waiting::Sleep(until) => {
                if world.now() < until {
                    return None;
                }
                Answer::Woken
            }
            Waiting::Input(limit, echo) => Answer::Read(self.desk().stdin.read(limit, echo)?),
        })
    }

    /// Lets the program run to its next request, and begins to carry that out. The answer is there
    /// already if it takes no time.
    fn resume<P: Program>(
        &mut self,
        world: &mut World<P>,
        answer: Option<Answer>,
    ) -> Option<Answer> {
        self.waiting = Waiting::Nothing;
        self.desk().admit(world.now(), world.wall(), answer);
        let outcome = self.task.as_mut()?.run();
        let (closed, request) = self.desk().collect();
        for connection in closed {
            if let Some((client, _)) = self.clients.remove(&connection) {
                world.client_close(client);
            }
        }
        match (outcome, request) {
            (Some(Ok(code)), _) => self.finish(world, Status::Ended(code)),
            (Some(Err(stuck)), _) => self.finish(world, Status::Stuck(stuck)),
            (None, Some(request)) => return self.begin(world, request),
            (None, None) => unreachable!("a tool waits for nothing but its requests"),
        }
        None
    }

    fn begin<P: Program>(&mut self, world: &mut World<P>, request: Request) -> Option<Answer> {
        self.waiting = match request {
            Request::Connect(to) => match resolve(&to) {
                Ok((ip, port)) => Waiting::Connect(world.client_connect(ip, port), to, world.now()),
                Err(error) => return Some(Answer::Connected(Err(error.to_owned()))),
            },
            Request::Call(connection, command) => {
                let Some((client, to)) = self.clients.get(&connection) else {
                    return Some(Answer::Replied(Err(Lost)));
                };
                let (client, to) = (*client, to.clone());
                self.last_sent = Some(Sent { to, command: command.clone() });
                self.requests += 1;
                world.client_send(client, command);
                if self.dies_after.is_some_and(|last| self.requests >= last.get()) {
                    self.interrupt(world);
                    return None;
                }
                Waiting::Reply(connection, client)
            }
            Request::Sleep(span) => Waiting::Sleep(world.now() + span),
            Request::Read { limit, echo } => Waiting::Input(limit, echo),
        };
        None
    }

    pub(super) fn interrupt<P: Program>(&mut self, world: &mut World<P>) {
        if self.end.is_none() {
            self.finish(world, Status::Interrupted);
        }
    }

    /// The process is gone; the system closes what it had open.
    fn finish<P: Program>(&mut self, world: &mut World<P>, end: Status) {
        self.task = None;
        self.end = Some(end);
        if let Waiting::Connect(client, ..) = self.waiting {
            world.client_close(client);
        }
        for (client, _) in std::mem::take(&mut self.clients).into_values() {
            world.client_close(client);
        }
    }
}

/// Where an address leads, or what the resolver says. The only name that anybody knows is
/// localhost.
fn resolve(address: &Address) -> Result<(IpAddr, u16), &'static str> {
    let ip = match address.host.as_str() {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_| "Name or service not known")?,
    };
    let port = u16::try_from(address.port).map_err(|_| "Servname not supported for ai_socktype")?;
    Ok((ip, port))
}
