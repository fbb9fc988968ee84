//! The JSON Schema of the format, for editors and for the loader's own checks.

use serde_json::Value;

use crate::scenario::file::ScenarioFile;

/// The schema of a scenario file.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(ScenarioFile).into()
}
