//! What is done beside appending: saving snapshots, and dropping what is not kept.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use oh_core::{Error, ErrorKind, Result, SessionId};

use crate::store::blob::{FileBlobStore, references};
use crate::store::{Durability, Snapshot};

use super::directory::Sync;
use super::files::Files;
use super::retention::Retention;
use super::segment_file::Segment;
use super::snapshot_file;
use super::tail::Tail;
use super::walk::Found;

#[derive(Debug)]
pub(super) struct Upkeep {
    session: SessionId,
    directory: PathBuf,
    files: Arc<Files>,
    tail: Arc<Tail>,
    blobs: FileBlobStore,
    sync: Sync,
    retention: Retention,
    /// One at a time; with the blobs that full segments name, by their first events.
    named: Mutex<HashMap<u64, HashSet<String>>>,
}

impl Upkeep {
    pub(super) fn new(
        session: &SessionId,
        files: &Arc<Files>,
        tail: &Arc<Tail>,
        blobs: &FileBlobStore,
        durability: Durability,
        retention: Retention,
    ) -> Self {
        // Events must not go before what replaces them is on disk.
        let sync = match durability.is_synced() || retention != Retention::default() {
            true => Sync::Yes,
            false => Sync::No,
        };
        Self {
            session: session.clone(),
            directory: files.directory.clone(),
            files: Arc::clone(files),
            tail: Arc::clone(tail),
            blobs: blobs.clone(),
            sync,
            retention,
            named: Mutex::default(),
        }
    }

    /// Saves a snapshot, and drops what need not be kept any more.
    pub(super) fn save(&self, snapshot: &Snapshot) -> Result<()> {
        const OPERATION: &str = "save snapshot";
        let error = |kind, detail| {
            Err(Error::new(kind, OPERATION)
                .with_object(self.session.as_str())
                .with_detail(detail))
        };
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        // Held until this is over, so that no other writer begins meanwhile.
        let (held, next) = {
            let state = self.tail.state();
            (state.held.clone(), state.next)
        };
        let Some(_held) = held else {
            return error(ErrorKind::Gone, "the log was closed");
        };
        if snapshot.data.len() > Snapshot::MAX_BYTES {
            return error(ErrorKind::TooLarge, "a snapshot is at most 16 MiB");
        }
        if snapshot.next.0 > next {
            return error(ErrorKind::InvalidInput, "it is ahead of the log");
        }
        // One that was overtaken by a younger one, for which they were dropped.
        if snapshot.next.0 < self.files.first() {
            return error(ErrorKind::InvalidInput, "events after it were dropped");
        }
        let failed = |error| Error::io(OPERATION, error).with_object(self.session.as_str());
        snapshot_file::save(&self.directory, snapshot, self.sync).map_err(failed)?;
        let superfluous = self.superfluous(snapshot.next.0, next).map_err(failed)?;
        if !superfluous.is_empty() {
            // After a loss of power a snapshot that is ahead of the log stands for nothing, and
            // the events that another could be made of must be there.
            self.tail.sync().map_err(failed)?;
        }
        self.drop_segments(&superfluous, &mut named)
    }

    /// Waits for a snapshot that is being saved.
    pub(super) fn settle(&self) {
        drop(self.named.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The oldest segments that are over a limit and lie wholly before an event.
    fn superfluous(&self, before: u64, next: u64) -> std::io::Result<Vec<Arc<Segment>>> {
        if self.retention == Retention::default() {
            return Ok(Vec::new());
        }
        let segments = self.files.layout().segments.clone();
        let mut bytes: u64 = segments.iter().map(|segment| segment.len()).sum();
        let mut superfluous = Vec::new();
        for (oldest, after) in segments.iter().zip(segments.iter().skip(1)) {
            let over = |limit: Option<u64>, size| limit.is_some_and(|limit| size > limit);
            let is_over = over(self.retention.max_bytes, bytes)
                || over(self.retention.max_events, next - oldest.first)
                || self.is_old(oldest)?;
            if after.first > before || !is_over {
                break;
            }
            bytes -= oldest.len();
            superfluous.push(Arc::clone(oldest));
        }
        Ok(superfluous)
    }

    fn is_old(&self, segment: &Segment) -> std::io::Result<bool> {
        let Some(age) = self.retention.max_age else {
            return Ok(false);
        };
        let written = segment.path.metadata()?.modified()?;
        let since = SystemTime::now().duration_since(written);
        Ok(since.is_ok_and(|since| since >= age))
    }

    /// Drops the oldest segments, with the blobs that no other names. What a crash leaves of
    /// them is dropped with the next snapshot.
    fn drop_segments(
        &self,
        superfluous: &[Arc<Segment>],
        named: &mut HashMap<u64, HashSet<String>>,
    ) -> Result<()> {
        let Some(last) = superfluous.last() else {
            return Ok(());
        };
        let failed = |error| Error::io("drop old events", error).with_object(self.session.as_str());
        let blobs = self.blobs.names().map_err(failed)?;
        let mut unnamed = HashSet::new();
        for segment in superfluous {
            unnamed.extend(self.names_in(segment, &blobs, named)?);
        }
        let segments = self.files.layout().segments.clone();
        let kept = segments.get(superfluous.len()..).unwrap_or_default();
        if !unnamed.is_empty() {
            for segment in kept {
                for blob in self.names_in(segment, &blobs, named)? {
                    unnamed.remove(&blob);
                }
            }
            // The last one grows.
            named.remove(&kept.last().map_or(0, |last| last.first));
        }
        for blob in unnamed {
            self.blobs.remove(&blob).map_err(failed)?;
        }
        let first = kept.first().map_or(last.first, |first| first.first);
        // Readers first: what they do not look for cannot be missing.
        self.files.drop_before(first);
        for segment in superfluous {
            named.remove(&segment.first);
            for path in [segment.checkpoint_path(), segment.path.clone()] {
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(failed(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Which of the blobs a segment names.
    fn names_in(
        &self,
        segment: &Segment,
        blobs: &HashSet<String>,
        named: &mut HashMap<u64, HashSet<String>>,
    ) -> Result<HashSet<String>> {
        if blobs.is_empty() {
            return Ok(HashSet::new());
        }
        if let Some(known) = named.get(&segment.first) {
            return Ok(known.clone());
        }
        let mut found = HashSet::new();
        let end = self
            .files
            .segment_of(segment.first)
            .map_or(segment.first, |(_, end)| end);
        self.files.walk(segment.first, end, &mut |piece| {
            if let Found::Event(_, json) = piece {
                references::visit(json, &mut |id| {
                    if let Some(blob) = blobs.get(id) {
                        found.insert(blob.clone());
                    }
                });
            }
            ControlFlow::Continue(())
        })?;
        named.insert(segment.first, found.clone());
        Ok(found)
    }
}
