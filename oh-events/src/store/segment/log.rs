//! The writer of one session.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::blocking;
use crate::store::blob::{BlobStore, FileBlobStore, SyncAtFinish};
use crate::store::{Durability, Encoded, EventLog, EventReader, OpenReport, Snapshot, Writer};

use super::files::Files;
use super::holder_file;
use super::limits::Limits;
#[cfg(test)]
use super::medium::Medium;
use super::opened::Opened;
use super::sync::{self, Syncer};
use super::tail::Tail;
use super::upkeep::Upkeep;
use super::view::SegmentReader;

#[derive(Debug)]
pub(super) struct SegmentLog {
    session: SessionId,
    epoch: u64,
    durability: Durability,
    limits: Limits,
    report: OpenReport,
    files: Arc<Files>,
    tail: Arc<Tail>,
    syncer: Syncer,
    blobs: FileBlobStore,
    upkeep: Arc<Upkeep>,
}

impl SegmentLog {
    pub(super) fn open(
        directory: PathBuf,
        session: &SessionId,
        writer: &Writer,
        limits: Limits,
    ) -> Result<Self> {
        let held = Arc::new(holder_file::take(&directory, session, &writer.name)?);
        let opened = Opened::find(&directory).map_err(|error| {
            Error::io("open event log", error).with_object(directory.display().to_string())
        })?;
        let sync_blobs = if writer.durability.is_synced() {
            SyncAtFinish::Yes
        } else {
            SyncAtFinish::No
        };
        let blobs = FileBlobStore::writer(
            directory.join("blobs"),
            held.epoch.to_string(),
            limits.blob_bytes,
            sync_blobs,
        );
        let epoch = held.epoch;
        let (report, layout) = (opened.report.clone(), opened.layout.clone());
        let tail = Arc::new(Tail::new(opened, held));
        let files = Arc::new(Files::new(directory, layout)?);
        let upkeep = Upkeep::new(
            session,
            &files,
            &tail,
            &blobs,
            writer.durability,
            limits.retention,
        );
        let work = Arc::clone(&tail);
        Ok(Self {
            session: session.clone(),
            epoch,
            durability: writer.durability,
            limits,
            report,
            files,
            tail,
            syncer: Syncer::new(Arc::new(move || work.sync())),
            blobs,
            upkeep: Arc::new(upkeep),
        })
    }

    /// Puts another file below the last segment.
    #[cfg(test)]
    pub(super) fn replace_medium(&self, medium: Arc<dyn Medium>) {
        self.tail.state().medium = medium;
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, "append event")
            .with_object(self.session.as_str())
            .with_detail(detail)
    }

    /// After a failed sync it is open what is on disk.
    fn unknown(&self, error: Error) -> Error {
        let detail = "writing to disk failed; open the log again to see what it holds";
        self.error(ErrorKind::OutcomeUnknown, detail)
            .with_source(error)
    }

    /// Writes a batch to the page cache.
    fn write(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let mut state = self.tail.state();
        if state.held.is_none() {
            return Err(self.error(ErrorKind::Gone, "the log was closed"));
        }
        if let Some(failure) = &state.broken {
            return Err(self.unknown(Error::io("sync event log", sync::copy(failure))));
        }
        if epoch != self.epoch || expected.0 != state.next {
            return Err(self.error(
                ErrorKind::Conflict,
                format!(
                    "the next event is {} of epoch {}, not {expected} of epoch {epoch}",
                    state.next, self.epoch
                ),
            ));
        }
        if state.next.checked_add(batch.len() as u64).is_none() {
            return Err(self.error(
                ErrorKind::TooLarge,
                "the log holds an event with the last id",
            ));
        }
        for (at, event) in batch.iter().enumerate() {
            if event.id().0 != state.next + at as u64 {
                return Err(self.error(
                    ErrorKind::InvalidInput,
                    "the ids of a batch follow one another",
                ));
            }
        }
        state
            .append(batch, &self.files, &self.limits)
            .map_err(|error| Error::io("append event", error).with_object(self.session.as_str()))
    }
}

impl Drop for SegmentLog {
    fn drop(&mut self) {
        // The thread that syncs may go on for a moment; the lock must not.
        self.tail.state().held = None;
    }
}

#[async_trait]
impl EventLog for SegmentLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next(&self) -> EventId {
        EventId(self.files.next())
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(SegmentReader::beside_writer(Arc::clone(&self.files)))
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::new(self.blobs.clone()))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        if let Some(appended) = self.append_now(expected, epoch, batch) {
            return appended;
        }
        // What cannot be synced must not be written.
        self.syncer.start()?;
        // With `Each` the batches are of one event: see `EventLog::append`.
        self.write(expected, epoch, batch)?;
        match self.syncer.now().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.unknown(error)),
        }
    }

    fn append_now(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Option<Result<()>> {
        if batch.is_empty() {
            return Some(Ok(()));
        }
        match self.durability {
            Durability::Never => Some(self.write(expected, epoch, batch)),
            Durability::Interval(within) => Some(
                // What cannot be synced must not be written.
                self.syncer
                    .start()
                    .and_then(|()| self.write(expected, epoch, batch))
                    .and_then(|()| self.syncer.soon(within)),
            ),
            Durability::Group | Durability::Each => None,
        }
    }

    async fn sync(&self) -> Result<EventId> {
        match self.syncer.now().await {
            Ok(next) => Ok(EventId(next)),
            Err(error) => Err(error.with_object(self.session.as_str())),
        }
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let (upkeep, snapshot) = (Arc::clone(&self.upkeep), snapshot.clone());
        blocking::run("save snapshot", move || upkeep.save(&snapshot)).await
    }

    async fn close(&self) -> Result<()> {
        let synced = if self.durability == Durability::Never || self.tail.state().held.is_none() {
            Ok(())
        } else {
            self.sync().await.map(|_| ())
        };
        if let Some(thread) = self.syncer.end() {
            blocking::run("close event log", move || {
                thread.join().map_err(|_| {
                    Error::new(ErrorKind::Internal, "close event log")
                        .with_detail("the thread that syncs panicked")
                })
            })
            .await?;
        }
        let upkeep = Arc::clone(&self.upkeep);
        blocking::run("close event log", move || {
            upkeep.settle();
            Ok(())
        })
        .await?;
        self.tail.state().held = None;
        synced
    }
}
