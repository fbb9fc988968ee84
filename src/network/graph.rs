//! Who can reach whom: a directed graph of impaired paths.
//!
//! A path between two sites is intact unless the graph has an edge for it, so an undisturbed network
//! of any size costs nothing, and what is wrong with the network can be read off the edges.

use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use petgraph::Directed;
use petgraph::algo::tarjan_scc;
use petgraph::dot::{Config, Dot};
use petgraph::graph::{DiGraph, EdgeReference};
use petgraph::graphmap::GraphMap;
use petgraph::visit::EdgeRef as _;

use crate::network::{NodeNo, Site};
use crate::time::Span;

/// What is wrong with the path from one site to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Path {
    /// Nothing gets through.
    pub cut: bool,
    /// How much longer than usual everything takes.
    pub delay: Delay,
    /// How many of a thousand segments are lost and have to be sent again.
    pub loss_per_mille: u16,
}

/// An additional delay, between two bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    /// The shortest.
    pub low: Span,
    /// The longest.
    pub high: Span,
}

impl Delay {
    /// None at all.
    pub const NONE: Delay = Delay { low: Span::ZERO, high: Span::ZERO };
}

impl From<Span> for Delay {
    fn from(fixed: Span) -> Delay {
        Delay { low: fixed, high: fixed }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low == self.high {
            true => write!(f, "{}", self.low),
            false => write!(f, "{}..{}", self.low, self.high),
        }
    }
}

impl Path {
    /// A path that nothing is wrong with.
    pub const INTACT: Path = Path { cut: false, delay: Delay::NONE, loss_per_mille: 0 };

    /// Whether nothing ever gets through: because it is cut, or because all segments are lost.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.cut || self.loss_per_mille >= 1_000
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if self.cut {
            f.write_str("cut")?;
            separator = ", ";
        }
        if self.delay != Delay::NONE {
            write!(f, "{separator}+{}", self.delay)?;
            separator = ", ";
        }
        if self.loss_per_mille != 0 {
            write!(f, "{separator}{}/1000 lost", self.loss_per_mille)?;
        }
        Ok(())
    }
}

/// A hasher for pairs of sites, which are looked up for each message on an impaired path. It has no
/// keys, so that not even the cost of a lookup depends on the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SiteHasher(u64);

