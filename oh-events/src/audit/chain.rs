//! The end of a chain that a writer makes longer.

use std::sync::{Arc, Mutex, PoisonError};

use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::store::{Damage, Direction, Encoded, EventReader, ReadRange};

use super::head::AuditHead;
use super::mode::{Audit, START};
use super::seal::{self, Method, Sealed};

const OPERATION: &str = "open event log";

/// How a log is chained, and the value of its last event.
#[derive(Debug)]
pub(crate) struct Chain {
    audit: Audit,
    /// The last event that is in the log; `None` where the chain begins with the next.
    head: Mutex<Option<AuditHead>>,
}

impl Chain {
    /// Goes on with the chain of a log, or begins one if the host wants it. A chain without a key
    /// goes on in any case.
    pub(crate) async fn open(
        reader: &Arc<dyn EventReader>,
        next: EventId,
        session: &SessionId,
        wanted: Option<Audit>,
    ) -> Result<Option<Self>> {
        let Some(last) = last_before(reader, next).await? else {
            return Ok(wanted.map(Self::begin));
        };
        let Some(sealed) = Sealed::find(last.json()) else {
            return Ok(wanted.map(Self::begin));
        };
        let refused = |kind, detail| {
            Err(Error::new(kind, OPERATION)
                .with_object(session.as_str())
                .with_detail(detail))
        };
        let audit = match (wanted, sealed.method) {
            (None, Method::Plain) => Audit::new(),
            (None, Method::Keyed) => {
                let detail = "the log is chained with a key: give it by `audit`";
                return refused(ErrorKind::InvalidInput, detail);
            }
            (Some(audit), method) if audit.method() == method => audit,
            (Some(_), Method::Plain) => {
                let detail = "the log is chained without a key and goes on so: give none";
                return refused(ErrorKind::InvalidInput, detail);
            }
            (Some(_), Method::Keyed) => {
                let detail = "the log is chained with a key: give `audit` that key";
                return refused(ErrorKind::InvalidInput, detail);
            }
        };
        if sealed.method == Method::Keyed && !fits(reader, &audit, &last, &sealed).await? {
            let detail = "the key is another one, or the last event was changed after it was \
                          written: `EventViewer::verify` tells where";
            return refused(ErrorKind::Corrupt, detail);
        }
        let head = AuditHead::new(last.id(), sealed.value);
        Ok(Some(Self {
            audit,
            head: Mutex::new(Some(head)),
        }))
    }

    fn begin(audit: Audit) -> Self {
        Self {
            audit,
            head: Mutex::new(None),
        }
    }

    /// How the log is chained: what a fork needs to go on.
    pub(crate) fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn head(&self) -> Option<AuditHead> {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the value of the event after `head` into its JSON and returns the head after it,
    /// which counts with [`advance`](Self::advance) only.
    pub(crate) fn seal(
        &self,
        head: Option<AuditHead>,
        id: EventId,
        json: &mut Vec<u8>,
    ) -> AuditHead {
        let before = head.map_or(START, |head| head.value);
        let value = self.audit.value(&before, [json.as_slice()]);
        seal::write(json, self.audit.method(), &value);
        AuditHead::new(id, value)
    }

    /// Notes that an event is in the log, as it stands there.
    pub(crate) fn advance_over(&self, event: &Encoded) {
        let head =
            Sealed::find(event.json()).map(|sealed| AuditHead::new(event.id(), sealed.value));
        self.advance(head);
    }

    /// Notes that the events up to a head are in the log.
    pub(crate) fn advance(&self, head: Option<AuditHead>) {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
    }
}

/// Whether a key made the value of an event. What retention removed or damage took before it
/// leaves nothing to compare with.
async fn fits(
    reader: &Arc<dyn EventReader>,
    audit: &Audit,
    event: &Encoded,
    sealed: &Sealed<'_>,
) -> Result<bool> {
    let before = match last_before(reader, event.id()).await? {
        Some(previous) if previous.id().next() == event.id() => {
            Sealed::find(previous.json()).map_or(START, |sealed| sealed.value)
        }
        None if event.id() == EventId(0) => START,
        _ => return Ok(true),
    };
    Ok(audit.value(&before, sealed.parts()) == sealed.value)
}

/// The last event before an id that can be read.
async fn last_before(reader: &Arc<dyn EventReader>, mut to: EventId) -> Result<Option<Encoded>> {
    while to > reader.first() {
        let range = ReadRange::new(reader.first(), to).direction(Direction::Reverse);
        match reader.read(range.limit(1)).await {
            Ok(page) => return Ok(page.into_iter().next()),
            Err(error) => match Damage::of(&error) {
                Some(damage) if damage.from < to => to = damage.from,
                _ => return Err(error),
            },
        }
    }
    Ok(None)
}
