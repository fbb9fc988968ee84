//! Numbers with units, as people write them: `200us..1ms`, `2.5%`, `+90s`, `05:17:41.276`.
//!
//! All of it ends up in integers; what does not fit exactly is an error, never rounded.

use std::net::{IpAddr, Ipv4Addr};

use jiff::civil;
use jiff::tz::TimeZone;

use crate::time::{Span, Time, Wall};

/// The units of time, and how many microseconds each is.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("µs", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

const DAY: u64 = 86_400_000_000;

/// Why a word is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadUnit {
    /// What is wrong with it, to stand under the word.
    pub problem: String,
    /// What would do.
    pub hint: Option<String>,
}

/// A shortest and a longest span, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanRange {
    /// The shortest.
    pub low: Span,
    /// The longest.
    pub high: Span,
}

fn bad<T>(problem: impl Into<String>) -> Result<T, BadUnit> {
    Err(BadUnit { problem: problem.into(), hint: None })
}

fn bad_hint<T>(problem: impl Into<String>, hint: impl Into<String>) -> Result<T, BadUnit> {
    Err(BadUnit { problem: problem.into(), hint: Some(hint.into()) })
}

/// A length of time: a number and its unit.
///
/// # Errors
/// If it is none, is finer than a microsecond, or is too long to count.
pub fn duration(text: &str) -> Result<Span, BadUnit> {
    if let Some((low, _)) = text.split_once("..") {
        return bad_hint("a range has no place here", format!("one duration, for example `{low}`"));
    }
    let (number, unit) = split_unit(text);
    if number.is_empty() {
        return bad_hint("not a duration", "a number and its unit, for example `250ms`");
    }
    if unit.is_empty() {
        return bad_hint("a duration needs a unit", format!("did you mean `{number}s`?"));
    }
    let Some(&(_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return bad_hint(format!("`{unit}` is not a unit of time"), "one of: us, ms, s, m, h");
    };
    scaled(number, scale).map(Span)
}

/// A duration that is not over at once.
///
/// # Errors
/// If it is none, or no time at all.
pub fn positive(text: &str) -> Result<Span, BadUnit> {
    match duration(text)? {
        Span::ZERO => Err(BadUnit { problem: "no time at all".to_owned(), hint: None }),
        span => Ok(span),
    }
}

/// A span of spans: `200us..1ms`, or one duration for a fixed one.
///
/// # Errors
/// If it is none, or the first is longer than the second.
pub fn span_range(text: &str) -> Result<SpanRange, BadUnit> {
    let (low, high) = match text.split_once("..") {
        Some((low, high)) => (duration(low)?, duration(high)?),
        None => (duration(text)?, duration(text)?),
    };
    if low > high {
        return bad_hint(
            format!("the shortest, {low}, is longer than the longest, {high}"),
            format!("did you mean `{high}..{low}`?"),
        );
    }
    Ok(SpanRange { low, high })
}

/// A span of spans that is not over at once in any case.
///
/// # Errors
/// If it is none, or if even the longest is no time at all.
pub fn some_span_range(text: &str) -> Result<SpanRange, BadUnit> {
    let range = span_range(text)?;
    match range.high {
        Span::ZERO => bad_hint("no time at all", "`1us` is the shortest"),
        _ => Ok(range),
    }
}

/// A duration with an optional sign, in microseconds: how far a clock is off.
///
/// # Errors
/// If it is none.
pub fn signed_duration(text: &str) -> Result<i64, BadUnit> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    match i64::try_from(duration(rest)?.as_micros()) {
        Ok(us) => Ok(sign * us),
        Err(_) => bad("too long to count"),
    }
}

/// How much a clock gains, in millionths: `50ppm`, `-200ppm`.
///
/// # Errors
/// If it is none, or more than a clock could be off and still be called one.
pub fn drift(text: &str) -> Result<i32, BadUnit> {
    const MOST: i32 = 100_000;
    let Some(number) = text.strip_suffix("ppm") else {
        return bad_hint("a drift needs its unit", "for example `50ppm` or `-200ppm`");
    };
    match number.parse::<i32>() {
        Ok(drift) if (-MOST..=MOST).contains(&drift) => Ok(drift),
        Ok(_) => bad(format!("not between -{MOST}ppm and {MOST}ppm")),
        Err(_) => bad("not a whole number"),
    }
}

/// A share of a hundred with at most one decimal, as per mille: `10%` is 100.
///
/// # Errors
/// If it is none or more than all.
pub fn per_mille(text: &str) -> Result<u16, BadUnit> {
    let Some(number) = text.strip_suffix('%') else {
        return bad_hint("a share needs its `%`", "for example `10%` or `0.5%`");
    };
    match scaled(number, 10) {
        Ok(share @ 0..=1_000) => Ok(share as u16),
        Ok(_) => bad("more than 100%"),
        Err(_) if is_decimal(number) => bad("finer than a tenth of a percent"),
        Err(error) => Err(error),
    }
}

