//! Real Redis servers on loopback, for as long as a test runs.
#![allow(clippy::disallowed_methods)] // Real servers live in real time, found through the environment.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use redis_cluster_sim::resp::{Reply, args};
use tempfile::TempDir;

use super::resp_client::RespClient;
use super::tcp_host::Ran;

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where the next free ports are looked for. Their bus ports lie 10000 higher.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// The directory with `redis-server` and `redis-cli`.
#[derive(Debug, Clone)]
pub struct Binaries(PathBuf);

impl Binaries {
    /// Says loudly that a test is skipped if there are none.
    pub fn find() -> Option<Binaries> {
        let Some(directory) = std::env::var_os("REAL_REDIS_DIR") else {
            eprintln!("SKIPPED: set REAL_REDIS_DIR to the directory of redis-server and redis-cli");
            return None;
        };
        Some(Binaries(directory.into()))
    }

    /// Runs the real `redis-cli`. A line of input is written whenever the tool has asked a question.
    pub fn run_cli(&self, words: &[&str], input: &[&str]) -> Ran {
        self.run(words, |child, stdout| answer(child, stdout, input))
    }

    /// Runs the real `redis-cli` with all its input waiting in a pipe.
    pub fn feed_cli(&self, words: &[&str], lines: &[&str]) -> Ran {
        self.run(words, |child, _| {
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all((lines.join("\n") + "\n").as_bytes()).expect("a full pipe");
        })
    }

    fn run(&self, words: &[&str], talk: impl FnOnce(&mut Child, &Collected)) -> Ran {
        let mut command = Command::new(self.0.join("redis-cli"));
        command.args(words).env("TERM", "dumb");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("redis-cli starts");
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        talk(&mut child, &stdout);
        drop(child.stdin.take());
        let exit = wait_for("redis-cli to end", || child.try_wait().unwrap());
        Ran { stdout: text(stdout), stderr: text(stderr), exit: exit.code().unwrap_or(-1) }
    }
}

/// Text that a thread collects while it comes in.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: thread::JoinHandle<()>,
}

fn collect(mut stream: impl Read + Send + 'static) -> Collected {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&bytes);
    let thread = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            shared.lock().unwrap().extend(&buffer[..count]);
        }
    });
    Collected { bytes, thread }
}

fn text(collected: Collected) -> String {
    collected.thread.join().unwrap();
    String::from_utf8_lossy(&collected.bytes.lock().unwrap()).into_owned()
}

/// Answers one question after another. The tool flushes its output when it asks.
fn answer(child: &mut Child, stdout: &Collected, input: &[&str]) {
    let mut stdin = child.stdin.take().unwrap();
    let mut answered = 0;
    for line in input {
        let asked = wait_for("a question", || {
            let printed = stdout.bytes.lock().unwrap();
            let asks = printed.ends_with(b"? ") || printed.ends_with(b": ");
            let ended = child.try_wait().unwrap().is_some();
            (ended || (asks && printed.len() > answered)).then_some(printed.len())
        });
        answered = asked;
        if stdin.write_all(format!("{line}\n").as_bytes()).is_err() {
            return;
        }
    }
}

/// Waits until something is there.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Some servers, stopped when dropped.
pub struct Servers {
    servers: Vec<Server>,
    binaries: Binaries,
    directory: TempDir,
}

struct Server {
    process: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Servers {
    /// Starts servers in cluster mode that know nobody.
    pub fn start(binaries: &Binaries, count: usize) -> Servers {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut servers = Servers { servers: Vec::new(), binaries: binaries.clone(), directory };
        for _ in 0..count {
            servers.add(&["--cluster-enabled", "yes", "--cluster-node-timeout", "3000"]);
        }
        servers
    }

    /// Starts one more server with these settings; returns its number.
    pub fn add(&mut self, settings: &[&str]) -> usize {
        let port = free_port();
        let directory = self.directory.path().join(port.to_string());
        fs::create_dir(&directory).expect("a directory for the server");
        fs::write(directory.join("redis.conf"), "").expect("a configuration file");
        let process = spawn(&self.binaries, &directory, port, settings);
        self.servers.push(Server { process, port });
        let number = self.servers.len() - 1;
        wait_for("a server to start", || RespClient::connect("127.0.0.1", port).ok());
        number
    }

    /// Kills a server.
    pub fn kill(&mut self, number: usize) {
        let server = &mut self.servers[number];
        server.process.kill().expect("a running server");
        server.process.wait().expect("an ended server");
    }

    pub fn count(&self) -> usize {
        self.servers.len()
    }

    pub fn port(&self, number: usize) -> u16 {
        self.servers[number].port
    }

    pub fn address(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.port(number))
    }

    /// A directory for whatever a test wants to write.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Sends a command, written in words, over a fresh connection.
    pub fn call(&self, number: usize, command: &str) -> Reply {
        let mut client =
            RespClient::connect("127.0.0.1", self.port(number)).expect("a listening server");
        client.call(&args(command.split(' '))).expect("a reply")
    }

