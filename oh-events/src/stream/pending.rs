//! An event on its way into the log.

use std::sync::Arc;

use oh_core::{Error, ErrorKind, Event, EventId, Result, codec};
use tokio::sync::{OwnedMutexGuard, oneshot};

use crate::audit;
use crate::store::Encoded;

/// How the JSON of an event begins.
const ID_KEY: &[u8] = b"{\"id\":";

/// Room for a longer id and for the value of a chain.
const ADDED_BYTES: usize = 20 + audit::SEAL_BYTES;

/// Largest room that is made for an event before its size is known.
const USUAL_BYTES: usize = 64 * 1024;

/// An event whose id is that of the next event at the time when it came in; it gets another one if
/// others were faster.
pub(super) struct Pending {
    pub(super) event: Arc<Event>,
    /// Its JSON, with the id that the event has by now.
    pub(super) json: Vec<u8>,
    /// The action that it closes.
    pub(super) answers: Option<EventId>,
    /// What no one else may do before it is published.
    pub(super) gate: Option<OwnedMutexGuard<()>>,
    /// Absent for the event of the one that writes.
    pub(super) done: Option<oneshot::Sender<Result<EventId>>>,
}

impl Pending {
    /// Encodes an event, whose JSON is probably about as long as is usual.
    pub(super) fn encode(event: Event, usual_bytes: usize) -> Result<Self> {
        let mut json = Vec::with_capacity(usual_bytes.min(USUAL_BYTES) + ADDED_BYTES);
        codec::encode_event_into(&event, &mut json);
        let refused = |kind, detail| Err(Error::new(kind, "append event").with_detail(detail));
        if !json.starts_with(ID_KEY) {
            return refused(ErrorKind::Internal, "the event has no JSON form");
        }
        if json.len() > Encoded::MAX_BYTES - ADDED_BYTES {
            let detail = "an event is at most 256 MiB, put large contents into a blob";
            return refused(ErrorKind::TooLarge, detail);
        }
        if json.capacity() > 2 * (json.len() + ADDED_BYTES) {
            json.shrink_to(json.len() + ADDED_BYTES);
        }
        Ok(Self {
            event: Arc::new(event),
            json,
            answers: None,
            gate: None,
            done: None,
        })
    }

    /// Gives the event its id, for which its JSON is rarely changed.
    pub(super) fn set_id(&mut self, id: EventId) {
        if self.event.id == id {
            return;
        }
        // No one else has it yet, so that nothing is copied.
        Arc::make_mut(&mut self.event).id = id;
        let after_key = self.json.iter().skip(ID_KEY.len());
        let digits = after_key.take_while(|byte| byte.is_ascii_digit()).count();
        let digits = ID_KEY.len()..ID_KEY.len() + digits;
        self.json.splice(digits, id.to_string().into_bytes());
    }
}

/// Tells everyone whose event is in a batch, and returns the error for the one who writes.
pub(super) fn fail(batch: Vec<Pending>, error: Error) -> Error {
    let error = Arc::new(error);
    for done in batch.into_iter().filter_map(|pending| pending.done) {
        let _ = done.send(Err(share(&error)));
    }
    share(&error)
}

/// The same error for each event of a batch.
fn share(error: &Arc<Error>) -> Error {
    let mut copy = Error::new(error.kind(), error.operation().to_owned());
    if let Some(object) = error.object() {
        copy = copy.with_object(object);
    }
    if let Some(detail) = error.detail() {
        copy = copy.with_detail(detail.to_owned());
    }
    copy.with_source(Arc::clone(error))
}
