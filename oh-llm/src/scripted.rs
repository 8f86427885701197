//! A model that plays a script: no key, no network, the same answers every time.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures_core::Stream;
use oh_core::CallId;
use oh_core::message::{Content, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delta::Delta;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ChatModel, CompletionStream, ModelId};
use crate::request::ChatRequest;
use crate::response::FinishReason;

/// Answers in the order in which they are played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Script {
    /// The answers.
    pub turns: Vec<Turn>,
}

/// One answer of a [`Script`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Turn {
    /// A text that the last message of the request must hold, so that a script cannot go on as
    /// if nothing had happened when its last tool call failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// What the model says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The tools that it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<TurnCall>,
}

/// A tool call of a [`Turn`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TurnCall {
    /// Name of the tool.
    pub name: String,
    /// Its arguments: an object, or a string to be sent as it is (also one that is no JSON).
    #[serde(default)]
    pub arguments: Value,
}

impl TurnCall {
    /// A call of a tool with these arguments.
    pub fn new(name: impl Into<String>, arguments: impl Into<Value>) -> Self {
        Self {
            name: name.into(),
            arguments: arguments.into(),
        }
    }
}

impl Script {
    /// Reads a script from JSON.
    ///
    /// # Errors
    /// [`Decode`](ErrorKind::Decode) with the place of the fault.
    pub fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("script: {error}")).with_source(error)
        })
    }
}

/// Plays a [`Script`]: the first request gets the first turn, and so on.
#[derive(Debug)]
pub struct ScriptedModel {
    id: ModelId,
    turns: Mutex<Turns>,
}

#[derive(Debug)]
struct Turns {
    left: VecDeque<Turn>,
    played: usize,
}

impl ScriptedModel {
    /// Starts at the first turn.
    pub fn new(script: Script) -> Self {
        let turns = Turns {
            left: script.turns.into(),
            played: 0,
        };
        Self {
            id: ModelId::new("scripted"),
            turns: Mutex::new(turns),
        }
    }

    fn next_turn(&self, request: &ChatRequest) -> Result<(usize, Turn)> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(turn) = turns.left.front() else {
            let message = format!("the script is over after {} turns", turns.played);
            return Err(Error::new(ErrorKind::Exhausted, message));
        };
        let last = request.messages.last().map(all_text).unwrap_or_default();
        if let Some(expected) = turn.expect.as_deref().filter(|text| !last.contains(text)) {
            let message = format!(
                "turn {} of the script expects {expected:?} in the last message, which is: {}",
                turns.played + 1,
                last.chars().take(500).collect::<String>()
            );
            return Err(Error::new(ErrorKind::BadRequest, message));
        }
        turns.played += 1;
        let number = turns.played;
        turns
            .left
            .pop_front()
            .map(|turn| (number, turn))
            .ok_or_else(|| Error::new(ErrorKind::Exhausted, "the script is over"))
    }
}

/// Text of a message, that of tool results included.
fn all_text(message: &Message) -> String {
    let mut text = String::new();
    for part in &message.content {
        match part {
            Content::Text(part) => text.push_str(part),
            Content::ToolResult(result) => {
                result
                    .content
                    .iter()
                    .filter_map(Content::as_text)
                    .for_each(|t| text.push_str(t));
            }
            _ => {}
        }
    }
    text
}

#[async_trait]
impl ChatModel for ScriptedModel {
    fn id(&self) -> &ModelId {
        &self.id
    }

    async fn stream(&self, request: &ChatRequest) -> Result<CompletionStream> {
        let (number, turn) = self.next_turn(request)?;
        let finish = if turn.calls.is_empty() {
            FinishReason::Stop
        } else {
            FinishReason::ToolCalls
        };
        let mut deltas = VecDeque::from([Delta::Id(format!("scripted-{number}"))]);
        // Word by word, so that a host that shows deltas is exercised.
        deltas.extend(
            turn.text
                .split_inclusive(' ')
                .map(|word| Delta::Text(word.to_owned())),
        );
        for (index, call) in turn.calls.into_iter().enumerate() {
            deltas.push_back(Delta::ToolCall {
                index,
                id: Some(CallId::new(format!("scripted-{number}-{index}"))),
                name: Some(call.name),
                arguments: match call.arguments {
                    Value::String(text) => text,
                    Value::Null => "{}".to_owned(),
                    arguments => arguments.to_string(),
                },
            });
        }
        deltas.push_back(Delta::Finish(finish));
        Ok(Box::pin(Played(deltas)))
    }
}

struct Played(VecDeque<Delta>);

impl Stream for Played {
    type Item = Result<Delta>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop_front().map(Ok))
    }
}
