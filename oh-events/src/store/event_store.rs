//! The traits of a store.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, EventId, Result, SessionId};

use super::blob::BlobStore;
use super::encoded::Encoded;
use super::read_range::ReadRange;
use super::report::OpenReport;
use super::snapshot::Snapshot;
use super::writer::Writer;

/// Keeps the logs of many sessions.
#[async_trait]
pub trait EventStore: fmt::Debug + Send + Sync {
    /// Opens the log of a session for writing; creates it if there is none.
    ///
    /// # Errors
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if another writer holds it, with a
    /// [`Holder`](super::Holder) as source; the kinds of the medium otherwise.
    ///
    /// # Cancel safety
    /// A dropped call leaves the log closed, possibly created.
    async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>>;

    /// Opens the log of a session for reading, whether or not a writer holds it.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) that names the session if there is none.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>>;

    /// Names sessions in rising order: at most `limit`, those after `after`.
    ///
    /// # Errors
    /// The kinds of the medium.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn sessions(&self, after: Option<&SessionId>, limit: usize) -> Result<Vec<SessionId>>;

    /// Begins the session `to` with the events and blobs that `from` holds before the event `at`,
    /// without copying what can be shared. `false` says that the store has no cheaper way than
    /// reading and appending, and that nothing was done.
    ///
    /// `from` may have a writer. What is done to one of the sessions later does not change the
    /// other.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) if there is no `from`,
    /// [`AlreadyExists`](oh_core::ErrorKind::AlreadyExists) if there is a `to`,
    /// [`InvalidInput`](oh_core::ErrorKind::InvalidInput) if `from` ends before `at`; the kinds of
    /// the medium. After an error there is no `to`.
    ///
    /// # Cancel safety
    /// A dropped call may have created `to`, as a whole.
    async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
        let _ = (from, at, to);
        Ok(false)
    }

    /// Removes a session: its events, blobs and snapshot. Readers that are open fail from now on
    /// or end where they are.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) if there is none,
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if a writer holds it,
    /// [`Unsupported`](oh_core::ErrorKind::Unsupported) where a store cannot remove; the kinds of
    /// the medium, after which calling again is safe.
    ///
    /// # Cancel safety
    /// A dropped call may have removed a part; calling again is safe.
    async fn remove(&self, session: &SessionId) -> Result<()> {
        Err(Error::unsupported("remove session").with_object(session.as_str()))
    }
}

/// The log of one session, held by its one writer. Dropping it releases it.
#[async_trait]
pub trait EventLog: fmt::Debug + Send + Sync {
    /// What was found at opening.
    fn report(&self) -> &OpenReport;

    /// Number of this tenure, which `append` checks: the fence against a writer of the past.
    fn epoch(&self) -> u64;

    /// Id that the next event gets.
    fn next(&self) -> EventId;

    /// Reads the same log; it sees what was appended, and outlives the log.
    fn reader(&self) -> Arc<dyn EventReader>;

