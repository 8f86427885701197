//! The writer of one session.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use oh_core::{Error, ErrorKind, EventId, Result, SessionId};

use crate::blocking;
use crate::store::blob::{BlobStore, FileBlobStore, SyncAtFinish};
use crate::store::{Durability, Encoded, EventLog, EventReader, OpenReport, Writer};

use super::checkpoint::{self, Checkpoint, SPACING_BYTES};
use super::files::{self, Files, Layout, Segment};
use super::holder_file::{self, Held};
use super::line;
use super::medium::Medium;
use super::recover;
use super::sync::Syncer;
use super::view::SegmentReader;

/// Largest batch buffer that is kept for the next append.
const KEPT_BUFFER_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
pub(super) struct SegmentLog {
    session: SessionId,
    epoch: u64,
    durability: Durability,
    segment_bytes: u64,
    report: OpenReport,
    files: Arc<Files>,
    tail: Arc<Tail>,
    syncer: Syncer,
    blobs: Arc<dyn BlobStore>,
}

/// What the writer and the thread that syncs share.
#[derive(Debug)]
struct Tail {
    /// Something was written since the last sync began.
    dirty: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The last segment, which is written to.
    segment: Arc<Segment>,
    medium: Arc<dyn Medium>,
    checkpoints: Option<File>,
    last_checkpoint: u64,
    /// Bytes up to the end of the last event.
    len: u64,
    next: u64,
    /// Bytes of a failed write may stand after `len`.
    ragged: bool,
    /// Segments that were filled since the last sync.
    filled: Vec<Arc<dyn Medium>>,
    /// A sync failed: what is on disk is not known.
    broken: bool,
    buffer: Vec<u8>,
    /// `None` after closing.
    held: Option<Held>,
}

impl SegmentLog {
    pub(super) fn open(
        directory: PathBuf,
        session: &SessionId,
        writer: &Writer,
        segment_bytes: u64,
        blob_bytes: u64,
    ) -> Result<Self> {
        let held = holder_file::take(&directory, session, &writer.name)?;
        let opened = Opened::find(&directory).map_err(|error| {
            Error::io("open event log", error).with_object(directory.display().to_string())
        })?;
        let sync_blobs = if writer.durability.is_synced() {
            SyncAtFinish::Yes
        } else {
            SyncAtFinish::No
        };
        let blobs = FileBlobStore::writer(
            directory.join("blobs"),
            held.epoch.to_string(),
            blob_bytes,
            sync_blobs,
        );
        let tail = Arc::new(Tail {
            dirty: AtomicBool::new(false),
            state: Mutex::new(State {
                segment: opened.segment,
                medium: Arc::new(opened.file),
                checkpoints: opened.checkpoints,
                last_checkpoint: opened.last_checkpoint,
                len: opened.len,
                next: opened.layout.next,
                ragged: false,
                filled: Vec::new(),
                broken: false,
                buffer: Vec::new(),
                held: None,
            }),
        });
        let epoch = held.epoch;
        tail.state().held = Some(held);
        let work = Arc::clone(&tail);
        Ok(Self {
            session: session.clone(),
            epoch,
            durability: writer.durability,
            segment_bytes: segment_bytes.max(1),
            report: opened.report,
            files: Arc::new(Files::new(directory, opened.layout)),
            tail,
            syncer: Syncer::new(Arc::new(move || work.sync())),
            blobs: Arc::new(blobs),
        })
    }

    /// Puts another file below the last segment.
    #[cfg(test)]
    pub(super) fn replace_medium(&self, medium: Arc<dyn Medium>) {
        self.tail.state().medium = medium;
    }

