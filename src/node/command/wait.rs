//! Clients that wait, and letting them go on (§0.2, §8.5.3).

use crate::node::Node;
use crate::node::client::{Block, Pause, Popping, Reading};
use crate::node::command::outcome::{Outcome, conclude};
use crate::node::command::{Call, CommandError, process};
use crate::node::effect::{Ctx, LinkId};
use crate::node::number;
use crate::resp::Reply;
use crate::time::Millis;

/// Lets those go on whose wait is over, in the order in which they began to wait.
pub(crate) fn release(node: &mut Node, ctx: &mut Ctx<'_>) {
    if node.clients.awaited.is_some() {
        return;
    }
    let now = ctx.now.millis();
    for link in std::mem::take(&mut node.clients.waiting) {
        let Some(client) = node.clients.get(link) else { continue };
        let mut acknowledged = 0;
        let over = match &client.block {
            // CLIENT UNBLOCK has answered it.
            None => true,
            Some(Block::Paused(_)) => node.clients.pause.is_none(),
            &Some(Block::Wait { until, offset, replicas }) => {
                acknowledged = node.acknowledged_by(offset);
                acknowledged >= replicas || until.is_some_and(|until| until < now)
            }
            Some(Block::List(Popping { until, .. }) | Block::Stream(Reading { until, .. })) => {
                until.is_some_and(|until| until < now)
            }
        };
        if !over {
            node.clients.waiting.push(link);
            continue;
        }
        match node.clients.unblock(link) {
            Some(Block::Paused(args)) => process(node, link, &args, ctx),
            Some(Block::Wait { .. }) => end_wait(node, link, Reply::Int(acknowledged), ctx),
            Some(Block::List(_) | Block::Stream(_)) => {
                end_wait(node, link, Reply::NilArray, ctx);
            }
            None => {}
        }
        catch_up(node, link, ctx);
    }
}

/// Answers a client whose wait is over.
pub(super) fn end_wait(node: &mut Node, link: LinkId, reply: Reply, ctx: &mut Ctx<'_>) {
    node.clients.unblock(link);
    conclude(node, link, Outcome::Reply(reply), false, ctx);
}

/// Carries out what a client sent while it waited, until it waits again.
pub(crate) fn catch_up(node: &mut Node, link: LinkId, ctx: &mut Ctx<'_>) {
    while node.clients.awaited.is_none()
        && let Some(client) = node.clients.get_mut(link)
        && client.block.is_none()
        && let Some(args) = client.pending.pop_front()
    {
        process(node, link, &args, ctx);
    }
}

/// When a wait ends whose limit is given in milliseconds.
pub(crate) fn limit_in_millis(
    call: &Call<'_, '_>,
    at: usize,
) -> Result<Option<Millis>, CommandError> {
    let limit = number::parse(call.word(at))
        .ok_or(CommandError::fixed("ERR timeout is not an integer or out of range"))?;
    limit_from_now(call, limit)
}

/// When a wait ends whose limit is given in seconds.
pub(crate) fn limit_in_seconds(
    call: &Call<'_, '_>,
    at: usize,
) -> Result<Option<Millis>, CommandError> {
    let limit = number::millis_of_seconds(call.word(at))
        .ok_or(CommandError::fixed("ERR timeout is not a float or out of range"))?;
    limit_from_now(call, limit)
}

/// When so many milliseconds are over; 0 is no limit.
fn limit_from_now(call: &Call<'_, '_>, millis: i64) -> Result<Option<Millis>, CommandError> {
    match millis {
        ..0 => Err(CommandError::fixed("ERR timeout is negative")),
        0 => Ok(None),
        _ => Ok(Some(call.now() + Millis(millis))),
    }
}

/// WAIT replicas timeout
pub(crate) fn wait(call: &mut Call<'_, '_>) -> Outcome {
    let parsed = parse_wait(call);
    let (replicas, until) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Outcome::Reply(error.into()),
    };
    let offset = call.node.clients.get(call.client).map_or(0, |client| client.written);
    let acknowledged = call.node.acknowledged_by(offset);
    if acknowledged >= replicas || call.in_exec {
        return Outcome::Reply(Reply::Int(acknowledged));
    }
    call.node.replication.acks_wanted = true;
    Outcome::Blocked(Block::Wait { until, offset, replicas })
}

fn parse_wait(call: &Call<'_, '_>) -> Result<(i64, Option<Millis>), CommandError> {
    if call.node.replication.master.is_some() {
        return Err(CommandError::fixed(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 \
             if a replica is configured to be writable (which is not the default) writes to \
             replicas are just local and are not propagated.",
        ));
    }
    Ok((call.integer(1)?, limit_in_millis(call, 2)?))
}

