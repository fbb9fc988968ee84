//! A link to the master that is lost before the stream runs (A.7, A.10).

use crate::node::effect::{Input, LinkEnd, Loss};
use crate::node::lab::{Lab, endpoint, ip};
use crate::node::replication::message::ReplMessage;
use crate::node::replication::upstream::{Step, Upstream};

use super::{masked, told};

/// What a replica says whose link is lost in this way while it awaits this answer.
fn cut(awaits: Step, loss: Loss) -> (Vec<String>, Upstream) {
    let mut lab = Lab::formed(3, 0, 2_000);
    lab.run(3_000);
    // The master is out of reach, so that nothing but what is said by hand is heard.
    lab.isolate(1);
    lab.act(1, |node, ctx| node.follow(ctx, endpoint(0)));
    let link = lab.node(1).replication.upstream.link().unwrap();
    let end =
        LinkEnd { id: link, peer: None, local_ip: ip(1), remote_ip: ip(0), remote_port: 7_000 };
    lab.input(1, Input::ReplUp(end));
    let answers = match awaits {
        Step::Ping => 0,
        Step::ListeningPort => 1,
        Step::Capabilities => 2,
        Step::Psync => 3,
    };
    for answer in ["PONG", "OK", "OK"].into_iter().take(answers) {
        lab.input(1, Input::ReplMessage(end, ReplMessage::Fine(answer)));
    }
    let from = lab.lines.len();
    lab.input(1, Input::ReplLost(end, loss));
    (masked(&told(&lab, 1, from)), lab.node(1).replication.upstream.clone())
}

const PORT: &str = "S (Non critical) Master does not understand REPLCONF listening-port: -Reading \
                    from master: ";
const CAPA: &str =
    "S (Non critical) Master does not understand REPLCONF capa: -Reading from master: ";
const TRIES: &str = "S Trying a partial resynchronization (request ID:1).";
const UNEXPECTED: &str = "S Unexpected reply to PSYNC from master: -Reading from master: ";
const RESET: &str = "Connection reset by peer";
const NO_ERROR: &str = "Resource temporarily unavailable";

#[test]
fn an_error_counts_as_the_answer_to_replconf_a7() {
    for (awaits, first) in [(Step::ListeningPort, Some(PORT)), (Step::Capabilities, None)] {
        let (lines, upstream) = cut(awaits, Loss::Reset);
        let first = first.map(|line| format!("{line}{RESET}"));
        let rest = [
            format!("{CAPA}{RESET}"),
            TRIES.to_owned(),
            "S Unable to send PSYNC to master: -Writing to master: Success".to_owned(),
            "S Sending command to master in replication handshake: Write error sending the PSYNC \
             command."
                .to_owned(),
        ];
        assert_eq!(lines, first.into_iter().chain(rest).collect::<Vec<_>>());
        assert_eq!(upstream, Upstream::Waiting);
    }
}

#[test]
fn a_request_is_still_written_to_a_link_that_was_closed_in_good_order_a7() {
    let (lines, upstream) = cut(Step::ListeningPort, Loss::Closed);
    assert_eq!(
        lines,
        [
            format!("{PORT}{NO_ERROR}"),
            format!("{CAPA}{NO_ERROR}"),
            TRIES.to_owned(),
            format!("{UNEXPECTED}{NO_ERROR}"),
            "S Discarding previously cached master state.".to_owned(),
            "S Retrying with SYNC...".to_owned(),
            "S I/O error writing to MASTER: Broken pipe".to_owned(),
        ]
    );
    assert_eq!(upstream, Upstream::Waiting, "the next replication cron tries again");
}

#[test]
fn a_link_that_is_closed_instead_of_an_answer_to_psync_is_dialled_anew_at_once_a10() {
    let (lines, upstream) = cut(Step::Psync, Loss::Closed);
    assert_eq!(
        lines,
        [
            format!("{UNEXPECTED}{NO_ERROR}"),
            "S Discarding previously cached master state.".to_owned(),
            "S Retrying with SYNC...".to_owned(),
            format!("S I/O error reading bulk count from MASTER: {NO_ERROR}"),
            "S Reconnecting to MASTER 10.0.0.1:7000 after failure".to_owned(),
            "S MASTER <-> REPLICA sync started".to_owned(),
        ]
    );
    assert!(matches!(upstream, Upstream::Connecting { .. }));
    let (lines, upstream) = cut(Step::Psync, Loss::Reset);
    assert_eq!(lines.last().unwrap(), "S I/O error writing to MASTER: Broken pipe");
    assert_eq!(upstream, Upstream::Waiting);
}

#[test]
fn a_lost_answer_to_ping_ends_the_attempt_a7() {
    let (lines, upstream) = cut(Step::Ping, Loss::Reset);
    let line = format!("S Error reply to PING from master: '-Reading from master: {RESET}'");
    assert_eq!((lines, upstream), (vec![line], Upstream::Waiting));
}
