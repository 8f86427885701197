//! The store: an object storage that holds the objects of many sessions.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ::object_store::ObjectStore;
use ::object_store::local::LocalFileSystem;
use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::store::blob::FileBlobStore;
use crate::store::{EventLog, EventReader, EventStore, Writer};

use super::append::Appender;
use super::blob::ObjectBlobs;
use super::client::Client;
use super::failure::translate;
use super::index::Entry;
use super::lease::{Lease, Manners};
use super::log::ObjectLog;
use super::merge::Merging;
use super::names::{INDEX, Names};
use super::reader::ObjectReader;
use super::shared::Shared;
use super::{fork, remove, turn};

/// Keeps each session as objects of an object storage: S3 and what speaks its protocol, a
/// directory, or any other [`ObjectStore`] that creates objects only if they are absent and shows
/// them at once. Cheap to clone; clones share what they know.
///
/// An append is one object, and returns when the storage said that it has it; there is no weaker
/// durability, so [`Writer::durability`](crate::Writer) changes nothing. Small objects are merged
/// in the background.
///
/// The writer of a session holds a lease. Closing or dropping its log frees the session at once;
/// after a crash others get a [`Conflict`](oh_core::ErrorKind::Conflict) until the lease has run
/// out by the clock of the storage, unless they [take over](Self::take_over). Whatever happens to
/// leases, two writers never both write the same event: one of them gets a `Conflict` from
/// `append`, and has to open the log again. A session whose lease has run out can be removed; what
/// its writer still appends is removed with it.
///
/// An append whose outcome cannot be told within the [patience](Self::patience) fails as
/// [`OutcomeUnknown`](oh_core::ErrorKind::OutcomeUnknown), and so do those after it, until the log
/// is opened again.
///
/// Needs a tokio runtime.
#[derive(Clone)]
pub struct ObjectEventStore {
    client: Client,
    options: Options,
    known: Arc<Mutex<HashMap<String, Weak<Shared>>>>,
}

#[derive(Clone, Copy, Debug)]
struct Options {
    lease: Duration,
    look_every: Duration,
    patience: Duration,
    merge_appends: usize,
    merged_bytes: u64,
    blob_bytes: u64,
}

