use crate::network::NodeNo;
use crate::node::packet::MessageType;
use crate::time::Span;
use crate::world::FaultError;
use crate::world::points::{Armed, Blow, Point};
use crate::world::tests::puppet::{Seen, Stage};
use crate::world::traps::Trap;

const PING: (NodeNo, NodeNo, MessageType) = (NodeNo(0), NodeNo(1), MessageType::Ping);

#[test]
fn nobody_sees_that_a_machine_without_power_is_gone() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.power_off(NodeNo(1)));
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
    stage.order(|world| world.power_off(NodeNo(1)));
    stage.run(Span::secs(1));
    stage.order(|world| world.start(NodeNo(1)));
    stage.run(Span::secs(1));
    assert_eq!(stage.seen(0), [Seen::Up], "nobody has said anything on the connection");
    stage.pull(0, "send 1");
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Reset]);
    assert_eq!(stage.seen(1), []);
}

#[test]
fn what_is_behind_a_held_message_waits_and_the_other_direction_goes_on() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.set_trap(PING, Trap::Hold));
    stage.pull(0, "send 1");
    stage.pull(0, "send 2");
    stage.pull(1, "back 3");
    stage.run(Span::secs(3));
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Packet(3)]);
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    assert_eq!(stage.world.release(NodeNo(1), NodeNo(0)), 0, "that is the other direction");
    assert_eq!(stage.world.release(NodeNo(0), NodeNo(1)), 1);
    stage.pull(0, "send 4");
    assert_eq!(
        stage.seen(1),
        [Seen::Accepted, Seen::Packet(1), Seen::Packet(2), Seen::Packet(4)],
        "in their order"
    );
}

#[test]
fn what_is_held_outlives_its_connection_as_a_stale_packet_3_9_2() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.set_trap(PING, Trap::Hold));
    stage.pull(0, "send 1");
    stage.pull(0, "close");
    stage.run(Span::secs(3));
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    stage.world.release(NodeNo(0), NodeNo(1));
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Closed]);
}

#[test]
fn so_many_packets_of_a_type_are_lost_and_the_next_arrives() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.set_trap(PING, Trap::Lose(2)));
    assert_eq!(stage.world.set_trap(PING, Trap::Hold), Err(FaultError::TrapIsSet));
    for label in 1..=3 {
        stage.pull(0, &format!("send {label}"));
    }
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(3)]);
    assert_eq!((stage.world.trap(PING), stage.world.stats().lost), (None, 2));
}

#[test]
fn a_process_dies_at_the_point_and_its_disk_holds_what_it_wrote() {
    for (blow, left) in [(Blow::Kill, "two"), (Blow::PowerOff, "one")] {
        let mut stage = Stage::new(1);
        stage.pull(0, "save one fsync");
        stage.order(|world| world.arm(NodeNo(0), Armed { point: Point::BeforeFsync, blow }));
        stage.tell(0, "save two fsync");
        stage.run(Span::millis(5));
        assert!(stage.world.node(NodeNo(0)).is_none());
        assert_eq!(stage.world.armed(NodeNo(0)), None);
        stage.order(|world| world.start(NodeNo(0)));
        assert_eq!(stage.puppet(0).config_text.as_deref(), Some(left));
    }
}

#[test]
fn a_sync_of_a_slow_disk_blocks_its_process() {
    let mut stage = Stage::new(1);
    stage.order(|world| world.slow_disk(NodeNo(0), Span::millis(300)));
    stage.tell(0, "save one fsync");
    stage.run(Span::millis(290));
    assert_eq!((stage.reply(0), stage.world.was_waited_for(NodeNo(0))), (None, Some(true)));
    stage.run(Span::millis(20));
    assert!(stage.reply(0).is_some());
}
