//! A virtual node answers what a real one was recorded to answer.
//!
//! The recordings are made by `tests/data/replies/record.py`, which also describes their format.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use redis_cluster_sim::id::Ids;
use redis_cluster_sim::node::Node;
use redis_cluster_sim::node::config::{Config, Mode};
use redis_cluster_sim::node::effect::{
    CallError, CallResult, Ctx, Effect, Exit, Input, LinkId, Outbox,
};
use redis_cluster_sim::node::process::{Boot, Disk, Host};
use redis_cluster_sim::resp::{Args, Reply, args};
use redis_cluster_sim::rng::Seed;
use redis_cluster_sim::time::{Span, Wall};

/// One node, its clients, and what it says to them.
struct Lab {
    node: Node,
    ids: Ids,
    out: Outbox,
    now: Wall,
    next_tick: Wall,
    running: bool,
    /// When which child process ends.
    children: Vec<(Wall, u32)>,
    said: Vec<(LinkId, Option<Reply>)>,
    connected: BTreeSet<LinkId>,
}

impl Lab {
    fn new(mode: Mode) -> Lab {
        let mut config = Config { mode, ..Config::default() };
        config.set("port", "17400").unwrap();
        config.set("cluster-node-timeout", "3000").unwrap();
        let boot = Boot {
            config,
            ip: [127, 0, 0, 1].into(),
            pid: 1,
            id: None,
            seed: Seed(1),
            subject: 0,
            incarnation: 0,
            disk: Disk::default(),
            host: Host::default(),
        };
        let (mut ids, mut out) = (Ids::new(), Outbox::default());
        let now = Wall(1_800_000_000_000_000);
        let node = Node::start(boot, &mut Ctx { now, ids: &mut ids, out: &mut out });
        let mut lab = Lab {
            node,
            ids,
            out,
            now,
            next_tick: now,
            running: false,
            children: Vec::new(),
            said: Vec::new(),
            connected: BTreeSet::new(),
        };
        while !lab.running {
            lab.out.effects.clear();
            lab.input(Input::BootStep);
        }
        lab.next_tick = lab.now + Span::millis(1);
        lab
    }

    fn input(&mut self, input: Input<'_>) {
        self.now = self.now + Span::millis(1);
        let Lab { node, ids, out, now, .. } = self;
        node.handle(input, &mut Ctx { now: *now, ids, out });
        for effect in std::mem::take(&mut self.out.effects) {
            match effect {
                Effect::Listen => self.running = true,
                Effect::Reply(client, reply) => self.said.push((client, Some(reply))),
                Effect::CloseClient(client) => {
                    self.connected.remove(&client);
                    self.said.push((client, None));
                }
                Effect::Fork { pid, runs } => self.children.push((self.now + runs, pid)),
                Effect::Sleep(span) => self.now = self.now + span,
                Effect::Call { .. } => {
                    let error = Some(CallError::Refused);
                    self.input(Input::CallDone(CallResult { replies: Vec::new(), error }));
                }
                Effect::Exit(Exit::Shutdown) => self.said.push((client(1), None)),
                _ => {}
            }
        }
    }

    /// A client says something, and connects first if it is not connected.
    fn say(&mut self, client: LinkId, words: Args) {
        if self.connected.insert(client) {
            self.input(Input::ClientAccepted(client));
        }
        self.input(Input::Command(client, words.into()));
    }

    fn wait(&mut self, ms: u64) {
        let end = self.now + Span::millis(ms);
        loop {
            let child = self.children.iter().copied().min().filter(|(at, _)| *at < self.next_tick);
            if let Some((at, pid)) = child.filter(|(at, _)| *at < end) {
                self.children.retain(|(_, other)| *other != pid);
                self.now = self.now.max(at);
                self.input(Input::ChildExit(pid));
            } else if self.next_tick < end {
                self.now = self.next_tick;
                self.next_tick = self.now + Span::millis(100);
                self.input(Input::Tick);
            } else {
                break;
            }
        }
        self.now = self.now.max(end);
    }

    /// Waits for replies as long as the recorder does: a while for the first, then until it is quiet.
    fn listen(&mut self) {
        if self.said.is_empty() {
            self.wait(150);
        }
        self.wait(20);
    }
}

/// The accepting end of a client's connection.
fn client(name: u32) -> LinkId {
    LinkId(2 * name + 1)
}

/// Splits a line into words; a word in double quotes may hold anything.
fn split(line: &str) -> Args {
    let mut words = Vec::new();
    let mut rest = line.bytes().peekable();
    while let Some(byte) = rest.next() {
        let mut word = Vec::new();
        match byte {
            b' ' => continue,
            b'"' => {
                while let Some(byte) = rest.next().filter(|&byte| byte != b'"') {
                    word.push(if byte == b'\\' { unescape(&mut rest) } else { byte });
                }
            }
            _ => {
                word.push(byte);
                while let Some(byte) = rest.next_if(|&byte| byte != b' ') {
                    word.push(byte);
                }
            }
        }
        words.push(word);
    }
    words
}

