//! The terminal in front of toy servers.

use redis_cluster_sim::admin::{Address, Channel, Connection, Echo, Host, Lost};
use redis_cluster_sim::resp::{Args, Reply};
use redis_cluster_sim::time::{Span, Wall};

use super::answers::text_of;
use super::{ToyCluster, Typed};
use crate::support::glibc_rand::GlibcRand;

impl Host for ToyCluster {
    async fn connect(&mut self, to: &Address) -> Result<Connection, String> {
        let address = to.to_string().replace("localhost", "127.0.0.1");
        match self.by_address(&address).filter(|&number| self.nodes[number].alive) {
            None => Err("Connection refused".to_owned()),
            Some(number) => {
                self.wire.push(format!("{address} <- (connect)"));
                let admitted = self.nodes[number].password.is_none();
                self.connections.push((number, admitted));
                Ok(Connection(self.connections.len() as u32 - 1))
            }
        }
    }

    async fn call(&mut self, connection: Connection, command: Args) -> Result<Reply, Lost> {
        let (number, admitted) = self.connections[connection.0 as usize];
        self.wire.push(format!("{} <- {}", self.nodes[number].address, text_of(&command)));
        if command[0] == b"AUTH" {
            let right = self.nodes[number].password.as_deref().map(str::as_bytes)
                == command.last().map(Vec::as_slice);
            self.connections[connection.0 as usize].1 = right;
            let wrong = "WRONGPASS invalid username-password pair or user is disabled.";
            return Ok(if right { Reply::ok() } else { Reply::Error(wrong.into()) });
        }
        if !admitted {
            return Ok(Reply::Error("NOAUTH Authentication required.".into()));
        }
        Ok(self.answer(number, &command))
    }

    fn close(&mut self, _: Connection) {}

    async fn sleep(&mut self, span: Span) {
        self.wire.push(format!("(sleep {span})"));
        self.sleeps += 1;
        if self.sleeps >= self.join_after {
            for (number, met) in std::mem::take(&mut self.met) {
                self.join(number, met);
            }
        }
    }

    fn now(&self) -> Wall {
        Wall(self.second as u64 * 1_000_000)
    }

    fn print(&mut self, _: Channel, text: &[u8]) {
        self.printed.extend(text);
    }

    async fn read(&mut self, limit: usize, _: Echo) -> Vec<u8> {
        let source = match &mut self.typed {
            Typed::Pipe(bytes) => bytes,
            Typed::Lines(lines) => {
                if self.rest.is_empty() {
                    self.rest = lines.pop_front().unwrap_or_default();
                    self.printed.extend(&self.rest);
                }
                &mut self.rest
            }
        };
        let rest = source.split_off(limit.min(source.len()));
        std::mem::replace(source, rest)
    }

    fn seed_draws(&mut self) {
        self.draws = GlibcRand::new(self.second as u32);
    }

    fn draw(&mut self, bound: u32) -> u32 {
        self.draws.next() % bound
    }

    fn write_file(&mut self, path: &str, contents: &[u8]) -> Result<(), String> {
        if !self.directory_exists {
            return Err("No such file or directory".to_owned());
        }
        self.files.insert(path.to_owned(), contents.to_vec());
        Ok(())
    }
}
