//! The nodes of a plan: `[cluster]`, `[[node]]` and the directives of `[config]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::id::{Endpoint, NodeId};
use crate::network::NodeNo;
use crate::node::config::{self, Config, ConfigError, Mode, rewrite};
use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::file::{
    ClusterTable, Directive, Directives, NodeTable, NodesConf, ScenarioFile,
};
use crate::scenario::located::Located;
use crate::scenario::plan::{Formation, Header, NodePlan, Reader};
use crate::scenario::roster::{GroupKind, HOME, Roster};
use crate::scenario::source::Bytes;
use crate::scenario::suggest;
use crate::scenario::units::{self, human};
use crate::slot::SLOTS;
use crate::time::{Span, Wall};

const BUS_OFFSET: u16 = Endpoint::BUS_PORT_OFFSET;
const PORT_MAX: u16 = u16::MAX - BUS_OFFSET;
/// The greatest process id of a 64-bit Linux.
const PID_MAX: u32 = 4_194_304;
/// So that the nodes' crons do not all run at once.
const SPREAD: Span = Span::secs(1);
/// Every node knows every other one, so memory grows with the square; whoever runs so many has to have it.
const NODES_MAX: u64 = 10_000;

/// The directive that makes a server a node of a cluster, or a plain one.
const CLUSTER_ENABLED: &str = "cluster-enabled";

type Nodes = (Roster, Vec<NodePlan>, Option<Formation>);

pub(super) fn read(file: &ScenarioFile, header: &Header, reader: &mut Reader<'_>) -> Nodes {
    let mut builder = Builder {
        header,
        roster: Roster::default(),
        nodes: Vec::new(),
        places: Vec::new(),
        ids: BTreeMap::new(),
        shared: &file.config,
        reader,
    };
    builder.try_out(&file.config);
    let formation = file.cluster.as_ref().and_then(|cluster| builder.cluster(&cluster.value));
    for node in &file.node {
        builder.node(&node.value);
    }
    if builder.roster.is_empty() && builder.reader.mistakes.is_empty() {
        let end = file.script.span.start;
        let mistake = Diagnostic::new("this scenario has no nodes", end..end, "before the script");
        builder
            .reader
            .complain(mistake.hint("add `[cluster]` with `masters = 3`, or some `[[node]]`"));
    }
    (builder.roster, builder.nodes, formation)
}

struct Builder<'a, 's> {
    header: &'a Header,
    roster: Roster,
    nodes: Vec<NodePlan>,
    /// Where each node's address stands in the file.
    places: Vec<Bytes>,
    ids: BTreeMap<NodeId, Bytes>,
    shared: &'a Directives,
    reader: &'a mut Reader<'s>,
}

impl Builder<'_, '_> {
    /// Complains about the directives that every node gets, once.
    fn try_out(&mut self, directives: &Directives) {
        let mut config = Config::default();
        for directive in &directives.0 {
            self.set(&mut config, directive, 0);
        }
    }

    fn cluster(&mut self, cluster: &ClusterTable) -> Option<Formation> {
        let masters = cluster.masters.value;
        let replicas = cluster.replicas_per_master.as_ref().map_or(0, |replicas| replicas.value);
        let first = cluster.first_port.as_ref().map_or(7_000, |port| port.value);
        let formed = cluster.formed.as_ref().is_some_and(|formed| formed.value);
        let span = cluster.masters.span.clone();
        if masters == 0 {
            let mistake = Diagnostic::new("a cluster of no nodes", span, "expected 1 or more");
            self.reader.complain(mistake);
            return None;
        }
        if !(1..=PORT_MAX).contains(&first) {
            let place = cluster.first_port.as_ref().map_or(0..0, |port| port.span.clone());
            self.port_out_of_range("first-port", place);
            return None;
        }
        self.must_be_in_cluster_mode();
        let count = u64::from(masters) * (1 + u64::from(replicas));
        if let Some(mistake) = too_many(masters, count, first, formed, &span) {
            self.reader.complain(mistake);
            return None;
        }
        for port in (first..=PORT_MAX).take(count as usize) {
            let config = self.configure(port, &Directives::default());
            self.add(SocketAddr::new(HOME, port), config, span.clone());
        }
        if let Some(zones) = &cluster.zones {
            self.deal(&zones.value, &zones.span, masters as usize);
        }
        let spread = cluster.spread.as_ref();
        if let Some(spread) = spread.filter(|_| !formed) {
            let label = "only nodes of a formed cluster start by themselves";
            let mistake = Diagnostic::new("`spread` means nothing", spread.span.clone(), label);
            self.reader.complain(mistake.hint("set `formed = true`, or remove this line"));
        }
        let spread = self.spread(spread);
        formed.then_some(Formation { masters, replicas_per_master: replicas, spread })
    }

