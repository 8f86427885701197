//! Logs in memory.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};
use tokio::sync::Notify;

use super::blob::{BlobStore, MemoryBlobStore, references};
use super::encoded::Encoded;
use super::event_store::{EventLog, EventReader, EventStore};
use super::holder::Holder;
use super::read_range::{Direction, ReadRange};
use super::report::OpenReport;
use super::snapshot::Snapshot;
use super::writer::Writer;

/// Keeps logs in memory, for tests and for sessions that need not last. Cheap to clone; clones
/// share the logs, which live as long as one of them.
///
/// Every event and every blob (64 MiB of them per session) stays in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    sessions: Arc<Mutex<BTreeMap<SessionId, Arc<Session>>>>,
}

#[derive(Debug)]
struct Session {
    events: RwLock<Vec<Encoded>>,
    next: AtomicU64,
    grown: Notify,
    tenure: Mutex<Tenure>,
    blobs: MemoryBlobStore,
    snapshot: Mutex<Option<Snapshot>>,
}

#[derive(Debug, Default)]
struct Tenure {
    epoch: u64,
    holder: Option<Holder>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            events: RwLock::default(),
            next: AtomicU64::new(0),
            grown: Notify::new(),
            tenure: Mutex::default(),
            blobs: MemoryBlobStore::default(),
            snapshot: Mutex::default(),
        }
    }
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn tenure(&self) -> MutexGuard<'_, Tenure> {
        self.tenure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, epoch: u64) {
        let mut tenure = self.tenure();
        if tenure.epoch == epoch {
            tenure.holder = None;
        }
    }

    fn next(&self) -> EventId {
        EventId(self.next.load(Ordering::Acquire))
    }

    fn snapshot(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session with the events before `at`, which are shared, and the blobs that they name.
    fn fork(&self, at: usize) -> Option<Self> {
        let events = self.events.read().unwrap_or_else(PoisonError::into_inner);
        let events = events.get(..at)?.to_vec();
        let mut named = HashSet::new();
        for event in &events {
            references::visit(event.json(), &mut |blob| {
                named.insert(blob.to_owned());
            });
        }
        let snapshot = self.snapshot().clone();
        Some(Self {
            next: AtomicU64::new(events.len() as u64),
            grown: Notify::new(),
            blobs: self.blobs.copy(&named),
            snapshot: Mutex::new(snapshot.filter(|snapshot| snapshot.next.0 <= at as u64)),
            events: RwLock::new(events),
            tenure: Mutex::default(),
        })
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let mut sessions = self.sessions();
        let log = Arc::clone(sessions.entry(session.clone()).or_default());
        let epoch = {
            let mut tenure = log.tenure();
            if let Some(holder) = &tenure.holder {
                return Err(holder.clone().conflict(session));
            }
            tenure.epoch += 1;
            tenure.holder = Some(Holder::this_process(writer.name, tenure.epoch));
            tenure.epoch
        };
        drop(sessions);
        Ok(Box::new(MemoryLog {
            id: session.clone(),
            report: OpenReport::new(log.next()),
            session: log,
            epoch,
        }))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        let log = self.sessions().get(session).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "view event log").with_object(session.as_str())
        })?;
        Ok(Arc::new(MemoryReader(log)))
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let sessions = MemoryStore::sessions(self);
        let range = sessions.range::<SessionId, _>((start, Bound::Unbounded));
        Ok(range.take(limit).map(|(id, _)| id.clone()).collect())
    }

    async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
        let refused =
            |kind, name: &SessionId| Error::new(kind, "fork session").with_object(name.as_str());
        let mut sessions = MemoryStore::sessions(self);
        let source = sessions
            .get(from)
            .ok_or_else(|| refused(ErrorKind::NotFound, from))?;
        if sessions.contains_key(to) {
            return Err(refused(ErrorKind::AlreadyExists, to));
        }
        let events = usize::try_from(at.0).ok();
        let fork = events
            .and_then(|events| source.fork(events))
            .ok_or_else(|| {
                let next = source.next();
                refused(ErrorKind::InvalidInput, from)
                    .with_detail(format!("it ends before {at}: its next event is {next}"))
            })?;
        sessions.insert(to.clone(), Arc::new(fork));
        Ok(true)
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        let mut sessions = MemoryStore::sessions(self);
        let log = sessions.get(session).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "remove session").with_object(session.as_str())
        })?;
        if let Some(holder) = &log.tenure().holder {
            return Err(holder.clone().conflict(session));
        }
        sessions.remove(session);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryLog {
    id: SessionId,
    session: Arc<Session>,
    epoch: u64,
    report: OpenReport,
}

