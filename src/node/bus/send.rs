//! Building and sending messages (§4).

use crate::node::Node;
use crate::node::effect::Ctx;

/// Who gets a PONG that nobody asked for (§4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PongTo {
    /// Everybody.
    All,
    /// My replicas, or my master's other replicas.
    LocalReplicas,
}

impl Node {
    /// Sends a PONG to everybody concerned (§4.5).
    pub(crate) fn broadcast_pong(&mut self, ctx: &mut Ctx<'_>, to: PongTo) {
        let _ = (ctx, to);
        todo!("follows")
    }

    /// Sends a published message to everybody (§4.7).
    pub(crate) fn broadcast_publish(&mut self, ctx: &mut Ctx<'_>, channel: &[u8], message: &[u8]) {
        let _ = (ctx, channel, message);
        todo!("follows")
    }
}
