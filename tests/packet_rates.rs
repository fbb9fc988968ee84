//! An idle cluster sends as many pings as a real one (§4.8, and measurements of larger clusters on
//! loopback).

use std::net::{IpAddr, Ipv4Addr};

use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::node::packet::MessageType;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::{Millis, Span};
use redis_cluster_sim::world::{Formation, NodeSetup, Setup, World};

const WARM_UP: Span = Span::secs(60);
const MEASURED: Span = Span::secs(120);

fn idle_cluster(masters: u32, replicas_each: u32, node_timeout: Millis) -> World {
    let nodes = (0..masters * (replicas_each + 1))
        .map(|node| {
            let config = Config { port: 7000 + node as u16, node_timeout, ..Config::default() };
            NodeSetup::new(IpAddr::V4(Ipv4Addr::LOCALHOST), config)
        })
        .collect();
    let formed = Some(Formation::even(masters, replicas_each));
    World::new(Setup { formed, ..Setup::new(Seed(1), nodes) })
}

/// Pings that a node of an idle cluster sends in a second.
fn ping_rate(masters: u32, replicas_each: u32, node_timeout: Millis) -> f64 {
    let mut world = idle_cluster(masters, replicas_each, node_timeout);
    world.run_until(world.now() + WARM_UP).unwrap();
    let before = world.stats();
    world.run_until(world.now() + MEASURED).unwrap();
    let pings = |stats: redis_cluster_sim::world::Stats| stats.sent[MessageType::Ping as usize];
    let sent = (pings(world.stats()) - pings(before)) as f64;
    sent / f64::from(masters * (replicas_each + 1)) / (MEASURED.as_millis() as f64 / 1_000.0)
}

#[track_caller]
fn assert_within_a_tenth(rate: f64, real: f64) {
    let difference = (rate - real).abs() / real;
    assert!(difference < 0.1, "{rate:.2} pings per second and node, real: {real:.2}");
}

#[test]
fn six_nodes_ping_once_a_second_at_15_s() {
    assert_within_a_tenth(ping_rate(3, 1, Millis(15_000)), 1.00);
}

#[test]
fn six_nodes_ping_1_79_times_a_second_at_5_s() {
    assert_within_a_tenth(ping_rate(3, 1, Millis(5_000)), 1.79);
}

#[test]
fn thirty_nodes_ping_2_50_times_a_second_at_15_s() {
    assert_within_a_tenth(ping_rate(15, 1, Millis(15_000)), 2.50);
}

#[test]
fn thirty_nodes_ping_8_98_times_a_second_at_5_s() {
    assert_within_a_tenth(ping_rate(15, 1, Millis(5_000)), 8.98);
}

#[test]
fn sixty_nodes_ping_3_93_times_a_second_at_15_s() {
    assert_within_a_tenth(ping_rate(30, 1, Millis(15_000)), 3.93);
}

#[test]
fn a_hundred_nodes_ping_5_24_times_a_second_at_15_s() {
    assert_within_a_tenth(ping_rate(50, 1, Millis(15_000)), 5.24);
}
