//! The store: a directory of session directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::blocking;
use crate::store::{EventLog, EventReader, EventStore, Writer};

use super::limits::Limits;
use super::log::SegmentLog;
use super::retention::Retention;
use super::view::SegmentReader;
use super::{fork, holder_file, remove};

/// Keeps each session as append-only files in a directory of its own.
///
/// ```text
/// ROOT/<session>/00000000000000000000.log    events, one line each: <crc32 8 hex> <length 8 hex> {json}
/// ROOT/<session>/00000000000000000000.idx    where some of them begin; can be derived
/// ROOT/<session>/lock, holder.json           the one writer
/// ROOT/<session>/snapshot                    what the log folds to
/// ROOT/<session>/blobs/<id>                  large contents
/// ```
///
/// A log file is named after its first event and can be read with a pager. Dropping a log releases
/// it; the system releases it when the process dies.
///
/// Blobs are written to disk when they are finished if the writer's appends are synced
/// ([`Durability::is_synced`](crate::Durability::is_synced)), else when the system likes.
///
/// - A batch is appended as a whole or not at all, but for a process that dies meanwhile: it can
///   leave the first events of a batch that no one was told about.
/// - Whoever may write into `ROOT` can change any log: it should belong to one user alone, as it
///   does when the store creates it.
///
/// On a network file system the lock holds as far as that system honours `flock`.
///
/// Needs a tokio runtime.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SegmentStore {
    root: PathBuf,
    limits: Limits,
}

impl SegmentStore {
    /// Keeps sessions below a directory, which is created when the first one is opened.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            limits: Limits::default(),
        }
    }

    /// Sets the size after which a new file is begun; 64 MiB by default.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.limits.segment_bytes = bytes.max(1);
        self
    }

    /// Sets the age after which a new file is begun, at the next append; none by default.
    #[must_use]
    pub fn segment_age(mut self, age: Duration) -> Self {
        self.limits.segment_age = Some(age);
        self
    }

    /// Sets how much of a log is kept; everything by default.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.limits.retention = retention;
        self
    }

    /// Sets how much the large contents of a session may take; 1 GiB by default.
    #[must_use]
    pub fn blob_bytes(mut self, bytes: u64) -> Self {
        self.limits.blob_bytes = bytes;
        self
    }

    /// The directory that holds the log of a session.
    pub fn directory(&self, session: &SessionId) -> PathBuf {
        self.root.join(session.as_str())
    }

    fn list(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        const OPERATION: &str = "list sessions";
        let failed =
            |error| Error::io(OPERATION, error).with_object(self.root.display().to_string());
        let entries = match self.root.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut sessions = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string().ok();
            if let Some(session) = name.and_then(|name| SessionId::new(name).ok())
                && after.is_none_or(|after| session > *after)
                && is_session(&entry.path())
            {
                sessions.push(session);
            }
        }
        sessions.sort();
        sessions.truncate(limit);
        Ok(sessions)
    }
}

fn is_session(directory: &Path) -> bool {
    directory.join(holder_file::LOCK).is_file()
}

#[async_trait]
impl EventStore for SegmentStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let (store, session) = (self.clone(), session.clone());
        blocking::run("open event log", move || {
            let directory = store.directory(&session);
            let log = SegmentLog::open(directory, &session, &writer, store.limits)?;
            Ok(Box::new(log) as Box<dyn EventLog>)
        })
        .await
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        let (directory, session) = (self.directory(session), session.clone());
        blocking::run("view event log", move || {
            if !is_session(&directory) {
                return Err(
                    Error::new(ErrorKind::NotFound, "view event log").with_object(session.as_str())
                );
            }
            let reader = SegmentReader::follow(directory)?;
            Ok(Arc::new(reader) as Arc<dyn EventReader>)
        })
        .await
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let (store, after) = (self.clone(), after.cloned());
        blocking::run("list sessions", move || store.list(after.as_ref(), limit)).await
    }
    async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
        let (root, from, to) = (self.root.clone(), from.clone(), to.clone());
        blocking::run("fork session", move || {
            fork::fork(&root, &from, at, &to, fork::link_or_copy)?;
            Ok(true)
        })
        .await
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        let (root, session) = (self.root.clone(), session.clone());
        blocking::run("remove session", move || remove::remove(&root, &session)).await
    }
}
