//! Each verdict, by its cause: writes are made by hand, in a cluster to which something is done.

use super::history::REMEMBERED;
use super::*;
use crate::node::config::Config;
use crate::resp::{Reply, args};
use crate::rng::Seed;
use crate::time::{Millis, Span};
use crate::workload::chronicle::{Chronicle, Chronicler};
use crate::world::{ClientEvent, Formation, NodeSetup, Setup};

/// All keys are in slot 3300: it is this node's, which has this replica.
const MASTER: NodeNo = NodeNo(0);
const REPLICA: NodeNo = NodeNo(3);
/// Another master.
const OTHER: NodeNo = NodeNo(1);

const A: Key = Key(0);
const B: Key = Key(1);

/// Three masters, a replica of each, and the books of somebody who writes to them.
struct Desk {
    world: World,
    chronicle: Chronicle,
    books: Books,
}

impl Desk {
    fn new() -> Desk {
        Desk::configured(|_| {})
    }

    fn configured(configure: fn(&mut Config)) -> Desk {
        Desk::writing(Write::Count, configure)
    }

    fn writing(command: Write, configure: fn(&mut Config)) -> Desk {
        let nodes = (0..6).map(|number| {
            let node_timeout = Millis(1_000);
            let mut config = Config { port: 7_000 + number, node_timeout, ..Config::default() };
            configure(&mut config);
            NodeSetup::new([127, 0, 0, 1].into(), config)
        });
        let formed = Some(Formation::even(3, 1));
        let mut world = World::new(Setup { formed, ..Setup::new(Seed(1), nodes.collect()) });
        let chronicle = Chronicle::default();
        world.observe(Box::new(Chronicler(chronicle.clone())));
        let settings =
            Settings { keys: 2, prefix: "{b}".to_owned(), command, ..Settings::new("w") };
        let mut desk = Desk { world, chronicle, books: Books::new(&settings) };
        desk.pass(Span::secs(5));
        desk.books.look_around(&desk.world);
        desk
    }

    /// Lets the next thing happen, and takes it into account.
    fn step(&mut self) {
        self.world.step_until(Time(u64::MAX)).expect("there is no budget");
        let turns = std::mem::take(&mut *self.chronicle.borrow_mut());
        for (at, node, turn) in turns {
            self.books.turn(&self.world, at, node, turn);
        }
    }

    fn pass(&mut self, span: Span) {
        let end = self.world.now() + span;
        while self.world.next_event().is_some_and(|next| next <= end) {
            self.step();
        }
    }

    #[track_caller]
    fn wait_until(&mut self, is_so: impl Fn(&World) -> bool) {
        let limit = self.world.now() + Span::secs(30);
        while !is_so(&self.world) {
            assert!(self.world.now() < limit, "it never is so");
            self.step();
        }
    }

    #[track_caller]
    fn wait_for_role(&mut self, node: NodeNo, master: bool) {
        self.wait_until(|world| world.node(node).is_some_and(|its| its.bus.is_master() == master));
    }

    /// What a node answers to a client, which reaches all of them.
    fn ask(&mut self, node: NodeNo, command: &str) -> Reply {
        let address = self.world.address(node);
        let client = self.world.client_connect(address.ip(), address.port());
        self.world.client_send(client, args(command.split(' ')));
        loop {
            match self.world.client_take(client) {
                Some(ClientEvent::Reply(reply)) => {
                    self.world.client_close(client);
                    return reply;
                }
                Some(ClientEvent::Connected) => {}
                Some(other) => panic!("{command}: {other:?}"),
                None => self.step(),
            }
        }
    }

