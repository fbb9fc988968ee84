//! How strangers become members (§3.8).

use std::sync::Arc;

use crate::id::{Endpoint, NodeId};
use crate::node::bus::Bus;
use crate::node::effect::Ctx;
use crate::node::flags::Flags;

impl Bus {
    /// Begins to meet whoever listens at an address, unless that is under way already. Returns
    /// whether it began (§3.8.1). The plaintext port does not count for the comparison.
    pub fn start_handshake(&mut self, ctx: &mut Ctx<'_>, to: Endpoint) -> bool {
        let under_way = self.table.census().handshakes > 0
            && self.table.order().iter().any(|&ix| {
                let known = ctx.ids.endpoint(self.table.endpoint(ix));
                self.table.flags(ix).any(Flags::HANDSHAKE)
                    && (known.ip, known.port, known.cport) == (to.ip, to.port, to.cport)
            });
        if under_way {
            return false;
        }
        let temporary = NodeId::random(&mut self.identity_draws);
        let node = ctx.ids.intern(temporary);
        let endpoint = ctx.ids.intern_endpoint(to);
        let flags = Flags::HANDSHAKE | Flags::MEET;
        let none = Arc::clone(&self.no_slots);
        self.table.insert(ctx.ids, node, flags, endpoint, ctx.now.millis(), none);
        true
    }
}
