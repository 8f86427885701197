//! The elements of a file.

use std::fmt;

use bytes::Bytes;
use oh_core::{Error, ErrorKind, Result};
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Cuts a JSON array into the texts of its elements, which share its memory.
pub(crate) fn split(operation: &'static str, json: &Bytes) -> Result<Vec<Bytes>> {
    let mut elements = Vec::new();
    let mut text = serde_json::Deserializer::from_slice(json);
    let visitor = Elements {
        json,
        found: &mut elements,
    };
    let result = text.deserialize_seq(visitor).and_then(|()| text.end());
    match result {
        Ok(()) => Ok(elements),
        Err(error) => {
            let index = elements.len();
            Err(element_error(operation, index, error.to_string()))
        }
    }
}

/// The error about one element, which is counted from 0.
pub(crate) fn element_error(
    operation: &'static str,
    index: usize,
    detail: impl Into<String>,
) -> Error {
    Error::new(ErrorKind::InvalidInput, operation)
        .with_object(format!("element {index}"))
        .with_detail(detail.into())
}

struct Elements<'a> {
    json: &'a Bytes,
    found: &'a mut Vec<Bytes>,
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            self.found.push(self.json.slice_ref(item.get().as_bytes()));
        }
        Ok(())
    }
}
