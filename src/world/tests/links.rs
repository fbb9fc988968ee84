use crate::network::NodeNo;
use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage};

#[test]
fn a_connect_takes_a_round_trip_and_then_both_sides_know() {
    let mut stage = Stage::new(2);
    let before = stage.world.now();
    stage.link(0, 1);
    let up = stage.seen_after(0, Seen::Up, before);
    let accepted = stage.seen_after(1, Seen::Accepted, before);
    assert!(up >= Span::micros(600) && accepted >= up + Span::micros(200), "{up} {accepted}");
}

#[test]
fn a_connect_is_refused_when_nobody_listens() {
    let mut stage = Stage::new(1);
    stage.pull(0, "connect 17001");
    assert_eq!(stage.seen(0), [Seen::Refused]);
    stage.pull(0, "connect 7000");
    assert_eq!(stage.seen(0), [Seen::Refused, Seen::Refused], "that is the port for clients");
}

#[test]
fn who_listens_when_the_syn_arrives_is_reached() {
    for (starts_after, seen) in [(5, Seen::Up), (40, Seen::Refused)] {
        let mut stage = Stage::new(2);
        stage.order(|world| world.kill(NodeNo(1)));
        stage.world.set_delay(NodeNo(0), NodeNo(1), Span::millis(30));
        stage.world.set_delay(NodeNo(1), NodeNo(0), Span::millis(30));
        let dialled = stage.world.now();
        stage.pull(0, "connect 17001");
        stage.world.run_until(dialled + Span::millis(starts_after)).expect("there is no budget");
        stage.order(|world| world.start(NodeNo(1)));
        stage.run(Span::millis(100));
        assert_eq!(stage.seen(0), [seen]);
        let after = stage.seen_after(0, seen, dialled).as_millis();
        assert!((60..64).contains(&after), "a round trip: {after}");
        let accepted = stage.seen(1);
        assert_eq!(accepted, [Seen::Accepted][..usize::from(seen == Seen::Up)]);
    }
}

#[test]
fn messages_of_one_direction_keep_their_order() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    for label in 0..50 {
        stage.tell(0, &format!("send {label}"));
    }
    stage.run(Span::millis(10));
    let expected: Vec<Seen> =
        std::iter::once(Seen::Accepted).chain((0..50).map(Seen::Packet)).collect();
    assert_eq!(stage.seen(1), expected);
}

#[test]
fn what_was_sent_while_connecting_arrives_after_the_connect_3_1_3() {
    let mut stage = Stage::new(2);
    stage.tell(0, "connect 17001");
    stage.tell(0, "send 1");
    stage.tell(0, "send 2");
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Packet(2)]);
}

#[test]
fn what_the_closer_sent_before_still_arrives() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.tell(0, "send 1");
    stage.tell(0, "close");
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Closed]);
}

#[test]
fn what_is_on_its_way_to_the_closer_is_lost() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.set_delay(NodeNo(1), NodeNo(0), Span::millis(20));
    stage.pull(1, "back 1");
    stage.pull(0, "close");
    stage.run(Span::millis(50));
    assert_eq!(stage.seen(0), [Seen::Up]);
    assert_eq!(stage.world.stats().lost, 1);
}

#[test]
fn numbers_of_connections_are_used_again() {
    let mut stage = Stage::new(2);
    for _ in 0..10 {
        stage.link(0, 1);
        stage.pull(0, "close");
    }
    assert!(stage.world.out.next_connection <= 4, "{}", stage.world.out.next_connection);
}

#[test]
fn a_connect_that_is_given_up_leaves_no_trace() {
    let mut stage = Stage::new(2);
    stage.world.set_delay(NodeNo(1), NodeNo(0), Span::millis(20));
    stage.pull(0, "connect 17001");
    stage.pull(0, "close");
    stage.run(Span::millis(50));
    assert_eq!((stage.seen(0), stage.seen(1)), (vec![], vec![]));
    assert_eq!(stage.world.out.free_connections.len(), 1);
}

#[test]
fn a_cut_path_holds_what_is_sent_and_delivers_it_after_the_heal_3_9() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.partition(&[vec![NodeNo(0)]]);
    let sent = stage.world.now();
    stage.pull(0, "send 1");
    stage.pull(0, "send 2");
    stage.run(Span::secs(1));
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    stage.world.heal();
    stage.pull(0, "send 3");
    stage.run(Span::secs(1));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Packet(2), Seen::Packet(3)]);
    for label in 1..=3 {
        let after = stage.seen_after(1, Seen::Packet(label), sent).as_millis();
        assert!((1_400..1_404).contains(&after), "retransmitted after 200, 600, 1400 ms: {after}");
    }
}

