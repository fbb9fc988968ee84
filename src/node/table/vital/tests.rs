use super::*;
use crate::id::{EndpointIx, NodeIx};
use crate::node::names::Names;
use crate::node::section::NOT_TOLD;
use proptest::prelude::*;

fn begin(vitals: &mut Vitals, ix: PeerIx) {
    vitals.reset(ix);
    vitals.set_flags(ix, Flags::MASTER, true);
}

proptest! {
    #[test]
    fn pulses_are_exact_wherever_the_base_is(
        steps in prop::collection::vec((0..3_u16, prop_oneof![
            0..100_000_u32,
            1_700_000_000..1_700_100_000_u32,
            any::<u32>(),
        ], any::<bool>()), 1..60),
    ) {
        let (mut vitals, mut model) = (Vitals::default(), [0_u32; 3]);
        (0..3).for_each(|at| begin(&mut vitals, PeerIx(at)));
        for (at, seconds, advance) in steps {
            let ix = PeerIx(at);
            if advance {
                vitals.advance_pulse(ix, seconds);
                model[ix.index()] = model[ix.index()].max(seconds);
            } else {
                vitals.set_pulse(ix, seconds);
                model[ix.index()] = seconds;
            }
            for at in 0..3 {
                prop_assert_eq!(vitals.pulse(PeerIx(at)), model[PeerIx(at).index()]);
                prop_assert_eq!(vitals.flags(PeerIx(at)), Flags::MASTER);
            }
        }
    }
}

#[test]
fn the_second_of_the_base_is_exact_too() {
    let mut vitals = Vitals::default();
    (0..2).for_each(|at| begin(&mut vitals, PeerIx(at)));
    vitals.set_pulse(PeerIx(0), 100_000);
    let base = vitals.base;
    vitals.advance_pulse(PeerIx(1), base - 1);
    vitals.advance_pulse(PeerIx(1), base);
    assert_eq!(vitals.pulse(PeerIx(1)), base);
    vitals.advance_pulse(PeerIx(1), base + 1);
    assert_eq!(vitals.pulse(PeerIx(1)), base + 1);
}

#[test]
fn fields_do_not_touch_each_other() {
    let mut vitals = Vitals::default();
    let ix = PeerIx(0);
    begin(&mut vitals, ix);
    vitals.set_pulse(ix, 255);
    vitals.set_crowd(ix, 3);
    vitals.set_flags(ix, Flags::REPLICA, true);
    vitals.set_calm(ix, true);
    assert_eq!(vitals.odd, [ix], "it is not fit");
    vitals.set_fit(ix, true);
    assert_eq!((vitals.pulse(ix), vitals.traits[0].crowd()), (255, 3));
    assert!(vitals.traits[0].is_plain() && vitals.odd.is_empty());
    vitals.set_flags(ix, Flags::REPLICA | Flags::NOFAILOVER, false);
    assert!(!vitals.traits[0].is_plain() && vitals.is_calm(ix));
    vitals.set_flags(ix, Flags::REPLICA, true);
    vitals.set_calm(ix, false);
    assert!(!vitals.traits[0].is_plain() && vitals.is_fit(ix));
    vitals.set_crowd(ix, 0);
    assert!(vitals.odd.is_empty(), "it stands in the table no more");
    vitals.set_calm(ix, true);
    assert!(!vitals.traits[0].is_plain());
    assert_eq!((vitals.pulse(ix), vitals.traits[0].crowd()), (255, 0));
}

fn plain(peers: u16, seconds: u32) -> Vitals {
    let mut vitals = Vitals::default();
    for ix in (0..peers).map(PeerIx) {
        begin(&mut vitals, ix);
        vitals.set_crowd(ix, 1);
        vitals.set_fit(ix, true);
        vitals.set_calm(ix, true);
        vitals.set_pulse(ix, seconds);
    }
    vitals
}

#[test]
fn who_was_never_seen_is_plain_and_who_was_seen_long_ago_is_not() {
    let mut vitals = plain(2, 0);
    assert!(vitals.odd.is_empty());
    vitals.set_pulse(PeerIx(0), 100_000);
    assert!(vitals.odd.is_empty());
    vitals.set_pulse(PeerIx(1), 90_000);
    assert_eq!(vitals.odd, [PeerIx(1)]);
    vitals.set_pulse(PeerIx(1), 100_000);
    assert!(vitals.odd.is_empty());
}

