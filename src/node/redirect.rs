//! Whether this node serves the keys of a command, or who does (§11).
//!
//! Decided from this node's own view of the slots alone; that view may be wrong, and then the client
//! is sent to the wrong node, as in Redis.

use crate::node::Node;
use crate::node::client::Standing;
use crate::node::command::{Spec, Traits, transaction};
use crate::node::effect::{Ctx, LinkId};
use crate::node::keyspace::Key;
use crate::node::table::PeerIx;
use crate::slot::Slot;

/// Why a command is not served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// Its keys are in different slots.
    CrossSlot,
    /// Some of its keys are here, some are not yet.
    TryAgain,
    /// The slot has no owner.
    NotServed,
    /// The cluster is down.
    Down,
    /// The cluster is down and this is not a read.
    DownForWrites,
    /// Another node owns the slot.
    Moved(Slot, PeerIx),
    /// The slot is being moved to another node, and not all keys are here any more.
    Ask(Slot, PeerIx),
}

/// What the keys of a command have in common.
#[derive(Debug, Default)]
struct Keys<'a> {
    first: &'a [u8],
    /// The slot of the first key and its owner.
    target: Option<(Slot, PeerIx)>,
    migrating: Option<PeerIx>,
    importing: bool,
    multiple: bool,
    missing: bool,
}

impl Redirect {
    /// The error that the client gets (§11.2-§11.8).
    pub(crate) fn text(self, node: &Node, ctx: &Ctx<'_>) -> String {
        let fixed = match self {
            Redirect::CrossSlot => "CROSSSLOT Keys in request don't hash to the same slot",
            Redirect::TryAgain => "TRYAGAIN Multiple keys request during rehashing of slot",
            Redirect::NotServed => "CLUSTERDOWN Hash slot not served",
            Redirect::Down => "CLUSTERDOWN The cluster is down",
            Redirect::DownForWrites => {
                "CLUSTERDOWN The cluster is down and only accepts read commands"
            }
            Redirect::Moved(slot, to) => return pointer("MOVED", slot, to, node, ctx),
            Redirect::Ask(slot, to) => return pointer("ASK", slot, to, node, ctx),
        };
        fixed.to_owned()
    }
}

fn pointer(code: &str, slot: Slot, to: PeerIx, node: &Node, ctx: &Ctx<'_>) -> String {
    let endpoint = ctx.ids.endpoint(node.bus.table.endpoint(to));
    format!("{code} {slot} {}:{}", endpoint.ip_text(), endpoint.port)
}

/// Whether a command, or the transaction that it executes, is served here (§11.2); if so, the slot of
/// its keys.
pub(crate) fn check(
    node: &mut Node,
    client: LinkId,
    standing: Standing,
    spec: &'static Spec,
    args: &[Vec<u8>],
    ctx: &mut Ctx<'_>,
) -> Result<Option<Slot>, Redirect> {
    if !node.in_cluster_mode() {
        return Ok(None);
    }
    let queue;
    let mut keys = Keys::default();
    if spec.name == "exec" {
        queue = transaction::queue(node, client);
        for (queued, args) in &queue {
            look_at(node, queued, args, &mut keys, ctx)?;
        }
    } else {
        look_at(node, spec, args, &mut keys, ctx)?;
    }
    let Some(target) = keys.target else { return Ok(None) };
    decide(node, client, standing, spec, &keys, target)?;
    Ok(Some(target.0))
}

/// Where somebody must go on waiting for a key, if not here (§11.13). Who only reads, and has said that
/// a replica will do, may wait at one.
pub(crate) fn of_waiting(node: &Node, key: &[u8], reads: bool) -> Option<Redirect> {
    if !node.in_cluster_mode() {
        return None;
    }
    if !node.bus.state_ok {
        return Some(Redirect::Down);
    }
    let slot = Slot::of_key(key);
    match node.bus.slots.owner(slot) {
        Some(owner) if owner == node.bus.myself => None,
        owner if reads && owner.is_some() && owner == node.bus.my_master() => None,
        _ if node.bus.slots.importing.contains_key(&slot) => None,
        Some(owner) => Some(Redirect::Moved(slot, owner)),
        None => Some(Redirect::NotServed),
    }
}