    /// Complains about shared directives that make the nodes of `[cluster]` plain servers.
    fn must_be_in_cluster_mode(&mut self) {
        let said = self.shared.0.iter().rfind(|directive| directive.is(CLUSTER_ENABLED));
        let Some(said) = said.filter(|said| said.value.value.eq_ignore_ascii_case("no")) else {
            return;
        };
        let message = "plain servers do not make up a cluster";
        let label = "the nodes of `[cluster]` have to be in cluster mode";
        let mistake = Diagnostic::new(message, said.value.span.clone(), label);
        let hint =
            "say it of a `[[node]]` beside the cluster: config = { cluster-enabled = false }";
        self.reader.complain(mistake.hint(hint));
    }

    /// Deals the nodes of a cluster to zones. The replicas of a master follow it at the distance of
    /// the number of masters; each is one zone farther on.
    fn deal(&mut self, zones: &[Located<String>], span: &Bytes, masters: usize) {
        if zones.is_empty() {
            let mistake = Diagnostic::new("there are no zones", span.clone(), "expected some");
            self.reader.complain(mistake.hint("for example zones = [\"a\", \"b\", \"c\"]"));
            return;
        }
        for (at, zone) in zones.iter().enumerate() {
            if let Some(first) = zones[..at].iter().find(|other| other.value == zone.value) {
                let message = format!("zone `{}` is named twice", zone.value);
                let mistake = Diagnostic::new(message, zone.span.clone(), "again here");
                self.reader.complain(mistake.see(first.span.clone(), "first here"));
            }
        }
        for (at, node) in self.roster.all().enumerate() {
            let zone = &zones[(at % masters + at / masters) % zones.len()];
            self.join(GroupKind::Zone, zone, node);
        }
        for zone in zones {
            if self.roster.group(GroupKind::Zone, &zone.value).is_empty() {
                let message = format!("no node is in zone `{}`", zone.value);
                let label = "there are fewer nodes than zones";
                self.reader.complain(Diagnostic::new(message, zone.span.clone(), label));
            }
        }
    }

    /// Puts a node into a zone or on a host.
    fn join(&mut self, kind: GroupKind, name: &Located<String>, node: NodeNo) {
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.value.is_empty() || !name.value.chars().all(is_word) {
            let message = format!("this is no name of a {}", kind.word());
            let span = self.reader.inside_quotes(&name.span);
            let label = "expected letters, digits, `-`, `_` and `.`";
            self.reader.complain(Diagnostic::new(message, span, label));
            return;
        }
        self.roster.join(kind, &name.value, node);
    }

    fn spread(&mut self, text: Option<&Located<String>>) -> Span {
        let spread = self.reader.unit("a duration", text, SPREAD, units::duration);
        if let Some(text) = text.filter(|_| spread > self.header.limit) {
            let label = format!("the limit of the run is {}", human(self.header.limit));
            let span = self.reader.inside_quotes(&text.span);
            let mistake = Diagnostic::new("some nodes would start behind the limit", span, label);
            self.reader.complain(mistake.hint("set a shorter `spread` or a later `limit`"));
        }
        spread
    }