impl ObjectEventStore {
    /// Keeps sessions in an object storage.
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            client: Client::new(store, Duration::from_secs(30)),
            options: Options {
                lease: Duration::from_secs(30),
                look_every: Duration::from_secs(1),
                patience: Duration::from_secs(60),
                merge_appends: 128,
                merged_bytes: 8 * 1024 * 1024,
                blob_bytes: FileBlobStore::DEFAULT_BYTES,
            },
            known: Arc::default(),
        }
    }

    /// Keeps sessions below a directory, which is created. What was acknowledged is on disk.
    ///
    /// # Errors
    /// The kinds of the file system.
    pub fn local(root: impl AsRef<Path>) -> Result<Self> {
        const OPERATION: &str = "open event store";
        let root = root.as_ref();
        std::fs::create_dir_all(root)
            .map_err(|error| Error::io(OPERATION, error).with_object(root.display().to_string()))?;
        let store = LocalFileSystem::new_with_prefix(root)
            .map_err(|error| translate(OPERATION, &root.display().to_string(), &error))?
            .with_fsync(true)
            .with_automatic_cleanup(true);
        Ok(Self::new(Arc::new(store)).look_every(Duration::from_millis(50)))
    }

    /// Keeps sessions below a folder of the storage; at its root by default.
    #[must_use]
    pub fn below(mut self, folder: &str) -> Self {
        self.client.below(folder);
        self
    }

    /// Sets how long a writer that does not answer keeps others out; 30 seconds by default. It is
    /// renewed three times as often, with two calls of the storage each.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Sets how often a reader that follows a log looks for events of other processes; every
    /// second by default, for a directory every 50 milliseconds. Events of the same process arrive
    /// at once.
    #[must_use]
    pub fn look_every(mut self, pause: Duration) -> Self {
        self.options.look_every = pause;
        self
    }

    /// Sets how long a single call of the storage may take; 30 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.client.timeout(timeout);
        self
    }

    /// Sets how long an append is tried anew before it fails as
    /// [`OutcomeUnknown`](oh_core::ErrorKind::OutcomeUnknown); a minute by default. What was begun
    /// by then is waited for: a call that writes and up to four that read, each for the
    /// [timeout](Self::timeout).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.options.patience = patience;
        self
    }

    /// Sets how many appends in a row become one object in the background; 128 by default.
    #[must_use]
    pub fn merge_appends(mut self, appends: usize) -> Self {
        self.options.merge_appends = appends;
        self
    }

    /// Sets how large objects become by merging; 8 MiB by default. An append that is larger is one
    /// object all the same.
    #[must_use]
    pub fn merged_bytes(mut self, bytes: u64) -> Self {
        self.options.merged_bytes = bytes;
        self
    }

    /// Sets how much the large contents of a session may take; 1 GiB by default.
    #[must_use]
    pub fn blob_bytes(mut self, bytes: u64) -> Self {
        self.options.blob_bytes = bytes;
        self
    }

    /// Opens the log of a session for writing although another writer may hold it, for a host that
    /// knows that this writer is gone. If it is not, its next append fails.
    ///
    /// # Errors
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if others take over at the same time; the kinds
    /// of the storage.
    ///
    /// # Cancel safety
    /// A dropped call can leave the session created, and a lease that runs out.
    pub async fn take_over(
        &self,
        session: &SessionId,
        writer: Writer,
    ) -> Result<Box<dyn EventLog>> {
        self.open_log(session, &writer, Manners::TakeOver).await
    }

    async fn open_log(
        &self,
        session: &SessionId,
        writer: &Writer,
        manners: Manners,
    ) -> Result<Box<dyn EventLog>> {
        const OPERATION: &str = "open event log";
        let Options {
            lease, patience, ..
        } = self.options;
        let mut entry = Entry::fresh()
            .create(&self.client, OPERATION, session, patience)
            .await?;
        if entry.removing {
            remove::remove(&self.client, session, &entry).await?;
            entry = Entry::fresh()
                .create(&self.client, OPERATION, session, patience)
                .await?;
        }
        let shared = self.shared(session, &entry);
        let lease = Lease::take(&shared, session, &writer.name, lease, patience, manners).await?;
        let lease = Arc::new(lease);
        let begun = async {
            let begun = turn::begin(&lease, session, patience).await?;
            self.check_entry(session, &entry).await?;
            Ok(begun)
        };
        let (next, shadowed) = match begun.await {
            Ok(begun) => begun,
            Err(error) => {
                // The lease would run out, but why wait.
                if let Err(error) = lease.release().await {
                    tracing::debug!(%error, "the lease of the log runs out by itself");
                }
                return Err(error);
            }
        };
        let prefix = format!("{}-{}", lease.epoch(), lease.nonce());
        let blobs = ObjectBlobs::writer(Arc::clone(&shared), prefix, self.options.blob_bytes);
        let appender = Appender::new(session.clone(), shared, lease, patience, next);
        let merging = Merging {
            least: self.options.merge_appends,
            most_bytes: self.options.merged_bytes,
            patience,
        };
        let renew_every = (self.options.lease / 3).max(Duration::from_millis(100));
        let log = ObjectLog::start(appender, blobs, merging, renew_every, shadowed);
        Ok(Box::new(log))
    }

    /// A session that was removed meanwhile must not be written: no one would find it.
    async fn check_entry(&self, session: &SessionId, entry: &Entry) -> Result<()> {
        const OPERATION: &str = "open event log";
        if Entry::load(&self.client, OPERATION, session)
            .await?
            .as_ref()
            == Some(entry)
        {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Conflict, OPERATION)
            .with_object(session.as_str())
            .with_detail("the session was removed meanwhile; open it again to begin it anew"))
    }

    /// What this process knows of a session.
    fn shared(&self, session: &SessionId, entry: &Entry) -> Arc<Shared> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, shared| shared.strong_count() > 0);
        if let Some(shared) = known.get(&entry.incarnation).and_then(Weak::upgrade) {
            return shared;
        }
        let names = Names::new(session, &entry.incarnation);
        let shared = Arc::new(Shared::new(self.client.clone(), names));
        known.insert(entry.incarnation.clone(), Arc::downgrade(&shared));
        shared
    }

    /// A session that is there.
    async fn find(&self, operation: &'static str, session: &SessionId) -> Result<Arc<Shared>> {
        let entry = Entry::load(&self.client, operation, session).await?;
        match entry.filter(|entry| !entry.removing) {
            Some(entry) => Ok(self.shared(session, &entry)),
            None => Err(Error::new(ErrorKind::NotFound, operation).with_object(session.as_str())),
        }
    }
}

#[async_trait]
impl EventStore for ObjectEventStore {
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
        self.open_log(session, &writer, Manners::Wait).await
    }

    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
        let shared = self.find("view event log", session).await?;
        shared.look().await?;
        Ok(Arc::new(ObjectReader::new(
            shared,
            Some(self.options.look_every),
        )))
    }

    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>> {
        let after = after.map(super::names::index);
        let listed = self
            .client
            .list_after("list sessions", INDEX, after.as_deref())
            .await?;
        let mut sessions: Vec<SessionId> = listed
            .iter()
            .filter_map(|object| SessionId::new(object.name()).ok())
            .collect();
        sessions.sort();
        sessions.truncate(limit);
        Ok(sessions)
    }

    async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
        let shared = self.find("fork session", from).await?;
        fork::fork(&shared, at, to, self.options.patience).await?;
        Ok(true)
    }

    async fn remove(&self, session: &SessionId) -> Result<()> {
        const OPERATION: &str = "remove session";
        let entry = Entry::load(&self.client, OPERATION, session).await?;
        let entry = entry.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, OPERATION).with_object(session.as_str())
        })?;
        if !entry.removing {
            let Options {
                lease, patience, ..
            } = self.options;
            let shared = self.shared(session, &entry);
            // Keeps writers out; it goes with everything else.
            Lease::take(&shared, session, OPERATION, lease, patience, Manners::Wait).await?;
        }
        remove::remove(&self.client, session, &entry).await
    }
}

impl fmt::Debug for ObjectEventStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectEventStore")
            .field("client", &self.client)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
