//! The addresses that connections are opened from and to, as small numbers.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The number of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressIx(pub(crate) u32);

/// All addresses that were ever used.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    all: Vec<IpAddr>,
    /// By their bits, which are faster to compare.
    numbers: BTreeMap<u128, AddressIx>,
}

impl AddressBook {
    /// The number of an address.
    pub(crate) fn number(&mut self, ip: IpAddr) -> AddressIx {
        let all = &mut self.all;
        *self.numbers.entry(bits(ip)).or_insert_with(|| {
            all.push(ip);
            AddressIx(all.len() as u32 - 1)
        })
    }

    /// The address with a number.
    #[inline]
    pub(crate) fn ip(&self, number: AddressIx) -> IpAddr {
        self.all[number.0 as usize]
    }
}

/// The bits of an address, be it of the old kind or of the new one.
pub(crate) fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(old) => old.to_ipv6_mapped().to_bits(),
        IpAddr::V6(new) => new.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_number() {
        let mut book = AddressBook::default();
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let numbers = [a, b, a].map(|ip| book.number(ip));
        assert_eq!(numbers, [AddressIx(0), AddressIx(1), AddressIx(0)]);
        assert_eq!(numbers.map(|number| book.ip(number)), [a, b, a]);
    }
}
