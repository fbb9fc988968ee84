//! What is done before the process sleeps again (§0.4).

use crate::node::Node;
use crate::node::bus::Todo;
use crate::node::effect::Ctx;

impl Node {
    /// Works off the to-do set, again and again while there are messages to be written: these wake
    /// the event loop for another pass, and what a pass adds to the set is done in the next (§0.4).
    /// What is left then waits for the next input.
    pub(crate) fn before_sleep(&mut self, ctx: &mut Ctx<'_>) {
        loop {
            self.work_off(ctx);
            if std::mem::take(&mut self.bus.queued) == 0 || self.bus.todo == Todo::NOTHING {
                return;
            }
        }
    }

    fn work_off(&mut self, ctx: &mut Ctx<'_>) {
        let todo = std::mem::take(&mut self.bus.todo);
        if todo.any(Todo::MANUAL_FAILOVER) && !self.bus.is_master() {
            self.manual_failover_step(ctx);
            self.failover_step(ctx);
        } else if todo.any(Todo::FAILOVER) {
            self.failover_step(ctx);
        }
        if todo.any(Todo::UPDATE) {
            self.update_state(ctx);
        }
        if todo.any(Todo::SAVE) {
            self.save_config(ctx, todo.any(Todo::FSYNC));
        }
    }
}