    /// INCR, whose answer nobody has read yet.
    #[track_caller]
    fn increment(&mut self, node: NodeNo, key: Key) -> u32 {
        let name = String::from_utf8(self.books.name(key).to_vec()).unwrap();
        match self.ask(node, &format!("incr {name}")) {
            Reply::Int(value) => u32::try_from(value).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn acknowledge(&mut self, node: NodeNo, key: Key, value: u32) {
        let written = Written { value, number: u64::from(value) };
        self.books.acknowledged(key, written, node, self.world.now());
    }

    /// So many acknowledged writes, and time to replicate them if nothing is in the way.
    #[track_caller]
    fn write(&mut self, node: NodeNo, key: Key, times: u32) {
        for _ in 0..times {
            let value = self.increment(node, key);
            self.acknowledge(node, key, value);
        }
        self.pass(Span::millis(50));
    }

    /// RPUSH of what the so many-th write pushes, which is acknowledged.
    #[track_caller]
    fn push(&mut self, key: Key, number: u64) {
        let name = String::from_utf8(self.books.name(key).to_vec()).unwrap();
        let Reply::Int(length) = self.ask(MASTER, &format!("rpush {name} {number}")) else {
            panic!("a number")
        };
        let written = Written { value: u32::try_from(length).unwrap(), number };
        self.books.acknowledged(key, written, MASTER, self.world.now());
    }

    fn separate(&mut self) {
        self.world.cut(MASTER, REPLICA);
        self.world.cut(REPLICA, MASTER);
    }

    fn isolate(&mut self) {
        self.world.partition(&[vec![MASTER]]);
    }

    /// The books at last: kept, unknown, applied.
    fn balance(&mut self) -> (u64, u64, u64) {
        let balance = self.books.balance(&self.world);
        (balance.kept, balance.unknown, balance.applied)
    }

    /// The values that are lost, each with what took it.
    fn losses(&self) -> Vec<(u32, Cause)> {
        let cause = |loss: &Loss| (loss.value, self.books.events[loss.event].cause);
        self.books.losses.iter().map(cause).collect()
    }
}

#[test]
fn what_is_acknowledged_and_there_is_kept() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 3);
    desk.write(MASTER, B, 2);
    assert_eq!(desk.balance(), (5, 0, 0));
    assert_eq!((desk.losses(), desk.books.events.len()), (vec![], 0));
    assert_eq!((desk.books.value(A), desk.books.value(B)), (3, 2));
}

#[test]
fn what_is_there_without_an_acknowledgement_is_applied() {
    let mut desk = Desk::new();
    desk.increment(MASTER, A);
    assert_eq!(desk.balance(), (0, 0, 1));
}

#[test]
fn a_write_that_is_repeated_after_a_time_out_is_kept_once_and_applied_once() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 1);
    assert_eq!(desk.increment(MASTER, A), 2, "its answer comes too late to be read");
    desk.write(MASTER, A, 1);
    assert_eq!(desk.balance(), (2, 0, 1));
    assert_eq!(desk.losses(), []);
}

#[test]
fn what_is_refused_is_nowhere() {
    let mut desk = Desk::new();
    let name = String::from_utf8(desk.books.name(A).to_vec()).unwrap();
    let moved = desk.ask(OTHER, &format!("incr {name}"));
    assert!(moved.error().is_some_and(|error| error.starts_with("MOVED 3300 ")), "{moved:?}");
    assert_eq!(desk.balance(), (0, 0, 0));
}

#[test]
fn what_a_promoted_replica_has_not_got_is_lost_by_the_failover() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 2);
    desk.separate();
    desk.pass(Span::millis(50));
    let before = desk.world.now();
    desk.write(MASTER, A, 3);
    desk.world.kill(MASTER).unwrap();
    desk.wait_for_role(REPLICA, true);
    desk.pass(Span::secs(1));
    let cause = Cause::Failover { heir: REPLICA, master: Some(MASTER), epoch: 4 };
    assert_eq!(desk.losses(), [(5, cause), (4, cause), (3, cause)]);
    for loss in &desk.books.losses {
        let (at, by) = loss.acknowledged.unwrap();
        assert!(at > before && by == MASTER && loss.key == "{b}:0:0", "{loss:?}");
    }
    assert_eq!((desk.books.failovers, desk.books.events.len()), (1, 1));
    assert_eq!(desk.books.events[0].lost, 3);
    assert_eq!(desk.balance(), (2, 0, 0));
    // The next write gets a number that was lost, and is another write.
    desk.write(REPLICA, A, 1);
    assert_eq!((desk.balance(), desk.books.value(A)), ((3, 0, 0), 3));
}

#[test]
fn a_failover_takes_nothing_that_was_replicated() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 5);
    desk.world.kill(MASTER).unwrap();
    desk.wait_for_role(REPLICA, true);
    assert_eq!((desk.losses(), desk.books.events[0].lost), (vec![], 0));
    assert_eq!(desk.balance(), (5, 0, 0));
}

#[test]
fn what_a_replaced_master_acknowledges_is_lost_when_it_drops_its_data() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 1);
    desk.isolate();
    desk.pass(Span::millis(50));
    desk.write(MASTER, A, 1);
    desk.ask(REPLICA, "cluster failover takeover");
    desk.wait_for_role(REPLICA, true);
    let failover = Cause::Failover { heir: REPLICA, master: Some(MASTER), epoch: 4 };
    assert_eq!(desk.losses(), [(2, failover)]);

    // It does not know yet, and goes on.
    desk.write(MASTER, A, 2);
    let merge = |over| Cause::Merge { master: MASTER, heir: REPLICA, epoch: 4, over };
    assert_eq!(desk.losses(), [(2, failover), (3, merge(false)), (4, merge(false))]);
    desk.write(REPLICA, A, 1);
    assert_eq!(desk.balance(), (2, 0, 0));

    // A full synchronisation takes what it had.
    let healed = desk.world.now();
    desk.world.heal();
    desk.wait_for_role(MASTER, false);
    desk.pass(Span::secs(2));
    assert_eq!(desk.losses(), [(2, failover), (3, merge(true)), (4, merge(true))]);
    assert!(desk.books.events[1].at > healed && desk.books.events[1].lost == 2);
    assert_eq!(desk.balance(), (2, 0, 0));
}

