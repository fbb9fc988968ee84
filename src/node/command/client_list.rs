//! CLIENT LIST, INFO and KILL: every connection to clients, replicas and the master, one line each.

use crate::node::Node;
use crate::node::client::{Client, Registration};
use crate::node::command::error::{Answer, integer, text};
use crate::node::command::{Call, CommandError, Outcome};
use crate::node::effect::{Effect, LinkId};
use crate::node::replication::downstream::{Caller, Replica};
use crate::node::replication::upstream::Upstream;
use crate::resp::Reply;

/// What is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Pubsub,
    Replica,
    Master,
}

impl Kind {
    fn parse(word: &[u8]) -> Result<Kind, CommandError> {
        let kinds = [
            ("normal", Kind::Normal),
            ("slave", Kind::Replica),
            ("replica", Kind::Replica),
            ("pubsub", Kind::Pubsub),
            ("master", Kind::Master),
        ];
        let known = kinds.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        known
            .map(|(_, kind)| *kind)
            .ok_or_else(|| CommandError::err(format_args!("Unknown client type '{}'", text(word))))
    }
}

/// A connection as the list shows it. Sizes of buffers are not modelled.
struct Line<'n> {
    link: LinkId,
    kind: Kind,
    registration: Registration,
    /// When anything last passed, in Unix seconds.
    last_seen: i64,
    /// The other end.
    address: String,
    /// The own end.
    local_address: String,
    /// What a client has said of itself and asked for.
    client: Option<&'n Client>,
}

impl Line<'_> {
    /// Whether it is a user's: what comes from the master may do everything.
    fn has_user(&self) -> bool {
        self.kind != Kind::Master
    }

    fn flags(&self) -> String {
        let client = self.client;
        let is = |what: fn(&Client) -> bool| client.is_some_and(what);
        let flags: String = [
            (self.kind == Kind::Replica, 'S'),
            (self.kind == Kind::Master, 'M'),
            (is(|client| client.subscriptions() > 0), 'P'),
            (is(|client| client.transaction.is_some()), 'x'),
            (is(|client| client.block.is_some()), 'b'),
            (is(|client| client.touched), 'd'),
            (is(|client| client.readonly), 'r'),
        ]
        .iter()
        .filter(|(set, _)| *set)
        .map(|(_, flag)| *flag)
        .collect();
        if flags.is_empty() { "N".to_owned() } else { flags }
    }

    fn describe(&self, now: i64) -> String {
        let Registration { id, since, last_command } = self.registration;
        let client = self.client;
        let transaction = client.and_then(|client| client.transaction.as_ref());
        format!(
            "id={id} addr={} laddr={} fd=8 name={} age={} idle={} flags={} db=0 sub={} psub={} \
             multi={} qbuf=0 qbuf-free=0 argv-mem=0 obl=0 oll=0 omem=0 tot-mem=0 events=r \
             cmd={last_command} user={} redir=-1\n",
            self.address,
            self.local_address,
            text(client.and_then(|client| client.name.as_deref()).unwrap_or_default()),
            now - since,
            now - self.last_seen,
            self.flags(),
            client.map_or(0, |client| client.channels.len()),
            client.map_or(0, |client| client.patterns.len()),
            transaction.map_or(-1, |transaction| transaction.queue.len() as i64),
            if self.has_user() { "default" } else { "(superuser)" },
        )
    }
}

/// The port that the opener of a connection seems to have. A node learns only the number of the
/// connection, so it is made from that.
fn ephemeral_port(link: LinkId) -> usize {
    /// Where Linux begins to take ports from by itself.
    const EPHEMERAL: usize = 32_768;
    const PORTS: usize = 28_232;
    EPHEMERAL + link.connection() % PORTS
}

/// The address that a client seems to come from.
pub(super) fn client_address(link: LinkId) -> String {
    format!("127.0.0.1:{}", ephemeral_port(link))
}