/// Takes the keys of one command into account (§11.2).
fn look_at<'a>(
    node: &mut Node,
    spec: &Spec,
    args: &'a [Vec<u8>],
    keys: &mut Keys<'a>,
    ctx: &mut Ctx<'_>,
) -> Result<(), Redirect> {
    for at in spec.key_positions(args) {
        let key = Key::from(&args[at]);
        let slot = key.slot;
        match keys.target {
            None => {
                let owner = node.bus.slots.owner(slot).ok_or(Redirect::NotServed)?;
                keys.target = Some((slot, owner));
                keys.first = key.bytes;
                if owner == node.bus.myself {
                    keys.migrating = node.bus.slots.migrating.get(&slot).copied();
                }
                keys.importing =
                    keys.migrating.is_none() && node.bus.slots.importing.contains_key(&slot);
            }
            Some((first, _)) if first != slot => return Err(Redirect::CrossSlot),
            // Several keys of one slot; naming one key twice does no harm to what follows.
            Some(_) => keys.multiple |= keys.first != key.bytes,
        }
        if keys.migrating.is_some() || keys.importing {
            keys.missing |= node.look_up(ctx, key).is_none();
        }
    }
    Ok(())
}

/// Who serves, now that slot and owner are known (§11.3-§11.8).
fn decide(
    node: &Node,
    client: LinkId,
    standing: Standing,
    spec: &Spec,
    keys: &Keys<'_>,
    (slot, owner): (Slot, PeerIx),
) -> Result<(), Redirect> {
    if !node.bus.state_ok {
        if !node.config.allow_reads_when_down {
            return Err(Redirect::Down);
        }
        if spec.traits.any(Traits::WRITE) {
            return Err(Redirect::DownForWrites);
        }
    }
    if (keys.migrating.is_some() || keys.importing) && spec.name == "migrate" {
        return Ok(());
    }
    if let Some(target) = keys.migrating
        && keys.missing
    {
        return Err(Redirect::Ask(slot, target));
    }
    if keys.importing && (standing.asking || spec.traits.any(Traits::ASKING)) {
        return if keys.multiple && keys.missing { Err(Redirect::TryAgain) } else { Ok(()) };
    }
    if owner == node.bus.myself {
        return Ok(());
    }
    if standing.readonly
        && node.bus.my_master() == Some(owner)
        && !transaction::traits(node, client, spec).any(Traits::WRITE)
    {
        return Ok(());
    }
    Err(Redirect::Moved(slot, owner))
}

#[cfg(test)]
mod tests {
    use crate::node::lab::{CLIENT, Lab, slot};
    use crate::resp::Reply;

    const OK: &str = "OK";

    /// Three masters and a replica of the first, all of one opinion. Keys in `{b}` (3300) belong to
    /// the first, in `{a}` (15495) to the third.
    fn formed() -> Lab {
        let mut lab = Lab::formed(3, 1, 5_000);
        lab.run(3_000);
        lab
    }

    fn said(lab: &mut Lab, node: usize, words: &str) -> String {
        match lab.ask(node, words) {
            Reply::Status(text) | Reply::Error(text) => text,
            Reply::Bulk(bytes) => String::from_utf8(bytes).unwrap(),
            other => format!("{other:?}"),
        }
    }

    fn id(node: usize) -> String {
        crate::node::lab::id(node).to_string()
    }

    /// Opens slot 3300 between its owner, node 0, and node 1.
    fn open_slot(lab: &mut Lab) {
        assert_eq!(said(lab, 0, &format!("CLUSTER SETSLOT 3300 MIGRATING {}", id(1))), OK);
        assert_eq!(said(lab, 1, &format!("CLUSTER SETSLOT 3300 IMPORTING {}", id(0))), OK);
    }

    #[test]
    fn the_owner_serves_and_others_point_to_it_11_8() {
        let mut lab = formed();
        assert_eq!(said(&mut lab, 0, "SET {b} v"), OK);
        assert_eq!(said(&mut lab, 1, "GET {b}"), "MOVED 3300 10.0.0.1:7000");
        assert_eq!(said(&mut lab, 0, "GET {a}"), "MOVED 15495 10.0.0.3:7000");
    }

    #[test]
    fn keys_must_be_in_one_slot_11_2() {
        let mut lab = formed();
        let crossed = "CROSSSLOT Keys in request don't hash to the same slot";
        assert_eq!(said(&mut lab, 0, "MSET {b}1 v {a}1 v"), crossed);
        assert_eq!(said(&mut lab, 2, "DEL {b} {a}"), crossed);
        assert_eq!(said(&mut lab, 0, "MSET {b}1 v {b}2 v"), OK);
        assert_eq!(lab.ask(0, "DEL {b}1 {b}1"), Reply::Int(1));
    }

    #[test]
    fn a_slot_without_owner_is_not_served_even_if_all_is_down_11_10() {
        let mut lab = formed();
        assert_eq!(said(&mut lab, 0, "CLUSTER DELSLOTS 15495"), OK);
        assert_eq!(said(&mut lab, 0, "GET {a}"), "CLUSTERDOWN Hash slot not served");
        assert_eq!(said(&mut lab, 0, "GET {b}"), "CLUSTERDOWN The cluster is down");
        let crossed = "CROSSSLOT Keys in request don't hash to the same slot";
        assert_eq!(said(&mut lab, 0, "MGET {b} {a}"), crossed);
        assert_eq!(said(&mut lab, 0, "PING"), "PONG");
    }