#[test]
fn an_answer_of_a_replaced_master_that_comes_late_may_be_about_what_its_heir_has() {
    let mut desk = Desk::new();
    let value = desk.increment(MASTER, A);
    desk.pass(Span::millis(50));
    desk.isolate();
    desk.ask(REPLICA, "cluster failover takeover");
    desk.wait_for_role(REPLICA, true);
    desk.acknowledge(MASTER, A, value);
    assert_eq!((desk.balance(), desk.losses()), ((1, 0, 0), vec![]));
}

#[test]
fn a_process_that_comes_back_with_an_empty_disk_has_lost_everything() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 2);
    desk.write(MASTER, B, 1);
    desk.world.kill(MASTER).unwrap();
    desk.world.start(MASTER).unwrap();
    desk.pass(Span::secs(3));
    let cause = Cause::Restart(MASTER);
    assert_eq!(desk.losses(), [(2, cause), (1, cause), (1, cause)]);
    assert_eq!((desk.balance(), desk.books.events.len()), ((0, 0, 0), 1));
}

#[test]
fn a_process_that_comes_back_with_its_file_has_lost_nothing() {
    let mut desk = Desk::configured(|config| config.appendonly = true);
    desk.write(MASTER, A, 2);
    desk.world.kill(MASTER).unwrap();
    desk.world.start(MASTER).unwrap();
    desk.pass(Span::secs(3));
    assert_eq!((desk.balance(), desk.losses(), desk.books.events.len()), ((2, 0, 0), vec![], 0));
}

#[test]
fn a_flush_takes_everything() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 2);
    desk.ask(MASTER, "flushall");
    desk.pass(Span::millis(50));
    assert_eq!(desk.losses(), [(2, Cause::Flush(MASTER)), (1, Cause::Flush(MASTER))]);
    assert_eq!(desk.balance(), (0, 0, 0));
}

#[test]
fn what_is_gone_without_any_of_these_was_lost_unseen() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 3);
    desk.ask(MASTER, "decr {b}:0:0");
    assert_eq!(desk.balance(), (2, 0, 0));
    assert_eq!(desk.losses(), [(3, Cause::Unseen(MASTER))]);
}

#[test]
fn a_write_to_a_key_that_somebody_else_has_set_below_zero_is_lost_with_all_before_it() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 2);
    desk.ask(MASTER, "set {b}:0:0 -1");
    desk.write(MASTER, A, 2);
    assert_eq!(desk.balance(), (1, 0, 0), "the last has brought it from 0 to 1");
    let unseen = Cause::Unseen(MASTER);
    assert_eq!(desk.losses(), [(2, unseen), (1, unseen), (0, unseen)]);
}

#[test]
fn nobody_knows_of_slots_that_nobody_serves() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 3);
    desk.world.kill(MASTER).unwrap();
    desk.world.kill(REPLICA).unwrap();
    desk.pass(Span::secs(5));
    assert_eq!((desk.balance(), desk.losses()), ((0, 3, 0), vec![]));
}

#[test]
fn what_wait_has_counted_survives_a_failover_and_what_it_has_not_was_not_acknowledged() {
    let mut desk = Desk::new();
    // WAIT is about the writes of its own connection.
    let write = |desk: &mut Desk| {
        let address = desk.world.address(MASTER);
        let client = desk.world.client_connect(address.ip(), address.port());
        desk.world.client_send(client, args(["INCR", "{b}:0:0"]));
        desk.world.client_send(client, args(["WAIT", "1", "50"]));
        let mut numbers = Vec::new();
        while numbers.len() < 2 {
            match desk.world.client_take(client) {
                Some(ClientEvent::Reply(Reply::Int(number))) => numbers.push(number as u32),
                Some(ClientEvent::Connected) => {}
                Some(other) => panic!("{other:?}"),
                None => desk.step(),
            }
        }
        if numbers[1] >= 1 {
            desk.acknowledge(MASTER, A, numbers[0]);
        }
        numbers[1]
    };
    assert_eq!((write(&mut desk), write(&mut desk)), (1, 1));
    desk.separate();
    assert_eq!(write(&mut desk), 0);
    assert_eq!(desk.balance(), (2, 0, 1), "it is there, and may go");
    desk.world.kill(MASTER).unwrap();
    desk.wait_for_role(REPLICA, true);
    assert_eq!((desk.balance(), desk.losses()), ((2, 0, 0), vec![]));
}

