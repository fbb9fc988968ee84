//! Steps that are typed at a terminal: `redis-cli …`, `redis-server 7000/redis.conf`, `cat …`.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use crate::admin::is_simulated;
use crate::network::NodeNo;
use crate::node::command;
use crate::scenario::diagnostic::{Diagnostic, Topic};
use crate::scenario::roster::Roster;
use crate::scenario::source::Bytes;
use crate::scenario::step::Step;
use crate::scenario::suggest;
use crate::scenario::units;
use crate::scenario::words::{Cursor, Word, bad_unit, expand, node};

/// A program that is run at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `redis-cli`, with what is typed into it.
    RedisCli(RedisCli),
    /// `redis-server -v`
    Version,
    /// `redis-server NODE/redis.conf`
    Server(NodeNo),
    /// `cat NODE/FILE`
    Show(NodeNo, DocumentFile),
    /// A command that changes nothing that is simulated.
    Nothing,
}

/// A run of redis-cli.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisCli {
    /// The command as it is typed.
    pub line: String,
    /// Its words, the program's name left out.
    pub words: Vec<String>,
    /// What is typed into it, line by line.
    pub typed: Vec<TypedLine>,
    /// How it is run.
    pub manner: Manner,
}

/// How redis-cli is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// To its end.
    Whole,
    /// It is killed as soon as it has sent its request of this number.
    Aborted(NonZeroU32),
    /// Once everything is typed that is to be typed, the script goes on while it works.
    Background,
}

impl RedisCli {
    /// The command as a shell would be given it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.manner {
            Manner::Whole | Manner::Aborted(_) => self.line.clone(),
            Manner::Background => format!("{} &", self.line),
        }
    }

    /// Whether it is a session: no command and no `--cluster`.
    #[must_use]
    pub fn is_session(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        !self.is_cluster_manager() && client_options(&words).command.is_none()
    }

    /// Whether it is a command of the cluster manager.
    #[must_use]
    pub fn is_cluster_manager(&self) -> bool {
        self.words.iter().any(|word| word == "--cluster")
    }
}

/// A line that is typed into a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedLine {
    /// The text.
    pub text: String,
    /// Where it stands in the file.
    pub span: Bytes,
}

/// A file of a node that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentFile {
    /// redis.conf
    Config,
    /// nodes.conf
    Nodes,
    /// redis.log
    Log,
}

const FILES: [(&str, DocumentFile); 3] = [
    ("redis.conf", DocumentFile::Config),
    ("nodes.conf", DocumentFile::Nodes),
    ("redis.log", DocumentFile::Log),
];

impl DocumentFile {
    /// Its name in the node's directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        FILES.iter().find(|(_, file)| *file == self).map_or("", |(name, _)| name)
    }
}

/// `redis-cli …`
pub(super) fn redis_cli(cursor: &mut Cursor<'_>, program: &Word) -> Result<Step, Diagnostic> {
    run(cursor, program, Manner::Whole)
}

/// `abort after REQUESTS: redis-cli --cluster …`
pub(super) fn abort(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    const EXAMPLE: &str = "for example `abort after 12: redis-cli --cluster fix 127.0.0.1:7000`";
    const REQUESTS: &str = "how many requests it sends before, and a colon";
    cursor.keyword("after")?;
    let word = cursor.take(REQUESTS).map_err(|mistake| mistake.hint(EXAMPLE))?;
    let number = word.text.strip_suffix(':').unwrap_or(&word.text);
    let count = units::count(number, 1, u64::from(u32::MAX));
    let digits = word.span.start..word.span.start + number.len();
    let count = count.map_err(|error| bad_unit("a number of requests", digits, error))?;
    let Some(count) = u32::try_from(count).ok().and_then(NonZeroU32::new) else {
        return Err(cursor.missing(REQUESTS));
    };
    if number.len() == word.text.len() {
        let end = word.span.end;
        let mistake = Diagnostic::new("a colon is missing", end..end, "expected `:`");
        return Err(mistake.hint(EXAMPLE));
    }
    cluster_manager(cursor, Manner::Aborted(count))
}

/// `in background: redis-cli …`
pub(super) fn background(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    const EXAMPLE: &str = "for example `in background: redis-cli --cluster fix 127.0.0.1:7000` \
        or `in background: redis-cli -p 7000 blpop queue 0`";
    cursor.keyword("background:").map_err(|mistake| mistake.hint(EXAMPLE))?;
    let program = cursor.keyword("redis-cli")?;
    run(cursor, program, Manner::Background)
}

/// `redis-cli --cluster …`, and nothing else.
fn cluster_manager(cursor: &mut Cursor<'_>, manner: Manner) -> Result<Step, Diagnostic> {
    let program = cursor.keyword("redis-cli")?;
    let span = program.span.clone();
    let step = run(cursor, program, manner)?;
    match &step {
        Step::Command(Command::RedisCli(cli)) if !cli.is_cluster_manager() => {
            let message = "this can be done with the cluster manager only";
            Err(Diagnostic::new(message, span, "expected `redis-cli --cluster …`"))
        }
        _ => Ok(step),
    }
}

fn run(cursor: &mut Cursor<'_>, program: &Word, manner: Manner) -> Result<Step, Diagnostic> {
    let words = cursor.rest_words();
    check_addresses(words, cursor.roster())?;
    check_command(words)?;
    Ok(Step::Command(Command::RedisCli(RedisCli {
        line: cursor.text_from(program).to_owned(),
        words: expand(words)?.into_iter().map(|word| word.text).collect(),
        typed: Vec::new(),
        manner,
    })))
}

