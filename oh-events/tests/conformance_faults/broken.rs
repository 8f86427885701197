//! A store that does everything as another one, but for one fault.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Error, ErrorKind, EventId, Result, SessionId};
use oh_events::{
    BlobStore, BlobWriter, Direction, Encoded, EventLog, EventReader, EventStore, OpenReport,
    ReadRange, Snapshot, Writer,
};

/// What a [`Broken`] store does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Nothing,
    LosesTheLastOfABatch,
    AcknowledgesBeforeItWrites,
    IgnoresTheExpectedId,
    IgnoresTheEpoch,
    WritesUpToAGap,
    CallsEveryErrorInternal,
    LetsASecondWriterIn,
    NamesNoHolder,
    KeepsTheLogAfterClosing,
    TakesEventsAfterClosing,
    LetsTheFormerWriterGoOn,
    NeverRaisesTheEpoch,
    NamesTheLastIdInSync,
    ReadsWhatWasThereAtFirst,
    IgnoresTheLimit,
    IgnoresTheBytesOfAPage,
    GivesEmptyPages,
    ReadsForwardOnly,
    ReadsOneTooMany,
    RewritesJson,
    NeverWakes,
    WakesTooEarly,
    LosesAWaitThatWasGivenUp,
    NamesSessionsInAnyOrder,
    NamesSessionsFromTheStart,
    MakesSessionsByLooking,
    IgnoresCase,
    HashesWrongly,
    IgnoresRanges,
    CallsCutBlobsComplete,
    TakesPathsForBlobs,
    HidesBlobsFromReaders,
    ForgetsSnapshots,
    KeepsTheFirstSnapshot,
    ForksEverything,
    ForksOntoWhatIsThere,
    ForgetsToRemove,
    RemovesUnderTheWriter,
    Panics,
}

/// What the stores of one storage share.
#[derive(Debug)]
pub(crate) struct Shared {
    fault: Fault,
    logs: Mutex<HashMap<SessionId, Weak<dyn EventLog>>>,
    snapshots: Mutex<HashMap<SessionId, Snapshot>>,
}

impl Shared {
    pub(crate) fn new(fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            logs: Mutex::default(),
            snapshots: Mutex::default(),
        })
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn current(&self, session: &SessionId) -> Option<Arc<dyn EventLog>> {
        self.logs.lock().unwrap().get(session)?.upgrade()
    }

    /// Ends the hold of the present writer behind its back.
    pub(crate) async fn expire(&self, session: &SessionId) -> Result<()> {
        match self.current(session) {
            Some(log) => log.close().await,
            None => Ok(()),
        }
    }

    fn error(&self, error: Error) -> Error {
        match self.fault {
            Fault::CallsEveryErrorInternal => Error::new(ErrorKind::Internal, "something"),
            Fault::NamesNoHolder => {
                Error::new(error.kind(), "open").with_object(error.object().unwrap_or_default())
            }
            _ => error,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Broken {
    inner: Arc<dyn EventStore>,
    shared: Arc<Shared>,
}

impl Broken {
    pub(crate) fn new(inner: impl EventStore + 'static, shared: &Arc<Shared>) -> Self {
        Self {
            inner: Arc::new(inner),
            shared: Arc::clone(shared),
        }
    }

    fn name(&self, session: &SessionId) -> SessionId {
        if self.shared.has(Fault::IgnoresCase) {
            SessionId::new(session.as_str().to_lowercase()).unwrap()
        } else {
            session.clone()
        }
    }

    fn log(&self, session: SessionId, log: Arc<dyn EventLog>) -> Box<dyn EventLog> {
        Box::new(BrokenLog {
            session,
            inner: log,
            shared: Arc::clone(&self.shared),
            closed: AtomicBool::new(false),
            held_back: Mutex::default(),
        })
    }
}

#[async_trait]
impl EventStore for Broken {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let session = self.name(session);
        if self.shared.has(Fault::LetsASecondWriterIn)
            && let Some(log) = self.shared.current(&session)
        {
            return Ok(self.log(session, log));
        }
        let opened = self.inner.open(&session, writer).await;
        let log: Arc<dyn EventLog> = Arc::from(opened.map_err(|e| self.shared.error(e))?);
        let weak = Arc::downgrade(&log);
        self.shared
            .logs
            .lock()
            .unwrap()
            .insert(session.clone(), weak);
        Ok(self.log(session, log))
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        let session = &self.name(session);
        if self.shared.has(Fault::MakesSessionsByLooking) {
            // One that is held is there already.
            let _ = self.inner.open(session, Writer::new("view")).await;
        }
        let viewed = self.inner.view(session).await;
        let inner = viewed.map_err(|e| self.shared.error(e))?;
        Ok(BrokenReader::wrap(session, inner, &self.shared))
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        match self.shared.fault {
            Fault::NamesSessionsInAnyOrder => {
                let mut sessions = self.inner.sessions(after, limit).await?;
                sessions.reverse();
                Ok(sessions)
            }
            Fault::NamesSessionsFromTheStart => self.inner.sessions(None, limit).await,
            _ => self.inner.sessions(after, limit).await,
        }
    }

    async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
        match self.shared.fault {
            Fault::ForksEverything => {
                let end = self.inner.view(from).await?.next();
                self.inner.fork(from, end.max(at), to).await
            }
            Fault::ForksOntoWhatIsThere => {
                // Whatever was there before.
                let _ = self.inner.remove(to).await;
                self.inner.fork(from, at, to).await
            }
            _ => self.inner.fork(from, at, to).await,
        }
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        match self.shared.fault {
            Fault::ForgetsToRemove => self.inner.view(session).await.map(drop),
            Fault::RemovesUnderTheWriter => {
                self.shared.expire(session).await?;
                self.inner.remove(session).await
            }
            _ => self.inner.remove(session).await,
        }
    }
}

