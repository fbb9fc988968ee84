//! The keys of a scenario file.
//!
//! These types are the format: the loader reads them, the JSON Schema that editors use is derived
//! from them, and the checker of keys and types (`shape`) walks that schema. What the values mean
//! (durations, dates, steps) is read from them in [`plan`](crate::scenario::plan).

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::scenario::located::Located;

/// A scenario: a cluster of virtual Redis nodes and a terminal session with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(title = "Scenario of a simulated Redis Cluster")]
pub struct ScenarioFile {
    /// What the scenario shows, in one line.
    pub title: Option<Located<String>>,
    /// The seed of everything random; 1 if not given.
    pub seed: Option<Located<u64>>,
    /// The date at which the run starts, in UTC; 2021-05-27T00:00:00Z if not given.
    #[schemars(extend("format" = "date-time"))]
    pub start: Option<Located<String>>,
    /// The virtual time after which the run is stopped, for example `2h`; `1h` if not given.
    pub limit: Option<Located<String>>,
    /// Directives of redis.conf for every node.
    #[serde(default)]
    pub config: Directives,
    /// How the network behaves.
    pub network: Option<NetworkTable>,
    /// How the nodes' disks behave.
    pub disk: Option<DiskTable>,
    /// The machine that the nodes run on.
    pub host: Option<HostTable>,
    /// The person at the terminal.
    pub session: Option<SessionTable>,
    /// Many nodes at once, in front of those that are listed one by one.
    pub cluster: Option<Located<ClusterTable>>,
    /// The nodes, one by one.
    #[serde(default)]
    pub node: Vec<Located<NodeTable>>,
    /// Virtual clients that keep books of what they write.
    #[serde(default)]
    pub workload: Vec<Located<WorkloadTable>>,
    /// What is done.
    pub script: Located<ScriptTable>,
}

/// How the network behaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetworkTable {
    /// How long a message is under way, one way: a duration or a range such as `200us..1ms`.
    pub latency: Option<Located<String>>,
    /// Whether a kernel goes on sending what a closed connection has not sent, so that stale packets
    /// come after a heal; true if not given.
    pub orphans: Option<Located<bool>>,
    /// Whether the pauses between attempts to connect double; true if not given. Else one is made each
    /// second.
    pub syn_back_off: Option<Located<bool>>,
    /// Whether the pauses between retransmissions double; true if not given. Else one is made every
    /// 200 ms.
    pub back_off: Option<Located<bool>>,
    /// Whether a small message on one host waits for the acknowledgement of the one before (Nagle's
    /// algorithm and delayed acknowledgements); true if not given.
    pub nagle: Option<Located<bool>>,
}

/// How the nodes' disks behave.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DiskTable {
    /// Whether a server writes and syncs nodes.conf before it sends anything; true if not given. Else
    /// output leaves at once.
    pub save_first: Option<Located<bool>>,
    /// Whether a failure of the power loses what was written and not synced; true if not given.
    pub loses_unsynced: Option<Located<bool>>,
    /// Whether a sync does what it says; true if not given. Else only what the kernel has written back by
    /// itself outlives a failure of the power.
    pub syncs: Option<Located<bool>>,
    /// Whether a failure of the power leaves half of a nodes.conf that was not synced; false if not given.
    pub torn_writes: Option<Located<bool>>,
    /// How long a sync takes, for example `5ms`; no time if not given.
    pub sync_takes: Option<Located<String>>,
}

/// The machine that the nodes run on, as far as their logs tell of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HostTable {
    /// The limit of open files, if it is so low that the server raises it at start.
    pub open_files: Option<Located<u32>>,
    /// The kernel's limit of a listening socket's backlog; 4096 if not given.
    pub somaxconn: Option<Located<u32>>,
    /// Whether the server warns of `overcommit_memory`; true if not given.
    pub overcommit_warning: Option<Located<bool>>,
    /// How long a crashing server writes its report before it dies; `166ms` if not given.
    pub crash_report: Option<Located<String>>,
}

/// The person at the terminal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SessionTable {
    /// How long a program such as redis-cli takes to start; `3ms` if not given.
    pub start_up: Option<Located<String>>,
    /// How long it takes to type a line or an answer; `200ms` if not given.
    pub typing: Option<Located<String>>,
}