#[test]
fn whoever_is_silent_or_odd_is_found() {
    let mut vitals = plain(200, 100_000);
    vitals.set_pulse(PeerIx(70), 99_990);
    vitals.set_calm(PeerIx(150), false);
    let mut silent = Vec::new();
    let mut since = |second| {
        vitals.silent_since(second, &mut silent);
        silent.sort_unstable();
        let latest = vitals.latest_pulse(second);
        let each = (0..200).map(PeerIx).filter(|&ix| vitals.is_silent(ix, latest));
        assert_eq!(silent, each.collect::<Vec<_>>());
        silent.clone()
    };
    assert_eq!(since(99_989), [150].map(PeerIx));
    assert_eq!(since(99_990), [70, 150].map(PeerIx));
    assert_eq!(since(50), [150].map(PeerIx));
    assert_eq!(since(100_000).len(), 200);
    assert_eq!(since(u32::MAX).len(), 200);
}

#[test]
fn clocks_that_agree_have_the_same_base() {
    let (mut early, mut late) = (Vitals::default(), Vitals::default());
    for vitals in [&mut early, &mut late] {
        (0..2).for_each(|at| begin(vitals, PeerIx(at)));
    }
    early.set_pulse(PeerIx(0), 1_700_000_100);
    late.set_pulse(PeerIx(0), 1_700_000_110);
    assert_eq!(early.base, late.base);
    early.set_pulse(PeerIx(1), 1_700_000_400);
    late.advance_pulse(PeerIx(1), 1_700_000_402);
    assert_eq!(early.base, late.base);
    assert_eq!(early.pulse(PeerIx(0)), 1_700_000_100);
}

fn pulses(vitals: &Vitals, peers: u16) -> Vec<u32> {
    (0..peers).map(|at| vitals.pulse(PeerIx(at))).collect()
}

proptest! {
    #[test]
    fn brief_gossip_is_merged_as_other_gossip_is_5_9_2(
        sent in prop::collection::vec((0..300_u32, any::<bool>()), 40),
        known in prop::collection::vec((0..300_u32, prop::bool::weighted(0.9)), 40),
        limit in 0..400_u32,
    ) {
        const START: u32 = 1_700_000_000;
        let mut briefs = Briefs::default();
        let names = (0..40).map(|at| (NodeIx(at), EndpointIx(at), Flags::MASTER));
        let by_node: Vec<u16> = (0..40).collect();
        let load = |all: &[(u32, bool)]| {
            let mut vitals = Vitals::default();
            for (at, &(seconds, calm)) in all.iter().enumerate() {
                let ix = PeerIx(at as u16);
                begin(&mut vitals, ix);
                vitals.set_crowd(ix, 1);
                vitals.set_calm(ix, calm);
                vitals.set_pulse(ix, START + seconds);
            }
            vitals
        };
        let sender = load(&sent);
        briefs.open(&Names::of(names), sender.base);
        for (at, &(_, told)) in sent.iter().enumerate() {
            if told {
                briefs.pulses[at] = sender.pulses[at].max(NEVER_SEEN);
                briefs.newest = briefs.newest.max(briefs.pulses[at]);
                briefs.count += 1;
            }
        }
        prop_assert_eq!(briefs.count, briefs.pulses.iter().filter(|&&p| p != NOT_TOLD).count());
        let (mut one_by_one, mut at_once) = (load(&known), load(&known));
        let limit = START + limit;
        for entry in briefs.iter() {
            let ix = PeerIx(entry.node.0 as u16);
            if one_by_one.is_calm(ix) && entry.pong_received <= limit {
                one_by_one.advance_pulse(ix, entry.pong_received);
            }
        }
        let mut rest = Vec::new();
        at_once.merge_briefs(&briefs, limit, &mut rest);
        for entry in &rest {
            let ix = PeerIx(entry.node.0 as u16);
            if at_once.merge(&by_node, &[*entry], limit) == 0
                && at_once.is_calm(ix) && entry.pong_received <= limit
            {
                at_once.advance_pulse(ix, entry.pong_received);
            }
        }
        prop_assert_eq!(pulses(&at_once, 40), pulses(&one_by_one, 40));
        let restless = |entry: &&Gossip| !at_once.is_calm(PeerIx(entry.node.0 as u16));
        let (left, told) = (rest.iter().filter(restless).count(), briefs.iter());
        prop_assert_eq!(left, told.filter(|entry| restless(&entry)).count());
    }
}
