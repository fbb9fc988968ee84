//! Who is in the table: adding, renaming and removing nodes (§2.1, §2.5, §3.8.4), and their places in
//! the order (§0.6).

use std::sync::Arc;

use crate::id::{EndpointIx, Ids, NodeIx};
use crate::node::flags::Flags;
use crate::node::table::census::Census;
use crate::node::table::peer::{History, Peer};
use crate::node::table::{Names, PeerIx, Table};
use crate::slot::SlotSet;
use crate::time::Millis;

impl Table {
    /// Adds a node that is not in the table yet (§2.1).
    ///
    /// # Panics
    /// If a node with this id is already there.
    pub fn insert(
        &mut self,
        ids: &Ids,
        node: NodeIx,
        flags: Flags,
        endpoint: EndpointIx,
        now: Millis,
    ) -> PeerIx {
        let ix = self.free.pop().unwrap_or_else(|| PeerIx::nth(self.peers.len()));
        self.names_mut().put(ix, node, endpoint);
        self.place(ids, ix, flags, now);
        ix
    }

    /// Fills an empty table with named nodes that nothing is known of yet.
    ///
    /// # Panics
    /// If the table is not empty.
    pub fn fill(&mut self, ids: &Ids, names: &Arc<Names>, now: Millis) {
        assert!(self.is_empty() && self.free.is_empty(), "only an empty table can be filled");
        self.names = Arc::clone(names);
        self.concise = true;
        for at in 0..names.len() {
            self.place(ids, PeerIx::nth(at), Flags::NONE, now);
        }
    }

    /// The slots of who owns none.
    #[must_use]
    pub fn no_slots(&self) -> Arc<SlotSet> {
        Arc::clone(&self.no_slots)
    }

    /// Puts a named node in its place.
    fn place(&mut self, ids: &Ids, ix: PeerIx, flags: Flags, now: Millis) {
        let at = ix.index();
        let (peer, history) = (Peer::new(self.no_slots()), History::new(now));
        if at == self.peers.len() {
            self.peers.push(peer);
            self.history.push(history);
        } else {
            self.peers[at] = peer;
            self.history[at] = history;
        }
        self.vitals.reset(ix);
        self.put_flags(ix, flags);
        self.census.replace(Census::default(), Census::of(flags, false));
        self.topology += 1;
        self.refresh_calm(ix);
        self.put_in_order(ids, ix);
    }

    fn put_in_order(&mut self, ids: &Ids, ix: PeerIx) {
        if self.order.insert(ix, ids.id(self.node(ix))) {
            for &other in self.order.sequence() {
                self.vitals.set_crowd(other, self.order.bucket(other).count());
            }
        } else {
            self.refresh_crowd(ix);
        }
    }

    fn take_out_of_order(&mut self, ix: PeerIx) {
        self.order.remove(ix);
        self.vitals.set_crowd(ix, 0);
        self.refresh_crowd(ix);
    }

    /// Counts who stands in a bucket, for everybody who stands there.
    fn refresh_crowd(&mut self, bucket_of: PeerIx) {
        let crowd = self.order.bucket(bucket_of).count();
        for ix in self.order.bucket(bucket_of) {
            self.vitals.set_crowd(ix, crowd);
        }
    }

    /// Takes a node out of the table. What points to it is the caller's business (§2.5).
    pub fn remove(&mut self, ix: PeerIx) {
        let census = Census::of(self.flags(ix), self.link(ix).is_some());
        self.census.replace(census, Census::default());
        self.topology += 1;
        self.names_mut().forget(ix);
        self.take_out_of_order(ix);
        self.free.push(ix);
    }

    /// Gives a node its real id (§3.8.4): it is taken out and put in again (§0.6.2).
    ///
    /// # Panics
    /// If a node with the new id is already there.
    pub fn rename(&mut self, ids: &Ids, ix: PeerIx, node: NodeIx) {
        let endpoint = self.endpoint(ix);
        let names = self.names_mut();
        names.forget(ix);
        names.put(ix, node, endpoint);
        self.take_out_of_order(ix);
        self.put_in_order(ids, ix);
    }
}
