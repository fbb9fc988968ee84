//! Which command is sent to whom, in which order.

use redis_cluster_sim::resp::Reply;

use crate::replay;
use crate::support::toy_cluster::{ToyCluster, ToyNode, Typed};
use crate::support::transcript::{Transcript, ranges};

/// Nodes in the order in which the first of them lists them: port, id (any, if it is empty), slots or
/// the port of the master.
type Layout<'a> = &'a [(u16, &'a str, Holds<'a>)];

#[derive(Clone, Copy)]
enum Holds<'a> {
    Slots(&'a str),
    ReplicaOf(u16),
}

use Holds::{ReplicaOf, Slots};

fn toy(layout: Layout<'_>) -> ToyCluster {
    let mut nodes: Vec<ToyNode> = Vec::new();
    for (port, id, holds) in layout {
        let id = if id.is_empty() { format!("{port:0<40}") } else { (*id).to_owned() };
        let mut node = ToyNode::new(&id, &format!("127.0.0.1:{port}"));
        match holds {
            Slots(slots) => node.slots = ranges(slots),
            ReplicaOf(_) => node.master = Some(String::new()),
        }
        nodes.push(node);
    }
    let mut toy = ToyCluster::new(nodes);
    for (port, _, holds) in layout {
        if let ReplicaOf(master) = holds {
            let master = toy.id(*master);
            toy.at(*port).master = Some(master);
        }
    }
    toy.introduce_all();
    toy
}

/// Replays a recording and compares the commands. `shown` leaves out what the recording leaves out.
fn same_wire_if(
    name: &str,
    mut toy: ToyCluster,
    prepare: impl FnOnce(&mut ToyCluster),
    shown: impl Fn(&str) -> bool,
) {
    let mut transcript = Transcript::read(name);
    transcript.typed = Typed::Pipe(b"yes\n".to_vec());
    prepare(&mut toy);
    let exit = replay(name, &transcript, &mut toy);
    let ours: Vec<String> =
        toy.wire.iter().filter(|line| shown(line)).map(|line| shorten(line)).collect();
    let theirs: Vec<String> = transcript.output.lines().map(sleep_in_spans).collect();
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
    assert_eq!(exit, transcript.exit, "{name}");
}

fn same_wire(name: &str, layout: Layout<'_>, prepare: impl FnOnce(&mut ToyCluster)) {
    same_wire_if(name, toy(layout), prepare, |_| true);
}

fn sleep_in_spans(line: &str) -> String {
    line.trim_start().to_owned()
}

/// As the recordings shorten what is too long.
fn shorten(line: &str) -> String {
    let Some((address, command)) = line.split_once(" <- ") else {
        return line.replace("(sleep ", "(sleep ");
    };
    let words = command.split(' ').count();
    match command.char_indices().nth(100) {
        Some((end, _)) if words > 16 => {
            format!("{address} <- {} ... ({words} args)", &command[..end])
        }
        _ => line.to_owned(),
    }
}

const A: &str = "110c0352be94d74f10fe4ba4c95f25090564849b";
const B: &str = "d8012c25d37199bd64128028892c4c2a70f79ac2";

#[test]
fn reshard_8_1() {
    let three = |first: &'static str| {
        move |name: &str, prepare: &dyn Fn(&mut ToyCluster)| {
            let layout: Layout<'_> = &[
                (21701, A, Slots(first)),
                (21703, "", Slots("10923-16383")),
                (21702, B, Slots("5461-10922")),
            ];
            same_wire(name, layout, prepare);
        }
    };
    three("10-5460")("wire-reshard-2-slots", &|_| {});
    three("14-5460")("wire-reshard-slot-with-23-keys", &|toy| {
        for number in 0..23 {
            toy.at(21701).keys.insert(format!("{{t16078}}:{number}").into_bytes(), Vec::new());
        }
    });
    three("15-5460")("wire-reshard-pipeline-100-timeout", &|toy| {
        for number in 0..23 {
            toy.at(21701).keys.insert(format!("{{t18315}}:{number}").into_bytes(), Vec::new());
        }
    });
}
