//! The steps of a plan: each line read, and what is typed put to the program that it is typed into.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::ScriptTable;
use crate::scenario::located::Located;
use crate::scenario::plan::{PlannedStep, Reader};
use crate::scenario::roster::Roster;
use crate::scenario::source::Source;
use crate::scenario::step::{self, Command, Context, Entry, Step, TypedLine};
use crate::scenario::words::Line;
use crate::time::Wall;

pub(super) fn read(
    script: &Located<ScriptTable>,
    source: &Source,
    roster: &Roster,
    start: Wall,
    reader: &mut Reader<'_>,
) -> Vec<PlannedStep> {
    let mut steps: Vec<PlannedStep> = Vec::new();
    // A typed line behind a step that could not be read is no mistake of its own.
    let mut last_is_known = true;
    for text in &script.value.steps {
        let line = Line::new(text.value.clone(), text.span.clone(), source);
        match step::parse(&line, Context { roster, start }) {
            Ok(Entry::Step { at, begin, step }) => {
                last_is_known = true;
                let text = line.text[begin..].trim_end().to_owned();
                steps.push(PlannedStep { text, span: line.whole(), at, step });
            }
            Ok(Entry::Typed(text)) if last_is_known => {
                let typed = TypedLine { text, span: line.whole() };
                if let Err(typed) = type_into(steps.last_mut(), typed) {
                    reader.complain(nobody_reads(typed, steps.last()));
                }
            }
            Ok(Entry::Typed(_)) => {}
            Err(mistake) => {
                last_is_known = false;
                reader.complain(mistake);
            }
        }
    }
    if script.value.steps.is_empty() {
        let mistake =
            Diagnostic::new("the script has no steps", script.span.clone(), "nothing to do");
        reader.complain(mistake.hint("for example steps = [\"start all\", \"wait 5s\"]"));
    }
    steps
}

/// Puts a typed line to the program that reads it; gives it back if there is none.
fn type_into(step: Option<&mut PlannedStep>, typed: TypedLine) -> Result<(), TypedLine> {
    match step {
        Some(PlannedStep { step: Step::Command(Command::RedisCli(cli)), .. }) => {
            cli.typed.push(typed);
            Ok(())
        }
        _ => Err(typed),
    }
}

fn nobody_reads(typed: TypedLine, step: Option<&PlannedStep>) -> Diagnostic {
    let mistake = Diagnostic::new("nobody reads this line", typed.span, "typed into nothing")
        .hint("lines that begin with `> ` are typed into the redis-cli of the step before");
    match step {
        Some(step) => mistake.see(step.span.clone(), "this step does not read lines"),
        None => mistake,
    }
}
