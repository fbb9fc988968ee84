//! Ranges of numbers in the words of a command, as in a shell: `{0..99}`, `{0..16383..5}`.

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::words::Word;
use crate::slot::SLOTS;

const EXAMPLES: &str = "for example `{0..99}` or `{0..16383..5}`; in quotes it is left alone";

/// Words as a shell hands them to a program: `{1..4}` and `{0..9..3}` become the numbers that they
/// stand for, unless they are quoted or their braces were doubled.
///
/// # Errors
/// If a range has no numbers in it, or is a part of a word.
pub fn expand(words: &[Word]) -> Result<Vec<Word>, Diagnostic> {
    let mut expanded = Vec::new();
    for word in words {
        match range(word)? {
            Some((low, high, step)) => {
                let numbers = (low..=high).step_by(step);
                let number = |number: u16| Word { text: number.to_string(), ..word.clone() };
                expanded.extend(numbers.map(number));
            }
            None => expanded.push(word.clone()),
        }
    }
    Ok(expanded)
}

/// `{LOW..HIGH}` or `{LOW..HIGH..STEP}`.
fn range(word: &Word) -> Result<Option<(u16, u16, usize)>, Diagnostic> {
    let Some(inner) = looks_like(word).filter(|_| !word.quoted) else { return Ok(None) };
    let wrong = |label: String| {
        let message = format!("`{{{inner}}}` is no range of numbers");
        Err(Diagnostic::new(message, word.span.clone(), label).hint(EXAMPLES))
    };
    if inner.len() + 2 < word.text.len() {
        return wrong("a range is a word of its own".to_owned());
    }
    let numbers: Vec<u16> = inner.split("..").filter_map(|number| number.parse().ok()).collect();
    match numbers[..] {
        [low, high] if low <= high && high < SLOTS => Ok(Some((low, high, 1))),
        [low, high, step] if low <= high && high < SLOTS && step > 0 => {
            Ok(Some((low, high, usize::from(step))))
        }
        [_, _, 0] => wrong("it goes on by 0".to_owned()),
        [low, high, ..] if low > high => wrong(format!("it begins behind its end, {high}")),
        _ => wrong(format!("numbers go up to {}", SLOTS - 1)),
    }
}

/// What is in the first pair of braces that holds two or three numbers with dots in between.
fn looks_like(word: &Word) -> Option<&str> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let opens = word.text.match_indices('{').filter(|(at, _)| !word.meant.contains(at));
    let insides = opens.filter_map(|(at, _)| Some(word.text[at + 1..].split_once('}')?.0));
    insides.into_iter().find(|inside| {
        let parts: Vec<&str> = inside.split("..").collect();
        matches!(parts.len(), 2 | 3) && parts.iter().all(|part| is_number(part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::source::Source;
    use crate::scenario::template;
    use crate::scenario::words::Line;

    fn expanded(text: &str) -> Result<Vec<String>, String> {
        let source = Source::new("a.toml", format!("x = '{text}'"));
        let line = Line::expanded(template::expand(text, |_| None), 4..6 + text.len(), &source);
        let words = line.words().unwrap();
        let texts = |words: Vec<Word>| words.into_iter().map(|word| word.text).collect();
        expand(&words)
            .map(texts)
            .map_err(|error| format!("{}: {}", source.text(&error.span), error.label))
    }

    #[test]
    fn ranges_in_braces_are_numbers_unless_they_are_quoted() {
        let numbers = ["addslots", "3", "4", "5", "0", "5", "10"].map(str::to_owned);
        assert_eq!(expanded("addslots {3..5} {0..10..5}"), Ok(numbers.into()));
        let same = r#""{3..5}" {06S}k {a..b} {1..} {..} k{1.2}"#;
        assert_eq!(expanded(same).map(|words| words.join(" ")), Ok(same.replace('"', "")));
    }

    #[test]
    fn doubled_braces_are_no_range() {
        let words = |text| expanded(text).map(|words| words.join(" "));
        assert_eq!(words("set {{0..3}} {{9..0}}x {1..2}"), Ok("set {0..3} {9..0}x 1 2".to_owned()));
        assert!(words("set {{0..3}}{1..2}").unwrap_err().contains("a word of its own"));
    }

    #[test]
    fn a_range_without_numbers_is_a_mistake_and_not_a_word() {
        for (text, mistake) in [
            ("{5..3}", "{5..3}: it begins behind its end, 3"),
            ("{9..0..2}", "{9..0..2}: it begins behind its end, 0"),
            ("{1..2..0}", "{1..2..0}: it goes on by 0"),
            ("get {0..99999}", "{0..99999}: numbers go up to 16383"),
            ("{0..16384}", "{0..16384}: numbers go up to 16383"),
            ("get key{1..3}", "key{1..3}: a range is a word of its own"),
        ] {
            assert_eq!(expanded(text), Err(mistake.to_owned()));
        }
    }
}
