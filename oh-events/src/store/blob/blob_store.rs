//! The traits of a blob store.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Result};

/// Largest number of bytes that one [`BlobStore::read`] returns.
pub const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

/// Keeps the large contents of one session.
#[async_trait]
pub trait BlobStore: fmt::Debug + Send + Sync {
    /// Starts a blob; its id can be read from at once.
    ///
    /// # Errors
    /// [`Unsupported`](oh_core::ErrorKind::Unsupported) for a log that was opened for reading;
    /// the kinds of the medium.
    ///
    /// # Cancel safety
    /// A dropped call can leave an empty blob.
    async fn create(&self) -> Result<Box<dyn BlobWriter>>;

    /// Reads bytes of a blob, also of one that is being written. What lies after its end is left
    /// out.
    ///
    /// # Errors
    /// [`NotFound`](oh_core::ErrorKind::NotFound) for an unknown id,
    /// [`TooLarge`](oh_core::ErrorKind::TooLarge) for more than [`MAX_READ_BYTES`] at once.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes>;
}

/// Writes one blob from its start to its end. Dropped before [`finish`](Self::finish) has named
/// the blob, it takes the blob back, and the room that it used.
#[async_trait]
pub trait BlobWriter: fmt::Debug + Send {
    /// Id of the blob.
    fn id(&self) -> &str;

    /// Appends bytes. Once the session's room is used up, what does not fit is dropped and the
    /// blob ends up incomplete; that is no error.
    ///
    /// # Errors
    /// The kinds of the medium. The blob then ends where the last call ended.
    ///
    /// # Cancel safety
    /// The bytes of a dropped call are written, or the next call reports why they were not.
    async fn write(&mut self, data: Bytes) -> Result<()>;

    /// Ends the blob and names it.
    ///
    /// # Errors
    /// The kinds of the medium.
    ///
    /// # Cancel safety
    /// Calling again is safe.
    async fn finish(&mut self) -> Result<BlobRef>;
}
