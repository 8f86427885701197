//! An event as a store sees it.

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Event, EventId, Result, codec};
use serde::Deserialize;

use super::damage::Damage;
use crate::audit;

/// An event in its written form: its id and one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    id: EventId,
    json: Bytes,
}

impl Encoded {
    /// Largest event that stores take.
    pub const MAX_BYTES: usize = 256 * 1024 * 1024;

    /// Wraps an encoded event. The JSON holds the same id under the key `id`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the JSON holds a line feed,
    /// [`TooLarge`](ErrorKind::TooLarge) above [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(id: EventId, json: impl Into<Bytes>) -> Result<Self> {
        let json = json.into();
        Self::check(id, &json)?;
        Ok(Self { id, json })
    }

    /// Refuses what is no JSON of an event by its form.
    pub(crate) fn check(id: EventId, json: &[u8]) -> Result<()> {
        let (kind, detail) = if json.len() > Self::MAX_BYTES {
            let detail = "an event is at most 256 MiB, put large contents into a blob";
            (ErrorKind::TooLarge, detail)
        } else if json.contains(&b'\n') {
            let detail = "the JSON of an event is one line without a line feed";
            (ErrorKind::InvalidInput, detail)
        } else {
            return Ok(());
        };
        Err(Error::new(kind, "encode event")
            .with_object(id.to_string())
            .with_detail(detail))
    }

    /// The id.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// The JSON.
    pub fn json(&self) -> &Bytes {
        &self.json
    }

    /// The event, or where it cannot be read.
    pub(crate) fn decode(&self) -> Result<Event, Damage> {
        let damage =
            |reason: &str| Damage::new(self.id, self.id.next(), format!("its JSON: {reason}"), 0);
        let mut event =
            codec::decode_event(&self.json).map_err(|error| damage(&error.to_string()))?;
        // The value of a chain belongs to the log, not to the event.
        event.extra.remove(audit::KEY);
        if event.id == self.id {
            Ok(event)
        } else {
            Err(damage("it names another id"))
        }
    }

    /// The id that a JSON text holds under the key `id`. The largest number is none, so that there
    /// is always an id after the last event.
    pub(crate) fn id_in(json: &[u8]) -> Option<EventId> {
        Self::number_in(json).filter(|id| id.0 < u64::MAX)
    }

    fn number_in(json: &[u8]) -> Option<EventId> {
        #[derive(Deserialize)]
        struct OnlyId {
            id: EventId,
        }
        // What this crate writes begins with the id; any other order is read as JSON.
        if let Some(rest) = json.strip_prefix(b"{\"id\":") {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, rest) = rest.split_at(digits);
            if matches!(rest.first(), Some(b',' | b'}')) {
                return std::str::from_utf8(digits).ok()?.parse().ok().map(EventId);
            }
        }
        serde_json::from_slice::<OnlyId>(json)
            .ok()
            .map(|only| only.id)
    }
}
