use crate::network::NodeNo;
use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage};

#[test]
fn a_replication_link_leads_to_the_port_for_clients() {
    let mut stage = Stage::new(2);
    stage.pull(0, "follow 7001");
    assert_eq!(stage.seen(0), [Seen::Follows]);
    assert_eq!(stage.seen(1), [Seen::Followed]);
    stage.tell(0, "tell 5");
    stage.tell(0, "tell 6");
    stage.tell(0, "unfollow");
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(1), [Seen::Followed, Seen::Told(5), Seen::Told(6), Seen::Closed]);
    assert_eq!(stage.seen(0), [Seen::Follows], "who closes a link hears no more of it");
}

#[test]
fn a_replication_link_is_refused_where_only_the_bus_listens() {
    let mut stage = Stage::new(2);
    stage.pull(0, "follow 17001");
    assert_eq!(stage.seen(0), [Seen::Refused]);
}

#[test]
fn a_replica_sees_its_master_being_killed() {
    let mut stage = Stage::new(2);
    stage.pull(0, "follow 7001");
    stage.order(|world| world.kill(NodeNo(1)));
    stage.run(Span::millis(5));
    assert_eq!(stage.seen(0), [Seen::Follows, Seen::Closed]);
}

#[test]
fn a_child_ends_after_its_time_unless_its_parent_is_gone() {
    let mut stage = Stage::new(2);
    stage.pull(0, "fork 50");
    stage.pull(1, "fork 50");
    stage.order(|world| world.kill(NodeNo(1)));
    stage.order(|world| world.start(NodeNo(1)));
    stage.run(Span::millis(100));
    assert_eq!(stage.seen(0), [Seen::Child(77)]);
    assert_eq!(stage.seen(1), []);
}