/// An address that no node has is most likely a slip: nobody would ever answer there.
fn check_addresses(words: &[Word], roster: &Roster) -> Result<(), Diagnostic> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let options = client_options(&texts);
    if let Some(word) = options.port.map(|at| &words[at]) {
        let port = word.text.parse::<u16>();
        if port.is_ok_and(|port| !roster.all().any(|node| roster.address(node).port() == port)) {
            return Err(no_such_address(word, roster));
        }
    }
    let is_strange = |word: &&Word| {
        word.text.parse::<SocketAddr>().is_ok_and(|address| roster.at(address).is_none())
    };
    match words.iter().find(is_strange).filter(|_| texts.contains(&"--cluster")) {
        Some(word) => Err(no_such_address(word, roster)),
        None => Ok(()),
    }
}

fn check_command(words: &[Word]) -> Result<(), Diagnostic> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let command = match texts.iter().position(|&text| text == "--cluster") {
        // `--cluster call ADDRESS COMMAND …`
        Some(at) if texts.get(at + 1) == Some(&"call") => {
            words.get(at + 3).filter(|word| !word.text.starts_with('-'))
        }
        Some(_) => None,
        None => client_options(&texts).command.map(|at| &words[at]),
    };
    match command {
        None => Ok(()),
        Some(word) => check_name(&word.text, word.span.clone()),
    }
}

/// Complains about a command that redis-cli could send to a real server, and not to a virtual node.
///
/// # Errors
/// If it is one.
pub(crate) fn check_name(name: &str, span: Bytes) -> Result<(), Diagnostic> {
    if !is_simulated(name) {
        let message = format!("`{name}` is not simulated");
        return Err(Diagnostic::new(message, span, "redis-cli would listen from here on")
            .hint("`listen on 7000 subscribe news` is a step of its own"));
    }
    let is_known = command::names().any(|known| known.eq_ignore_ascii_case(name));
    if is_known && !command::is_modelled(name) {
        return Err(not_modelled(name, span));
    }
    Ok(())
}

/// The complaint about a command that Redis has, and a virtual node does not.
pub(crate) fn not_modelled(name: &str, span: Bytes) -> Diagnostic {
    let label = "a virtual node would answer with an error";
    Diagnostic::new(format!("`{name}` is not modelled"), span, label)
}

/// Where the interesting words of redis-cli's command line are.
struct ClientOptions {
    /// The value of `-p`.
    port: Option<usize>,
    /// The first word of a command, behind all options.
    command: Option<usize>,
}

fn client_options(words: &[&str]) -> ClientOptions {
    /// Options that take the next word.
    const WITH_VALUE: [&str; 12] =
        ["-h", "-p", "-s", "-a", "--pass", "--user", "-u", "-r", "-i", "-n", "-d", "-D"];
    let mut options = ClientOptions { port: None, command: None };
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if !word.starts_with('-') {
            options.command = Some(at);
            break;
        }
        if *word == "-p" && at + 1 < words.len() {
            options.port = Some(at + 1);
        }
        at += if WITH_VALUE.contains(word) { 2 } else { 1 };
    }
    options
}

fn no_such_address(word: &Word, roster: &Roster) -> Diagnostic {
    let addresses: Vec<String> = roster
        .all()
        .flat_map(|node| {
            [roster.address(node).to_string(), roster.address(node).port().to_string()]
        })
        .collect();
    let hint = suggest::nearest(&word.text, addresses.iter().map(String::as_str));
    let message = format!("no node has the address `{}`", word.text);
    Diagnostic::new(message, word.span.clone(), "nobody will ever answer here")
        .maybe_hint(hint.map(|near| format!("did you mean `{near}`?")))
        .about(Topic::UnknownNode)
}

/// `redis-server -v`, `redis-server NODE/redis.conf`
pub(super) fn redis_server(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let word = cursor.take("`-v` or a config file such as `7000/redis.conf`")?;
    if word.text == "-v" || word.text == "--version" {
        return Ok(Step::Command(Command::Version));
    }
    match path(word, cursor.roster())? {
        (node, DocumentFile::Config) => Ok(Step::Command(Command::Server(node))),
        _ => {
            let message = format!("`{}` is not a config file", word.text);
            Err(Diagnostic::new(message, word.span.clone(), "expected NODE/redis.conf"))
        }
    }
}

/// `cat NODE/FILE`
pub(super) fn show_file(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    let (node, file) = path(cursor.take("a file such as `7000/nodes.conf`")?, cursor.roster())?;
    Ok(Step::Command(Command::Show(node, file)))
}

/// `mkdir …`, `cd …`
pub(super) fn nothing(cursor: &mut Cursor<'_>, _: &Word) -> Result<Step, Diagnostic> {
    cursor.rest_words();
    Ok(Step::Command(Command::Nothing))
}

/// The node and the file that a path ends in.
fn path(word: &Word, roster: &Roster) -> Result<(NodeNo, DocumentFile), Diagnostic> {
    let Some((directory, name)) = word.text.rsplit_once('/') else {
        let message = format!("`{}` is no file of a node", word.text);
        return Err(Diagnostic::new(message, word.span.clone(), "expected NODE/FILE")
            .hint("for example `7000/redis.conf`"));
    };
    let directory = directory.rsplit('/').next().unwrap_or(directory);
    let of = Word { text: directory.to_owned(), ..word.clone() };
    let node = node(&of, roster)?;
    match FILES.iter().find(|(known, _)| *known == name) {
        Some((_, file)) => Ok((node, *file)),
        None => {
            let names = FILES.map(|(name, _)| name);
            let message = format!("a node has no file `{name}`");
            Err(Diagnostic::new(message, word.span.clone(), "no such file")
                .maybe_hint(suggest::hint(name, names)))
        }
    }
}
