//! redis-cli that dies on its way, and redis-cli in the background.

mod common;

use std::ops::ControlFlow;

use redis_cluster_sim::report::json::JsonLines;
use redis_cluster_sim::scenario::plan::Plan;
use redis_cluster_sim::scenario::record::{Ending, Record, Sink, What};
use redis_cluster_sim::scenario::{self, runner};
use redis_cluster_sim::time::{Span, Time};

/// Three masters: their ports, ids and slots.
const NODES: [(u16, &str, &str); 3] = [
    (21701, "110c0352be94d74f10fe4ba4c95f25090564849b", "10-5460"),
    (21702, "d8012c25d37199bd64128028892c4c2a70f79ac2", "0-9 5461-10922"),
    (21703, "3598fb31ee337ac0644ee296ded57a7f8a7dc084", "10923-16383"),
];

/// Slots 10 and 11 move from the first to the second node.
const RESHARD: &str = "redis-cli --cluster reshard 127.0.0.1:21701 \
    --cluster-from 110c0352be94d74f10fe4ba4c95f25090564849b \
    --cluster-to d8012c25d37199bd64128028892c4c2a70f79ac2 --cluster-slots 2 --cluster-yes";

/// A scenario in which [`NODES`] are a cluster already, and these steps follow.
fn plan(steps: &[&str], overrides: &[&str]) -> Plan {
    let mut text = String::from("[config]\ncluster-node-timeout = 3000\n");
    for (port, id, _) in NODES {
        text += &format!("[[node]]\nport = {port}\nid = '{id}'\nnodes-conf = '''\n");
        for (number, (other, name, slots)) in NODES.iter().enumerate() {
            let (bus, epoch) = (other + 10_000, number + 1);
            let flags = if *other == port { "myself,master" } else { "master" };
            let address = format!("127.0.0.1:{other}@{bus}");
            text += &format!("{name} {address} {flags} - 0 0 {epoch} connected {slots}\n");
        }
        text += "vars currentEpoch 3 lastVoteEpoch 0\n'''\n";
    }
    let start = ["start all", "wait until cluster ok within 10s"];
    let steps: Vec<String> = start.iter().chain(steps).map(|step| format!("{step:?}")).collect();
    text += &format!("[script]\nsteps = [\n{}\n]\n", steps.join(",\n"));
    let overrides: Vec<String> = overrides.iter().map(|pair| (*pair).to_owned()).collect();
    scenario::load("a.toml", text.as_bytes(), &overrides)
        .unwrap_or_else(|rejected| panic!("{}", rejected.render()))
}

/// Keeps all records.
#[derive(Default)]
struct Keeper(Vec<Record>);

impl Sink for Keeper {
    fn record(&mut self, record: &Record) -> ControlFlow<()> {
        self.0.push(record.clone());
        ControlFlow::Continue(())
    }
}

/// The request at which a run's redis-cli died.
fn last_request(plan: &Plan) -> Option<String> {
    let mut keeper = Keeper::default();
    runner::run(plan, &runner::Options::default(), &mut keeper);
    keeper.0.into_iter().find_map(|record| match record.what {
        What::Aborted { last, .. } => Some(last),
        _ => None,
    })
}

#[track_caller]
fn fails(plan: &Plan, ending: Ending, message: &str, label: &str) {
    let (text, summary) = common::try_run(plan);
    let failure = summary.failure.unwrap_or_else(|| panic!("it went well:\n{text}"));
    assert_eq!(summary.ending, ending, "{failure:?}");
    assert_eq!((failure.message.as_str(), failure.label.as_str()), (message, label));
}

#[test]
fn requests_are_counted_as_recordings_of_the_wire_list_them() {
    let recording = common::path("tests/data/transcripts/wire-reshard-2-slots.txt");
    let recording = std::fs::read_to_string(recording).unwrap();
    let listed = recording.lines().map(str::trim_start).filter(|line| line.contains(" <- "));
    let requests: Vec<&str> = listed.filter(|line| !line.ends_with("(connect)")).collect();
    assert_eq!(requests.len(), 19);
    let last = |count: usize, seed: u64| {
        let abort = format!("abort after {count}: {RESHARD}");
        last_request(&plan(&[&abort], &[&format!("seed={seed}")])).unwrap()
    };
    // The order in which the first node lists the others is a matter of luck.
    let seed = (1..50).find(|&seed| last(3, seed) == requests[2]).unwrap();
    for (number, request) in requests.iter().enumerate() {
        assert_eq!(last(number + 1, seed), *request);
    }
    assert_eq!(last_request(&plan(&[&format!("abort after 20: {RESHARD}")], &[])), None);
}