/// All connections, in the order in which they were made.
fn lines(node: &Node) -> Vec<Line<'_>> {
    let replication = &node.replication;
    let clients = node.clients.iter().map(|(link, client)| of_client(node, link, client));
    let callers = replication.callers.iter().map(|(link, caller)| of_caller(node, *link, caller));
    let replicas = replication.replicas.iter().filter(|replica| !replica.is_client);
    let replicas = replicas.map(|replica| of_replica(node, replica));
    let mut lines: Vec<Line<'_>> =
        clients.chain(callers).chain(replicas).chain(of_master(node)).collect();
    lines.sort_by_key(|line| line.registration.id);
    lines
}

fn own_address(node: &Node) -> String {
    format!("{}:{}", node.process.ip, node.config.port)
}

fn of_client<'n>(node: &Node, link: LinkId, client: &'n Client) -> Line<'n> {
    let kind = if node.replication.replica(link).is_some() {
        Kind::Replica
    } else if client.subscriptions() > 0 {
        Kind::Pubsub
    } else {
        Kind::Normal
    };
    Line {
        link,
        kind,
        registration: client.registration,
        last_seen: client.last_seen,
        address: client_address(link),
        local_address: own_address(node),
        client: Some(client),
    }
}

fn of_caller<'n>(node: &Node, link: LinkId, caller: &Caller) -> Line<'n> {
    Line {
        link,
        kind: Kind::Normal,
        registration: caller.registration,
        last_seen: caller.registration.since,
        address: format!("{}:{}", caller.ip, ephemeral_port(link)),
        local_address: own_address(node),
        client: None,
    }
}

fn of_replica<'n>(node: &Node, replica: &Replica) -> Line<'n> {
    Line {
        link: replica.link,
        kind: Kind::Replica,
        registration: replica.registration,
        last_seen: replica.ack_time,
        address: format!("{}:{}", replica.ip, ephemeral_port(replica.link)),
        local_address: own_address(node),
        client: None,
    }
}

/// The master becomes a client when its stream is followed.
fn of_master<'n>(node: &Node) -> Option<Line<'n>> {
    let Upstream::Connected { link, last_io, .. } = node.replication.upstream else { return None };
    let master = node.replication.master?;
    Some(Line {
        link,
        kind: Kind::Master,
        registration: node.replication.master_client,
        last_seen: last_io,
        address: format!("{}:{}", master.ip_text(), master.port),
        local_address: format!("{}:{}", node.process.ip, ephemeral_port(link)),
        client: None,
    })
}

