//! The plain client: one command, a dialogue at a terminal, or lines from a pipe (18).
//!
//! With `-c` it follows `MOVED` and stays where it was sent; `ASK` is printed like any other error,
//! because 6.2.3 compares the whole reply with that word (cli §18.3). A connection that was lost is noticed
//! at the next command, which is silently sent once more over a new one (cli §18.5).

use super::format;
use super::host::{Address, Channel, Connection, Echo, Host, Lost};
use super::numbers::{atoi, strtol};
use super::options::{Format, Options};
use super::split_args::split_args;
use super::{Shell, Stop};
use crate::resp::{Args, Reply, args};

/// A command that takes at least this long has its time printed (cli §18.4).
const SLOW_MS: i64 = 500;

const HELP: &str = "redis-cli 6.2.3\n\
To get help about Redis commands type:\n\
\x20     \"help @<group>\" to get a list of commands in <group>\n\
\x20     \"help <command>\" for help on <command>\n\
\x20     \"help <tab>\" to get a list of possible help topics\n\
\x20     \"quit\" to exit\n\
\n\
To set redis-cli preferences:\n\
\x20     \":set hints\" enable online hints\n\
\x20     \":set nohints\" disable online hints\n\
Set your preferences in ~/.redisclirc\n";

/// Runs the plain client to its end.
pub(super) async fn run<H: Host>(
    host: &mut H,
    shell: &Shell,
    options: &Options,
) -> Result<(), Stop> {
    let mut session = Session::new(host, options);
    if options.command.is_empty() {
        session.connect(If::Forced, Complaint::Printed).await;
        session.converse(shell).await
    } else {
        if !session.connect(If::Forced, Complaint::Printed).await {
            return Err(Stop::exit(1));
        }
        session.run_one_shot().await
    }
}

struct Session<'a, H> {
    host: &'a mut H,
    options: &'a Options,
    address: Address,
    connection: Option<Connection>,
    database: i32,
    transaction: Transaction,
    /// In a dialogue or fed from a pipe: redirections are announced, lost connections repaired.
    interactive: bool,
    /// The last reply was a redirection: the command has to be sent again.
    redirected: bool,
    /// SHUTDOWN was sent, so a lost connection is no error.
    shutting_down: bool,
    last_reply_was_error: bool,
}

#[derive(Clone, Copy)]
enum Transaction {
    None,
    /// Inside MULTI; the database selected before it.
    Open(i32),
}

/// When to open a connection.
#[derive(Clone, Copy, PartialEq)]
enum If {
    /// If there is none.
    Missing,
    /// In any case; one that is there is given up first.
    Forced,
}

/// What becomes of the message that nobody listens there.
#[derive(Clone, Copy, PartialEq)]
enum Complaint {
    Printed,
    Swallowed,
}

/// Whether a command found its way to a server.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    Done,
    /// There is no connection, or it was lost before the reply.
    Failed,
}