/// A whole number that fits.
///
/// # Errors
/// If it is none or does not.
pub fn count(text: &str, least: u64, most: u64) -> Result<u64, BadUnit> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ if digits => bad(format!("not between {least} and {most}")),
        _ => bad("not a whole number"),
    }
}

/// A point in time: an offset from the start (`+90s`), a time of day (the next such time from the
/// start on), or a date. All of it in UTC.
///
/// # Errors
/// If it is none, or lies before the start.
pub fn instant(text: &str, start: Wall) -> Result<Time, BadUnit> {
    if let Some(offset) = text.strip_prefix('+') {
        return duration(offset).map(|span| Time::ZERO + span);
    }
    if text.contains('-') {
        let wall = date(text)?;
        return match wall.0.checked_sub(start.0) {
            Some(us) => Ok(Time(us)),
            None => bad("before the scenario's start"),
        };
    }
    if !text.contains(':') {
        if duration(text).is_ok() {
            let hint = format!("did you mean `+{text}`, counted from the start?");
            return bad_hint("a duration, not a point in time", hint);
        }
        return bad_hint("not a time", "`+90s`, `05:17:41`, or `2021-05-27T05:17:41Z`");
    }
    let Ok(time) = text.parse::<civil::Time>() else { return bad("there is no such time of day") };
    let of_day = (time.duration_since(civil::Time::midnight()).as_micros()) as u64;
    let start_of_day = start.0 % DAY;
    Ok(Time((of_day + DAY - start_of_day) % DAY))
}

/// A date, in UTC unless it says otherwise.
///
/// # Errors
/// If it is none, or a node of Redis could not live then.
pub fn date(text: &str) -> Result<Wall, BadUnit> {
    let stamp = if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        Some(stamp)
    } else {
        let civil = text.parse::<civil::DateTime>().ok();
        civil.and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok())
    };
    let Some(stamp) = stamp else {
        return bad_hint("not a date", "for example `2021-05-27T04:44:38.997Z`");
    };
    match u64::try_from(stamp.as_microsecond()).map(Wall) {
        Ok(wall) if can_be_lived_in(wall) => Ok(wall),
        _ => bad("not between the years 1970 and 2099"),
    }
}

/// An address that one node can have and others can send to.
///
/// # Errors
/// If it is none, or stands for no node or for many.
pub fn address(text: &str) -> Result<IpAddr, BadUnit> {
    const EXAMPLES: &str = "for example 127.0.0.1 or 10.0.0.7";
    let Ok(ip) = text.parse::<IpAddr>() else { return bad_hint("not an address", EXAMPLES) };
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    match ip.is_unspecified() || ip.is_multicast() || is_broadcast {
        true => bad_hint("nobody can be reached at this one", EXAMPLES),
        false => Ok(ip),
    }
}

/// Whether a node of Redis could live at this date: 0 is "never" to the protocol, and gossip carries
/// seconds in 32 bits (§0.3.3).
#[must_use]
pub fn can_be_lived_in(wall: Wall) -> bool {
    const FIRST: i64 = 86_400;
    const LAST: i64 = 4_102_444_800;
    (FIRST..LAST).contains(&wall.secs())
}

