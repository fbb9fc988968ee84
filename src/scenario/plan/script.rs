//! The steps of a plan: each line read, repetitions written out, and what is typed put to the program
//! that it is typed into.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::NodeNo;
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::{RepeatTable, ScriptStep, ScriptTable};
use crate::scenario::located::Located;
use crate::scenario::plan::braces::{self, Braces};
use crate::scenario::plan::{PlannedStep, Reader};
use crate::scenario::roster::Roster;
use crate::scenario::source::{Bytes, Source};
use crate::scenario::step::{self, Command, Context, Entry, Nameable, Step, TypedLine};
use crate::scenario::template::{self, Meaning, Named};
use crate::scenario::words::Line;
use crate::time::Wall;

/// More steps than this are a slip.
const STEPS_MAX: u64 = 100_000;

pub(super) fn read(
    script: &Located<ScriptTable>,
    source: &Source,
    roster: &Roster,
    start: Wall,
    reader: &mut Reader<'_>,
) -> Vec<PlannedStep> {
    let context = Context { roster, start };
    let all_names = braces::names_given(lines(&script.value.steps).into_iter());
    let mut block = Block { source, context, names: BTreeMap::new(), all_names, reader };
    let steps = block.read(&script.value.steps, false);
    // Where entries were taken out because they are wrong, the script was not empty.
    if script.value.steps.is_empty() && reader.mistakes.is_empty() {
        let mistake =
            Diagnostic::new("the script has no steps", script.span.clone(), "nothing to do");
        reader.complain(mistake.hint("for example steps = [\"start all\", \"wait 5s\"]"));
    }
    steps
}

struct Block<'a, 's> {
    source: &'a Source,
    context: Context<'a>,
    /// The names that steps have given so far, each with an example of what it was given to.
    names: BTreeMap<String, Named>,
    /// The names that any step gives.
    all_names: BTreeSet<String>,
    reader: &'a mut Reader<'s>,
}

impl Block<'_, '_> {
    fn read(&mut self, entries: &[Located<ScriptStep>], repeated: bool) -> Vec<PlannedStep> {
        let mut steps: Vec<PlannedStep> = Vec::new();
        // A typed line behind a step that could not be read is no mistake of its own.
        let mut last_is_known = true;
        for entry in entries {
            let text = match &entry.value {
                ScriptStep::Line(text) => text,
                ScriptStep::Repeat(table) => {
                    let rounds = self.repeat(table, &entry.span, steps.len());
                    steps.extend(rounds);
                    last_is_known = true;
                    continue;
                }
            };
            let line = Line::new(text.clone(), entry.span.clone(), self.source);
            if let Some(mistake) = self.braces(&line, repeated) {
                last_is_known = false;
                self.reader.complain(mistake);
                continue;
            }
            let shown = template::expand(text, |braces| self.example(braces, repeated));
            let has_names = shown.text != *text;
            let example = match has_names {
                true => Line::example(shown, entry.span.clone(), self.source),
                false => line.clone(),
            };
            match step::parse(&example, self.context) {
                Ok(Entry::Step { at, begin, step }) => {
                    last_is_known = true;
                    // A date has no braces, so the step begins at the same place in both.
                    let text = line.text[begin..].trim_end().to_owned();
                    if let Step::Let(name, what) = &step {
                        let example = match what {
                            Nameable::Node(_) => Named::Node(NodeNo(0)),
                            Nameable::Number(..) => Named::Number(1),
                        };
                        self.names.insert(name.clone(), example);
                    }
                    let span = line.whole();
                    steps.push(PlannedStep { text, span, at, round: None, has_names, step });
                }
                Ok(Entry::Typed(_)) if last_is_known => {
                    let typed = TypedLine { text: typed(text), span: line.whole() };
                    if let Err(typed) = type_into(steps.last_mut(), typed, has_names) {
                        self.reader.complain(nobody_reads(typed, steps.last()));
                    }
                }
                Ok(Entry::Typed(_)) => {}
                Err(mistake) => {
                    last_is_known = false;
                    self.reader.complain(mistake);
                }
            }
        }
        steps
    }

    /// Writes a repetition out.
    fn repeat(&mut self, table: &RepeatTable, span: &Bytes, before: usize) -> Vec<PlannedStep> {
        let block = self.read(&table.steps, true);
        let rounds = table.repeat.value;
        let total = (block.len() as u64).saturating_mul(rounds).saturating_add(before as u64);
        if rounds == 0 || table.steps.is_empty() {
            let mistake =
                Diagnostic::new("nothing is repeated here", span.clone(), "no step is done");
            self.reader.complain(mistake.hint("for example { repeat = 3, steps = [\"wait 1s\"] }"));
            return Vec::new();
        }
        if total > STEPS_MAX {
            let label = format!("{} steps, {rounds} times", block.len());
            let message = format!("these are more than {STEPS_MAX} steps");
            self.reader.complain(Diagnostic::new(message, table.repeat.span.clone(), label));
            return block;
        }
        let in_round = |round: u64| {
            block
                .iter()
                .map(move |step| PlannedStep { round: step.round.or(Some(round)), ..step.clone() })
        };
        (1..=rounds).flat_map(in_round).collect()
    }

    /// Braces that stand for nothing and should.
    fn braces(&self, line: &Line, repeated: bool) -> Option<Diagnostic> {
        let (names, all_names) = (&self.names, &self.all_names);
        let braces = Braces { roster: self.context.roster, names, all_names, repeated };
        match step::is_remark(line) {
            true => braces.in_remark(line),
            false => braces.in_step(line),
        }
    }

    /// Something that braces could stand for, so that the step can be read before it is known.
    fn example(&self, braces: &str, repeated: bool) -> Option<String> {
        let named = |name: &str| self.names.get(name).copied();
        let roster = self.context.roster;
        match template::meaning(braces, roster, named)? {
            Meaning::Name(node) => (!roster.is_empty()).then(|| roster.name(node)),
            Meaning::Port(node) => {
                (!roster.is_empty()).then(|| roster.address(node).port().to_string())
            }
            Meaning::Number(number) => Some(number.to_string()),
            Meaning::Id(_) => Some("0".repeat(40)),
            Meaning::Round => repeated.then(|| "1".to_owned()),
        }
    }
}

/// All lines of a script, those that are repeated once.
fn lines(entries: &[Located<ScriptStep>]) -> Vec<&str> {
    let lines = entries.iter().flat_map(|entry| match &entry.value {
        ScriptStep::Line(text) => vec![text.as_str()],
        ScriptStep::Repeat(table) => lines(&table.steps),
    });
    lines.collect()
}

/// What is typed in a line that begins with `> `.
fn typed(text: &str) -> String {
    text.strip_prefix("> ").unwrap_or_default().to_owned()
}

/// Puts a typed line to the program that reads it; gives it back if there is none.
fn type_into(
    step: Option<&mut PlannedStep>,
    typed: TypedLine,
    has_names: bool,
) -> Result<(), TypedLine> {
    match step {
        Some(PlannedStep {
            step: Step::Command(Command::RedisCli(cli)),
            has_names: already,
            ..
        }) => {
            cli.typed.push(typed);
            *already |= has_names;
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
