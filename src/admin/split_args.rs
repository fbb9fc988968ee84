//! How a typed line becomes words: quotes and escapes as in the interactive client (cli §18.4).

/// The words of a line, or `None` if its quotes do not balance.
///
/// Double quotes know escapes (`\n`, `\xff`, …), single quotes only `\'`. A closing quote must end
/// its word.
#[must_use]
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = line;
    let mut words = Vec::new();
    loop {
        rest = rest.trim_ascii_start();
        // C strings end at a NUL byte.
        if rest.is_empty() || rest[0] == 0 {
            return Some(words);
        }
        let mut word = Vec::new();
        rest = read_word(rest, &mut word)?;
        words.push(word);
    }
}

/// Reads one word; returns what follows it.
fn read_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t' | 0, ..] => return Some(rest),
            [b'"', quoted @ ..] => return read_double_quoted(quoted, word),
            [b'\'', quoted @ ..] => return read_single_quoted(quoted, word),
            [byte, after @ ..] => {
                word.push(*byte);
                rest = after;
            }
        }
    }
}

fn read_double_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] | [0, ..] => return None,
            [b'"', after @ ..] => return ends_word(after),
            [b'\\', b'x', high, low, after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push(hex_digit(*high) << 4 | hex_digit(*low));
                after
            }
            [b'\\', escaped, after @ ..] => {
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        }
    }
}

fn read_single_quoted<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] | [0, ..] => return None,
            [b'\\', b'\'', after @ ..] => {
                word.push(b'\'');
                after
            }
            [b'\'', after @ ..] => return ends_word(after),
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        }
    }
}

fn ends_word(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        None | Some(0) => Some(rest),
        Some(byte) if byte.is_ascii_whitespace() || *byte == 0x0b => Some(rest),
        Some(_) => None,
    }
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes())?;
        Some(words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect())
    }

    #[test]
    fn words_are_separated_by_any_white_space_18_4() {
        assert_eq!(split("  set\tfoo  bar\r\n").unwrap(), ["set", "foo", "bar"]);
        assert_eq!(split("   ").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn double_quotes_know_escapes_and_single_quotes_do_not_18_4() {
        assert_eq!(
            split(r#"set "a \"b\"\n" 'it\'s \n'"#).unwrap(),
            ["set", "a \"b\"\n", "it's \\n"]
        );
        assert_eq!(split_args(br#""\x00\xFf\xg""#).unwrap(), [b"\x00\xffxg".to_vec()]);
        assert_eq!(split(r#"foo"bar""#).unwrap(), ["foobar"]);
        assert_eq!(split(r#""""#).unwrap(), [""]);
    }

    #[test]
    fn quotes_must_balance_and_end_the_word_18_4() {
        assert_eq!(split(r#"get "foo"#), None);
        assert_eq!(split("get 'foo"), None);
        assert_eq!(split(r#"get "foo"bar"#), None);
    }
}