#[derive(Debug)]
struct BrokenLog {
    session: SessionId,
    inner: Arc<dyn EventLog>,
    shared: Arc<Shared>,
    closed: AtomicBool,
    held_back: Mutex<Vec<Encoded>>,
}

/// The same events with the ids that follow.
fn renumbered(from: EventId, batch: &[Encoded]) -> Result<Vec<Encoded>> {
    let renumber = |(event, id): (&Encoded, u64)| {
        let mut json: serde_json::Value = serde_json::from_slice(event.json()).unwrap();
        json["id"] = id.into();
        Encoded::new(EventId(id), json.to_string())
    };
    batch.iter().zip(from.0..).map(renumber).collect()
}

impl BrokenLog {
    async fn append_to_current(&self, batch: &[Encoded]) -> Result<()> {
        let current = self.shared.current(&self.session);
        let log = current.unwrap_or_else(|| Arc::clone(&self.inner));
        let batch = renumbered(log.next(), batch)?;
        log.append(log.next(), log.epoch(), &batch).await
    }

    async fn append_late(&self, batch: &[Encoded]) -> Result<()> {
        let late = std::mem::replace(&mut *self.held_back.lock().unwrap(), batch.to_vec());
        if late.is_empty() {
            return Ok(());
        }
        let inner = &self.inner;
        inner.append(inner.next(), inner.epoch(), &late).await
    }
}

#[async_trait]
impl EventLog for BrokenLog {
    fn report(&self) -> &OpenReport {
        self.inner.report()
    }

    fn epoch(&self) -> u64 {
        match self.shared.fault {
            Fault::NeverRaisesTheEpoch => 7,
            _ => self.inner.epoch(),
        }
    }

    fn next(&self) -> EventId {
        let held_back = self.held_back.lock().unwrap().len() as u64;
        EventId(self.inner.next().0 + held_back)
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        BrokenReader::wrap(&self.session, self.inner.reader(), &self.shared)
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(BrokenBlobs::wrap(self.inner.blobs()?, self.shared.fault))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let inner = &self.inner;
        let closed = self.closed.load(Ordering::Relaxed);
        let appended = match self.shared.fault {
            Fault::LosesTheLastOfABatch if batch.len() > 1 => {
                inner
                    .append(expected, epoch, &batch[..batch.len() - 1])
                    .await
            }
            Fault::AcknowledgesBeforeItWrites => self.append_late(batch).await,
            Fault::IgnoresTheExpectedId if expected != inner.next() => {
                let batch = renumbered(inner.next(), batch)?;
                inner.append(inner.next(), epoch, &batch).await
            }
            Fault::IgnoresTheEpoch => inner.append(expected, inner.epoch(), batch).await,
            Fault::NeverRaisesTheEpoch if epoch == 7 => {
                inner.append(expected, inner.epoch(), batch).await
            }
            Fault::WritesUpToAGap => {
                let fits = |(event, id): &(&Encoded, u64)| event.id().0 == *id;
                let dense = batch.iter().zip(expected.0..).take_while(fits).count();
                inner.append(expected, epoch, &batch[..dense]).await?;
                inner.append(inner.next(), epoch, &batch[dense..]).await
            }
            Fault::TakesEventsAfterClosing if closed => Ok(()),
            Fault::LetsTheFormerWriterGoOn if !closed => {
                match inner.append(expected, epoch, batch).await {
                    Err(error) if error.kind() == ErrorKind::Gone => {
                        self.append_to_current(batch).await
                    }
                    appended => appended,
                }
            }
            _ => inner.append(expected, epoch, batch).await,
        };
        appended.map_err(|error| self.shared.error(error))
    }

    async fn sync(&self) -> Result<EventId> {
        let next = self.inner.sync().await?;
        match self.shared.fault {
            Fault::NamesTheLastIdInSync => Ok(EventId(next.0.saturating_sub(1))),
            _ => Ok(next),
        }
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let first = {
            let mut snapshots = self.shared.snapshots.lock().unwrap();
            let first = snapshots.entry(self.session.clone());
            first.or_insert_with(|| snapshot.clone()).clone()
        };
        match self.shared.fault {
            Fault::KeepsTheFirstSnapshot => self.inner.save_snapshot(&first).await,
            _ => self.inner.save_snapshot(snapshot).await,
        }
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Relaxed);
        match self.shared.fault {
            Fault::KeepsTheLogAfterClosing => Ok(()),
            _ => self.inner.close().await,
        }
    }
}

