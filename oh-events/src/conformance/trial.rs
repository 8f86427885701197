//! What a check works with: a storage of its own, and the usual steps on it.

use std::sync::Arc;
use std::time::Duration;

use oh_core::{ErrorKind, EventId, SessionId};

use crate::store::blob::BlobStore;
use crate::store::{Durability, Encoded, EventLog, EventReader, EventStore, ReadRange, Writer};

use super::expect::{Checked, End, ensure, expect_bytes, expect_eq};
use super::harness::{Storage, StoreHarness};
use super::paging;
use super::sample;

/// How long a check waits between two looks at something that takes its time.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One run of one check.
pub(super) struct Trial {
    // Declared first, so that it is dropped before the place that it is on.
    store: Arc<dyn EventStore>,
    storage: Box<dyn Storage>,
    durability: Durability,
}

impl Trial {
    pub(super) async fn start(harness: &dyn StoreHarness, durability: Durability) -> Checked<Self> {
        let storage = harness.storage().await?;
        Ok(Self {
            store: storage.open().await?,
            storage,
            durability,
        })
    }

    pub(super) fn store(&self) -> &Arc<dyn EventStore> {
        &self.store
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.storage
    }

    /// The same storage as another process would open it.
    pub(super) async fn other(&self) -> Checked<Arc<dyn EventStore>> {
        let opened = self.storage.open().await;
        opened.map_err(|error| End::from(error).at("opening the storage again"))
    }

    pub(super) fn writer(&self, name: &str) -> Writer {
        Writer::new(name).durability(self.durability)
    }

    pub(super) fn durability(&self) -> Durability {
        self.durability
    }

    /// Opens the log of a session.
    pub(super) async fn open(&self, session: &SessionId) -> Checked<Box<dyn EventLog>> {
        self.open_in(&self.store, session).await
    }

    /// Opens a log that no one holds.
    pub(super) async fn open_in(
        &self,
        store: &Arc<dyn EventStore>,
        session: &SessionId,
    ) -> Checked<Box<dyn EventLog>> {
        let opened = store.open(session, self.writer("conformance")).await;
        opened.map_err(|error| End::from(error).at("opening a log"))
    }

    /// Opens a log that is being released by someone who does not wait for it.
    pub(super) async fn open_when_free(
        &self,
        store: &Arc<dyn EventStore>,
        session: &SessionId,
    ) -> Checked<Box<dyn EventLog>> {
        loop {
            match store.open(session, self.writer("next")).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                opened => return Ok(opened?),
            }
        }
    }

    /// Opens the log of a session, and appends this many events.
    pub(super) async fn filled(
        &self,
        session: &SessionId,
        events: u64,
    ) -> Checked<Box<dyn EventLog>> {
        let log = self.open(session).await?;
        append(&*log, &sample::batch(0, events, session.as_str())?).await?;
        Ok(log)
    }

    /// The log holds these events and nothing else: for its own reader, for a new one, and for
    /// one of another process.
    pub(super) async fn expect_holds(&self, session: &SessionId, wanted: &[Encoded]) -> Checked {
        let here = self.store.view(session).await?;
        expect_events("the log", &*here, wanted).await?;
        let there = self.other().await?.view(session).await?;
        expect_events("the log opened elsewhere", &*there, wanted).await
    }
}

pub(super) fn session(name: &str) -> Checked<SessionId> {
    Ok(SessionId::new(name)?)
}

/// Appends where the log ends.
pub(super) async fn append(log: &dyn EventLog, batch: &[Encoded]) -> Checked {
    let appended = log.append(log.next(), log.epoch(), batch).await;
    appended.map_err(|error| End::from(error).at("appending"))
}

/// A reader finds these events, and no others.
pub(super) async fn expect_events(
    what: &str,
    reader: &dyn EventReader,
    wanted: &[Encoded],
) -> Checked {
    let all = ReadRange::default().limit(64);
    let found = paging::read_all(reader, all)
        .await
        .map_err(|end| end.at(what))?;
    same_events(what, &found, wanted)?;
    expect_eq(
        &format!("{what}: the next id of the reader"),
        reader.next(),
        EventId(wanted.len() as u64),
    )
}

pub(super) fn same_events(what: &str, found: &[Encoded], wanted: &[Encoded]) -> Checked {
    for (found, wanted) in found.iter().zip(wanted) {
        let id = wanted.id();
        expect_eq(&format!("{what}: an id"), found.id(), id)?;
        expect_bytes(&format!("{what}: event {id}"), found.json(), wanted.json())?;
    }
    ensure!(
        found.len() == wanted.len(),
        "{what} holds {} events instead of {}",
        found.len(),
        wanted.len()
    );
    Ok(())
}

/// Waits for an event, or reports that the store cannot.
pub(super) async fn wait_past(reader: &dyn EventReader, known: EventId) -> Checked<EventId> {
    match reader.wait_past(known).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            Err(End::unsupported("the store cannot follow a log"))
        }
        waited => Ok(waited?),
    }
}

/// The blobs of a log, or the report that there are none.
pub(super) fn blobs(log: &dyn EventLog) -> Checked<Arc<dyn BlobStore>> {
    log.blobs()
        .ok_or_else(|| End::unsupported("the store keeps no blobs"))
}

/// The same for a reader of a log that has blobs.
pub(super) fn blobs_of(reader: &dyn EventReader) -> Checked<Arc<dyn BlobStore>> {
    reader
        .blobs()
        .ok_or_else(|| End::failed("the log has blobs, its reader has none"))
}
