//! The tool against real servers: a host that blocks on real sockets.
#![allow(clippy::disallowed_types)] // The real clock, for once: real servers live by it.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis_cluster_sim::admin::{
    Address, Channel, Connection, Echo, ExitCode, Host, Lost, Shell, executor, run,
};
use redis_cluster_sim::resp::{Args, Reply};
use redis_cluster_sim::time::{Span, Wall};

use super::glibc_rand::GlibcRand;
use super::resp_client::RespClient;

/// What a run of the tool, ours or the real one, printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub exit: i32,
}

/// A host over real TCP. Nothing in it ever waits without blocking.
#[derive(Debug, Default)]
pub struct TcpHost {
    connections: Vec<Option<RespClient>>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// What each write to standard input brings, one after another.
    input: VecDeque<Vec<u8>>,
    /// The second that its draws belong to, if not the present one.
    second: Option<u32>,
    draws: Option<GlibcRand>,
}

/// Runs our tool against real servers with these lines of input.
pub fn run_ours(words: &[&str], shell: &Shell, input: &[&str]) -> Ran {
    run_host(words, shell, input, TcpHost::default())
}

/// Runs our tool as if it drew its random numbers in this second.
pub fn run_ours_in_second(words: &[&str], input: &[&str], second: u32) -> Ran {
    let host = TcpHost { second: Some(second), ..TcpHost::default() };
    run_host(words, &Shell::default(), input, host)
}

/// What the clock shows.
pub fn present_second() -> u32 {
    u32::try_from(TcpHost::default().now().secs()).unwrap()
}

fn run_host(words: &[&str], shell: &Shell, input: &[&str], mut host: TcpHost) -> Ran {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    host.input = input.iter().map(|line| format!("{line}\n").into_bytes()).collect();
    let ExitCode(exit) =
        executor::run_at_once(run(&mut host, shell, &words)).expect("nothing exotic was asked for");
    Ran {
        stdout: String::from_utf8_lossy(&host.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&host.stderr).into_owned(),
        exit: exit.into(),
    }
}

impl Host for TcpHost {
    async fn connect(&mut self, to: &Address) -> Result<Connection, String> {
        let port = u16::try_from(to.port).map_err(|_| "Servname not supported".to_owned())?;
        let client = RespClient::connect(&to.host, port).map_err(|error| os_text(&error))?;
        self.connections.push(Some(client));
        Ok(Connection(self.connections.len() as u32 - 1))
    }

    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost> {
        let slot = &mut self.connections[connection.0 as usize];
        let reply = slot.as_mut().ok_or(Lost)?.call(&command);
        reply.map_err(|_| {
            *slot = None;
            Lost
        })
    }

    fn close(&mut self, connection: Connection) {
        self.connections[connection.0 as usize] = None;
    }

    async fn sleep(&mut self, span: Span) {
        std::thread::sleep(Duration::from_micros(span.as_micros()));
    }

    fn now(&self) -> Wall {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Wall(u64::try_from(now.as_micros()).unwrap())
    }

    fn print(&mut self, channel: Channel, text: &[u8]) {
        match channel {
            Channel::Stdout => self.stdout.extend(text),
            Channel::Stderr => self.stderr.extend(text),
        }
    }

    async fn read(&mut self, limit: usize, _echo: Echo) -> Vec<u8> {
        let Some(mut piece) = self.input.pop_front() else { return Vec::new() };
        if piece.len() > limit {
            self.input.push_front(piece.split_off(limit));
        }
        piece
    }

    fn seed_draws(&mut self) {
        self.draws = Some(GlibcRand::new(self.second.unwrap_or_else(present_second)));
    }

    fn draw(&mut self, bound: u32) -> u32 {
        self.draws.get_or_insert_with(|| GlibcRand::new(1)).next() % bound
    }

    fn write_file(&mut self, path: &str, contents: &[u8]) -> Result<(), String> {
        std::fs::write(path, contents).map_err(|error| os_text(&error))
    }
}

/// The operating system's own words, without the number that Rust adds.
fn os_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
