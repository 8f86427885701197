//! Blobs as files of a directory.

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind as Io, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::event::BlobRef;
use oh_core::{ByteRange, Error, ErrorKind, Result};
use tokio::task::JoinHandle;

use super::blob_store::{BlobStore, BlobWriter};
use super::memory::check_read;
use super::room::Room;
use crate::store::segment::directory;
use crate::{blocking, hex};

/// Blobs of one session as files (mode 0600) of one directory (mode 0700), which is created with
/// the first blob.
#[derive(Clone)]
pub struct FileBlobStore(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    limit_bytes: u64,
    /// First part of the ids of new blobs; `None` for reading only.
    prefix: Option<String>,
    count: AtomicU64,
    room: OnceLock<Arc<Room>>,
    sync: SyncAtFinish,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SyncAtFinish {
    Yes,
    No,
}

impl FileBlobStore {
    /// Room of a session by default.
    pub const DEFAULT_BYTES: u64 = 1024 * 1024 * 1024;

    /// Opens a directory for writing. `prefix` begins the ids of the new blobs and must be new
    /// with each writer.
    pub(crate) fn writer(
        directory: PathBuf,
        prefix: String,
        limit_bytes: u64,
        sync: SyncAtFinish,
    ) -> Self {
        Self(Arc::new(Inner {
            directory,
            limit_bytes,
            prefix: Some(prefix),
            count: AtomicU64::new(0),
            room: OnceLock::new(),
            sync,
        }))
    }

    /// Names of the blobs that are there.
    pub(crate) fn names(&self) -> std::io::Result<HashSet<String>> {
        let mut names = HashSet::new();
        let entries = match self.0.directory.read_dir() {
            Ok(entries) => entries,
            Err(error) if error.kind() == Io::NotFound => return Ok(names),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name().into_string().ok();
            names.extend(name.filter(|name| is_name(name)));
        }
        Ok(names)
    }

    /// Removes a blob and gives back its room. One that is not there is no error.
    pub(crate) fn remove(&self, id: &str) -> std::io::Result<()> {
        let path = self.0.directory.join(id);
        let removed = path
            .metadata()
            .and_then(|metadata| std::fs::remove_file(&path).map(|()| metadata.len()));
        match removed {
            Ok(bytes) => {
                if let Some(room) = self.0.room.get() {
                    room.give_back(bytes);
                }
                Ok(())
            }
            Err(error) if error.kind() == Io::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens a directory for reading.
    pub fn reader(directory: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner {
            directory: directory.into(),
            limit_bytes: 0,
            prefix: None,
            count: AtomicU64::new(0),
            room: OnceLock::new(),
            sync: SyncAtFinish::No,
        }))
    }
}

impl fmt::Debug for FileBlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBlobStore")
            .field("directory", &self.0.directory)
            .field("limit_bytes", &self.0.limit_bytes)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobStore for FileBlobStore {
    async fn create(&self) -> Result<Box<dyn BlobWriter>> {
        let inner = Arc::clone(&self.0);
        let blob = blocking::run("create blob", move || inner.create()).await?;
        Ok(Box::new(FileBlob {
            id: blob.id.clone(),
            blob: Arc::new(Mutex::new(blob)),
            directory: self.0.directory.clone(),
            running: None,
            named: false,
        }))
    }

    async fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        let (inner, id) = (Arc::clone(&self.0), id.to_owned());
        blocking::run("read blob", move || inner.read(&id, range)).await
    }
}

impl Inner {
    fn create(&self) -> Result<OpenBlob> {
        const OPERATION: &str = "create blob";
        let prefix = self.prefix.as_deref().ok_or_else(|| {
            Error::unsupported(OPERATION).with_detail("the log was opened for reading")
        })?;
        let failed =
            |error| Error::io(OPERATION, error).with_object(self.directory.display().to_string());
        directory::create(&self.directory).map_err(failed)?;
        let room = match self.room.get() {
            Some(room) => Arc::clone(room),
            None => {
                let used = self.used_bytes().map_err(failed)?;
                let room = Arc::new(Room::new(self.limit_bytes, used));
                Arc::clone(self.room.get_or_init(|| room))
            }
        };
        let (id, file) = loop {
            let id = format!("{prefix}-{}", self.count.fetch_add(1, Ordering::Relaxed));
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(self.directory.join(&id));
            match opened {
                Ok(file) => break (id, file),
                // Left by a writer that used the same prefix.
                Err(error) if error.kind() == Io::AlreadyExists => {}
                Err(error) => return Err(Error::io(OPERATION, error).with_object(id)),
            }
        };
        Ok(OpenBlob {
            id,
            file,
            room,
            sync: self.sync,
            hash: hmac_sha256::Hash::new(),
            len: 0,
            dropped: false,
        })
    }

