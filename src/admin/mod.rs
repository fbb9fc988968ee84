//! What a person does with `redis-cli` 6.2.3: the plain client with its redirections, and every
//! `--cluster` command.
//!
//! The tool is written as straight-line `async fn`s against the [`Host`] trait, which is all that
//! it sees of the world. It knows nothing of virtual nodes or of how a scenario is written: it
//! sends commands, reads replies, prints, asks and waits like the real program, mistakes included.
//! Its rules have numbers of their own (`cli §9.2`).
//!
//! Floats are allowed in this one place: `redis-cli` computes its plans and percentages with 32-bit
//! floats, which IEEE 754 makes as deterministic as integers.

mod cluster;
pub mod executor;
pub(crate) mod format;
mod host;
mod numbers;
mod options;
mod session;
mod split_args;
pub mod tools;
mod uri;

pub use host::{Address, Channel, Connection, Echo, Host, Lost};
pub use session::is_simulated;
pub use split_args::split_args;

use options::{Options, Refusal};

/// How a process ended: 0 is success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(pub u8);

/// What the tool finds around it: its terminal and its environment (cli §2.4, cli §2.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shell {
    /// Somebody types: there are prompts, and a missing command starts a dialogue.
    pub stdin_is_terminal: bool,
    /// Somebody looks: replies are formatted for people.
    pub stdout_is_terminal: bool,
    /// `TERM` contains `xterm`: messages of `--cluster` are coloured.
    pub colours: bool,
    /// `REDISCLI_AUTH`.
    pub password: Option<String>,
    /// `REDISCLI_CLUSTER_YES` is 1.
    pub cluster_yes: bool,
}

/// Why the tool cannot be followed any further, although it has not ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stuck {
    /// A mode or command of the tool that is not simulated.
    #[error("`{0}` is not simulated")]
    Unsupported(String),
    /// The input ended and the tool asks the same question again and again (cli §2.9).
    #[error("there is no answer to `{0}`, and redis-cli would ask for ever")]
    AsksForEver(String),
}

/// Why a step did not go on.
#[derive(Debug)]
enum Stop {
    /// It failed, and everything there is to print about it was printed. Mostly this ends the
    /// command with exit code 1, but some callers go on.
    Failed,
    /// The process ends here and now.
    Exit(ExitCode),
    /// A part of the tool that is not simulated was asked for.
    Unsupported(String),
    /// There is no more input, and the question would be repeated for ever.
    AsksForEver(String),
}

impl Stop {
    fn exit(code: u8) -> Stop {
        Stop::Exit(ExitCode(code))
    }
}

/// Runs `redis-cli` with these words behind its name until it ends.
///
/// # Errors
/// If it gets to something that cannot be simulated.
pub async fn run<H: Host>(
    host: &mut H,
    shell: &Shell,
    words: &[String],
) -> Result<ExitCode, Stuck> {
    match try_run(host, shell, words).await {
        Ok(()) => Ok(ExitCode(0)),
        Err(Stop::Failed) => Ok(ExitCode(1)),
        Err(Stop::Exit(code)) => Ok(code),
        Err(Stop::Unsupported(what)) => Err(Stuck::Unsupported(what)),
        Err(Stop::AsksForEver(question)) => Err(Stuck::AsksForEver(question)),
    }
}

async fn try_run<H: Host>(host: &mut H, shell: &Shell, words: &[String]) -> Result<(), Stop> {
    let mut options = match Options::parse(words, shell) {
        Ok(options) => options,
        Err(Refusal::Error(text)) => {
            host.print(Channel::Stderr, text.as_bytes());
            return Err(Stop::exit(1));
        }
        Err(Refusal::Version) => {
            host.print(Channel::Stdout, b"redis-cli 6.2.3\n");
            return Ok(());
        }
        Err(Refusal::Unsupported(word)) => return Err(Stop::Unsupported(word)),
    };
    if options.warns_of_password() {
        let warning = b"Warning: Using a password with '-a' or '-u' option on the command line \
            interface may not be safe.\n";
        host.print(Channel::Stderr, warning);
    }
    if options.credentials.password.is_none() {
        options.credentials.password.clone_from(&shell.password);
    }
    ask_passwords(host, shell, &mut options).await;
    match &options.cluster {
        Some(command) => cluster::run(host, shell, &options, command).await,
        None => session::run(host, shell, &options).await,
    }
}

/// `--askpass` and `--cluster-from-askpass`. Only a terminal shows the questions.
async fn ask_passwords<H: Host>(host: &mut H, shell: &Shell, options: &mut Options) {
    if options.ask_password {
        let password = ask_password(host, shell, "Please input password: ").await;
        options.credentials.password = Some(password);
    }
    if let Some(command) = &mut options.cluster
        && command.options.from_ask_password
    {
        let question = "Please input import source node password: ";
        let password = ask_password(host, shell, question).await;
        command.options.from_credentials.password = Some(password);
    }
}

async fn ask_password<H: Host>(host: &mut H, shell: &Shell, question: &str) -> String {
    if shell.stdin_is_terminal {
        host.print(Channel::Stdout, question.as_bytes());
    }
    let line = host.read(4096, Echo::Masked).await;
    String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()
}
