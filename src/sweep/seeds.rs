//! Which seeds: `0..999`, both included, or a single one.

use std::str::FromStr;

use crate::rng::Seed;

/// Consecutive seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    first: u64,
    last: u64,
}

/// Why a text says no seeds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {hint}")]
pub struct BadSeeds {
    problem: String,
    hint: String,
}

impl Seeds {
    /// More than these would take days, and their results more memory than there is.
    pub const COUNT_MAX: u64 = 10_000_000;

    /// The first one.
    #[must_use]
    pub fn first(self) -> Seed {
        Seed(self.first)
    }

    /// The last one.
    #[must_use]
    pub fn last(self) -> Seed {
        Seed(self.last)
    }

    /// How many there are: at least one.
    #[must_use]
    pub fn count(self) -> usize {
        (self.last - self.first) as usize + 1
    }

    /// The one at a place, counted from 0.
    pub(crate) fn at(self, place: usize) -> Seed {
        Seed(self.first + place as u64)
    }
}

fn bad<T>(problem: impl Into<String>, hint: impl Into<String>) -> Result<T, BadSeeds> {
    Err(BadSeeds { problem: problem.into(), hint: hint.into() })
}

fn number(text: &str) -> Result<u64, BadSeeds> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_number => Ok(number),
        _ if is_number => {
            bad(format!("`{text}` is too large"), format!("the largest seed is {}", u64::MAX))
        }
        _ if text.is_empty() => bad("a seed is missing", "for example `0..999`, both included"),
        _ => bad(format!("`{text}` is not a seed"), "for example `0..999`, both included"),
    }
}

impl FromStr for Seeds {
    type Err = BadSeeds;

    fn from_str(text: &str) -> Result<Seeds, BadSeeds> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return bad(
                format!("{first} comes behind {last}"),
                format!("did you mean `{last}..{first}`?"),
            );
        }
        if last - first >= Seeds::COUNT_MAX {
            return bad("so many seeds are too many", format!("at most {}", Seeds::COUNT_MAX));
        }
        Ok(Seeds { first, last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_range_of_seeds_includes_both_ends() {
        let seeds: Seeds = "0..999".parse().unwrap();
        assert_eq!((seeds.first(), seeds.last(), seeds.count()), (Seed(0), Seed(999), 1_000));
        assert_eq!("7".parse::<Seeds>().unwrap().count(), 1);
        let end = u64::MAX;
        let seeds: Seeds = format!("{}..{end}", end - 2).parse().unwrap();
        assert_eq!((seeds.count(), seeds.at(2)), (3, Seed(end)));
    }

    #[test]
    fn what_is_no_range_says_why() {
        let said = |text: &str| text.parse::<Seeds>().unwrap_err().to_string();
        assert_eq!(said(""), "a seed is missing; for example `0..999`, both included");
        assert_eq!(said("3.."), said(".."));
        assert_eq!(said("..3"), said(""));
        assert_eq!(said("9..3"), "9 comes behind 3; did you mean `3..9`?");
        assert_eq!(said("0..=9"), "`=9` is not a seed; for example `0..999`, both included");
        assert_eq!(said("-1..3"), "`-1` is not a seed; for example `0..999`, both included");
        assert_eq!(
            said("0..18446744073709551616"),
            "`18446744073709551616` is too large; the largest seed is 18446744073709551615"
        );
        assert_eq!(said("0..18446744073709551615"), "so many seeds are too many; at most 10000000");
        assert_eq!("0..9999999".parse::<Seeds>().unwrap().count(), 10_000_000);
    }

    proptest! {
        #[test]
        fn reading_seeds_never_panics(text in "[0-9.=+ -]{0,24}") {
            let _ = text.parse::<Seeds>().map(Seeds::count);
        }
    }
}
