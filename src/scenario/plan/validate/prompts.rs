//! Whether what is typed into redis-cli fits what it asks, as far as its command line tells.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::plan::PlannedStep;
use crate::scenario::step::{Manner, RedisCli};

/// How many answers a run of redis-cli takes.
struct Prompts {
    least: usize,
    most: usize,
    /// What it asks.
    questions: String,
}

/// The questions of `--cluster reshard`, and the options that answer them beforehand.
const RESHARD: [(&str, &str); 4] = [
    ("--cluster-slots", "how many slots"),
    ("--cluster-to", "to which node"),
    ("--cluster-from", "from which nodes"),
    ("--cluster-yes", "whether to do it"),
];

/// Checks the number of lines that are typed.
///
/// # Errors
/// If one is missing, or nobody would read one.
pub(super) fn check(cli: &RedisCli, step: &PlannedStep) -> Result<(), Diagnostic> {
    let mut prompts = prompts(cli);
    if let Manner::Aborted(_) = cli.manner {
        // It may die before it asks.
        prompts.least = 0;
    }
    if cli.typed.len() < prompts.least {
        let missing = prompts.least - cli.typed.len();
        let message = if missing == 1 { "an answer is missing" } else { "answers are missing" };
        let mistake = Diagnostic::new(message, step.span.clone(), prompts.questions);
        let hint = "answer with steps such as \"> yes\" behind this one; if it is to be refused before \
            it asks, use options that answer beforehand, such as `--cluster-yes`";
        return Err(mistake.hint(hint));
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
        return if cli.is_session() { Prompts::any() } else { Prompts::none() };
    };
    match cli.words.get(cluster + 1).map(String::as_str) {
        Some("create") if has("--cluster-yes") => Prompts::none(),
        Some("create") => {
            Prompts { least: 1, most: 1, questions: "it asks whether to do it".to_owned() }
        }
        Some("reshard") => {
            let open = RESHARD.iter().filter(|(option, _)| !has(option));
            let questions: Vec<&str> = open.map(|(_, question)| *question).collect();
            match questions.len() {
                0 => Prompts::none(),
                least => {
                    let questions = format!("it asks {}", questions.join(", "));
                    // How often a question is repeated depends on the answers.
                    Prompts { least, most: usize::MAX, questions }
                }
            }
        }
        Some("fix" | "import") => Prompts::any(),
        _ => Prompts::none(),
    }
}

impl Prompts {
    fn none() -> Prompts {
        Prompts { least: 0, most: 0, questions: "it asks nothing".to_owned() }
    }

    fn any() -> Prompts {
        Prompts { least: 0, most: usize::MAX, questions: String::new() }
    }
}
