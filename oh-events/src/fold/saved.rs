//! The written form of a fold.

use oh_core::{EventId, SessionId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::hex;
use crate::store::{Encoded, Snapshot};

use super::session_state::SessionState;

/// Number of the form and of what the fold counts: it changes with either, and a snapshot of
/// another version is not read.
const VERSION: u32 = 1;

/// A snapshot as JSON. The body is a text in it, so that its checksum does not hang on how JSON is
/// written.
#[derive(Serialize, Deserialize)]
struct Saved {
    version: u32,
    sha256: String,
    body: Box<RawValue>,
}

#[derive(Serialize, Deserialize)]
struct Body<S> {
    session: SessionId,
    /// Hash of the stored JSON of the last event that is folded in: a log that lost its tail, and
    /// grew on, has another event there.
    last: String,
    state: S,
}

/// Writes down what the events up to and with `last` fold to. `None` if it is too large to keep.
pub(crate) fn snapshot_of(
    session: &SessionId,
    state: &SessionState,
    last: &Encoded,
) -> Option<Snapshot> {
    let body = serde_json::value::to_raw_value(&Body {
        session: session.clone(),
        last: hash(last.json()),
        state,
    });
    // Maps with keys that are no numbers or texts, or numbers that are none: there are none.
    let body = body.ok()?;
    let saved = Saved {
        version: VERSION,
        sha256: hash(body.get().as_bytes()),
        body,
    };
    let data = serde_json::to_vec(&saved).ok()?;
    (data.len() <= Snapshot::MAX_BYTES).then(|| Snapshot::new(state.next(), data))
}

/// A snapshot that is whole, and what is still to be compared.
pub(super) struct Opened {
    pub(super) state: SessionState,
    last: String,
}

impl Opened {
    /// Reads a snapshot; `None` unless it is whole, of this version and of this session.
    pub(super) fn read(session: &SessionId, snapshot: &Snapshot) -> Option<Self> {
        let saved: Saved = serde_json::from_slice(&snapshot.data).ok()?;
        if saved.version != VERSION || saved.sha256 != hash(saved.body.get().as_bytes()) {
            return None;
        }
        let body: Body<SessionState> = serde_json::from_str(saved.body.get()).ok()?;
        let fits = body.session == *session && body.state.next() == snapshot.next;
        fits.then_some(Self {
            state: body.state,
            last: body.last,
        })
    }

    /// The last event that is folded in.
    pub(super) fn last(&self) -> Option<EventId> {
        self.state.next().0.checked_sub(1).map(EventId)
    }

    pub(super) fn ends_with(&self, last: &Encoded) -> bool {
        self.last() == Some(last.id()) && self.last == hash(last.json())
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::lower(&hmac_sha256::Hash::hash(bytes))
}
