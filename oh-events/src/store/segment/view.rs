//! Reads the log of one session, beside its writer or from another process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind as Io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use oh_core::{Error, EventId, Result};

use crate::blocking;
use crate::store::blob::{BlobStore, FileBlobStore};
use crate::store::{Damage, Direction, Encoded, EventReader, ReadRange, Snapshot};

use super::files::{self, Files, Layout};
use super::walk::Found;
use super::{recover, snapshot_file};

/// How often a follower looks whether a writer of another process has written.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// What a look at the files found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    /// First event of the oldest segment.
    oldest: u64,
    /// First event of the last segment.
    last: u64,
    /// Length of its file.
    len: u64,
}

type Seen = Option<Look>;

#[derive(Debug)]
pub(super) struct SegmentReader {
    files: Arc<Files>,
    /// Set for a reader that must look itself; held while one call looks.
    looking: Option<Arc<Mutex<Seen>>>,
}

impl SegmentReader {
    /// Shares what the writer of this process knows.
    pub(super) fn beside_writer(files: Arc<Files>) -> Self {
        Self {
            files,
            looking: None,
        }
    }

    pub(super) fn into_files(self) -> Arc<Files> {
        self.files
    }

    /// Looks at the files that any writer writes.
    pub(super) fn follow(directory: PathBuf) -> Result<Self> {
        let files = Files::new(directory, Layout::default())?;
        let mut seen = None;
        look(&files, &mut seen)?;
        Ok(Self {
            files: Arc::new(files),
            looking: Some(Arc::new(Mutex::new(seen))),
        })
    }
}

/// Takes in what was written since the last look. A write that is under way is left for later.
fn look(files: &Files, seen: &mut Seen) -> Result<()> {
    let failed = |error: std::io::Error| match error.kind() {
        Io::NotFound => files.removed(),
        _ => Error::io("read event log", error).with_object(files.directory.display().to_string()),
    };
    let mut found = files::list(&files.directory).map_err(failed)?;
    let now = found.first().zip(found.last()).map(|(oldest, last)| Look {
        oldest: oldest.first,
        last: last.first,
        len: last.len(),
    });
    if now.is_some() && now == *seen {
        return Ok(());
    }
    let known = files.layout().clone();
    for segment in &mut found {
        if let Some(known) = known
            .segments
            .iter()
            .find(|known| known.first == segment.first)
        {
            // Keep what is known, but for the length: the segment may have been filled meanwhile.
            known.grow(known.len().max(segment.len()), &[]);
            *segment = Arc::clone(known);
        }
    }
    let mut next = 0;
    if let Some(last) = found.last() {
        let file = File::open(&last.path).map_err(failed)?;
        let end = recover::find_end(last, &file).map_err(failed)?;
        last.replace(end.len, end.checkpoints);
        next = end.next;
    }
    files.check_there()?;
    let mut layout = files.layout();
    layout.segments = found;
    layout.next = next.max(layout.next);
    *seen = now;
    Ok(())
}

#[async_trait]
impl EventReader for SegmentReader {
    fn first(&self) -> EventId {
        EventId(self.files.first())
    }

    fn next(&self) -> EventId {
        EventId(self.files.next())
    }

    async fn read(&self, range: ReadRange) -> Result<Vec<Encoded>> {
        let files = Arc::clone(&self.files);
        blocking::run("read events", move || match range.direction {
            Direction::Forward => read_forward(&files, range),
            Direction::Reverse => read_reverse(&files, range),
        })
        .await
    }

    async fn wait_past(&self, known: EventId) -> Result<EventId> {
        loop {
            let next = self.next();
            if next > known {
                return Ok(next);
            }
            if let Some(looking) = &self.looking {
                let (files, looking) = (Arc::clone(&self.files), Arc::clone(looking));
                blocking::run("follow event log", move || {
                    let mut seen = looking.lock().unwrap_or_else(PoisonError::into_inner);
                    look(&files, &mut seen)
                })
                .await?;
                if self.next() > known {
                    continue;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn snapshot(&self) -> Result<Option<Snapshot>> {
        let files = Arc::clone(&self.files);
        blocking::run("read snapshot", move || {
            let snapshot = snapshot_file::load(&files.directory).map_err(|error| {
                Error::io("read snapshot", error).with_object(files.directory.display().to_string())
            })?;
            files.check_there()?;
            Ok(snapshot)
        })
        .await
    }

    fn blobs(&self) -> Option<Arc<dyn BlobStore>> {
        let directory = self.files.directory.join("blobs");
        Some(Arc::new(FileBlobStore::reader(directory)))
    }
}

fn read_forward(files: &Files, range: ReadRange) -> Result<Vec<Encoded>> {
    let mut page = Vec::new();
    let mut bytes = 0;
    let mut damage: Option<Damage> = None;
    files.walk(range.from.0, range.to.0, &mut |found| match found {
        Found::Event(id, json) => {
            if page.len() >= range.limit {
                return ControlFlow::Break(());
            }
            // What was dropped in between is for the reader of the next page to meet.
            if page
                .last()
                .is_some_and(|(last, _)| id != EventId::next(*last))
            {
                return ControlFlow::Break(());
            }
            bytes += json.len();
            page.push((id, Bytes::copy_from_slice(json)));
            if page.len() >= range.limit || bytes >= range.max_bytes {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        }
        Found::Damage(found) => {
            damage = Some(found);
            ControlFlow::Break(())
        }
    })?;
    match damage {
        Some(damage) if page.is_empty() => Err(damage.into()),
        _ => page
            .into_iter()
            .map(|(id, json)| Encoded::new(id, json))
            .collect(),
    }
}

/// Ids are dense, so the last events of a range are a range themselves.
fn read_reverse(files: &Files, range: ReadRange) -> Result<Vec<Encoded>> {
    let to = range.to.0.min(files.next());
    let from = range.from.0.max(to.saturating_sub(range.limit as u64));
    let mut page = VecDeque::new();
    let mut bytes = 0;
    let mut damage: Option<Damage> = None;
    files.walk(from, to, &mut |found| {
        match found {
            Found::Event(id, json) => {
                if page
                    .back()
                    .is_some_and(|(last, _)| id != EventId::next(*last))
                {
                    page.clear();
                    bytes = 0;
                }
                bytes += json.len();
                page.push_back((id, Bytes::copy_from_slice(json)));
                while bytes > range.max_bytes && page.len() > 1 {
                    bytes -= page
                        .pop_front()
                        .map_or(0, |(_, json): (_, Bytes)| json.len());
                }
            }
            // What lies before the damage belongs to a later page.
            Found::Damage(found) => {
                page.clear();
                bytes = 0;
                damage = Some(found);
            }
        }
        ControlFlow::Continue(())
    })?;
    match damage {
        Some(damage) if page.is_empty() => Err(damage.into()),
        _ => page
            .into_iter()
            .rev()
            .map(|(id, json)| Encoded::new(id, json))
            .collect(),
    }
}
