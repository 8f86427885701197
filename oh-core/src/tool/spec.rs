//! What a model is told about a tool.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Name, purpose and arguments of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolSpec {
    /// Name to call it by.
    pub name: String,
    /// What it is for, to the model.
    pub description: String,
    /// JSON schema of the arguments, an object.
    pub parameters: Value,
}

impl ToolSpec {
    /// Describes a tool.
    pub fn new(name: impl Into<String>, description: impl Into<String>, parameters: Value) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            parameters,
        }
    }
}
