//! Large contents as objects: a blob is a folder of parts, each named after its first byte.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Error, ErrorKind, Result};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use crate::hex;
use crate::store::blob::{BlobStore, BlobWriter, Room, check_read};

use super::client::AT_ONCE;
use super::names;
use super::shared::Shared;

/// Bytes that are gathered before they become a part, and are lost with the process until then.
pub(super) const PART_BYTES: usize = 4 * 1024 * 1024;

/// Blobs of this process that are being written.
#[derive(Debug, Default)]
pub(super) struct Unfinished(Mutex<HashMap<String, Arc<Mutex<Tail>>>>);

/// The end of a blob that is not in the storage yet.
#[derive(Debug, Default)]
struct Tail {
    offset: u64,
    bytes: BytesMut,
}

/// The blobs of one session. Cheap to clone.
#[derive(Clone)]
pub(super) struct ObjectBlobs {
    shared: Arc<Shared>,
    writer: Option<Arc<Writing>>,
}

/// What a writer of blobs needs.
struct Writing {
    prefix: String,
    limit_bytes: u64,
    count: AtomicU64,
    room: OnceCell<Arc<Room>>,
}

impl ObjectBlobs {
    pub(super) fn reader(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            writer: None,
        }
    }

    /// `prefix` begins the ids of the new blobs and is new with each writer.
    pub(super) fn writer(shared: Arc<Shared>, prefix: String, limit_bytes: u64) -> Self {
        let writing = Writing {
            prefix,
            limit_bytes,
            count: AtomicU64::new(0),
            room: OnceCell::new(),
        };
        Self {
            shared,
            writer: Some(Arc::new(writing)),
        }
    }

    async fn read_part(&self, id: &str, offset: u64, range: Range<u64>) -> Result<Bytes> {
        let key = self.shared.names.blob_part(id, offset);
        self.shared.client.get_range("read blob", &key, range).await
    }

    /// Parts of a blob in the storage: first byte, size.
    async fn parts(&self, id: &str) -> Result<Vec<(u64, u64)>> {
        let folder = self.shared.names.blob(id);
        let listed = self.shared.client.list("read blob", &folder).await?;
        Ok(listed
            .iter()
            .filter_map(|part| Some((names::number(part.name())?, part.bytes)))
            .collect())
    }
}

impl Unfinished {
    fn begin(&self, id: &str) -> Arc<Mutex<Tail>> {
        let tail = Arc::<Mutex<Tail>>::default();
        lock(&self.0).insert(id.to_owned(), Arc::clone(&tail));
        tail
    }

    fn get(&self, id: &str) -> Option<(u64, Bytes)> {
        let tail = lock(&self.0).get(id).cloned()?;
        let tail = lock(&tail);
        Some((tail.offset, Bytes::copy_from_slice(&tail.bytes)))
    }

    fn end(&self, id: &str) {
        lock(&self.0).remove(id);
    }
}

#[async_trait]
impl BlobStore for ObjectBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        const OPERATION: &str = "create blob";
        let writing = self.writer.as_ref().ok_or_else(|| {
            Error::unsupported(OPERATION).with_detail("the log was opened for reading")
        })?;
        let used = async {
            let folder = self.shared.names.blobs();
            let listed = self.shared.client.list(OPERATION, &folder).await?;
            let used = listed.iter().map(|part| part.bytes).sum();
            Ok::<_, Error>(Arc::new(Room::new(writing.limit_bytes, used)))
        };
        let room = Arc::clone(writing.room.get_or_try_init(|| used).await?);
        let count = writing.count.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{count}", writing.prefix);
        let open = OpenBlob {
            tail: self.shared.unfinished.begin(&id),
            shared: Arc::clone(&self.shared),
            id: id.clone(),
            room,
            hash: hmac_sha256::Hash::new(),
            len: 0,
            parts: 0,
            is_cut: false,
            lost: None,
        };
        Ok(Box::new(ObjectBlob {
            id,
            open: Arc::new(AsyncMutex::new(open)),
        }))
    }

    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        // Ids come out of logs, which can come from anywhere: they must not name other objects.
        let is_name = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !id.is_empty();
        let unknown = || Error::new(ErrorKind::NotFound, "read blob").with_object(id);
        if !is_name {
            return Err(unknown());
        }
        // The tail first: what leaves it afterwards is listed then.
        let tail = self.shared.unfinished.get(id);
        let parts = self.parts(id).await?;
        if parts.is_empty() && tail.is_none() {
            return Err(unknown());
        }
        let stored = parts.last().map_or(0, |(offset, bytes)| offset + bytes);
        let (offset, bytes) = tail.unwrap_or((stored, Bytes::new()));
        let len = stored.max(offset + bytes.len() as u64);
        let end = range.end.map_or(len, |end| end.min(len));
        let start = range.start.min(end);
        check_read(id, end - start)?;
        let wanted = parts.into_iter().filter_map(|(offset, bytes)| {
            let from = start.max(offset);
            let to = end.min(offset + bytes);
            (from < to).then_some((offset, from - offset..to - offset))
        });
        let fetches: Vec<_> = wanted
            .map(|(offset, range)| self.read_part(id, offset, range))
            .collect();
        let pieces: Vec<Bytes> = stream::iter(fetches)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut data: BytesMut = pieces.into_iter().flatten().collect();
        let from = start.max(stored);
        if from < end {
            let slice = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
            let rest = bytes.get(slice(from)..slice(end)).unwrap_or_default();
            data.extend_from_slice(rest);
        }
        Ok(data.freeze())
    }
}

impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBlobs")
            .field("names", &self.shared.names)
            .finish_non_exhaustive()
    }
}

/// The handle moves each piece of work to a task, so that pieces stay whole and in order even if a
/// caller drops a call.
struct ObjectBlob {
    id: String,
    open: Arc<AsyncMutex<OpenBlob>>,
}

#[async_trait]
impl BlobWriter for ObjectBlob {
    fn id(&self) -> &str {
        &self.id
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        let mut open = Arc::clone(&self.open).lock_owned().await;
        open.take_loss()?;
        open.take(&data);
        if !open.is_part() {
            return Ok(());
        }
        let stored = tokio::spawn(async move {
            let stored = open.store().await;
            open.keep_loss(stored)
        });
        stored
            .await
            .unwrap_or_else(|error| Err(crate::blocking::lost("write blob", error)))?;
        self.open.lock().await.take_loss()
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        let mut open = Arc::clone(&self.open).lock_owned().await;
        open.take_loss()?;
        let finished = tokio::spawn(async move { open.finish().await });
        finished
            .await
            .unwrap_or_else(|error| Err(crate::blocking::lost("finish blob", error)))
    }
}

impl fmt::Debug for ObjectBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBlob")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

struct OpenBlob {
    shared: Arc<Shared>,
    id: String,
    tail: Arc<Mutex<Tail>>,
    room: Arc<Room>,
    /// Of the bytes in the storage.
    hash: hmac_sha256::Hash,
    len: u64,
    parts: u64,
    /// Set once bytes were left out: nothing more is taken, so that the blob is a prefix.
    is_cut: bool,
    lost: Option<Error>,
}

impl OpenBlob {
    /// Takes bytes, as far as there is room.
    fn take(&mut self, data: &[u8]) {
        let granted = if self.is_cut {
            0
        } else {
            self.room.take(data.len())
        };
        self.is_cut |= granted < data.len();
        let taken = data.get(..granted).unwrap_or_default();
        lock(&self.tail).bytes.extend_from_slice(taken);
    }

    fn is_part(&self) -> bool {
        lock(&self.tail).bytes.len() >= PART_BYTES
    }

    /// Stores the tail as a part.
    async fn store(&mut self) -> Result<()> {
        let part = Bytes::copy_from_slice(&lock(&self.tail).bytes);
        let key = self.shared.names.blob_part(&self.id, self.len);
        let stored = self
            .shared
            .client
            .put("write blob", &key, part.clone())
            .await;
        let mut tail = lock(&self.tail);
        tail.bytes.clear();
        if let Err(error) = stored {
            // Cut here, as what follows would leave a hole.
            self.is_cut = true;
            self.room.give_back(part.len() as u64);
            return Err(error);
        }
        self.hash.update(&part);
        self.len += part.len() as u64;
        self.parts += 1;
        tail.offset = self.len;
        Ok(())
    }

    /// Keeps a failure for the next call, in case that this one was dropped.
    fn keep_loss(&mut self, stored: Result<()>) -> Result<()> {
        self.lost = stored.err();
        Ok(())
    }

    fn take_loss(&mut self) -> Result<()> {
        self.lost.take().map_or(Ok(()), Err)
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        let is_empty = lock(&self.tail).bytes.is_empty();
        // An empty blob has a part too, so that it can be found.
        if !is_empty || self.parts == 0 {
            self.store().await?;
        }
        self.shared.unfinished.end(&self.id);
        let hash = hex::lower(&self.hash.finalize());
        let blob = BlobRef::new(self.id.clone(), self.len, hash);
        Ok(if self.is_cut { blob.incomplete() } else { blob })
    }
}

impl Drop for OpenBlob {
    fn drop(&mut self) {
        self.shared.unfinished.end(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