    /// A plain server has no bus port above its own.
    fn port_is_possible(&mut self, port: &Located<u16>, mode: Mode) {
        match mode {
            Mode::Cluster if !(1..=PORT_MAX).contains(&port.value) => {
                self.port_out_of_range("port", port.span.clone());
            }
            Mode::Standalone if port.value == 0 => {
                let label = "nobody listens on port 0";
                let mistake = Diagnostic::new("`port` is out of range", port.span.clone(), label);
                self.reader.complain(mistake);
            }
            _ => {}
        }
    }

    fn port_out_of_range(&mut self, key: &str, place: Bytes) {
        let label = format!("not between 1 and {PORT_MAX}: the bus port is {BUS_OFFSET} higher");
        self.reader.complain(Diagnostic::new(format!("`{key}` is out of range"), place, label));
    }

    fn node(&mut self, node: &NodeTable) {
        let port = node.port.value;
        let config = self.configure(port, &node.config);
        self.port_is_possible(&node.port, config.mode);
        if config.mode == Mode::Standalone {
            self.has_no_identity(node);
        }
        let address = SocketAddr::new(self.ip(node), port);
        let added = self.add(address, config, node.port.span.clone());
        let id = node.id.as_ref().and_then(|id| self.id(id));
        let pids = self.pids(node);
        let nodes_conf = node.nodes_conf.as_ref().and_then(|conf| self.nodes_conf(conf, id));
        let offset = self.clock_offset(node.clock_offset.as_ref());
        if let Some(last) = self.roster.all().last().filter(|_| added) {
            let groups = [(GroupKind::Zone, &node.zone), (GroupKind::Host, &node.host)];
            for (kind, name) in groups {
                if let Some(name) = name {
                    self.join(kind, name, last);
                }
            }
        }
        if let Some(plan) = self.nodes.last_mut().filter(|_| added) {
            *plan = NodePlan { id, pids, nodes_conf, clock_offset: offset, ..plan.clone() };
        }
    }

    /// Complains about what only a node of a cluster has.
    fn has_no_identity(&mut self, node: &NodeTable) {
        let id = node.id.as_ref().map(|id| &id.span);
        let nodes_conf = node.nodes_conf.as_ref().map(|conf| &conf.span);
        for (what, span) in [("id", id), ("nodes.conf", nodes_conf)] {
            if let Some(span) = span {
                let message = format!("a plain server has no {what}");
                let label = "this one has `cluster-enabled = false`";
                self.reader.complain(Diagnostic::new(message, span.clone(), label));
            }
        }
    }

    /// The node's clock has to show a date that a scenario could start at.
    fn clock_offset(&mut self, text: Option<&Located<String>>) -> i64 {
        let offset = self.reader.unit("a duration", text, 0, units::signed_duration);
        let shown = self.header.start.0.checked_add_signed(offset);
        if let Some(text) = text.filter(|_| !shown.map(Wall).is_some_and(units::can_be_lived_in)) {
            let span = self.reader.inside_quotes(&text.span);
            let message = "this clock is too far off";
            let label = "what it shows is not between the years 1970 and 2099";
            self.reader.complain(Diagnostic::new(message, span, label));
        }
        offset
    }

    /// Adds a node; false if its address is taken.
    fn add(&mut self, address: SocketAddr, config: Config, place: Bytes) -> bool {
        let added = match self.roster.add(address) {
            Ok(added) => added,
            Err(taken) => {
                let message = format!("two nodes have the address {address}");
                let first = self.places[taken.index()].clone();
                let mistake = Diagnostic::new(message, place, "again here");
                self.reader.complain(mistake.see(first, "first here"));
                return false;
            }
        };
        if config.mode == Mode::Standalone {
            self.roster.set_plain(added);
        }
        self.bus_port_is_free(added, &place);
        self.places.push(place);
        self.nodes.push(NodePlan {
            address,
            config,
            id: None,
            pids: Vec::new(),
            nodes_conf: None,
            clock_offset: 0,
        });
        true
    }

