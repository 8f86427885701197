//! The store: a folder as V0's local file store has it.

use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, Result, SessionId};

use crate::blocking;
use crate::store::blob::FileBlobStore;
use crate::store::segment::{holder_file, snapshot_file};
use crate::store::{EventLog, EventReader, EventStore, Writer};

use super::folder::Folder;
use super::log::OpenHandsLog;
use super::reader::OpenHandsReader;

/// Keeps sessions in the folders of OpenHands V0 (package `openhands-ai` 0.62.0), one file for
/// each event, so that its Python implementation reads what we write, and goes on where we
/// stopped, and the other way round.
///
/// ```text
/// ROOT/sessions/<session>/ or ROOT/users/<user>/conversations/<session>/
///     events/<id>.json             one event
///     event_cache/<a>-<b>.json     a page of 25 events, written when they are there
///     oh/                          what V0 has no place for: lock, snapshot, blobs
/// ```
///
/// All else in these folders is left alone. `ROOT` is V0's `file_store_path`.
///
/// - A batch is appended as a whole or not at all, but for a process that dies meanwhile: it can
///   leave the first events of a batch that no one was told about.
/// - V0 knows nothing of our lock. An append that meets an event which V0 wrote meanwhile is a
///   [`Conflict`](oh_core::ErrorKind::Conflict) and replaces nothing; V0 has no such care.
/// - V0 can leave a hole where it was ended between giving an id and writing the event. As in V0,
///   reading passes over it. A file that is no whole event is [`Damage`](crate::Damage), where
///   V0 would give up.
/// - The bytes of an event that V0 wrote are kept, but for white space around it and line feeds
///   within it, which become blanks.
/// - `sync` writes to disk what this writer appended, not what a former one left to the system.
/// - An event costs a file: this is for living together with V0. [`SegmentStore`] is faster and
///   can fork.
///
/// Files have mode 0600, folders 0700: Python has to run as the same user.
///
/// Needs a tokio runtime.
///
/// [`SegmentStore`]: crate::SegmentStore
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenHandsStore {
    root: PathBuf,
    user: Option<String>,
    blob_bytes: u64,
}

impl OpenHandsStore {
    /// Keeps sessions below a directory, which is created when the first one is opened.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            user: None,
            blob_bytes: FileBlobStore::DEFAULT_BYTES,
        }
    }

    /// Keeps the sessions of one user of V0's server, below `users/<user>/conversations`.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for what is no name of a folder.
    pub fn user(mut self, user: impl Into<String>) -> Result<Self> {
        let user = user.into();
        if user.is_empty() || user == "." || user == ".." || user.contains(['/', '\0']) {
            let detail = "a user is the name of one folder";
            return Err(Error::invalid("choose user", detail).with_object(user));
        }
        self.user = Some(user);
        Ok(self)
    }

    /// Sets how much the large contents of a session may take; 1 GiB by default.
    #[must_use]
    pub fn blob_bytes(mut self, bytes: u64) -> Self {
        self.blob_bytes = bytes;
        self
    }

    /// The directory that holds the log of a session.
    pub fn directory(&self, session: &SessionId) -> PathBuf {
        self.sessions_directory().join(session.as_str())
    }

    fn sessions_directory(&self) -> PathBuf {
        match &self.user {
            Some(user) => self.root.join("users").join(user).join("conversations"),
            None => self.root.join("sessions"),
        }
    }

    fn folder(&self, session: &SessionId) -> Folder {
        Folder::new(self.directory(session))
    }

    fn list(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let directory = self.sessions_directory();
        let failed =
            |error| Error::io("list sessions", error).with_object(directory.display().to_string());
        let entries = match directory.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == Io::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut sessions = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name().into_string().ok();
            if let Some(session) = name.and_then(|name| SessionId::new(name).ok())
                && after.is_none_or(|after| session > *after)
                && self.folder(&session).is_session()
            {
                sessions.push(session);
            }
        }
        sessions.sort();
        sessions.truncate(limit);
        Ok(sessions)
    }
}

fn missing(operation: &'static str, session: &SessionId) -> Error {
    Error::new(ErrorKind::NotFound, operation).with_object(session.as_str())
}

#[async_trait]
impl EventStore for OpenHandsStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        let (store, session) = (self.clone(), session.clone());
        blocking::run("open event log", move || {
            let folder = store.folder(&session);
            let log = OpenHandsLog::open(folder, &session, &writer, store.blob_bytes)?;
            Ok(Box::new(log) as Box<dyn EventLog>)
        })
        .await
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        const OPERATION: &str = "view event log";
        let (folder, session) = (self.folder(session), session.clone());
        blocking::run(OPERATION, move || {
            if !folder.is_session() {
                return Err(missing(OPERATION, &session));
            }
            let base = folder.base().display().to_string();
            let reader = OpenHandsReader::follow(folder)
                .map_err(|error| Error::io(OPERATION, error).with_object(base))?;
            Ok(Arc::new(reader) as Arc<dyn EventReader>)
        })
        .await
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let (store, after) = (self.clone(), after.cloned());
        blocking::run("list sessions", move || store.list(after.as_ref(), limit)).await
    }

    /// Removes the events and what is ours; what else V0 keeps about the conversation stays.
    async fn remove(&self, session: &SessionId) -> Result<()> {
        const OPERATION: &str = "remove session";
        let (folder, session) = (self.folder(session), session.clone());
        blocking::run(OPERATION, move || {
            if !folder.is_session() {
                return Err(missing(OPERATION, &session));
            }
            let _held = holder_file::take(&folder.own(), &session, OPERATION)?;
            remove(&folder).map_err(|error| {
                Error::io(OPERATION, error).with_object(folder.base().display().to_string())
            })
        })
        .await
    }
}

fn remove(folder: &Folder) -> std::io::Result<()> {
    // Pages first: V0 reads them without asking for the events.
    for directory in [
        folder.pages(),
        folder.events(),
        folder.fresh(),
        folder.blobs(),
    ] {
        remove_tree(&directory)?;
    }
    // The lock last: whoever comes after that begins anew, in the same folder.
    for name in [snapshot_file::NAME, holder_file::NOTE, holder_file::LOCK] {
        for name in [format!("{name}.new"), name.to_owned()] {
            match std::fs::remove_file(folder.own().join(name)) {
                Err(error) if error.kind() != Io::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    // Both stay where something else is in them.
    let _ = std::fs::remove_dir(folder.own());
    let _ = std::fs::remove_dir(folder.base());
    Ok(())
}

fn remove_tree(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == Io::NotFound => Ok(()),
        removed => removed,
    }
}
