//! Pieces of an answer to a whole one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use oh_core::CallId;
use oh_core::message::Content;
use oh_core::tool::ToolCall;

use crate::delta::Delta;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{CompletionStream, ModelId};
use crate::response::{Completion, FinishReason, Usage};

/// Gathers [`Delta`]s.
#[derive(Debug)]
pub struct Accumulator {
    id: String,
    model: ModelId,
    parts: Vec<Part>,
    /// Place of each tool call in `parts`, by its index in the answer.
    calls: BTreeMap<usize, usize>,
    finish: Option<FinishReason>,
    usage: Option<Usage>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    Call {
        id: Option<CallId>,
        name: String,
        arguments: String,
    },
    Other(Content),
}

impl Accumulator {
    /// Starts an answer of a model.
    pub fn new(model: ModelId) -> Self {
        Self {
            id: String::new(),
            model,
            parts: Vec::new(),
            calls: BTreeMap::new(),
            finish: None,
            usage: None,
        }
    }

    /// Gathers a whole stream.
    pub(crate) async fn gather(model: ModelId, mut stream: CompletionStream) -> Result<Completion> {
        let mut accumulator = Self::new(model);
        while let Some(delta) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
            accumulator.push(delta?);
        }
        accumulator.finish()
    }

    /// Takes the next piece.
    pub fn push(&mut self, delta: Delta) {
        match delta {
            Delta::Id(id) => self.id = id,
            Delta::Text(more) => match self.parts.last_mut() {
                Some(Part::Text(text)) => text.push_str(&more),
                _ => self.parts.push(Part::Text(more)),
            },
            Delta::ToolCall {
                index,
                id,
                name,
                arguments,
            } => {
                let place = *self.calls.entry(index).or_insert_with(|| {
                    self.parts.push(Part::Call {
                        id: None,
                        name: String::new(),
                        arguments: String::new(),
                    });
                    self.parts.len() - 1
                });
                if let Some(Part::Call {
                    id: known,
                    name: tool,
                    arguments: text,
                }) = self.parts.get_mut(place)
                {
                    if id.as_ref().is_some_and(|id| !id.as_str().is_empty()) {
                        *known = id;
                    }
                    tool.push_str(name.as_deref().unwrap_or_default());
                    text.push_str(&arguments);
                }
            }
            Delta::Opaque(opaque) => self.parts.push(Part::Other(Content::Opaque(opaque))),
            Delta::Usage(usage) => self.usage = Some(usage),
            Delta::Finish(reason) => self.finish = Some(reason),
            Delta::Reasoning(_) => {}
        }
    }

    /// The whole answer.
    ///
    /// # Errors
    /// [`Interrupted`](ErrorKind::Interrupted) if no [`Delta::Finish`] came.
    pub fn finish(self) -> Result<Completion> {
        let finish = self.finish.ok_or_else(|| {
            Error::new(ErrorKind::Interrupted, "the answer of the model broke off")
        })?;
        // Answers are told apart by their ids, and not all servers give them one.
        let answer = if self.id.is_empty() {
            fresh_id()
        } else {
            self.id
        };
        let content = self
            .parts
            .into_iter()
            .enumerate()
            .map(|(place, part)| match part {
                Part::Text(text) => Content::Text(text),
                Part::Other(content) => content,
                Part::Call {
                    id,
                    name,
                    arguments,
                } => {
                    // Some servers give calls no id; the result still has to name one.
                    let id = id.unwrap_or_else(|| CallId::new(format!("{answer}-{place}")));
                    Content::ToolCall(ToolCall::new(id, name, arguments))
                }
            })
            .collect();
        let mut completion = Completion::new(answer.clone(), self.model, content, finish);
        completion.usage = self.usage;
        Ok(completion)
    }
}

/// An id that no other answer has, of this process or of one before it.
fn fresh_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.map_or(0, |time| time.as_nanos());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("answer-{nanos:x}-{count:x}")
}
