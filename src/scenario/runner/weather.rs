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

/// A node that blocks, and whom.
type Block = (NodeNo, NodeNo);

struct Sky {
    weather: Weather,
    count: u32,
    /// When each node parts the network next, and what it draws from.
    nodes: Vec<(Time, SmallStream)>,
    /// Until when who blocks whom.
    blocked: BTreeMap<Block, Time>,
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

    /// Whether either of two nodes blocks the other.
    fn are_apart(&self, a: NodeNo, b: NodeNo) -> bool {
        self.blocked.contains_key(&(a, b)) || self.blocked.contains_key(&(b, a))
    }

    /// Lets those nodes part the network whose time has come. Gives the paths that are cut newly.
    fn block(&mut self, now: Time) -> Vec<Block> {
        let mut fresh = Vec::new();
        for number in 0..self.nodes.len() {
            let (at, draws) = &mut self.nodes[number];
            if *at > now {
                continue;
            }
            *at += pause(self.weather, self.count, draws);
            let mut draws = draws.clone();
            self.part(now, NodeNo(number as u32), &mut draws, &mut fresh);
            self.nodes[number].1 = draws;
        }
        fresh
    }

    /// A node takes some of those that it does not block to its side, never all of them. Those of
    /// them that it can reach, and itself, block everybody who is not on that side, each for a time of
    /// its own, from now on if they do already.
    fn part(&mut self, now: Time, by: NodeNo, draws: &mut SmallStream, fresh: &mut Vec<Block>) {
        let others = (0..self.count).map(NodeNo).filter(|&other| other != by);
        let mut side: Vec<NodeNo> =
            others.filter(|&other| !self.blocked.contains_key(&(by, other))).collect();
        // Who blocks many already parts the network less often.
        if side.is_empty() || draws.below(self.count) > side.len() as u32 {
            return;
        }
        let taken = draws.below((side.len() as u32 - 1).max(1));
        while side.len() > taken as usize {
            let at = draws.below(side.len() as u32);
            side.remove(at as usize);
        }
        let mut members: Vec<NodeNo> =
            side.iter().copied().filter(|&member| !self.are_apart(by, member)).collect();
        side.push(by);
        members.push(by);
        for &member in &members {
            for stranger in (0..self.count).map(NodeNo).filter(|node| !side.contains(node)) {
                let until = now + draws.span(self.weather.lasts.low, self.weather.lasts.high);
                if until == now {
                    continue;
                }
                if !self.are_apart(member, stranger) {
                    fresh.extend([(member, stranger), (stranger, member)]);
                }
                self.blocked.insert((member, stranger), until);
            }
        }
    }

    /// The paths that nobody blocks any more.
    fn mended(&mut self, now: Time) -> Vec<Block> {
        let over = self.blocked.iter().filter(|(_, until)| **until <= now);
        let mut over: Vec<Block> =
            over.map(|(&(by, whom), _)| (by.min(whom), by.max(whom))).collect();
        over.sort_unstable();
        over.dedup();
        self.blocked.retain(|_, until| *until > now);
        over.retain(|&(a, b)| !self.are_apart(a, b));
        over.into_iter().flat_map(|(a, b)| [(a, b), (b, a)]).collect()
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
        let others = self.cut_before();
        self.weather_is_in_force();
        while self.world.now() < weather.until {
            self.advance(sky.next())?;
            let now = self.world.now();
            self.change(sky.mended(now), &others, false);
            self.change(sky.block(now), &others, true);
        }
        self.change(sky.mended(Time(u64::MAX)), &others, false);
        Ok(())
    }

    /// Cuts paths or mends them, but for those that are none of ours.
    fn change(&mut self, mut paths: Vec<Block>, others: &BTreeSet<Block>, cut: bool) {
        paths.retain(|path| !others.contains(path));
        if !paths.is_empty() {
            self.world.change_cuts(&paths, cut);
        }
    }
}