/// A span for people: in the unit that suits it, and no finer than a person reads.
#[must_use]
pub fn human(span: Span) -> String {
    const MINUTE: u64 = 60_000_000;
    match span.as_micros() {
        0 => "0s".to_owned(),
        us if us < 1_000 => format!("{us}us"),
        us if us < 1_000_000 => format!("{}ms", us / 1_000),
        us if us % (60 * MINUTE) == 0 => format!("{}h", us / (60 * MINUTE)),
        us if us % MINUTE == 0 => format!("{}m", us / MINUTE),
        us => {
            let text = format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000);
            format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

/// The number in front and what follows it.
fn split_unit(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text.split_at(end)
}

fn is_decimal(number: &str) -> bool {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A decimal number times `scale`, if that is whole.
fn scaled(number: &str, scale: u64) -> Result<u64, BadUnit> {
    if !is_decimal(number) {
        return bad(format!("`{number}` is not a number"));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let parts = u32::try_from(fraction.len()).ok().and_then(|digits| 10_u64.checked_pow(digits));
    let part = match (fraction, parts) {
        ("", _) => 0,
        (_, None) => return bad("finer than a microsecond"),
        (_, Some(parts)) => {
            // Below 10^19 each, so the product of two fits into 128 bits.
            let part = u128::from(fraction.parse::<u64>().unwrap_or(0)) * u128::from(scale);
            if part % u128::from(parts) != 0 {
                return bad("finer than a microsecond");
            }
            (part / u128::from(parts)) as u64
        }
    };
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(scale));
    match whole.and_then(|whole| whole.checked_add(part)) {
        Some(total) => Ok(total),
        None => bad("too long to count"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Wall = Wall(1_622_090_678_997_000); // 2021-05-27 04:44:38.997

    #[test]
    fn durations_are_exact() {
        assert_eq!(duration("250us"), Ok(Span(250)));
        assert_eq!(duration("1.53s"), Ok(Span(1_530_000)));
        assert_eq!(duration("2h"), Ok(Span::secs(7_200)));
        assert_eq!(duration("0.5m"), Ok(Span::secs(30)));
        assert_eq!(duration("1.50ms"), Ok(Span(1_500)));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let problem = |text| duration(text).unwrap_err().problem;
        assert_eq!(problem("1ms..2ms"), "a range has no place here");
        assert_eq!(problem("5"), "a duration needs a unit");
        assert_eq!(problem("5x"), "`x` is not a unit of time");
        assert_eq!(problem("0.1us"), "finer than a microsecond");
        assert_eq!(problem("99999999999999999999h"), "too long to count");
        assert_eq!(problem("9999999999999999h"), "too long to count");
        assert_eq!(problem("1.2.3s"), "`1.2.3` is not a number");
        assert_eq!(problem(".s"), "`.` is not a number");
        assert_eq!(problem("soon"), "not a duration");
        assert_eq!(problem(""), "not a duration");
    }

    #[test]
    fn ranges_run_from_short_to_long() {
        let range = SpanRange { low: Span(200), high: Span(1_000) };
        assert_eq!(span_range("200us..1ms"), Ok(range));
        assert_eq!(span_range("5ms").unwrap().low, Span(5_000));
        assert!(span_range("1ms..200us").is_err());
        assert!(span_range("200us..").is_err());
    }

    #[test]
    fn shares_are_per_mille() {
        assert_eq!(per_mille("10%"), Ok(100));
        assert_eq!(per_mille("0.5%"), Ok(5));
        assert_eq!(per_mille("100%"), Ok(1_000));
        assert!(per_mille("101%").is_err());
        assert!(per_mille("0.25%").is_err());
        assert!(per_mille("10").is_err());
        assert!(per_mille("%").is_err());
    }

    #[test]
    fn a_point_in_time_is_an_offset_a_time_of_day_or_a_date() {
        assert_eq!(instant("+90s", START), Ok(Time(90_000_000)));
        assert_eq!(instant("04:44:39.001", START), Ok(Time(4_000)));
        assert_eq!(instant("2021-05-27T04:47:24.165Z", START), Ok(Time(165_168_000)));
        assert_eq!(instant("04:44:38.997", START), Ok(Time::ZERO));
        // Before the start's time of day: that is tomorrow.
        assert_eq!(instant("04:44:38.996", START), Ok(Time(DAY - 1_000)));
        assert!(instant("2021-05-27T04:44:38.996Z", START).is_err());
        let hint = instant("1s", START).unwrap_err().hint.unwrap();
        assert!(hint.contains("`+1s`"), "{hint}");
        assert!(instant("25:00", START).is_err());
        assert!(instant("tomorrow", START).is_err());
    }

    #[test]
    fn dates_are_utc() {
        assert_eq!(date("2021-05-27T04:44:38.997Z"), Ok(START));
        assert_eq!(date("2021-05-27T06:44:38.997+02:00"), Ok(START));
        assert_eq!(date("2021-05-27T04:44:38.997"), Ok(START));
        assert_eq!(date("2021-05-27"), Ok(Wall(1_622_073_600_000_000)));
        assert!(date("1970-01-01").is_err());
        assert!(date("2150-01-01").is_err());
        assert!(date("1621-05-27").is_err());
        assert!(date("2021-02-30").is_err());
    }

    #[test]
    fn people_read_round_numbers() {
        let said = [0, 250, 3_500, 5_000_000, 3_157_400, 120_000_000, 7_200_000_000, 90_000_000]
            .map(|us| human(Span(us)));
        assert_eq!(said, ["0s", "250us", "3ms", "5s", "3.157s", "2m", "2h", "90s"]);
    }

    proptest! {
        #[test]
        fn every_span_reads_back_as_it_prints(us in any::<u64>()) {
            prop_assert_eq!(duration(&Span(us).to_string()), Ok(Span(us)));
        }

        #[test]
        fn reading_units_never_panics(text in "\\PC{0,12}") {
            let _ = (duration(&text), span_range(&text), signed_duration(&text));
            let _ = (per_mille(&text), instant(&text, START), date(&text), count(&text, 0, 9));
        }
    }
}
