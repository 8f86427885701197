//! Pieces of an answer as they arrive.

use oh_core::CallId;
use oh_core::message::Opaque;

use crate::response::{FinishReason, Usage};

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Delta {
    /// Id that the provider gave the answer.
    Id(String),
    /// More text.
    Text(String),
    /// More of what the model thinks aloud; not part of the message.
    Reasoning(String),
    /// More of a tool call. Calls are told apart by their index.
    ToolCall {
        /// Number of the call within the answer.
        index: usize,
        /// Its id, as a rule in the first piece.
        id: Option<CallId>,
        /// Its tool, as a rule in the first piece.
        name: Option<String>,
        /// More of its arguments.
        arguments: String,
    },
    /// Data that goes back to the provider unchanged.
    Opaque(Opaque),
    /// What the answer used so far.
    Usage(Usage),
    /// The answer is over.
    Finish(FinishReason),
}
