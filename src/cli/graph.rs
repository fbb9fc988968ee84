//! `sim graph`: who can reach whom, as a graph for Graphviz.

use std::io;

use petgraph::dot::{Config, Dot};
use petgraph::graph::DiGraph;

use crate::cli::args::GraphArgs;
use crate::cli::error::{CliError, Outcome, load_to_run, time};
use crate::cli::run::Silence;
use crate::network::Site;
use crate::network::graph::Path;
use crate::scenario::diagnostic::render;
use crate::scenario::plan::Plan;
use crate::scenario::runner::{self, LiveLogs, Options};
use crate::world::{ProcessStatus, World};

pub(super) fn run(
    args: &GraphArgs,
    out: &mut dyn io::Write,
    err: &mut dyn io::Write,
) -> Result<Outcome, CliError> {
    let plan = load_to_run(&args.scenario)?;
    let until = time("--at", args.at.as_ref(), &plan)?;
    let options = Options { until, live_logs: LiveLogs::None };
    let finished = runner::run(&plan, &options, &mut Silence);
    writeln!(out, "{}", dot(&plan, &finished.world))?;
    if let Some(failure) = &finished.summary.failure {
        writeln!(err, "{}", render(&plan.source, failure))?;
    }
    Ok(finished.summary.ending.into())
}

/// The graph in Graphviz's language. Two nodes that reach each other as they should share one edge;
/// every path with which something is wrong has one of its own.
fn dot(plan: &Plan, world: &World) -> String {
    let sites = world.graph().complete();
    let mut graph: DiGraph<String, String> = DiGraph::new();
    let nodes: Vec<_> = sites
        .node_indices()
        .filter_map(|index| Some((index, sites[index].node()?)))
        .map(|(index, node)| (index, graph.add_node(look(plan, world, node.into()))))
        .collect();
    for &(from, from_drawn) in &nodes {
        for &(to, to_drawn) in &nodes {
            let path = |a, b| sites.find_edge(a, b).map_or(Path::INTACT, |edge| sites[edge]);
            let (there, back) = (path(from, to), path(to, from));
            if there != Path::INTACT {
                let style = if there.cut { "color=red style=dashed" } else { "color=orange" };
                graph.add_edge(from_drawn, to_drawn, format!("{style} label=\"{there}\""));
            } else if from < to && back == Path::INTACT {
                graph.add_edge(from_drawn, to_drawn, "dir=both".to_owned());
            } else if from != to && back != Path::INTACT {
                graph.add_edge(from_drawn, to_drawn, String::new());
            }
        }
    }
    let edge = |_: &DiGraph<String, String>, edge: petgraph::graph::EdgeReference<'_, String>| {
        edge.weight().clone()
    };
    let node = |_: &DiGraph<String, String>, (_, text): (_, &String)| text.clone();
    let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
    Dot::with_attr_getters(&graph, &config, &edge, &node).to_string()
}

fn look(plan: &Plan, world: &World, site: Site) -> String {
    let Some(node) = site.node() else { return String::new() };
    let color = match world.status(node) {
        ProcessStatus::Down => "gray",
        ProcessStatus::Running | ProcessStatus::Blocked => "black",
        ProcessStatus::Starting | ProcessStatus::Paused | ProcessStatus::Crashing => "orange",
    };
    format!("label=\"{}\" color={color} shape=box", plan.name(node))
}
