//! From a server's answer to deltas.

use std::collections::VecDeque;

use oh_core::CallId;
use serde_json::value::RawValue;

use crate::delta::Delta;
use crate::response::{FinishReason, Usage};

use super::wire::{Call, Choice, Chunk, Said, WireUsage};

/// What a piece of an answer turned out to be.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Deltas, maybe none.
    Deltas,
    /// The server says that nothing more comes.
    Done,
    /// The server reports an error, as JSON.
    Refused(serde_json::Value),
}

/// Decodes one answer. The order of its deltas is that of the server, but for the end: usage
/// comes after the reason in most streams, and [`Delta::Finish`] is to be the last one.
#[derive(Debug, Default)]
pub(crate) struct ChatDecoder {
    has_id: bool,
    finish: Option<FinishReason>,
    /// The calls so far, in the order of their indices.
    calls: Vec<Known>,
}

/// What was said of a call already. Some servers say it again in each piece.
#[derive(Clone, Debug, Default)]
struct Known {
    id: String,
    is_named: bool,
}

impl ChatDecoder {
    /// Takes one event of a stream, or a whole answer.
    pub(crate) fn take(
        &mut self,
        data: &[u8],
        out: &mut VecDeque<Delta>,
    ) -> Result<Decoded, serde_json::Error> {
        if data.trim_ascii() == b"[DONE]" {
            return Ok(Decoded::Done);
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data)?;
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            let error = serde_json::from_str(error.get())?;
            return Ok(Decoded::Refused(error));
        }
        if !self.has_id && !chunk.id.is_empty() {
            self.has_id = true;
            out.push_back(Delta::Id(chunk.id.into_owned()));
        }
        // Only one answer was asked for.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            self.choice(choice, out);
        }
        if let Some(usage) = chunk.usage {
            out.push_back(Delta::Usage(usage.into()));
        }
        Ok(Decoded::Deltas)
    }

    /// The last delta, if the server gave a reason for the end; without one the answer broke off.
    pub(crate) fn finish(&mut self) -> Option<Delta> {
        let reason = self.finish.take()?;
        // Some servers say "stop" after tool calls.
        let reason = match reason {
            FinishReason::Stop if !self.calls.is_empty() => FinishReason::ToolCalls,
            reason => reason,
        };
        Some(Delta::Finish(reason))
    }

    fn choice(&mut self, choice: Choice<'_>, out: &mut VecDeque<Delta>) {
        if let Some(said) = choice.delta.or(choice.message) {
            self.said(said, out);
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(match &*reason {
                "stop" => FinishReason::Stop,
                "tool_calls" | "function_call" => FinishReason::ToolCalls,
                "length" => FinishReason::Length,
                "content_filter" => FinishReason::ContentFilter,
                other => FinishReason::Other(other.to_owned()),
            });
        }
    }

    fn said(&mut self, said: Said<'_>, out: &mut VecDeque<Delta>) {
        let reasoning = match said.reasoning_content.into_string() {
            text if text.is_empty() => said.reasoning.into_string(),
            text => text,
        };
        if !reasoning.is_empty() {
            out.push_back(Delta::Reasoning(reasoning));
        }
        for text in [said.content.into_string(), said.refusal.into_string()] {
            if !text.is_empty() {
                out.push_back(Delta::Text(text));
            }
        }
        for (place, call) in said.tool_calls.into_iter().enumerate() {
            out.push_back(self.call(place, call));
        }
    }

    fn call(&mut self, place: usize, call: Call<'_>) -> Delta {
        let index = self.index_of(place, &call);
        if index >= self.calls.len() {
            self.calls.resize(index + 1, Known::default());
        }
        let (mut id, mut name, mut arguments) = (None, None, String::new());
        if let Some(function) = call.function {
            name = (!function.name.is_empty()).then(|| function.name.into_owned());
            arguments = function.arguments.map(argument_text).unwrap_or_default();
        }
        if let Some(known) = self.calls.get_mut(index) {
            if known.id.is_empty() && !call.id.is_empty() {
                known.id = call.id.to_string();
                id = Some(CallId::new(call.id));
            }
            name = name.filter(|_| !known.is_named);
            known.is_named |= name.is_some();
        }
        Delta::ToolCall {
            index,
            id,
            name,
            arguments,
        }
    }

    /// Some servers leave the index out. A new id then begins a call, and a piece without an id
    /// belongs to the last one; in a whole answer the place counts.
    fn index_of(&self, place: usize, call: &Call<'_>) -> usize {
        /// Calls of one answer; a larger index is a mistake of the server.
        const MOST_CALLS: usize = 1024;
        if let Some(index) = call.index {
            return index.min(MOST_CALLS);
        }
        if call.id.is_empty() {
            return match self.calls.len() {
                0 => place.min(MOST_CALLS),
                count => count - 1,
            };
        }
        let known = self.calls.iter().position(|known| *known.id == *call.id);
        known.unwrap_or(self.calls.len()).min(MOST_CALLS)
    }
}

/// The arguments as text: the content of a JSON text, nothing for `null`, and what a server sends
/// as JSON itself as it stands.
fn argument_text(raw: &RawValue) -> String {
    match serde_json::from_str::<Option<String>>(raw.get()) {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => raw.get().to_owned(),
    }
}

impl From<WireUsage> for Usage {
    fn from(wire: WireUsage) -> Self {
        let cached = wire.prompt_tokens_details.cached_tokens;
        Self {
            prompt_tokens: wire.prompt_tokens,
            completion_tokens: wire.completion_tokens,
            cache_read_tokens: cached.max(wire.prompt_cache_hit_tokens),
            cache_write_tokens: wire.cache_creation_input_tokens,
            reasoning_tokens: wire.completion_tokens_details.reasoning_tokens,
        }
    }
}
