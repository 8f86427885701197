#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod faults;
mod history;
mod layout;
mod merging;
mod removing;
mod unreliable;

use std::sync::Arc;

use oh_core::{EventId, SessionId};

use super::store::ObjectEventStore;
use crate::store::{Encoded, EventLog, EventReader, EventStore, ReadRange, Writer};
use unreliable::Unreliable;

fn session() -> SessionId {
    SessionId::new("one").unwrap()
}

fn event(id: u64, text: &str) -> Encoded {
    Encoded::new(EventId(id), format!(r#"{{"id":{id},"text":"{text}"}}"#)).unwrap()
}

/// A store of its own over a storage, as another process has it.
fn store(storage: &Arc<Unreliable>) -> ObjectEventStore {
    ObjectEventStore::new(Arc::clone(storage) as Arc<dyn super::ObjectStore>)
}

async fn open(store: &ObjectEventStore) -> Box<dyn EventLog> {
    store.open(&session(), Writer::new("test")).await.unwrap()
}

async fn take_over(store: &ObjectEventStore) -> Box<dyn EventLog> {
    store
        .take_over(&session(), Writer::new("test"))
        .await
        .unwrap()
}

/// Appends events with one call each.
async fn append(log: &dyn EventLog, count: u64, text: &str) {
    for _ in 0..count {
        let next = log.next();
        log.append(next, log.epoch(), &[event(next.0, text)])
            .await
            .unwrap();
    }
}

/// Everything that a reader finds, page by page.
async fn all(reader: &dyn EventReader) -> Vec<Encoded> {
    let mut events: Vec<Encoded> = Vec::new();
    loop {
        let from = events.last().map_or(EventId(0), |last| last.id().next());
        let range = ReadRange::new(from, EventId(u64::MAX)).limit(37);
        let page = reader.read(range).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

fn texts(ids: std::ops::Range<u64>, text: &str) -> Vec<Encoded> {
    ids.map(|id| event(id, text)).collect()
}
