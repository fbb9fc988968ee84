//! A value of a scenario file together with where it stands.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::scenario::source::Bytes;

/// A value and its place. In the file and in the schema it is just the value.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "toml::Spanned<T>", bound = "T: Deserialize<'de>")]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// The bytes it was read from.
    pub span: Bytes,
}

impl<T> From<toml::Spanned<T>> for Located<T> {
    fn from(spanned: toml::Spanned<T>) -> Located<T> {
        Located { span: spanned.span(), value: spanned.into_inner() }
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
