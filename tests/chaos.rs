//! Clusters under every fault the engine knows, drawn at random: nothing panics, the run repeats
//! itself, watching it changes nothing, and when all is mended the network is quiet again.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use redis_cluster_sim::id::Ids;
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::node::log::Level;
use redis_cluster_sim::resp::args;
use redis_cluster_sim::rng::{Purpose, Seed, SmallStream};
use redis_cluster_sim::time::{Millis, Span};
use redis_cluster_sim::world::{
    ClientNo, Formation, NodeNo, NodeSetup, Observer, ProcessStatus, Record, Setup, Site, Wants,
    World,
};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NODES: u32 = 6;
const FAULTS: u32 = 60;

/// Sees everything and counts it.
struct Watcher(Rc<Cell<u64>>);

impl Observer for Watcher {
    fn wants(&self) -> Wants {
        Wants::everything(Level::Warning)
    }

    fn record(&mut self, record: &Record<'_>, _: &Ids) {
        assert!(record.cause < record.event, "a cause comes before its effect: {record:?}");
        self.0.set(self.0.get() + 1);
    }
}

fn cluster(seed: u64) -> World {
    let nodes = (0..NODES)
        .map(|node| {
            let port = 7000 + node as u16;
            let config = Config { port, node_timeout: Millis(2_000), ..Config::default() };
            NodeSetup::new(LOCALHOST, config)
        })
        .collect();
    let formed = Some(Formation::even(3, 1));
    World::new(Setup { formed, event_budget: 5_000_000, ..Setup::new(Seed(seed), nodes) })
}

fn disturb(world: &mut World, draws: &mut SmallStream) -> ClientNo {
    let node = NodeNo(draws.below(NODES));
    let mut place = || match draws.below(NODES + 1) {
        NODES => Site::Clients,
        node => Site::Node(NodeNo(node)),
    };
    let (from, to) = (place(), place());
    // What is impossible at the moment is refused, which is as good.
    let _ = match draws.below(16) {
        0 => world.kill(node),
        1 => world.crash(node),
        2 => world.terminate(node),
        3 => world.power_off(node),
        4 | 5 => world.pause(node),
        6 => world.set_clock(node, i64::from(draws.below(2_000_000)) - 1_000_000),
        7 => {
            world.partition(&[vec![node, NodeNo(draws.below(NODES))]]);
            Ok(())
        }
        8 => {
            world.cut(from, to);
            Ok(())
        }
        9 => {
            world.set_delay(from, to, Span::millis(u64::from(draws.below(300))));
            Ok(())
        }
        10 => {
            world.set_loss(from, to, draws.below(300) as u16);
            Ok(())
        }
        11 => {
            world.heal();
            Ok(())
        }
        12 | 13 => world.resume(node),
        _ => world.start(node),
    };
    let client = world.client_connect(LOCALHOST, 7000 + draws.below(NODES) as u16);
    let words = [
        &["set", "key", "value"][..],
        &["cluster", "nodes"],
        &["cluster", "failover", "takeover"],
        &["debug", "sleep", "0.7"],
        &["debug", "segfault"],
        &["flushall"],
        &["get", "key"],
    ];
    world.client_send(client, args(words[draws.below(words.len() as u32) as usize]));
    client
}

fn mend(world: &mut World, clients: Vec<ClientNo>) {
    // Or a command that never got through crashes a node yet. Those that did may take a while.
    clients.into_iter().for_each(|client| world.client_close(client));
    world.heal();
    for from in (0..NODES).map(NodeNo) {
        for to in (0..NODES).map(|node| Site::Node(NodeNo(node))).chain([Site::Clients]) {
            for (from, to) in [(from.into(), to), (to, Site::from(from))] {
                world.set_delay(from, to, Span::ZERO);
                world.set_loss(from, to, 0);
            }
        }
        let _ = world.resume(from);
    }
    world.run_until(world.now() + Span::secs(30)).unwrap();
    for node in (0..NODES).map(NodeNo) {
        let _ = world.start(node);
    }
}

/// The fingerprint of a run, and how many records there were.
fn play(seed: u64, watched: bool) -> (u64, u64) {
    let mut world = cluster(seed);
    let records = Rc::new(Cell::new(0));
    if watched {
        world.observe(Box::new(Watcher(Rc::clone(&records))));
    }
    let mut draws = Seed(seed).small_stream(Purpose::Schedule, 0, 0);
    world.run_until(world.now() + Span::secs(5)).unwrap();
    let mut clients = Vec::new();
    for _ in 0..FAULTS {
        clients.push(disturb(&mut world, &mut draws));
        let pause = draws.span(Span::ZERO, Span::secs(3));
        world.run_until(world.now() + pause).unwrap();
    }
    mend(&mut world, clients);
    world.run_until(world.now() + Span::secs(150)).unwrap();
    assert!(world.graph().all_intact());
    let statuses: Vec<_> = (0..NODES).map(|node| world.status(NodeNo(node))).collect();
    assert_eq!(statuses, [ProcessStatus::Running; NODES as usize], "seed {seed}");
    (world.fingerprint(), records.get())
}

#[test]
fn a_disturbed_run_repeats_itself_watched_or_not() {
    for seed in 0..8 {
        let (fingerprint, records) = play(seed, true);
        assert!(records > 10_000, "{records}");
        assert_eq!(play(seed, false).0, fingerprint, "seed {seed}");
    }
}