/// A reshard of a slot with three keys, two of which go first, dies; then a fix, with these answers.
fn mend(count: usize, answers: &[&str]) -> Plan {
    let abort = format!("abort after {count}: {RESHARD} --cluster-pipeline 2");
    let before = [
        "redis-cli -c -p 21701",
        "> set {7Ok}a 1",
        "> set {7Ok}b 2",
        "> set {7Ok}c 3",
        "> cluster keyslot {7Ok}",
        "expect output contains \"(integer) 10\\n\"",
        &abort,
        "wait 3s",
        "redis-cli --cluster fix 127.0.0.1:21701",
    ];
    let after = [
        "wait 3s",
        "redis-cli --cluster check 127.0.0.1:21701",
        "expect output contains '[OK] 3 keys in 3 masters.'",
        "expect output contains '[OK] All nodes agree about slots configuration.'",
        "expect output contains '[OK] All 16384 slots covered.'",
        "expect not output contains 'WARNING'",
        "redis-cli -c -p 21703 get {7Ok}a",
        "expect output contains '1'",
        "redis-cli -c -p 21703 get {7Ok}c",
        "expect output contains '3'",
    ];
    plan(&[before.as_slice(), answers, after.as_slice()].concat(), &[])
}

#[test]
fn whatever_request_a_reshard_dies_at_a_fix_mends_it() {
    let mut asked = Vec::new();
    for count in 1..=23 {
        let (mut text, summary) = common::try_run(&mend(count, &[]));
        if summary.ending != Ending::Done {
            asked.push(count);
            (text, _) = common::run(&mend(count, &["> yes"]));
            assert!(text.contains("slots have keys in just one node:\n[10]\n"), "{text}");
        }
        assert!(text.contains(&format!("aborted after request {count}: ")), "{text}");
    }
    // Once the source was told that the slot is not its own any more, nobody serves it until the
    // target is told, too: the next in the list, or the last.
    assert!(asked == [15] || asked == [15, 16], "{asked:?}");
}

#[test]
fn the_last_request_is_carried_out_although_nobody_reads_the_reply() {
    let abort = format!("abort after 9: {RESHARD}");
    let steps = [
        abort.as_str(),
        "redis-cli -p 21701 cluster nodes",
        "expect output contains '[10->-d8012c25d37199bd64128028892c4c2a70f79ac2]'",
        "redis-cli -p 21702 cluster nodes",
        "expect output contains '[10-<-110c0352be94d74f10fe4ba4c95f25090564849b]'",
    ];
    let (text, _) = common::run(&plan(&steps, &[]));
    let last = "Moving slot 10 from 127.0.0.1:21701 to 127.0.0.1:21702: \n\
        # 00:00:02.037 aborted after request 9: 127.0.0.1:21701 <- CLUSTER SETSLOT 10 migrating \
        d8012c25d37199bd64128028892c4c2a70f79ac2\n\n$ redis-cli -p 21701";
    let masked = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "0");
    assert!(masked(&text).contains(&masked(last)), "{text}");
}

#[test]
fn a_fault_that_never_comes_is_a_failure() {
    let check = "abort after 11: redis-cli --cluster check 127.0.0.1:21701";
    let message = "redis-cli has ended before it was aborted";
    fails(&plan(&[check], &[]), Ending::Unexpected, message, "it has sent 10 requests only");
}

#[test]
fn what_dies_needs_the_answers_to_what_it_asks_before() {
    let reshard = |count: u32| {
        format!("abort after {count}: redis-cli --cluster reshard 127.0.0.1:21701 --cluster-yes")
    };
    let answers = ["> 2", "> d8012c25d37199bd64128028892c4c2a70f79ac2", "> all"];
    let late = reshard(9);
    let steps = [&[late.as_str()], answers.as_slice()].concat();
    let (text, _) = common::run(&plan(&steps, &[]));
    assert!(text.contains("(from 1 to 16384)? 2\n"), "{text}");
    assert!(text.contains("Source node #1: all\n"), "{text}");

    let label = "it asks `What is the receiving node ID?`";
    let steps = &steps[..2];
    fails(&plan(steps, &[]), Ending::Impossible, "an answer is missing", label);

    let early = reshard(3);
    let (text, _) = common::run(&plan(&[&early], &[]));
    assert!(text.contains("aborted after request 3: "), "{text}");
    let label = "redis-cli has ended without reading this line";
    let steps = [early.as_str(), "> 2"];
    fails(&plan(&steps, &[]), Ending::Impossible, "nobody reads this line", label);
}

/// Slots 10 to 29 move in the background.
fn background() -> String {
    format!("in background: {RESHARD}").replace("--cluster-slots 2", "--cluster-slots 20")
}

#[test]
fn a_script_goes_on_while_redis_cli_works_in_the_background() {
    let background = background();
    let steps = [
        background.as_str(),
        "wait until slot 15 owner 21702 within 5s",
        "redis-cli -p 21701 get x",
        "expect not output contains 'Moving'",
        "expect slot 25 owner 21701",
        "wait for redis-cli within 5s",
        "expect slot 29 owner 21702",
        "expect output contains 'Moving slot 10 from'",
        "expect output contains 'Moving slot 29 from'",
    ];
    let (text, _) = common::run(&plan(&steps, &[]));
    let places = [
        "--cluster-slots 20 --cluster-yes &\n>>> Performing Cluster Check",
        "Moving slot 14 from 127.0.0.1:21701 to 127.0.0.1:21702: \n",
        "wait until slot 15 owner 21702 within 5s (",
        "$ redis-cli -p 21701 get x\n(",
        "\n\nMoving slot ",
        "wait for redis-cli within 5s (",
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part:?} in\n{text}")));
    assert!(places.is_sorted(), "{places:?}\n{text}");
    // The reply of the command between was not torn apart.
    assert_eq!(
        text.matches("$ redis-cli -p 21701 get x\n(error) MOVED 16287").count(),
        1,
        "{text}"
    );
}

