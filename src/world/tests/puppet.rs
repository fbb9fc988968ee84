//! A program on strings: it does what clients tell it, and notes what happens to it.

use std::net::{IpAddr, Ipv4Addr};

use crate::id::Endpoint;
use crate::id::NodeIx;
use crate::network::NodeNo;
use crate::node::config::Config;
use crate::node::effect::{CallError, Ctx, Effect, Exit, Input, LinkId, Loss, Outbox};
use crate::node::keyspace::Keyspace;
use crate::node::packet::{Epoch, MessageType};
use crate::node::process::{Boot, Death};
use crate::node::replication::message::ReplMessage;
use crate::node::table::PeerIx;
use crate::resp::{Args, Reply, args};
use crate::rng::Seed;
use crate::time::{Span, Time, Wall};
use crate::world::program::Program;
use crate::world::{ClientEvent, ClientNo, FaultError, NodeSetup, Setup, World};

/// What happened to a puppet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Up,
    Refused,
    Closed,
    Reset,
    Accepted,
    Packet(u64),
    Follows,
    Followed,
    Told(u64),
    Child(u32),
    LoadStep,
    ReadTimeout,
    ClientGone,
    Terminate,
    Answered(usize),
    /// Why, and how many replies had come.
    CallFailed(CallError, usize),
}

#[derive(Debug)]
pub(super) struct Puppet {
    started: Wall,
    pub(super) pid: u32,
    pub(super) config_text: Option<String>,
    pub(super) seen: Vec<(Wall, Seen)>,
    pub(super) ticks: Vec<Wall>,
    /// How much it had seen when it ticked last.
    pub(super) seen_before_tick: usize,
    opened: Option<LinkId>,
    accepted: Option<LinkId>,
    caller: Option<LinkId>,
}

pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn number(word: &[u8]) -> u64 {
    std::str::from_utf8(word).ok().and_then(|text| text.parse().ok()).expect("a number")
}

fn send(out: &mut Outbox, link: LinkId, label: u64) {
    let mut packet = out.packets.take(MessageType::Ping, NodeIx(0));
    packet.current_epoch = Epoch(label);
    out.effects.push(Effect::Send(link, packet));
}

impl Puppet {
    fn obey(&mut self, client: LinkId, words: &[Vec<u8>], out: &mut Outbox) {
        let value = |at: usize| number(&words[at]);
        let port = |at: usize| value(at) as u16;
        let mine = |link: Option<LinkId>| link.expect("there is a link");
        match words[0].as_slice() {
            b"connect" => {
                let link = out.new_link();
                self.opened = Some(link);
                let to = Endpoint { ip: Some(LOCALHOST), cport: port(1), port: 0, pport: 0 };
                out.effects.push(Effect::Connect { link, peer: PeerIx(7), to });
            }
            b"follow" => {
                let link = out.new_link();
                self.opened = Some(link);
                let to = Endpoint { ip: Some(LOCALHOST), cport: 0, port: port(1), pport: 0 };
                out.effects.push(Effect::ReplConnect { link, to });
            }
            b"tell" => {
                let message = ReplMessage::Ack(value(1));
                out.effects.push(Effect::ReplSend(mine(self.opened), message));
            }
            b"unfollow" => out.effects.push(Effect::ReplClose(mine(self.opened.take()))),
            b"fork" => {
                let runs = Span::millis(value(1));
                out.effects.push(Effect::Fork { pid: 77, runs });
            }
            b"send" => send(out, mine(self.opened), value(1)),
            b"back" => send(out, mine(self.accepted), value(1)),
            b"close" => out.effects.push(Effect::Close(mine(self.opened.take()))),
            b"close-accepted" => out.effects.push(Effect::Close(mine(self.accepted.take()))),
            b"sleep" => out.effects.push(Effect::Sleep(Span::millis(value(1)))),
            b"load" => out.effects.push(Effect::LoadFor(Span::millis(value(1)))),
            b"read" => {
                let limit = Span::millis(value(1));
                out.effects.push(Effect::ReadFrom(mine(self.opened), limit));
            }
            b"save" => {
                let text = String::from_utf8_lossy(&words[1]).into_owned();
                out.effects.push(Effect::SaveConfig { text, fsync: words.len() > 2 });
            }
            b"crash" => out.effects.push(Effect::Exit(Exit::Crash)),
            b"exit" => out.effects.push(Effect::Exit(Exit::Shutdown)),
            b"silence" => return,
            b"hang-up" => out.effects.push(Effect::CloseClient(client)),
            b"call" => {
                self.caller = Some(client);
                let to = Endpoint { ip: Some(LOCALHOST), port: port(1), cport: 0, pport: 0 };
                let requests = words[2..].iter().map(|word| args([word])).collect();
                out.effects.push(Effect::Call { to, requests, timeout: Span::millis(100) });
                return;
            }
            b"ping" => {}
            other => panic!("a puppet does not know {}", String::from_utf8_lossy(other)),
        }
        out.effects.push(Effect::Reply(client, Reply::ok()));
    }
}

