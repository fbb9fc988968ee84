//! Checks keys and types of a scenario against the schema of the format, all of them at once, and
//! takes out what does not fit, so that the rest can be looked at, too.
//!
//! The schema is the same one that editors get (`sim schema`), so the two cannot disagree. Only the
//! keywords that the format's types produce are understood.

use serde_json::Value as Json;
use toml::de::{DeArray, DeValue};

use crate::scenario::diagnostic::Diagnostic;
use crate::scenario::source::Bytes;
use crate::scenario::suggest;
use crate::scenario::tree::{Table, Value, article};

/// The mistakes in the shape of a whole scenario; `end` is where a missing key is complained of.
pub(super) fn check(table: &mut Table<'_>, schema: &Json, end: Bytes) -> Vec<Diagnostic> {
    let mut shape = Shape { root: schema, mistakes: Vec::new() };
    shape.table(table, schema, &end, "the scenario");
    shape.mistakes
}

struct Shape<'a> {
    root: &'a Json,
    mistakes: Vec<Diagnostic>,
}

impl<'a> Shape<'a> {
    /// Follows a reference into the definitions.
    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let Some(path) = schema["$ref"].as_str() else { return schema };
        self.root.pointer(path.trim_start_matches('#')).unwrap_or(&Json::Null)
    }

    /// The schemas of which a value has to fit one.
    fn alternatives(&self, schema: &'a Json) -> Vec<&'a Json> {
        let schema = self.resolve(schema);
        match schema["anyOf"].as_array() {
            Some(choices) => choices.iter().flat_map(|choice| self.alternatives(choice)).collect(),
            None => vec![schema],
        }
    }

    /// Checks a value; false if it has to go.
    fn value(&mut self, value: &mut Value<'_>, schema: &'a Json, key: &str) -> bool {
        let alternatives = self.alternatives(schema);
        let kind = json_type(value.get_ref(), schema);
        let Some(&chosen) = alternatives.iter().find(|choice| types(choice).contains(&kind)) else {
            self.wrong_type(value, schema, &alternatives, key);
            return false;
        };
        let span = value.span();
        match value.get_mut() {
            DeValue::Table(table) => {
                return self.table(table, chosen, &span, &format!("`{key}`"));
            }
            DeValue::Array(items) => {
                let all = std::mem::replace(items, DeArray::from_iter([])).into_iter();
                let mut fits = |item: &mut Value<'_>| self.value(item, &chosen["items"], key);
                *items = all.filter_map(|mut item| fits(&mut item).then_some(item)).collect();
            }
            DeValue::Integer(number) => {
                let wide = i128::from_str_radix(number.as_str(), number.radix());
                return self.range(wide.ok(), span, chosen, key);
            }
            _ => {}
        }
        true
    }

    fn wrong_type(&mut self, value: &Value<'_>, schema: &Json, choices: &[&Json], key: &str) {
        let kinds = choices.iter().flat_map(|choice| types(choice)).filter(|kind| *kind != "null");
        let expected: Vec<&str> = kinds.map(|kind| article(toml_type(kind))).collect();
        let expected = expected.join(" or ");
        let found = article(value.get_ref().type_str());
        let message = format!("`{key}` cannot be {found}");
        let label = format!("expected {expected}, found {found}");
        let mistake = Diagnostic::new(message, value.span(), label);
        self.mistakes.push(mistake.maybe_hint(meaning(key, schema)));
    }

    /// Checks a table; false if it lacks what it must have.
    fn table(&mut self, table: &mut Table<'_>, schema: &'a Json, span: &Bytes, name: &str) -> bool {
        let known = schema["properties"].as_object();
        let names = || known.into_iter().flat_map(|known| known.keys().map(String::as_str));
        let keys: Vec<_> = table.keys().cloned().collect();
        let present: Vec<String> = keys.iter().map(|key| key.get_ref().to_string()).collect();
        for key in keys {
            let Some(value) = table.get_mut(&key) else { continue };
            let word = key.get_ref().as_ref();
            let fits = if let Some(property) = known.and_then(|known| known.get(word)) {
                self.value(value, property, word)
            } else if schema["additionalProperties"].is_object() {
                self.value(value, &schema["additionalProperties"], word)
            } else {
                let message = format!("unknown key `{word}`");
                let label = format!("{name} has no such key");
                let hint = suggest::hint(word, names().collect::<Vec<_>>());
                self.mistakes.push(Diagnostic::new(message, key.span(), label).maybe_hint(hint));
                false
            };
            if !fits {
                table.remove(&key);
            }
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mut complete = true;
        for key in required {
            complete &= table.get(key).is_some();
            if !present.iter().any(|present| present == key) {
                let meaning = meaning(key, &schema["properties"][key]);
                // A table in a list is known by the key of the list, which may be the same one.
                let is_item = name == format!("`{key}`");
                let message =
                    format!("{} needs `{key}`", if is_item { "this table" } else { name });
                let mistake = Diagnostic::new(message, span.clone(), "missing here");
                self.mistakes.push(mistake.maybe_hint(meaning));
            }
        }
        complete
    }

    fn range(&mut self, number: Option<i128>, span: Bytes, schema: &Json, key: &str) -> bool {
        let bound = |name: &str| schema[name].as_i64().map(i128::from);
        let unsigned = schema["format"].as_str().is_some_and(|format| format.starts_with("uint"));
        let least = bound("minimum").unwrap_or(if unsigned { 0 } else { i128::from(i64::MIN) });
        let most = bound("maximum").unwrap_or(match schema["format"].as_str() {
            Some("uint32") => i128::from(u32::MAX),
            Some("uint64") => i128::from(u64::MAX),
            _ => i128::from(i64::MAX),
        });
        let fits = number.is_some_and(|number| (least..=most).contains(&number));
        if !fits {
            let label = format!("not between {least} and {most}");
            self.mistakes.push(Diagnostic::new(format!("`{key}` is out of range"), span, label));
        }
        fits
    }
}

/// The types that a schema names.
fn types(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(name) => vec![name],
        Json::Array(names) => names.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What a key is for.
fn meaning(key: &str, schema: &Json) -> Option<String> {
    schema["description"].as_str().map(|meaning| format!("`{key}`: {meaning}"))
}

/// What JSON calls the type of a value. A date is a string where the format says so.
fn json_type(value: &DeValue<'_>, schema: &Json) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) if schema["format"] == "date-time" => "string",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

/// What TOML calls a type of JSON.
fn toml_type(name: &str) -> &str {
    match name {
        "number" => "float",
        "object" => "table",
        other => other,
    }
}
