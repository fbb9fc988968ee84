//! The command line of `redis-cli`, read as the tool itself reads it (2.1-2.5, 18.0).
//!
//! Its parser has habits that no library copies: words are applied from left to right, a mistake ends
//! the program only when it is reached, positional words of `--cluster` end at the first dash, and
//! stray words are ignored in silence.

use super::Shell;
use super::host::Address;
use super::numbers::{atof, atoi, strtol};
use crate::resp::{Args, args};
use crate::time::Span;

/// Everything the command line says.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) address: Address,
    pub(super) socket: Option<String>,
    pub(super) credentials: Credentials,
    pub(super) ask_password: bool,
    pub(super) no_auth_warning: bool,
    pub(super) database: i32,
    pub(super) follow_redirections: bool,
    pub(super) errors_set_exit_code: bool,
    /// How often a command is sent; negative: for ever.
    pub(super) repeat: i64,
    pub(super) interval: Span,
    pub(super) format: Format,
    /// Between the elements of an array in raw format.
    pub(super) element_delimiter: String,
    /// After a reply in raw format.
    pub(super) reply_delimiter: String,
    pub(super) quoted_input: bool,
    pub(super) last_argument_from_stdin: bool,
    pub(super) verbose: bool,
    pub(super) cluster: Option<ClusterCommand>,
    /// The command to send; none starts a dialogue.
    pub(super) command: Vec<String>,
}

/// What AUTH is told after each connect.
#[derive(Debug, Clone, Default)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Credentials {
    /// The AUTH command, if there is a password.
    pub(super) fn auth_command(&self) -> Option<Args> {
        let password = self.password.as_deref()?;
        Some(match &self.user {
            Some(user) => args(["AUTH", user, password]),
            None => args(["AUTH", password]),
        })
    }

    /// The words that MIGRATE takes for the same.
    pub(super) fn migrate_words(&self) -> Args {
        match (&self.user, &self.password) {
            (_, None) => Args::new(),
            (None, Some(password)) => args(["AUTH", password]),
            (Some(user), Some(password)) => args(["AUTH2", user, password]),
        }
    }
}

/// How replies are printed (cli §18.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people: quotes, types, numbered arrays.
    Formatted,
    /// The bytes as they are.
    Raw,
    /// Comma separated.
    Csv,
}

/// A `--cluster` sub-command with its arguments and every `--cluster-*` option (cli §2.3).
#[derive(Debug, Clone)]
pub(super) struct ClusterCommand {
    pub(super) name: String,
    pub(super) arguments: Vec<String>,
    pub(super) options: ClusterOptions,
}

/// The `--cluster-*` options. Any of them is accepted with any sub-command.
#[derive(Debug, Clone)]
pub(super) struct ClusterOptions {
    pub(super) replicas: i32,
    pub(super) master_id: Option<String>,
    pub(super) slave: bool,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) slots: i32,
    pub(super) yes: bool,
    pub(super) timeout_ms: i32,
    pub(super) pipeline: i32,
    pub(super) replace: bool,
    pub(super) copy: bool,
    pub(super) weights: Vec<String>,
    pub(super) use_empty_masters: bool,
    pub(super) threshold: f32,
    pub(super) simulate: bool,
    pub(super) search_multiple_owners: bool,
    pub(super) fix_with_unreachable_masters: bool,
    pub(super) only_masters: bool,
    pub(super) only_replicas: bool,
    pub(super) from_credentials: Credentials,
    pub(super) from_ask_password: bool,
}

/// Why the command line was not taken: what is printed, and the exit code.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Printed on standard error; exit code 1.
    Error(String),
    /// `-v`: printed on standard output; exit code 0.
    Version,
    /// A mode that is not simulated.
    Unsupported(String),
}

const USAGE: &str = include_str!("usage.txt");

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions {
            replicas: 0,
            master_id: None,
            slave: false,
            from: None,
            to: None,
            slots: 0,
            yes: false,
            timeout_ms: 60_000,
            pipeline: 10,
            replace: false,
            copy: false,
            weights: Vec::new(),
            use_empty_masters: false,
            threshold: 2.0,
            simulate: false,
            search_multiple_owners: false,
            fix_with_unreachable_masters: false,
            only_masters: false,
            only_replicas: false,
            from_credentials: Credentials::default(),
            from_ask_password: false,
        }
    }
}

