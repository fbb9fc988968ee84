//! Clients that keep their connections and hear what comes: subscribers, and others who are answered
//! later.

use crate::network::NodeNo;
use crate::resp::args;
use crate::scenario::inquiry::Inquiry;
use crate::scenario::record::{Ending, What};
use crate::scenario::runner::{FOREVER, Halt, Outcome, Runner, ask};
use crate::time::Span;
use crate::world::{ClientEvent, ClientNo};

/// A client that listens.
#[derive(Debug)]
pub(super) struct Listener {
    node: NodeNo,
    client: ClientNo,
    heard: Vec<String>,
}

impl Runner<'_> {
    /// `listen on 7000 7001 subscribe news`. Those who have listened before hang up.
    pub(super) fn listen(&mut self, inquiry: &Inquiry) {
        for listener in std::mem::take(&mut self.listeners) {
            self.world.client_close(listener.client);
        }
        for node in self.asked(&inquiry.asked) {
            let address = self.world.address(node);
            let client = self.world.client_connect(address.ip(), address.port());
            self.world.client_send(client, args(inquiry.command_at(0)));
            self.listeners.push(Listener { node, client, heard: Vec::new() });
        }
    }

    /// `wait until listeners heard TEXT within 5s`
    pub(super) fn wait_heard(&mut self, text: &str, within: Option<Span>) -> Outcome {
        let begin = self.world.now();
        let deadline = within.map_or(FOREVER, |within| begin + within);
        let end = deadline.min(self.horizon);
        while let Some(deaf) = self.deaf(text) {
            if !self.go_on(end)? {
                return match self.options.until {
                    Some(until) if until == self.horizon && until < deadline => Err(Halt::TimeUp),
                    _ => Err(self.in_vain(begin, deadline > self.horizon, deaf)),
                };
            }
        }
        Ok(())
    }

    /// `expect listeners heard TEXT`
    pub(super) fn expect_heard(&mut self, heard: &str, text: &str) -> Outcome {
        match self.deaf(heard) {
            None => self.say(What::Met(text.to_owned())),
            Some(deaf) => self.fail(Ending::Unexpected, "this expectation is not met", deaf),
        }
    }

    /// The first listener who has not heard a text, and what it has heard instead.
    fn deaf(&mut self, text: &str) -> Option<String> {
        let mut deaf = None;
        for listener in &mut self.listeners {
            while let Some(event) = self.world.client_take(listener.client) {
                if let ClientEvent::Reply(reply) = event {
                    listener.heard.push(ask::text(&reply).replace('\n', " "));
                }
            }
            if deaf.is_none() && !listener.heard.iter().any(|heard| heard.contains(text)) {
                let last = listener.heard.last().map_or("nothing", String::as_str);
                deaf = Some(format!("{}: {last}", self.plan.name(listener.node)));
            }
        }
        deaf
    }
}
