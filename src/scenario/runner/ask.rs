//! Sending commands and holding their replies against what they have to be.

use crate::admin::format;
use crate::network::NodeNo;
use crate::node::glob;
use crate::resp::{Args, Reply, args};
use crate::scenario::inquiry::{Asked, Inquiry, Test};
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::client::{Client, NoReply};
use crate::scenario::runner::{FOREVER, Halt, Outcome, Runner};
use crate::scenario::suggest;
use crate::time::{Span, Time};
use crate::world::ProcessStatus;

/// How often something is asked again that is waited for.
const PERIOD: Span = Span::millis(100);
/// More of a reply than this is not shown.
const SHOWN_MAX: usize = 300;

/// An inquiry whose answer is not as it has to be: what was said instead.
type Verdict = Result<(), String>;

/// Why an inquiry is not met.
enum Unmet {
    /// The reply is another one: what it is.
    Otherwise(String),
    /// There is no reply, or not the line that is meant, which says nothing about what it would be.
    Unanswered(String),
}

impl Runner<'_> {
    /// `send on 7000 config set …`
    pub(super) fn send(&mut self, inquiry: &Inquiry) -> Outcome {
        match self.inquire(inquiry, self.horizon)? {
            Ok(()) => Ok(()),
            Err(found) => self.fail(Ending::Unexpected, "the reply is an error", found),
        }
    }

    /// `expect on 7000 get key = "Hello"`
    pub(super) fn expect_reply(&mut self, inquiry: &Inquiry, text: &str) -> Outcome {
        match self.inquire(inquiry, self.horizon)? {
            Ok(()) => self.say(What::Met(text.to_owned())),
            Err(found) => self.fail(Ending::Unexpected, "this expectation is not met", found),
        }
    }

    /// `wait until 7005 info master_link_status = up within 10s`
    pub(super) fn wait_reply(&mut self, inquiry: &Inquiry, within: Option<Span>) -> Outcome {
        let begin = self.world.now();
        let deadline = within.map_or(FOREVER, |within| begin + within);
        let mut found = "there was no answer".to_owned();
        loop {
            match self.inquire(inquiry, deadline) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(instead)) => found = instead,
                Err(Halt::TimeUp) if self.options.until == Some(self.horizon) => {
                    return Err(Halt::TimeUp);
                }
                Err(Halt::TimeUp) => {
                    return Err(self.in_vain(begin, deadline > self.horizon, found));
                }
                Err(halt) => return Err(halt),
            }
            let next = self.world.now() + PERIOD;
            if next > deadline || next > self.horizon {
                self.advance(deadline.min(self.horizon))?;
                return Err(self.in_vain(begin, deadline > self.horizon, found));
            }
            self.advance(next)?;
        }
    }

    /// Asks as often as the inquiry says, or up to the first reply that is not as it has to be. No
    /// reply is waited for longer than until `deadline`.
    fn inquire(&mut self, inquiry: &Inquiry, deadline: Time) -> Outcome<Verdict> {
        let nodes = self.asked(&inquiry.asked);
        let follows = matches!(inquiry.asked, Asked::Cluster(_));
        let client = |&node: &NodeNo| Client::new(self.world.address(node), follows);
        let mut clients: Vec<Client> = nodes.iter().map(client).collect();
        let mut verdict = match nodes.is_empty() {
            true => Err(Unmet::Unanswered("no node runs".to_owned())),
            false => Ok(()),
        };
        for n in 0..inquiry.times {
            let mut replies = Vec::new();
            for (&node, client) in nodes.iter().zip(&mut clients) {
                let command = args(inquiry.command_at(n));
                let reply = self.call(client, command, deadline)?;
                replies.push((node, reply));
            }
            verdict = verdict.and_then(|()| self.judge(inquiry, &replies, n));
            if verdict.is_err() {
                break;
            }
        }
        for client in &mut clients {
            client.close(&mut self.world);
        }
        Ok(match (verdict, inquiry.negated) {
            (Err(Unmet::Unanswered(why)), _) => Err(why),
            (Err(Unmet::Otherwise(found)), false) => Err(found),
            (Ok(()), true) => Err("it is so".to_owned()),
            (Ok(()), false) | (Err(Unmet::Otherwise(_)), true) => Ok(()),
        })
    }

    /// The nodes that are asked.
    pub(super) fn asked(&self, asked: &Asked) -> Vec<NodeNo> {
        match asked {
            Asked::Nodes(nodes) => nodes.clone(),
            Asked::Cluster(node) => vec![*node],
            Asked::Running => {
                let runs = |node: &NodeNo| self.world.status(*node) == ProcessStatus::Running;
                self.plan.roster.members().filter(runs).collect()
            }
        }
    }

    /// Lets time pass until a client's command is answered.
    pub(super) fn call(
        &mut self,
        client: &mut Client,
        command: Args,
        deadline: Time,
    ) -> Outcome<Result<Reply, NoReply>> {
        client.begin(&mut self.world, command);
        loop {
            if let Some(result) = client.advance(&mut self.world) {
                return Ok(result);
            }
            let end = deadline.min(self.horizon);
            let wakes = client.wakes_at().unwrap_or(FOREVER);
            if !self.go_on(end.min(wakes))? && end <= wakes {
                client.close(&mut self.world);
                return Err(Halt::TimeUp);
            }
        }
    }

    fn judge(
        &self,
        inquiry: &Inquiry,
        replies: &[(NodeNo, Result<Reply, NoReply>)],
        n: u64,
    ) -> Result<(), Unmet> {
        let mut texts: Vec<(NodeNo, String)> = Vec::new();
        for (node, reply) in replies {
            let name = self.plan.name(*node);
            let unanswered = |why: &NoReply| Unmet::Unanswered(format!("{name}: {}", why.words()));
            let reply = reply.as_ref().map_err(unanswered)?;
            if inquiry.test == Test::Answered && reply.error().is_some() {
                return Err(Unmet::Otherwise(format!("{name}: {}", shown(&text(reply)))));
            }
            texts.push((*node, part(inquiry, reply, &name).map_err(Unmet::Unanswered)?));
        }
        let verdict = match &inquiry.test {
            Test::Same | Test::Different => self.compare(&inquiry.test, &texts),
            test => match texts.iter().find(|(_, text)| !holds(test, text, n)) {
                None => Ok(()),
                Some((node, text)) => Err(format!("{}: {}", self.plan.name(*node), shown(text))),
            },
        };
        verdict.map_err(Unmet::Otherwise)
    }

    fn compare(&self, test: &Test, texts: &[(NodeNo, String)]) -> Verdict {
        let said = |at: usize| {
            let (node, text) = &texts[at];
            format!("{}: {}", self.plan.name(*node), shown(text))
        };
        for (at, (_, text)) in texts.iter().enumerate() {
            let equal = texts[..at].iter().position(|(_, other)| other == text);
            match (test, equal) {
                (Test::Same, None) if at > 0 => return Err(format!("{}; {}", said(0), said(at))),
                (Test::Different, Some(first)) => {
                    return Err(format!("{}; {}", said(first), said(at)));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl NoReply {
    pub(super) fn words(self) -> &'static str {
        match self {
            NoReply::Refused => "connection refused",
            NoReply::Lost => "the connection was lost",
        }
    }
}

/// The part of a reply that is meant. A line that INFO does not have is neither so nor otherwise.
fn part(inquiry: &Inquiry, reply: &Reply, name: &str) -> Result<String, String> {
    let text = text(reply);
    let Some(field) = &inquiry.field else { return Ok(text) };
    let lines = || text.lines().filter_map(|line| line.split_once(':'));
    match lines().find(|(name, _)| name == field) {
        Some((_, value)) => Ok(value.to_owned()),
        None => {
            let near = suggest::nearest(field, lines().map(|(name, _)| name));
            let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            Err(format!("{name}: INFO has no line `{field}`{near}"))
        }
    }
}

/// A reply as redis-cli prints it into a pipe.
pub(super) fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&format::raw(reply)).trim_end().to_owned()
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "nothing".to_owned(),
        None => text.to_owned(),
    }
}

fn holds(test: &Test, text: &str, n: u64) -> bool {
    match test {
        Test::Equal(value) => text == value.at(n),
        Test::Contains(part) => text.contains(&part.at(n)),
        Test::ContainsTimes(part, comparison, number) => {
            comparison.holds(text.matches(&part.at(n)).count() as u64, *number)
        }
        Test::Matches(pattern) => glob::matches(pattern.at(n).as_bytes(), text.as_bytes()),
        Test::Number(comparison, number) => {
            text.parse().is_ok_and(|found: i64| comparison.holds(found, *number))
        }
        Test::Answered | Test::Same | Test::Different => true,
    }
}