#[test]
fn keys_that_have_arrived_leave_their_old_node_although_migrate_fails_11_16() {
    let background = background();
    let steps = [
        "redis-cli -p 21701 mset {7Ok}a 1 {7Ok}b 2",
        background.as_str(),
        "wait until 21702 {7Ok}a = '1' within 5s",
        "expect not 21702 {7Ok}b = '2'",
        "kill 21702",
        "wait for redis-cli",
        "expect output contains 'IOERR error or timeout reading to target instance'",
        "expect not 21701 {7Ok}a = '1'",
        "expect 21701 {7Ok}b = '2'",
    ];
    common::run(&plan(&steps, &[]));
}

#[test]
fn answers_are_typed_before_redis_cli_goes_into_the_background() {
    let reshard = background().replace(" --cluster-yes", "");
    let steps = [reshard.as_str(), "> yes", "expect slot 10 owner 21701", "wait for redis-cli"];
    let (text, _) = common::run(&plan(&steps, &[]));
    assert!(text.contains("reshard plan (yes/no)? yes\nMoving slot 10 from"), "{text}");
    let steps = [reshard.as_str(), "> no", "wait for redis-cli"];
    let (text, _) = common::run(&plan(&steps, &[]));
    assert!(!text.contains("to 127.0.0.1:21702: "), "{text}");
}

#[test]
fn redis_cli_in_the_background_can_be_waited_for_in_vain() {
    let background = background();
    let waiting = "wait for redis-cli within 20s";
    let steps = [background.as_str(), "wait 5ms", "pause 21702", waiting, "resume 21702"];
    let paused = plan(&steps, &[]);
    fails(&paused, Ending::InVain, "waited 20s in vain", "redis-cli still works");
    let limited = plan(&steps, &["limit=9s"]);
    let (_, summary) = common::try_run(&limited);
    assert_eq!(summary.ending, Ending::Limit);
    let until = Some(Time::ZERO + Span::secs(8));
    let stopped = runner::Options { until, ..runner::Options::default() };
    let finished = runner::run(&limited, &stopped, &mut Keeper::default());
    assert_eq!(finished.summary.ending, Ending::Stopped);
}

#[test]
fn a_question_in_the_background_needs_its_answer_too() {
    // Whether a fix asks anything depends on what it finds.
    let fix = "in background: redis-cli --cluster fix 127.0.0.1:21701";
    let steps = [
        "redis-cli -p 21701 cluster delslots 20",
        "redis-cli -p 21702 cluster delslots 20",
        "redis-cli -p 21703 cluster delslots 20",
        fix,
        "wait for redis-cli",
    ];
    let question = "it asks `Fix these slots by covering with a random node? (type 'yes' to \
        accept):`";
    fails(&plan(&steps, &[]), Ending::Impossible, "an answer is missing", question);
}

#[test]
fn records_tell_what_died_and_what_was_in_the_background() {
    let abort = format!("abort after 2: {RESHARD}");
    let background = background();
    let help = "in background: redis-cli --cluster help";
    let steps = [
        abort.as_str(),
        "redis-cli -p 21701 ping",
        &background,
        "wait for redis-cli",
        help,
        "wait for redis-cli",
    ];
    let plan = plan(&steps, &[]);
    let mut bytes = Vec::new();
    let mut sink = JsonLines::new(&mut bytes, &plan);
    runner::run(&plan, &runner::Options::default(), &mut sink);
    let text = String::from_utf8(bytes).unwrap();
    let records: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of =
        |kind: &str| records.iter().filter(|record| record["type"] == kind).collect::<Vec<_>>();
    let [aborted] = of("aborted")[..] else { panic!("{text}") };
    assert_eq!(aborted["requests"], 2);
    assert_eq!(aborted["last"], "127.0.0.1:21701 <- CLUSTER NODES");
    // It is in the background even if it is over before the script goes on.
    let exits: Vec<_> = of("exited").iter().map(|exit| exit["background"].clone()).collect();
    assert_eq!(exits, [serde_json::Value::Null, true.into(), true.into()]);
    let commands: Vec<_> = of("command").iter().map(|command| command["text"].clone()).collect();
    assert_eq!(commands[0], RESHARD);
    assert!(commands[2].as_str().unwrap().ends_with("--cluster-yes &"), "{commands:?}");
    let output = of("output");
    let is_moving = |record: &&&serde_json::Value| {
        record["text"].as_str().unwrap().contains("Moving slot 29 from 127.0.0.1:21701")
    };
    assert!(output.iter().filter(is_moving).all(|record| record["background"] == true));
    assert!(
        output.iter().any(|record| record["text"] == "PONG\n" && record["background"].is_null())
    );
}