/// Many nodes at once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ClusterTable {
    /// How many masters.
    pub masters: Located<u32>,
    /// How many replicas each master has; 0 if not given.
    pub replicas_per_master: Option<Located<u32>>,
    /// Whether the nodes run as a complete cluster when the script begins; false if not given.
    pub formed: Option<Located<bool>>,
    /// The port of the first node; the others count up from it. 7000 if not given.
    pub first_port: Option<Located<u16>>,
    /// The span within which the nodes of a formed cluster are started, each at a random time; `1s` if
    /// not given.
    pub spread: Option<Located<String>>,
    /// Zones that the nodes are dealt to: the masters one after another, and each replica to the zone
    /// behind that of the node before it, so that a master and its replicas are apart.
    pub zones: Option<Located<Vec<Located<String>>>>,
}

/// A node.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeTable {
    /// Its port for clients; its bus port is 10000 higher.
    pub port: Located<u16>,
    /// Its address; 127.0.0.1 if not given.
    pub ip: Option<Located<String>>,
    /// Its node id, 40 lowercase hexadecimal digits; random if not given.
    pub id: Option<Located<String>>,
    /// The process id of its first start; random if not given.
    pub pid: Option<Located<u32>>,
    /// The process ids of its successive starts.
    pub pids: Option<Located<Vec<Located<u32>>>>,
    /// Directives of redis.conf for this node alone.
    #[serde(default)]
    pub config: Directives,
    /// The text of a nodes.conf that exists already, or true for one that knows nobody but itself.
    pub nodes_conf: Option<Located<NodesConf>>,
    /// How far its clock is off, for example `-20ms`.
    pub clock_offset: Option<Located<String>>,
    /// The zone it is in: a name that steps can use for all nodes that are there.
    pub zone: Option<Located<String>>,
    /// The machine it runs on: a name that steps can use for all nodes that are there.
    pub host: Option<Located<String>>,
}

/// Virtual clients that keep books of what they write.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WorkloadTable {
    /// What steps call it.
    pub name: Located<String>,
    /// How many clients it has; 1 if not given.
    pub clients: Option<Located<u32>>,
    /// How many commands each client begins per second; 100 if not given. 0 is refused: leave it to
    /// `unbounded`.
    pub rate: Option<Located<u32>>,
    /// Whether each client begins its next command as soon as it has a reply; false if not given.
    pub unbounded: Option<Located<bool>>,
    /// How many keys each client writes to; 1000 if not given.
    pub keys: Option<Located<u32>>,
    /// What its keys begin with; its name if not given.
    pub prefix: Option<Located<String>>,
    /// What a write does: `incr` counts a key up, `rpush` appends to a list; `incr` if not given.
    pub command: Option<Located<String>>,
    /// The share of commands that only read; `0%` if not given.
    pub reads: Option<Located<String>>,
    /// Whether a client reads each key before it writes to it, and compares; false if not given.
    pub checks: Option<Located<bool>>,
    /// The client library that they behave like, for example `redis-rb-cluster`; like most if not given.
    pub library: Option<Located<String>>,
    /// How many commands each client has under way at most; 1 if not given.
    pub pipeline: Option<Located<u32>>,
    /// How many redirections a command follows; 16 if not given.
    pub redirections: Option<Located<u32>>,
    /// How often a command that got no answer is sent once more; 8 if not given.
    pub retries: Option<Located<u32>>,
    /// How long a client waits before that, twice as long each time, up to `1s`; `100ms` if not given.
    pub back_off: Option<Located<String>>,
    /// How long a client waits for an answer; `500ms` if not given.
    pub timeout: Option<Located<String>>,
    /// How many replicas must have a write (WAIT); none if not given.
    pub wait: Option<Located<u32>>,
    /// How long a node waits for them; `100ms` if not given.
    pub wait_limit: Option<Located<String>>,
    /// The node that its clients sit beside, on its side of every partition; outside if not given.
    pub beside: Option<Located<String>>,
    /// Whether it runs from the beginning of the script; false if not given.
    pub started: Option<Located<bool>>,
}

