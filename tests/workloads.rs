//! What becomes of clients' writes when masters die or are cut off.

mod common;

use std::ops::ControlFlow;

use redis_cluster_sim::network::NodeNo;
use redis_cluster_sim::scenario::record::{Ending, Record, Sink, What};
use redis_cluster_sim::scenario::{self, runner};
use redis_cluster_sim::time::{Span, Time};
use redis_cluster_sim::workload::{Figure, Summary};

/// Keeps what workloads have to say, and when steps were done.
#[derive(Default)]
struct Account {
    summaries: Vec<Summary>,
    steps: Vec<(String, Time)>,
}

impl Sink for Account {
    fn record(&mut self, record: &Record) -> ControlFlow<()> {
        match &record.what {
            What::Workload(outcome) => self.summaries.push(outcome.summary.clone()),
            What::Step(text, _) => self.steps.push((text.clone(), record.at)),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Account {
    #[track_caller]
    fn done(&self, step: &str) -> Time {
        self.steps.iter().find(|(text, _)| text == step).unwrap().1
    }
}

/// A scenario that goes well.
#[track_caller]
fn account(text: &str, seed: u64) -> Account {
    let plan = scenario::load("a.toml", text.as_bytes(), &[format!("seed={seed}")])
        .unwrap_or_else(|error| panic!("{}", error.render()));
    let mut sink = Account::default();
    let summary = runner::run(&plan, &runner::Options::default(), &mut sink).summary;
    assert_eq!(summary.ending, Ending::Done, "seed {seed}: {:?}", summary.failure);
    sink
}

/// The summaries of a scenario that goes well.
#[track_caller]
fn summaries(text: &str, seed: u64) -> Vec<Summary> {
    account(text, seed).summaries
}

/// How a scenario ends that does not go well, and what is said of it.
#[track_caller]
fn failure(text: &str, seed: u64) -> (Ending, String) {
    let plan = scenario::load("a.toml", text.as_bytes(), &[format!("seed={seed}")])
        .unwrap_or_else(|error| panic!("{}", error.render()));
    let mut sink = Account::default();
    let summary = runner::run(&plan, &runner::Options::default(), &mut sink).summary;
    let failure = summary.failure.map(|failure| failure.label).unwrap_or_default();
    (summary.ending, failure)
}

/// Three masters with replicas and one client, and what is done to them.
fn cluster(workload: &str, config: &str, steps: &str) -> String {
    format!(
        "[config]\ncluster-node-timeout = 2000\n{config}\n[cluster]\nmasters = 3\nreplicas-per-master = 1\n\
         formed = true\n[[workload]]\nname = \"w\"\nrate = 200\n{workload}\n[script]\nsteps = [\n\
         'start workload w', 'wait 5s', {steps},\n\
         'stop workload w']\n"
    )
}

#[test]
fn a_write_that_is_gone_is_missed_and_so_is_one_too_many() {
    let then = |steps: &str| {
        let text = cluster("keys = 1", "", "'expect workload w acknowledged > 500'");
        let kept = "'expect workload w lost = 0', 'expect workload w kept = acknowledged', \
                    'expect workload w applied = 0'";
        text.replace("'stop workload w']", &format!("'stop workload w', {steps}, {kept}]"))
    };
    let all = summaries(&then("'wait 1s'"), 1)[0].figure(Figure::Acknowledged);
    let unmet = |steps: &str, found: &str| {
        assert_eq!(failure(&then(steps), 1), (Ending::Unexpected, found.to_owned()));
    };
    unmet("'send via 7000 del w:0:0'", &format!("it is {all}"));
    unmet("'send via 7000 decr w:0:0'", "it is 1");
    unmet("'send 3 times via 7000 incr w:0:0'", "it is 3");
    // It has gone down with the only two that have it, which may come back.
    unmet("'kill 7001 7004'", &format!("`kept` is 0, `acknowledged` is {all}"));
}

#[test]
fn a_killed_master_takes_no_acknowledged_write_with_it_on_a_fast_network() {
    let steps =
        "'wait 0s..1s', 'kill 7000', 'wait until 7003 info role = master within 10s', 'wait 3s'";
    for seed in 0..60 {
        let all = summaries(&cluster("", "", steps), seed);
        let figure = |figure| all[0].figure(figure);
        assert!(figure(Figure::Acknowledged) > 1_000, "seed {seed}");
        assert_eq!(figure(Figure::Failovers), 1, "seed {seed}");
        assert_eq!(figure(Figure::Lost), 0, "seed {seed}: {:?}", all[0].losses);
        assert!(figure(Figure::LongestOutage) > 1_000, "seed {seed}: its slots were down");
    }
}

/// A client is cut off together with its master; all are together again in the end.
const CUT_OFF: &str = "'partition 7000 | rest', 'wait until 7003 info role = master within 20s', \
                       'wait 2s', 'heal', 'wait until 7000 info role = slave within 20s', 'wait 2s'";
/// All its keys are in slot 3300, which is that master's.
const BESIDE: &str = "beside = \"7000\"\nprefix = \"{b}\"\ntimeout = \"100ms\"";

#[test]
fn a_client_that_is_cut_off_with_its_master_loses_what_is_acknowledged_until_that_stops() {
    let steps =
        CUT_OFF.replace(", 'wait until 7003", ", 'wait until 7000 state fail', 'wait until 7003");
    for seed in 0..60 {
        let account = account(&cluster(BESIDE, "", &steps), seed);
        let summary = &account.summaries[0];
        let cut = account.done("partition 7000 | rest");
        let stop = account.done("wait until 7000 state fail");
        // A ping goes out when the last pong is half a timeout old, and waits for a whole one. The
        // cron that looks runs every 100 ms.
        let stopped_ms = stop.since(cut).as_millis();
        assert!((2_000..=3_100).contains(&stopped_ms), "seed {seed}: {stopped_ms} ms");

        let losses: Vec<Time> =
            summary.losses.iter().map(|loss| loss.acknowledged.unwrap().0).collect();
        let (first, last) = (*losses.iter().min().unwrap(), *losses.iter().max().unwrap());
        // A replica has what it got before; what was on its way then is lost, too.
        assert!(first + Span::millis(10) > cut, "seed {seed}: {first:?} before {cut:?}");
        assert!(first < cut + Span::millis(30), "seed {seed}: {first:?}, cut at {cut:?}");
        assert!(last <= stop + Span::millis(5), "seed {seed}: {last:?}, stopped at {stop:?}");
        assert!(last + Span::millis(30) > stop, "seed {seed}: {last:?}, stopped at {stop:?}");
        assert_eq!(summary.figure(Figure::LostUnseen), 0, "seed {seed}");

        // Whatever was acknowledged from the cut until the stop is among them, as the same run
        // says if it is ended there.
        let acknowledged = |steps: &str| {
            summaries(&cluster(BESIDE, "", steps), seed)[0].figure(Figure::Acknowledged)
        };
        let before = acknowledged("'wait 0s'");
        let meanwhile =
            acknowledged("'partition 7000 | rest', 'wait until 7000 state fail'") - before;
        // One may be under way at the cut.
        let lost = summary.figure(Figure::Lost);
        assert!((meanwhile..=meanwhile + 1).contains(&lost), "seed {seed}: {lost} of {meanwhile}");
    }
}

#[test]
fn wait_and_min_replicas_save_a_client_that_is_cut_off() {
    for seed in 1..=5 {
        let lost = |workload: &str, config: &str| {
            let workload = format!("{BESIDE}\n{workload}");
            summaries(&cluster(&workload, config, CUT_OFF), seed)[0].figure(Figure::Lost)
        };
        let without = lost("", "");
        let with_wait = lost("wait = 1\nwait-limit = \"50ms\"", "");
        let with_min = lost("", "min-replicas-to-write = 1\nmin-replicas-max-lag = 1");
        assert_eq!(with_wait, 0, "seed {seed}: what no replica has is not acknowledged");
        assert!(with_min < without, "seed {seed}: {with_min} of {without}");
    }
}

#[test]
fn clients_that_check_notice_what_is_lost() {
    let workload = format!("{BESIDE}\nkeys = 100\nchecks = true");
    for seed in 1..=5 {
        let steps = format!("{CUT_OFF}, 'wait 10s'");
        let all = summaries(&cluster(&workload, "", &steps), seed);
        let figure = |figure| all[0].figure(figure);
        assert!(figure(Figure::Lost) > 50, "seed {seed}");
        // What is lost of a key is found again if the write after the look fails, and what was applied
        // in its place without an acknowledgement makes it less.
        let (noticed, lost) = (figure(Figure::NoticedLost), figure(Figure::Lost));
        assert!(noticed.abs_diff(lost) <= lost / 10, "seed {seed}: {noticed} of {lost}");
        assert_eq!(figure(Figure::Reads), figure(Figure::Writes), "seed {seed}");
    }
    let quiet = summaries(&cluster("checks = true", "", "'wait 1s'"), 1);
    assert_eq!(quiet[0].figure(Figure::NoticedLost), 0);
    assert_eq!(quiet[0].figure(Figure::NoticedApplied), 0);
}

#[test]
fn a_workload_is_stopped_as_soon_as_nothing_is_under_way() {
    for timeout in ["500ms", "30s", "2h"] {
        let text = cluster(&format!("unbounded = true\ntimeout = \"{timeout}\""), "", "'wait 1ms'");
        let text = text.replace("rate = 200\n", "");
        for seed in 1..=5 {
            let account = account(&text, seed);
            let (begin, end) = (account.done("wait 1ms"), account.done("stop workload w"));
            let took = end.since(begin);
            assert!(took > Span::ZERO, "seed {seed}: a command is under way at any time");
            assert!(took < Span::millis(10), "seed {seed}: {timeout}: {took:?}");
        }
    }
}

/// What a list holds after a failover is what its master had replicated, then what came later. Clients that got no answer have
/// pushed some elements twice, or not at all.
#[test]
fn every_element_of_a_list_is_accounted_for_when_its_master_dies() {
    let text = "[config]\ncluster-node-timeout = 2000\n\
                [cluster]\nmasters = 3\nreplicas-per-master = 1\nformed = true\n\
                [[workload]]\nname = \"w\"\ncommand = \"rpush\"\nkeys = 50\nclients = 4\nreads = \"10%\"\n\
                [script]\nsteps = ['start workload w', 'wait 3s', 'cut 7000 -> 7003', 'wait 500ms',\n\
                'kill 7000', 'wait 15s', 'stop workload w']\n";
    let mut lost = 0;
    for seed in 1..=5 {
        let all = summaries(text, seed);
        let summary = &all[0];
        let by_failover = summary.figure(Figure::LostByFailover);
        assert_eq!(summary.failovers, 1, "seed {seed}");
        assert_eq!(summary.losses.len() as u64, by_failover, "seed {seed}: {:?}", summary.events);
        assert_eq!(summary.kept + by_failover, summary.acknowledged, "seed {seed}");
        assert!(summary.kept > 1_000 && summary.reads > 100, "seed {seed}");
        lost += by_failover;
    }
    assert!(lost > 0, "what did not get to the replica is lost");
}

/// Half of the attempts reach nobody, the other half are answered by somebody else with MOVED.
#[test]
fn redis_rb_cluster_gives_a_command_up_after_sixteen_attempts() {
    let text = "[config]\ncluster-node-timeout = 2000\ncluster-require-full-coverage = false\n\
                [cluster]\nmasters = 3\nformed = true\n\
                [[workload]]\nname = \"w\"\nlibrary = \"redis-rb-cluster\"\n\
                [script]\nsteps = ['start workload w', 'wait 5s', 'kill 7000', 'wait 30s',\n\
                'stop workload w']\n";
    for seed in 1..=5 {
        let all = summaries(text, seed);
        let moved = all[0].refused.get("MOVED").copied().unwrap_or(0);
        assert!(moved > 10, "seed {seed}: {:?}", all[0].refused);
        assert_eq!(all[0].refused.len(), 1, "seed {seed}: {:?}", all[0].refused);
        assert_eq!(all[0].unreachable + all[0].unanswered, 8 * moved, "seed {seed}");
        assert_eq!(all[0].redirections, 7 * moved, "seed {seed}");
        assert_eq!(all[0].given_up, 0, "seed {seed}");
        // Four pauses of 100 ms in the second half, and some 40 ms for commands that go well in between.
        let milliseconds = 30_000 / moved;
        assert!((425..475).contains(&milliseconds), "seed {seed}: one in {milliseconds} ms");
    }
}

/// What some minutes of the experiment of antirez.com/news/69 have come to.
#[derive(Debug, Default)]
struct Experiment {
    writes: [u64; 2],
    failovers: u64,
    /// It counted what its clients noticed.
    lost: u64,
    applied: u64,
}

/// What a day of it is said to have come to.
const PUBLISHED: Experiment =
    Experiment { writes: [8_500_000; 2], failovers: 1_000, lost: 2_000, applied: 800 };
/// What the documentation says that a day of it comes to here, with the seed of the scenario.
const DOCUMENTED: Experiment =
    Experiment { writes: [9_800_000, 9_600_000], failovers: 1_024, lost: 1_786, applied: 1_033 };

const DAY: u64 = 24 * 60;

impl Experiment {
    fn of(minutes: u64, seed: u64) -> Experiment {
        let path = common::path("scenarios/antirez_partitions.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let all = summaries(&text.replace("until 24h", &format!("until {minutes}m")), seed);
        let sum = |figure| all.iter().map(|one| one.figure(figure)).sum::<u64>();
        assert_eq!(sum(Figure::LostUnseen), 0, "every loss has its cause");
        let found = Experiment {
            writes: [0, 1].map(|client: usize| all[client].figure(Figure::Acknowledged)),
            failovers: all[0].figure(Figure::Failovers),
            lost: sum(Figure::NoticedLost),
            applied: sum(Figure::NoticedApplied),
        };
        eprintln!("seed {seed}: {found:?}");
        found
    }

    fn frequent(&self) -> [u64; 4] {
        [self.writes[0], self.writes[1], self.failovers, self.applied]
    }
}

/// Whether a figure is neither too small nor too large by more than a factor of so many percent.
#[track_caller]
fn is_about(found: u64, expected: u64, percent: u64, what: &dyn std::fmt::Debug) {
    let (low, high) = (expected * 100 / percent, expected * percent / 100);
    assert!((low..=high).contains(&found), "{found}, not {low} to {high}: {what:?}");
}

#[test]
fn a_cluster_that_is_never_whole_loses_about_as_much_as_a_real_one() {
    let (minutes, seeds) = (20, [69, 1, 2, 3]);
    let mut lost = 0;
    for seed in seeds {
        let found = Experiment::of(minutes, seed);
        for (found_one, in_a_day) in found.frequent().into_iter().zip(PUBLISHED.frequent()) {
            is_about(found_one, in_a_day * minutes / DAY, 200, &found);
        }
        lost += found.lost;
    }
    // As a rule it is 20 to 80 in two hours. The bursts that make up most of a day's losses are rare.
    let minutes = minutes * seeds.len() as u64;
    assert!((20 * minutes / 120..=80 * minutes / 120).contains(&lost), "{lost} in {minutes} min");
}

#[test]
#[ignore = "a day of virtual time: cargo test --release --test workloads -- --ignored"]
#[allow(clippy::disallowed_methods, reason = "how long it takes is part of the test")]
fn a_day_of_partitions_goes_as_it_did_in_reality() {
    let begin = std::time::Instant::now();
    let found = Experiment::of(DAY, 69);
    let took = begin.elapsed().as_secs();
    eprintln!("it took {took} s");
    let same = |expected: &Experiment, percent: u64| {
        for (found_one, expected) in found.frequent().into_iter().zip(expected.frequent()) {
            is_about(found_one, expected, percent, &found);
        }
        is_about(found.lost, expected.lost, percent, &found);
    };
    same(&DOCUMENTED, 130);
    same(&PUBLISHED, 300);
    // Several times as long as a core takes that has nothing else to do.
    assert!(took < 600, "a day takes a minute or two, not {took} s");
}

#[test]
fn clients_find_the_nodes_of_the_cluster_also_behind_a_plain_server() {
    let text = r#"
        [config]
        cluster-node-timeout = 2000
        [[node]]
        port = 6000
        config = { cluster-enabled = false }
        [[node]]
        port = 7000
        [[node]]
        port = 7001
        [[node]]
        port = 7002
        [[workload]]
        name = "w"
        keys = 1
        [script]
        steps = [
          "start all",
          "redis-cli --cluster create 127.0.0.1:7000 127.0.0.1:7001 127.0.0.1:7002",
          "> yes",
          "wait until cluster ok within 20s",
          "start workload w",
          "wait 1s",
          "send via 7000 set w:0:0 -3",
          "wait 1s",
          "stop workload w",
        ]
    "#;
    let summary = &summaries(text, 1)[0];
    let lost = summary.losses.len() as u64;
    assert!(summary.acknowledged > 150 && lost > 50, "{summary:?}");
    assert_eq!(summary.kept + lost, summary.acknowledged);
    // The slot of w:0:0 is the third node's of the file, which is the second of the cluster.
    let by: Vec<NodeNo> =
        summary.losses.iter().filter_map(|loss| Some(loss.acknowledged?.1)).collect();
    assert!(by.iter().all(|&node| node == NodeNo(2)), "{by:?}");
}
