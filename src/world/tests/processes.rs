use crate::network::NodeNo;
use crate::node::effect::CallError;
use crate::resp::Reply;
use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage, setup};
use crate::world::{ClientEvent, FaultError, ProcessStatus};

#[test]
fn a_killed_process_loses_its_connections_at_once() {
    let mut stage = Stage::new(3);
    stage.link(0, 1);
    stage.link(1, 2);
    stage.order(|world| world.kill(NodeNo(1)));
    stage.run(Span::millis(3));
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Closed]);
    assert_eq!(stage.seen(2), [Seen::Accepted, Seen::Closed]);
    assert_eq!(stage.reply(1), Some(ClientEvent::Closed));
    assert_eq!(stage.world.status(NodeNo(1)), ProcessStatus::Down);
    stage.pull(0, "connect 17001");
    assert_eq!(stage.seen(0).last(), Some(&Seen::Refused));
}

#[test]
fn a_crashing_process_is_silent_with_open_sockets_until_its_report_is_written() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.tell(1, "crash");
    stage.run(Span::millis(10));
    assert_eq!(stage.world.status(NodeNo(1)), ProcessStatus::Crashing);
    stage.pull(0, "send 1");
    stage.run(Span::millis(140));
    assert_eq!(stage.seen(0), [Seen::Up], "its sockets are still open");
    stage.run(Span::millis(30));
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Reset], "it has not read the packet");
    assert_eq!(stage.world.status(NodeNo(1)), ProcessStatus::Down);
}

#[test]
fn a_paused_process_finds_everything_later_and_in_order() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.pause(NodeNo(1)));
    let ticks = stage.puppet(1).ticks.len();
    stage.pull(0, "send 1");
    stage.pull(0, "close");
    stage.tell(0, "connect 17001");
    stage.tell(0, "send 2");
    stage.run(Span::secs(5));
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Up], "the kernel accepts");
    assert_eq!(stage.seen(1), [Seen::Accepted]);
    stage.order(|world| world.resume(NodeNo(1)));
    assert_eq!(
        stage.seen(1),
        [Seen::Accepted, Seen::Packet(1), Seen::Closed, Seen::Accepted, Seen::Packet(2)]
    );
    assert_eq!(stage.puppet(1).ticks.len(), ticks + 1, "one tick is overdue, not fifty");
    assert_eq!(stage.puppet(1).seen_before_tick, 1, "and comes before all that waits");
    stage.run(Span::millis(99));
    assert_eq!(stage.puppet(1).ticks.len(), ticks + 1);
}

#[test]
fn a_process_killed_while_paused_leaves_nothing_behind() {
    let mut stage = Stage::new(2);
    stage.link(0, 1);
    stage.order(|world| world.pause(NodeNo(1)));
    stage.pull(0, "send 1");
    stage.order(|world| world.kill(NodeNo(1)));
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(0), [Seen::Up, Seen::Reset]);
    assert_eq!(stage.world.stats().lost, 1);
    assert!(stage.world.out.free_connections.len() >= 2);
}

#[test]
fn a_sleeping_process_does_the_rest_when_it_wakes() {
    let mut stage = Stage::new(1);
    stage.tell(0, "sleep 500");
    stage.run(Span::millis(400));
    assert_eq!(stage.reply(0), None);
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Blocked);
    stage.run(Span::millis(110));
    assert_eq!(stage.reply(0), Some(ClientEvent::Reply(Reply::ok())));
    assert_eq!(stage.world.status(NodeNo(0)), ProcessStatus::Running);
}

#[test]
fn a_call_blocks_the_caller_until_it_is_answered() {
    let mut stage = Stage::new(2);
    stage.tell(0, "call 7001 ping ping");
    stage.run(Span::millis(10));
    assert_eq!(stage.seen(0), [Seen::Answered(2)]);
    assert_eq!(stage.reply(0), Some(ClientEvent::Reply(Reply::ok())));
    assert_eq!(stage.seen(1), [Seen::ClientGone], "the caller hangs up");
}

#[test]
fn a_call_fails_when_nobody_listens_answers_or_stays() {
    let mut stage = Stage::new(2);
    stage.tell(0, "call 7009 ping");
    stage.run(Span::millis(10));
    stage.tell(0, "call 7001 silence");
    stage.run(Span::millis(120));
    stage.tell(0, "call 7001 hang-up");
    stage.run(Span::millis(10));
    stage.tell(0, "call 7001 ping exit");
    stage.run(Span::millis(10));
    assert_eq!(
        stage.seen(0),
        [
            Seen::CallFailed(CallError::Refused, 0),
            Seen::CallFailed(CallError::Timeout, 0),
            Seen::CallFailed(CallError::Lost, 0),
            Seen::CallFailed(CallError::Lost, 1)
        ]
    );
}

#[test]
fn a_restarted_process_finds_what_the_last_one_saved() {
    let mut setup = setup(1);
    setup.nodes[0].pids = vec![6653];
    let mut stage = Stage::with(setup);
    assert_eq!((stage.puppet(0).pid, stage.puppet(0).config_text.as_deref()), (6653, None));
    stage.pull(0, "save one fsync");
    stage.pull(0, "save two");
    stage.order(|world| world.kill(NodeNo(0)));
    stage.order(|world| world.start(NodeNo(0)));
    assert_eq!(stage.puppet(0).config_text.as_deref(), Some("two"));
    assert_ne!(stage.puppet(0).pid, 6653);
    stage.order(|world| world.power_off(NodeNo(0)));
    stage.order(|world| world.start(NodeNo(0)));
    assert_eq!(stage.puppet(0).config_text.as_deref(), Some("one"));
}

#[test]
fn terminating_is_a_matter_of_the_process_itself() {
    let mut stage = Stage::new(1);
    stage.order(|world| world.pause(NodeNo(0)));
    stage.order(|world| world.terminate(NodeNo(0)));
    assert_eq!(stage.seen(0), []);
    stage.order(|world| world.resume(NodeNo(0)));
    assert_eq!(stage.seen(0), [Seen::Terminate]);
}

#[test]
fn an_impossible_fault_says_why() {
    let mut stage = Stage::new(1);
    let (node, nobody) = (NodeNo(0), NodeNo(9));
    assert_eq!(stage.world.start(node), Err(FaultError::AlreadyRunning));
    assert_eq!(stage.world.kill(nobody), Err(FaultError::NoSuchNode(nobody)));
    assert_eq!(stage.world.resume(node), Err(FaultError::NotPaused(ProcessStatus::Running)));
    stage.order(|world| world.pause(node));
    assert_eq!(stage.world.pause(node), Err(FaultError::AlreadyPaused));
    stage.order(|world| world.crash(node));
    assert_eq!(stage.world.crash(node), Err(FaultError::AlreadyCrashing));
    stage.order(|world| world.kill(node));
    assert_eq!(stage.world.kill(node), Err(FaultError::NotRunning));
}

#[test]
fn each_process_reads_its_own_clock() {
    let mut setup = setup(2);
    setup.nodes[1].clock_offset = -3_000_000;
    let mut stage = Stage::with(setup);
    let behind = stage.world.clock(NodeNo(0)).0 - stage.world.clock(NodeNo(1)).0;
    assert_eq!(behind, 3_000_000);
    stage.order(|world| world.set_clock(NodeNo(1), 500));
    assert_eq!(stage.world.clock(NodeNo(1)).0, stage.world.wall().0 + 500);
}
