//! From text to a tree of TOML values that know their places, with a command line's overrides put
//! over the file's own values.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::source::{Bytes, Source};

/// A value with its place.
pub type Value = Spanned<DeValue<'static>>;
/// A table whose keys and values know their places.
pub type Table = DeTable<'static>;

/// Reads the text of a scenario. As much as can be made out is returned next to the mistakes.
pub fn parse(text: &str) -> (Table, Vec<Diagnostic>) {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    table.get_mut().make_owned();
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // One slip makes the parser stumble more than once in the same place.
        if mistakes.iter().any(|known| known.span.start == span.start) {
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

/// Puts one `key=value` of the command line over the table.
///
/// # Errors
/// If it is no such pair, or its key leads through something that is no table.
pub fn put_over(table: &mut Table, source: &mut Source, pair: &str) -> Result<(), Diagnostic> {
    let name = format!("--set {pair}");
    let Some((key, value)) = pair.split_once('=') else {
        let start = source.add(name, pair);
        let span = start..start + pair.len();
        return Err(Diagnostic::new("`--set` needs a key and a value", span, "no `=` in it")
            .hint("for example `--set network.latency=5ms`"));
    };
    let (text, mut over) = match parse_pair(key, value, source.end()) {
        Ok(parsed) => parsed,
        Err(text) => {
            let start = source.add(name, &text);
            let span = start..start + key.len();
            return Err(Diagnostic::new("`--set` needs the name of a key", span, "not a key"));
        }
    };
    source.add(name, text);
    merge(table, &mut over)
}

/// `key=value` as TOML; a value that is none is taken as a string. The spaces in front shift each
/// place to where the text will lie in the source.
fn parse_pair(key: &str, value: &str, start: usize) -> Result<(String, Table), String> {
    let quoted = toml::Value::String(value.to_owned()).to_string();
    let mut text = String::new();
    for value in [value, quoted.as_str()] {
        text = format!("{key}={value}");
        let shifted = format!("{}{text}", " ".repeat(start));
        if let Ok(mut table) = DeTable::parse(&shifted) {
            table.get_mut().make_owned();
            return Ok((text, table.into_inner()));
        }
    }
    Err(text)
}

fn merge(table: &mut Table, over: &mut Table) -> Result<(), Diagnostic> {
    let keys: Vec<_> = over.keys().cloned().collect();
    for key in keys {
        let Some(value) = over.remove(&key) else { continue };
        let span = value.span();
        let old = table.get_mut(&key).map(|old| old.get_mut());
        match (old, value.into_inner()) {
            (Some(DeValue::Table(inside)), DeValue::Table(mut more)) => merge(inside, &mut more)?,
            (Some(old), DeValue::Table(_)) if !matches!(old, DeValue::Table(_)) => {
                return Err(inside_of(&key.span(), key.get_ref(), old.type_str()));
            }
            (Some(old), value) => {
                *old = value;
                replace_span(table, &key, span);
            }
            (None, value) => {
                table.insert(key, Spanned::new(span, value));
            }
        }
    }
    Ok(())
}

/// A replaced value is underlined where its new text is.
fn replace_span(table: &mut Table, key: &Spanned<std::borrow::Cow<'static, str>>, span: Bytes) {
    if let Some(value) = table.remove(key) {
        table.insert(key.clone(), Spanned::new(span, value.into_inner()));
    }
}

fn inside_of(span: &Bytes, key: &str, kind: &str) -> Diagnostic {
    let message = format!("`--set` cannot reach into `{key}`");
    Diagnostic::new(message, span.clone(), format!("this is {}, not a table", article(kind)))
}

/// What a TOML type is called in messages.
pub fn article(kind: &str) -> &'static str {
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
pub fn dates_to_strings(table: &mut Table) {
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

    fn with(text: &str, pairs: &[&str]) -> Result<Table, Diagnostic> {
        let mut source = Source::new("a.toml", text);
        let (mut table, mistakes) = parse(text);
        assert_eq!(mistakes, []);
        for pair in pairs {
            put_over(&mut table, &mut source, pair)?;
        }
        Ok(table)
    }

    #[test]
    fn an_override_replaces_a_value_or_adds_one() {
        let table =
            with("seed = 1\n[network]\nlatency = '1ms'", &["seed=7", "network.latency=5ms", "a=b"])
                .unwrap();
        assert_eq!(table["seed"].get_ref().as_integer().unwrap().as_str(), "7");
        assert_eq!(table["network"].get_ref()["latency"].get_ref().as_str(), Some("5ms"));
        assert_eq!(table["a"].get_ref().as_str(), Some("b"));
    }

    #[test]
    fn an_override_is_underlined_in_its_own_text() {
        let mut source = Source::new("a.toml", "seed = 1");
        let (mut table, _) = parse("seed = 1");
        put_over(&mut table, &mut source, "seed=77").unwrap();
        let span = table["seed"].span();
        assert_eq!(source.text(&span), "77");
        assert_eq!(source.place(span.start).name, "--set seed=77");
    }

    #[test]
    fn an_override_cannot_reach_into_what_is_no_table() {
        assert!(with("seed = 1", &["seed.x=1"]).is_err());
        assert!(with("seed = 1", &["seed"]).is_err());
        assert!(with("seed = 1", &["a b=1"]).is_err());
        assert!(with("seed = 1", &["=1"]).is_err());
    }

    #[test]
    fn an_override_cannot_smuggle_in_a_second_key() {
        let table = with("", &["a=1\nb=2"]).unwrap();
        assert_eq!(table.len(), 1);
    }
}
