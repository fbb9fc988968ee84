//! BLPOP and the like: waiting for an element of a list, or, after XREAD, for an item of a stream.
//!
//! Whoever waits is served right after the command that gave the list an element, in the order in which
//! they began to wait, and what they take goes to the replicas as a pop of its own. In a cluster a wait
//! can become pointless: the slot moves, or the cluster fails. That is noticed by a cron, about a second
//! later at most (§11.13).

use crate::node::Node;
use crate::node::client::{Block, Client, Popping};
use crate::node::command::error::Answer;
use crate::node::command::list::{self, End, List};
use crate::node::command::stream;
use crate::node::command::wait::{end_wait, limit_in_seconds};
use crate::node::command::{Call, CommandError, Outcome};
use crate::node::effect::{Ctx, LinkId};
use crate::node::keyspace::Value;
use crate::node::redirect;
use crate::resp::{Reply, args};
use crate::time::Millis;

/// So many clients at least are looked at by each cron.
const LOOKED_AT: usize = 5;

/// What to do at once, or what to wait for.
enum Attempt {
    Done(Reply),
    Wait(Popping),
}

fn outcome(call: &Call<'_, '_>, attempt: Result<Attempt, CommandError>, nothing: Reply) -> Outcome {
    match attempt {
        Err(error) => Outcome::Reply(error.into()),
        Ok(Attempt::Done(reply)) => Outcome::Reply(reply),
        // A transaction does not wait.
        Ok(Attempt::Wait(_)) if call.in_exec => Outcome::Reply(nothing),
        Ok(Attempt::Wait(popping)) => Outcome::Blocked(Block::List(popping)),
    }
}

fn pop(call: &mut Call<'_, '_>, from: End) -> Result<Attempt, CommandError> {
    let last = call.args.len() - 1;
    let until = limit_in_seconds(call, last)?;
    let keys = &call.args[1..last];
    for key in keys {
        let Some(element) = list::write(call, key)?.and_then(|list| from.pop(list)) else {
            continue;
        };
        list::changed(call, key, 1);
        call.propagate_instead([from.pop_word().as_bytes(), key]);
        let reply = vec![Reply::Bulk(key.clone()), Reply::Bulk(element)];
        return Ok(Attempt::Done(Reply::Array(reply)));
    }
    Ok(Attempt::Wait(Popping { until, keys: keys.to_vec(), from, target: None }))
}

/// `BLPOP key [key …] timeout`
pub(super) fn blpop(call: &mut Call<'_, '_>) -> Outcome {
    let attempt = pop(call, End::Head);
    outcome(call, attempt, Reply::NilArray)
}

/// `BRPOP key [key …] timeout`
pub(super) fn brpop(call: &mut Call<'_, '_>) -> Outcome {
    let attempt = pop(call, End::Tail);
    outcome(call, attempt, Reply::NilArray)
}

fn move_element(
    call: &mut Call<'_, '_>,
    (from, to): (End, End),
    until: Option<Millis>,
) -> Result<Attempt, CommandError> {
    let (source, target) = (call.word(1), call.word(2));
    if list::write(call, source)?.is_none() {
        let (keys, target) = (vec![source.to_vec()], Some((target.to_vec(), to)));
        return Ok(Attempt::Wait(Popping { until, keys, from, target }));
    }
    let moved: Answer = list::move_element(call, from, to);
    call.instead.push(moved_words(call.spec.name == "brpoplpush", source, target, from, to));
    Ok(Attempt::Done(moved?))
}

