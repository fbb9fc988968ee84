//! What gossip and the cron look at for every peer, in a few small arrays.
//!
//! A thousand nodes with a thousand peers each speak of a hundred peers in every packet, and look at
//! all of them ten times a second. How fast they run is decided by how little memory that is, by
//! passing over it in order, and by how few instructions a peer takes.
//!
//! Nearly all peers are *plain*: they have the flags they began with, nothing about them can change
//! by gossip but the time of the last pong, and nothing is due but a ping. Those are dealt with many at a time. The others, the *odd*,
//! are listed and looked at one by one.

use crate::node::flags::Flags;
use crate::node::section::{Briefs, Gossip, NEVER_SEEN};
use crate::node::table::PeerIx;
use crate::node::table::chance::{Chance, Chances};
use crate::node::table::traits::{CALM, CROWD_MAX, FIT, ODD, SETTLED, Trait, USUAL};

/// Pulses move to a new base when one is further than a byte from it: to the last multiple of this
/// before, less this. So all nodes whose clocks agree have the same base nearly always.
const BASE_STEP: u32 = 128;

/// The vitals of all peers of a table.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    traits: Vec<Trait>,
    /// When a peer last answered: whole seconds after the base. Up to [`NEVER_SEEN`] this says
    /// nothing: it was before the base, or never.
    pulses: Vec<u8>,
    /// The second that pulses count from.
    base: u32,
    flags: Vec<Flags>,
    /// Last pongs from before the base, in whole seconds; 0 = never.
    old: Vec<u32>,
    /// Who is in the table and not plain. Who was odd for an old pulse only may have got a new one.
    odd: Vec<PeerIx>,
    /// Working memory for a merge: pulses that it must not touch.
    kept: Vec<u8>,
    /// How likely a packet speaks of a plain peer before anybody is drawn one by one.
    chances: Chances,
}

impl Vitals {
    /// Begins a record: nothing is known yet.
    pub(super) fn reset(&mut self, ix: PeerIx) {
        let at = ix.index();
        if at == self.traits.len() {
            self.traits.push(Trait::default());
            self.pulses.push(0);
            self.flags.push(Flags::NONE);
            self.old.push(0);
            self.chances.push();
            // Later, when anybody may become odd at any time, nothing is to be allocated.
            let peers = self.traits.len();
            self.odd.reserve(peers - self.odd.len());
            self.kept.reserve(peers - self.kept.len());
        }
        self.pulses[at] = 0;
        self.old[at] = 0;
        self.change(ix, |own| own.set(SETTLED, false));
    }

    /// The second that pulses count from.
    #[inline]
    pub(super) fn base(&self) -> u32 {
        self.base
    }

    /// Changes a peer's traits and finds out whether it is plain then.
    #[inline]
    fn change(&mut self, ix: PeerIx, change: impl FnOnce(&mut Trait)) {
        let at = ix.index();
        let own = &mut self.traits[at];
        let before = *own;
        change(own);
        let settled = own.is_settled();
        if before.has(ODD) && own.crowd() > 0 && !settled {
            return;
        }
        let tells = self.pulses[at] > NEVER_SEEN || self.old[at] == 0;
        own.set(ODD, own.crowd() > 0 && !(settled && tells));
        let after = *own;
        if before.is_plain() != after.is_plain() {
            self.chances.set(ix, after.is_plain().then_some(after.crowd()));
        }
        if before.has(ODD) != after.has(ODD) {
            self.list(ix, after.has(ODD));
        }
    }

    /// Lists a peer among the odd, or no more.
    fn list(&mut self, ix: PeerIx, odd: bool) {
        if odd {
            self.odd.push(ix);
        } else if let Some(place) = self.odd.iter().rposition(|&other| other == ix) {
            self.odd.swap_remove(place);
        }
    }

    #[inline]
    pub(super) fn flags(&self, ix: PeerIx) -> Flags {
        self.flags[ix.index()]
    }

    /// Notes a peer's flags, and whether they are those it began with as far as that matters.
    pub(super) fn set_flags(&mut self, ix: PeerIx, flags: Flags, usual: bool) {
        self.flags[ix.index()] = flags;
        self.change(ix, |own| own.set(USUAL, usual));
    }