    /// Sends a command that must succeed.
    pub fn tell(&self, number: usize, command: &str) {
        let reply = self.call(number, command);
        assert_eq!(reply.error(), None, "{command}");
    }

    pub fn id(&self, number: usize) -> String {
        self.call(number, "CLUSTER MYID").text().expect("an id").to_owned()
    }

    /// A line such as `cluster_state:ok` of CLUSTER INFO, without what stands before the colon.
    pub fn cluster_info(&self, number: usize, field: &str) -> String {
        let reply = self.call(number, "CLUSTER INFO");
        let lines = reply.text().unwrap_or_default().lines();
        let value = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| *name == field);
        value.map_or(String::new(), |(_, value)| value.to_owned())
    }

    /// Makes every server forget everything, including its id.
    pub fn reset(&self) {
        for number in 0..self.count() {
            self.call(number, "CLUSTER RESET HARD");
            self.call(number, "FLUSHALL");
            self.tell(number, "CLUSTER RESET HARD");
        }
        self.wait_until("everybody is alone", || {
            (0..self.count()).all(|number| self.cluster_info(number, "cluster_known_nodes") == "1")
        });
    }

    pub fn wait_until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        wait_for(what, || holds().then_some(()));
    }

    /// Waits until these servers call the cluster healthy and have the same picture of the slots.
    pub fn wait_until_settled(&self, numbers: std::ops::Range<usize>) {
        self.wait_until("a healthy cluster", || self.is_settled(numbers.clone()));
    }

    fn is_settled(&self, numbers: std::ops::Range<usize>) -> bool {
        let mut pictures: Vec<Vec<String>> =
            numbers.clone().map(|number| self.picture(number)).collect();
        pictures.dedup();
        pictures.len() == 1
            && numbers.clone().all(|number| self.cluster_info(number, "cluster_state") == "ok")
    }

    /// Gives slots to the first three servers, wherever they are now, and closes them everywhere. Old
    /// gossip may take some away again at first.
    pub fn arrange(&self, layout: &[(std::ops::Range<u16>, usize)]) {
        for _ in 0..10 {
            for (slots, owner) in layout {
                self.give(slots.clone(), *owner);
            }
            let mut calm = 0;
            for _ in 0..100 {
                let right = layout.iter().all(|(slots, owner)| self.owns(*owner, slots.start));
                calm = if right && self.is_settled(0..3) { calm + 1 } else { 0 };
                if calm == 10 {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        panic!("the slots could not be arranged");
    }

    fn give(&self, slots: std::ops::Range<u16>, owner: usize) {
        self.tell(owner, "CLUSTER BUMPEPOCH");
        let id = self.id(owner);
        let others = (0..3).filter(|&number| number != owner);
        for number in [owner].into_iter().chain(others) {
            for slot in slots.clone() {
                self.call(number, &format!("CLUSTER SETSLOT {slot} STABLE"));
                self.call(number, &format!("CLUSTER SETSLOT {slot} NODE {id}"));
            }
        }
    }

    fn owns(&self, number: usize, slot: u16) -> bool {
        let id = self.id(number);
        let picture = self.picture(number);
        let own = picture.iter().find(|line| line.starts_with(&id)).expect("its own line");
        own.split(' ').skip(3).any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bounds = (first.parse::<u16>(), last.parse::<u16>());
            matches!(bounds, (Ok(first), Ok(last)) if (first..=last).contains(&slot))
        })
    }

    /// Who owns what, by a server's account.
    pub fn picture(&self, number: usize) -> Vec<String> {
        let reply = self.call(number, "CLUSTER NODES");
        let lines = reply.text().unwrap_or_default().lines();
        let mut picture: Vec<String> = lines
            .map(|line| {
                let columns: Vec<&str> = line.split(' ').collect();
                let flags = columns[2].trim_start_matches("myself,");
                let slots = columns[8..].iter().filter(|slot| !slot.starts_with('['));
                let slots: Vec<&str> = slots.copied().collect();
                format!("{} {flags} {} {}", columns[0], columns[3], slots.join(" "))
            })
            .collect();
        picture.sort_unstable();
        picture
    }
}

fn spawn(binaries: &Binaries, directory: &Path, port: u16, settings: &[&str]) -> Child {
    Command::new(binaries.0.join("redis-server"))
        .arg(directory.join("redis.conf"))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--dir", &directory.display().to_string(), "--logfile", "log"])
        .args(settings)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts")
}

/// A port that nobody uses, with its bus port.
pub fn free_port() -> u16 {
    // Tests that run at the same time begin at different places.
    let start = 21_000 + (std::process::id() % 400) as u16 * 20;
    (0..9_000)
        .map(|_| 21_000 + (start - 21_000 + NEXT_PORT.fetch_add(1, Ordering::Relaxed)) % 9_000)
        .find(|&port| {
            TcpListener::bind(("127.0.0.1", port)).is_ok()
                && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok()
        })
        .expect("a free port")
}
