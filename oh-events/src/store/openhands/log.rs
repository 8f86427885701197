//! The writer of one conversation.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};
use tokio::sync::watch;

use crate::blocking;
use crate::store::blob::{BlobStore, FileBlobStore, SyncAtFinish};
use crate::store::segment::directory::Sync;
use crate::store::segment::sync::{self, Syncer};
use crate::store::segment::{holder_file, snapshot_file};
use crate::store::{Durability, Encoded, EventLog, EventReader, OpenReport, Snapshot, Writer};

use super::appender::Appender;
use super::folder::Folder;
use super::reader::OpenHandsReader;

#[derive(Debug)]
pub(super) struct OpenHandsLog {
    durability: Durability,
    report: OpenReport,
    shared: Arc<Shared>,
    syncer: Syncer,
    blobs: Arc<dyn BlobStore>,
}

/// What the log shares with its readers, with the thread that syncs, and with calls that were
/// given up while they were writing.
#[derive(Debug)]
pub(super) struct Shared {
    session: SessionId,
    pub(super) folder: Folder,
    epoch: u64,
    appender: Mutex<Appender>,
    pub(super) next: watch::Sender<u64>,
}

impl OpenHandsLog {
    pub(super) fn open(
        folder: Folder,
        session: &SessionId,
        writer: &Writer,
        blob_bytes: u64,
    ) -> Result<Self> {
        let failed = |error| {
            Error::io("open event log", error).with_object(folder.base().display().to_string())
        };
        let held = holder_file::take(&folder.own(), session, &writer.name)?;
        let listing = folder.list().map_err(failed)?;
        if listing.count < listing.next {
            let holes = listing.next - listing.count;
            tracing::warn!(session = session.as_str(), holes, "events are missing");
        }
        let epoch = held.epoch;
        let appender = Appender::new(folder.clone(), listing.next, held).map_err(failed)?;
        let sync_blobs = if writer.durability.is_synced() {
            SyncAtFinish::Yes
        } else {
            SyncAtFinish::No
        };
        let prefix = epoch.to_string();
        let blobs = FileBlobStore::writer(folder.blobs(), prefix, blob_bytes, sync_blobs);
        let shared = Arc::new(Shared {
            session: session.clone(),
            folder,
            epoch,
            appender: Mutex::new(appender),
            next: watch::Sender::new(listing.next),
        });
        let work = Arc::clone(&shared);
        Ok(Self {
            durability: writer.durability,
            report: OpenReport::new(EventId(listing.next)),
            shared,
            syncer: Syncer::new(Arc::new(move || work.sync())),
            blobs: Arc::new(blobs),
        })
    }
}

impl Shared {
    fn appender(&self) -> MutexGuard<'_, Appender> {
        self.appender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, "append event")
            .with_object(self.session.as_str())
            .with_detail(detail)
    }

    fn unknown(&self, source: std::io::Error) -> Error {
        let detail = "writing failed half way; open the log again to see what it holds";
        self.error(ErrorKind::OutcomeUnknown, detail)
            .with_source(source)
    }

    fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded], sync: Sync) -> Result<()> {
        let mut appender = self.appender();
        if appender.held.is_none() {
            return Err(self.error(ErrorKind::Gone, "the log was closed"));
        }
        if let Some(failure) = &appender.broken {
            return Err(self.unknown(sync::copy(failure)));
        }
        let next = appender.next;
        if epoch != self.epoch || expected.0 != next {
            let ours = self.epoch;
            return Err(self.error(
                ErrorKind::Conflict,
                format!(
                    "the next event is {next} of epoch {ours}, not {expected} of epoch {epoch}"
                ),
            ));
        }
        if next.checked_add(batch.len() as u64).is_none() {
            let detail = "the log holds an event with the last id";
            return Err(self.error(ErrorKind::TooLarge, detail));
        }
        if !batch
            .iter()
            .zip(next..)
            .all(|(event, id)| event.id().0 == id)
        {
            let detail = "the ids of a batch follow one another";
            return Err(self.error(ErrorKind::InvalidInput, detail));
        }
        if let Err(error) = appender.append(batch, sync) {
            if let Some(failure) = &appender.broken {
                return Err(self.unknown(sync::copy(failure)));
            }
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                let detail = "another program writes events of this conversation; open it again";
                return Err(self.error(ErrorKind::Conflict, detail).with_source(error));
            }
            return Err(Error::io("append event", error).with_object(self.session.as_str()));
        }
        self.next.send_replace(appender.next);
        Ok(())
    }

    /// Writes to disk what was appended, without keeping appends from going on.
    fn sync(&self) -> std::io::Result<u64> {
        let unsynced = {
            let mut appender = self.appender();
            if let Some(failure) = &appender.broken {
                return Err(sync::copy(failure));
            }
            appender.take_unsynced()
        };
        if let Err(error) = unsynced.sync() {
            // The system may have dropped what it could not write, and reports it only once.
            self.appender().broken = Some(sync::copy(&error));
            return Err(error);
        }
        Ok(unsynced.to)
    }
}

impl Drop for OpenHandsLog {
    fn drop(&mut self) {
        self.shared.appender().held = None;
    }
}

#[async_trait]
impl EventLog for OpenHandsLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    fn next(&self) -> EventId {
        EventId(*self.shared.next.borrow())
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(OpenHandsReader::beside_writer(&self.shared))
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::clone(&self.blobs))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let sync = if self.durability.is_synced() {
            Sync::Yes
        } else {
            Sync::No
        };
        if let Durability::Interval(_) = self.durability {
            // What cannot be synced must not be written.
            self.syncer.start()?;
        }
        let (shared, batch) = (Arc::clone(&self.shared), batch.to_vec());
        blocking::run("append event", move || {
            shared.append(expected, epoch, &batch, sync)
        })
        .await?;
        match self.durability {
            Durability::Interval(within) => self.syncer.soon(within),
            _ => Ok(()),
        }
    }

    async fn sync(&self) -> Result<EventId> {
        match self.syncer.now().await {
            Ok(next) => Ok(EventId(next)),
            Err(error) => Err(error.with_object(self.shared.session.as_str())),
        }
    }

    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let sync = if self.durability == Durability::Never {
            Sync::No
        } else {
            Sync::Yes
        };
        let (shared, snapshot) = (Arc::clone(&self.shared), snapshot.clone());
        blocking::run("save snapshot", move || {
            if shared.appender().held.is_none() {
                return Err(Error::new(ErrorKind::Gone, "save snapshot")
                    .with_object(shared.session.as_str()));
            }
            snapshot_file::save(&shared.folder.own(), &snapshot, sync).map_err(|error| {
                Error::io("save snapshot", error).with_object(shared.session.as_str())
            })
        })
        .await
    }

    async fn close(&self) -> Result<()> {
        let is_held = self.shared.appender().held.is_some();
        let synced = if self.durability == Durability::Never || !is_held {
            Ok(())
        } else {
            self.sync().await.map(drop)
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
        self.shared.appender().held = None;
        synced
    }
}
