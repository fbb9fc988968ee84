//! Processes that load: blocked, but not for everything.

use crate::network::NodeNo;
use crate::resp::Reply;
use crate::time::Span;
use crate::world::{ClientEvent, ProcessStatus};

use crate::world::tests::puppet::{Seen, Stage};

#[test]
fn a_loading_process_reads_at_the_end_of_its_step_what_has_come_and_runs_no_cron_15_37() {
    let mut stage = Stage::new(2);
    stage.link(1, 0);
    let (ticks, since) = (stage.puppet(0).ticks.len(), stage.world.now());
    stage.tell(0, "load 350");
    stage.run(Span::millis(1));
    stage.tell(1, "send 5");
    stage.run(Span::millis(340));
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Blocked);
    assert!(!stage.seen(0).contains(&Seen::Packet(5)), "it has not read it yet");
    assert_eq!(stage.puppet(0).ticks.len(), ticks);
    stage.run(Span::millis(20));
    let seen = stage.seen(0);
    assert_eq!(seen[seen.len() - 2..], [Seen::Packet(5), Seen::LoadStep], "what came is first");
    assert!(stage.seen_after(0, Seen::LoadStep, since) >= Span::millis(350));
    assert_eq!(stage.reply(0), Some(ClientEvent::Reply(Reply::ok())));
    assert_eq!(stage.puppet(0).ticks.len(), ticks + 1, "the cron is overdue");
}

#[test]
fn a_process_that_reads_from_one_connection_takes_in_nothing_else() {
    let mut stage = Stage::new(3);
    stage.link(0, 1);
    stage.link(2, 0);
    stage.tell(0, "read 1000");
    stage.run(Span::millis(1));
    stage.tell(2, "send 5");
    stage.run(Span::millis(100));
    assert!(!stage.seen(0).contains(&Seen::Packet(5)));
    stage.tell(1, "back 6");
    stage.run(Span::millis(5));
    let seen = stage.seen(0);
    assert_eq!(seen[seen.len() - 2..], [Seen::Packet(6), Seen::Packet(5)]);
    stage.run(Span::secs(2));
    assert!(!stage.seen(0).contains(&Seen::ReadTimeout), "it reads no more");
}

#[test]
fn reading_ends_with_the_connection_or_when_its_time_is_up() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    let since = stage.world.now();
    stage.tell(0, "read 300");
    stage.run(Span::millis(400));
    assert!(stage.seen_after(0, Seen::ReadTimeout, since) >= Span::millis(300));
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Running);
    stage.tell(0, "read 300");
    stage.run(Span::millis(10));
    stage.order(|world| world.kill(NodeNo(1)));
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(0).last(), Some(&Seen::Closed));
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Running);
}

#[test]
fn what_comes_to_a_paused_process_that_reads_is_found_when_it_goes_on() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.tell(0, "read 300");
    stage.run(Span::millis(5));
    stage.order(|world| world.pause(NodeNo(0)));
    stage.tell(1, "back 6");
    stage.run(Span::millis(400));
    assert!(!stage.seen(0).contains(&Seen::Packet(6)));
    stage.order(|world| world.resume(NodeNo(0)));
    stage.run(Span::millis(5));
    assert_eq!(stage.seen(0).iter().filter(|seen| **seen == Seen::Packet(6)).count(), 1);
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Running);
}

#[test]
fn a_signal_ends_a_process_amid_its_loading() {
    let mut stage = Stage::new(1);
    stage.tell(0, "load 500");
    stage.run(Span::millis(5));
    stage.order(|world| world.terminate(NodeNo(0)));
    stage.run(Span::millis(1));
    assert!(stage.seen(0).contains(&Seen::Terminate));
}