#[test]
fn a_path_cut_again_before_the_retransmission_goes_on_holding() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    let sent = stage.world.now();
    stage.world.cut(NodeNo(0), NodeNo(1));
    stage.pull(0, "send 1");
    stage.run(Span::millis(250));
    stage.world.heal();
    stage.run(Span::millis(50));
    stage.world.cut(NodeNo(0), NodeNo(1));
    stage.run(Span::millis(400));
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    stage.world.mend(NodeNo(0), NodeNo(1));
    stage.run(Span::secs(1));
    let after = stage.seen_after(1, Seen::Packet(1), sent).as_millis();
    assert!((1_400..1_404).contains(&after), "{after}");
}

#[test]
fn a_connect_over_a_cut_path_is_tried_again_after_1_and_3_seconds_3_9_1() {
    let mut stage = Stage::new(2);
    stage.world.cut(NodeNo(1), NodeNo(0));
    let dialled = stage.world.now();
    stage.pull(0, "connect 17001");
    stage.run(Span::millis(1_500));
    assert_eq!(stage.seen(0), []);
    stage.world.heal();
    stage.run(Span::secs(3));
    let after = stage.seen_after(0, Seen::Up, dialled).as_millis();
    assert!((3_000..3_004).contains(&after), "{after}");
}

#[test]
fn a_connect_that_is_never_answered_fails_after_127_seconds() {
    let mut stage = Stage::new(2);
    stage.world.partition(&[vec![NodeNo(0)]]);
    stage.pull(0, "connect 17001");
    stage.run(Span::secs(126));
    assert_eq!(stage.seen(0), []);
    stage.run(Span::secs(2));
    assert_eq!(stage.seen(0), [Seen::Refused]);
}

#[test]
fn a_close_is_not_seen_over_a_cut_path_until_it_is_mended() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.partition(&[vec![NodeNo(1)]]);
    stage.pull(0, "close");
    stage.run(Span::secs(5));
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    stage.world.heal();
    stage.run(Span::secs(5));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Closed]);
}

#[test]
fn data_that_was_sent_before_a_close_during_a_cut_comes_after_the_heal_3_9_2() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.partition(&[vec![NodeNo(1)]]);
    stage.pull(0, "send 1");
    stage.pull(0, "close");
    stage.run(Span::secs(20));
    stage.world.heal();
    stage.run(Span::secs(20));
    assert_eq!(stage.seen(1), [Seen::Accepted, Seen::Packet(1), Seen::Closed]);
}

#[test]
fn a_kernel_gives_up_orphans_after_102_seconds() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.partition(&[vec![NodeNo(1)]]);
    stage.pull(0, "send 1");
    stage.pull(0, "close");
    stage.run(Span::secs(103));
    assert_eq!(stage.world.stats().lost, 1);
    stage.world.heal();
    stage.run(Span::secs(300));
    assert_eq!(stage.seen(1), [Seen::Accepted], "it never learns");
}

#[test]
fn over_a_path_that_is_cut_one_way_the_other_way_dries_up_after_200_ms() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.cut(NodeNo(1), NodeNo(0));
    let cut = stage.world.now();
    for label in 0..8 {
        stage.pull(0, &format!("send {label}"));
        stage.run(Span::millis(45));
    }
    let arrived = |stage: &Stage| stage.seen(1).len() - 1;
    assert_eq!(arrived(&stage), 4, "0, 50, 100 and 150 ms after the cut");
    stage.world.heal();
    stage.run(Span::secs(1));
    assert_eq!(arrived(&stage), 8);
    let after = stage.seen_after(1, Seen::Packet(7), cut).as_millis();
    assert!((600..604).contains(&after), "{after}");
    stage.pull(0, "send 8");
    assert_eq!(arrived(&stage), 9);
}

#[test]
fn delay_and_loss_make_a_direction_slow_and_nothing_else() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.world.set_delay(NodeNo(0), NodeNo(1), Span::millis(30));
    let sent = stage.world.now();
    stage.tell(0, "send 1");
    stage.tell(1, "back 2");
    stage.run(Span::millis(50));
    assert!(stage.seen_after(1, Seen::Packet(1), sent) >= Span::millis(30));
    assert!(stage.seen_after(0, Seen::Packet(2), sent) <= Span::millis(3));
    stage.world.set_delay(NodeNo(0), NodeNo(1), Span::ZERO);
    stage.world.set_loss(NodeNo(0), NodeNo(1), 1_000);
    let sent = stage.world.now();
    stage.pull(0, "send 3");
    stage.run(Span::secs(300));
    assert!(!stage.seen(1).contains(&Seen::Packet(3)), "nothing ever gets through");
    stage.world.set_loss(NodeNo(0), NodeNo(1), 0);
    stage.run(Span::secs(300));
    assert!(stage.seen_after(1, Seen::Packet(3), sent) >= Span::secs(300));
}
