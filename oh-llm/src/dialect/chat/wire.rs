//! What servers send, as tolerant as they are different.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One event of a stream, or a whole answer.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) choices: Vec<Choice<'a>>,
    #[serde(default)]
    pub(super) usage: Option<WireUsage>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) index: u64,
    /// In a stream.
    #[serde(borrow, default)]
    pub(super) delta: Option<Said<'a>>,
    /// In a whole answer.
    #[serde(borrow, default)]
    pub(super) message: Option<Said<'a>>,
    #[serde(borrow, default)]
    pub(super) finish_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) content: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) refusal: Text<'a>,
    /// DeepSeek, vLLM, SGLang.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) reasoning_content: Text<'a>,
    /// OpenRouter, Ollama.
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) reasoning: Text<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) tool_calls: Vec<Call<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Call<'a> {
    #[serde(default)]
    pub(super) index: Option<usize>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) name: Cow<'a, str>,
    /// A text that holds JSON; some servers send the JSON itself.
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// A text, or a list of parts some of which are texts.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Text<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Parts(#[serde(borrow)] Vec<Part<'a>>),
}

#[derive(Debug, Deserialize)]
pub(super) struct Part<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    text: Cow<'a, str>,
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self::One(Cow::Borrowed(""))
    }
}

impl Text<'_> {
    pub(super) fn into_string(self) -> String {
        match self {
            Self::One(text) => text.into_owned(),
            Self::Parts(parts) => parts.iter().map(|part| &*part.text).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt_tokens: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) completion_tokens: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt_tokens_details: PromptDetails,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) completion_tokens_details: CompletionDetails,
    /// Anthropic behind LiteLLM.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cache_creation_input_tokens: u64,
    /// DeepSeek.
    #[serde(default, deserialize_with = "or_default")]
    pub(super) prompt_cache_hit_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct PromptDetails {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) cached_tokens: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct CompletionDetails {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) reasoning_tokens: u64,
}

/// `null` means the same as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