/// What goes to replicas when an element was moved.
fn moved_words(
    by_brpoplpush: bool,
    source: &[u8],
    target: &[u8],
    from: End,
    to: End,
) -> Vec<Vec<u8>> {
    match by_brpoplpush {
        true => args([b"RPOPLPUSH", source, target]),
        false => args([b"LMOVE", source, target, from.word().as_bytes(), to.word().as_bytes()]),
    }
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
pub(super) fn blmove(call: &mut Call<'_, '_>) -> Outcome {
    let parsed = || -> Result<_, CommandError> {
        let ends = (End::parse(call.word(3))?, End::parse(call.word(4))?);
        Ok((ends, limit_in_seconds(call, 5)?))
    };
    let attempt = parsed().and_then(|(ends, until)| move_element(call, ends, until));
    outcome(call, attempt, Reply::Nil)
}

/// BRPOPLPUSH source destination timeout
pub(super) fn brpoplpush(call: &mut Call<'_, '_>) -> Outcome {
    let attempt = limit_in_seconds(call, 3)
        .and_then(|until| move_element(call, (End::Tail, End::Head), until));
    outcome(call, attempt, Reply::Nil)
}

/// Serves those who wait for what a command has changed, if there is anything.
#[inline]
pub(crate) fn serve(node: &mut Node, ctx: &mut Ctx<'_>) {
    if !node.clients.ready.is_empty() {
        serve_all(node, ctx);
    }
}

fn serve_all(node: &mut Node, ctx: &mut Ctx<'_>) {
    while !node.clients.ready.is_empty() {
        for key in std::mem::take(&mut node.clients.ready) {
            for client in node.clients.blocked_on(&key) {
                serve_one(node, client, &key, ctx);
            }
        }
    }
}

/// The list of a key that has not died.
fn list<'n>(node: &'n mut Node, key: &[u8], ctx: &mut Ctx<'_>) -> Option<&'n mut List> {
    node.expire_if_needed(ctx, key);
    match node.keys.value_mut(key) {
        Some(Value::List(list)) => Some(list),
        _ => None,
    }
}

/// Gives a client what it waits for, if that is there.
fn serve_one(node: &mut Node, client: LinkId, key: &[u8], ctx: &mut Ctx<'_>) {
    match node.clients.get(client).and_then(|state| state.block.clone()) {
        Some(Block::List(popping)) => serve_element(node, client, key, popping, ctx),
        Some(Block::Stream(reading)) => {
            if let Some(reply) = stream::news(node, key, &reading) {
                end_wait(node, client, reply, ctx);
            }
        }
        Some(Block::Paused(_) | Block::Wait { .. }) | None => {}
    }
}

/// Gives a client an element of a list, if there is one.
fn serve_element(node: &mut Node, client: LinkId, key: &[u8], popping: Popping, ctx: &mut Ctx<'_>) {
    let from = popping.from;
    let Some(element) = list(node, key, ctx).and_then(|list| from.pop(list)) else { return };
    let (reply, words) = match popping.target {
        None => {
            let pair = vec![Reply::bulk(key), Reply::Bulk(element)];
            (Reply::Array(pair), args([from.pop_word().as_bytes(), key]))
        }
        Some((target, to)) => match push(node, &target, to, &element, ctx) {
            Ok(()) => {
                let last = node.clients.get(client).map(|state| state.registration.last_command);
                let brpoplpush = last == Some("brpoplpush");
                (Reply::Bulk(element), moved_words(brpoplpush, key, &target, from, to))
            }
            Err(error) => {
                if let Some(list) = list(node, key, ctx) {
                    from.push(list, element);
                }
                return end_wait(node, client, error.into(), ctx);
            }
        },
    };
    if list(node, key, ctx).is_some_and(|list| list.is_empty()) {
        node.keys.remove(key);
    }
    node.propagate(ctx, words);
    end_wait(node, client, reply, ctx);
}

/// Pushes an element that comes from elsewhere.
fn push(
    node: &mut Node,
    key: &[u8],
    to: End,
    element: &[u8],
    ctx: &mut Ctx<'_>,
) -> Result<(), CommandError> {
    node.expire_if_needed(ctx, key);
    if node.keys.get(key).is_none() {
        node.keys.insert(key, Value::List(List::new()));
    }
    let list = list(node, key, ctx).ok_or(CommandError::WRONG_TYPE)?;
    to.push(list, element.to_vec());
    node.clients.touch(key);
    Ok(())
}

/// Looks at some clients, as `clientsCron` does: who waits for a key that is not served here any more
/// must go elsewhere (§11.13).
pub(super) fn redirect(node: &mut Node, ctx: &mut Ctx<'_>) {
    if !node.clients.wait_for_keys() {
        return;
    }
    for client in looked_at(node) {
        let Some(state) = node.clients.get(client) else { continue };
        let Some(block) = &state.block else { continue };
        let Some(key) = block.keys().first() else { continue };
        let reads = state.readonly && matches!(block, Block::Stream(_));
        if let Some(redirect) = redirect::of_waiting(node, key, reads) {
            let text = redirect.text(node, ctx);
            end_wait(node, client, Reply::Error(text), ctx);
        }
    }
}

/// The clients whose turn it is: each is looked at about once a second, the newest first.
fn looked_at(node: &mut Node) -> Vec<LinkId> {
    let number = |(link, client): (LinkId, &Client)| (client.registration.id, link);
    let mut clients: Vec<(u64, LinkId)> = node.clients.iter().map(number).collect();
    clients.sort_unstable();
    clients.reverse();
    let count = LOOKED_AT.max(clients.len() / node.config.hz.max(1) as usize).min(clients.len());
    let last = node.clients.last_looked_at;
    let start = clients.iter().position(|(id, _)| *id < last).unwrap_or(0);
    clients.rotate_left(start);
    clients.truncate(count);
    node.clients.last_looked_at = clients.last().map_or(0, |(id, _)| *id);
    clients.into_iter().map(|(_, link)| link).collect()
}

#[cfg(test)]
mod tests {
    use crate::node::effect::{Input, LinkId};
    use crate::node::lab::{CLIENT, Lab, id};
    use crate::resp::{Reply, args};

    const FIRST: LinkId = LinkId(2_000_001);
    const SECOND: LinkId = LinkId(2_000_003);

    /// Three masters and a replica of the first. Keys in `{b}` (3300) belong to the first.
    fn formed() -> Lab {
        let mut lab = Lab::formed(3, 1, 5_000);
        lab.run(3_000);
        lab.replies.clear();
        lab
    }

    fn say(lab: &mut Lab, client: LinkId, words: &str) {
        lab.input(0, Input::Command(client, args(words.split(' ')).into()));
    }

    fn told(lab: &Lab, client: LinkId) -> Vec<Reply> {
        let own = lab.replies.iter().filter(|(node, to, _)| (*node, *to) == (0, client));
        own.filter_map(|(.., reply)| reply.clone()).collect()
    }

    fn pair(key: &str, element: &str) -> Reply {
        Reply::Array(vec![Reply::bulk(key), Reply::bulk(element)])
    }

    fn same_keys(lab: &mut Lab) -> bool {
        lab.run(200);
        let keys = lab.node(0).keys.clone();
        keys == lab.node(3).keys
    }

    #[test]
    fn who_waits_longest_is_served_first_and_the_rest_stays() {
        let mut lab = formed();
        say(&mut lab, FIRST, "BLPOP {b}1 {b}2 0");
        say(&mut lab, SECOND, "BRPOP {b}2 0");
        say(&mut lab, SECOND, "PING");
        assert_eq!(told(&lab, FIRST), []);
        let info = lab.ask(0, "INFO clients");
        assert!(info.text().unwrap().contains("blocked_clients:2\r\n"));
        lab.replies.clear();
        say(&mut lab, CLIENT, "RPUSH {b}2 x y z");
        assert_eq!(told(&lab, CLIENT), [Reply::Int(3)], "what was pushed counts");
        assert_eq!(told(&lab, FIRST), [pair("{b}2", "x")]);
        let pong = Reply::Status("PONG".to_owned());
        assert_eq!(told(&lab, SECOND), [pair("{b}2", "z"), pong]);
        assert_eq!(lab.ask(0, "LRANGE {b}2 0 -1"), Reply::Array(vec![Reply::bulk("y")]));
        assert!(same_keys(&mut lab), "the replica has popped, too");
    }

    #[test]
    fn what_is_there_is_popped_at_once() {
        let mut lab = formed();
        lab.ask(0, "RPUSH {b} x y");
        assert_eq!(lab.ask(0, "BRPOP {b}other {b} 0"), pair("{b}", "y"));
        assert_eq!(lab.ask(0, "BLPOP {b} 0"), pair("{b}", "x"));
        assert_eq!(lab.ask(0, "EXISTS {b}"), Reply::Int(0));
        lab.ask(0, "RPUSH {b} x");
        assert_eq!(lab.ask(0, "BLMOVE {b} {b}to LEFT RIGHT 0"), Reply::bulk("x"));
        assert_eq!(lab.ask(0, "BRPOPLPUSH {b}to {b} 0"), Reply::bulk("x"));
        assert!(same_keys(&mut lab));
    }

    #[test]
    fn an_element_that_is_moved_may_serve_the_next() {
        let mut lab = formed();
        say(&mut lab, FIRST, "BRPOPLPUSH {b}1 {b}2 0");
        say(&mut lab, SECOND, "BLMOVE {b}2 {b}3 LEFT LEFT 0");
        say(&mut lab, CLIENT, "RPUSH {b}1 x");
        assert_eq!(told(&lab, FIRST), [Reply::bulk("x")]);
        assert_eq!(told(&lab, SECOND), [Reply::bulk("x")]);
        assert_eq!(lab.ask(0, "KEYS *"), Reply::Array(vec![Reply::bulk("{b}3")]));
        assert!(same_keys(&mut lab));
    }

    #[test]
    fn an_element_that_cannot_be_moved_stays_and_the_mover_is_told() {
        let mut lab = formed();
        lab.ask(0, "SET {b}2 v");
        lab.replies.clear();
        say(&mut lab, FIRST, "BRPOPLPUSH {b}1 {b}2 0");
        say(&mut lab, CLIENT, "RPUSH {b}1 x");
        assert!(told(&lab, FIRST)[0].error().unwrap().starts_with("WRONGTYPE"));
        assert_eq!(lab.ask(0, "LLEN {b}1"), Reply::Int(1));
        assert!(same_keys(&mut lab));
    }

    #[test]
    fn waiting_ends_when_its_time_is_up_or_somebody_ends_it() {
        let mut lab = formed();
        say(&mut lab, FIRST, "BLPOP {b} 0.5");
        lab.run(480);
        assert_eq!(told(&lab, FIRST), []);
        lab.run(130);
        assert_eq!(told(&lab, FIRST), [Reply::NilArray]);
        lab.replies.clear();
        say(&mut lab, FIRST, "CLIENT ID");
        let [Reply::Int(number)] = told(&lab, FIRST)[..] else { panic!("a number") };
        lab.replies.clear();
        say(&mut lab, FIRST, "BLPOP {b} 0");
        assert_eq!(lab.ask(0, &format!("CLIENT UNBLOCK {number}")), Reply::Int(1));
        assert_eq!(lab.replies[0].2, Some(Reply::NilArray));
        lab.ask(0, "RPUSH {b} x");
        assert_eq!(lab.ask(0, "LLEN {b}"), Reply::Int(1), "nobody waits any more");
    }

    #[test]
    fn a_transaction_does_not_wait_and_serves_others_at_its_end() {
        let mut lab = formed();
        say(&mut lab, FIRST, "BLPOP {b} 0");
        for words in ["MULTI", "RPUSH {b} x", "BLPOP {b} 0", "BLPOP {b} 0", "RPUSH {b} y"] {
            lab.ask(0, words);
        }
        let results = vec![Reply::Int(1), pair("{b}", "x"), Reply::NilArray, Reply::Int(1)];
        lab.replies.clear();
        say(&mut lab, CLIENT, "EXEC");
        assert_eq!(told(&lab, CLIENT), [Reply::Array(results)]);
        assert_eq!(told(&lab, FIRST), [pair("{b}", "y")]);
        assert!(same_keys(&mut lab));
    }

    #[test]
    fn who_waits_for_a_key_is_sent_away_when_its_slot_moves_11_13() {
        let mut lab = formed();
        say(&mut lab, FIRST, "BLPOP {b} 0");
        lab.ask(0, &format!("CLUSTER SETSLOT 3300 NODE {}", id(1)));
        lab.replies.clear();
        lab.run(1_100);
        assert_eq!(told(&lab, FIRST), [Reply::Error("MOVED 3300 10.0.0.2:7000".to_owned())]);
        say(&mut lab, FIRST, "CLUSTER COUNTKEYSINSLOT 3300");
        assert_eq!(told(&lab, FIRST)[1], Reply::Int(0), "it is no longer blocked");
    }

    #[test]
    fn who_waits_for_a_key_is_told_that_nobody_serves_it_11_13() {
        let mut lab = formed();
        lab.ask(0, "CONFIG SET cluster-require-full-coverage no");
        say(&mut lab, FIRST, "BLPOP {b} 0");
        lab.ask(0, "CLUSTER DELSLOTS 3300");
        lab.replies.clear();
        lab.run(1_100);
        let unserved = Reply::Error("CLUSTERDOWN Hash slot not served".to_owned());
        assert_eq!(told(&lab, FIRST), [unserved]);
        let mut lab = formed();
        say(&mut lab, FIRST, "BLPOP {b} 0");
        lab.ask(0, "CLUSTER DELSLOTS 1");
        lab.replies.clear();
        lab.run(1_100);
        assert_eq!(told(&lab, FIRST), [Reply::Error("CLUSTERDOWN The cluster is down".to_owned())]);
    }

    #[test]
    fn each_of_many_clients_is_looked_at_about_once_a_second_11_13() {
        let mut lab = formed();
        let clients: Vec<LinkId> = (0..60).map(|number| LinkId(3_000_001 + 2 * number)).collect();
        for client in &clients {
            say(&mut lab, *client, "BLPOP {b} 0");
        }
        lab.ask(0, &format!("CLUSTER SETSLOT 3300 NODE {}", id(1)));
        lab.replies.clear();
        let served = |lab: &Lab| clients.iter().filter(|it| !told(lab, **it).is_empty()).count();
        lab.run(500);
        let half = served(&lab);
        assert!((20..=40).contains(&half), "{half}");
        lab.run(700);
        assert_eq!(served(&lab), 60);
    }

    #[test]
    fn time_limits_are_seconds_with_decimals() {
        let mut lab = formed();
        for (words, error) in [
            ("BLPOP {b} x", "ERR timeout is not a float or out of range"),
            ("BLPOP {b} -1", "ERR timeout is negative"),
            ("BLMOVE {b} {b} UP LEFT 0", "ERR syntax error"),
        ] {
            assert_eq!(lab.ask(0, words), Reply::Error(error.to_owned()));
        }
        lab.ask(0, "SET {b} v");
        assert!(lab.ask(0, "BLPOP {b} 0").error().unwrap().starts_with("WRONGTYPE"));
    }
}
