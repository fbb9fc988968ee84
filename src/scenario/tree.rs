//! From text to a tree of TOML values that know their places, with a command line's overrides put
//! over the file's own values.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::source::Source;

/// A value with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;
/// A table whose keys and values know their places.
pub(super) type Table<'t> = DeTable<'t>;
type Key<'t> = Spanned<DeString<'t>>;

/// Reads the text of a scenario. As much as can be made out is returned next to the mistakes.
pub(super) fn parse(text: &str) -> (Table<'_>, Vec<Diagnostic>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // One slip makes the parser stumble more than once in the same line.
        let same_line = |known: &Diagnostic| {
            text.get(known.span.start..span.start).is_some_and(|between| !between.contains('\n'))
        };
        if mistakes.iter().any(same_line) {
            continue;
        }
        let (title, label) = match error.message().split_once(", expected ") {
            Some((title, expected)) => (title, format!("expected {expected}")),
            None => (error.message(), String::new()),
        };
        mistakes.push(Diagnostic::new(format!("not TOML: {title}"), span, label));
    }
    (table.into_inner(), mistakes)
}

/// Reads one `key=value` of a command line and adds it to the source, as TOML: a value that is none
/// is taken as a string. The spaces in front of the result shift each place in it to where it lies
/// in the source.
///
/// # Errors
/// If it is no such pair.
pub(super) fn read_pair(source: &mut Source, pair: &str) -> Result<String, Diagnostic> {
    let name = format!("--set {pair}");
    let Some((key, value)) = pair.split_once('=') else {
        let start = source.add(name, pair);
        let span = start..start + pair.len();
        return Err(Diagnostic::new("`--set` needs a key and a value", span, "no `=` in it")
            .hint("for example `--set network.latency=5ms`"));
    };
    let quoted = toml::Value::String(value.to_owned()).to_string();
    for value in [value, quoted.as_str()] {
        let text = format!("{key}={value}");
        let shifted = format!("{}{text}", " ".repeat(source.end()));
        if !text.contains('\n') && DeTable::parse(&shifted).is_ok() {
            source.add(name, text);
            return Ok(shifted);
        }
    }
    let start = source.add(name, pair);
    Err(Diagnostic::new("`--set` needs the name of a key", start..start + key.len(), "not a key"))
}

/// Puts a pair that was read over the table.
///
/// # Errors
/// If its key leads through something that is no table.
pub(super) fn put_over<'t>(table: &mut Table<'t>, pair: &'t str) -> Result<(), Diagnostic> {
    let (over, _) = DeTable::parse_recoverable(pair);
    merge(table, over.into_inner())
}

fn merge<'t>(table: &mut Table<'t>, over: Table<'t>) -> Result<(), Diagnostic> {
    for (key, value) in over {
        let span = value.span();
        let old = table.get_mut(&key).map(Spanned::get_mut);
        match (old, value.into_inner()) {
            (Some(DeValue::Table(inside)), DeValue::Table(more)) => merge(inside, more)?,
            (Some(old), DeValue::Table(_)) => {
                return Err(inside_of(&key, old.type_str()));
            }
            (_, value) => {
                table.remove(&key);
                table.insert(key, Spanned::new(span, value));
            }
        }
    }
    Ok(())
}

fn inside_of(key: &Key<'_>, kind: &str) -> Diagnostic {
    let message = format!("`--set` cannot reach into `{}`", key.get_ref());
    Diagnostic::new(message, key.span(), format!("this is {}, not a table", article(kind)))
}

/// What a TOML type is called in messages.
pub(super) fn article(kind: &str) -> &'static str {
    match kind {
        "string" => "a string",
        "integer" => "a whole number",
        "float" => "a number with a fraction",
        "boolean" => "true or false",
        "datetime" => "a date",
        "array" => "a list",
        _ => "a table",
    }
}

/// Dates become strings: what a date means is read in one place only.
pub(super) fn dates_to_strings(table: &mut Table<'_>) {
    let keys: Vec<_> = table.keys().cloned().collect();
    for key in keys {
        let Some(value) = table.get_mut(&key) else { continue };
        match value.get_mut() {
            DeValue::Table(inside) => dates_to_strings(inside),
            DeValue::Datetime(date) => *value.get_mut() = DeValue::String(date.to_string().into()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `look` finds in a table after overrides.
    fn with<T>(
        text: &str,
        pairs: &[&str],
        look: impl Fn(&Table<'_>) -> T,
    ) -> Result<T, Diagnostic> {
        let mut source = Source::new("a.toml", text);
        let pairs: Vec<String> =
            pairs.iter().map(|pair| read_pair(&mut source, pair)).collect::<Result<_, _>>()?;
        let (mut table, mistakes) = parse(text);
        assert_eq!(mistakes, []);
        for pair in &pairs {
            put_over(&mut table, pair)?;
        }
        Ok(look(&table))
    }

    fn text_of(table: &Table<'_>, key: &str) -> Option<String> {
        table.get(key)?.get_ref().as_str().map(str::to_owned)
    }

    #[test]
    fn an_override_replaces_a_value_or_adds_one() {
        let text = "seed = 1\n[network]\nlatency = '1ms'";
        let pairs = ["seed=7", "network.latency=5ms", "a=b"];
        with(text, &pairs, |table| {
            assert_eq!(table["seed"].get_ref().as_integer().unwrap().as_str(), "7");
            assert_eq!(table["network"].get_ref()["latency"].get_ref().as_str(), Some("5ms"));
            assert_eq!(text_of(table, "a").as_deref(), Some("b"));
        })
        .unwrap();
    }

    #[test]
    fn an_override_is_underlined_in_its_own_text() {
        let mut source = Source::new("a.toml", "seed = 1");
        let pair = read_pair(&mut source, "seed=77").unwrap();
        let (mut table, _) = parse("seed = 1");
        put_over(&mut table, &pair).unwrap();
        let span = table["seed"].span();
        assert_eq!(source.text(&span), "77");
        assert_eq!(source.place(span.start).name, "--set seed=77");
    }

    #[test]
    fn an_override_cannot_reach_into_what_is_no_table() {
        let fails = |text, pair| with(text, &[pair], |_| ()).is_err();
        assert!(fails("seed = 1", "seed.x=1"));
        assert!(fails("seed = 1", "seed"));
        assert!(fails("seed = 1", "a b=1"));
        assert!(fails("seed = 1", "=1"));
    }

    #[test]
    fn an_override_is_one_key() {
        assert!(with("", &["a=1\nb=2"], |_| ()).is_err());
    }
}
