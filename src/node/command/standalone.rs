//! What only a plain server may be told, and a node of a cluster refuses (§11.15): whom it replicates, and
//! what has to do with other databases than the first, which are always empty here.

use crate::id::Endpoint;
use crate::node::command::client_list::own_line;
use crate::node::command::error::{self, Answer, integer, text};
use crate::node::command::{Call, CommandError};
use crate::node::log::Level;
use crate::resp::Reply;

/// `REPLICAOF host port` and `REPLICAOF NO ONE`; SLAVEOF is the same.
pub(super) fn replicaof(call: &mut Call<'_, '_>) -> Answer {
    if call.node.in_cluster_mode() {
        return Err(CommandError::fixed("ERR REPLICAOF not allowed in cluster mode."));
    }
    let who = own_line(call);
    let who = who.trim_end();
    if call.is(1, "no") && call.is(2, "one") {
        if call.node.replication.master.is_some() {
            call.node.unfollow(call.ctx);
            let line = format_args!("MASTER MODE enabled (user request from '{who}')");
            call.node.log(call.ctx, Level::Notice, line);
        }
        return Ok(Reply::ok());
    }
    let master = master(call)?;
    if call.node.replication.master == Some(master) {
        let line = format_args!(
            "REPLICAOF would result into synchronization with the master we are already connected \
             with. No operation performed."
        );
        call.node.log(call.ctx, Level::Notice, line);
        return Ok(Reply::Status("OK Already connected to specified master".to_owned()));
    }
    call.node.follow(call.ctx, master);
    let (ip, port) = (master.ip_text(), master.port);
    let line = format_args!("REPLICAOF {ip}:{port} enabled (user request from '{who}')");
    call.node.log(call.ctx, Level::Notice, line);
    Ok(Reply::ok())
}

/// The address that the words of REPLICAOF are. There are no names here.
fn master(call: &Call<'_, '_>) -> Result<Endpoint, CommandError> {
    let (host, port) = (text(call.word(1)), integer(call.word(2))?);
    match (host.parse(), u16::try_from(port)) {
        (Ok(ip), Ok(port)) => Ok(Endpoint { ip: Some(ip), port, cport: 0, pport: 0 }),
        _ => Err(CommandError::err(format_args!("'{host}:{port}' is no address here"))),
    }
}

/// FAILOVER: of a plain server it is not modelled beyond its refusals.
pub(super) fn failover(call: &mut Call<'_, '_>) -> Answer {
    if call.node.in_cluster_mode() {
        return Err(CommandError::fixed(
            "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.",
        ));
    }
    Err(CommandError::not_modelled(call.spec))
}

/// MOVE key database
pub(super) fn move_key(call: &mut Call<'_, '_>) -> Answer {
    if call.node.in_cluster_mode() {
        return Err(CommandError::fixed("ERR MOVE is not allowed in cluster mode"));
    }
    if error::is_first_database(error::database(call.word(2))?)? {
        return Err(CommandError::SAME_OBJECT);
    }
    match call.exists(call.word(1)) {
        true => Err(CommandError::OTHER_DATABASE),
        false => Ok(Reply::Int(0)),
    }
}

/// SWAPDB database database
pub(super) fn swapdb(call: &mut Call<'_, '_>) -> Answer {
    if call.node.in_cluster_mode() {
        return Err(CommandError::fixed("ERR SWAPDB is not allowed in cluster mode"));
    }
    let number = |at, which| {
        error::database(call.word(at))
            .map_err(|_| CommandError::err(format_args!("invalid {which} DB index")))
    };
    let (one, other) = (number(1, "first")?, number(2, "second")?);
    match (error::is_first_database(one)?, error::is_first_database(other)?) {
        // The keys would go elsewhere.
        (first, second) if first != second && !call.node.keys.is_empty() => {
            Err(CommandError::OTHER_DATABASE)
        }
        _ => Ok(Reply::ok()),
    }
}