    fn error(&self, kind: ErrorKind, detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, "append event")
            .with_object(self.session.as_str())
            .with_detail(detail)
    }

    /// Writes a batch to the page cache.
    fn write(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        let mut state = self.tail.state();
        if state.held.is_none() {
            return Err(self.error(ErrorKind::Gone, "the log was closed"));
        }
        if let Some(failure) = self.syncer.take_failure() {
            return Err(failure.with_object(self.session.as_str()));
        }
        if state.broken {
            return Err(self.error(
                ErrorKind::OutcomeUnknown,
                "writing to disk failed before; open the log again to see what it holds",
            ));
        }
        if epoch != self.epoch || expected.0 != state.next {
            return Err(self.error(
                ErrorKind::Conflict,
                format!(
                    "the next event is {} of epoch {}, not {expected} of epoch {epoch}",
                    state.next, self.epoch
                ),
            ));
        }
        for (at, event) in batch.iter().enumerate() {
            if event.id().0 != state.next + at as u64 {
                return Err(self.error(
                    ErrorKind::InvalidInput,
                    "the ids of a batch follow one another",
                ));
            }
        }
        state
            .append(batch, &self.files, self.segment_bytes)
            .map_err(|error| Error::io("append event", error).with_object(self.session.as_str()))
    }

    fn sync_soon(&self, within: Duration) -> Result<()> {
        // The flag keeps it to one request per sync.
        if self.tail.dirty.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.syncer.soon(within)
    }
}

impl Tail {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to disk all that was appended, without keeping appends from going on.
    fn sync(&self) -> std::io::Result<u64> {
        self.dirty.store(false, Ordering::Release);
        let (next, media) = {
            let mut state = self.state();
            let mut media = std::mem::take(&mut state.filled);
            media.push(Arc::clone(&state.medium));
            (state.next, media)
        };
        for medium in media {
            if let Err(error) = medium.sync() {
                // The system may have dropped what it could not write, and reports it only once.
                self.state().broken = true;
                return Err(error);
            }
        }
        Ok(next)
    }
}

