//! Glob patterns as KEYS, SCAN, CONFIG GET and PSUBSCRIBE understand them.

/// Whether `text` matches `pattern`: `*`, `?`, `[a-z]`, `[^a]`, and `\` to take a character as it is.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return text.is_empty() };
    match first {
        b'*' => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        b'[' => match text.split_first() {
            Some((&byte, tail)) => {
                let (hit, after) = class(rest, byte);
                hit && matches(after, tail)
            }
            None => false,
        },
        _ => {
            let (expected, after) = match (first, rest.split_first()) {
                (b'\\', Some((&escaped, after))) => (Some(escaped), after),
                (b'?', _) => (None, rest),
                _ => (Some(first), rest),
            };
            match text.split_first() {
                Some((&byte, tail)) => {
                    expected.is_none_or(|expected| expected == byte) && matches(after, tail)
                }
                None => false,
            }
        }
    }
}

/// Whether `byte` is in the class that starts at `pattern` (behind the bracket), and what follows the
/// class. A class that is not closed ends with the pattern.
fn class(pattern: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut rest) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut hit = false;
    loop {
        rest = match rest {
            [] => return (hit != negated, rest),
            [b']', after @ ..] => return (hit != negated, after),
            [b'\\', escaped, after @ ..] => {
                hit |= *escaped == byte;
                after
            }
            [low, b'-', high, after @ ..] => {
                hit |= (*low.min(high)..=*low.max(high)).contains(&byte);
                after
            }
            [single, after @ ..] => {
                hit |= *single == byte;
                after
            }
        };
    }
}

/// The same without regard to the case of letters.
#[must_use]
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_redis() {
        let cases: [(&str, &str, bool); 14] = [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "abd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[ab]x", "bx", true),
            ("[^ab]x", "bx", false),
            ("[a-c]", "b", true),
            ("[c-a]", "b", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[a", "a", true),
            ("**b*", "aab", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_is_ignored_on_demand() {
        assert!(matches_ignoring_case(b"CLUSTER-*", b"cluster-enabled"));
        assert!(!matches(b"CLUSTER-*", b"cluster-enabled"));
    }
}
