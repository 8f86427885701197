//! What a model answered.

use oh_core::RawJson;
use oh_core::event::ToolCallMetadata;
use oh_core::message::{Content, Message, Role};
use oh_core::tool::ToolCall;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::ModelId;

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// It called tools.
    ToolCalls,
    /// The limit of tokens.
    Length,
    /// The provider's filter.
    ContentFilter,
    /// Something else, in the provider's word.
    Other(String),
}

impl FinishReason {
    fn as_str(&self) -> &str {
        match self {
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Other(word) => word,
        }
    }
}

/// Tokens of one answer, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens of the request, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answer.
    pub completion_tokens: u64,
    /// Tokens of the request that were read from a cache.
    pub cache_read_tokens: u64,
    /// Tokens of the request that were written to a cache.
    pub cache_write_tokens: u64,
    /// Tokens of the answer that the model thought with.
    pub reasoning_tokens: u64,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Completion {
    /// Id that the provider gave it.
    pub id: String,
    /// The model.
    pub model: ModelId,
    /// Text, tool calls and opaque parts in order.
    pub content: Vec<Content>,
    /// Why it ended.
    pub finish: FinishReason,
    /// What it used, if the provider says so.
    pub usage: Option<Usage>,
}

impl Completion {
    /// Joins the parts of an answer.
    pub fn new(
        id: impl Into<String>,
        model: ModelId,
        content: Vec<Content>,
        finish: FinishReason,
    ) -> Self {
        Self {
            id: id.into(),
            model,
            content,
            finish,
            usage: None,
        }
    }

    /// The text, parts joined by line breaks.
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

    /// The answer as a message of the conversation.
    pub fn into_message(self) -> Message {
        Message::new(Role::Assistant, self.content)
    }

    /// What an event that was made from a call of this answer says about its origin, with the
    /// answer in the form of OpenAI's chat API, as OpenHands writes it.
    pub fn tool_metadata(&self, call: &ToolCall) -> ToolCallMetadata {
        let total = i64::try_from(self.tool_calls().count()).unwrap_or(i64::MAX);
        ToolCallMetadata::new(call.name.clone(), call.id.as_str())
            .model_response(RawJson::from(self.to_openai_json()))
            .total_calls_in_response(total)
    }

    fn to_openai_json(&self) -> Value {
        let calls: Vec<Value> = self
            .tool_calls()
            .map(|call| {
                json!({
                    "id": call.id.as_str(),
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                })
            })
            .collect();
        let mut message = json!({"role": "assistant", "content": self.text()});
        if !calls.is_empty()
            && let Some(fields) = message.as_object_mut()
        {
            fields.insert("tool_calls".to_owned(), calls.into());
        }
        json!({
            "id": self.id,
            "model": self.model.as_str(),
            "choices": [{
                "index": 0,
                "finish_reason": self.finish.as_str(),
                "message": message,
            }],
        })
    }
}