impl Program for Puppet {
    fn start(boot: Boot, ctx: &mut Ctx<'_>) -> Puppet {
        ctx.out.effects.push(Effect::BootStepIn(Span::millis(2)));
        Puppet {
            started: ctx.now,
            pid: boot.pid,
            config_text: boot.disk.nodes_conf.map(|text| text.to_string()),
            seen: Vec::new(),
            ticks: Vec::new(),
            seen_before_tick: 0,
            opened: None,
            accepted: None,
            caller: None,
        }
    }

    fn handle(&mut self, input: Input<'_>, ctx: &mut Ctx<'_>) {
        let seen = match input {
            Input::BootStep => return ctx.out.effects.push(Effect::Listen),
            Input::Tick => {
                self.seen_before_tick = self.seen.len();
                return self.ticks.push(ctx.now);
            }
            Input::ClientAccepted(_) => return,
            Input::Command(client, words) => return self.obey(client, &words, ctx.out),
            Input::LinkUp(_) => Seen::Up,
            Input::LinkLost(_, Loss::Refused) | Input::ReplLost(_, Loss::Refused) => Seen::Refused,
            Input::LinkLost(_, Loss::Reset) | Input::ReplLost(_, Loss::Reset) => Seen::Reset,
            Input::LinkLost(..) | Input::ReplLost(..) => Seen::Closed,
            Input::ReplUp(_) => Seen::Follows,
            Input::ReplAccepted(_) => Seen::Followed,
            Input::ReplMessage(_, message) => Seen::Told(match message {
                ReplMessage::Ack(offset) => offset,
                _ => 0,
            }),
            Input::ChildExit(pid) => Seen::Child(pid),
            Input::TransferDone(_) => return,
            Input::LoadStep => Seen::LoadStep,
            Input::ReadTimeout => Seen::ReadTimeout,
            Input::Accepted(end) => {
                self.accepted = Some(end.id);
                Seen::Accepted
            }
            Input::Packet(_, packet) => Seen::Packet(packet.current_epoch.0),
            Input::ClientGone(_) => Seen::ClientGone,
            Input::Terminate => Seen::Terminate,
            Input::CallDone(result) => {
                let caller = self.caller.take().expect("somebody asked for the call");
                ctx.out.effects.push(Effect::Reply(caller, Reply::ok()));
                match result.error {
                    None => Seen::Answered(result.replies.len()),
                    Some(error) => Seen::CallFailed(error, result.replies.len()),
                }
            }
        };
        self.seen.push((ctx.now, seen));
    }

    fn tick_period(&self) -> Span {
        Span::millis(100)
    }

    fn surviving_keys(self, _: Death) -> Option<Keyspace> {
        None
    }
}

/// A stage with puppets on ports 7000 and up, each with a client that pulls its strings.
pub(super) struct Stage {
    pub(super) world: World<Puppet>,
    clients: Vec<ClientNo>,
}

