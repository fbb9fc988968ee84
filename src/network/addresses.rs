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
    numbers: BTreeMap<IpAddr, AddressIx>,
}

impl AddressBook {
    /// The number of an address.
    pub(crate) fn number(&mut self, ip: IpAddr) -> AddressIx {
        // Most clusters live at one address or a few.
        const FEW: usize = 8;
        if let Some(at) = self.all.iter().take(FEW).position(|&other| other == ip) {
            return AddressIx(at as u32);
        }
        let all = &mut self.all;
        *self.numbers.entry(ip).or_insert_with(|| {
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
