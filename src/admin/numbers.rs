//! Numbers as the C library reads and writes them.
//!
//! The tool computes plans with 32-bit floats (cli §5.3, cli §9.2, cli §10), and so do the functions that read
//! weights and thresholds. IEEE arithmetic is deterministic; nothing here decides what a *node* does.

/// C's `strtol` in base ten: the number at the start of the text, and what follows it. No digits at
/// all give 0 and the whole text.
pub(super) fn strtol(text: &str) -> (i64, &str) {
    let trimmed = text.trim_start_matches(is_c_space);
    let (negative, digits) = match trimmed.as_bytes().first() {
        Some(b'-') => (true, &trimmed[1..]),
        Some(b'+') => (false, &trimmed[1..]),
        _ => (false, trimmed),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    if end == 0 {
        return (0, text);
    }
    let number = digits[..end].bytes().fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        let digit = if negative { -digit } else { digit };
        number.saturating_mul(10).saturating_add(digit)
    });
    (number, &digits[end..])
}

/// C's `atoi`: `strtol`, of which only the lowest 32 bits are kept.
pub(super) fn atoi(text: &str) -> i32 {
    strtol(text).0 as i32
}

/// C's `atof` for decimal numbers: the longest number at the start of the text, else 0.
pub(super) fn atof(text: &str) -> f64 {
    let text = text.trim_start_matches(is_c_space);
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let end = text.find(|c| !numeric(c)).unwrap_or(text.len());
    (0..=end).rev().find_map(|end| text[..end].parse().ok()).unwrap_or(0.0)
}

/// C's conversion of a float to `int` on the machines that Redis runs on: towards zero, and the
/// smallest `int` for everything that has no place in it.
pub(super) fn to_int(number: f32) -> i32 {
    if number >= i32::MIN as f32 && number < -(i32::MIN as f32) { number as i32 } else { i32::MIN }
}

fn is_c_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_like_atoi_2_1() {
        assert_eq!(atoi("7000"), 7000);
        assert_eq!(atoi(" -4x"), -4);
        assert_eq!(atoi("abc"), 0);
        assert_eq!(atoi("4294967297"), 1);
        assert_eq!(strtol("12 rest"), (12, " rest"));
        assert_eq!(strtol("+"), (0, "+"));
        assert_eq!(strtol("-99999999999999999999"), (i64::MIN, ""));
    }

    #[test]
    fn floats_are_read_like_atof_2_3() {
        assert_eq!(atof("0.01"), 0.01);
        assert_eq!(atof("2.5%"), 2.5);
        assert_eq!(atof("1e3e"), 1000.0);
        assert_eq!(atof("-"), 0.0);
        assert_eq!(atof("bad"), 0.0);
    }

    #[test]
    fn floats_without_an_int_become_the_smallest_int() {
        assert_eq!(to_int(-3.9), -3);
        assert_eq!(to_int(f32::NAN), i32::MIN);
        assert_eq!(to_int(f32::INFINITY), i32::MIN);
        assert_eq!(to_int(3e9), i32::MIN);
    }
}
