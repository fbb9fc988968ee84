//! The flags of a node (§2.2).

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// A set of node flags, with the bit values of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// No flag at all.
    pub const NONE: Flags = Flags(0);
    /// The node is a master.
    pub const MASTER: Flags = Flags(1);
    /// The node is a replica.
    pub const REPLICA: Flags = Flags(2);
    /// I think that it does not answer.
    pub const PFAIL: Flags = Flags(4);
    /// The majority thinks so.
    pub const FAIL: Flags = Flags(8);
    /// The node is myself.
    pub const MYSELF: Flags = Flags(16);
    /// Known under a temporary id only.
    pub const HANDSHAKE: Flags = Flags(32);
    /// Its address is not known any more.
    pub const NOADDR: Flags = Flags(64);
    /// The first packet to it must be a MEET.
    pub const MEET: Flags = Flags(128);
    /// Replicas may migrate to this master.
    pub const MIGRATE_TO: Flags = Flags(256);
    /// The replica must not fail over.
    pub const NOFAILOVER: Flags = Flags(512);
    /// Draws of nodes with one of these come to nothing (§4.4).
    pub const PASSED_OVER: Flags = Flags(Flags::MYSELF.0 | Flags::PFAIL.0);

    /// Printable flags in the order in which they are printed (§2.2).
    pub const NAMES: [(Flags, &'static str); 8] = [
        (Flags::MYSELF, "myself"),
        (Flags::MASTER, "master"),
        (Flags::REPLICA, "slave"),
        (Flags::PFAIL, "fail?"),
        (Flags::FAIL, "fail"),
        (Flags::HANDSHAKE, "handshake"),
        (Flags::NOADDR, "noaddr"),
        (Flags::NOFAILOVER, "nofailover"),
    ];

    /// Writes the names as CLUSTER NODES prints them (§2.2.1).
    ///
    /// # Errors
    /// If `out` does not take them.
    pub fn write_to(self, out: &mut impl fmt::Write) -> fmt::Result {
        let mut separator = "";
        for (flag, name) in Flags::NAMES {
            if self.any(flag) {
                out.write_str(separator)?;
                out.write_str(name)?;
                separator = ",";
            }
        }
        if separator.is_empty() { out.write_str("noflags") } else { Ok(()) }
    }

    /// Whether any of `flags` is set.
    #[must_use]
    pub const fn any(self, flags: Flags) -> bool {
        self.0 & flags.0 != 0
    }

    /// Sets all of `flags`.
    pub const fn set(&mut self, flags: Flags) {
        self.0 |= flags.0;
    }

    /// Clears all of `flags`.
    pub const fn clear(&mut self, flags: Flags) {
        self.0 &= !flags.0;
    }

    /// The flags that are not in `flags`.
    #[must_use]
    pub const fn without(self, flags: Flags) -> Flags {
        Flags(self.0 & !flags.0)
    }

    /// The flags that are also in `flags`.
    #[must_use]
    pub const fn intersection(self, flags: Flags) -> Flags {
        Flags(self.0 & flags.0)
    }

    /// Whether it is a master.
    #[must_use]
    pub const fn is_master(self) -> bool {
        self.any(Flags::MASTER)
    }

    /// Whether it is a replica.
    #[must_use]
    pub const fn is_replica(self) -> bool {
        self.any(Flags::REPLICA)
    }

    /// Whether it is in FAIL or PFAIL.
    #[must_use]
    pub const fn is_failing(self) -> bool {
        self.any(Flags(Flags::FAIL.0 | Flags::PFAIL.0))
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_print_in_the_order_of_cluster_nodes_2_2_1() {
        assert_eq!((Flags::MASTER | Flags::MYSELF).to_string(), "myself,master");
        assert_eq!(
            (Flags::FAIL | Flags::REPLICA | Flags::NOFAILOVER).to_string(),
            "slave,fail,nofailover"
        );
        assert_eq!((Flags::PFAIL | Flags::MASTER).to_string(), "master,fail?");
    }

    #[test]
    fn flags_that_are_never_printed_print_as_noflags_2_2_1() {
        assert_eq!(Flags::NONE.to_string(), "noflags");
        assert_eq!((Flags::MEET | Flags::MIGRATE_TO).to_string(), "noflags");
        assert_eq!((Flags::MEET | Flags::HANDSHAKE).to_string(), "handshake");
    }

    #[test]
    fn flags_have_the_bits_of_the_wire_2_2() {
        let names = Flags::NAMES.map(|(flag, name)| (flag.0, name));
        assert_eq!(
            names,
            [
                (16, "myself"),
                (1, "master"),
                (2, "slave"),
                (4, "fail?"),
                (8, "fail"),
                (32, "handshake"),
                (64, "noaddr"),
                (512, "nofailover"),
            ]
        );
        assert_eq!((Flags::MEET.0, Flags::MIGRATE_TO.0), (128, 256));
    }
}
