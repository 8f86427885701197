//! JSON to events.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::action::{Action, CustomAction};
use crate::codec::fields::{Field, Fields};
use crate::codec::{DecodeError, legacy, native, seconds};
use crate::event::{Draft, Event, EventBody, Source};
use crate::id::EventId;
use crate::observation::{CustomObservation, Observation};
use crate::time::Timestamp;

/// Reads a stored event.
///
/// # Errors
/// The text is no JSON object, has no kind, no id (or the id −1) or no timestamp, has a source
/// that is none of the three, or has `args.action`. The error names the field.
pub fn decode_event(json: impl AsRef<[u8]>) -> Result<Event, DecodeError> {
    let (id, draft) = decode(json.as_ref())?;
    let id = id.ok_or_else(|| DecodeError::missing("id"))?;
    let time = draft
        .time
        .clone()
        .ok_or_else(|| DecodeError::missing("timestamp"))?;
    Ok(draft.into_event(id, time))
}

/// Reads an event that need not be stored yet. An id is dropped.
///
/// # Errors
/// As [`decode_event`], save that id and timestamp may be absent.
pub fn decode_draft(json: impl AsRef<[u8]>) -> Result<Draft, DecodeError> {
    decode(json.as_ref()).map(|(_, draft)| draft)
}

/// Reads an action that shall be carried out.
///
/// # Errors
/// As [`decode_draft`]; further, the text is no action, or it is of a known kind and its fields
/// do not fit. An action of an unknown kind is no error.
pub fn decode_action(json: impl AsRef<[u8]>) -> Result<Action, DecodeError> {
    match decode_draft(json)?.body {
        EventBody::Action(Action::Custom(CustomAction {
            problem: Some(problem),
            kind,
            ..
        })) => Err(DecodeError::new(format!("action {kind}: {problem}"))),
        EventBody::Action(action) => Ok(action),
        _ => Err(DecodeError::missing("action")),
    }
}

/// Reads an observation.
///
/// # Errors
/// As [`decode_action`].
pub fn decode_observation(json: impl AsRef<[u8]>) -> Result<Observation, DecodeError> {
    match decode_draft(json)?.body {
        EventBody::Observation(Observation::Custom(CustomObservation {
            problem: Some(problem),
            kind,
            ..
        })) => Err(DecodeError::new(format!("observation {kind}: {problem}"))),
        EventBody::Observation(observation) => Ok(observation),
        _ => Err(DecodeError::missing("observation")),
    }
}

/// Reads a stored event from a JSON tree. Prefer [`decode_event`]: a tree has lost the order of
/// keys.
///
/// # Errors
/// As [`decode_event`].
pub fn event_from_value(value: &Value) -> Result<Event, DecodeError> {
    decode_event(value.to_string())
}

fn decode(json: &[u8]) -> Result<(Option<EventId>, Draft), DecodeError> {
    // Once for all fields.
    let text = std::str::from_utf8(json).map_err(|error| DecodeError::new(error.to_string()))?;
    let mut top: Fields<'_> =
        serde_json::from_str(text).map_err(|error| DecodeError::new(error.to_string()))?;
    let id = match top.remove("id") {
        Some(id) if id.as_str() != "-1" => {
            id.decode().map_err(|error: DecodeError| error.at("id"))?
        }
        _ => None,
    };
    let mut time = top.optional::<String>("timestamp")?;
    let source = match top.value("source") {
        Some(_) => Some(top.required::<Source>("source")?),
        None => None,
    };
    let mut body = if top.value("action").is_some() {
        let (action, moved) = decode_any_action(&mut top)?;
        time = time.or(moved);
        EventBody::Action(action)
    } else if top.value("observation").is_some() {
        EventBody::Observation(decode_any_observation(&mut top)?)
    } else {
        return Err(DecodeError::new("has neither an action nor an observation"));
    };
    let cause = fitting(&mut top, "cause");
    let tool = fitting(&mut top, "tool_call_metadata");
    let metrics = fitting(&mut top, "llm_metrics");
    let hidden = native::raise(&mut body, &mut top);
    Ok((
        id,
        Draft {
            time: time.map(Timestamp::from_text),
            source,
            cause,
            tool,
            metrics,
            hidden,
            extra: top.into_object(),
            ..Draft::bare(body)
        },
    ))
}

/// Takes a field if its value fits, and leaves it where it is otherwise.
fn fitting<T: DeserializeOwned>(top: &mut Fields<'_>, key: &str) -> Option<T> {
    let value = top.value(key)?;
    let decoded = value.decode::<Option<T>>().ok()?;
    top.remove(key);
    decoded
}

fn decode_any_action(top: &mut Fields<'_>) -> Result<(Action, Option<String>), DecodeError> {
    let kind = top.text("action")?;
    let args = top.remove("args");
    if !Action::V0_KINDS.contains(&kind.as_ref()) {
        let custom = CustomAction {
            kind: kind.into_owned(),
            args: args.map(Field::into_json),
            problem: None,
        };
        return Ok((custom.into(), None));
    }
    let known = fields(args.as_ref(), "args").and_then(|mut fields| {
        if fields.value("action").is_some() {
            return Ok(None);
        }
        let moved = legacy::action(&kind, &mut fields);
        let mut action = Action::take(&kind, fields).map_err(|error| error.at("args"))?;
        if let Action::Condensation(condensation) = &action {
            condensation.check().map_err(|error| error.at("args"))?;
        }
        if let (Some(slot), Some(timeout)) = (action.timeout_mut(), top.value("timeout")) {
            *slot = seconds::decode(timeout).map_err(|error| error.at("timeout"))?;
            top.remove("timeout");
        }
        top.remove("message");
        Ok(Some((action, moved)))
    });
    match known {
        Ok(Some(known)) => Ok(known),
        Ok(None) => Err(DecodeError::new("names a second kind; remove it")
            .at("action")
            .at("args")),
        Err(problem) => {
            let custom = CustomAction {
                kind: kind.into_owned(),
                args: args.map(Field::into_json),
                problem: Some(problem.to_string()),
            };
            Ok((custom.into(), None))
        }
    }
}

fn decode_any_observation(top: &mut Fields<'_>) -> Result<Observation, DecodeError> {
    let kind = top.text("observation")?;
    let content = top.remove("content");
    let extras = top.remove("extras");
    let known = Observation::V0_KINDS.contains(&kind.as_ref()).then(|| {
        let mut fields = fields(extras.as_ref(), "extras")?;
        legacy::observation(&kind, &mut fields)?;
        let mut observation =
            Observation::take(&kind, fields).map_err(|error| error.at("extras"))?;
        if let (Some(slot), Some(content)) = (observation.content_mut(), &content) {
            *slot = content
                .decode()
                .map_err(|error: DecodeError| error.at("content"))?;
        }
        top.remove("message");
        top.remove("success");
        Ok::<_, DecodeError>(observation)
    });
    let problem = match known {
        Some(Ok(observation)) => return Ok(observation),
        Some(Err(problem)) => Some(problem.to_string()),
        None => None,
    };
    Ok(Observation::Custom(CustomObservation {
        kind: kind.into_owned(),
        content: content.map(Field::into_json),
        extras: extras.map(Field::into_json),
        problem,
    }))
}

fn fields<'f>(json: Option<&'f Field<'_>>, key: &str) -> Result<Fields<'f>, DecodeError> {
    match json {
        None => Ok(Fields::default()),
        Some(json) => Fields::parse(json.as_str()).map_err(|error| error.at(key)),
    }
}
