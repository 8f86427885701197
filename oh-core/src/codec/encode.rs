//! Events to JSON, in the order of keys that V0 has.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::action::Action;
use crate::codec::{message, native, seconds};
use crate::event::{
    Draft, Event, EventBody, Metrics, RawJson, RawObject, Source, ToolCallMetadata,
};
use crate::id::EventId;
use crate::observation::Observation;
use crate::time::Timestamp;

/// Writes an event as one line without the line end.
pub fn encode_event(event: &Event) -> String {
    text(&Envelope::of(event))
}

/// Appends what [`encode_event`] writes to bytes that are there.
pub fn encode_event_into(event: &Event, out: &mut Vec<u8>) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, &Envelope::of(event)).is_err() {
        out.truncate(before);
    }
}

/// Writes an event that is not in a log yet: no id, and a source only if it has one.
pub fn encode_draft(draft: &Draft) -> String {
    text(&Envelope {
        id: None,
        time: draft.time.as_ref(),
        source: draft.source,
        cause: draft.cause,
        tool: draft.tool.as_ref(),
        metrics: draft.metrics.as_ref(),
        hidden: draft.hidden,
        body: &draft.body,
        extra: &draft.extra,
    })
}

/// Writes an action without an envelope.
pub fn encode_action(action: &Action) -> String {
    encode_draft(&Draft::bare(EventBody::Action(action.clone())))
}

/// Writes an observation without an envelope.
pub fn encode_observation(observation: &Observation) -> String {
    encode_draft(&Draft::bare(EventBody::Observation(observation.clone())))
}

/// Makes a JSON tree of an event; the tree forgets the order of keys. `Null` if unknown fields are
/// nested too deep for a tree.
pub fn event_to_value(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or_default()
}

pub(crate) fn serialize_event<S: Serializer>(
    event: &Event,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    Envelope::of(event).serialize(serializer)
}

fn text(envelope: &Envelope<'_>) -> String {
    // The only errors of this serializer are keys that are no texts and failing writers.
    serde_json::to_string(envelope).unwrap_or_default()
}

struct Envelope<'a> {
    id: Option<EventId>,
    time: Option<&'a Timestamp>,
    source: Option<Source>,
    cause: Option<EventId>,
    tool: Option<&'a ToolCallMetadata>,
    metrics: Option<&'a Metrics>,
    hidden: bool,
    body: &'a EventBody,
    extra: &'a RawObject,
}

impl<'a> Envelope<'a> {
    fn of(event: &'a Event) -> Self {
        Self {
            id: Some(event.id),
            time: Some(&event.time),
            source: Some(event.source),
            cause: event.cause,
            tool: event.tool.as_ref(),
            metrics: event.metrics.as_ref(),
            hidden: event.hidden,
            body: &event.body,
            extra: &event.extra,
        }
    }
}

impl Serialize for Envelope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (body, oh) = native::lower(self.body, self.hidden);
        let mut keys = Keys {
            map: serializer.serialize_map(None)?,
            written: Vec::with_capacity(if self.extra.is_empty() { 0 } else { 16 }),
            others: !self.extra.is_empty(),
        };
        keys.some("id", self.id)?;
        keys.some("timestamp", self.time)?;
        keys.some("source", self.source)?;
        keys.some("message", message::derive(&body))?;
        keys.some("cause", self.cause)?;
        match body.as_ref() {
            EventBody::Action(action) => {
                keys.some("action", Some(action.kind()))?;
                self.model(&mut keys)?;
                match action {
                    Action::Custom(custom) => keys.some("args", custom.args.as_ref())?,
                    known => keys.some("args", Some(ActionFields(known)))?,
                }
                keys.some("timeout", action.timeout().map(seconds::encode))?;
            }
            EventBody::Observation(observation) => {
                keys.some("observation", Some(observation.kind()))?;
                self.model(&mut keys)?;
                match observation {
                    Observation::Custom(custom) => {
                        keys.some("content", custom.content.as_ref())?;
                        keys.some("extras", custom.extras.as_ref())?;
                    }
                    known => {
                        keys.some("content", Some(known.content()))?;
                        keys.some("extras", Some(ObservationFields(known)))?;
                    }
                }
                keys.some("success", observation.success())?;
            }
            // `lower` has made observations of these.
            EventBody::Status(_) | EventBody::Note(_) => {}
        }
        keys.some("oh", merged(oh, self.extra.value("oh")))?;
        for (key, value) in self.extra.iter() {
            if !keys.written.contains(&key) {
                keys.map.serialize_entry(key, value)?;
            }
        }
        keys.map.end()
    }
}

impl Envelope<'_> {
    fn model<M: SerializeMap>(&self, keys: &mut Keys<M>) -> Result<(), M::Error> {
        keys.some("tool_call_metadata", self.tool)?;
        keys.some("llm_metrics", self.metrics)
    }
}

/// Writes entries and remembers their keys, so that none is written twice.
struct Keys<M> {
    map: M,
    written: Vec<&'static str>,
    /// There are entries beside ours.
    others: bool,
}

impl<M: SerializeMap> Keys<M> {
    fn some(&mut self, key: &'static str, value: Option<impl Serialize>) -> Result<(), M::Error> {
        let Some(value) = value else {
            return Ok(());
        };
        if self.others {
            self.written.push(key);
        }
        self.map.serialize_entry(key, &value)
    }
}

struct ActionFields<'a>(&'a Action);

impl Serialize for ActionFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_fields(serializer)
    }
}

struct ObservationFields<'a>(&'a Observation);

impl Serialize for ObservationFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_fields(serializer)
    }
}

/// Our part of `oh` and what was left of it on reading; ours counts.
fn merged(ours: RawObject, left: Option<&RawJson>) -> Option<RawObject> {
    let mut all = ours;
    let left = left.and_then(|json| json.decode::<RawObject>().ok());
    for (key, value) in left.iter().flat_map(RawObject::iter) {
        if all.value(key).is_none() {
            all.insert(key, value.clone());
        }
    }
    (!all.is_empty()).then_some(all)
}
