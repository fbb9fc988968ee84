//! What the engine costs by itself: programs that tick and exchange empty packets, and decide
//! nothing. Items per second are events.

use std::net::{IpAddr, Ipv4Addr};

use divan::counter::ItemsCount;
use redis_cluster_sim::id::{Endpoint, NodeIx};
use redis_cluster_sim::node::config::Config;
use redis_cluster_sim::node::effect::{Ctx, Effect, Input, LinkId};
use redis_cluster_sim::node::keyspace::Keyspace;
use redis_cluster_sim::node::packet::MessageType;
use redis_cluster_sim::node::process::{Boot, Death};
use redis_cluster_sim::node::table::PeerIx;
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::Span;
use redis_cluster_sim::world::NodeNo;
use redis_cluster_sim::world::{NodeSetup, Program, Setup, World};

fn main() {
    divan::main();
}

/// Sends a packet over one of its links with each tick; whoever gets one answers it.
struct Pinger<const PEERS: u16> {
    port: u16,
    links: Vec<LinkId>,
    ticks: usize,
}

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const FIRST_PORT: u16 = 7_000;
const LINKS: u16 = 10;

impl<const PEERS: u16> Pinger<PEERS> {
    fn connect(&mut self, ctx: &mut Ctx<'_>) {
        for offset in 1..=LINKS.min(PEERS - 1) {
            let port = FIRST_PORT + (self.port - FIRST_PORT + offset) % PEERS;
            let link = ctx.out.new_link();
            let to = Endpoint { ip: Some(LOCALHOST), port, cport: port + 10_000, pport: 0 };
            ctx.out.effects.push(Effect::Connect { link, peer: PeerIx(0), to });
            self.links.push(link);
        }
    }
}

impl<const PEERS: u16> Program for Pinger<PEERS> {
    fn start(boot: Boot, ctx: &mut Ctx<'_>) -> Self {
        ctx.out.effects.push(Effect::BootStepIn(Span::millis(1)));
        Pinger { port: boot.config.port, links: Vec::new(), ticks: 0 }
    }

    fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        let (link, kind) = match input {
            Input::BootStep => return ctx.out.effects.push(Effect::Listen),
            Input::Tick if self.ticks == 0 => {
                self.ticks = 1;
                return self.connect(ctx);
            }
            Input::Tick => {
                self.ticks += 1;
                (self.links[self.ticks % self.links.len()], MessageType::Ping)
            }
            Input::Packet(end, packet) if packet.kind == MessageType::Ping => {
                (end.id, MessageType::Pong)
            }
            _ => return,
        };
        let packet = ctx.out.packets.take(kind, NodeIx(0));
        ctx.out.effects.push(Effect::Send(link, packet));
    }

    fn tick_period(&self) -> Span {
        Span::millis(100)
    }

    fn surviving_keys(self, _: Death) -> Option<Keyspace> {
        None
    }
}

#[divan::bench(consts = [3, 100, 1_000], sample_size = 1, sample_count = 20)]
fn ping_pong<const PEERS: u16>(bencher: divan::Bencher) {
    let nodes = (0..PEERS)
        .map(|node| {
            let config = Config { port: FIRST_PORT + node, ..Config::default() };
            NodeSetup::new(LOCALHOST, config)
        })
        .collect();
    let mut world: World<Pinger<PEERS>> = World::new(Setup::new(Seed(1), nodes));
    for node in 0..PEERS {
        world.start(NodeNo(node.into())).unwrap();
        world.run_until(world.now() + Span::millis(7)).unwrap();
    }
    let second = Span::millis(1_000_000 / u64::from(PEERS));
    world.run_until(world.now() + second).unwrap();
    let before = world.stats().events;
    world.run_until(world.now() + second).unwrap();
    let events = world.stats().events - before;
    bencher
        .counter(ItemsCount::new(events))
        .bench_local(|| world.run_until(world.now() + second).unwrap());
}
