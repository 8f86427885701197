//! Who, when and why.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec;
use crate::event::text::Texts;
use crate::event::{EventBody, Metrics, RawJson, RawObject, ToolCallMetadata};
use crate::id::EventId;
use crate::observation::Observation;
use crate::time::Timestamp;

/// Who an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The agent.
    Agent,
    /// The user.
    User,
    /// The runtime and the host.
    Environment,
}

/// An entry of a log.
///
/// Its serde form is the JSON of OpenHands V0 (see [`codec`](crate::codec)).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Position in the log.
    pub id: EventId,
    /// When it was appended.
    pub time: Timestamp,
    /// Who it comes from. A stored event without a source counts as the environment's.
    pub source: Source,
    /// The action that it answers.
    pub cause: Option<EventId>,
    /// The tool call that it was made from.
    pub tool: Option<ToolCallMetadata>,
    /// What the model cost up to it.
    pub metrics: Option<Metrics>,
    /// Not shown to the model or the user.
    pub hidden: bool,
    /// What it is about.
    pub body: EventBody,
    /// Top-level fields that this version does not know, or whose values do not fit.
    pub extra: RawObject,
}

impl Event {
    /// Calls `visit` once with every text: of the body, of the tool call and its model response,
    /// of unknown fields and of keys and values inside JSON.
    ///
    /// Left out are ids, kinds and times, and texts that are wholly a base64 data URL of a
    /// picture, a sound, a film or a PDF.
    pub fn visit_text(&self, visit: &mut dyn FnMut(&str)) {
        self.tool.texts(visit);
        self.metrics.texts(visit);
        self.body.texts(visit);
        self.extra.texts(visit);
    }

    /// Calls `visit` once with every text that [`visit_text`](Self::visit_text) names; what it
    /// writes takes the text's place.
    pub fn visit_text_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.tool.texts_mut(visit);
        self.metrics.texts_mut(visit);
        self.body.texts_mut(visit);
        self.extra.texts_mut(visit);
    }

    /// The action that this event is the result of: the cause of an observation. A change of the
    /// agent's state has a cause as well and is the result of nothing.
    pub fn answers(&self) -> Option<EventId> {
        answered(self.cause, &self.body)
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        codec::serialize_event(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = RawJson::deserialize(deserializer)?;
        codec::decode_event(json.as_str()).map_err(D::Error::custom)
    }
}

/// An event that is not in a log yet: it has no id and no time, and perhaps no source.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Draft {
    /// The time it brings along from elsewhere; the log's own clock counts otherwise.
    pub time: Option<Timestamp>,
    /// Who it comes from.
    pub source: Option<Source>,
    /// The action that it answers.
    pub cause: Option<EventId>,
    /// The tool call that it was made from.
    pub tool: Option<ToolCallMetadata>,
    /// What the model cost up to it.
    pub metrics: Option<Metrics>,
    /// Not shown to the model or the user.
    pub hidden: bool,
    /// What it is about.
    pub body: EventBody,
    /// Top-level fields that this version does not know, or whose values do not fit.
    pub extra: RawObject,
}

impl Draft {
    /// Creates a draft from a body, or from any action or observation.
    pub fn new(source: Source, body: impl Into<EventBody>) -> Self {
        Self {
            source: Some(source),
            ..Self::bare(body.into())
        }
    }

    pub(crate) fn bare(body: EventBody) -> Self {
        Self {
            time: None,
            source: None,
            cause: None,
            tool: None,
            metrics: None,
            hidden: codec::is_hidden(&body),
            body,
            extra: RawObject::default(),
        }
    }

    /// Creates the result of an action. It names the tool call too, by which OpenHands V0 tells
    /// results from other observations; the model's answer stays with the action.
    pub fn reply_to(action: &Event, observation: impl Into<Observation>) -> Self {
        let tool = action.tool.as_ref().map(|tool| {
            ToolCallMetadata::new(tool.function_name.clone(), tool.tool_call_id.clone())
                .total_calls_in_response(tool.total_calls_in_response)
        });
        Self {
            tool,
            ..Self::new(Source::Environment, observation.into()).cause(action.id)
        }
    }

    /// The action that it is the result of, as [`Event::answers`].
    pub fn answers(&self) -> Option<EventId> {
        answered(self.cause, &self.body)
    }

    /// Names the action that it answers.
    #[must_use]
    pub fn cause(mut self, cause: EventId) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Names the tool call that it was made from.
    #[must_use]
    pub fn tool(mut self, tool: ToolCallMetadata) -> Self {
        self.tool = Some(tool);
        self
    }

    /// States what the model cost up to it.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Hides it from the model and the user.
    #[must_use]
    pub fn hidden(mut self) -> Self {
        self.hidden = true;
        codec::hide(&mut self.body);
        self
    }

    /// Calls `visit` once with every text, as [`Event::visit_text`].
    pub fn visit_text(&self, visit: &mut dyn FnMut(&str)) {
        self.tool.texts(visit);
        self.metrics.texts(visit);
        self.body.texts(visit);
        self.extra.texts(visit);
    }

    /// Calls `visit` once with every text, as [`Event::visit_text_mut`].
    pub fn visit_text_mut(&mut self, visit: &mut dyn FnMut(&mut String)) {
        self.tool.texts_mut(visit);
        self.metrics.texts_mut(visit);
        self.body.texts_mut(visit);
        self.extra.texts_mut(visit);
    }

    /// Makes it the entry of a log at `id`. The time of the draft, if any, is not used.
    pub fn into_event(self, id: EventId, time: Timestamp) -> Event {
        Event {
            id,
            time,
            source: self.source.unwrap_or(Source::Environment),
            cause: self.cause,
            tool: self.tool,
            metrics: self.metrics,
            hidden: self.hidden,
            body: self.body,
            extra: self.extra,
        }
    }
}

fn answered(cause: Option<EventId>, body: &EventBody) -> Option<EventId> {
    match body {
        EventBody::Observation(Observation::AgentStateChanged(_)) => None,
        EventBody::Observation(_) => cause,
        _ => None,
    }
}