fn text_of_all(call: &Call<'_, '_>, wanted: impl Fn(&Line<'_>) -> bool) -> String {
    let now = call.ctx.now.secs();
    let wanted = lines(call.node).into_iter().filter(wanted);
    wanted.map(|line| line.describe(now)).collect()
}

fn describe_all(call: &Call<'_, '_>, wanted: impl Fn(&Line<'_>) -> bool) -> Reply {
    Reply::bulk(text_of_all(call, wanted))
}

/// The line of the client that says the command.
pub(super) fn own_line(call: &Call<'_, '_>) -> String {
    text_of_all(call, |line| line.link == call.client)
}

/// CLIENT INFO
pub(super) fn info(call: &Call<'_, '_>) -> Reply {
    Reply::bulk(own_line(call))
}

/// `CLIENT LIST [TYPE type|ID id …]`
pub(super) fn list(call: &Call<'_, '_>) -> Answer {
    match call.args {
        [_, _] => Ok(describe_all(call, |_| true)),
        [_, _, keyword, kind] if keyword.eq_ignore_ascii_case(b"type") => {
            let kind = Kind::parse(kind)?;
            Ok(describe_all(call, |line| line.kind == kind))
        }
        [_, _, keyword, ids @ ..] if keyword.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
            let ids: Vec<i64> = ids
                .iter()
                .map(|id| integer(id).map_err(|_| CommandError::err("Invalid client ID")))
                .collect::<Result<_, _>>()?;
            Ok(describe_all(call, |line| ids.contains(&(line.registration.id as i64))))
        }
        _ => Err(CommandError::SYNTAX),
    }
}

/// Which connections CLIENT KILL closes.
#[derive(Debug, Default)]
struct Victims {
    address: Option<String>,
    local_address: Option<String>,
    id: Option<u64>,
    kind: Option<Kind>,
    /// Whether only those of users are meant.
    of_users: bool,
    /// Whether the one who says it is spared.
    spare_me: bool,
}

impl Victims {
    fn read(call: &Call<'_, '_>) -> Result<Victims, CommandError> {
        if let [_, _, address] = call.args {
            return Ok(Victims { address: Some(text(address).into_owned()), ..Victims::default() });
        }
        let mut victims = Victims { spare_me: true, ..Victims::default() };
        let options = &call.args[2..];
        if options.is_empty() || !options.len().is_multiple_of(2) {
            return Err(CommandError::SYNTAX);
        }
        for pair in options.chunks_exact(2) {
            let value = &pair[1];
            match text(&pair[0]).to_ascii_lowercase().as_str() {
                "id" => victims.id = Some(integer(value)? as u64),
                "type" => victims.kind = Some(Kind::parse(value)?),
                "addr" => victims.address = Some(text(value).into_owned()),
                "laddr" => victims.local_address = Some(text(value).into_owned()),
                "user" if value == b"default" => victims.of_users = true,
                "user" => {
                    return Err(CommandError::err(format_args!("No such user '{}'", text(value))));
                }
                "skipme" if value.eq_ignore_ascii_case(b"yes") => victims.spare_me = true,
                "skipme" if value.eq_ignore_ascii_case(b"no") => victims.spare_me = false,
                _ => return Err(CommandError::SYNTAX),
            }
        }
        Ok(victims)
    }

    fn include(&self, line: &Line<'_>, me: LinkId) -> bool {
        self.address.as_ref().is_none_or(|wanted| *wanted == line.address)
            && self.local_address.as_ref().is_none_or(|wanted| *wanted == line.local_address)
            && self.id.is_none_or(|id| id == 0 || id == line.registration.id)
            && self.kind.is_none_or(|kind| kind == line.kind)
            && (!self.of_users || line.has_user())
            && !(self.spare_me && line.link == me)
    }
}

/// CLIENT KILL address, or CLIENT KILL option value …
pub(super) fn kill(call: &mut Call<'_, '_>) -> Outcome {
    let victims = match Victims::read(call) {
        Ok(victims) => victims,
        Err(error) => return Outcome::Reply(error.into()),
    };
    let mut doomed = Vec::new();
    for line in lines(call.node) {
        if victims.include(&line, call.client) {
            doomed.push((line.link, line.kind, line.client.is_some()));
        }
    }
    for &(link, kind, is_client) in doomed.iter().filter(|(link, ..)| *link != call.client) {
        match kind {
            Kind::Master => call.node.drop_master(call.ctx),
            _ if is_client => {
                call.node.clients.leave(link);
                call.node.replica_gone(call.ctx, link);
                call.ctx.out.effects.push(Effect::CloseClient(link));
            }
            _ => call.node.drop_replica(call.ctx, link),
        }
    }
    let reply = match (call.args.len(), doomed.is_empty()) {
        (3, true) => CommandError::err("No such client").into(),
        (3, false) => Reply::ok(),
        _ => Reply::Int(doomed.len() as i64),
    };
    match doomed.iter().any(|(link, ..)| *link == call.client) {
        true => Outcome::Farewell(reply),
        false => Outcome::Reply(reply),
    }
}

#[cfg(test)]
mod tests {
    use crate::node::lab::{CLIENT, Lab};
    use crate::resp::Reply;

    /// A master and its replica, which has got the data set, and a client at each.
    fn replicated() -> Lab {
        let mut lab = Lab::formed(1, 1, 15_000);
        for node in 0..2 {
            assert_eq!(lab.ask(node, "PING"), Reply::Status("PONG".to_owned()));
        }
        lab.run_until(10_000, |lab| lab.node(1).replication.upstream.is_connected());
        lab.run(1_500);
        lab
    }

    fn list(lab: &mut Lab, node: usize, how: &str) -> Vec<String> {
        let reply = lab.ask(node, &format!("CLIENT LIST{how}"));
        reply.text().unwrap().lines().map(str::to_owned).collect()
    }

    fn field<'l>(line: &'l str, name: &str) -> &'l str {
        let found = line.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name}: {line}"))
    }

    #[test]
    fn both_ends_of_a_replication_link_are_listed() {
        let mut lab = replicated();
        let (at_master, at_replica) = (list(&mut lab, 0, ""), list(&mut lab, 1, ""));
        assert_eq!((at_master.len(), at_replica.len()), (2, 2));
        let fields = |line: &str| ["flags", "cmd", "user"].map(|name| field(line, name).to_owned());
        let replica = list(&mut lab, 0, " TYPE replica").remove(0);
        assert_eq!(fields(&replica), ["S", "replconf", "default"]);
        let master = list(&mut lab, 1, " TYPE master").remove(0);
        assert_eq!(fields(&master), ["M", "NULL", "(superuser)"]);
        assert_eq!(field(&replica, "addr"), field(&master, "laddr"));
        assert_eq!(field(&replica, "laddr"), "10.0.0.1:7000");
        assert_eq!(field(&master, "addr"), "10.0.0.1:7000");
        for (node, kind) in [(0, "master"), (1, "slave"), (0, "pubsub")] {
            assert!(list(&mut lab, node, &format!(" TYPE {kind}")).is_empty(), "{kind}");
        }
        for node in 0..2 {
            let normal = list(&mut lab, node, " TYPE normal");
            assert_eq!(fields(&normal[0]), ["N", "client", "default"]);
            assert_eq!(normal.len(), 1);
        }
    }

    #[test]
    fn the_last_command_of_a_master_is_that_of_its_stream() {
        let mut lab = replicated();
        // A master that has just started waits before it serves its slots.
        lab.run(3_000);
        assert_eq!(lab.ask(0, "SET key value"), Reply::ok());
        assert_eq!(field(&list(&mut lab, 1, " TYPE master")[0], "cmd"), "set");
    }

    #[test]
    fn the_first_client_has_the_id_3() {
        let mut lab = Lab::alone(1);
        assert_eq!(lab.ask(0, "CLIENT ID"), Reply::Int(3));
        assert_eq!(list(&mut lab, 0, " ID 3 4").len(), 1);
    }

    #[test]
    fn a_replication_link_is_killed_by_its_address_or_id() {
        let mut lab = replicated();
        for (node, kind) in [(0, "replica"), (1, "master")] {
            let line = list(&mut lab, node, &format!(" TYPE {kind}")).remove(0);
            let kill = format!("CLIENT KILL {}", field(&line, "addr"));
            let before = lab.node(0).server.stats.sync_partial;
            assert_eq!(lab.ask(node, &kill), Reply::ok(), "{kind}");
            assert_eq!(lab.node(0).server.stats.sync_partial, before + 1, "it comes again");
            let line = list(&mut lab, node, &format!(" TYPE {kind}")).remove(0);
            let kill = format!("CLIENT KILL ID {}", field(&line, "id"));
            assert_eq!(lab.ask(node, &kill), Reply::Int(1), "{kind}");
            assert_eq!(lab.node(0).server.stats.sync_partial, before + 2, "it comes again");
        }
        let kill = "CLIENT KILL USER default LADDR 10.0.0.2:7000";
        assert_eq!(lab.ask(1, kill), Reply::Int(0), "the master's is no user's");
    }

    #[test]
    fn a_master_that_is_followed_again_keeps_its_id() {
        let mut lab = replicated();
        let id = |lab: &mut Lab| {
            let line = list(lab, 1, " TYPE master").remove(0);
            field(&line, "id").to_owned()
        };
        let before = id(&mut lab);
        lab.act(1, |node, ctx| node.drop_master(ctx));
        assert_eq!(id(&mut lab), before);
        let info = lab.ask_as(1, CLIENT, vec![b"CLIENT".to_vec(), b"INFO".to_vec()]);
        assert!(info.text().unwrap().contains(" flags=N "));
    }
}
