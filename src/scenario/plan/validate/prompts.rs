//! Whether what is typed into redis-cli fits what it asks, as far as its command line tells.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::PlannedStep;
use crate::scenario::step::RedisCli;

/// How many answers a run of redis-cli takes.
struct Prompts {
    least: usize,
    most: usize,
    /// What it asks.
    questions: &'static str,
}

const NONE: Prompts = Prompts { least: 0, most: 0, questions: "it asks nothing" };
const SESSION: Prompts = Prompts { least: 0, most: usize::MAX, questions: "a session" };

/// The options that answer the questions of `--cluster reshard`, in the order of the questions.
const RESHARD: [&str; 4] = ["--cluster-slots", "--cluster-to", "--cluster-from", "--cluster-yes"];

/// Checks the number of lines that are typed.
///
/// # Errors
/// If one is missing, or nobody would read one.
pub(super) fn check(cli: &RedisCli, step: &PlannedStep) -> Result<(), Diagnostic> {
    let prompts = prompts(cli);
    if cli.typed.len() < prompts.least {
        let missing = prompts.least - cli.typed.len();
        let message = if missing == 1 { "an answer is missing" } else { "answers are missing" };
        let mistake = Diagnostic::new(message, step.span.clone(), prompts.questions);
        return Err(mistake.hint("answer with steps such as \"> yes\" behind this one"));
    }
    match cli.typed.get(prompts.most) {
        None => Ok(()),
        Some(line) => {
            let mistake = Diagnostic::new("nobody reads this line", line.span.clone(), "too much");
            Err(mistake.see(step.span.clone(), prompts.questions))
        }
    }
}

fn prompts(cli: &RedisCli) -> Prompts {
    let has = |option: &str| cli.words.iter().any(|word| word == option);
    let Some(cluster) = cli.words.iter().position(|word| word == "--cluster") else {
        return if has_command(&cli.words) { NONE } else { SESSION };
    };
    match cli.words.get(cluster + 1).map(String::as_str) {
        Some("create") if has("--cluster-yes") => NONE,
        Some("create") => {
            Prompts { least: 1, most: 1, questions: "it asks whether to set the configuration" }
        }
        Some("reshard") => {
            let least = RESHARD.iter().filter(|option| !has(option)).count();
            let questions = "it asks how many slots, to which node, from which nodes, and whether";
            let most = if least == 0 { 0 } else { usize::MAX };
            Prompts { least, most, questions }
        }
        Some("fix" | "import") => SESSION,
        _ => NONE,
    }
}

/// Whether a command stands behind redis-cli's options, so that there is no session.
fn has_command(words: &[String]) -> bool {
    /// Options that take the next word.
    const WITH_VALUE: [&str; 12] =
        ["-h", "-p", "-s", "-a", "--pass", "--user", "-u", "-r", "-i", "-n", "-d", "-D"];
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if !word.starts_with('-') {
            return true;
        }
    }
    false
}
