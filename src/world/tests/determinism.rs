use std::cell::RefCell;
use std::rc::Rc;

use crate::id::Ids;
use crate::network::NodeNo;
use crate::node::log::Level;
use crate::rng::Seed;
use crate::time::Span;
use crate::world::observe::{Observer, Record, Wants, What};
use crate::world::queue::EventId;
use crate::world::tests::puppet::{Stage, setup};

/// An event and its cause, and what it was if it is of interest.
type Note = (EventId, EventId, Option<&'static str>);

struct Notes(Rc<RefCell<Vec<Note>>>);

impl Observer for Notes {
    fn wants(&self) -> Wants {
        Wants::everything(Level::Debug)
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        let what = match record.what {
            What::Sent { .. } => Some("sent"),
            What::Delivered { .. } => Some("delivered"),
            _ => None,
        };
        self.0.borrow_mut().push((record.event, record.cause, what));
    }
}

fn play(seed: u64, watched: bool) -> (u64, Vec<Note>) {
    let notes = Rc::default();
    let mut stage = Stage::with(crate::world::Setup { seed: Seed(seed), ..setup(3) });
    if watched {
        stage.world.observe(Box::new(Notes(Rc::clone(&notes))));
    }
    stage.link(0, 1);
    stage.link(2, 1);
    stage.pull(0, "send 1");
    stage.world.partition(&[vec![NodeNo(0)]]);
    stage.pull(0, "send 2");
    stage.order(|world| world.pause(NodeNo(2)));
    stage.run(Span::millis(700));
    stage.world.heal();
    stage.order(|world| world.kill(NodeNo(1)));
    stage.run(Span::secs(1));
    let fingerprint = stage.world.fingerprint();
    drop(stage);
    (fingerprint, Rc::try_unwrap(notes).expect("the world is gone").into_inner())
}

#[test]
fn the_same_seed_gives_the_same_run_watched_or_not() {
    let (fingerprint, notes) = play(1, true);
    assert!(notes.len() > 20);
    assert_eq!(play(1, true), (fingerprint, notes));
    assert_eq!(play(1, false).0, fingerprint);
    assert_ne!(play(2, false).0, fingerprint);
}

#[test]
fn a_delivery_names_the_event_that_sent_it_as_its_cause() {
    let (_, notes) = play(1, true);
    let sent = notes.iter().find(|note| note.2 == Some("sent")).expect("a packet was on its way");
    let delivered =
        notes.iter().find(|note| note.2 == Some("delivered")).expect("a packet was on its way");
    assert_eq!(delivered.1, sent.0);
    assert!(sent.1.0 > 0, "which was caused by a client's command");
}

#[test]
fn a_run_ends_when_its_budget_is_spent() {
    let setup = crate::world::Setup { event_budget: 1_000, ..setup(1) };
    let mut stage = Stage::with(setup);
    let end = stage.world.now() + Span::secs(1_000);
    let spent = stage.world.run_until(end).unwrap_err();
    assert_eq!(spent.to_string(), "the run has used up its budget of 1000 events");
    assert!(stage.world.now() < end);
}