    /// Complains if a node's bus port is another's port for clients: one of them could not listen.
    fn bus_port_is_free(&mut self, node: NodeNo, place: &Bytes) {
        let address = self.roster.address(node);
        let at = |port: Option<u16>| self.roster.at(SocketAddr::new(address.ip(), port?));
        let above = at(address.port().checked_add(BUS_OFFSET));
        let above = above.filter(|_| self.roster.is_member(node));
        let below = at(address.port().checked_sub(BUS_OFFSET));
        let below = below.filter(|&below| self.roster.is_member(below));
        let Some(other) = above.or(below) else { return };
        let port = address.port().max(self.roster.address(other).port());
        let message = format!("port {port} is taken twice");
        let label = format!("the bus port of {} is {port}", port - BUS_OFFSET);
        let first = self.places[other.index()].clone();
        let mistake = Diagnostic::new(message, place.clone(), label);
        self.reader.complain(mistake.see(first, "the other node"));
    }

    /// A node's configuration: the shared directives, then its own over them.
    fn configure(&mut self, port: u16, own: &Directives) -> Config {
        let mut config = Config { port, ..Config::default() };
        let mut lines = vec![("port".to_owned(), port.to_string())];
        for directive in &self.shared.0 {
            // What is wrong with these was said already.
            let value = for_port(&directive.value.value, port);
            if config.set(&directive.name.value, &value).is_ok() {
                lines.push((directive.name.value.clone(), value));
            }
        }
        for directive in &own.0 {
            if let Some(value) = self.set(&mut config, directive, port) {
                let name = &directive.name.value;
                match lines.iter_mut().find(|(other, _)| other.eq_ignore_ascii_case(name)) {
                    Some(line) => line.1 = value,
                    None => lines.push((name.clone(), value)),
                }
            }
        }
        config.lines = lines.iter().flat_map(|(name, value)| rewrite::lines(name, value)).collect();
        config
    }

    fn set(&mut self, config: &mut Config, directive: &Directive, port: u16) -> Option<String> {
        let Directive { name, value } = directive;
        if directive.is("port") {
            let message = "the port of a node is not a directive here";
            let mistake = Diagnostic::new(message, name.span.clone(), "set in the wrong place");
            self.reader.complain(mistake.hint("say `port = …` in its `[[node]]`"));
            return None;
        }
        let text = for_port(&value.value, port);
        match config.set(&name.value, &text) {
            Ok(()) => Some(text),
            Err(error) => {
                self.reader.complain(bad_directive(directive, &error));
                None
            }
        }
    }

    fn ip(&mut self, node: &NodeTable) -> IpAddr {
        let Some(ip) = &node.ip else { return HOME };
        self.reader.unit("an address of one node", Some(ip), HOME, units::address)
    }

    fn id(&mut self, text: &Located<String>) -> Option<NodeId> {
        let span = self.reader.inside_quotes(&text.span);
        let Ok(id) = text.value.parse::<NodeId>() else {
            let digit = |c: &char| matches!(c, '0'..='9' | 'a'..='f');
            let label = match text.value.chars().find(|c| !digit(c)) {
                Some(other) => format!("`{}` cannot be in it", other.escape_debug()),
                None => format!("{} digits", text.value.len()),
            };
            let mistake = Diagnostic::new("this is not a node id", span, label);
            self.reader.complain(mistake.hint("a node id is 40 lowercase hexadecimal digits"));
            return None;
        };
        if let Some(first) = self.ids.insert(id, span.clone()) {
            let mistake = Diagnostic::new("two nodes have the same id", span, "again here");
            self.reader.complain(mistake.see(first, "first here"));
        }
        Some(id)
    }

