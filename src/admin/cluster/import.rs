//! `import`: the keys of a server outside the cluster (cli §15).
//!
//! In 6.2.3 `--cluster-replace` alone asks for a copy, and together with `--cluster-copy` the tool
//! has spoilt its own heap by the time it wants to exit.

use super::load::text_of;
use super::vet::info_field;
use super::{Host, Manager, MemberIx, Stop, split_address};
use crate::admin::host::{Address, Connection};
use crate::admin::numbers::atoi;
use crate::resp::{Args, Reply, args};
use crate::slot::Slot;

/// The exit code of a process that was ended by SIGABRT.
const ABORTED: u8 = 134;

/// The server that the keys come from.
struct Source {
    address: Address,
    connection: Connection,
}

impl<H: Host> Manager<'_, H> {
    /// `import host:port --cluster-from host:port`
    pub(super) async fn import(&mut self, arguments: &[String]) -> Result<(), Stop> {
        let address = self.address_argument(arguments)?;
        let from = self.import_address()?;
        self.info(format_args!(">>> Importing data from {from} to cluster {address}\n"));
        self.load(address).await?;
        self.check_cluster(true).await?;
        let source = self.open_source(from).await?;
        self.import_from(&source).await?;
        self.host.close(source.connection);
        if self.options.copy && self.options.replace {
            self.complain("free(): invalid next size (fast)\n");
            return Err(Stop::exit(ABORTED));
        }
        Ok(())
    }

    fn import_address(&mut self) -> Result<Address, Stop> {
        let Some(from) = &self.options.from else {
            self.complain("[ERR] Option '--cluster-from' is required for subcommand 'import'.\n");
            return Err(Stop::Failed);
        };
        split_address(from).filter(|address| address.port != 0).ok_or_else(|| {
            self.complain(
                "[ERR] Invalid --cluster-from host. You need to pass a valid address (ie. \
                 120.0.0.1:7000).\n",
            );
            Stop::Failed
        })
    }

    async fn open_source(&mut self, address: Address) -> Result<Source, Stop> {
        let connection = match self.host.connect(&address).await {
            Ok(connection) => connection,
            Err(error) => {
                self.complain(format!("Could not connect to Redis at {address}: {error}.\n"));
                return Err(Stop::Failed);
            }
        };
        if let Some(command) = self.options.from_credentials.auth_command() {
            match self.host.call(connection, command).await {
                Ok(Reply::Error(_)) => self.complain("Warning: AUTH failed\n"),
                Ok(_) => {}
                Err(_) => return Err(Stop::Failed),
            }
        }
        Ok(Source { address, connection })
    }

    async fn import_from(&mut self, source: &Source) -> Result<(), Stop> {
        let info = self.ask_source(source, args(["INFO"])).await?;
        if info_field(text_of(&info), "cluster_enabled") != 0 {
            self.error("[ERR] The source node should not be a cluster node.\n");
            return Err(Stop::Failed);
        }
        let size = match self.ask_source(source, args(["DBSIZE"])).await? {
            Reply::Int(size) => size,
            _ => 0,
        };
        self.warn(format_args!("*** Importing {size} keys from DB 0\n"));
        let mut cursor = 0;
        loop {
            let scan = args(["SCAN", &cursor.to_string(), "COUNT", "1000"]);
            let reply = self.ask_source(source, scan).await?;
            let (next, keys) = scanned(&reply).ok_or(Stop::Failed)?;
            for key in keys {
                self.import_key(source, key).await?;
            }
            if next == 0 {
                return Ok(());
            }
            cursor = next;
        }
    }

    async fn import_key(&mut self, source: &Source, key: &[u8]) -> Result<(), Stop> {
        let owner = self.owner_of(Slot::of_key(key)).ok_or(Stop::Failed)?;
        let Address { host, port } = self[owner].address.clone();
        let shown = String::from_utf8_lossy(key);
        self.say(format!("Migrating {shown} to {host}:{port}: "));
        let timeout = self.options.timeout_ms.to_string();
        let mut command = args(["MIGRATE", &host, &port.to_string()]);
        command.push(key.to_vec());
        command.extend(args(["0", &timeout]));
        command.extend(self.credentials.migrate_words());
        command.extend(args(self.import_flags()));
        self.ask_source(source, command).await?;
        self.success("OK\n");
        Ok(())
    }

    /// The first option given is sent as COPY, whichever it is.
    fn import_flags(&self) -> &'static [&'static str] {
        match (self.options.copy, self.options.replace) {
            (false, false) => &[],
            (true, true) => &["COPY", "REPLACE"],
            _ => &["COPY"],
        }
    }

    fn owner_of(&self, slot: Slot) -> Option<MemberIx> {
        self.masters().into_iter().find(|&node| self[node].slots.contains(slot))
    }

    /// Sends a command to the source; an error is printed.
    async fn ask_source(&mut self, source: &Source, command: Args) -> Result<Reply, Stop> {
        match self.host.call(source.connection, command).await {
            Ok(Reply::Error(error)) => {
                let address = &source.address;
                self.error(format_args!("Source {address} replied with error:\n{error}\n"));
                Err(Stop::Failed)
            }
            Ok(reply) => Ok(reply),
            // The real tool tries for ever to reach a server that is not the source but the default
            // address of the command line, and asks that one.
            Err(_) => Err(Stop::Unsupported("--cluster import after its source is gone".into())),
        }
    }
}

/// The next cursor and the keys of a SCAN reply.
fn scanned(reply: &Reply) -> Option<(i32, Vec<&[u8]>)> {
    let Reply::Array(parts) = reply else { return None };
    let [cursor, Reply::Array(keys)] = parts.as_slice() else { return None };
    let keys = keys.iter().filter_map(|key| match key {
        Reply::Bulk(bytes) => Some(bytes.as_slice()),
        _ => None,
    });
    Some((atoi(cursor.text()?), keys.collect()))
}
