use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage, setup};

/// A link from puppet 0 to puppet 1 over which nothing has gone for a while.
fn link() -> Stage {
    let mut setup = setup(2);
    setup.network.nagle = true;
    let mut stage = Stage::with(setup);
    stage.link(0, 1);
    stage.run(Span::millis(100));
    stage
}

#[test]
fn a_second_message_waits_40_ms_for_the_acknowledgement_of_the_first_15_25() {
    let mut stage = link();
    let start = stage.world.now();
    stage.pull(0, "send 1");
    stage.pull(0, "send 2");
    stage.run(Span::millis(60));
    let first = stage.seen_after(1, Seen::Packet(1), start);
    let second = stage.seen_after(1, Seen::Packet(2), start);
    assert!(first < Span::millis(3), "{first}");
    assert!((Span::millis(40)..Span::millis(46)).contains(&second), "{second}");
}

#[test]
fn an_answer_brings_the_acknowledgement_along_15_25() {
    let mut stage = link();
    let start = stage.world.now();
    stage.pull(0, "send 1");
    stage.pull(1, "back 9");
    stage.pull(0, "send 2");
    let second = stage.seen_after(1, Seen::Packet(2), start);
    assert!(second < Span::millis(14), "{second}");
}

#[test]
fn the_accepting_side_does_not_wait_3_3() {
    let mut stage = link();
    let start = stage.world.now();
    stage.pull(1, "back 1");
    stage.pull(1, "back 2");
    let second = stage.seen_after(0, Seen::Packet(2), start);
    assert!(second < Span::millis(9), "{second}");
}

#[test]
fn what_waits_is_sent_at_once_when_the_link_is_closed() {
    let mut stage = link();
    stage.pull(0, "send 1");
    stage.pull(0, "send 2");
    stage.pull(0, "close");
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Packet(2), Seen::Closed]);
}
