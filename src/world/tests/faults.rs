use crate::network::NodeNo;
use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage};

#[test]
fn nobody_sees_that_a_machine_without_power_is_gone() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.power_off(NodeNo(1)).unwrap();
    stage.pull(0, "send 1");
    stage.run(Span::secs(3));
    assert_eq!(stage.seen(0), [Seen::Up]);
    stage.pull(0, "connect 17001");
    stage.run(Span::millis(500));
    assert_eq!(stage.seen(0), [Seen::Up], "no answer, not even a refusal");
}

#[test]
fn a_machine_that_is_back_knows_nothing_of_old_connections() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.power_off(NodeNo(1)).unwrap();
    stage.run(Span::secs(1));
    stage.world.start(NodeNo(1)).unwrap();
    stage.run(Span::secs(1));
    assert_eq!(stage.seen(0), [Seen::Up], "nobody has said anything on the connection");
    stage.pull(0, "send 1");
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Reset]);
    assert_eq!(stage.seen(1), []);
}