pub(super) fn setup(count: u16) -> Setup {
    let nodes = (0..count)
        .map(|node| NodeSetup::new(LOCALHOST, Config { port: 7000 + node, ..Config::default() }))
        .collect();
    let mut setup = Setup::new(Seed(7), nodes);
    setup.network.nagle = false;
    setup
}

impl Stage {
    pub(super) fn new(count: u16) -> Stage {
        Stage::with(setup(count))
    }

    pub(super) fn with(setup: Setup) -> Stage {
        let mut stage = Stage { world: World::new(setup), clients: Vec::new() };
        let count = stage.world.node_count() as u32;
        (0..count).for_each(|node| stage.order(|world| world.start(NodeNo(node))));
        stage.run(Span::millis(20));
        for node in 0..count {
            let client = stage.world.client_connect(LOCALHOST, 7000 + node as u16);
            stage.clients.push(client);
        }
        stage.run(Span::millis(5));
        for client in stage.clients.clone() {
            assert_eq!(stage.world.client_take(client), Some(ClientEvent::Connected));
        }
        stage
    }

    pub(super) fn run(&mut self, span: Span) {
        self.world.run_until(self.world.now() + span).expect("a test needs few events");
    }

    /// Sends a command and does not wait for the answer.
    pub(super) fn tell(&mut self, node: u32, words: &str) {
        self.world.client_send(self.clients[node as usize], args(words.split(' ')));
    }

    /// Lets a puppet do something and gives it the time to do it.
    pub(super) fn pull(&mut self, node: u32, words: &str) {
        self.tell(node, words);
        self.run(Span::millis(5));
        assert_eq!(self.reply(node), Some(ClientEvent::Reply(Reply::ok())), "{words}");
    }

    pub(super) fn reply(&mut self, node: u32) -> Option<ClientEvent> {
        self.world.client_take(self.clients[node as usize])
    }

    pub(super) fn puppet(&self, node: u32) -> &Puppet {
        self.world.node(NodeNo(node)).expect("the puppet runs")
    }

    /// What happened to a puppet, without the times.
    pub(super) fn seen(&self, node: u32) -> Vec<Seen> {
        self.puppet(node).seen.iter().map(|(_, seen)| *seen).collect()
    }

    /// How long after `since` a puppet saw something first.
    #[track_caller]
    pub(super) fn seen_after(&self, node: u32, what: Seen, since: Time) -> Span {
        let start = self.world.wall().0 - self.world.now().0;
        let first = self.puppet(node).seen.iter().find(|(_, seen)| *seen == what);
        let (at, _) = first.expect("it was seen");
        Time(at.0 - start).since(since)
    }

    /// Does to the world what is possible at that moment.
    #[track_caller]
    pub(super) fn order<T>(
        &mut self,
        order: impl FnOnce(&mut World<Puppet>) -> Result<T, FaultError>,
    ) -> T {
        order(&mut self.world).expect("a test orders what is possible")
    }

    /// Opens a link from one puppet to the other.
    pub(super) fn link(&mut self, from: u32, to: u32) {
        self.pull(from, &format!("connect {}", 17_000 + to));
        assert_eq!(self.seen(from).last(), Some(&Seen::Up));
        assert_eq!(self.seen(to).last(), Some(&Seen::Accepted));
    }
}

#[test]
fn a_puppet_ticks_every_100_ms_and_a_bit() {
    let mut stage = Stage::new(1);
    stage.run(Span::secs(10));
    let puppet = stage.puppet(0);
    assert_eq!(puppet.ticks[0].0 - puppet.started.0, 3_000, "1 ms after it listens");
    for pair in puppet.ticks.windows(2) {
        assert!((100_300..=100_800).contains(&(pair[1].0 - pair[0].0)));
    }
}

pub(super) fn words(text: &str) -> Args {
    args(text.split(' '))
}
