#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod accumulate;
mod delta;
mod error;
mod model;
mod request;
mod response;
mod scripted;
mod transcript;

pub use accumulate::Accumulator;
pub use delta::Delta;
pub use error::{Error, ErrorKind, Result};
pub use model::{ChatModel, CompletionStream, ModelId};
pub use request::{ChatRequest, ToolChoice};
pub use response::{Completion, FinishReason, Usage};
pub use scripted::{Script, ScriptedModel, Turn, TurnCall};
pub use transcript::Transcript;
