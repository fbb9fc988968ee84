//! Who belongs to the cluster, who replicates whom, and epochs: MEET, FORGET, REPLICATE, FAILOVER,
//! RESET, BUMPEPOCH, SET-CONFIG-EPOCH, SAVECONFIG.

use std::net::IpAddr;

use crate::id::Endpoint;
use crate::node::bus::Todo;
use crate::node::bus::manual_failover::FailoverMode;
use crate::node::command::cluster::known;
use crate::node::command::error::{Answer, text};
use crate::node::command::{Call, CommandError};
use crate::node::log::Level;
use crate::node::number;
use crate::node::packet::Epoch;
use crate::resp::Reply;

/// The bus port is so much higher than the port for clients (§1.1).
const BUS_PORT_OFFSET: i64 = 10_000;

/// `CLUSTER MEET ip port [bus-port]` (§9.2)
pub(super) fn meet(call: &mut Call<'_, '_>) -> Answer {
    let number = |at: usize, which: &str| {
        let argument = call.word(at);
        number::parse(argument).ok_or_else(|| {
            let argument = text(argument);
            CommandError::err(format_args!("Invalid TCP {which} port specified: {argument}"))
        })
    };
    let port = number(3, "base")?;
    let cport = match call.args.len() {
        5 => number(4, "bus")?,
        _ => port.saturating_add(BUS_PORT_OFFSET),
    };
    let Some(to) = endpoint(&text(call.word(2)), port, cport) else {
        return Err(CommandError::err(format_args!(
            "Invalid node address specified: {}:{}",
            text(call.word(2)),
            text(call.word(3))
        )));
    };
    call.node.bus.start_handshake(call.ctx, to);
    Ok(Reply::ok())
}

/// A literal address with usable ports.
fn endpoint(ip: &str, port: i64, cport: i64) -> Option<Endpoint> {
    let usable = |port| u16::try_from(port).ok().filter(|&port| port != 0);
    let ip: IpAddr = ip.parse().ok()?;
    Some(Endpoint { ip: Some(ip), port: usable(port)?, cport: usable(cport)?, pport: 0 })
}

/// CLUSTER BUMPEPOCH (§9.10)
pub(super) fn bump_epoch(call: &mut Call<'_, '_>) -> Answer {
    let bumped = call.node.bump_epoch_without_consensus(call.ctx);
    let bus = &call.node.bus;
    let epoch = bus.table.peer(bus.myself).config_epoch;
    Ok(Reply::Status(format!("{} {epoch}", if bumped { "BUMPED" } else { "STILL" })))
}

/// CLUSTER SAVECONFIG (§9.11)
pub(super) fn save_config(call: &mut Call<'_, '_>) -> Answer {
    call.node.save_config(call.ctx, true);
    Ok(Reply::ok())
}

/// CLUSTER FORGET id (§9.17)
pub(super) fn forget(call: &mut Call<'_, '_>) -> Answer {
    let node = known(call, 2)?;
    let bus = &call.node.bus;
    if node == bus.myself {
        return Err(CommandError::fixed("ERR I tried hard but I can't forget myself..."));
    }
    if bus.my_master() == Some(node) {
        return Err(CommandError::fixed("ERR Can't forget my master!"));
    }
    call.node.forget(call.ctx, node);
    Ok(Reply::ok())
}

/// CLUSTER REPLICATE id (§9.18)
pub(super) fn replicate(call: &mut Call<'_, '_>) -> Answer {
    let master = known(call, 2)?;
    let bus = &call.node.bus;
    if master == bus.myself {
        return Err(CommandError::fixed("ERR Can't replicate myself"));
    }
    if bus.table.flags(master).is_replica() {
        return Err(CommandError::fixed("ERR I can only replicate a master, not a replica."));
    }
    let slots = bus.table.peer(bus.myself).slot_count;
    if bus.is_master() && (slots != 0 || !call.node.keys.is_empty()) {
        return Err(CommandError::fixed(
            "ERR To set a master the node must be empty and without assigned slots.",
        ));
    }
    call.node.set_my_master(call.ctx, master);
    call.node.bus.todo.add(Todo::UPDATE | Todo::SAVE);
    Ok(Reply::ok())
}

/// `CLUSTER FAILOVER [FORCE|TAKEOVER]` (§9.15)
pub(super) fn failover(call: &mut Call<'_, '_>) -> Answer {
    if call.args.len() == 3 && !call.is(2, "force") && !call.is(2, "takeover") {
        return Err(CommandError::SYNTAX);
    }
    let mode = match call.args.len() {
        3 if call.is(2, "takeover") => FailoverMode::Takeover,
        3 => FailoverMode::Force,
        _ => FailoverMode::Agreed,
    };
    Ok(call.node.start_manual_failover(call.ctx, mode))
}

/// CLUSTER SET-CONFIG-EPOCH epoch (§9.16)
pub(super) fn set_config_epoch(call: &mut Call<'_, '_>) -> Answer {
    let number = call.integer(2)?;
    let Ok(epoch) = u64::try_from(number).map(Epoch) else {
        let text = format_args!("Invalid config epoch specified: {number}");
        return Err(CommandError::err(text));
    };
    let bus = &mut call.node.bus;
    if bus.table.len() > 1 {
        return Err(CommandError::fixed(
            "ERR The user can assign a config epoch only when the node does not know any other \
             node.",
        ));
    }
    let mine = &mut bus.table.peer_mut(bus.myself).config_epoch;
    if *mine != Epoch(0) {
        return Err(CommandError::fixed("ERR Node config epoch is already non-zero"));
    }
    *mine = epoch;
    bus.current_epoch = bus.current_epoch.max(epoch);
    bus.todo.add(Todo::UPDATE | Todo::SAVE);
    let text = format_args!("configEpoch set to {epoch} via CLUSTER SET-CONFIG-EPOCH");
    call.node.log(call.ctx, Level::Warning, text);
    Ok(Reply::ok())
}

/// `CLUSTER RESET [HARD|SOFT]` (§9.21)
pub(super) fn reset(call: &mut Call<'_, '_>) -> Answer {
    let hard = match call.args.len() {
        3 if call.is(2, "hard") => true,
        3 if !call.is(2, "soft") => return Err(CommandError::SYNTAX),
        _ => false,
    };
    let was_master = call.node.bus.is_master();
    if was_master && !call.node.keys.is_empty() {
        return Err(CommandError::fixed(
            "ERR CLUSTER RESET can't be called with master nodes containing keys",
        ));
    }
    call.node.reset_cluster(call.ctx, hard);
    if !was_master {
        call.node.keys.clear();
    }
    Ok(Reply::ok())
}
