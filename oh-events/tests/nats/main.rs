//! Sessions in a real NATS server.

// Clippy's exception for tests does not reach the functions that tests share.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod conforms;
mod damage;
mod failures;
mod proxy;
mod server;
mod streams;
mod takeover;
mod writers;

use oh_core::{EventId, SessionId};
use oh_events::{Encoded, EventReader, ReadRange};

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

/// An event that holds a text.
fn event(id: u64, text: &str) -> Encoded {
    let json = format!("{{\"id\":{id},\"text\":\"{text}\"}}");
    Encoded::new(EventId(id), json).unwrap()
}

/// All events of a log, page by page.
async fn read_all(reader: &dyn EventReader) -> Vec<Encoded> {
    let mut all: Vec<Encoded> = Vec::new();
    loop {
        let from = EventId(all.len() as u64);
        let page = reader.read(ReadRange::new(from, EventId(u64::MAX)));
        let page = page.await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
