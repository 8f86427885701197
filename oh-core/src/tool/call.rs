//! A call of a tool, and its result.

use serde::{Deserialize, Serialize};

use crate::id::CallId;
use crate::message::Content;

/// A tool call as the model made it. Nothing about it has been checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// Id that the result has to name.
    pub id: CallId,
    /// Name of the tool.
    pub name: String,
    /// The arguments as the model wrote them: a JSON object, if the model got it right.
    pub arguments: String,
}

impl ToolCall {
    /// Creates a call.
    pub fn new(id: CallId, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            arguments: arguments.into(),
        }
    }
}

/// What a tool call came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call.
    pub call: CallId,
    /// Name of the tool.
    pub name: String,
    /// Text and pictures for the model.
    pub content: Vec<Content>,
    /// The call failed.
    pub is_error: bool,
}

impl ToolResult {
    /// Answers a call with a text.
    pub fn text(call: &ToolCall, text: impl Into<String>) -> Self {
        Self {
            call: call.id.clone(),
            name: call.name.clone(),
            content: vec![Content::Text(text.into())],
            is_error: false,
        }
    }

    /// Answers a call with words about its failure.
    pub fn failed(call: &ToolCall, text: impl Into<String>) -> Self {
        Self {
            is_error: true,
            ..Self::text(call, text)
        }
    }
}