fn unescape(rest: &mut impl Iterator<Item = u8>) -> u8 {
    let byte = rest.next().expect("something follows a backslash");
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            let digits: String = rest.take(2).map(char::from).collect();
            u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
        }
        other => other,
    }
}

fn render(reply: &Reply, indent: usize, out: &mut Vec<String>) {
    let line = match reply {
        Reply::Status(text) => format!("+{text}"),
        Reply::Error(text) => format!("-{text}"),
        Reply::Int(number) => format!(":{number}"),
        Reply::Bulk(bytes) => quote(bytes),
        Reply::Nil => "nil".to_owned(),
        Reply::NilArray => "nil-array".to_owned(),
        Reply::Array(elements) => format!("*{}", elements.len()),
    };
    out.push(" ".repeat(indent) + &line);
    if let Reply::Array(elements) = reply {
        elements.iter().for_each(|element| render(element, indent + 2, out));
    }
}

fn quote(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for &byte in bytes {
        match byte {
            b'"' => text.push_str("\\\""),
            b'\\' => text.push_str("\\\\"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            32..127 => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").unwrap(),
        }
    }
    text + "\""
}

/// Masks node ids.
fn mask(line: &str) -> String {
    let mut masked = String::new();
    let mut word = String::new();
    for character in line.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
            continue;
        }
        let is_id = word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        masked.push_str(if is_id { "<id>" } else { &word });
        word.clear();
        masked.push(character);
    }
    masked.trim_end_matches('\n').to_owned()
}

/// Plays a recording to a virtual node; returns it with the virtual node's replies.
fn replay(recording: &str) -> String {
    let mode = if recording.contains("#! plain") { Mode::Standalone } else { Mode::Cluster };
    let mut lab = Lab::new(mode);
    let mut out: Vec<String> = Vec::new();
    if mode == Mode::Cluster && !recording.contains("#! fresh") {
        let slots = (0..16_384).map(|slot| slot.to_string());
        let words = ["CLUSTER", "ADDSLOTS"].map(str::to_owned).into_iter().chain(slots);
        lab.say(client(1), args(words));
        lab.wait(4_000);
        lab.said.clear();
    }
    for line in recording.lines() {
        let (me, command) = match line.split_once("> ") {
            Some(("", command)) => (Some(client(1)), command),
            Some((name, command)) if name.len() == 1 => {
                (Some(client(name.parse().unwrap())), command)
            }
            _ => (None, ""),
        };
        if let Some(me) = me {
            out.push(line.to_owned());
            lab.say(me, split(command));
            lab.listen();
        } else if let Some(ms) = line.strip_prefix("wait ") {
            out.push(line.to_owned());
            lab.wait(ms.parse().unwrap());
        } else if line.starts_with('#') || line.trim().is_empty() {
            out.push(line.to_owned());
        }
        let mut said = std::mem::take(&mut lab.said);
        said.sort_by_key(|(to, _)| (me != Some(*to), *to));
        for (to, reply) in said {
            let mut lines = Vec::new();
            match reply {
                Some(reply) => render(&reply, 0, &mut lines),
                None => lines.push("closed".to_owned()),
            }
            let prefix =
                if me == Some(to) { String::new() } else { format!("{}< ", to.connection()) };
            out.extend(lines.iter().map(|line| prefix.clone() + &mask(line)));
        }
    }
    out.join("\n") + "\n"
}

/// Lines of both texts that differ, with the command before them.
fn differences(expected: &str, actual: &str) -> Vec<String> {
    let group = |text: &str| {
        let mut groups: Vec<Vec<String>> = vec![Vec::new()];
        for line in text.lines() {
            if line.contains("> ") && !line.starts_with([' ', '"', '-', '+']) {
                groups.push(Vec::new());
            }
            groups.last_mut().unwrap().push(line.to_owned());
        }
        groups
    };
    let (expected, actual) = (group(expected), group(actual));
    assert_eq!(expected.len(), actual.len());
    std::iter::zip(expected, actual)
        .filter(|(expected, actual)| !same(expected, actual))
        .map(|(expected, actual)| {
            format!(
                "{}\n  real:    {:?}\n  virtual: {:?}",
                expected[0],
                &expected[1..],
                &actual[1..]
            )
        })
        .collect()
}

/// Whether a command was answered as it should be. A line with a tilde says what 6.2.3 answers.
fn same(expected: &[String], actual: &[String]) -> bool {
    let expected = expected.iter().map(|line| line.strip_prefix("~ ").unwrap_or(line));
    expected.eq(actual)
}

#[test]
fn a_virtual_node_answers_what_a_real_one_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/replies");
    let mut failures = BTreeMap::new();
    let mut commands = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let expected = fs::read_to_string(&path).unwrap();
        commands += expected.lines().filter(|line| line.contains("> ")).count();
        let differences = differences(&expected, &replay(&expected));
        if !differences.is_empty() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            failures.insert(name, differences.join("\n"));
        }
    }
    assert!(commands > 1_000, "only {commands} commands were compared");
    let report: String = failures.iter().map(|(name, text)| format!("\n{name}:\n{text}")).collect();
    assert!(failures.is_empty(), "{report}");
}