impl State {
    /// Appends a batch with one write, or nothing at all.
    fn append(
        &mut self,
        batch: &[Encoded],
        files: &Files,
        segment_bytes: u64,
    ) -> std::io::Result<()> {
        if self.ragged {
            self.medium.set_len(self.len)?;
            self.ragged = false;
        }
        if self.len >= segment_bytes {
            self.roll(files)?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut fresh = Vec::new();
        let mut last = self.last_checkpoint;
        for event in batch {
            let offset = self.len + buffer.len() as u64;
            if offset - last >= SPACING_BYTES {
                last = offset;
                fresh.push(Checkpoint {
                    id: event.id().0,
                    offset,
                });
            }
            line::write(&mut buffer, event.json());
        }
        let written = self.medium.write_all_at(&buffer, self.len);
        let size = buffer.len() as u64;
        if buffer.capacity() <= KEPT_BUFFER_BYTES {
            self.buffer = buffer;
        }
        if let Err(error) = written {
            // Cut now if possible, else before the next write or at the next opening.
            self.ragged = self.medium.set_len(self.len).is_err();
            return Err(error);
        }
        self.len += size;
        self.last_checkpoint = last;
        self.next += batch.len() as u64;
        self.store_checkpoints(&fresh);
        self.segment.grow(self.len, &fresh);
        files.layout().next = self.next;
        Ok(())
    }

    /// Checkpoints can be derived, so that failing to store them is no failure of the append.
    fn store_checkpoints(&mut self, fresh: &[Checkpoint]) {
        if fresh.is_empty() {
            return;
        }
        if self.checkpoints.is_none() {
            self.checkpoints = checkpoint::append_to(&self.segment.checkpoint_path()).ok();
        }
        for checkpoint in fresh {
            if let Some(file) = &mut self.checkpoints
                && let Err(error) = checkpoint::append(file, *checkpoint)
            {
                // The rest of this segment does without: half of an entry may stand there.
                tracing::debug!(%error, "a checkpoint was not stored");
                return;
            }
        }
    }

    /// Begins a new segment.
    fn roll(&mut self, files: &Files) -> std::io::Result<()> {
        let segment = Arc::new(Segment::new(&files.directory, self.next, 0));
        let file = create(&segment.path)?;
        sync_directory(&files.directory);
        segment.replace(0, Vec::new());
        self.filled.push(Arc::clone(&self.medium));
        self.medium = Arc::new(file);
        self.segment = Arc::clone(&segment);
        self.checkpoints = None;
        self.last_checkpoint = 0;
        self.len = 0;
        files.layout().segments.push(segment);
        Ok(())
    }
}

/// The end of a log, found and made fit for writing.
struct Opened {
    segment: Arc<Segment>,
    file: File,
    checkpoints: Option<File>,
    last_checkpoint: u64,
    len: u64,
    layout: Layout,
    report: OpenReport,
}

impl Opened {
    fn find(directory: &Path) -> std::io::Result<Self> {
        let mut segments = files::list(directory)?;
        let segment = match segments.last() {
            Some(last) => Arc::clone(last),
            None => {
                let first = Arc::new(Segment::new(directory, 0, 0));
                create(&first.path)?;
                sync_directory(directory);
                segments.push(Arc::clone(&first));
                first
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&segment.path)?;
        let end = recover::find_end(&segment, &file)?;
        let mut report = OpenReport::new(EventId(end.next));
        if end.torn_bytes > 0 {
            file.set_len(end.len)?;
            file.sync_data()?;
            let name = segment.path.display().to_string();
            tracing::warn!(
                file = name,
                bytes = end.torn_bytes,
                "cut an unfinished write"
            );
            report = report.cut(name, end.torn_bytes);
        }
        if !end.checkpoints_stored
            && let Err(error) = checkpoint::store(&segment.checkpoint_path(), &end.checkpoints)
        {
            tracing::debug!(%error, "checkpoints were not stored");
        }
        let last_checkpoint = end.checkpoints.last().map_or(0, |last| last.offset);
        segment.replace(end.len, end.checkpoints);
        Ok(Self {
            segment,
            file,
            checkpoints: None,
            last_checkpoint,
            len: end.len,
            layout: Layout {
                segments,
                next: end.next,
            },
            report,
        })
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        // What a crash left of a segment that was never written to.
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Makes the name of a new file last. Not every file system can; the file itself is synced anyway.
fn sync_directory(directory: &Path) {
    if let Err(error) = File::open(directory).and_then(|directory| directory.sync_all()) {
        tracing::debug!(%error, "a directory was not synced");
    }
}

impl Drop for SegmentLog {
    fn drop(&mut self) {
        // The thread that syncs may go on for a moment; the lock must not.
        self.tail.state().held = None;
    }
}

#[async_trait]
impl EventLog for SegmentLog {
    fn report(&self) -> &OpenReport {
        &self.report
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn next(&self) -> EventId {
        EventId(self.files.next())
    }

    fn reader(&self) -> Arc<dyn EventReader> {
        Arc::new(SegmentReader::beside_writer(Arc::clone(&self.files)))
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        Some(Arc::clone(&self.blobs))
    }

    async fn append(&self, expected: EventId, epoch: u64, batch: &[Encoded]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        match self.durability {
            Durability::Never => self.write(expected, epoch, batch),
            Durability::Interval(within) => {
                self.write(expected, epoch, batch)?;
                self.sync_soon(within)
            }
            // With `Each` the batches are of one event: see `EventLog::append`.
            Durability::Group | Durability::Each => {
                self.write(expected, epoch, batch)?;
                self.syncer.now().await.map(|_| ()).map_err(unknown)
            }
        }
    }

    async fn sync(&self) -> Result<EventId> {
        match self.syncer.now().await {
            Ok(next) => Ok(EventId(next)),
            Err(error) => Err(error.with_object(self.session.as_str())),
        }
    }

    async fn close(&self) -> Result<()> {
        let synced = if self.durability == Durability::Never || self.tail.state().held.is_none() {
            Ok(())
        } else {
            self.sync().await.map(|_| ())
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
        self.tail.state().held = None;
        synced
    }
}

/// A failed sync leaves it open what is on disk.
fn unknown(error: Error) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, "append event")
        .with_detail("writing to disk failed; open the log again to see what it holds")
        .with_source(error)
}
