//! In the steady state the engine and its nodes allocate nothing: packets, effects and events live
//! in memory that is used again and again.
//!
//! This file holds one test only, because it counts the allocations of the whole process.

use std::alloc::System;
use std::net::{IpAddr, Ipv4Addr};

use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::{Millis, Span};
use redis_cluster_sim::world::{Formation, NodeSetup, Setup, World};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many packets an idle cluster sends in a minute, and how often it allocates meanwhile.
fn a_minute_of(formation: Formation) -> (u64, usize) {
    let nodes = (0..formation.members().count())
        .map(|node| {
            let port = 7000 + node as u16;
            let config = Config { port, node_timeout: Millis(5_000), ..Config::default() };
            NodeSetup::new(IpAddr::V4(Ipv4Addr::LOCALHOST), config)
        })
        .collect();
    let formed = Some(formation);
    let mut world: World = World::new(Setup { formed, ..Setup::new(Seed(1), nodes) });
    world.run_until(world.now() + Span::secs(120)).unwrap();
    let before = world.stats();
    let region = Region::new(ALLOCATOR);
    world.run_until(world.now() + Span::secs(60)).unwrap();
    let change = region.change();
    (world.stats().packets() - before.packets(), change.allocations + change.reallocations)
}

#[test]
fn an_idle_cluster_allocates_nothing() {
    let (packets, allocations) = a_minute_of(Formation::even(30, 0));
    assert!(packets > 30_000, "{packets}");
    assert_eq!(allocations, 0);
    // Masters that have replicas fill their backlogs; nothing else grows.
    let (packets, allocations) = a_minute_of(Formation::even(15, 1));
    assert!(packets > 30_000, "{packets}");
    assert!(allocations <= 30, "{allocations} allocations for {packets} packets");
}