    fn pids(&mut self, node: &NodeTable) -> Vec<u32> {
        let mut pids: Vec<&Located<u32>> = node.pid.iter().collect();
        if let Some(list) = &node.pids {
            if let Some(pid) = &node.pid {
                let message = "`pid` and `pids` are two ways to say the same";
                let mistake =
                    Diagnostic::new(message, list.span.clone(), "one of them is too much");
                self.reader.complain(mistake.see(pid.span.clone(), "the other"));
            }
            pids.extend(&list.value);
        }
        for pid in &pids {
            if !(1..=PID_MAX).contains(&pid.value) {
                let label = format!("not between 1 and {PID_MAX}");
                let message = "a process id is out of range";
                self.reader.complain(Diagnostic::new(message, pid.span.clone(), label));
            }
        }
        pids.iter().map(|pid| pid.value).collect()
    }

    fn nodes_conf(&mut self, conf: &Located<NodesConf>, id: Option<NodeId>) -> Option<String> {
        match (&conf.value, id) {
            (NodesConf::Exists(false), _) => None,
            (NodesConf::Exists(true), Some(id)) => Some(format!(
                "{id} :0@0 myself,master - 0 0 0 connected\nvars currentEpoch 0 lastVoteEpoch 0\n"
            )),
            (NodesConf::Exists(true), None) => {
                let message = "a nodes.conf of a node that exists holds its id";
                let mistake = Diagnostic::new(message, conf.span.clone(), "which one?");
                self.reader.complain(mistake.hint("give the node an `id`"));
                None
            }
            (NodesConf::Text(text), id) => {
                self.check_myself(text, id, &conf.span);
                Some(text.clone())
            }
        }
    }

    /// The id in the file is the one that counts; another one next to it is a mistake.
    fn check_myself(&mut self, text: &str, id: Option<NodeId>, span: &Bytes) {
        let myself = text.lines().find(|line| line.contains("myself"));
        let own = myself.and_then(|line| line.split(' ').next()?.parse::<NodeId>().ok());
        if let (Some(id), Some(own)) = (id, own)
            && id != own
        {
            let message = "the node's `id` is not that of its nodes.conf";
            let label = format!("in this text it is {own}");
            self.reader.complain(Diagnostic::new(message, span.clone(), label));
        }
    }
}

/// Why there cannot be a cluster of so many nodes, if there cannot.
fn too_many(
    masters: u32,
    count: u64,
    first: u16,
    formed: bool,
    span: &Bytes,
) -> Option<Diagnostic> {
    let room = u64::from(PORT_MAX) + 1 - u64::from(first);
    let (message, label) = if formed && masters > u32::from(SLOTS) {
        let message = format!("{masters} masters cannot share {SLOTS} slots");
        (message, "each of them needs a slot".to_owned())
    } else if count > room {
        let message = format!("there are not enough ports for {count} nodes");
        (message, format!("ports {first} to {PORT_MAX} are enough for {room}"))
    } else if count > NODES_MAX {
        (format!("{count} nodes are too many"), format!("{NODES_MAX} at most, replicas included"))
    } else {
        return None;
    };
    Some(Diagnostic::new(message, span.clone(), label))
}

/// `{port}` in a directive stands for the node's port.
fn for_port(value: &str, port: u16) -> String {
    value.replace("{port}", &port.to_string())
}

fn bad_directive(directive: &Directive, error: &ConfigError) -> Diagnostic {
    let Directive { name, value } = directive;
    match error {
        ConfigError::Unknown(_) => {
            let known = config::directives().flat_map(|known| known.names());
            let near = suggest::nearest(&name.value, known);
            let message = format!("redis.conf has no directive `{}`", name.value);
            Diagnostic::new(message, name.span.clone(), "unknown to Redis 6.2")
                .maybe_hint(near.map(|near| format!("did you mean `{near}`?")))
        }
        ConfigError::Value { mismatch, .. } => {
            let message = format!("`{}` cannot be `{}`", name.value, value.value);
            Diagnostic::new(message, value.span.clone(), mismatch.to_string())
        }
    }
}