impl Options {
    fn new(shell: &Shell) -> Options {
        Options {
            address: Address::new("127.0.0.1", 6379),
            socket: None,
            credentials: Credentials::default(),
            ask_password: false,
            no_auth_warning: false,
            database: 0,
            follow_redirections: false,
            errors_set_exit_code: false,
            repeat: 1,
            interval: Span::ZERO,
            format: if shell.stdout_is_terminal { Format::Formatted } else { Format::Raw },
            element_delimiter: "\n".to_owned(),
            reply_delimiter: "\n".to_owned(),
            quoted_input: false,
            last_argument_from_stdin: false,
            verbose: false,
            cluster: None,
            command: Vec::new(),
        }
    }

    /// Reads the words after `redis-cli`.
    pub(super) fn parse(words: &[String], shell: &Shell) -> Result<Options, Refusal> {
        let mut parser = Parser {
            rest: words,
            options: Options::new(shell),
            cluster: ClusterOptions::default(),
            name: None,
            arguments: Vec::new(),
            weights_given: false,
        };
        parser.read_all()?;
        Ok(parser.finish(shell))
    }

    /// The warning that a password on the command line earns (cli §2.4).
    pub(super) fn warns_of_password(&self) -> bool {
        !self.no_auth_warning && self.credentials.password.is_some()
    }
}

struct Parser<'a> {
    rest: &'a [String],
    options: Options,
    cluster: ClusterOptions,
    /// The sub-command, once `--cluster` was read.
    name: Option<String>,
    arguments: Vec<String>,
    weights_given: bool,
}

impl<'a> Parser<'a> {
    fn read_all(&mut self) -> Result<(), Refusal> {
        while let Some((word, after)) = self.rest.split_first() {
            if self.read_flag(word)? || self.read_cluster_flag(word) {
                self.rest = after;
            } else if let Some(taken) = self.read_option_with_value(word, after)? {
                self.rest = &after[taken..];
            } else if word.starts_with('-') {
                return Err(unrecognized(word));
            } else if self.name.is_some() {
                self.read_late_arguments();
            } else {
                self.options.command = self.rest.to_vec();
                return Ok(());
            }
        }
        Ok(())
    }