    /// Place for large contents of this session, or `None` if the store has none.
    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        None
    }

    /// Appends events with the ids `expected`, `expected + 1`, and so on: all or none. Returns
    /// when the [`Durability`](super::Durability) of the writer is met.
    ///
    /// One append runs at a time; the caller keeps the order. An append that need not wait
    /// completes at its first poll. A batch is made durable as a whole: with
    /// [`Durability::Each`](super::Durability::Each) the caller passes batches of one event.
    ///
    /// # Errors
    /// [`Conflict`](oh_core::ErrorKind::Conflict) if `expected` is not the next id or `epoch` is
    /// not that of the holder, [`InvalidInput`](oh_core::ErrorKind::InvalidInput) if the ids of the
    /// batch are others, [`NoSpace`](oh_core::ErrorKind::NoSpace),
    /// [`Gone`](oh_core::ErrorKind::Gone) after `close`. After an error nothing was appended and
    /// no id is used up, with one exception: after
    /// [`OutcomeUnknown`](oh_core::ErrorKind::OutcomeUnknown) only opening again tells.
    ///
    /// # Cancel safety
    /// A dropped call may have appended.
    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()>;

    /// Appends like [`append`](Self::append), but only if nothing has to be waited for; `None` says
    /// that nothing was done. A store that has no such case leaves it out.
    ///
    /// # Errors
    /// Those of [`append`](Self::append).
    fn append_now(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Option<Result<()>> {
        let _ = (expected, epoch, batch);
        None
    }

    /// Returns when everything appended before is on disk; names the next id of that moment.
    ///
    /// # Errors
    /// The kinds of the medium.
    ///
    /// # Cancel safety
    /// A dropped call may have written to disk.
    async fn sync(&self) -> Result<EventId>;

    /// Keeps a snapshot in place of the former one; a store that has no place for it drops it.
    /// It is a cache: losing it costs time at the next opening, never events.
    ///
    /// It may run while events are appended. A store that retains only a part of a log drops
    /// events here at the earliest, and none at or after [`Snapshot::next`].
    ///
    /// # Errors
    /// The kinds of the medium; the former snapshot is then kept or lost, never torn.
    ///
    /// # Cancel safety
    /// A dropped call may have replaced the snapshot.
    async fn save_snapshot(&self, snapshot: &Snapshot) -> Result<()> {
        let _ = snapshot;
        Ok(())
    }

    /// Syncs and releases the log. Readers stay valid.
    ///
    /// # Errors
    /// The kinds of the medium; the log is released all the same.
    ///
    /// # Cancel safety
    /// A dropped call may have closed the log; calling again is safe.
    async fn close(&self) -> Result<()>;
}

/// Reads the log of one session.
#[async_trait]
pub trait EventReader: fmt::Debug + Send + Sync {
    /// Oldest id that the log still holds (or will hold first).
    fn first(&self) -> EventId {
        EventId(0)
    }

    /// Id after the newest event that this reader knows of.
    fn next(&self) -> EventId;

    /// Reads a page, within the [limits](ReadRange) of the range. It is empty only if the log holds
    /// nothing in the range.
    ///
    /// # Errors
    /// [`Corrupt`](oh_core::ErrorKind::Corrupt) with a [`Damage`](super::Damage) as source if
    /// the page begins with events that cannot be read; a page that meets damage later ends
    /// before it.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>>;

    /// The snapshot that was kept last, or `None`. Whether it fits the log is for the caller to
    /// check.
    ///
    /// # Errors
    /// The kinds of the medium.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        Ok(None)
    }

    /// Waits until the log holds the event `known` and returns the next id; this is how a reader
    /// follows a writer of another process.
    ///
    /// # Errors
    /// The kinds of the medium; [`Unsupported`](oh_core::ErrorKind::Unsupported) where a store
    /// cannot follow.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        Err(Error::unsupported("follow event log").with_object(known.to_string()))
    }

    /// The large contents of this session, for reading, or `None` if the store has none.
    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        None
    }
}

macro_rules! delegate_store {
    ($($pointer:ident),+) => {$(
        #[async_trait]
        impl<S: EventStore + ?Sized> EventStore for $pointer<S> {
            async fn open(&self, session: &SessionId, writer: Writer) -> Result<Box<dyn EventLog>> {
                (**self).open(session, writer).await
            }

            async fn view(&self, session: &SessionId) -> Result<Arc<dyn EventReader>> {
                (**self).view(session).await
            }

            async fn sessions(
                &self,
                after: Option<&SessionId>,
                limit: usize,
            ) -> Result<Vec<SessionId>> {
                (**self).sessions(after, limit).await
            }

            async fn fork(&self, from: &SessionId, at: EventId, to: &SessionId) -> Result<bool> {
                (**self).fork(from, at, to).await
            }

            async fn remove(&self, session: &SessionId) -> Result<()> {
                (**self).remove(session).await
            }
        }
    )+};
}

delegate_store!(Arc, Box);