/// Steps that the schema shows as an example.
pub const STEPS: [&str; 31] = [
    "start 7000 7001 7002",
    "redis-cli --cluster create 127.0.0.1:7000 127.0.0.1:7001 127.0.0.1:7002",
    "> yes",
    "wait until cluster ok within 10s",
    "redis-cli -c -p 7000 set key Hello",
    "expect slot 12539 owner 7002",
    "at +90s kill 7002",
    "partition 7000 | rest",
    "wait 5s",
    "abort after 12: redis-cli --cluster fix 127.0.0.1:7000",
    "in background: redis-cli --cluster fix 127.0.0.1:7000",
    "wait for redis-cli within 30s",
    "send 100 times via 7000 set key:{n} value:{n}",
    "expect 100 times via 7000 get key:{n} = value:{n}",
    "wait until 7001 info role = master within 10s",
    "let victim = any master",
    "listen on 7000 7001 subscribe news",
    "power-off 7000",
    "clock 7001 +30s",
    "drop 2 FAIL 7001 -> 7002",
    "hold PONG 7001 -> 7002",
    "crash 7001 before fsync",
    "swizzle 7001 7002 every 1s",
    "slow disk 7001 200ms",
    "snapshot 7001",
    "restore 7001",
    "lose disk 7002",
    "start workload shop",
    "stop workload shop",
    "expect workload shop lost < 10",
    "random partitions every 20s for 0s..20s until 10m",
];

/// What is done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScriptTable {
    /// The steps: lines of text, and blocks of steps that are repeated.
    #[schemars(extend("examples" = [STEPS]))]
    pub steps: Vec<Located<ScriptStep>>,
}

/// A line of the script, or some that are repeated.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub enum ScriptStep {
    /// A line of text.
    Line(String),
    /// Steps that are done again and again.
    Repeat(RepeatTable),
}

/// Steps that are done again and again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RepeatTable {
    /// How often.
    pub repeat: Located<u64>,
    /// What is repeated. `{round}` in it counts from 1.
    pub steps: Vec<Located<ScriptStep>>,
}

impl<'de> Deserialize<'de> for ScriptStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ScriptStep, D::Error> {
        deserializer.deserialize_any(ScriptStepVisitor)
    }
}

struct ScriptStepVisitor;

impl<'de> Visitor<'de> for ScriptStepVisitor {
    type Value = ScriptStep;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a line of text, or a table with `repeat` and `steps`")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<ScriptStep, E> {
        Ok(ScriptStep::Line(value.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ScriptStep, A::Error> {
        RepeatTable::deserialize(de::value::MapAccessDeserializer::new(map)).map(ScriptStep::Repeat)
    }
}

/// A value of `nodes-conf`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum NodesConf {
    /// Whether the file exists.
    Exists(bool),
    /// Its text.
    Text(String),
}

/// Directives in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Directives(pub Vec<Directive>);

/// A line of redis.conf.
#[derive(Debug, Clone)]
pub struct Directive {
    /// The first word.
    pub name: Located<String>,
    /// The rest of the line.
    pub value: Located<String>,
}

impl Directive {
    /// Whether it goes by this name.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.value.eq_ignore_ascii_case(name)
    }
}

impl JsonSchema for Directives {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Directives".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Directives of redis.conf: names and values.",
            "type": "object",
            "additionalProperties": { "type": ["string", "integer", "boolean"] },
        })
    }
}

impl<'de> Deserialize<'de> for Directives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Directives, D::Error> {
        deserializer.deserialize_map(DirectivesVisitor)
    }
}

struct DirectivesVisitor;

impl<'de> Visitor<'de> for DirectivesVisitor {
    type Value = Directives;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of directives")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Directives, A::Error> {
        let mut directives = Vec::new();
        while let Some((name, value)) = map.next_entry::<Located<String>, Located<Scalar>>()? {
            let value = Located { value: value.value.0, span: value.span };
            directives.push(Directive { name, value });
        }
        directives.sort_by_key(|directive: &Directive| directive.name.span.start);
        Ok(Directives(directives))
    }
}

/// A value as redis.conf spells it.
struct Scalar(String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word, a number, or true or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(if value { "yes" } else { "no" }.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.to_owned()))
    }
}
