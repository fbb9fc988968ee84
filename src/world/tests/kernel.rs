//! Networks in which kernels do less than real ones.

use crate::network::{NetworkConfig, NodeNo};
use crate::time::Span;
use crate::world::tests::puppet::{Seen, Stage, setup};

fn stage(change: impl FnOnce(&mut NetworkConfig)) -> Stage {
    let mut setup = setup(2);
    change(&mut setup.network);
    Stage::with(setup)
}

#[test]
fn without_orphans_nothing_stale_comes_after_a_heal_3_9_2() {
    for orphans in [true, false] {
        let mut stage = stage(|network| network.orphans = orphans);
        stage.link(0, 1);
        stage.world.partition(&[vec![NodeNo(1)]]);
        stage.pull(0, "send 1");
        stage.pull(0, "close");
        stage.run(Span::secs(5));
        assert_eq!(stage.world.stats().lost, u64::from(!orphans));
        stage.world.heal();
        stage.run(Span::secs(20));
        assert_eq!(stage.seen(1).contains(&Seen::Packet(1)), orphans);
    }
}

#[test]
fn without_back_off_a_connect_is_tried_each_second_3_9_1() {
    for (back_off, expected) in [(true, 7_000), (false, 5_000)] {
        let mut stage = stage(|network| network.syn_back_off = back_off);
        stage.world.cut(NodeNo(1), NodeNo(0));
        let dialled = stage.world.now();
        stage.pull(0, "connect 17001");
        stage.run(Span::millis(4_500));
        stage.world.heal();
        stage.run(Span::secs(5));
        let after = stage.seen_after(0, Seen::Up, dialled).as_millis();
        assert!((expected..expected + 4).contains(&after), "{after}");
    }
}

#[test]
fn without_back_off_a_healed_network_is_used_within_200_ms() {
    for (back_off, expected) in [(true, 12_600), (false, 10_200)] {
        let mut stage = stage(|network| network.back_off = back_off);
        stage.link(0, 1);
        stage.world.partition(&[vec![NodeNo(1)]]);
        let sent = stage.world.now();
        stage.pull(0, "send 1");
        stage.run(Span::millis(10_050));
        stage.world.heal();
        stage.run(Span::secs(5));
        let after = stage.seen_after(1, Seen::Packet(1), sent).as_millis();
        assert!((expected..expected + 12).contains(&after), "{after}");
    }
}
