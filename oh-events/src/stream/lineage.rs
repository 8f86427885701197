//! Where a forked session comes from.

use oh_core::event::Note;
use oh_core::{Event, EventBody, EventId, RawJson, SessionId};
use serde::{Deserialize, Serialize};

/// Where a forked session comes from, as a [`Note`] of its log says.
///
/// A session that was forked more than once has several; the last one names its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lineage {
    /// The session that the past was taken from.
    pub session: SessionId,
    /// First event that was not taken.
    pub at: EventId,
}

#[derive(Serialize, Deserialize)]
struct Data {
    forked_from: Lineage,
}

impl Lineage {
    /// Names a session and the first event that was not taken from it.
    pub fn new(session: SessionId, at: EventId) -> Self {
        Self { session, at }
    }

    /// The origin that an event notes, if it notes one.
    pub fn of(event: &Event) -> Option<Self> {
        let EventBody::Note(note) = &event.body else {
            return None;
        };
        let data: Data = note.data.as_ref()?.decode().ok()?;
        Some(data.forked_from)
    }

    pub(super) fn note(&self) -> Note {
        let note = Note::new(format!(
            "forked from {} before event {}",
            self.session, self.at
        ));
        let forked_from = self.clone();
        match RawJson::encode(&Data { forked_from }) {
            Ok(data) => note.data(data),
            Err(_) => note,
        }
    }
}
