//! How redis-rb-cluster finds another node when one does not answer: it says PING to one after
//! another, by lot and without a pause, and sends the command to the first that answers.

use std::sync::Arc;

use crate::network::NodeNo;
use crate::workload::client::{Awaited, Client, Stage};
use crate::workload::shared::Shared;
use crate::world::World;

impl Client {
    /// From now on any node may be asked on behalf of the command in a place.
    pub(super) fn look_for_any_node(&mut self, shared: &Shared, place: usize) {
        self.untried.resize(self.commands.len(), Vec::new());
        self.untried[place].clone_from(&shared.members);
    }

    /// Asks the next node, or gives up if there is none.
    pub(super) fn ask_next(&mut self, world: &mut World, shared: &mut Shared, place: usize) {
        let untried = self.untried.get_mut(place).filter(|untried| !untried.is_empty());
        let Some(untried) = untried else { return self.fail(world.now(), shared, place) };
        let at = self.draws.below(untried.len() as u32);
        let to = untried.swap_remove(at as usize);
        self.sent += 1;
        let number = self.sent;
        let until = world.now() + shared.settings.timeout;
        let Some(command) = &mut self.commands[place] else { return };
        command.stage = Stage::Probing { number, to, until };
        let connection = self.connection(world, shared, to);
        connection.awaited.push_back(Awaited::Pong(place, number));
        world.client_send(connection.client, Arc::clone(&shared.phrases.ping));
    }

    /// The node that was asked for the command in a place, if it is that one.
    fn asked(&self, place: usize, number: u64) -> Option<NodeNo> {
        match self.commands[place]?.stage {
            Stage::Probing { number: its, to, .. } if its == number => Some(to),
            _ => None,
        }
    }

    /// A node has answered: the command goes there.
    pub(super) fn found(
        &mut self,
        world: &mut World,
        shared: &mut Shared,
        place: usize,
        number: u64,
    ) {
        if let Some(to) = self.asked(place, number) {
            self.send(world, shared, place, to, false);
        }
    }

    /// A node has not answered: the next one is asked at once.
    pub(super) fn not_found(&mut self, world: &World, place: usize, number: u64) {
        if self.asked(place, number).is_some()
            && let Some(command) = &mut self.commands[place]
        {
            command.stage = Stage::Resting(world.now());
        }
    }
}