impl MemoryLog {
    fn put(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let refused = |kind, detail: String| {
            Err(Error::new(kind, "append event")
                .with_object(self.id.as_str())
                .with_detail(detail))
        };
        let tenure = self.session.tenure();
        let holds = tenure.epoch == self.epoch && tenure.holder.is_some();
        if !holds {
            return refused(ErrorKind::Gone, "the log was closed".to_owned());
        }
        let mut events = self
            .session
            .events
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let next = events.len() as u64;
        if epoch != self.epoch || expected.0 != next {
            return refused(
                ErrorKind::Conflict,
                format!(
                    "the next event is {next} of epoch {}, not {expected} of epoch {epoch}",
                    self.epoch
                ),
            );
        }
        let dense = batch
            .iter()
            .zip(next..)
            .all(|(event, id)| event.id().0 == id);
        if !dense {
            let detail = "the ids of a batch follow one another";
            return refused(ErrorKind::InvalidInput, detail.to_owned());
        }
        events.extend_from_slice(batch);
        let next = events.len() as u64;
        self.session.next.store(next, Ordering::Release);
        self.session.grown.notify_waiters();
        Ok(())
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.session.release(self.epoch);
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next(&self) -> EventId {
        self.session.next()
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(MemoryReader(Arc::clone(&self.session)))
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.session.blobs.clone()))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        self.put(expected, epoch, batch)
    }

    fn append_now(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Option<Result<()>> {
        Some(self.put(expected, epoch, batch))
    }

    async fn sync(&self) -> Result<EventId> {
        Ok(self.session.next())
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let tenure = self.session.tenure();
        if tenure.epoch != self.epoch || tenure.holder.is_none() {
            return Err(Error::new(ErrorKind::Gone, "save snapshot")
                .with_object(self.id.as_str())
                .with_detail("the log was closed"));
        }
        *self.session.snapshot() = Some(snapshot.clone());
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.session.release(self.epoch);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryReader(Arc<Session>);

#[async_trait]
impl EventReader for MemoryReader {
    fn next(&self) -> EventId {
        self.0.next()
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let events = self.0.events.read().unwrap_or_else(PoisonError::into_inner);
        let index = |id: EventId| {
            usize::try_from(id.0)
                .unwrap_or(usize::MAX)
                .min(events.len())
        };
        let (from, to) = (index(range.from), index(range.to));
        let inside = events.get(from..to.max(from)).unwrap_or_default();
        let mut bytes = 0;
        let mut fits = |event: &&Encoded| {
            let first = bytes == 0;
            bytes += event.json().len();
            first || bytes <= range.max_bytes
        };
        Ok(match range.direction {
            Direction::Forward => {
                let page = inside.iter().take(range.limit);
                page.take_while(&mut fits).cloned().collect()
            }
            Direction::Reverse => {
                let page = inside.iter().rev().take(range.limit);
                page.take_while(&mut fits).cloned().collect()
            }
        })
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        Ok(self.0.snapshot().clone())
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        loop {
            // Made before the look, so that no event between the two is missed.
            let grown = self.0.grown.notified();
            let next = self.0.next();
            if next > known {
                return Ok(next);
            }
            grown.await;
        }
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.0.blobs.clone()))
    }
}
