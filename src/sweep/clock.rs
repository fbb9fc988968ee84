//! The clocks of a run: one for each measure, started and stopped by what happens.
//!
//! This is the only definition of when an event happens. It sees what the world tells its observers
//! and nothing else.

use std::cell::RefCell;
use std::rc::Rc;

use crate::id::Ids;
use crate::network::NodeNo;
use crate::sweep::event::{Deed, Event, Who};
use crate::sweep::measure::Measure;
use crate::sweep::view::{Change, View};
use crate::time::{Span, Time};
use crate::world::{Observer, Record, Wants};

/// All clocks of a run.
#[derive(Debug)]
pub(super) struct Clocks {
    view: View,
    clocks: Vec<Clock>,
}

/// Keeps the clocks, while the world owns the observer.
#[derive(Debug)]
pub(super) struct Timekeeper(pub(super) Rc<RefCell<Clocks>>);

impl Observer for Timekeeper {
    fn wants(&self) -> Wants {
        let commands = self.0.borrow().clocks.iter().any(Clock::is_about_meeting);
        Wants { faults: true, notices: true, commands, ..Wants::default() }
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        self.0.borrow_mut().record(record);
    }
}

impl Clocks {
    pub(super) fn new(measures: &[Measure]) -> Clocks {
        Clocks { view: View::default(), clocks: measures.iter().map(Clock::new).collect() }
    }

    fn record(&mut self, record: &Record<'_>) {
        for change in self.view.absorb(&record.what) {
            for clock in &mut self.clocks {
                clock.hear(change, &self.view, record.at);
            }
        }
    }

    /// What each clock shows, if it was stopped.
    pub(super) fn read(&self) -> Vec<Option<Span>> {
        self.clocks.iter().map(Clock::read).collect()
    }
}

/// Measures the time between two events.
#[derive(Debug)]
struct Clock {
    origin: Deed,
    victim: Option<NodeNo>,
    from: Watch,
    to: Watch,
    begun: Option<Time>,
    ended: Option<Time>,
}

impl Clock {
    fn new(measure: &Measure) -> Clock {
        Clock {
            origin: measure.origin(),
            victim: None,
            from: Watch::new(measure.from),
            to: Watch::new(measure.to),
            begun: None,
            ended: None,
        }
    }

    fn hear(&mut self, change: Change, view: &View, at: Time) {
        if let Change::Deed(deed, Some(node)) = change
            && deed == self.origin
        {
            self.victim.get_or_insert(node);
        }
        let may_begin = self.begun.is_none() || self.from.event == Event::Deed(Deed::Meet);
        if may_begin && self.from.sees(change, view, self.victim) {
            self.begun = Some(at);
            self.ended = None;
            self.to = Watch::new(self.to.event);
        } else if self.begun.is_some() && self.ended.is_none() {
            self.ended = self.to.sees(change, view, self.victim).then_some(at);
        }
    }

    fn read(&self) -> Option<Span> {
        Some(self.ended?.since(self.begun?))
    }

    fn is_about_meeting(&self) -> bool {
        [&self.from, &self.to].iter().any(|watch| watch.event == Event::Deed(Deed::Meet))
    }
}

/// Waits for an event.
#[derive(Debug)]
struct Watch {
    event: Event,
    /// Some node has taken the turn: now it can be so for all of them.
    turned: bool,
    /// The node for which it was not so the last time: it is asked first the next time.
    suspect: usize,
}

impl Watch {
    fn new(event: Event) -> Watch {
        Watch { event, turned: false, suspect: 0 }
    }

    /// Whether the change is the event.
    fn sees(&mut self, change: Change, view: &View, victim: Option<NodeNo>) -> bool {
        match self.event {
            Event::Deed(deed) => match change {
                Change::Deed(done, Some(node)) if matches!(done, Deed::Restart | Deed::Resume) => {
                    deed == done && Some(node) == victim
                }
                Change::Deed(done, _) => deed == done,
                _ => false,
            },
            Event::Known => self.all(view, |node| view.knows_all(node)),
            Event::Turn(turn, who) => {
                let turned = match change {
                    Change::Turn(taken, node, about) => {
                        let concerns = !turn.is_about_victim()
                            || about.is_some() && about == victim.and_then(|one| view.name(one));
                        (taken == turn && concerns).then_some(node)
                    }
                    _ => None,
                };
                match who {
                    Who::First => turned.is_some(),
                    Who::Node(node) => turned == Some(node),
                    Who::Victim => turned.is_some() && turned == victim,
                    Who::Last => {
                        self.turned |= turned.is_some();
                        self.turned && self.all(view, |node| view.stands(turn, node, victim))
                    }
                }
            }
        }
    }

    fn all(&mut self, view: &View, holds: impl Fn(usize) -> bool) -> bool {
        if self.suspect < view.len() && !holds(self.suspect) {
            return false;
        }
        match (0..view.len()).find(|&node| !holds(node)) {
            Some(node) => {
                self.suspect = node;
                false
            }
            None => true,
        }
    }
}