impl SiteHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl Hasher for SiteHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.mix(byte.into()));
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.mix(number.into());
    }

    #[inline]
    fn write_isize(&mut self, number: isize) {
        self.mix(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Up to so many sites all paths stand in rows, too.
const FEW_SITES: usize = 64;

/// All sites and the impaired paths between them.
#[derive(Debug, Clone)]
pub struct Paths {
    graph: GraphMap<Site, Path, Directed, BuildHasherDefault<SiteHasher>>,
    /// Where there are few sites, the paths from the first one to all, from the second one to all, and
    /// so on: on an impaired path each message asks.
    rows: Vec<Path>,
    /// How many sites there are, which is how long a row is.
    sites: usize,
}

impl Paths {
    /// The undisturbed network of this many nodes.
    #[must_use]
    pub fn new(nodes: u32) -> Paths {
        let mut graph = GraphMap::default();
        for node in (0..nodes).map(NodeNo) {
            graph.add_node(Site::Node(node));
        }
        graph.add_node(Site::Clients);
        let sites = graph.node_count();
        let rows = if sites <= FEW_SITES { vec![Path::INTACT; sites * sites] } else { Vec::new() };
        Paths { graph, rows, sites }
    }

    /// The path from one site to another.
    #[must_use]
    #[inline]
    pub fn between(&self, from: Site, to: Site) -> Path {
        match self.place(from, to) {
            Some(place) => self.rows[place],
            None => self.graph.edge_weight(from, to).copied().unwrap_or_default(),
        }
    }

    /// Where a path stands in the rows, if it does.
    #[inline]
    fn place(&self, from: Site, to: Site) -> Option<usize> {
        let number = |site| match site {
            Site::Clients => Some(0),
            Site::Node(node) => Some(node.index() + 1).filter(|&number| number < self.sites),
            Site::Beside(_) => None,
        };
        match self.rows.is_empty() {
            true => None,
            false => Some(number(from)? * self.sites + number(to)?),
        }
    }

    fn set(&mut self, from: Site, to: Site, path: Path) {
        if path == Path::INTACT {
            self.graph.remove_edge(from, to);
        } else {
            self.graph.add_edge(from, to, path);
        }
        if let Some(place) = self.place(from, to) {
            self.rows[place] = path;
        }
    }

    /// Whether no path is impaired.
    #[must_use]
    pub fn all_intact(&self) -> bool {
        self.graph.edge_count() == 0
    }

    /// The impaired paths, in the order in which they were first impaired.
    pub fn impaired(&self) -> impl Iterator<Item = (Site, Site, Path)> {
        self.graph.all_edges().map(|(from, to, path)| (from, to, *path))
    }

    /// Changes one path.
    pub(crate) fn change(&mut self, from: Site, to: Site, change: impl FnOnce(&mut Path)) {
        if from == to {
            return;
        }
        let mut path = self.between(from, to);
        change(&mut path);
        self.set(from, to, path);
    }

    /// Cuts every path between nodes of different groups, in both directions. Nodes that are in no
    /// group form one more group. Clients reach everybody still.
    pub(crate) fn partition(&mut self, groups: &[Vec<NodeNo>]) {
        let nodes: Vec<NodeNo> = self.nodes().collect();
        let mut group_of = vec![groups.len(); nodes.len()];
        for (number, group) in groups.iter().enumerate() {
            for node in group {
                group_of[node.index()] = number;
            }
        }
        for &from in &nodes {
            for &to in &nodes {
                if group_of[from.index()] != group_of[to.index()] {
                    self.change(Site::Node(from), Site::Node(to), |path| path.cut = true);
                }
            }
        }
    }

    /// Mends everything that is cut. Delays and losses stay.
    pub(crate) fn heal(&mut self) {
        let slow: Vec<(Site, Site, Path)> = self
            .impaired()
            .map(|(from, to, path)| (from, to, Path { cut: false, ..path }))
            .filter(|(_, _, path)| *path != Path::INTACT)
            .collect();
        *self = Paths::new(self.sites as u32 - 1);
        for (from, to, path) in slow {
            self.set(from, to, path);
        }
    }

    fn nodes(&self) -> impl Iterator<Item = NodeNo> {
        self.graph.nodes().filter_map(Site::node)
    }

    /// The full graph: an edge for every ordered pair of sites, intact or not.
    #[must_use]
    pub fn complete(&self) -> DiGraph<Site, Path> {
        let mut graph = DiGraph::new();
        let sites: Vec<_> = self.graph.nodes().map(|site| (site, graph.add_node(site))).collect();
        for &(from, from_ix) in &sites {
            for &(to, to_ix) in sites.iter().filter(|(to, _)| *to != from) {
                graph.add_edge(from_ix, to_ix, self.between(from, to));
            }
        }
        graph
    }

    /// The graph in the DOT language. Paths that are intact both ways are one plain line; what is
    /// wrong with the others is written beside an arrow.
    #[must_use]
    pub fn dot(&self, name: impl Fn(Site) -> String) -> String {
        let mut graph = DiGraph::new();
        let sites: Vec<_> = self.graph.nodes().map(|site| (site, graph.add_node(site))).collect();
        for (at, &(a, a_ix)) in sites.iter().enumerate() {
            for &(b, b_ix) in &sites[at + 1..] {
                let (there, back) = (self.between(a, b), self.between(b, a));
                graph.add_edge(a_ix, b_ix, there);
                if (there, back) != (Path::INTACT, Path::INTACT) {
                    graph.add_edge(b_ix, a_ix, back);
                }
            }
        }
        let two_way =
            |edge: EdgeReference<'_, Path>| graph.find_edge(edge.target(), edge.source()).is_none();
        let edge_attributes = |_: &DiGraph<Site, Path>, edge: EdgeReference<'_, Path>| {
            let path = edge.weight();
            match path {
                _ if two_way(edge) => "dir = none color = gray".to_owned(),
                path if *path == Path::INTACT => "color = gray".to_owned(),
                Path { cut: true, .. } => format!("label = \"{path}\" color = red style = dashed"),
                _ => format!("label = \"{path}\" color = orange"),
            }
        };
        let node_attributes = |_: &DiGraph<Site, Path>, (_, site): (_, &Site)| {
            format!("label = \"{}\"", name(*site).escape_default())
        };
        let config = [Config::EdgeNoLabel, Config::NodeNoLabel];
        let dot = Dot::with_attr_getters(&graph, &config, &edge_attributes, &node_attributes);
        format!("{dot:?}")
    }

    /// The sides of the network: nodes that reach each other in both directions, directly or over
    /// others, sorted. One side means that there is no partition.
    #[must_use]
    pub fn sides(&self) -> Vec<Vec<NodeNo>> {
        let reachable =
            self.complete().filter_map(|_, site| site.node(), |_, path| (!path.cut).then_some(()));
        let mut sides: Vec<Vec<NodeNo>> = tarjan_scc(&reachable)
            .into_iter()
            .map(|side| {
                let mut side: Vec<NodeNo> = side.into_iter().map(|ix| reachable[ix]).collect();
                side.sort_unstable();
                side
            })
            .collect();
        sides.sort_unstable();
        sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(node: u32) -> Site {
        Site::Node(NodeNo(node))
    }

    fn group(nodes: &[u32]) -> Vec<NodeNo> {
        nodes.iter().copied().map(NodeNo).collect()
    }

    #[test]
    fn a_partition_cuts_both_ways_between_groups_only() {
        let mut paths = Paths::new(5);
        paths.partition(&[group(&[0, 1]), group(&[2])]);
        assert!(paths.between(site(0), site(2)).cut && paths.between(site(2), site(0)).cut);
        assert!(!paths.between(site(0), site(1)).cut && !paths.between(site(3), site(4)).cut);
        assert!(paths.between(site(1), site(3)).cut, "the nodes left over are a group");
        assert!(!paths.between(Site::Clients, site(2)).cut, "clients reach everybody");
        assert_eq!(paths.sides(), [group(&[0, 1]), group(&[2]), group(&[3, 4])]);
    }

    #[test]
    fn healing_mends_cuts_and_leaves_delays() {
        let mut paths = Paths::new(3);
        paths.change(site(0), site(1), |path| path.delay = Span::millis(5).into());
        paths.partition(&[group(&[0])]);
        assert_eq!(paths.between(site(0), site(1)).to_string(), "cut, +5ms");
        paths.heal();
        assert_eq!(paths.between(site(0), site(1)).to_string(), "+5ms");
        assert_eq!(paths.impaired().count(), 1);
        paths.change(site(0), site(1), |path| path.delay = Delay::NONE);
        assert!(paths.all_intact());
        assert_eq!(paths.sides(), [group(&[0, 1, 2])]);
    }

    #[test]
    fn few_sites_and_many_are_told_the_same() {
        let [mut few, mut many] = [3, 100].map(Paths::new);
        assert!(!few.rows.is_empty() && many.rows.is_empty());
        for paths in [&mut few, &mut many] {
            paths.change(site(0), site(2), |path| path.cut = true);
            paths.change(site(2), Site::Clients, |path| path.loss_per_mille = 3);
            paths.change(site(1), site(0), |path| path.cut = true);
            paths.change(site(1), site(0), |path| path.cut = false);
        }
        let sites = [site(0), site(1), site(2), Site::Clients, Site::Beside(NodeNo(1))];
        for (from, to) in sites.into_iter().flat_map(|from| sites.map(|to| (from, to))) {
            assert_eq!(few.between(from, to), many.between(from, to), "{from:?} {to:?}");
        }
        assert!(few.impaired().eq(many.impaired()));
        few.heal();
        assert!(!few.between(site(0), site(2)).cut);
        assert_eq!(few.between(site(2), Site::Clients).loss_per_mille, 3);
    }

    #[test]
    fn the_drawing_shows_what_is_wrong() {
        let mut paths = Paths::new(2);
        paths.change(site(0), site(1), |path| path.cut = true);
        paths.change(site(1), Site::Clients, |path| path.delay = Span::millis(3).into());
        let dot = paths.dot(|site| format!("{site:?}"));
        assert_eq!(
            dot,
            "digraph {
    0 [ label = \"Node(NodeNo(0))\"]
    1 [ label = \"Node(NodeNo(1))\"]
    2 [ label = \"Clients\"]
    0 -> 1 [ label = \"cut\" color = red style = dashed]
    1 -> 0 [ color = gray]
    0 -> 2 [ dir = none color = gray]
    1 -> 2 [ label = \"+3ms\" color = orange]
    2 -> 1 [ color = gray]
}
"
        );
    }

    #[test]
    fn the_complete_graph_has_every_ordered_pair() {
        let mut paths = Paths::new(3);
        paths.change(site(0), site(1), |path| path.cut = true);
        let graph = paths.complete();
        assert_eq!((graph.node_count(), graph.edge_count()), (4, 12));
        assert_eq!(graph.edge_weights().filter(|path| path.cut).count(), 1);
    }
}