    #[inline]
    pub(super) fn is_calm(&self, ix: PeerIx) -> bool {
        self.traits[ix.index()].has(CALM)
    }

    #[inline]
    pub(super) fn set_calm(&mut self, ix: PeerIx, calm: bool) {
        self.change(ix, |own| own.set(CALM, calm));
    }

    #[cfg(test)]
    pub(super) fn is_fit(&self, ix: PeerIx) -> bool {
        self.traits[ix.index()].has(FIT)
    }

    /// Notes whether a peer is fit and calm.
    #[inline]
    pub(super) fn settle(&mut self, ix: PeerIx, fit: bool, calm: bool) {
        self.change(ix, |own| {
            own.set(FIT, fit);
            own.set(CALM, calm);
        });
    }

    pub(super) fn set_fit(&mut self, ix: PeerIx, fit: bool) {
        self.change(ix, |own| own.set(FIT, fit));
    }

    /// Notes how many nodes stand in a peer's bucket; 0 = it stands in none. With as many buckets as
    /// nodes there are never so many that it matters where the count ends.
    pub(super) fn set_crowd(&mut self, ix: PeerIx, crowd: usize) {
        debug_assert!(crowd <= usize::from(CROWD_MAX), "a bucket is never so full");
        let crowd = u8::try_from(crowd).unwrap_or(CROWD_MAX).min(CROWD_MAX);
        self.chances.start_over();
        self.change(ix, |own| own.set_crowd(crowd));
    }

    /// When a peer last answered, in whole seconds.
    #[inline]
    pub(super) fn pulse(&self, ix: PeerIx) -> u32 {
        match self.pulses[ix.index()] {
            0..=NEVER_SEEN => self.old[ix.index()],
            pulse => self.base + u32::from(pulse),
        }
    }

    /// A second as a pulse, if it is one after the base.
    #[inline]
    fn after_base(&self, seconds: u32) -> Option<u8> {
        u8::try_from(seconds.wrapping_sub(self.base)).ok().filter(|&pulse| pulse > NEVER_SEEN)
    }

    pub(super) fn set_pulse(&mut self, ix: PeerIx, seconds: u32) {
        if seconds > self.base.saturating_add(u32::from(u8::MAX)) {
            self.move_base((seconds & !(BASE_STEP - 1)).saturating_sub(BASE_STEP));
        }
        self.put_pulse(ix, seconds);
    }

    fn put_pulse(&mut self, ix: PeerIx, seconds: u32) {
        let pulse = self.after_base(seconds);
        self.pulses[ix.index()] = pulse.unwrap_or(0);
        self.old[ix.index()] = if pulse.is_none() { seconds } else { 0 };
        self.change(ix, |_| {});
    }

    /// Makes a pulse later, but never earlier.
    #[inline]
    pub(super) fn advance_pulse(&mut self, ix: PeerIx, seconds: u32) {
        if let Some(pulse) = self.after_base(seconds) {
            let own = &mut self.pulses[ix.index()];
            *own = pulse.max(*own);
        } else if seconds > self.pulse(ix) {
            self.set_pulse(ix, seconds);
        }
    }

    #[cold]
    fn move_base(&mut self, base: u32) {
        let before = std::mem::replace(&mut self.base, base);
        for at in 0..self.pulses.len() {
            let seconds = match self.pulses[at] {
                0..=NEVER_SEEN => self.old[at],
                pulse => before + u32::from(pulse),
            };
            self.put_pulse(PeerIx(at as u16), seconds);
        }
    }

    /// What a draw looks at: the traits and the pulses of all.
    #[inline]
    pub(super) fn lots(&self) -> (&[Trait], &[u8]) {
        (&self.traits, &self.pulses)
    }

    /// The flags of all.
    #[inline]
    pub(super) fn all_flags(&self) -> &[Flags] {
        &self.flags
    }

    /// When a plain peer last answered.
    #[inline]
    pub(super) fn plain_pulse(&self, ix: PeerIx) -> Option<u8> {
        self.traits[ix.index()].is_plain().then(|| self.pulses[ix.index()])
    }

