//! Channels: PUBLISH, SUBSCRIBE and the like (§4.7).

use std::collections::BTreeSet;

use crate::node::command::error::Answer;
use crate::node::command::{Call, CommandError, Outcome, Spec, help, state};
use crate::node::glob;
use crate::node::pubsub;
use crate::resp::Reply;

/// Whether a client that listens may say this.
pub(super) fn may_be_said_while_listening(spec: &Spec) -> bool {
    matches!(
        spec.name,
        "ping" | "subscribe" | "unsubscribe" | "psubscribe" | "punsubscribe" | "reset"
    )
}

/// One confirmation: what was done, to what, and how many subscriptions the client has now.
fn confirmation(call: &mut Call<'_, '_>, done: &str, name: Option<&[u8]>) -> Reply {
    let count = state(call.node, call.client, call.ctx).subscriptions();
    let name = name.map_or(Reply::Nil, Reply::bulk);
    Reply::Array(vec![Reply::bulk(done), name, Reply::Int(count as i64)])
}

/// `SUBSCRIBE channel [channel …]`
pub(super) fn subscribe(call: &mut Call<'_, '_>) -> Outcome {
    let mut replies = Vec::new();
    for channel in &call.args[1..] {
        if state(call.node, call.client, call.ctx).channels.insert(channel.clone()) {
            let channels = &mut call.node.clients.subscriptions.channels;
            pubsub::add(channels, channel, call.client);
        }
        replies.push(confirmation(call, "subscribe", Some(channel)));
    }
    Outcome::Replies(replies)
}

/// `PSUBSCRIBE pattern [pattern …]`
pub(super) fn psubscribe(call: &mut Call<'_, '_>) -> Outcome {
    let mut replies = Vec::new();
    for pattern in &call.args[1..] {
        let patterns = &mut state(call.node, call.client, call.ctx).patterns;
        if !patterns.contains(pattern) {
            patterns.push(pattern.clone());
            let patterns = &mut call.node.clients.subscriptions.patterns;
            pubsub::add(patterns, pattern, call.client);
        }
        replies.push(confirmation(call, "psubscribe", Some(pattern)));
    }
    Outcome::Replies(replies)
}

/// `UNSUBSCRIBE [channel …]`
pub(super) fn unsubscribe(call: &mut Call<'_, '_>) -> Outcome {
    let channels: BTreeSet<Vec<u8>> = match &call.args[1..] {
        [] => state(call.node, call.client, call.ctx).channels.clone(),
        channels => channels.iter().cloned().collect(),
    };
    let mut replies = Vec::new();
    for channel in &channels {
        state(call.node, call.client, call.ctx).channels.remove(channel);
        pubsub::remove(&mut call.node.clients.subscriptions.channels, channel, call.client);
        replies.push(confirmation(call, "unsubscribe", Some(channel)));
    }
    if replies.is_empty() {
        replies.push(confirmation(call, "unsubscribe", None));
    }
    Outcome::Replies(replies)
}

/// `PUNSUBSCRIBE [pattern …]`
pub(super) fn punsubscribe(call: &mut Call<'_, '_>) -> Outcome {
    let patterns = match &call.args[1..] {
        [] => state(call.node, call.client, call.ctx).patterns.clone(),
        patterns => patterns.to_vec(),
    };
    let mut replies = Vec::new();
    for pattern in &patterns {
        state(call.node, call.client, call.ctx).patterns.retain(|other| other != pattern);
        pubsub::remove(&mut call.node.clients.subscriptions.patterns, pattern, call.client);
        replies.push(confirmation(call, "punsubscribe", Some(pattern)));
    }
    if replies.is_empty() {
        replies.push(confirmation(call, "punsubscribe", None));
    }
    Outcome::Replies(replies)
}

/// PUBLISH channel message: answers how many listen here, then tells the other nodes (§4.7). A plain
/// server tells its replicas.
pub(super) fn publish(call: &mut Call<'_, '_>) -> Answer {
    let (channel, message) = (call.word(1), call.word(2));
    let receivers = call.node.deliver(call.ctx, channel, message);
    if call.node.in_cluster_mode() {
        call.node.broadcast_publish(call.ctx, channel, message);
    } else {
        call.node.propagate(call.ctx, call.args.to_vec());
    }
    Ok(Reply::Int(receivers as i64))
}

/// PUBSUB CHANNELS|NUMSUB|NUMPAT
pub(super) fn pubsub(call: &mut Call<'_, '_>) -> Answer {
    let subscriptions = &call.node.clients.subscriptions;
    match call.args {
        [_, _] if call.is(1, "help") => Ok(help::pubsub()),
        [_, _, pattern @ ..] if call.is(1, "channels") && pattern.len() <= 1 => {
            let pattern = pattern.first().map_or(b"*".as_slice(), Vec::as_slice);
            let channels = subscriptions.channels.keys();
            let matching = channels.filter(|channel| glob::matches(pattern, channel));
            Ok(Reply::Array(matching.map(Reply::bulk).collect()))
        }
        [_, _, channels @ ..] if call.is(1, "numsub") => {
            let counts = channels.iter().flat_map(|channel| {
                let count = subscriptions.channels.get(channel).map_or(0, Vec::len);
                [Reply::bulk(channel), Reply::Int(count as i64)]
            });
            Ok(Reply::Array(counts.collect()))
        }
        [_, _] if call.is(1, "numpat") => Ok(Reply::Int(subscriptions.patterns.len() as i64)),
        _ => Err(CommandError::subcommand(call.args)),
    }
}
