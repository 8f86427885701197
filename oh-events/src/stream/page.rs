//! Pages of a store as events.

use std::pin::Pin;
use std::sync::Arc;

use oh_core::{Event, Result};

use crate::store::{Encoded, EventReader, ReadRange};

/// A page that is being read.
pub(super) type Reading = Pin<Box<dyn Future<Output = Result<Vec<Arc<Event>>>> + Send>>;

/// Reads a page.
pub(super) fn read(reader: Arc<dyn EventReader>, range: ReadRange) -> Reading {
    Box::pin(async move { decode_page(&reader.read(range).await?) })
}

/// Waits until there is something in the range, and reads it.
pub(super) fn follow(reader: Arc<dyn EventReader>, range: ReadRange) -> Reading {
    Box::pin(async move {
        reader.wait_past(range.from).await?;
        decode_page(&reader.read(range).await?)
    })
}

/// Ends the page before an event that cannot be decoded, unless it is the first.
fn decode_page(page: &[Encoded]) -> Result<Vec<Arc<Event>>> {
    let mut events = Vec::with_capacity(page.len());
    for encoded in page {
        match encoded.decode() {
            Ok(event) => events.push(Arc::new(event)),
            Err(damage) if events.is_empty() => return Err(damage.into()),
            Err(_) => break,
        }
    }
    Ok(events)
}