    /// Works out how likely peers are drawn when so many are wanted, if that is not known yet.
    #[inline]
    pub(super) fn weigh(&mut self, wanted: usize) {
        if !self.chances.are_for(wanted) {
            self.chances.work_out(wanted, &self.traits);
        }
    }

    /// How likely plain peers are drawn; `None` for peers that are not plain.
    #[inline]
    pub(super) fn chances(&self) -> &[Chance] {
        self.chances.all()
    }

    /// How likely an odd peer is drawn.
    #[inline]
    pub(super) fn odd_chances(&self) -> impl Iterator<Item = (PeerIx, Chance)> + '_ {
        self.odd.iter().map(|&ix| (ix, self.chances.of_crowd(self.traits[ix.index()].crowd())))
    }

    /// No pulse at this second or before is later.
    #[inline]
    pub(super) fn latest_pulse(&self, second: u32) -> u8 {
        second.saturating_sub(self.base).clamp(u32::from(NEVER_SEEN), 255) as u8
    }

    /// Whether [`silent_since`](Vitals::silent_since) finds a peer that is in the table.
    #[inline]
    pub(super) fn is_silent(&self, ix: PeerIx, latest: u8) -> bool {
        self.pulses[ix.index()] <= latest || self.traits[ix.index()].has(ODD)
    }

    /// Everybody whose last pong came at this second or before, or who is odd. Who has only now
    /// ceased to be odd may be among them.
    #[inline]
    pub(super) fn silent_since(&mut self, second: u32, silent: &mut Vec<PeerIx>) {
        silent.clear();
        silent.extend_from_slice(&self.odd);
        let limit = self.latest_pulse(second);
        for (run, pulses) in self.pulses.chunks(RUN).enumerate() {
            if pulses.iter().fold(u8::MAX, |earliest, &pulse| earliest.min(pulse)) > limit {
                continue;
            }
            let places = (run * RUN..).map(|at| PeerIx(at as u16)).zip(pulses);
            let early = places.filter(|(_, pulse)| **pulse <= limit).map(|(ix, _)| ix);
            silent.extend(early.filter(|ix| self.traits[ix.index()].is_plain()));
        }
    }

    /// Merges gossip about calm peers until an entry that takes more than that; returns how many
    /// entries were merged. Pongs after `limit` do not count.
    #[inline]
    pub(super) fn merge(&mut self, by_node: &[u16], gossip: &[Gossip], limit: u32) -> usize {
        for (merged, entry) in gossip.iter().enumerate() {
            let Some(&at) = by_node.get(entry.node.0 as usize) else { return merged };
            let Some(pulse) = self.after_base(entry.pong_received) else { return merged };
            let calm = self.traits.get(usize::from(at)).is_some_and(|own| own.has(CALM));
            if !calm || entry.flags.is_failing() {
                return merged;
            }
            let own = &mut self.pulses[usize::from(at)];
            *own = if entry.pong_received <= limit { pulse.max(*own) } else { *own };
        }
        gossip.len()
    }

    /// Merges brief gossip with indices of this table, as far as it is about calm peers. Adds to
    /// `rest` what is left to be done. Pongs after `limit` do not count.
    #[inline]
    pub(super) fn merge_briefs(&mut self, briefs: &Briefs, limit: u32, rest: &mut Vec<Gossip>) {
        if briefs.base != self.base || briefs.base + u32::from(briefs.newest) > limit {
            rest.extend(briefs.iter());
            return;
        }
        self.kept.clear();
        for &ix in &self.odd {
            self.kept.push(self.pulses[ix.index()]);
        }
        for (own, told) in self.pulses.iter_mut().zip(&briefs.pulses) {
            *own = (*told).max(*own);
        }
        for (&ix, &kept) in self.odd.iter().zip(&self.kept) {
            if !self.traits[ix.index()].has(CALM) {
                self.pulses[ix.index()] = kept;
                rest.extend(briefs.entry(ix));
            }
        }
    }
}

/// So many pulses are looked at together.
pub(super) const RUN: usize = 64;

#[cfg(test)]
mod tests;
