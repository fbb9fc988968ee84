//! Recordings of the real tool: `$ command`, what appeared on the terminal, `[exit N]`.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use redis_cluster_sim::admin::{Shell, split_args};
use redis_cluster_sim::slot::{Slot, SlotSet};

use super::toy_cluster::{ToyCluster, ToyNode, Typed};

/// A recording.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub words: Vec<String>,
    pub shell: Shell,
    pub typed: Typed,
    /// Everything between the command and the exit code.
    pub output: String,
    pub exit: u8,
}

impl Transcript {
    pub fn read(name: &str) -> Transcript {
        let path = Path::new("tests/data/transcripts").join(format!("{name}.txt"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (command, rest) = text.strip_prefix("$ ").unwrap().split_once('\n').unwrap();
        let (output, exit) = rest.rsplit_once("[exit ").expect("an exit code");
        let exit = exit.trim_end().trim_end_matches(']').parse().expect("a number");
        let (command, _comment) = command.split_once("    # ").unwrap_or((command, ""));
        let mut transcript = Transcript {
            words: Vec::new(),
            shell: Shell::default(),
            typed: Typed::Pipe(Vec::new()),
            output: output.to_owned(),
            exit,
        };
        transcript.read_command(command);
        let prompted = |line: &str| line.starts_with("127.0.0.1:") && line.contains("> ");
        let dialogue = name.contains("interactive") && !name.contains("noninteractive")
            || output.lines().any(|line| prompted(line) && !line.contains("->"));
        if dialogue || name.contains("-tty") {
            transcript.shell.stdin_is_terminal = true;
            transcript.shell.stdout_is_terminal = true;
            transcript.typed = Typed::Lines(typed_lines(output));
        }
        transcript
    }

    /// `printf 'yes\n' | TERM=xterm redis-cli …`
    fn read_command(&mut self, command: &str) {
        let command = match command.split_once(" | ") {
            Some((printf, command)) => {
                let text = printf.trim_start_matches("printf '").trim_end_matches('\'');
                self.typed = Typed::Pipe(text.replace("\\n", "\n").into_bytes());
                command
            }
            None => command,
        };
        let words = split_args(command.as_bytes()).expect("balanced quotes");
        let mut words = words.into_iter().map(|word| String::from_utf8(word).unwrap());
        for word in words.by_ref() {
            match word.split_once('=') {
                Some(("TERM", term)) => self.shell.colours = term.contains("xterm"),
                Some(("REDISCLI_AUTH", password)) => self.shell.password = Some(password.into()),
                Some(("REDISCLI_CLUSTER_YES", "1")) => self.shell.cluster_yes = true,
                _ => break,
            }
        }
        self.words = words.collect();
    }

    /// The servers of the first listing, as the recording describes them: its nodes, their slots and
    /// roles, how many keys they have, and what could not be reached.
    pub fn nodes(&self) -> Vec<ToyNode> {
        let mut nodes: Vec<ToyNode> = Vec::new();
        let mut lines = strip_colours(&self.output);
        lines.push(String::new());
        for line in &lines {
            if let Some(address) = line.strip_prefix("Could not connect to Redis at ") {
                let address = address.split(": ").next().unwrap();
                if nodes.is_empty() && !self.words.iter().any(|word| word == address) {
                    let mut dead = ToyNode::new(&format!("{:0<40}", "dead"), address);
                    dead.alive = false;
                    dead.seen_as = "master,fail".to_owned();
                    nodes.push(dead);
                }
            } else if line.starts_with("M: ") || line.starts_with("S: ") {
                let words: Vec<&str> = line.split(' ').collect();
                nodes.push(ToyNode::new(words[1], words[2]));
            } else if let Some(node) = nodes.last_mut() {
                if let Some(slots) = line.strip_prefix("   slots:") {
                    node.slots = ranges(slots);
                    if line.ends_with("slave") {
                        node.master = Some(String::new());
                    }
                } else if let Some(master) = line.strip_prefix("   replicates ") {
                    node.master = Some(master.to_owned());
                } else if !line.starts_with("   ") && node.alive {
                    break;
                }
            }
        }
        // The one that was named comes first, whoever else was complained of before.
        let dead: Vec<ToyNode> = nodes.extract_if(.., |node| !node.alive).collect();
        nodes.extend(dead);
        nodes
    }
}

impl Transcript {
    /// Gives servers as many keys as the recording counts, and to each slot as many as the recording
    /// moves out of it.
    pub fn keys(&self, toy: &mut ToyCluster) {
        let port = |address: &str| address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
        for line in strip_colours(&self.output) {
            if let Some((address, rest)) = line.split_once(" (")
                && let Some((_, rest)) = rest.split_once("...) -> ")
            {
                let count = rest.split(' ').next().unwrap().parse().unwrap();
                toy.fill_up(port(address), count);
            } else if let Some(rest) = line.strip_prefix("Moving slot ")
                && let [slot, "from", from, "to", _, dots] =
                    rest.split(' ').collect::<Vec<_>>().as_slice()
                && !dots.is_empty()
            {
                toy.fill(port(from), slot.parse().unwrap(), dots.len());
            }
        }
    }

    /// In which order the recording lists its servers, or names them line by line.
    pub fn order(&self) -> Vec<String> {
        let lines = strip_colours(&self.output);
        let listed = |line: &String| {
            let mut words = line.split(' ');
            let is_node = matches!(words.next(), Some("M:" | "S:"));
            words.nth(1).filter(|_| is_node).map(str::to_owned)
        };
        let named = |line: &String| {
            if let Some(address) = line.strip_prefix("*** New timeout set for ") {
                return Some(address.to_owned());
            }
            let (word, rest) = line.split_once(' ')?;
            let named = word.ends_with(':') || rest.contains("...) -> ");
            let is_address = word.starts_with("127.0.0.");
            (named && is_address).then(|| word.trim_end_matches(':').to_owned())
        };
        let mut order: Vec<String> = lines.iter().filter_map(listed).collect();
        if order.is_empty() {
            order = lines.iter().filter_map(named).collect();
        }
        order
    }

    /// Opens the slots that the recording's first check finds open. The other side is whoever says
    /// the opposite of the same slot, else the owner, else anybody.
    pub fn open_slots(&self, toy: &mut ToyCluster) {
        for line in strip_colours(&self.output) {
            let Some(rest) = line.strip_prefix("[WARNING] Node ") else { continue };
            let (address, rest) = rest.split_once(" has slots in ").unwrap();
            let (state, slots) = rest.split_once(" state ").unwrap();
            let arrow = if state == "migrating" { "->-" } else { "-<-" };
            for slot in slots.trim_end_matches('.').split(',') {
                let slot = slot.parse().unwrap();
                let me = toy.nodes.iter().position(|node| node.address == address).unwrap();
                let opposite = |node: &&ToyNode| {
                    node.open.get(&slot).is_some_and(|(theirs, _)| *theirs != arrow)
                };
                let owner = |node: &&ToyNode| node.slots.contains(Slot::new(slot).unwrap());
                let others = || toy.nodes.iter().filter(|node| node.address != address);
                let other = others().find(opposite).or_else(|| others().find(owner));
                let other = other.or_else(|| others().next()).unwrap().id.clone();
                toy.nodes[me].open.insert(slot, (arrow, other.clone()));
                // The opposite may have been opened towards somebody else before.
                let mine = toy.nodes[me].id.clone();
                if let Some(node) = toy.nodes.iter_mut().find(|node| node.id == other)
                    && let Some((_, towards)) = node.open.get_mut(&slot)
                {
                    *towards = mine;
                }
            }
        }
    }

    /// For `create`: servers that know nobody, and how the first of them will list them once they
    /// have joined, which takes as many seconds as there are dots.
    pub fn strangers(&self) -> ToyCluster {
        let mut listed: Vec<Vec<ToyNode>> = vec![Vec::new()];
        for line in strip_colours(&self.output) {
            if line.starts_with("M: ") || line.starts_with("S: ") {
                let words: Vec<&str> = line.split(' ').collect();
                listed.last_mut().unwrap().push(ToyNode::new(words[1], words[2]));
            } else if line.starts_with(">>> Performing Cluster Check") {
                listed.push(Vec::new());
            }
        }
        let mut toy = ToyCluster::new(listed[0].clone());
        for word in self.words.iter().filter(|word| word.starts_with("127.")) {
            if !toy.nodes.iter().any(|node| node.address == *word) {
                let port = word.rsplit_once(':').unwrap().1;
                toy.nodes.push(ToyNode::new(&format!("{port:0<40}"), word));
            }
        }
        let order = listed.pop().unwrap();
        toy.order = order.into_iter().map(|node| node.address).collect();
        let dots = self.output.lines().find(|line| line.starts_with('.')).map_or(0, str::len);
        toy.join_after = dots as u32 + 1;
        toy
    }
}

/// The lines, without the sequences that colour them.
fn strip_colours(text: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain += before;
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    (plain + rest).lines().map(str::to_owned).collect()
}

/// `[0-5460],[6000] (5462 slots) master`
pub fn ranges(text: &str) -> SlotSet {
    let ranges = text.split(' ').next().unwrap().split(',').filter(|range| !range.is_empty());
    ranges
        .flat_map(|range| {
            let range = range.trim_matches(['[', ']']);
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            first.parse::<u16>().unwrap()..=last.parse().unwrap()
        })
        .filter_map(Slot::new)
        .collect()
}

/// What was typed into a recorded dialogue: whatever stands behind a question or a prompt.
fn typed_lines(output: &str) -> VecDeque<Vec<u8>> {
    const QUESTIONS: [&str; 6] = [
        "How many slots do you want to move (from 1 to 16384)? ",
        "What is the receiving node ID? ",
        "Do you want to proceed with the proposed reshard plan (yes/no)? ",
        "Can I set the above configuration? (type 'yes' to accept): ",
        "Fix these slots by covering with a random node? (type 'yes' to accept): ",
        "not connected> ",
    ];
    let answer = |line: &str| {
        if let Some(question) = QUESTIONS.iter().find(|question| line.starts_with(**question)) {
            return Some(line[question.len()..].to_owned());
        }
        let (asked, answer) = line.split_once(": ").or_else(|| line.split_once("> "))?;
        let is_prompt = asked.starts_with("127.0.0.1:") && !asked.contains(' ');
        let asks = asked.starts_with("Source node #") || is_prompt;
        asks.then(|| answer.to_owned())
    };
    output.lines().filter_map(answer).map(|line| (line + "\n").into_bytes()).collect()
}