/// `CLIENT PAUSE timeout [WRITE|ALL]`
pub(crate) fn pause(call: &mut Call<'_, '_>) -> Result<Reply, CommandError> {
    let what = match call.args.get(3) {
        None => Pause::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => Pause::All,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => Pause::Writes,
        Some(_) => return Err(CommandError::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let until = limit_in_millis(call, 2)?.unwrap_or(Millis::NEVER);
    call.node.clients.pause(until, what);
    Ok(Reply::ok())
}

#[cfg(test)]
mod tests {
    use crate::node::effect::{Input, LinkId};
    use crate::node::lab::{CLIENT, Lab, id};
    use crate::resp::{Reply, args};

    /// What a client was told since the last question.
    fn told(lab: &Lab, client: LinkId) -> Vec<Reply> {
        let own = lab.replies.iter().filter(|(_, to, _)| *to == client);
        own.filter_map(|(.., reply)| reply.clone()).collect()
    }

    fn say(lab: &mut Lab, node: usize, client: LinkId, words: &str) {
        lab.input(node, Input::Command(client, args(words.split(' ')).into()));
    }

    fn formed() -> Lab {
        let mut lab = Lab::formed(3, 3, 5_000);
        lab.run(3_000);
        lab
    }

    #[test]
    fn asking_outlasts_a_pause_before_its_command_11_11() {
        let mut lab = formed();
        lab.ask(1, &format!("CLUSTER SETSLOT 3300 IMPORTING {}", id(0)));
        lab.ask(1, "CLIENT PAUSE 1000 WRITE");
        lab.replies.clear();
        say(&mut lab, 1, CLIENT, "ASKING");
        say(&mut lab, 1, CLIENT, "SET {b} v");
        assert_eq!(told(&lab, CLIENT), [Reply::ok()], "the second waits");
        lab.run(1_500);
        assert_eq!(told(&lab, CLIENT), [Reply::ok(), Reply::ok()]);
        say(&mut lab, 1, CLIENT, "SET {b} v");
        let moved = Reply::Error("MOVED 3300 10.0.0.1:7000".to_owned());
        assert_eq!(told(&lab, CLIENT)[2], moved, "and holds for that one only");
    }

    #[test]
    fn a_skipped_reply_is_that_of_the_next_command_also_after_a_wait_8_5_3() {
        let mut lab = formed();
        lab.ask(0, "CLIENT PAUSE 1000 WRITE");
        lab.replies.clear();
        say(&mut lab, 0, CLIENT, "CLIENT REPLY SKIP");
        say(&mut lab, 0, CLIENT, "SET {b} v");
        lab.run(1_500);
        say(&mut lab, 0, CLIENT, "CLIENT REPLY SKIP");
        say(&mut lab, 0, CLIENT, "WAIT 2 100");
        lab.run(500);
        assert_eq!(told(&lab, CLIENT), []);
        say(&mut lab, 0, CLIENT, "GET {b}");
        assert_eq!(told(&lab, CLIENT), [Reply::bulk("v")]);
    }

    #[test]
    fn what_was_sent_behind_a_wait_is_carried_out_after_client_unblock() {
        let other = LinkId(1_000_005);
        let mut lab = formed();
        let Reply::Int(number) = lab.ask(0, "CLIENT ID") else { panic!("a number") };
        lab.replies.clear();
        say(&mut lab, 0, CLIENT, "WAIT 2 0");
        say(&mut lab, 0, CLIENT, "PING");
        say(&mut lab, 0, other, &format!("CLIENT UNBLOCK {number}"));
        lab.run(200);
        assert_eq!(told(&lab, other), [Reply::Int(1)]);
        assert_eq!(told(&lab, CLIENT), [Reply::Int(0), Reply::Status("PONG".to_owned())]);
    }

    #[test]
    fn the_cluster_is_looked_after_before_commands_that_were_held_back_0_2() {
        let mut lab = formed();
        lab.ask(0, "CLIENT PAUSE 100000 WRITE");
        let other = LinkId(1_000_005);
        lab.replies.clear();
        say(&mut lab, 0, other, "SET {b} v");
        for words in ["MULTI", "CLIENT UNPAUSE", "CLUSTER DELSLOTS 1", "EXEC"] {
            say(&mut lab, 0, CLIENT, words);
        }
        // All in one pass: the slot is gone, the state follows, then the command is carried out.
        let down = Reply::Error("CLUSTERDOWN The cluster is down".to_owned());
        assert_eq!(told(&lab, other), [down]);
    }
}
