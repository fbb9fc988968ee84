//! Nodes that block others by chance.
//!
//! Each node has a stream of its own. Now and then it takes some others to its side, and all of them
//! block everybody else, each for a time of its own, so that a partition begins at once and falls apart
//! slowly. Two nodes cannot reach each other as long as either blocks the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::network::NodeNo;
use crate::rng::{Purpose, SmallStream};
use crate::scenario::runner::{Outcome, Runner};
use crate::scenario::step::Weather;
use crate::time::{Span, Time};
use crate::world::World;

/// Two nodes, the lower number first.
type Pair = (NodeNo, NodeNo);

struct Sky {
    weather: Weather,
    count: u32,
    /// When each node parts the network next, and what it draws from.
    nodes: Vec<(Time, SmallStream)>,
    /// Until when pairs are blocked.
    blocked: BTreeMap<Pair, Time>,
}

fn pair(a: NodeNo, b: NodeNo) -> Pair {
    (a.min(b), a.max(b))
}

/// How long a node waits, so that all of them together part the network so often.
fn pause(weather: Weather, nodes: u32, draws: &mut SmallStream) -> Span {
    let mean = weather.every.0.saturating_mul(u64::from(nodes));
    draws.span(Span::ZERO, Span(mean.saturating_mul(2)))
}

impl Sky {
    /// When something changes next.
    fn next(&self) -> Time {
        let blocks = self.nodes.iter().map(|(at, _)| *at);
        let times = blocks.chain(self.blocked.values().copied());
        times.min().unwrap_or(self.weather.until).min(self.weather.until)
    }

    /// Lets those nodes part the network whose time has come. Gives the pairs that are blocked newly.
    fn block(&mut self, now: Time) -> Vec<Pair> {
        let mut fresh = Vec::new();
        for number in 0..self.nodes.len() as u32 {
            let (at, draws) = &mut self.nodes[number as usize];
            if *at > now {
                continue;
            }
            *at += pause(self.weather, self.count, draws);
            let mut draws = draws.clone();
            self.part(now, NodeNo(number), &mut draws, &mut fresh);
            self.nodes[number as usize].1 = draws;
        }
        fresh
    }

    /// A node takes some of those that it can reach to its side, and everybody there blocks all who
    /// are not, each for a time of its own.
    fn part(&mut self, now: Time, by: NodeNo, draws: &mut SmallStream, fresh: &mut Vec<Pair>) {
        let others = (0..self.count).map(NodeNo).filter(|&other| other != by);
        let mut reached: Vec<NodeNo> =
            others.filter(|&other| !self.blocked.contains_key(&pair(by, other))).collect();
        let out_of_reach = self.count - 1 - reached.len() as u32;
        // Who is cut off already from many parts the network less often.
        if reached.is_empty() || draws.below(self.count) < out_of_reach {
            return;
        }
        let taken = draws.below(reached.len() as u32);
        while reached.len() > taken as usize {
            let at = draws.below(reached.len() as u32);
            reached.remove(at as usize);
        }
        reached.push(by);
        for &member in &reached {
            let strangers = (0..self.count).map(NodeNo).filter(|node| !reached.contains(node));
            for stranger in strangers {
                let until = now + draws.span(self.weather.lasts.low, self.weather.lasts.high);
                if until == now {
                    continue;
                }
                let end = self.blocked.entry(pair(member, stranger)).or_insert_with(|| {
                    fresh.push(pair(member, stranger));
                    until
                });
                *end = (*end).max(until);
            }
        }
    }

    /// The pairs that nobody blocks any more.
    fn mended(&mut self, now: Time) -> Vec<Pair> {
        let over = self.blocked.iter().filter(|(_, until)| **until <= now);
        let over: Vec<Pair> = over.map(|(pair, _)| *pair).collect();
        self.blocked.retain(|_, until| *until > now);
        over
    }
}

impl Runner<'_> {
    /// `random partitions every 20s for 0s..20s until 24h`
    pub(super) fn weather(&mut self, step: u64, weather: Weather) -> Outcome {
        let now = self.world.now();
        let count = self.plan.nodes.len() as u32;
        let node = |node: u32| {
            let subject = step << 32 | u64::from(node);
            let mut draws = self.seed.small_stream(Purpose::Schedule, subject, 0);
            (now + pause(weather, count, &mut draws), draws)
        };
        let nodes = (0..count).map(node).collect();
        let mut sky = Sky { weather, count, nodes, blocked: BTreeMap::new() };
        // What was cut before stays as it is.
        let cut = self.world.graph().impaired().filter(|(_, _, path)| path.cut);
        let cut = cut.filter_map(|(from, to, _)| Some((from.node()?, to.node()?))).collect();
        self.weather_is_in_force();
        while self.world.now() < weather.until {
            self.advance(sky.next())?;
            let now = self.world.now();
            let mended = sky.mended(now);
            self.change(&mended, &cut, World::mend);
            let blocked = sky.block(now);
            self.change(&blocked, &cut, World::cut);
        }
        let last: Vec<Pair> = sky.blocked.into_keys().collect();
        self.change(&last, &cut, World::mend);
        Ok(())
    }

    /// Cuts or mends both ways between two nodes, but for those that are none of ours.
    fn change(
        &mut self,
        pairs: &[Pair],
        others: &BTreeSet<(NodeNo, NodeNo)>,
        act: impl Fn(&mut World, NodeNo, NodeNo),
    ) {
        let ways = pairs.iter().flat_map(|&(a, b)| [(a, b), (b, a)]);
        for (from, to) in ways.filter(|way| !others.contains(way)) {
            act(&mut self.world, from, to);
        }
    }
}
