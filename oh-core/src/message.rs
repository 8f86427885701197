//! What is said to a model and by it, in no provider's form.

use serde::{Deserialize, Serialize};

use crate::event::RawJson;
use crate::tool::{ToolCall, ToolResult};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// The host, with instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Tools, with their results.
    Tool,
}

/// One turn: who speaks, and the parts of what is said in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// The parts.
    pub content: Vec<Content>,
}

impl Message {
    /// Creates a message of parts.
    pub fn new(role: Role, content: Vec<Content>) -> Self {
        Self { role, content }
    }

    /// Creates instructions of the host.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, vec![Content::Text(text.into())])
    }

    /// Creates a message of the user.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, vec![Content::Text(text.into())])
    }

    /// Creates a message of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, vec![Content::Text(text.into())])
    }

    /// Creates the message that hands a result to the model.
    pub fn tool(result: ToolResult) -> Self {
        Self::new(Role::Tool, vec![Content::ToolResult(result)])
    }

    /// The text parts, one per line.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self.content.iter().filter_map(Content::as_text).collect();
        parts.join("\n")
    }

    /// The tool calls in order.
    pub fn tool_calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.content.iter().filter_map(|part| match part {
            Content::ToolCall(call) => Some(call),
            _ => None,
        })
    }
}

/// A part of a [`Message`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture: an address, or a data URL.
    Image(String),
    /// The model calls a tool.
    ToolCall(ToolCall),
    /// A tool answers.
    ToolResult(ToolResult),
    /// Data that only its provider understands and that goes back to it unchanged (signed
    /// reasoning, say).
    Opaque(Opaque),
}

impl Content {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Data of one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opaque {
    /// Name of the provider; others leave the part out.
    pub provider: String,
    /// The data as it came, byte for byte but for white space.
    pub data: RawJson,
}

impl Opaque {
    /// Keeps data for a provider.
    pub fn new(provider: impl Into<String>, data: impl Into<RawJson>) -> Self {
        Self {
            provider: provider.into(),
            data: data.into(),
        }
    }
}
