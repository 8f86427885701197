//! Events to append.

use oh_core::action::MessageAction;
use oh_core::event::BlobRef;
use oh_core::observation::RunObservation;
use oh_core::{Draft, EventBody, EventId, Observation, Source, Timestamp, codec};

use crate::store::Encoded;

use super::expect::Checked;

/// An event with a text.
pub(super) fn event(id: u64, text: &str) -> Checked<Encoded> {
    encode(id, Draft::new(Source::User, MessageAction::new(text)))
}

/// An event whose large content is a blob.
pub(super) fn event_with(id: u64, blob: &BlobRef) -> Checked<Encoded> {
    let mut observation = RunObservation::new("the beginning", "make noise");
    observation.details.stdout_blob = Some(blob.clone());
    let body = EventBody::from(Observation::from(observation));
    encode(id, Draft::new(Source::Environment, body))
}

fn encode(id: u64, draft: Draft) -> Checked<Encoded> {
    let time = Timestamp::from_micros(1_700_000_000_000_000 + i64::try_from(id).unwrap_or(0));
    let event = draft.into_event(EventId(id), time);
    Ok(Encoded::new(EventId(id), codec::encode_event(&event))?)
}

/// Events with the ids from `from` up to, and without, `to`, which tell whose they are.
pub(super) fn batch(from: u64, to: u64, text: &str) -> Checked<Vec<Encoded>> {
    (from..to)
        .map(|id| event(id, &format!("{text} {id}")))
        .collect()
}

/// Events whose JSON a store could be tempted to change, with ids from 0.
pub(super) fn odd() -> Checked<Vec<Encoded>> {
    let texts = [
        "",
        "line one\nline two\r\n\tthree\u{0}\u{1f}\u{7f}",
        "quotes \" and \\ and / and \\n",
        "ä € 😀 \u{202e} \u{2028} \u{fffd} e\u{301}",
        "trailing space ",
        "%00 ../.. ${HOME} '; DROP TABLE events; --",
    ];
    let mut events = Vec::new();
    for text in texts {
        events.push(event(events.len() as u64, text)?);
    }
    // JSON that others wrote: order of keys, spaces, escapes, numbers, unknown keys.
    let others = [
        r#"{"action":"message","args":{"content":"x"},"source":"user","id":ID}"#,
        r#"{ "id" : ID , "source" : "agent", "action" : "null", "args" : { } }"#,
        r#"{"id":ID,"source":"user","action":"message","args":{"content":"\u00e4\ud83d\ude00\/\u000a"}}"#,
        r#"{"id":ID,"observation":"null","content":"","extras":{},"x":[1.0,1e5,0.10,-0,12345678901234567890]}"#,
    ];
    for json in others {
        let id = events.len() as u64;
        let json = json.replace("ID", &id.to_string());
        events.push(Encoded::new(EventId(id), json)?);
    }
    Ok(events)
}

/// Bytes that are all there, not text, and not the same everywhere.
pub(super) fn bytes(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
