//! Integers as Redis reads them from arguments and values: strictly.

/// An integer in its only accepted spelling: no sign but a minus, no leading zero, no space.
#[must_use]
pub fn parse(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [b'0'] => return (digits.len() == text.len()).then_some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Negative numbers reach further.
    let negative = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_sub(digit)
    })?;
    if digits.len() < text.len() { Some(negative) } else { negative.checked_neg() }
}

/// Writes an integer in that spelling behind what is there.
pub(crate) fn write(number: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A byte count such as `100mb`, `1k`, `64` (`memtoll`): `k`, `m`, `g` are powers of 1000, `kb`,
/// `mb`, `gb` of 1024.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    let (digits, unit) = text.split_at(unit_at);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    digits.parse::<i64>().ok()?.checked_mul(factor)
}

/// A decimal number of seconds in whole milliseconds, cut off. `None` is no number, or too great a one.
#[must_use]
pub fn millis_of_seconds(text: &[u8]) -> Option<i64> {
    let number = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let (whole, fraction) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let digits = || whole.iter().chain(fraction);
    if digits().next().is_none() || !digits().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds = whole
        .iter()
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    let thousandths = (0..3)
        .fold(0, |sum, at| sum * 10 + fraction.get(at).map_or(0, |digit| i64::from(digit - b'0')));
    let millis = seconds.checked_mul(1_000)?.checked_add(thousandths)?;
    Some(if text.starts_with(b"-") { -millis } else { millis })
}

/// The longest prefix that is a decimal number of seconds, in microseconds (`strtod`); zero if there
/// is none.
#[must_use]
pub fn micros_of_seconds(text: &[u8]) -> u64 {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let whole_len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, rest) = text.split_at(whole_len);
    let seconds = whole
        .iter()
        .filter_map(digit)
        .fold(0_u64, |sum, next| sum.saturating_mul(10).saturating_add(next));
    let fraction = rest.strip_prefix(b".").unwrap_or_default();
    let mut unit = 1_000_000;
    let micros: u64 = fraction
        .iter()
        .map_while(digit)
        .map(|next| {
            unit /= 10;
            next * unit
        })
        .sum();
    seconds.saturating_mul(1_000_000).saturating_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_integer() {
        for (text, value) in [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX)] {
            assert_eq!(parse(text.as_bytes()), Some(value));
        }
        assert_eq!(parse(b"-9223372036854775808"), Some(i64::MIN));
        for number in [0, 7, -10, 1_234_567, i64::MAX, i64::MIN] {
            let mut text = b"=".to_vec();
            write(number, &mut text);
            assert_eq!(text, format!("={number}").as_bytes());
        }
        let wrong = ["", "-", "+1", "-0", "01", " 1", "1 ", "1.0", "9223372036854775808", "a"];
        for text in wrong {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn units_of_memory_are_decimal_without_a_b_and_binary_with_one() {
        assert_eq!(parse_bytes("1k"), Some(1_000));
        assert_eq!(parse_bytes("2MB"), Some(2 << 20));
        assert_eq!(parse_bytes("7"), Some(7));
        assert_eq!(parse_bytes("7x"), None);
        assert_eq!(parse_bytes(""), None);
    }

    #[test]
    fn a_time_limit_is_a_whole_number_word_for_word() {
        for (text, millis) in
            [("0", 0), ("1.5", 1_500), ("-2", -2_000), (".25", 250), ("3.", 3_000), ("0.0009", 0)]
        {
            assert_eq!(millis_of_seconds(text.as_bytes()), Some(millis), "{text}");
        }
        for text in ["", ".", "-", "x", "1s", "1.x", " 1", "99999999999999999"] {
            assert_eq!(millis_of_seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn seconds_may_have_decimals() {
        assert_eq!(micros_of_seconds(b"0.5"), 500_000);
        assert_eq!(micros_of_seconds(b"2"), 2_000_000);
        assert_eq!(micros_of_seconds(b"1.0000019"), 1_000_001);
        assert_eq!(micros_of_seconds(b"x"), 0);
    }
}