    #[test]
    fn reads_can_be_allowed_when_the_cluster_is_down_11_3() {
        let mut lab = formed();
        lab.ask(0, "SET {b} v");
        lab.ask(0, "CLUSTER DELSLOTS 15495");
        lab.ask(0, "CONFIG SET cluster-allow-reads-when-down yes");
        assert_eq!(said(&mut lab, 0, "GET {b}"), "v");
        let down = "CLUSTERDOWN The cluster is down and only accepts read commands";
        assert_eq!(said(&mut lab, 0, "SET {b} w"), down);
    }

    #[test]
    fn without_full_coverage_the_other_slots_are_served_6_6() {
        let mut lab = formed();
        lab.ask(0, "CONFIG SET cluster-require-full-coverage no");
        lab.ask(0, "CLUSTER DELSLOTS 15495");
        assert_eq!(said(&mut lab, 0, "SET {b} v"), OK);
        assert_eq!(said(&mut lab, 0, "GET {a}"), "CLUSTERDOWN Hash slot not served");
    }

    #[test]
    fn a_missing_key_of_a_migrating_slot_is_asked_for_elsewhere_11_5() {
        let mut lab = formed();
        lab.ask(0, "SET {b}here v");
        open_slot(&mut lab);
        assert_eq!(said(&mut lab, 0, "GET {b}here"), "v");
        assert_eq!(said(&mut lab, 0, "GET {b}gone"), "ASK 3300 10.0.0.2:7000");
        // 6.2.3 does not say TRYAGAIN when only some keys are missing.
        assert_eq!(said(&mut lab, 0, "MGET {b}here {b}gone"), "ASK 3300 10.0.0.2:7000");
        assert_eq!(said(&mut lab, 2, "GET {b}gone"), "MOVED 3300 10.0.0.1:7000");
    }

    #[test]
    fn an_importing_slot_is_served_to_those_who_ask_11_6() {
        let mut lab = formed();
        open_slot(&mut lab);
        assert_eq!(said(&mut lab, 1, "SET {b}1 v"), "MOVED 3300 10.0.0.1:7000");
        assert_eq!(said(&mut lab, 1, "ASKING"), OK);
        assert_eq!(said(&mut lab, 1, "SET {b}1 v"), OK);
        assert_eq!(said(&mut lab, 1, "GET {b}1"), "MOVED 3300 10.0.0.1:7000");
        lab.ask(1, "ASKING");
        let again = "TRYAGAIN Multiple keys request during rehashing of slot";
        assert_eq!(said(&mut lab, 1, "MGET {b}1 {b}2"), again);
        lab.ask(1, "ASKING");
        assert_eq!(said(&mut lab, 1, "GET {b}2"), "Nil");
    }

    #[test]
    fn asking_holds_for_one_command_or_a_whole_transaction_11_11() {
        let mut lab = formed();
        open_slot(&mut lab);
        lab.ask(1, "ASKING");
        lab.ask(1, "PING");
        assert_eq!(said(&mut lab, 1, "GET {b}"), "MOVED 3300 10.0.0.1:7000");
        lab.ask(1, "MULTI");
        lab.ask(1, "ASKING");
        lab.ask(1, "DISCARD");
        lab.ask(1, "ASKING");
        lab.ask(1, "MULTI");
        assert_eq!(said(&mut lab, 1, "SET {b} v"), "QUEUED");
        assert_eq!(said(&mut lab, 1, "SET {b} w"), "QUEUED");
        assert_eq!(lab.ask(1, "EXEC"), Reply::Array(vec![Reply::ok(), Reply::ok()]));
    }

    #[test]
    fn a_replica_serves_reads_to_those_who_said_readonly_11_7() {
        let mut lab = formed();
        assert_eq!(said(&mut lab, 3, "GET {b}"), "MOVED 3300 10.0.0.1:7000");
        assert_eq!(said(&mut lab, 3, "READONLY"), OK);
        assert_eq!(said(&mut lab, 3, "GET {b}"), "Nil");
        assert_eq!(said(&mut lab, 3, "SET {b} v"), "MOVED 3300 10.0.0.1:7000");
        assert_eq!(said(&mut lab, 3, "GET {a}"), "MOVED 15495 10.0.0.3:7000");
        lab.ask(3, "READWRITE");
        assert_eq!(said(&mut lab, 3, "GET {b}"), "MOVED 3300 10.0.0.1:7000");
    }