    fn used_bytes(&self) -> std::io::Result<u64> {
        let mut used = 0;
        for entry in self.directory.read_dir()? {
            used += match entry?.metadata() {
                Ok(metadata) => metadata.len(),
                // Dropped a moment ago.
                Err(error) if error.kind() == Io::NotFound => 0,
                Err(error) => return Err(error),
            };
        }
        Ok(used)
    }

    fn read(&self, id: &str, range: ByteRange) -> Result<Bytes> {
        const OPERATION: &str = "read blob";
        let failed = |error| Error::io(OPERATION, error).with_object(id);
        // Ids come out of logs, which can come from anywhere: they must not name other files.
        if !is_name(id) {
            return Err(Error::new(ErrorKind::NotFound, OPERATION).with_object(id));
        }
        let file = File::open(self.directory.join(id)).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        let end = range.end.map_or(len, |end| end.min(len));
        let start = range.start.min(end);
        check_read(id, end - start)?;
        let mut data = vec![0; usize::try_from(end - start).unwrap_or_default()];
        let mut filled = 0;
        while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, start + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == Io::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        data.truncate(filled);
        Ok(data.into())
    }
}

/// Whether a file can be a blob.
pub(crate) fn is_name(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !id.is_empty()
}

/// The handle moves each piece of work to the blocking pool and waits for the one before first,
/// so that pieces stay in order even if a caller drops a call.
struct FileBlob {
    id: String,
    blob: Arc<Mutex<OpenBlob>>,
    directory: PathBuf,
    running: Option<JoinHandle<Result<()>>>,
    /// Someone knows the blob by its reference.
    named: bool,
}

impl FileBlob {
    async fn settle(&mut self) -> Result<()> {
        if let Some(running) = &mut self.running {
            let result = running.await;
            self.running = None;
            return result.unwrap_or_else(|error| Err(blocking::lost("write blob", error)));
        }
        Ok(())
    }
}

impl Drop for FileBlob {
    fn drop(&mut self) {
        if self.named {
            return;
        }
        let (blob, path) = (Arc::clone(&self.blob), self.directory.join(&self.id));
        let take_back = move || lock(&blob).take_back(&path);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(take_back)),
            Err(_) => take_back(),
        }
    }
}

impl fmt::Debug for FileBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileBlob")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl BlobWriter for FileBlob {
    fn id(&self) -> &str {
        &self.id
    }

    async fn write(&mut self, data: Bytes) -> Result<()> {
        self.settle().await?;
        let blob = Arc::clone(&self.blob);
        self.running = Some(tokio::task::spawn_blocking(move || {
            lock(&blob).write(&data)
        }));
        Ok(())
    }

    async fn finish(&mut self) -> Result<BlobRef> {
        self.settle().await?;
        let (blob, directory) = (Arc::clone(&self.blob), self.directory.clone());
        let finished = blocking::run("finish blob", move || lock(&blob).finish(&directory)).await?;
        self.named = true;
        Ok(finished)
    }
}

fn lock(blob: &Mutex<OpenBlob>) -> std::sync::MutexGuard<'_, OpenBlob> {
    blob.lock().unwrap_or_else(PoisonError::into_inner)
}

struct OpenBlob {
    id: String,
    file: File,
    room: Arc<Room>,
    sync: SyncAtFinish,
    hash: hmac_sha256::Hash,
    len: u64,
    dropped: bool,
}

impl OpenBlob {
    fn write(&mut self, data: &[u8]) -> Result<()> {
        // After the first loss nothing more is taken, so that the blob is a prefix.
        let granted = if self.dropped {
            0
        } else {
            self.room.take(data.len())
        };
        self.dropped |= granted < data.len();
        let taken = data.get(..granted).unwrap_or_default();
        if let Err(error) = self.file.write_all(taken) {
            self.dropped = true;
            self.room.give_back(taken.len() as u64);
            // What was written of the piece must not count, as its length is not known here.
            let _ = self.file.set_len(self.len);
            return Err(Error::io("write blob", error).with_object(self.id.as_str()));
        }
        self.hash.update(taken);
        self.len += taken.len() as u64;
        Ok(())
    }

    /// Removes the file. A write that comes late adds nothing to it.
    fn take_back(&mut self, path: &Path) {
        self.dropped = true;
        match std::fs::remove_file(path) {
            Ok(()) => self.room.give_back(std::mem::take(&mut self.len)),
            Err(error) => tracing::debug!(%error, "a blob that no one refers to was left"),
        }
    }

    fn finish(&mut self, directory: &Path) -> Result<BlobRef> {
        if self.sync == SyncAtFinish::Yes {
            self.file
                .sync_data()
                .map_err(|error| Error::io("sync blob", error).with_object(self.id.as_str()))?;
            directory::sync(directory);
        }
        let blob = BlobRef::new(self.id.clone(), self.len, hex::lower(&self.hash.finalize()));
        Ok(if self.dropped {
            blob.incomplete()
        } else {
            blob
        })
    }
}
