//! What is asked of a model.

use oh_core::message::Message;
use oh_core::tool::ToolSpec;
use serde_json::Value;

/// Whether the model has to call a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// It must call one.
    Required,
    /// It must not.
    None,
    /// It must call this one.
    Tool(String),
}

/// How much a model should think before it answers; models that do not know it ignore or refuse
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReasoningEffort {
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// Much.
    High,
}

impl ReasoningEffort {
    /// The word that providers use for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// The form that the text of an answer must have.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OutputSchema {
    /// Name of the form: letters, digits, `_` and `-`.
    pub name: String,
    /// Its JSON schema.
    pub schema: Value,
}

impl OutputSchema {
    /// Demands JSON of a schema.
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self {
            name: name.into(),
            schema,
        }
    }
}

/// A conversation for a model to go on with.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChatRequest {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Tools that the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it has to.
    pub tool_choice: ToolChoice,
    /// Most tokens of the answer; the provider's limit if `None`.
    pub max_tokens: Option<u32>,
    /// Randomness, 0 to 2; the provider's default if `None`.
    pub temperature: Option<f64>,
    /// Share of the likeliest tokens that are considered, 0 to 1; the provider's default if `None`.
    pub top_p: Option<f64>,
    /// Texts before which the answer ends; at most four for most providers.
    pub stop: Vec<String>,
    /// Start of the provider's randomness, where it can be set.
    pub seed: Option<i64>,
    /// How much to think; the provider's default if `None`.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// Form that the text of the answer must have.
    pub output: Option<OutputSchema>,
}

impl ChatRequest {
    /// Asks for the next message of a conversation.
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: None,
            temperature: None,
            top_p: None,
            stop: Vec::new(),
            seed: None,
            reasoning_effort: None,
            output: None,
        }
    }

    /// Offers tools.
    #[must_use]
    pub fn tools(mut self, tools: impl IntoIterator<Item = ToolSpec>) -> Self {
        self.tools.extend(tools);
        self
    }

    /// Sets whether the model has to call a tool.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = choice;
        self
    }

    /// Limits the answer.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Sets the randomness.
    #[must_use]
    pub fn temperature(mut self, value: f64) -> Self {
        self.temperature = Some(value);
        self
    }

    /// Sets [`top_p`](Self::top_p).
    #[must_use]
    pub fn top_p(mut self, share: f64) -> Self {
        self.top_p = Some(share);
        self
    }

    /// Ends the answer before this text.
    #[must_use]
    pub fn stop(mut self, text: impl Into<String>) -> Self {
        self.stop.push(text.into());
        self
    }

    /// Sets the start of the randomness.
    #[must_use]
    pub fn seed(mut self, seed: i64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how much to think.
    #[must_use]
    pub fn reasoning_effort(mut self, effort: ReasoningEffort) -> Self {
        self.reasoning_effort = Some(effort);
        self
    }

    /// Demands a form of the answer.
    #[must_use]
    pub fn output(mut self, output: OutputSchema) -> Self {
        self.output = Some(output);
        self
    }
}