    #[test]
    fn a_write_in_a_transaction_moves_the_whole_of_it_11_9() {
        let mut lab = formed();
        lab.ask(3, "READONLY");
        lab.ask(3, "MULTI");
        assert_eq!(said(&mut lab, 3, "GET {b}"), "QUEUED");
        assert_eq!(said(&mut lab, 3, "SET {b} v"), "MOVED 3300 10.0.0.1:7000");
        let aborted = "EXECABORT Transaction discarded because of previous errors.";
        assert_eq!(said(&mut lab, 3, "EXEC"), aborted);
        assert_eq!(said(&mut lab, 3, "EXEC"), "ERR EXEC without MULTI");
    }

    #[test]
    fn exec_is_redirected_if_the_slot_has_gone_meanwhile_11_9() {
        let mut lab = formed();
        lab.ask(0, "MULTI");
        lab.ask(0, "SET {b} v");
        let (owner, to) = (lab.peer(0, 0), lab.peer(0, 1));
        lab.act(0, |node, _| {
            assert_eq!(node.bus.slots.owner(slot(3_300)), Some(owner));
            node.bus.del_slot(slot(3_300));
            node.bus.add_slot(slot(3_300), to);
        });
        assert_eq!(said(&mut lab, 0, "EXEC"), "MOVED 3300 10.0.0.2:7000");
        assert!(lab.node(0).clients.get(CLIENT).unwrap().transaction.is_none());
    }

    #[test]
    fn a_write_without_keys_is_refused_by_a_replica_11_12() {
        let mut lab = formed();
        let refusal = "READONLY You can't write against a read only replica.";
        assert_eq!(said(&mut lab, 3, "FLUSHALL"), refusal);
        lab.ask(3, "MULTI");
        assert_eq!(said(&mut lab, 3, "FLUSHALL"), refusal);
        let aborted = "EXECABORT Transaction discarded because of previous errors.";
        assert_eq!(said(&mut lab, 3, "EXEC"), aborted);
    }

    #[test]
    fn min_replicas_guard_writes_only() {
        let mut lab = formed();
        lab.ask(0, "CONFIG SET min-replicas-to-write 1");
        assert_eq!(said(&mut lab, 0, "SET {b} v"), OK, "it has one");
        lab.ask(1, "CONFIG SET min-replicas-to-write 1");
        let refusal = "NOREPLICAS Not enough good replicas to write.";
        assert_eq!(said(&mut lab, 1, "SET k v"), refusal);
        assert_eq!(said(&mut lab, 1, "GET k"), "Nil");
    }

    #[test]
    fn a_redirection_comes_before_every_other_check_11_1() {
        let mut lab = formed();
        let moved = "MOVED 3300 10.0.0.1:7000";
        assert_eq!(said(&mut lab, 3, "SET {b} v"), moved, "not READONLY");
        lab.ask(1, "CONFIG SET min-replicas-to-write 3");
        assert!(said(&mut lab, 1, "FLUSHALL").starts_with("NOREPLICAS"));
        assert_eq!(said(&mut lab, 1, "SET {b} v"), moved, "not NOREPLICAS");
        lab.ask(1, "CLIENT PAUSE 100000 WRITE");
        assert_eq!(said(&mut lab, 1, "SET {b} v"), moved, "and not later");
        assert_eq!(said(&mut lab, 1, "PING"), "PONG", "what has no keys is served anywhere");
    }

    #[test]
    fn migrate_is_served_on_an_open_slot_11_4() {
        let mut lab = formed();
        let there = "MIGRATE 10.0.0.2 7000 {b}gone 0 1000";
        let back = "MIGRATE 10.0.0.1 7000 {b}gone 0 1000";
        assert_eq!(said(&mut lab, 1, back), "MOVED 3300 10.0.0.1:7000");
        open_slot(&mut lab);
        assert_eq!(said(&mut lab, 0, "GET {b}gone"), "ASK 3300 10.0.0.2:7000");
        assert_eq!(said(&mut lab, 0, there), "NOKEY");
        assert_eq!(said(&mut lab, 1, "GET {b}gone"), "MOVED 3300 10.0.0.1:7000");
        assert_eq!(said(&mut lab, 1, back), "NOKEY");
    }

    #[test]
    fn there_are_commands_that_a_cluster_refuses_11_15() {
        let mut lab = formed();
        lab.ask(0, "SET {b} v");
        for (words, error) in [
            ("SELECT 1", "ERR SELECT is not allowed in cluster mode"),
            ("MOVE {b} 1", "ERR MOVE is not allowed in cluster mode"),
            ("SWAPDB 0 1", "ERR SWAPDB is not allowed in cluster mode"),
            (
                "COPY {b} {b}2 DB 1",
                "ERR Copying to another database is not allowed in cluster mode",
            ),
            ("REPLICAOF NO ONE", "ERR REPLICAOF not allowed in cluster mode."),
            (
                "FAILOVER",
                "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.",
            ),
        ] {
            assert_eq!(said(&mut lab, 0, words), error);
        }
        assert_eq!(said(&mut lab, 0, "SELECT 0"), OK);
    }
}