    /// An option without a value.
    fn read_flag(&mut self, word: &str) -> Result<bool, Refusal> {
        let options = &mut self.options;
        match word {
            "--help" => return Err(usage()),
            "-v" | "--version" => return Err(Refusal::Version),
            "-x" => options.last_argument_from_stdin = true,
            "-c" => options.follow_redirections = true,
            "-e" => options.errors_set_exit_code = true,
            "--no-auth-warning" => options.no_auth_warning = true,
            "--askpass" => options.ask_password = true,
            "--raw" => options.format = Format::Raw,
            "--no-raw" => options.format = Format::Formatted,
            "--csv" => options.format = Format::Csv,
            "--quoted-input" => options.quoted_input = true,
            "--verbose" => options.verbose = true,
            "--latency" | "--latency-dist" | "--mono" | "--latency-history" | "--slave"
            | "--replica" | "--stat" | "--scan" | "--pipe" | "--bigkeys" | "--memkeys"
            | "--memkeys-samples" | "--hotkeys" | "--ldb" | "--ldb-sync-mode" | "-3" => {
                return Err(Refusal::Unsupported(word.to_owned()));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A `--cluster-*` option without a value.
    fn read_cluster_flag(&mut self, word: &str) -> bool {
        let options = &mut self.cluster;
        let flag = match word {
            "--cluster-only-masters" => &mut options.only_masters,
            "--cluster-only-replicas" => &mut options.only_replicas,
            "--cluster-from-askpass" => &mut options.from_ask_password,
            "--cluster-yes" => &mut options.yes,
            "--cluster-simulate" => &mut options.simulate,
            "--cluster-replace" => &mut options.replace,
            "--cluster-copy" => &mut options.copy,
            "--cluster-slave" => &mut options.slave,
            "--cluster-use-empty-masters" => &mut options.use_empty_masters,
            "--cluster-search-multiple-owners" => &mut options.search_multiple_owners,
            "--cluster-fix-with-unreachable-masters" => &mut options.fix_with_unreachable_masters,
            _ => return false,
        };
        *flag = true;
        true
    }

    /// An option with a value: how many of the words after it were taken, or `None` if it is no such
    /// option, or the last word (which is then no option at all).
    fn read_option_with_value(
        &mut self,
        word: &str,
        after: &'a [String],
    ) -> Result<Option<usize>, Refusal> {
        let Some(value) = after.first() else {
            return if matches!(word, "-h" | "--cluster") { Err(usage()) } else { Ok(None) };
        };
        match word {
            "--cluster" => return self.read_cluster_command(value, after).map(Some),
            "--cluster-weight" => return self.read_weights(after).map(Some),
            _ => {}
        }
        let taken = self.read_client_value(word, value)? || self.read_cluster_value(word, value);
        Ok(taken.then_some(1))
    }

    fn read_client_value(&mut self, word: &str, value: &str) -> Result<bool, Refusal> {
        let options = &mut self.options;
        match word {
            "-h" => options.address.host = value.to_owned(),
            "-p" => options.address.port = atoi(value),
            "-s" => options.socket = Some(value.to_owned()),
            "-r" => options.repeat = strtol(value).0,
            "-i" => options.interval = Span::micros((atof(value) * 1_000_000.0) as u64),
            "-n" => options.database = atoi(value),
            "-a" | "--pass" => options.credentials.password = Some(value.to_owned()),
            "--user" => options.credentials.user = Some(value.to_owned()),
            "-u" => super::uri::apply(options, value).map_err(Refusal::Error)?,
            "-d" => options.element_delimiter = value.to_owned(),
            "-D" => options.reply_delimiter = value.to_owned(),
            // Push messages exist in RESP3 only.
            "--show-pushes" => {}
            "--pattern" | "--quoted-pattern" | "--pipe-timeout" => {}
            "--lru-test" | "--intrinsic-latency" | "--rdb" | "--eval" => {
                return Err(Refusal::Unsupported(word.to_owned()));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_cluster_value(&mut self, word: &str, value: &str) -> bool {
        let options = &mut self.cluster;
        match word {
            "--cluster-replicas" => options.replicas = atoi(value),
            "--cluster-master-id" => options.master_id = Some(value.to_owned()),
            "--cluster-from" => options.from = Some(value.to_owned()),
            "--cluster-to" => options.to = Some(value.to_owned()),
            "--cluster-from-user" => options.from_credentials.user = Some(value.to_owned()),
            "--cluster-from-pass" => options.from_credentials.password = Some(value.to_owned()),
            "--cluster-slots" => options.slots = atoi(value),
            "--cluster-timeout" => options.timeout_ms = atoi(value),
            "--cluster-pipeline" => options.pipeline = atoi(value),
            "--cluster-threshold" => options.threshold = atof(value) as f32,
            _ => return false,
        }
        true
    }

    fn read_cluster_command(&mut self, name: &str, after: &'a [String]) -> Result<usize, Refusal> {
        if self.name.is_some() {
            return Err(usage());
        }
        self.name = Some(name.to_owned());
        // A name that begins with a dash has no arguments: the run of words ends before it.
        let arguments = if name.starts_with('-') { &[] } else { words_before_dash(&after[1..]) };
        self.arguments = arguments.to_vec();
        Ok(1 + arguments.len())
    }

    /// All following words with a `=`; none is no mistake (cli §2.3).
    fn read_weights(&mut self, after: &'a [String]) -> Result<usize, Refusal> {
        if self.weights_given {
            return Err(Refusal::Error(
                "WARNING: you cannot use --cluster-weight more than once.\n\
                 You can set more weights by adding them as a space-separated list, ie:\n\
                 --cluster-weight n1=w n2=w\n"
                    .to_owned(),
            ));
        }
        let count =
            after.iter().take_while(|word| !word.starts_with("--") && word.contains('=')).count();
        self.weights_given = count > 0;
        self.cluster.weights = after[..count].to_vec();
        Ok(count)
    }

    /// Words that are no options after `--cluster`: the arguments, if there are none yet, else noise
    /// (cli §2.1).
    fn read_late_arguments(&mut self) {
        let run = words_before_dash(self.rest);
        if self.arguments.is_empty() {
            self.arguments = run.to_vec();
            self.rest = &self.rest[run.len()..];
        } else {
            self.rest = &self.rest[1..];
        }
    }

    fn finish(self, shell: &Shell) -> Options {
        let mut options = self.options;
        let mut cluster = self.cluster;
        cluster.yes |= shell.cluster_yes;
        options.cluster = self.name.map(|name| ClusterCommand {
            name,
            arguments: self.arguments,
            options: cluster,
        });
        options
    }
}

fn words_before_dash(words: &[String]) -> &[String] {
    let end = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
    &words[..end]
}

fn usage() -> Refusal {
    Refusal::Error(USAGE.to_owned())
}

fn unrecognized(word: &str) -> Refusal {
    Refusal::Error(format!("Unrecognized option or bad number of args for: '{word}'\n"))
}
