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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::flags::Flags;
    use crate::node::lab::Lab;

    #[test]
    fn an_fsync_alone_writes_nothing_0_4() {
        let mut lab = Lab::alone(1);
        lab.forget_records();
        lab.act(0, |node, _| node.bus.todo.add(Todo::FSYNC));
        assert!(lab.saves.is_empty());
        assert_eq!(lab.node(0).bus.todo, Todo::NOTHING);
        lab.act(0, |node, _| node.bus.todo.add(Todo::FSYNC | Todo::SAVE));
        assert_eq!(lab.saves, [(0, true)]);
    }

    #[test]
    fn a_save_by_hand_takes_the_save_off_the_list_0_4() {
        let mut lab = Lab::alone(1);
        lab.forget_records();
        lab.act(0, |node, ctx| {
            node.bus.todo.add(Todo::SAVE | Todo::FSYNC);
            node.save_config(ctx, false);
            assert_eq!(node.bus.todo, Todo::FSYNC);
        });
        assert_eq!(lab.saves, [(0, false)]);
    }

    #[test]
    fn what_a_pass_adds_is_done_at_once_only_if_messages_wake_the_loop_0_4() {
        for linked in [true, false] {
            let mut lab = Lab::formed(3, 1, 15_000);
            lab.run(4_000);
            let master = lab.peer(3, 0);
            let peers = [0, 1, 2].map(|other| lab.peer(3, other));
            let now = lab.now.millis();
            lab.forget_records();
            lab.act(3, |node, ctx| {
                node.bus.table.set_flags(master, Flags::FAIL);
                node.bus.election.time = now;
                if !linked {
                    peers.iter().for_each(|&ix| node.bus.close_link(ctx, ix));
                }
                // The election adds a save to the set while the set is being worked off.
                node.bus.todo = Todo::FAILOVER;
            });
            assert!(lab.logged(3, "Starting a failover election for epoch 4."));
            assert_eq!(lab.saves.contains(&(3, true)), linked);
            assert_eq!(lab.node(3).bus.todo.any(Todo::SAVE), !linked);
            lab.run(100);
            assert!(lab.saves.contains(&(3, true)), "the next input at the latest");
        }
    }
}
