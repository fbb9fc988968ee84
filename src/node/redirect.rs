//! Whether this node serves the keys of a command, or who does (§11).
//!
//! Decided from this node's own view of the slots alone; that view may be wrong, and then the client
//! is sent to the wrong node, as in Redis.

use crate::node::Node;
use crate::node::command::{Spec, Traits, transaction};
use crate::node::effect::{Ctx, LinkId};
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

/// Whether a command, or the transaction that it executes, is served here (§11.2).
pub(crate) fn check(
    node: &mut Node,
    client: LinkId,
    spec: &'static Spec,
    args: &[Vec<u8>],
    ctx: &mut Ctx<'_>,
) -> Result<(), Redirect> {
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
    let Some((slot, owner)) = keys.target else { return Ok(()) };
    decide(node, client, spec, &keys, slot, owner)
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
        let key = &args[at];
        let slot = Slot::of_key(key);
        match keys.target {
            None => {
                let owner = node.bus.slots.owner(slot).ok_or(Redirect::NotServed)?;
                keys.target = Some((slot, owner));
                keys.first = key;
                if owner == node.bus.myself {
                    keys.migrating = node.bus.slots.migrating.get(&slot).copied();
                }
                keys.importing =
                    keys.migrating.is_none() && node.bus.slots.importing.contains_key(&slot);
            }
            Some((first, _)) if first != slot => return Err(Redirect::CrossSlot),
            // Several keys of one slot; naming one key twice does no harm to what follows.
            Some(_) => keys.multiple |= keys.first != key.as_slice(),
        }
        if keys.migrating.is_some() || keys.importing {
            let dead = node.expire_if_needed(ctx, key);
            keys.missing |= dead || node.keys.get(key).is_none();
        }
    }
    Ok(())
}

/// Who serves, now that slot and owner are known (§11.3-§11.8).
fn decide(
    node: &Node,
    client: LinkId,
    spec: &Spec,
    keys: &Keys<'_>,
    slot: Slot,
    owner: PeerIx,
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
    let (asking, readonly) =
        node.clients.get(client).map_or((false, false), |state| (state.asking, state.readonly));
    if keys.importing && (asking || spec.traits.any(Traits::ASKING)) {
        return if keys.multiple && keys.missing { Err(Redirect::TryAgain) } else { Ok(()) };
    }
    let writes = transaction::traits(node, client, spec).any(Traits::WRITE);
    let mine = owner == node.bus.myself;
    if mine || (readonly && !writes && node.bus.my_master() == Some(owner)) {
        return Ok(());
    }
    Err(Redirect::Moved(slot, owner))
}