#[cfg(test)]
mod tests {
    use crate::node::config::{Config, Mode};
    use crate::node::lab::Lab;
    use crate::node::process::Disk;
    use crate::resp::Reply;

    const ELSEWHERE: &str = "ERR databases other than 0 are not modelled here";

    fn plain(count: usize) -> Lab {
        let config = Config { mode: Mode::Standalone, ..Config::default() };
        Lab::start(count, |_| Disk::default(), config)
    }

    #[test]
    fn nothing_is_put_where_it_would_not_be_found_again() {
        let mut lab = plain(1);
        lab.ask(0, "SET a 1");
        for words in ["SELECT 1", "MOVE a 1", "SWAPDB 0 1", "SWAPDB 2 0", "COPY a b DB 15"] {
            assert_eq!(lab.ask(0, words), Reply::Error(ELSEWHERE.to_owned()), "{words}");
        }
        assert_eq!(lab.ask(0, "GET a"), Reply::bulk("1"));
        lab.ask(0, "FLUSHALL");
        assert_eq!(lab.ask(0, "SWAPDB 0 1"), Reply::ok(), "two empty ones");
    }

    #[test]
    fn there_are_no_slots_in_a_plain_server() {
        let mut lab = plain(1);
        assert_eq!(lab.ask(0, "MSET a 1 b 2"), Reply::ok(), "neither CROSSSLOT nor CLUSTERDOWN");
        assert_eq!(lab.ask(0, "EXISTS a b"), Reply::Int(2));
        let Reply::Bulk(info) = lab.ask(0, "INFO") else { panic!("a text") };
        let info = String::from_utf8(info).unwrap();
        for line in ["redis_mode:standalone", "cluster_enabled:0", "cluster_connections:0"] {
            assert!(info.lines().any(|one| one == line), "{line}");
        }
    }

    #[test]
    fn a_plain_server_follows_whom_it_is_told_to_a5_a6() {
        let mut lab = plain(2);
        lab.ask(0, "SET a 1");
        assert_eq!(lab.ask(1, "REPLICAOF 10.0.0.1 7000"), Reply::ok());
        lab.run(3_000);
        assert_eq!(lab.ask(1, "GET a"), Reply::bulk("1"));
        lab.ask(0, "SET b 2");
        assert_eq!(lab.ask(1, "GET b"), Reply::bulk("2"));
        let enabled = |line: &&crate::node::lab::Line| {
            line.text.starts_with("REPLICAOF 10.0.0.1:7000 enabled (user request from 'id=")
        };
        assert_eq!(lab.lines.iter().filter(enabled).count(), 1);
        lab.ask(0, "PEXPIRE a 1");
        lab.run(1_000);
        assert_eq!(lab.ask(1, "DBSIZE"), Reply::Int(1), "the master has said that it is dead");
        let refusal = "READONLY You can't write against a read only replica.";
        assert_eq!(lab.ask(1, "SET b 3"), Reply::Error(refusal.to_owned()));
        assert_eq!(lab.ask(1, "REPLICAOF NO ONE"), Reply::ok());
        assert_eq!(lab.ask(1, "SET b 3"), Reply::ok());
        let said = |line: &crate::node::lab::Line| line.text.starts_with("MASTER MODE enabled");
        assert!(lab.lines.iter().any(said));
    }

    #[test]
    fn there_are_no_host_names() {
        let mut lab = plain(1);
        for (host, port) in [("localhost", "7000"), ("127.0.0.1", "70000")] {
            let refusal = format!("ERR '{host}:{port}' is no address here");
            let words = format!("REPLICAOF {host} {port}");
            assert_eq!(lab.ask(0, &words), Reply::Error(refusal));
        }
        let refusal = "ERR 'failover' is not modelled here";
        assert_eq!(lab.ask(0, "FAILOVER"), Reply::Error(refusal.to_owned()));
    }
}
