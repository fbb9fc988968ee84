//! Recordings of the real `redis-cli` 6.2.3, replayed on toy servers: every byte of the output, the
//! exit code, and the order of commands on the wire.

#[path = "../support/mod.rs"]
mod support;

mod checking;
mod client;
mod creating;
mod fixing;
mod joining;
mod moving;
mod on_virtual_nodes;
mod rest;
mod wire;

use redis_cluster_sim::admin::{ExitCode, executor, run};
use support::toy_cluster::ToyCluster;
use support::transcript::Transcript;

/// Replays a recording on these servers.
fn replay(name: &str, transcript: &Transcript, toy: &mut ToyCluster) -> u8 {
    toy.typed = transcript.typed.clone();
    let outcome = executor::run_at_once(run(toy, &transcript.shell, &transcript.words));
    let ExitCode(exit) = outcome.unwrap_or_else(|stuck| panic!("{name}: {stuck}"));
    exit
}

/// Replays a recording on servers that a recording describes (its own, or another one of the same
/// cluster), apart from what `prepare` changes, and compares what appears on the terminal.
fn same_output(
    name: &str,
    described_in: &str,
    prepare: impl FnOnce(&mut ToyCluster),
) -> ToyCluster {
    let mut toy = ToyCluster::new(Transcript::read(described_in).nodes());
    toy.introduce_all();
    let transcript = Transcript::read(name);
    transcript.keys(&mut toy);
    toy.order = transcript.order();
    transcript.open_slots(&mut toy);
    prepare(&mut toy);
    on_virtual_nodes::compare(name, &transcript, &toy);
    compare(name, &transcript, &mut toy);
    toy
}

/// Replays recordings on servers that are just as the recordings describe them.
fn as_described(names: &[&str]) {
    for name in names {
        same_output(name, name, |_| {});
    }
}

/// Replays a recording of `create` on servers that know nobody.
fn same_creation(name: &str, prepare: impl FnOnce(&mut ToyCluster)) {
    let transcript = Transcript::read(name);
    let mut toy = transcript.strangers();
    prepare(&mut toy);
    on_virtual_nodes::compare(name, &transcript, &toy);
    compare(name, &transcript, &mut toy);
}

fn compare(name: &str, transcript: &Transcript, toy: &mut ToyCluster) {
    let exit = replay(name, transcript, toy);
    compare_texts(name, std::str::from_utf8(&toy.printed).unwrap(), transcript);
    assert_eq!(exit, transcript.exit, "{name}");
}

fn compare_texts(name: &str, printed: &str, transcript: &Transcript) {
    let mut printed = printed.to_owned();
    // A newline stands in front of the exit code even if the output does not end with one.
    if !printed.is_empty() && !printed.ends_with('\n') {
        printed.push('\n');
    }
    let lines = || printed.lines().zip(transcript.output.lines());
    if let Some((ours, theirs)) = lines().find(|(ours, theirs)| ours != theirs) {
        panic!("{name}: where the recording says\n{theirs}\nwe say\n{ours}\nin\n{printed}");
    }
    assert_eq!(printed, transcript.output, "{name}");
}
