//! A store in memory that takes its time, and fails when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};
use oh_events::{
    Encoded, EventLog, EventReader, EventStore, MemoryStore, OpenReport, ReadRange, Writer,
};

/// What the store is in the mood for.
#[derive(Debug, Default)]
pub(crate) struct Mood {
    /// How often an append is not ready when it is polled.
    pub(crate) append_waits: AtomicUsize,
    pub(crate) read_waits: AtomicUsize,
    /// How many of the next appends fail.
    pub(crate) append_failures: AtomicUsize,
    pub(crate) read_failures: AtomicUsize,
}

impl Mood {
    async fn endure(
        waits: &AtomicUsize,
        failures: &AtomicUsize,
        operation: &'static str,
    ) -> Result<()> {
        for _ in 0..waits.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        let fails = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        });
        match fails {
            Ok(_) => Err(Error::new(ErrorKind::NoSpace, operation)),
            Err(_) => Ok(()),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct MoodyStore {
    memory: MemoryStore,
    pub(crate) mood: Arc<Mood>,
}

#[async_trait]
impl EventStore for MoodyStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        Ok(Box::new(MoodyLog {
            log: self.memory.open(session, writer).await?,
            mood: Arc::clone(&self.mood),
        }))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        self.memory.view(session).await
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        EventStore::sessions(&self.memory, after, limit).await
    }
}

#[derive(Debug)]
struct MoodyLog {
    log: Box<dyn EventLog>,
    mood: Arc<Mood>,
}

#[async_trait]
impl EventLog for MoodyLog {
    fn report(&self) -> &OpenReport {
        self.log.report()
    }

    fn epoch(&self) -> u64 {
        self.log.epoch()
    }

    fn next(&self) -> EventId {
        self.log.next()
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(MoodyReader {
            reader: self.log.reader(),
            mood: Arc::clone(&self.mood),
        })
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let mood = &self.mood;
        Mood::endure(&mood.append_waits, &mood.append_failures, "append event").await?;
        self.log.append(expected, epoch, batch).await
    }

    async fn sync(&self) -> Result<EventId> {
        self.log.sync().await
    }

    async fn close(&self) -> Result<()> {
        self.log.close().await
    }
}

#[derive(Debug)]
struct MoodyReader {
    reader: Arc<dyn EventReader>,
    mood: Arc<Mood>,
}

#[async_trait]
impl EventReader for MoodyReader {
    fn first(&self) -> EventId {
        self.reader.first()
    }

    fn next(&self) -> EventId {
        self.reader.next()
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let mood = &self.mood;
        Mood::endure(&mood.read_waits, &mood.read_failures, "read events").await?;
        self.reader.read(range.limit(range.limit.min(5))).await
    }
}
