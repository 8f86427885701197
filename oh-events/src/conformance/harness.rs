//! Where the stores to check come from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use oh_core::{Error, Result, SessionId};

use crate::store::EventStore;

/// Makes storages for the checks.
#[async_trait]
pub trait StoreHarness: fmt::Debug + Send + Sync {
    /// Makes an empty storage that nothing else uses: a folder, a bucket, a name space on a
    /// server. Called once for each round of a check.
    ///
    /// # Errors
    /// Whatever keeps it from being made; the check has failed then.
    ///
    /// # Cancel safety
    /// A dropped call may leave behind what it made.
    async fn storage(&self) -> Result<Box<dyn Storage>>;
}

/// One place that stores can be opened on. Dropping it may remove what is in it.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync {
    /// Opens the storage as another process would: the stores of two calls share nothing but the
    /// storage itself.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; the check has failed then.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn open(&self) -> Result<Arc<dyn EventStore>>;

    /// How many bytes the blobs of a session may take, if that is little enough for a check to
    /// write it full; at least 1 MiB, which the other checks need. Without it the checks of that
    /// limit are unsupported.
    fn blob_bytes(&self) -> Option<u64> {
        None
    }

    /// Lets the hold of the present writer of a session run out without its knowing, as if its
    /// process had been stopped for a long time, so that the next one can open the log.
    ///
    /// # Errors
    /// [`Unsupported`](oh_core::ErrorKind::Unsupported) if a writer can lose a log only by
    /// releasing it, as with a lock of the system; anything else fails the check.
    ///
    /// # Cancel safety
    /// A dropped call may have done it.
    async fn expire_writer(&self, session: &SessionId) -> Result<()> {
        Err(Error::unsupported("expire writer").with_object(session.as_str()))
    }
}
