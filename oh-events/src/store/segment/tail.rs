//! The end of a log that is written to.

use std::fs::File;
use std::io::ErrorKind as Io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::store::Encoded;

use super::checkpoint::{self, Checkpoint, SPACING_BYTES};
use super::directory;
use super::files::Files;
use super::holder_file::Held;
use super::limits::Limits;
use super::line;
use super::medium::Medium;
use super::opened::Opened;
use super::segment_file::Segment;
use super::sync;

/// Largest batch buffer that is kept for the next append.
const KEPT_BUFFER_BYTES: usize = 1024 * 1024;

/// What the writer and the thread that syncs share.
#[derive(Debug)]
pub(super) struct Tail {
    state: Mutex<State>,
    /// Held by the sync that runs, which others wait for: it has taken what is not on disk yet.
    syncing: Mutex<()>,
}

#[derive(Debug)]
pub(super) struct State {
    /// The last segment, which is written to.
    segment: Arc<Segment>,
    pub(super) medium: Arc<dyn Medium>,
    checkpoints: Option<File>,
    last_checkpoint: u64,
    /// When the segment was begun.
    begun: SystemTime,
    /// Bytes up to the end of the last event.
    len: u64,
    pub(super) next: u64,
    /// Bytes of a failed write may stand after `len`.
    ragged: bool,
    /// Full segments of former writers, who may not have synced them; until the first sync.
    former: Vec<Arc<Segment>>,
    /// Segments that were filled since the last sync.
    filled: Vec<Arc<dyn Medium>>,
    /// Why a sync failed: what is on disk is not known since.
    pub(super) broken: Option<std::io::Error>,
    buffer: Vec<u8>,
    /// `None` after closing.
    pub(super) held: Option<Arc<Held>>,
}

impl Tail {
    pub(super) fn new(opened: Opened, held: Arc<Held>) -> Self {
        let mut former = opened.layout.segments;
        former.pop();
        Self {
            state: Mutex::new(State {
                segment: opened.segment,
                medium: Arc::new(opened.file),
                checkpoints: None,
                last_checkpoint: opened.last_checkpoint,
                begun: opened.begun,
                len: opened.len,
                next: opened.layout.next,
                ragged: false,
                former,
                filled: Vec::new(),
                broken: None,
                buffer: Vec::new(),
                held: Some(held),
            }),
            syncing: Mutex::default(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes to disk all that was appended, without keeping appends from going on.
    pub(super) fn sync(&self) -> std::io::Result<u64> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, former, media) = {
            let mut state = self.state();
            if let Some(failure) = &state.broken {
                return Err(sync::copy(failure));
            }
            let mut media = std::mem::take(&mut state.filled);
            media.push(Arc::clone(&state.medium));
            (state.next, std::mem::take(&mut state.former), media)
        };
        let synced = former
            .iter()
            .try_for_each(|segment| sync_former(&segment.path))
            .and_then(|()| media.iter().try_for_each(|medium| medium.sync()));
        if let Err(error) = synced {
            // The system may have dropped what it could not write, and reports it only once.
            self.state().broken = Some(sync::copy(&error));
            return Err(error);
        }
        Ok(next)
    }
}

/// Syncs a segment that may have been dropped meanwhile.
fn sync_former(path: &Path) -> std::io::Result<()> {
    match File::open(path) {
        Err(error) if error.kind() == Io::NotFound => Ok(()),
        opened => opened?.sync_data(),
    }
}

impl State {
    /// Appends a batch with one write, or nothing at all.
    pub(super) fn append(
        &mut self,
        batch: &[Encoded],
        files: &Files,
        limits: &Limits,
    ) -> std::io::Result<()> {
        if self.ragged {
            self.medium.set_len(self.len)?;
            self.ragged = false;
        }
        if self.is_full(limits) {
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

    fn is_full(&self, limits: &Limits) -> bool {
        // A clock that was set back makes no segment old.
        let is_old = |age| self.begun.elapsed().is_ok_and(|since| since >= age);
        self.len > 0 && (self.len >= limits.segment_bytes || limits.segment_age.is_some_and(is_old))
    }

    /// Begins a new segment.
    fn roll(&mut self, files: &Files) -> std::io::Result<()> {
        let segment = Arc::new(Segment::new(&files.directory, self.next, 0));
        let file = directory::create_file(&segment.path)?;
        directory::sync(&files.directory);
        segment.replace(0, Vec::new());
        self.filled.push(Arc::clone(&self.medium));
        self.medium = Arc::new(file);
        self.segment = Arc::clone(&segment);
        self.checkpoints = None;
        self.last_checkpoint = 0;
        self.begun = SystemTime::now();
        self.len = 0;
        files.layout().segments.push(segment);
        Ok(())
    }
}