#[test]
fn long_ago_only_the_number_of_writes_is_known() {
    let mut desk = Desk::new();
    let many = REMEMBERED as u32 + 10;
    desk.write(MASTER, A, many);
    desk.ask(MASTER, "flushall");
    desk.pass(Span::millis(50));
    let known = |loss: &&Loss| loss.acknowledged.is_some();
    let losses = &desk.books.losses;
    assert_eq!(losses.len() as u32, many);
    assert_eq!(losses.iter().filter(known).count(), REMEMBERED);
    assert_eq!(losses.iter().map(|loss| loss.value).min(), Some(1));
    assert_eq!(desk.balance(), (0, 0, 0));
}

/// Begins to move the slot to another master, and moves one of its keys.
fn move_key(desk: &mut Desk, key: &str) {
    let id = |desk: &mut Desk, node| desk.ask(node, "cluster myid").text().unwrap().to_owned();
    let (from, to) = (id(desk, MASTER), id(desk, OTHER));
    desk.ask(OTHER, &format!("cluster setslot 3300 importing {from}"));
    desk.ask(MASTER, &format!("cluster setslot 3300 migrating {to}"));
    let port = desk.world.address(OTHER).port();
    let moved = desk.ask(MASTER, &format!("migrate 127.0.0.1 {port} {key} 0 1000"));
    assert_eq!(moved, Reply::ok());
}

#[test]
fn a_key_that_has_left_the_owner_of_its_slot_is_where_the_slot_goes() {
    let mut desk = Desk::configured(|config| config.appendonly = true);
    desk.write(MASTER, A, 2);
    desk.write(MASTER, B, 3);
    move_key(&mut desk, "{b}:0:0");
    assert_eq!((desk.balance(), desk.losses()), ((5, 0, 0), vec![]));
    desk.world.kill(MASTER).unwrap();
    desk.world.start(MASTER).unwrap();
    desk.pass(Span::secs(3));
    assert_eq!((desk.balance(), desk.losses()), ((5, 0, 0), vec![]));
}

#[test]
fn who_has_given_a_slot_away_can_lose_nothing_of_it() {
    let mut desk = Desk::new();
    desk.write(MASTER, A, 2);
    move_key(&mut desk, "{b}:0:0");
    let to = desk.ask(OTHER, "cluster myid").text().unwrap().to_owned();
    for node in [OTHER, MASTER] {
        desk.ask(node, &format!("cluster setslot 3300 node {to}"));
    }
    desk.pass(Span::secs(2));
    desk.world.kill(MASTER).unwrap();
    desk.world.start(MASTER).unwrap();
    desk.pass(Span::secs(3));
    assert_eq!((desk.balance(), desk.losses()), ((2, 0, 0), vec![]));
    // Who has got it can.
    desk.world.kill(OTHER).unwrap();
    desk.world.start(OTHER).unwrap();
    desk.pass(Span::secs(3));
    assert_eq!(desk.losses(), [(2, Cause::Restart(OTHER)), (1, Cause::Restart(OTHER))]);
}

#[test]
fn a_list_is_right_up_to_the_first_element_that_is_not_where_it_was_acknowledged_to_be() {
    let list = "{b}:0:0";
    let cases = [
        ("ping", (4, 0, 0)),
        ("rpush {l} 9", (4, 0, 1)),
        ("lpush {l} 9", (0, 0, 0)),
        ("rpop {l}", (3, 0, 0)),
        ("lpop {l}", (0, 0, 0)),
        ("lset {l} 2 9", (2, 0, 0)),
        ("lset {l} 2 x", (2, 0, 0)),
        ("del {l}", (0, 0, 0)),
        ("set {l} 4", (0, 0, 0)),
    ];
    for (command, expected) in cases {
        let mut desk = Desk::writing(Write::Push, |_| {});
        (1..=4).for_each(|number| desk.push(A, number * 10));
        assert_eq!(desk.ask(MASTER, &command.replace("{l}", list)).error(), None, "{command}");
        assert_eq!(desk.balance(), expected, "{command}");
        assert_eq!(desk.losses().len() as u64, 4 - expected.0, "{command}");
    }
}

#[test]
fn what_is_pushed_after_a_loss_stands_in_the_place_of_what_was_lost() {
    let mut desk = Desk::writing(Write::Push, |_| {});
    (1..=4).for_each(|number| desk.push(A, number));
    desk.ask(MASTER, "rpop {b}:0:0");
    (5..=6).for_each(|number| desk.push(A, number));
    assert_eq!(desk.balance(), (5, 0, 0), "1 2 3 5 6");
    assert_eq!(desk.losses(), [(4, Cause::Unseen(MASTER))]);
}
