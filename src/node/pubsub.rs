//! Who listens to which channel of this node.
//!
//! What is published travels to other nodes over the bus (§4.7); this is only about the clients of one
//! process.

use std::collections::BTreeMap;

use crate::node::Node;
use crate::node::client::Client;
use crate::node::effect::{Ctx, Effect, LinkId};
use crate::node::glob;
use crate::resp::Reply;

type Listeners = BTreeMap<Vec<u8>, Vec<LinkId>>;

/// All subscriptions. Listeners of one channel are in the order of subscription.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// By the channel's exact name.
    pub channels: Listeners,
    /// By glob pattern.
    pub patterns: Listeners,
}

impl Subscriptions {
    /// Forgets a client that is gone.
    pub(crate) fn leave(&mut self, link: LinkId, client: &Client) {
        for channel in &client.channels {
            remove(&mut self.channels, channel, link);
        }
        for pattern in &client.patterns {
            remove(&mut self.patterns, pattern, link);
        }
    }
}

/// Adds a listener.
pub(crate) fn add(listeners: &mut Listeners, name: &[u8], link: LinkId) {
    listeners.entry(name.to_vec()).or_default().push(link);
}

/// Removes a listener.
pub(crate) fn remove(listeners: &mut Listeners, name: &[u8], link: LinkId) {
    if let Some(links) = listeners.get_mut(name) {
        links.retain(|&other| other != link);
        if links.is_empty() {
            listeners.remove(name);
        }
    }
}

impl Node {
    /// Gives a published message to this node's own listeners, those of the channel first; returns how
    /// many there were (§4.7).
    pub(crate) fn deliver(&mut self, ctx: &mut Ctx<'_>, channel: &[u8], message: &[u8]) -> usize {
        let subscriptions = &self.clients.subscriptions;
        let mut receivers = 0;
        for &link in subscriptions.channels.get(channel).into_iter().flatten() {
            let parts = [b"message".as_slice(), channel, message];
            ctx.out.effects.push(Effect::Reply(link, bulks(&parts)));
            receivers += 1;
        }
        for (pattern, links) in &subscriptions.patterns {
            if !glob::matches(pattern, channel) {
                continue;
            }
            for &link in links {
                let parts = [b"pmessage".as_slice(), pattern, channel, message];
                ctx.out.effects.push(Effect::Reply(link, bulks(&parts)));
                receivers += 1;
            }
        }
        receivers
    }
}

fn bulks(parts: &[&[u8]]) -> Reply {
    Reply::Array(parts.iter().map(Reply::bulk).collect())
}