#[derive(Debug)]
struct BrokenReader {
    inner: Arc<dyn EventReader>,
    shared: Arc<Shared>,
    next_at_first: EventId,
    /// Set while a wait is under way, and left set by one that was given up.
    waiting: AtomicBool,
    /// The first of this session; later ones find a snapshot that a former log saved.
    writers: u64,
}

impl BrokenReader {
    fn wrap(
        session: &SessionId,
        inner: Arc<dyn EventReader>,
        shared: &Arc<Shared>,
    ) -> Arc<dyn EventReader> {
        Arc::new(Self {
            next_at_first: inner.next(),
            writers: shared.current(session).map_or(0, |log| log.epoch()),
            inner,
            shared: Arc::clone(shared),
            waiting: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl EventReader for BrokenReader {
    fn first(&self) -> EventId {
        self.inner.first()
    }

    fn next(&self) -> EventId {
        match self.shared.fault {
            Fault::ReadsWhatWasThereAtFirst => self.next_at_first,
            _ => self.inner.next(),
        }
    }

    async fn read(&self, mut range: ReadRange) -> Result<Vec<Encoded>> {
        match self.shared.fault {
            Fault::ReadsWhatWasThereAtFirst => range.to = range.to.min(self.next_at_first),
            Fault::IgnoresTheLimit => range.limit = usize::MAX,
            Fault::IgnoresTheBytesOfAPage => range.max_bytes = usize::MAX,
            Fault::ReadsForwardOnly => range.direction = Direction::Forward,
            Fault::ReadsOneTooMany => range.to = range.to.next(),
            Fault::Panics if range.from.0 > 0 => panic!("an index out of order"),
            _ => {}
        }
        let page = self.inner.read(range).await?;
        match self.shared.fault {
            Fault::GivesEmptyPages
                if page
                    .first()
                    .is_some_and(|e| e.json().len() > range.max_bytes) =>
            {
                Ok(Vec::new())
            }
            Fault::RewritesJson => page
                .iter()
                .map(|event| {
                    let json: serde_json::Value = serde_json::from_slice(event.json()).unwrap();
                    Encoded::new(event.id(), json.to_string())
                })
                .collect(),
            _ => Ok(page),
        }
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        match self.shared.fault {
            Fault::ForgetsSnapshots if self.writers > 1 => Ok(None),
            _ => self.inner.snapshot().await,
        }
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        match self.shared.fault {
            Fault::NeverWakes if self.inner.next() <= known => pending().await,
            Fault::WakesTooEarly => Ok(self.inner.next()),
            Fault::LosesAWaitThatWasGivenUp => {
                if self.waiting.swap(true, Ordering::Relaxed) {
                    return pending().await;
                }
                let mut wait = pin!(self.inner.wait_past(known));
                let waited = std::future::poll_fn(|context| match wait.as_mut().poll(context) {
                    Poll::Ready(waited) => {
                        self.waiting.store(false, Ordering::Relaxed);
                        Poll::Ready(waited)
                    }
                    Poll::Pending => Poll::Pending,
                });
                waited.await
            }
            _ => self.inner.wait_past(known).await,
        }
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        if self.shared.has(Fault::HidesBlobsFromReaders) {
            return None;
        }
        Some(BrokenBlobs::wrap(self.inner.blobs()?, self.shared.fault))
    }
}

#[derive(Debug)]
struct BrokenBlobs {
    inner: Arc<dyn BlobStore>,
    fault: Fault,
}

impl BrokenBlobs {
    fn wrap(inner: Arc<dyn BlobStore>, fault: Fault) -> Arc<dyn BlobStore> {
        Arc::new(Self { inner, fault })
    }
}

#[async_trait]
impl BlobStore for BrokenBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(BrokenBlob {
            inner: self.inner.create().await?,
            fault: self.fault,
        }))
    }

    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        match self.fault {
            Fault::IgnoresRanges => self.inner.read(id, ByteRange::from(0..)).await,
            Fault::TakesPathsForBlobs => {
                let name = id.rsplit('/').next().unwrap_or(id);
                self.inner.read(name, range).await
            }
            _ => self.inner.read(id, range).await,
        }
    }
}

#[derive(Debug)]
struct BrokenBlob {
    inner: Box<dyn BlobWriter>,
    fault: Fault,
}

#[async_trait]
impl BlobWriter for BrokenBlob {
    fn id(&self) -> &str {
        self.inner.id()
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        self.inner.write(data).await
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        let mut blob = self.inner.finish().await?;
        match self.fault {
            Fault::HashesWrongly => blob.sha256 = "0".repeat(64),
            Fault::CallsCutBlobsComplete => blob.complete = true,
            _ => {}
        }
        Ok(blob)
    }
}
