//! A file that was checked, and the events that it becomes.

use std::borrow::Cow;

use bytes::Bytes;
use oh_core::event::BlobRef;
use oh_core::secret::Masker;
use oh_core::{
    Draft, Error, EventBody, EventId, Observation, RawJson, RawObject, Result, Timestamp, codec,
};

use crate::audit;
use crate::store::Encoded;

use super::elements::{element_error, split};
use super::references::{Names, NewIds};

pub(super) const OPERATION: &str = "import trajectory";

/// A file in which every element is an event.
#[derive(Debug)]
pub(super) struct Plan {
    elements: Vec<Bytes>,
    ids: NewIds,
    /// For events without a time at the beginning.
    first_time: Timestamp,
    masker: Masker,
}

/// An element as it goes into the log.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) encoded: Encoded,
    pub(super) time: Timestamp,
    pub(super) names: Names,
    pub(super) lost_blobs: bool,
}

impl Plan {
    /// Checks every element. What is wrong is said without the secrets that it may quote.
    pub(super) fn new(json: &Bytes, masker: &Masker) -> Result<Self> {
        Self::check(json, masker.clone()).map_err(|error| without_secrets(error, masker))
    }

    fn check(json: &Bytes, masker: Masker) -> Result<Self> {
        let elements = split(OPERATION, json)?;
        let mut ids = NewIds::default();
        let mut first_time = None;
        for (index, element) in elements.iter().enumerate() {
            let draft = decode(index, element)?;
            first_time = first_time.or(draft.time);
            if let Some(old) = id_of(element) {
                ids.insert(old, EventId(index as u64));
            }
        }
        Ok(Self {
            elements,
            ids,
            first_time: first_time.unwrap_or_else(|| Timestamp::from_micros(0)),
            masker,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(super) fn first_time(&self) -> Timestamp {
        self.first_time.clone()
    }

    /// Makes the event of an element; `previous` is the time of the one before.
    pub(super) fn prepare(&self, index: usize, previous: &Timestamp) -> Result<Prepared> {
        let element = self.elements.get(index).cloned().unwrap_or_default();
        let mut draft = decode(index, &element)?;
        let id = EventId(index as u64);
        let names = self.ids.renew(&mut draft, id);
        let lost_blobs = forget_blobs(&mut draft.body);
        // It vouches for an event of another log, and would be taken for the value of a chain.
        draft.extra.remove(audit::KEY);
        let time = draft.time.clone().unwrap_or_else(|| previous.clone());
        if !self.masker.is_empty() {
            draft.visit_text_mut(&mut |text| {
                if let Cow::Owned(masked) = self.masker.mask(text) {
                    *text = masked;
                }
            });
        }
        let event = draft.into_event(id, time.clone());
        let encoded = Encoded::new(id, codec::encode_event(&event))?;
        Ok(Prepared {
            encoded,
            time,
            names,
            lost_blobs,
        })
    }
}

fn decode(index: usize, element: &Bytes) -> Result<Draft> {
    codec::decode_draft(element)
        .map_err(|error| element_error(OPERATION, index, error.to_string()).with_source(error))
}

/// The same error with a masked text. Its source, which says the same, is left out then.
fn without_secrets(error: Error, masker: &Masker) -> Error {
    let Cow::Owned(detail) = masker.mask(error.detail().unwrap_or_default()) else {
        return error;
    };
    let masked = Error::new(error.kind(), OPERATION).with_detail(detail);
    match error.object() {
        Some(object) => masked.with_object(object),
        None => masked,
    }
}

/// The id that an element has in its file.
fn id_of(element: &Bytes) -> Option<EventId> {
    let text = std::str::from_utf8(element).ok()?;
    let top: RawObject = RawJson::parse(text).ok()?.decode().ok()?;
    top.value("id")?.decode().ok()
}

/// Takes the ids of blobs away, which are not in the file: in the new session they could name
/// others.
fn forget_blobs(body: &mut EventBody) -> bool {
    let EventBody::Observation(Observation::Run(run)) = body else {
        return false;
    };
    let blobs = [&mut run.details.stdout_blob, &mut run.details.stderr_blob];
    let mut any = false;
    for blob in blobs.into_iter().flatten() {
        *blob = BlobRef::new("", blob.len, std::mem::take(&mut blob.sha256)).incomplete();
        any = true;
    }
    any
}
