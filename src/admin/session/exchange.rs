//! Sending commands: connections, redirections, replies (cli §18.3, cli §18.5).

use super::{Complaint, HELP, If, Sent, Session, Transaction};
use crate::admin::Stop;
use crate::admin::format;
use crate::admin::host::{Address, Connection, Host, Lost};
use crate::admin::numbers::atoi;
use crate::resp::{Reply, args};
use crate::time::Span;

impl<H: Host> Session<'_, H> {
    /// Sends a command until it was answered by a server that does not redirect it. A lost
    /// connection is opened again once (cli §18.5).
    pub(super) async fn issue(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<Sent, Stop> {
        loop {
            self.redirected = false;
            if self.send(words, repeat).await? == Sent::Failed {
                self.connect(If::Forced, Complaint::Printed).await;
                if self.send(words, repeat).await? == Sent::Failed {
                    if self.connection.is_some() {
                        self.complain("Error: Server closed the connection\n");
                    }
                    return Ok(Sent::Failed);
                }
            }
            if !self.redirected {
                return Ok(Sent::Done);
            }
            self.connect(If::Forced, Complaint::Printed).await;
        }
    }

    /// Opens a connection and introduces itself there.
    pub(super) async fn connect(&mut self, condition: If, complaint: Complaint) -> bool {
        if let Some(old) = self.connection {
            if condition == If::Missing {
                return true;
            }
            self.host.close(old);
            self.connection = None;
            self.database = 0;
            self.transaction = Transaction::None;
        }
        match self.open().await {
            Ok(connection) => {
                self.connection = Some(connection);
                self.introduce(connection).await.is_ok_and(|accepted| accepted)
            }
            Err(message) => {
                if complaint == Complaint::Printed {
                    self.complain(format!("Could not connect to Redis at {message}\n"));
                }
                false
            }
        }
    }

    /// The error is the place and what the operating system said. There are no Unix sockets here,
    /// so none is ever found; after a redirection `-s` no longer counts.
    async fn open(&mut self) -> Result<Connection, String> {
        if let Some(path) = &self.options.socket
            && !(self.options.follow_redirections && self.redirected)
        {
            return Err(format!("{path}: No such file or directory"));
        }
        let address = self.address.clone();
        self.host.connect(&address).await.map_err(|error| format!("{address}: {error}"))
    }

    /// AUTH and SELECT. A refused password is only worth a warning, a refused database is an error
    /// without a word.
    async fn introduce(&mut self, connection: Connection) -> Result<bool, Lost> {
        if let Some(command) = self.options.credentials.auth_command()
            && let Reply::Error(_) = self.host.call(connection, command).await?
        {
            self.complain("Warning: AUTH failed\n");
        }
        self.select(connection).await
    }

    async fn select(&mut self, connection: Connection) -> Result<bool, Lost> {
        if self.database == 0 {
            return Ok(true);
        }
        let command = args(["SELECT".to_owned(), self.database.to_string()]);
        let reply = self.host.call(connection, command).await?;
        Ok(reply.error().is_none())
    }

    /// Sends a command `repeat` times and prints each reply, unless one of them redirects it.
    async fn send(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<Sent, Stop> {
        let name = lowercase(words, 0);
        if matches!(name.as_str(), "help" | "?") {
            // Without the table of all commands no name is known, which prints an empty line.
            self.print(if words.len() == 1 { HELP } else { "\r\n" });
            return Ok(Sent::Done);
        }
        if !is_simulated(&name) {
            return Err(Stop::Unsupported(name));
        }
        self.shutting_down |= name == "shutdown";
        let mut left = repeat;
        while left != 0 {
            left -= i64::from(left > 0);
            let Some(connection) = self.connection else { return Ok(Sent::Failed) };
            if self.ask(connection, words).await? == Sent::Failed {
                return Ok(Sent::Failed);
            }
            self.note_state(&name, words).await;
            if self.redirected || self.connection.is_none() {
                break;
            }
            if self.options.interval != Span::ZERO {
                self.host.sleep(self.options.interval).await;
            }
        }
        Ok(Sent::Done)
    }

    /// Sends a command once and deals with its reply.
    async fn ask(&mut self, connection: Connection, words: &[Vec<u8>]) -> Result<Sent, Stop> {
        let Ok(reply) = self.host.call(connection, words.to_vec()).await else {
            return self.lost(connection);
        };
        self.last_reply_was_error = reply.error().is_some();
        if let Some(error) = reply.error() {
            if self.options.follow_redirections && error.starts_with("MOVED") {
                self.redirect(error);
                return Ok(Sent::Done);
            }
            if !self.interactive && self.options.errors_set_exit_code {
                self.complain(format!("{error}\n"));
                return Err(Stop::exit(1));
            }
        }
        self.print(format::reply(&reply, self.options, is_verbatim(words)));
        Ok(Sent::Done)
    }

    fn lost(&mut self, connection: Connection) -> Result<Sent, Stop> {
        if self.shutting_down {
            self.host.close(connection);
            self.connection = None;
            return Ok(Sent::Done);
        }
        if self.interactive {
            return Ok(Sent::Failed);
        }
        self.complain("Error: Server closed the connection\n");
        Err(Stop::exit(1))
    }

    /// From now on talks to the server that `MOVED <slot> <host>:<port>` names.
    fn redirect(&mut self, error: &str) {
        let mut words = error.splitn(3, ' ').skip(1);
        let slot = atoi(words.next().unwrap_or_default());
        let (host, port) =
            words.next().and_then(|place| place.rsplit_once(':')).unwrap_or_default();
        self.address = Address::new(host, atoi(port));
        if self.interactive {
            let message = format!("-> Redirected to slot [{slot}] located at {}\n", self.address);
            self.print(message);
        }
        self.redirected = true;
    }

    /// Remembers what the prompt shows: the database and whether a transaction is open.
    async fn note_state(&mut self, name: &str, words: &[Vec<u8>]) {
        let refused = self.last_reply_was_error;
        match (name, words.len(), self.transaction) {
            ("select", 2, _) if !refused => {
                self.database = atoi(&String::from_utf8_lossy(&words[1]));
            }
            ("auth", 2 | 3, _) => {
                if let Some(connection) = self.connection {
                    let _ = self.select(connection).await;
                }
            }
            ("multi", 1, _) if !refused => self.transaction = Transaction::Open(self.database),
            ("exec", 1, Transaction::Open(before)) => {
                self.transaction = Transaction::None;
                if refused {
                    self.database = before;
                }
            }
            ("discard", 1, Transaction::Open(before)) if !refused => {
                self.transaction = Transaction::None;
                self.database = before;
            }
            _ => {}
        }
    }
}

/// Whether redis-cli can send a command of this name here: it does not listen to anybody.
#[must_use]
pub fn is_simulated(name: &str) -> bool {
    const LISTENING: [&str; 5] = ["monitor", "subscribe", "psubscribe", "sync", "psync"];
    !LISTENING.iter().any(|listening| name.eq_ignore_ascii_case(listening))
}

fn lowercase(words: &[Vec<u8>], index: usize) -> String {
    words
        .get(index)
        .map(|word| String::from_utf8_lossy(word).to_ascii_lowercase())
        .unwrap_or_default()
}

/// Whether the reply to this command is printed as it is in every format (cli §18.2).
fn is_verbatim(words: &[Vec<u8>]) -> bool {
    let second = lowercase(words, 1);
    match (lowercase(words, 0).as_str(), second.as_str()) {
        ("info" | "lolwut", _) => true,
        ("cluster", "nodes" | "info") => words.len() == 2,
        ("client", "list" | "info") => true,
        ("memory", "malloc-stats" | "doctor") => true,
        ("debug", "htstats" | "htstats-key") => true,
        ("latency", "graph") => words.len() == 3,
        ("latency", "doctor") => words.len() == 2,
        ("proxy", "info") => true,
        _ => false,
    }
}
