//! Blobs in memory.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Error, ErrorKind, Result};

use super::blob_store::{BlobStore, BlobWriter, MAX_READ_BYTES};
use super::room::Room;
use crate::hex;

/// Blobs of one session in memory. Cheap to clone; clones share the blobs.
#[derive(Clone)]
pub struct MemoryBlobStore(Arc<Inner>);

struct Inner {
    room: Room,
    count: AtomicU64,
    blobs: Mutex<HashMap<String, BytesMut>>,
}

impl MemoryBlobStore {
    /// Room of [`Default`].
    pub const DEFAULT_BYTES: u64 = 64 * 1024 * 1024;

    /// Creates a store that holds at most this many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Inner {
            room: Room::new(limit_bytes, 0),
            count: AtomicU64::new(0),
            blobs: Mutex::default(),
        }))
    }
}

impl MemoryBlobStore {
    fn blobs(&self) -> MutexGuard<'_, HashMap<String, BytesMut>> {
        self.0.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryBlobStore {
    /// A store of its own with some of the blobs.
    pub(crate) fn copy(&self, named: &HashSet<String>) -> Self {
        let blobs: HashMap<_, _> = self
            .blobs()
            .iter()
            .filter(|(name, _)| named.contains(*name))
            .map(|(name, blob)| (name.clone(), blob.clone()))
            .collect();
        let bytes = blobs.values().map(|blob| blob.len() as u64).sum();
        Self(Arc::new(Inner {
            room: self.0.room.with_used(bytes),
            // New names are new in both.
            count: AtomicU64::new(self.0.count.load(Ordering::Relaxed)),
            blobs: Mutex::new(blobs),
        }))
    }
}

impl Default for MemoryBlobStore {
    fn default() -> Self {
        Self::new(Self::DEFAULT_BYTES)
    }
}

impl fmt::Debug for MemoryBlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlobStore")
            .field("room", &self.0.room)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobStore for MemoryBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let count = self.0.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("memory-{count}");
        self.blobs().insert(id.clone(), BytesMut::new());
        Ok(Box::new(MemoryBlob {
            store: self.clone(),
            id,
            len: 0,
            dropped: false,
            named: false,
            hash: hmac_sha256::Hash::new(),
        }))
    }

    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        let blobs = self.blobs();
        let blob = blobs
            .get(id)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "read blob").with_object(id))?;
        let end = range
            .end
            .map_or(blob.len() as u64, |end| end.min(blob.len() as u64));
        let start = range.start.min(end);
        check_read(id, end - start)?;
        // Both are at most the length, which is a usize.
        let part = blob.get(start as usize..end as usize).unwrap_or_default();
        Ok(Bytes::copy_from_slice(part))
    }
}

/// Refuses a read of too many bytes at once.
pub(crate) fn check_read(id: &str, bytes: u64) -> Result<()> {
    if bytes <= MAX_READ_BYTES {
        return Ok(());
    }
    Err(Error::new(ErrorKind::TooLarge, "read blob")
        .with_object(id)
        .with_detail("read at most 64 MiB of a blob at once, by ranges"))
}

struct MemoryBlob {
    store: MemoryBlobStore,
    id: String,
    len: u64,
    dropped: bool,
    named: bool,
    hash: hmac_sha256::Hash,
}

impl Drop for MemoryBlob {
    fn drop(&mut self) {
        if !self.named && self.store.blobs().remove(&self.id).is_some() {
            self.store.0.room.give_back(self.len);
        }
    }
}

impl fmt::Debug for MemoryBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryBlob")
            .field("id", &self.id)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobWriter for MemoryBlob {
    fn id(&self) -> &str {
        &self.id
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        // After the first loss nothing more is taken, so that the blob is a prefix.
        let granted = if self.dropped {
            0
        } else {
            self.store.0.room.take(data.len())
        };
        self.dropped |= granted < data.len();
        let taken = data.get(..granted).unwrap_or_default();
        self.hash.update(taken);
        self.len += taken.len() as u64;
        if let Some(blob) = self.store.blobs().get_mut(&self.id) {
            blob.extend_from_slice(taken);
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        self.named = true;
        let sha256 = hex::lower(&self.hash.finalize());
        let blob = BlobRef::new(self.id.clone(), self.len, sha256);
        Ok(if self.dropped {
            blob.incomplete()
        } else {
            blob
        })
    }
}
