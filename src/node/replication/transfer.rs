//! A replica's part in a full synchronization: the master's data set arrives, and is loaded (A.9).

use std::sync::Arc;

use crate::node::Node;
use crate::node::config::DisklessLoad;
use crate::node::dump::Dump;
use crate::node::effect::{Ctx, LinkId, Notice};
use crate::node::log::Level;
use crate::node::replication::message::{Position, ReplMessage};
use crate::node::replication::upstream::Upstream;

impl Node {
    /// A message from the master while its data set is awaited or on its way.
    pub(super) fn transfer_message(
        &mut self,
        ctx: &mut Ctx<'_>,
        link: LinkId,
        message: ReplMessage,
    ) {
        let Upstream::Transfer { goal, size, read, .. } = &mut self.replication.upstream else {
            return;
        };
        let goal = *goal;
        match message {
            ReplMessage::DumpSize(bytes) => {
                *size = Some(bytes);
                let text = format!("receiving {bytes} bytes from master");
                self.tell_of_transfer(ctx, &text);
            }
            ReplMessage::DumpBegins(dump) => {
                *size = Some(0);
                self.tell_of_transfer(ctx, "receiving streamed RDB from master with EOF");
                if self.loads_from_connection() {
                    self.load_from_master(ctx, (link, goal), dump, Some(0));
                }
            }
            ReplMessage::DumpPart(dump, part) => {
                *read += dump.part(part).bytes;
                if self.loads_from_connection() {
                    self.load_from_master(ctx, (link, goal), dump, Some(part + 1));
                } else if dump.is_last(part) {
                    self.load_from_master(ctx, (link, goal), dump, None);
                }
            }
            _ => {}
        }
    }

    fn tell_of_transfer(&self, ctx: &mut Ctx<'_>, what: &str) {
        let to = if self.loads_from_connection() { "to parser" } else { "to disk" };
        self.log(ctx, Level::Notice, format_args!("MASTER <-> REPLICA sync: {what} {to}"));
    }

    /// Whether the data set is loaded while it arrives, without a file in between.
    fn loads_from_connection(&self) -> bool {
        match self.config.repl_diskless_load {
            DisklessLoad::Disabled => false,
            DisklessLoad::OnEmptyDb => self.keys.is_empty(),
            DisklessLoad::SwapDb => true,
        }
    }

    /// The data set takes the place of my keys: from a file, or so many parts of it have arrived.
    fn load_from_master(
        &mut self,
        ctx: &mut Ctx<'_>,
        place: (LinkId, Position),
        dump: Arc<Dump>,
        arrived: Option<usize>,
    ) {
        self.log(ctx, Level::Notice, format_args!("MASTER <-> REPLICA sync: Flushing old data"));
        self.kill_rewrite(ctx);
        self.log(ctx, Level::Notice, format_args!("MASTER <-> REPLICA sync: Loading DB in memory"));
        if arrived.is_none() {
            self.kill_save_before_load(ctx);
            self.server.storage.file = Some(Arc::clone(&dump));
        }
        self.load_for_master(ctx, place, dump, arrived);
    }

    /// My keys are those of my master's data set now.
    pub(crate) fn synchronized(&mut self, ctx: &mut Ctx<'_>, link: LinkId, goal: Position) {
        ctx.out.notice(Notice::Loaded);
        if self.replication.upstream.link() != Some(link) {
            // I have been told to follow somebody else meanwhile.
            return;
        }
        let marked = self.replication.upstream.is_marked_transfer();
        let last_io = self.unix_now();
        let size = self.config.repl_backlog_size;
        let master_client = self.clients.register(last_io);
        let replication = &mut self.replication;
        replication.master_client = master_client;
        replication.upstream = Upstream::Connected { link, last_io, known: goal };
        replication.down_since = 0;
        replication.history.adopt(goal);
        replication.history.remember(size);
        self.log(
            ctx,
            Level::Notice,
            format_args!("MASTER <-> REPLICA sync: Finished with success"),
        );
        if marked {
            // The master sends nothing after the mark before it hears that the end was found.
            self.acknowledge(ctx, link);
        }
        if self.config.appendonly {
            self.rewrite_append_only_file(ctx);
        }
    }
}
