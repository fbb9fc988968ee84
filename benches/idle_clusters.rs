//! How much virtual time an idle cluster gets through in real time.
//!
//! Each iteration runs some virtual time of a cluster that has been up for five minutes: nodes that start
//! together ping each other in waves at first, which take that long to spread. Items per second are
//! virtual seconds per real second.

use std::net::{IpAddr, Ipv4Addr};

use divan::counter::ItemsCount;
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::Span;
use redis_cluster_sim::world::{Formation, NodeSetup, Setup, World};

fn main() {
    divan::main();
}

fn setup(masters: u32, replicas: u32) -> Setup {
    let nodes = (0..masters * (1 + replicas))
        .map(|node| {
            let config = Config { port: 7000 + node as u16, ..Config::default() };
            NodeSetup::new(IpAddr::V4(Ipv4Addr::LOCALHOST), config)
        })
        .collect();
    let formed = Some(Formation::even(masters, replicas));
    Setup { formed, ..Setup::new(Seed(1), nodes) }
}

/// A cluster that has been up for long enough.
fn idle_cluster(masters: u32, replicas: u32) -> World {
    let mut world = World::new(setup(masters, replicas));
    run(&mut world, 300);
    world
}

fn run(world: &mut World, seconds: u64) {
    world.run_until(world.now() + Span::secs(seconds)).unwrap();
}

#[divan::bench(args = [(3, 1_000), (6, 1_000), (100, 60), (1_000, 10)], sample_size = 1, sample_count = 5)]
fn masters(bencher: divan::Bencher, (masters, seconds): (u32, u64)) {
    let mut world = idle_cluster(masters, 0);
    bencher.counter(ItemsCount::new(seconds)).bench_local(|| run(&mut world, seconds));
}

#[divan::bench(args = [(3, 1_000), (50, 60)], sample_size = 1, sample_count = 5)]
fn masters_with_a_replica_each(bencher: divan::Bencher, (masters, seconds): (u32, u64)) {
    let mut world = idle_cluster(masters, 1);
    bencher.counter(ItemsCount::new(seconds)).bench_local(|| run(&mut world, seconds));
}

#[divan::bench(args = [100, 1_000], sample_size = 1, sample_count = 1)]
fn the_first_ten_seconds(bencher: divan::Bencher, masters: u32) {
    bencher.counter(ItemsCount::new(10_u64)).bench_local(|| {
        let mut world: World = World::new(setup(masters, 0));
        run(&mut world, 10);
        world
    });
}
