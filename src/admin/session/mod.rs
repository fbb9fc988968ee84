//! The plain client: one command, a dialogue at a terminal, or lines from a pipe (cli §18).
//!
//! With `-c` it follows `MOVED` and stays where it was sent; `ASK` is printed like any other error,
//! because 6.2.3 compares the whole reply with that word (cli §18.3). A connection that was lost is
//! noticed at the next command, which is silently sent once more over a new one (cli §18.5).

mod exchange;

pub use exchange::is_simulated;

use crate::admin::host::{Address, Channel, Connection, Echo, Host};
use crate::admin::numbers::{atoi, strtol};
use crate::admin::options::{Format, Options};
use crate::admin::split_args::split_args;
use crate::admin::{Shell, Stop};
use crate::resp::{Args, args};

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
        // A number in front of a command says how often it is sent.
        let (repeat, command) = match strtol(&first) {
            (count, "") if words.len() > 1 => (count, &words[1..]),
            _ => (1, &words[..]),
        };
        if repeat <= 0 {
            self.print("Invalid redis-cli repeat command option value.\n");
            return Ok(());
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
            _ => self.issue_timed(command, repeat).await?,
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

/// The single word that a quoted text stands for.
fn unquote(word: &[u8]) -> Option<Vec<u8>> {
    let mut words = split_args(word)?;
    if words.len() == 1 { words.pop() } else { None }
}
