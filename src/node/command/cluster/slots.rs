//! Who owns which slot, and moving slots: ADDSLOTS, DELSLOTS, FLUSHSLOTS, SETSLOT, and what is in a
//! slot (§9.7-§9.9, §9.12-§9.14).

use std::collections::BTreeSet;

use crate::node::bus::{PongTo, Todo};
use crate::node::command::cluster::{find, known};
use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError};
use crate::node::log::Level;
use crate::node::number;
use crate::node::table::PeerIx;
use crate::resp::Reply;
use crate::slot::Slot;

/// The slot with this number, if there is one.
fn slot(number: i64) -> Option<Slot> {
    u16::try_from(number).ok().and_then(Slot::new)
}

/// A slot as an argument (§9.0.6).
fn parse(argument: &[u8]) -> Result<Slot, CommandError> {
    let number = number::parse(argument);
    number.and_then(slot).ok_or(CommandError::fixed("ERR Invalid or out of range slot"))
}

/// What has changed must be saved and may change the state of the cluster.
fn done(call: &mut Call<'_, '_>) -> Answer {
    call.node.bus.todo.add(Todo::UPDATE | Todo::SAVE);
    Ok(Reply::ok())
}

/// CLUSTER FLUSHSLOTS (§9.7)
pub(super) fn flush(call: &mut Call<'_, '_>) -> Answer {
    if !call.node.keys.is_empty() {
        return Err(CommandError::fixed("ERR DB must be empty to perform CLUSTER FLUSHSLOTS."));
    }
    let me = call.node.bus.myself;
    call.node.bus.del_node_slots(me);
    done(call)
}

/// The slots of ADDSLOTS and DELSLOTS. Nothing is done before all of them are right.
fn listed(call: &Call<'_, '_>, assigned: bool) -> Result<BTreeSet<Slot>, CommandError> {
    let mut slots = BTreeSet::new();
    for argument in &call.args[2..] {
        let slot = parse(argument)?;
        let has_owner = call.node.bus.slots.owner(slot).is_some();
        if has_owner != assigned {
            let state = if assigned { "unassigned" } else { "busy" };
            return Err(CommandError::err(format_args!("Slot {slot} is already {state}")));
        }
        if !slots.insert(slot) {
            let text = format_args!("Slot {slot} specified multiple times");
            return Err(CommandError::err(text));
        }
    }
    Ok(slots)
}

/// CLUSTER ADDSLOTS slot … (§9.8)
pub(super) fn add(call: &mut Call<'_, '_>) -> Answer {
    let me = call.node.bus.myself;
    for slot in listed(call, false)? {
        call.node.bus.slots.importing.remove(&slot);
        call.node.bus.add_slot(slot, me);
    }
    done(call)
}

/// CLUSTER DELSLOTS slot …: whoever owns them, in my view only (§9.8).
pub(super) fn delete(call: &mut Call<'_, '_>) -> Answer {
    for slot in listed(call, true)? {
        call.node.bus.slots.importing.remove(&slot);
        call.node.bus.del_slot(slot);
    }
    done(call)
}

/// CLUSTER SETSLOT slot … (§9.9)
pub(super) fn set(call: &mut Call<'_, '_>) -> Answer {
    if !call.node.bus.is_master() {
        return Err(CommandError::fixed("ERR Please use SETSLOT only with masters."));
    }
    let slot = parse(call.word(2))?;
    let with_id = call.args.len() == 5;
    if call.is(3, "migrating") && with_id {
        migrating(call, slot)?;
    } else if call.is(3, "importing") && with_id {
        importing(call, slot)?;
    } else if call.is(3, "stable") && call.args.len() == 4 {
        call.node.bus.slots.importing.remove(&slot);
        call.node.bus.slots.migrating.remove(&slot);
    } else if call.is(3, "node") && with_id {
        assign(call, slot)?;
    } else {
        return Err(CommandError::fixed(
            "ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
        ));
    }
    done(call)
}

/// The other side of an open slot.
fn other_side(call: &Call<'_, '_>) -> Result<PeerIx, CommandError> {
    find(call, 4).ok_or_else(|| {
        CommandError::err(format_args!("I don't know about node {}", text(call.word(4))))
    })
}

fn migrating(call: &mut Call<'_, '_>, slot: Slot) -> Result<(), CommandError> {
    if call.node.bus.slots.owner(slot) != Some(call.node.bus.myself) {
        return Err(CommandError::err(format_args!("I'm not the owner of hash slot {slot}")));
    }
    let to = other_side(call)?;
    call.node.bus.slots.migrating.insert(slot, to);
    Ok(())
}

fn importing(call: &mut Call<'_, '_>, slot: Slot) -> Result<(), CommandError> {
    if call.node.bus.slots.owner(slot) == Some(call.node.bus.myself) {
        let text = format_args!("I'm already the owner of hash slot {slot}");
        return Err(CommandError::err(text));
    }
    let from = other_side(call)?;
    call.node.bus.slots.importing.insert(slot, from);
    Ok(())
}

/// SETSLOT NODE: a slot gets an owner, whoever had it before (§9.9).
fn assign(call: &mut Call<'_, '_>, slot: Slot) -> Result<(), CommandError> {
    let to = known(call, 4)?;
    let me = call.node.bus.myself;
    let keys = call.node.keys.count_in_slot(slot);
    if call.node.bus.slots.owner(slot) == Some(me) && to != me && keys > 0 {
        return Err(CommandError::err(format_args!(
            "Can't assign hashslot {slot} to a different node while I still hold keys for this \
             hash slot."
        )));
    }
    if keys == 0 {
        call.node.bus.slots.migrating.remove(&slot);
    }
    call.node.bus.del_slot(slot);
    call.node.bus.add_slot(slot, to);
    if to == me && call.node.bus.slots.importing.contains_key(&slot) {
        close_import(call, slot);
    }
    Ok(())
}

/// A slot that I have imported is mine: a new epoch makes everybody believe it.
fn close_import(call: &mut Call<'_, '_>, slot: Slot) {
    if call.node.bump_epoch_without_consensus(call.ctx) {
        let text = format_args!("configEpoch updated after importing slot {slot}");
        call.node.log(call.ctx, Level::Warning, text);
    }
    call.node.bus.slots.importing.remove(&slot);
    call.node.broadcast_pong(call.ctx, PongTo::All);
}

/// CLUSTER KEYSLOT key (§9.12)
pub(super) fn key_slot(call: &mut Call<'_, '_>) -> Answer {
    Ok(Reply::Int(Slot::of_key(call.word(2)).number().into()))
}

/// CLUSTER COUNTKEYSINSLOT slot (§9.13)
pub(super) fn count_keys(call: &mut Call<'_, '_>) -> Answer {
    let slot = slot(call.integer(2)?).ok_or(CommandError::fixed("ERR Invalid slot"))?;
    Ok(Reply::Int(call.node.keys.count_in_slot(slot) as i64))
}

/// CLUSTER GETKEYSINSLOT slot count (§9.14)
pub(super) fn get_keys(call: &mut Call<'_, '_>) -> Answer {
    let (number, count) = (call.integer(2)?, call.integer(3)?);
    let (Some(slot), Ok(count)) = (slot(number), usize::try_from(count)) else {
        return Err(CommandError::fixed("ERR Invalid slot or number of keys"));
    };
    let keys = call.node.keys.keys_in_slot(slot).take(count);
    Ok(Reply::Array(keys.map(Reply::bulk).collect()))
}
