//! Several workloads at once, and the world that they work in.

use std::collections::VecDeque;

use crate::time::Time;
use crate::workload::Workload;
use crate::workload::chronicle::{Chronicle, Chronicler};
use crate::world::{BudgetSpent, World};

/// All workloads of a run.
#[derive(Debug, Default)]
pub struct Crew {
    workloads: Vec<Workload>,
    chronicle: Chronicle,
}

impl Crew {
    /// These workloads, numbered as they stand here, of which none has begun. If there are any,
    /// somebody watches the world for them from now on.
    pub fn new(workloads: Vec<Workload>, world: &mut World) -> Crew {
        let crew = Crew { workloads, chronicle: Chronicle::default() };
        if !crew.workloads.is_empty() {
            world.observe(Box::new(Chronicler(crew.chronicle.clone())));
        }
        crew
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workloads.is_empty()
    }

    /// The workload with this name.
    pub fn named(&mut self, name: &str) -> Option<&mut Workload> {
        self.workloads.iter_mut().find(|workload| workload.settings().name == name)
    }

    /// When it has to be advanced again, whatever else happens.
    #[inline]
    #[must_use]
    pub fn wakes_at(&self) -> Option<Time> {
        self.workloads.iter().filter_map(Workload::alarm).min()
    }

    /// Goes on with whatever has happened.
    #[inline]
    pub fn advance(&mut self, world: &mut World) {
        if !self.chronicle.borrow().is_empty() {
            self.look_at_turns(world);
        }
        while let Some(news) = world.client_news() {
            self.workloads[news.addressee.group as usize].hear(world, news);
        }
        for workload in &mut self.workloads {
            workload.advance(world);
        }
    }

    fn look_at_turns(&mut self, world: &World) {
        let turns: VecDeque<_> = std::mem::take(&mut *self.chronicle.borrow_mut());
        for (at, node, turn) in turns {
            for workload in &mut self.workloads {
                workload.turn(world, at, node, turn);
            }
        }
    }

    /// Lets time pass until `end`, for the world and all workloads.
    ///
    /// # Errors
    /// When the world's budget of events is used up.
    pub fn run_until(&mut self, world: &mut World, end: Time) -> Result<(), BudgetSpent> {
        loop {
            let wakes = self.wakes_at().map_or(end, |wakes| wakes.min(end));
            let heard = world.run_until_news(wakes)?;
            self.advance(world);
            if !heard && wakes >= end {
                return Ok(());
            }
        }
    }
}
