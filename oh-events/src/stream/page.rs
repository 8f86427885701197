//! Pages of a store as events.

use std::pin::Pin;
use std::sync::Arc;

use oh_core::{Event, EventId, Result, codec};

use crate::store::{Damage, Encoded, EventReader, ReadRange};

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
        match decode(encoded) {
            Ok(event) => events.push(event),
            Err(damage) if events.is_empty() => return Err(damage.into()),
            Err(_) => break,
        }
    }
    Ok(events)
}

fn decode(encoded: &Encoded) -> Result<Arc<Event>, Damage> {
    let id = encoded.id();
    let damage = |reason: &str| {
        let to = EventId(id.0.saturating_add(1));
        Damage::new(id, to, format!("its JSON: {reason}"), 0)
    };
    let event = codec::decode_event(encoded.json()).map_err(|error| damage(&error.to_string()))?;
    if event.id == id {
        Ok(Arc::new(event))
    } else {
        Err(damage("it names another id"))
    }
}
