use crate::network::{NodeNo, Site};
use crate::resp::Reply;
use crate::time::{Span, Time};
use crate::world::ClientEvent;
use crate::world::tests::puppet::{LOCALHOST, Seen, Stage, words};

#[test]
fn a_client_is_refused_where_nobody_listens() {
    let mut stage = Stage::new(1);
    let client = stage.world.client_connect(LOCALHOST, 7009);
    assert_eq!(stage.world.run_until_client_event(Time(u64::MAX)), Ok(true));
    assert_eq!(stage.world.client_take(client), Some(ClientEvent::Refused));
    assert_eq!(stage.world.client_take(client), None);
}

#[test]
fn commands_may_be_sent_before_the_connection_is_there() {
    let mut stage = Stage::new(1);
    let client = stage.world.client_connect(LOCALHOST, 7000);
    stage.world.client_send(client, words("ping"));
    stage.run(Span::millis(5));
    assert_eq!(stage.world.client_take(client), Some(ClientEvent::Connected));
    assert_eq!(stage.world.client_take(client), Some(ClientEvent::Reply(Reply::ok())));
}

#[test]
fn either_side_can_hang_up() {
    let mut stage = Stage::new(1);
    let client = stage.world.client_connect(LOCALHOST, 7000);
    stage.world.client_send(client, words("hang-up"));
    stage.run(Span::millis(5));
    assert_eq!(stage.world.client_take(client), Some(ClientEvent::Connected));
    assert_eq!(stage.world.client_take(client), Some(ClientEvent::Closed));
    stage.world.client_send(client, words("ping"));
    let other = stage.world.client_connect(LOCALHOST, 7000);
    stage.run(Span::millis(5));
    stage.world.client_close(other);
    stage.run(Span::millis(5));
    assert_eq!(stage.seen(0), [Seen::ClientGone]);
}

#[test]
fn partitions_between_nodes_do_not_separate_clients() {
    let mut stage = Stage::new(2);
    stage.world.partition(&[vec![NodeNo(0)], vec![NodeNo(1)]]);
    stage.pull(0, "ping");
    stage.pull(1, "ping");
    stage.world.cut(Site::Clients, NodeNo(0));
    stage.tell(0, "ping");
    stage.run(Span::secs(1));
    assert_eq!(stage.reply(0), None);
    stage.world.heal();
    stage.run(Span::secs(1));
    assert_eq!(stage.reply(0), Some(ClientEvent::Reply(Reply::ok())));
}

#[test]
fn waiting_for_clients_ends_at_the_limit() {
    let mut stage = Stage::new(1);
    let limit = stage.world.now() + Span::secs(2);
    assert_eq!(stage.world.run_until_client_event(limit), Ok(false));
    assert_eq!(stage.world.now(), limit);
}