impl<'a, H: Host> Session<'a, H> {
    fn new(host: &'a mut H, options: &'a Options) -> Session<'a, H> {
        Session {
            host,
            options,
            address: options.address.clone(),
            connection: None,
            database: options.database,
            transaction: Transaction::None,
            interactive: false,
            redirected: false,
            shutting_down: false,
            last_reply_was_error: false,
        }
    }

    fn print(&mut self, text: impl AsRef<[u8]>) {
        self.host.print(Channel::Stdout, text.as_ref());
    }

    fn complain(&mut self, text: impl AsRef<[u8]>) {
        self.host.print(Channel::Stderr, text.as_ref());
    }

    async fn run_one_shot(&mut self) -> Result<(), Stop> {
        let mut words = args(&self.options.command);
        if self.options.quoted_input {
            let unquoted: Option<Args> = words.iter().map(|word| unquote(word)).collect();
            let Some(unquoted) = unquoted else {
                self.print("Invalid quoted string\n");
                return Err(Stop::exit(1));
            };
            words = unquoted;
        }
        if self.options.last_argument_from_stdin {
            words.push(self.read_all_input().await);
        }
        match self.issue(&words, self.options.repeat).await? {
            Sent::Done => Ok(()),
            Sent::Failed => Err(Stop::exit(255)),
        }
    }

    async fn read_all_input(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = self.host.read(1024, Echo::Plain).await;
            if piece.is_empty() {
                return all;
            }
            all.extend(piece);
        }
    }

    async fn converse(&mut self, shell: &Shell) -> Result<(), Stop> {
        // The client asks what commands there are, for its hints; nobody sees an answer.
        if self.connect(If::Missing, Complaint::Swallowed).await
            && let Some(connection) = self.connection
        {
            let _ = self.host.call(connection, args(["COMMAND"])).await;
        }
        self.interactive = true;
        let mut input = LineInput::default();
        loop {
            if shell.stdin_is_terminal {
                let prompt = self.prompt();
                self.print(prompt);
            }
            match input.next_line(self.host).await {
                Some(line) => self.obey(&line).await?,
                None => return Ok(()),
            }
        }
    }

    fn prompt(&self) -> String {
        if self.connection.is_none() {
            return "not connected> ".to_owned();
        }
        let Address { host, port } = &self.address;
        let place = match &self.options.socket {
            Some(path) => format!("redis {path}"),
            None if host.contains(':') => format!("[{host}]:{port}"),
            None => self.address.to_string(),
        };
        let database =
            if self.database == 0 { String::new() } else { format!("[{}]", self.database) };
        let transaction = if let Transaction::Open(_) = self.transaction { "(TX)" } else { "" };
        format!("{place}{database}{transaction}> ")
    }

    /// Does what a typed line says.
    async fn obey(&mut self, line: &[u8]) -> Result<(), Stop> {
        let Some(words) = split_args(line) else {
            self.print("Invalid argument(s)\n");
            return Ok(());
        };
        let Some(first) = words.first() else { return Ok(()) };
        let first = String::from_utf8_lossy(first).to_ascii_lowercase();
        let mut repeat = 1;
        if words.len() > 1
            && let (count, "") = strtol(&first)
        {
            if count <= 0 {
                self.print("Invalid redis-cli repeat command option value.\n");
                return Ok(());
            }
            repeat = count;
        }
        match first.as_str() {
            "quit" | "exit" => return Err(Stop::exit(0)),
            "restart" => self.print("Use 'restart' only in Lua debugging mode."),
            "clear" if words.len() == 1 => self.print("\x1b[H\x1b[2J"),
            "connect" if words.len() == 3 => {
                let text = |index: usize| String::from_utf8_lossy(&words[index]).into_owned();
                self.address = Address::new(text(1), atoi(&text(2)));
                self.connect(If::Forced, Complaint::Printed).await;
            }
            _ if first.starts_with(':') => self.set_preference(&words),
            _ => {
                self.issue_timed(&words[usize::from(repeat_was_given(&words, &first))..], repeat)
                    .await?
            }
        }
        Ok(())
    }

    fn set_preference(&mut self, words: &Args) {
        let text = |index: usize| String::from_utf8_lossy(&words[index]);
        if !words[0].eq_ignore_ascii_case(b":set") || words.len() < 2 {
            let message = format!("unknown redis-cli internal command '{}'\n", text(0));
            self.print(message);
        } else if !matches!(text(1).to_ascii_lowercase().as_str(), "hints" | "nohints") {
            let message = format!("unknown redis-cli preference '{}'\n", text(1));
            self.print(message);
        }
    }

    /// Sends a typed command and prints how long it took, if that was long (cli §18.4).
    async fn issue_timed(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<(), Stop> {
        let start = self.host.now().millis();
        self.issue(words, repeat).await?;
        let elapsed = (self.host.now().millis() - start).0;
        if elapsed >= SLOW_MS && self.options.format == Format::Formatted {
            self.print(format!("({:.2}s)\n", elapsed as f64 / 1000.0));
        }
        Ok(())
    }

    /// Sends a command until it was answered by a server that does not redirect it. A lost connection
    /// is opened again once (cli §18.5).
    async fn issue(&mut self, words: &[Vec<u8>], repeat: i64) -> Result<Sent, Stop> {
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
    async fn connect(&mut self, condition: If, complaint: Complaint) -> bool {
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

    /// The error is the place and what the operating system said. There are no Unix sockets here, so
    /// none is ever found; after a redirection `-s` no longer counts.
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
        if matches!(name.as_str(), "monitor" | "subscribe" | "psubscribe" | "sync" | "psync") {
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
            if self.options.interval != crate::time::Span::ZERO {
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

/// Standard input, line by line.
#[derive(Default)]
struct LineInput {
    read: Vec<u8>,
}

impl LineInput {
    /// The next line without its end; `None` at the end of input.
    async fn next_line<H: Host>(&mut self, host: &mut H) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let rest = self.read.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.read, rest);
                line.pop();
                return Some(line);
            }
            let piece = host.read(4096, Echo::Plain).await;
            if piece.is_empty() {
                let last = std::mem::take(&mut self.read);
                return (!last.is_empty()).then_some(last);
            }
            self.read.extend(piece);
        }
    }
}

/// Whether the first word is a repeat count in front of a command.
fn repeat_was_given(words: &[Vec<u8>], first: &str) -> bool {
    words.len() > 1 && strtol(first).1.is_empty()
}

/// The single word that a quoted text stands for.
fn unquote(word: &[u8]) -> Option<Vec<u8>> {
    let mut words = split_args(word)?;
    if words.len() == 1 { words.pop() } else { None }
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
