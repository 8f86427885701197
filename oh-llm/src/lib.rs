#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod accumulate;
#[cfg(feature = "openai")]
mod answer;
mod delta;
#[cfg(feature = "openai")]
mod dialect;
mod error;
#[cfg(feature = "openai")]
mod http;
mod model;
#[cfg(feature = "openai")]
mod openai;
mod request;
mod response;
mod scripted;
mod transcript;

pub use accumulate::Accumulator;
pub use delta::Delta;
#[cfg(feature = "openai")]
pub use dialect::chat::MaxTokensField;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "openai")]
pub use http::{RetryNotice, RetryPolicy};
pub use model::{ChatModel, CompletionStream, ModelId};
#[cfg(feature = "openai")]
pub use openai::{OpenAiChat, OpenAiChatBuilder};
pub use request::{ChatRequest, OutputSchema, ReasoningEffort, ToolChoice};
pub use response::{Completion, FinishReason, Usage};
pub use scripted::{Script, ScriptedModel, Turn, TurnCall};
pub use transcript::Transcript;
