//! What the tool sees of the world, and nothing more: connections, a clock, a terminal, a disk.
//!
//! `redis-cli` is written once, against this trait. Virtual clusters implement it by letting virtual
//! time pass while a request is under way; tests implement it with scripts or with real sockets.
//! Everything that takes time is an `async fn`, so that a tool can be suspended at, or dropped after,
//! any of its steps: a dropped future is a person who pressed ^C or a machine that died.

use std::fmt;

use crate::resp::{Args, Reply};
use crate::time::{Span, Wall};

/// Where a server listens, as a person or a reply wrote it.
///
/// The host is text, because the tool never resolves names itself and prints what it was given. The
/// port is whatever C's `atoi` made of the text, so it may be none at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: i32,
}

impl Address {
    /// The address of a port at a host.
    #[must_use]
    pub fn new(host: impl Into<String>, port: i32) -> Address {
        Address { host: host.into(), port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// An open connection, numbered by the host that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(pub u32);

/// The other side closed the connection, so there is no reply and there will never be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// Where the tool prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a terminal shows of what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// The text itself.
    Plain,
    /// A star for each character (passwords).
    Masked,
}

/// The world outside the tool.
// The futures stay on one thread, so nobody needs them to be `Send`.
#[allow(async_fn_in_trait)]
pub trait Host {
    /// Opens a connection, without any time limit of the tool's own (cli §3.1). The error is the text of
    /// the operating system, such as `Connection refused`.
    async fn connect(&mut self, to: &Address) -> Result<Connection, String>;

    /// Sends a command and waits for its reply, for ever if need be (cli §3.8). On a connection that was
    /// lost before, it is lost again at once.
    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost>;

    /// Closes a connection.
    fn close(&mut self, connection: Connection);

    /// Does nothing for some time.
    async fn sleep(&mut self, span: Span);

    /// The clock of the machine that the tool runs on.
    fn now(&self) -> Wall;

    /// Prints. The order of calls is the order in which the text appears, over both channels.
    fn print(&mut self, channel: Channel, text: &[u8]);

    /// One `read` of standard input: what is there, at most `limit` bytes, at a terminal at most one
    /// line; empty at the end of input (cli §2.9). A terminal shows what is typed.
    async fn read(&mut self, limit: usize, echo: Echo) -> Vec<u8>;

    /// What `srand(time(NULL))` does: from now on [`Host::draw`] gives the numbers that belong to the
    /// present second of the clock, from the first (cli §3.4).
    fn seed_draws(&mut self);

    /// The next random number in `0..bound`.
    fn draw(&mut self, bound: u32) -> u32;

    /// Writes a file. The error is the text of the operating system.
    fn write_file(&mut self, path: &str, contents: &[u8]) -> Result<(), String>;
}
